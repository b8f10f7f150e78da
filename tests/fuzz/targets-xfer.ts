/** Messages of the sync protocol: their bodies, their cards, rows of configuration, logins in cookies. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { summarizeReply, summarizeRequest } from "../../src/bridge-request.ts";
import { latin1, utf8 } from "../../src/bytes.ts";
import type { Clock } from "../../src/clock.ts";
import { LimitError } from "../../src/errors.ts";
import { loginFromCookie } from "../../src/sync-login.ts";
import { BodyReader } from "../../src/transport-http-body.ts";
import { parseConfigRow } from "../../src/xfer-config-row.ts";
import { CONTENT_TYPES, decodeMessage, type Framing } from "../../src/xfer-message.ts";
import { CardReader } from "../../src/xfer-parse.ts";
import { deflate, packBlob, unpackBlob } from "../../src/zlib.ts";
import { SHA1, SHA3 } from "../artifact-cases.ts";
import type { FuzzTarget } from "./fuzzer.ts";
import type { FuzzDice } from "./mutate.ts";

const FOLDER = join(import.meta.dir, "..", "golden", "xfer");
const golden = (wanted: RegExp) =>
  readdirSync(FOLDER)
    .filter((name) => wanted.test(name))
    .map((name) => ({ name, bytes: new Uint8Array(readFileSync(join(FOLDER, name))) }));

const bodies = () => golden(/\.(compressed|raw|debug)$/);
const messages = () =>
  bodies().map(
    ({ name, bytes }) =>
      new Uint8Array(decodeMessage(bytes, CONTENT_TYPES[name.split(".")[1] as Framing]).message),
  );

const CARD_WORDS = [
  ...[
    "file",
    "cfile",
    "uvfile",
    "igot",
    "gimme",
    "uvigot",
    "uvgimme",
    "push",
    "pull",
    "clone",
    "clone_seqno",
    "login",
  ],
  ...[
    "config",
    "reqconfig",
    "private",
    "cookie",
    "pragma",
    "error",
    "message",
    "#",
    "\n",
    "nobody",
    SHA1,
    SHA3,
    "-",
  ],
  ...[
    "client-version 22900 20260821 165942",
    "send-private",
    "send-catalog",
    "uv-hash",
    "uv-push-ok",
    "ci-lock",
  ],
  ...[
    "req-clusters",
    "req-links",
    "/user",
    "/shun",
    "/config",
    "/ticket",
    "project-code",
    "\\s",
    "\\n",
    "\\\\",
  ],
  ...[`file ${SHA1} 5\nhello\n`, `igot ${SHA3}\n`, `gimme ${SHA1}\n`, "config /config 3\nabc\n"],
];

function readsCards(input: Uint8Array): string {
  let last = "";
  let count = 0;
  for (const sender of ["client", "server"] as const) {
    for (const card of new CardReader(input, sender)) {
      last = card.type;
      count++;
    }
  }
  summarizeRequest(input);
  summarizeReply(input);
  return `${last} ${Math.min(count, 40)}`;
}

/** The largest message of these runs. */
const MESSAGE_MAX = 2_000_000;

function decodes(input: Uint8Array): string {
  const limits = { bodyMaxBytes: 100_000, messageMaxBytes: MESSAGE_MAX };
  const { framing, message } = decodeMessage(input, CONTENT_TYPES.compressed, limits);
  if (message.length > MESSAGE_MAX) throw new Error(`a message of ${message.length} bytes came out`);
  if (input.length > 4) unpack(input);
  return `${framing} ${message === input ? "as it came" : Math.min(9, Math.round(Math.log10(message.length + 1)))}`;
}

/** A stored blob has the same form. */
function unpack(input: Uint8Array): void {
  try {
    unpackBlob(input, MESSAGE_MAX);
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
  }
}

/** On both sides of the bound. To make one costs a thousand times what a parser takes. */
const BOMB_SIZES = [-100_000, -1, 0, 1, 2, 100_000].map((beside) => MESSAGE_MAX + beside);
let bombs: readonly Uint8Array[] = [];

/** Packed anew, now and then with another size than it has, or as what inflates a thousandfold. */
function packed(input: Uint8Array, dice: FuzzDice): Uint8Array<ArrayBuffer> {
  if (dice.chance(40)) {
    if (bombs.length === 0) bombs = BOMB_SIZES.map((size) => packBlob(new Uint8Array(size), 1));
    return new Uint8Array(dice.pick(bombs));
  }
  const blob = packBlob(new Uint8Array(input.subarray(4)), 1);
  if (dice.chance(4)) new DataView(blob.buffer).setUint32(0, dice.below(2 ** 31));
  if (dice.chance(3)) blob[dice.below(blob.length)]! ^= 1 << dice.below(8);
  return blob;
}

/** Nothing is ever late. */
const CALM: Clock = {
  now: () => 0,
  monotonic: () => 0,
  after: () => ({ cancel() {} }),
  sleep: () => Promise.resolve(),
} as unknown as Clock;

const PIECES_MAX = 40;

/** An HTTP request: its first line says how the body comes and what is said of its length, the rest is the body. */
async function readsBody(input: Uint8Array): Promise<string> {
  const end = Math.max(0, input.indexOf(10));
  const [length = "", type = "", sizes = "7"] = latin1(input, 0, end).split(" ");
  // Each piece costs as much as a short message: not more than so many.
  const step = Math.max(Math.ceil(input.length / PIECES_MAX), Number(sizes) % 5000 || 7);
  let at = end + 1;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= input.length) return controller.close();
      controller.enqueue(input.slice(at, at + step));
      at += step;
    },
  });
  const headers = { get: (name: string) => (name === "content-length" && length !== "" ? length : null) };
  const reader = new BodyReader(CALM, { heldMaxBytes: 12_000 }, () => new LimitError("http-busy", "no room"));
  const read = await reader.read({ headers, body } as unknown as Request, 9_000);
  if (reader.heldBytes !== read.length)
    throw new Error(`${reader.heldBytes} bytes are held of ${read.length}`);
  reader.release(read.length);
  const { framing, message } = decodeMessage(read, type, { messageMaxBytes: MESSAGE_MAX });
  return `${framing} ${readsCards(message)}`;
}

const CONFIG_ROWS = [
  "1700000000 'mallory' pw 'x' cap 's' info '' photo NULL",
  "1700000000 'project-name' value 'It''s a name'",
  "1 x'616263' value x'00ff' mtime 9223372036854775807",
  "1700000000 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' scom 'no'",
  "5 'title' owner 'ann' cols '#fff' sqlcode 'SELECT 1; DROP TABLE user'",
].map(utf8);

export const XFER_TARGETS: readonly FuzzTarget[] = [
  { name: "xfer", examples: messages, words: CARD_WORDS, run: readsCards },
  {
    name: "message",
    examples: () => bodies().map(({ bytes }) => bytes),
    words: ["\x78\x9c", "\x00\x00\x00\x05"],
    repair: packed,
    run: decodes,
  },
  {
    name: "http-body",
    examples: () =>
      bodies().map(({ name, bytes }) => {
        const head = `${bytes.length} ${CONTENT_TYPES[name.split(".")[1] as Framing]} 500\n`;
        return new Uint8Array(Buffer.concat([Buffer.from(head), bytes]));
      }),
    words: [
      ...Object.values(CONTENT_TYPES),
      "text/html",
      "; charset=utf-8",
      "APPLICATION/X-FOSSIL",
      " ",
      "\n",
    ],
    repair: (input, dice) => {
      const end = input.indexOf(10) + 1;
      if (end === 0 || dice.chance(2)) return input;
      const body = packBlob(new Uint8Array(input.subarray(end)), 1);
      return new Uint8Array(Buffer.concat([input.subarray(0, end), body]));
    },
    run: readsBody,
  },
  {
    name: "config-row",
    examples: () => CONFIG_ROWS,
    words: [
      "'",
      "''",
      "x'",
      "NULL",
      "value",
      "mtime",
      "cap",
      "pw",
      "owner",
      "title",
      "sqlcode",
      "9223372036854775808",
    ],
    run: (input) => {
      const row = parseConfigRow(input, [
        "value",
        "pw",
        "cap",
        "info",
        "photo",
        "scom",
        "owner",
        "title",
        "cols",
        "sqlcode",
      ]);
      return row === undefined
        ? "none"
        : `row ${[...row.values.values()].map((value) => typeof value).join(" ")}`;
    },
  },
  {
    name: "cookie",
    examples: () =>
      golden(/\.cookie$/).flatMap(({ bytes }) => [
        bytes,
        utf8(`a=b; x-f-l-c=${latin1(bytes)}; c`),
        utf8(latin1(bytes)),
      ]),
    words: ["x-f-l-c", "=", ";", "+", "%20", "%", "%0a", "login", "%2B", `${"a".repeat(8000)}`],
    run: (input) => (loginFromCookie(latin1(input)) === undefined ? "none" : "login"),
  },
  {
    name: "zlib",
    examples: () => [deflate(utf8("hello ".repeat(50))), deflate(new Uint8Array(100_000))],
    words: ["\x78\x9c", "\x78\x01"],
    repair: (input) => new Uint8Array(deflate(input, 1)),
    run: (input) =>
      `${Math.min(6, Math.round(Math.log10(unpackBlob(new Uint8Array(Buffer.concat([Buffer.from([0, 0, 0x40, 0]), input])), MESSAGE_MAX).length + 1)))}`,
  },
];
