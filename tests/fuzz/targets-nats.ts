/** What comes over NATS: the protocol in both dialects, headers, messages in parts, announcements, presence. */
import { parseAnnouncement } from "../../src/announcement.ts";
import { latin1, utf8 } from "../../src/bytes.ts";
import { EdgeSyncError } from "../../src/errors.ts";
import { sha3Hex } from "../../src/hash.ts";
import { parseAccepts, parsePart } from "../../src/nats-chunk.ts";
import { ChunkReceiver } from "../../src/nats-chunk-receive.ts";
import { NatsParser } from "../../src/nats-parser.ts";
import { parseHeaders } from "../../src/nats-protocol.ts";
import { isValidPattern, isValidSubject, subjectMatches } from "../../src/nats-subject.ts";
import { parsePresence } from "../../src/presence-message.ts";
import { deflate } from "../../src/zlib.ts";
import { SHA1, SHA3 } from "../artifact-cases.ts";
import type { FuzzTarget } from "./fuzzer.ts";
import type { FuzzDice } from "./mutate.ts";

const CLIENT_LINES = [
  'CONNECT {"verbose":false,"headers":true}\r\n',
  "SUB a.* 1\r\nSUB > q 2\r\nUNSUB 1 1\r\nPUB a.b 2\r\nhi\r\nPUB a.b 2\r\nho\r\n",
  "HPUB a.b a.c 12 14\r\nNATS/1.0\r\n\r\nhi\r\nPING\r\nPONG\r\n",
  "pub  a.b\tr 5\nhello\r\n+OK\r\n-ERR 'x'\r\n",
  'INFO {"server_id":"X","max_payload":1048576}\r\n',
].map(utf8);
const LEAF_LINES = [
  'INFO {"info_on_connect":true,"server_id":"Y","nonce":"n"}\r\nCONNECT {"server_id":"X"}\r\n',
  "LS+ a.*\r\nLS+ a q 3\r\nLS- a.*\r\nLS- a q\r\nLS+ $LDS.x\r\n",
  "LMSG a.b 2\r\nhi\r\nLMSG a.b r 2\r\nhi\r\nLMSG a.b + r q 2\r\nhi\r\nLMSG a.b | q p 2\r\nhi\r\n",
  "HMSG a.b 12 12\r\nNATS/1.0\r\n\r\n\r\nHMSG a.b + r q 12 14\r\nNATS/1.0\r\n\r\nhi\r\nPING\r\n",
].map(utf8);
const WORDS =
  "PUB HPUB SUB UNSUB CONNECT INFO PING PONG +OK -ERR LMSG HMSG LS+ LS- + | \r\n a.b > * $SYS. a..b _INBOX.x NATS/1.0".split(
    " ",
  );
const PAYLOAD_MAX = 4_000;

/** The same bytes whole and in pieces: the same operations, or the same error. */
function parsesAs(dialect: "client" | "leaf") {
  return (input: Uint8Array<ArrayBuffer>, dice: FuzzDice): string => {
    const whole = operations(dialect, input, [input.length]);
    const cuts: number[] = [];
    for (let left = input.length; left > 0; ) {
      const cut = Math.min(left, 1 + dice.below(dice.chance(3) ? 3 : 200));
      cuts.push(cut);
      left -= cut;
    }
    const parts = operations(dialect, input, cuts);
    if (whole.join("\n") !== parts.join("\n"))
      throw new Error(`whole:\n${whole.join("\n")}\nin parts:\n${parts.join("\n")}`);
    return `${whole.length > 8 ? "many" : whole.map((line) => line.split(" ", 1)[0]).join(" ")}`;
  };
}

function operations(dialect: "client" | "leaf", input: Uint8Array, cuts: readonly number[]): string[] {
  const parser = new NatsParser({ dialect, controlLineBytesMax: 512, payloadBytesMax: PAYLOAD_MAX });
  const seen: string[] = [];
  let at = 0;
  try {
    for (const cut of cuts) {
      parser.feed(input.slice(at, at + cut), (operation) => {
        if (operation.op !== "pub") seen.push(`${operation.op} ${JSON.stringify(operation)}`);
        else {
          const { subject, reply, queues, headerBytes, bytes, start, end } = operation;
          if (end - start > PAYLOAD_MAX) throw new Error("a payload past its limit");
          seen.push(
            `pub ${subject} ${reply} ${queues.join(",")} ${headerBytes} ${latin1(bytes, start, end)}`,
          );
        }
        return true;
      });
      at += cut;
    }
  } catch (error) {
    if (!(error instanceof EdgeSyncError)) throw error;
    seen.push(error.code);
  }
  return seen;
}

const ANNOUNCEMENT = {
  v: 1,
  rid: 5,
  uuid: SHA3,
  peer_id: "peer-1",
  tips: [SHA1],
  count: 2,
  artifacts: [SHA1, SHA3],
  reply: "AAAA",
  http: "https://a.example:8080/x",
  iroh: "a".repeat(64),
};
const PRESENCE = {
  v: 1,
  kind: "beat",
  peer_id: "peer-1",
  name: "laptop",
  version: "1.0",
  role: "hub",
  transports: ["http", "nats"],
  http: "http://127.0.0.1:1/",
  iroh: "b".repeat(64),
  artifacts: 12,
  tips: [SHA1, SHA3],
  unclustered: SHA1,
  lag_ms: 5,
  every_ms: 30_000,
};
const json = (value: unknown) => utf8(JSON.stringify(value));
const JSON_WORDS = [
  ...[
    "{",
    "}",
    "[",
    "]",
    "null",
    "true",
    '""',
    '"__proto__"',
    '"constructor"',
    "{}",
    "[]",
    '"\\ud800"',
    '"\\u0000"',
  ],
  ...[
    '"join"',
    '"leave"',
    '"query"',
    '"peer"',
    '"bridge"',
    '"v"',
    '"uuid"',
    '"peer_id"',
    '"http"',
    '"reply"',
    "1e308",
  ],
  ...[
    '"http://x/"',
    '"https://u:p@h/"',
    '"file:///etc/passwd"',
    '"javascript:1"',
    `"${SHA1}"`,
    "[".repeat(2000),
  ],
];

/** Lines of a script: a total, then parts with their bytes in hex. */
const CHUNKS = (() => {
  const body = utf8("a message that comes in parts, of which each is short\n".repeat(3));
  const hash = new Bun.CryptoHasher("sha256").update(body).digest("hex");
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  const [a, b] = [body.slice(0, 60), body.slice(60)];
  return [
    `begin ${body.length}\ndata 0 60 raw|${hex(a)}\ndata 60 ${b.length} raw ${hash}|${hex(b)}\n`,
    `begin ${body.length}\ndata 0 60 zlib|${hex(deflate(a))}\nack 5 7|\ndata 60 ${b.length} zlib ${hash}|${hex(deflate(b))}\n`,
    "begin 10\nwait|\ncancel|\n",
    "begin 4000000000\ndata 0 5 raw|68656c6c6f\n",
  ].map(utf8);
})();

function receives(input: Uint8Array): string {
  const [first = "", ...rest] = latin1(input).split("\n");
  const begin = parsePart(first);
  if (begin.kind !== "begin") return begin.kind;
  const receiver = new ChunkReceiver(begin.total, 10_000_000);
  let taken = 0;
  for (const line of rest) {
    const [part = "", hex = ""] = line.split("|");
    if (part === "") continue;
    const parsed = parsePart(part);
    if (parsed.kind === "data" && receiver.accept(parsed, Buffer.from(hex, "hex"))) taken++;
  }
  if (!receiver.isDone) return `parts ${Math.min(taken, 5)}`;
  if (receiver.take().length !== begin.total)
    throw new Error("a message of another length than was announced");
  return "whole";
}

export const NATS_TARGETS: readonly FuzzTarget[] = [
  { name: "nats", examples: () => CLIENT_LINES, words: WORDS, run: parsesAs("client") },
  { name: "leafnode", examples: () => LEAF_LINES, words: WORDS, run: parsesAs("leaf") },
  {
    name: "nats-headers",
    examples: () =>
      [
        "NATS/1.0\r\nA: b\r\n\r\n",
        "NATS/1.0 503\r\n\r\n",
        "NATS/1.0 503 no\r\nEdgeSync-Accepts: chunks 1048576\r\n\r\n",
      ].map(utf8),
    words: ["NATS/1.0", ":", "\r\n", "503", "EdgeSync-Part", "chunks 5"],
    run: (input) => {
      const { status, entries } = parseHeaders(input);
      for (const [, value] of entries) parseAccepts(value);
      return `${status} ${Math.min(entries.length, 9)}`;
    },
  },
  {
    name: "nats-subject",
    examples: () =>
      ["a.b.c a.*.c", "fossil.x.commit fossil.>", "> a", "*.* a.b", "_INBOX.abc.1 _INBOX.abc.*"].map(utf8),
    words: [".", "*", ">", "..", " ", "\t", "\u0000", "$SYS"],
    run: (input) => {
      const [subject = "", pattern = ""] = latin1(input).split(" ");
      const [valid, usable] = [isValidSubject(subject), isValidPattern(pattern)];
      return `${valid} ${usable} ${valid && usable && subjectMatches(pattern, subject)}`;
    },
  },
  {
    name: "chunks",
    examples: () => CHUNKS,
    words: [
      "begin",
      "data",
      "ack",
      "wait",
      "cancel",
      "raw",
      "zlib",
      "|",
      sha3Hex(utf8("x")),
      "68656c6c6f",
      "00",
    ],
    run: receives,
  },
  {
    name: "announcement",
    examples: () => [json(ANNOUNCEMENT), json({ rid: 1, uuid: SHA1, peer_id: "p" })],
    words: JSON_WORDS,
    run: (input) =>
      `taken ${Object.values(parseAnnouncement(input))
        .map((value) => typeof value)
        .join(" ")}`,
  },
  {
    name: "presence",
    examples: () => [
      json(PRESENCE),
      json({ ...PRESENCE, kind: "join" }),
      json({ v: 1, kind: "leave", peer_id: "p" }),
    ],
    words: JSON_WORDS,
    run: (input) =>
      `taken ${Object.values(parsePresence(input))
        .map((value) => typeof value)
        .join(" ")}`,
  },
];
