import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { latin1, utf8 } from "../src/bytes.ts";
import { EdgeSyncError, FormatError, LimitError } from "../src/errors.ts";
import { NatsParser } from "../src/nats-parser.ts";
import type { ParserOptions } from "../src/nats-parser-line.ts";
import {
  formatHeaders,
  leafMessageLine,
  messageLine,
  messageOf,
  type NatsOperation,
  parseHeaders,
} from "../src/nats-protocol.ts";
import { SCRIPTS } from "./nats-scripts.ts";

type Dialect = ParserOptions["dialect"];

/** What a parser makes of `chunks`: operations as plain data, and the code of the error that ended it. */
function parse(chunks: readonly Uint8Array[], dialect: Dialect = "client", limits = {}): unknown[] {
  const parser = new NatsParser({ dialect, controlLineBytesMax: 64, payloadBytesMax: 100, ...limits });
  const seen: unknown[] = [];
  try {
    for (const chunk of chunks) {
      parser.feed(chunk, (operation) => {
        seen.push(plain(operation));
        return true;
      });
    }
  } catch (error) {
    if (!(error instanceof FormatError || error instanceof LimitError)) throw error;
    seen.push(error.code);
  }
  return seen;
}

function plain(operation: NatsOperation): unknown {
  if (operation.op !== "pub") return operation;
  const { op: _, bytes, start, end, ...rest } = operation;
  return { ...rest, body: latin1(bytes.subarray(start, end)) };
}

const bytesOf = (script: string): Uint8Array => Uint8Array.from(Buffer.from(script, "latin1"));
const singly = (bytes: Uint8Array): Uint8Array[] => Array.from(bytes, (byte) => Uint8Array.of(byte));

describe("any split gives the same operations", () => {
  const scripts = SCRIPTS.filter(([, script]) => script.length < 10_000);
  test.each(scripts)("%s, byte by byte", (_name, script) => {
    const bytes = bytesOf(script);
    expect(parse(singly(bytes))).toEqual(parse([bytes]));
  });

  test("random splits of random operations", () => {
    const name = fc.stringMatching(/^[a-z*>.]{1,8}$/);
    const operation = fc.oneof(
      fc
        .tuple(name, fc.string({ maxLength: 60 }))
        .map(([s, body]) => `PUB ${s} ${utf8(body).length}\r\n${body}\r\n`),
      fc.tuple(name, name, name).map(([s, q, sid]) => `SUB ${s} ${q} ${sid}\r\n`),
      fc.constantFrom("PING\r\n", "UNSUB 1 5\r\n", "HPUB a r 3 5\r\nabcde\r\n", "CONNECT {}\r\n"),
      // The same line again, and its unusual spellings.
      fc
        .constantFrom("PUB a 2\r\n", "pub a 2\r\n", "PUB  a\t2\r\n", "PUB a 2\n")
        .map((line) => `${line}hi\r\n`),
    );
    const property = fc.property(fc.array(operation), fc.array(fc.nat(40)), (operations, cuts) => {
      const bytes = Uint8Array.from(utf8(operations.join("")));
      const chunks: Uint8Array[] = [];
      let at = 0;
      for (const cut of cuts) {
        chunks.push(bytes.subarray(at, at + cut));
        at += cut;
      }
      chunks.push(bytes.subarray(at));
      const whole = parse([bytes]);
      expect(parse(chunks)).toEqual(whole);
      expect(whole.length).toBe(operations.length);
    });
    fc.assert(property, { seed: 5, numRuns: 200 });
  });
});

test("messages between leafnodes, however they are split", () => {
  for (const line of ["LMSG a + 2", "LMSG a | 2", "HMSG a + 1 2", "LMSG + 2"]) {
    const bytes = utf8(`${line}\r\nhi\r\n`);
    expect(parse([bytes], "leaf")).toEqual(parse(singly(bytes), "leaf"));
  }
  const lines = ["LMSG a 2", "LMSG a r 2", "LMSG a | q 2", "LMSG a + r q p 2", "HMSG a 1 2", "HMSG b r 1 2"];
  const property = fc.property(fc.array(fc.constantFrom(...lines)), (sent) => {
    const bytes = utf8(sent.map((line) => `${line}\r\nhi\r\n`).join(""));
    const whole = parse([bytes], "leaf");
    expect(whole).toHaveLength(sent.length);
    expect(parse(singly(bytes), "leaf")).toEqual(whole);
  });
  fc.assert(property, { seed: 5, numRuns: 100 });
});

test("a line that is too long is refused however it is split, whatever it says", () => {
  for (const start of ["PING ", "PONG ", "+OK ", "-ERR ", "INFO ", "LS- a "]) {
    const bytes = utf8(`${start}${"x".repeat(73 - start.length)}\r\n`);
    const whole = parse([bytes], "leaf");
    expect(whole).toEqual(["nats-control-line"]);
    for (let at = 1; at < bytes.length; at++) {
      expect(parse([bytes.subarray(0, at), bytes.subarray(at)], "leaf")).toEqual(whole);
    }
  }
});

test("only declared errors escape, whatever comes", () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc
      .constantFrom(
        "PUB a 3\r\n",
        "LMSG a + r q 1\r\n",
        "HPUB a 9 1\r\n",
        "\r\n",
        "LS+ a q 0\r\n",
        "SUB",
        "-ERR '",
      )
      .map(utf8),
  );
  const property = fc.property(
    fc.array(piece),
    fc.constantFrom<Dialect>("client", "leaf"),
    (pieces, dialect) => {
      const bytes = Buffer.concat(pieces);
      expect(parse(singly(bytes), dialect)).toEqual(parse([bytes], dialect));
    },
  );
  fc.assert(property, { seed: 5, numRuns: 300 });
});

describe("limits, at and past", () => {
  test("a control line, whole and in pieces", () => {
    const line = (length: number) => utf8(`SUB ${"a".repeat(length - 2)} 1\r\n`);
    for (const split of [(bytes: Uint8Array) => [bytes], singly]) {
      expect(parse(split(line(64)))).toHaveLength(1);
      expect(parse(split(line(65)))).toEqual(["nats-control-line"]);
    }
    expect(parse([utf8(`SUB ${"a".repeat(200)}`)])).toEqual(["nats-control-line"]);
  });

  test("a payload", () => {
    expect(parse([utf8(`PUB a 100\r\n${"x".repeat(100)}\r\n`)])).toHaveLength(1);
    expect(parse([utf8("PUB a 101\r\n")])).toEqual(["nats-payload"]);
    expect(parse([utf8("PUB a 1000000000\r\n")])).toEqual(["nats-arguments"]);
  });
});

describe("leafnode lines", () => {
  const message = { subject: "s", reply: "", headerBytes: 0 };
  test.each([
    [message, [], "LMSG s 2\r\n"],
    [{ ...message, reply: "r" }, [], "LMSG s r 2\r\n"],
    [message, ["p", "q"], "LMSG s | p q 2\r\n"],
    [{ ...message, reply: "r" }, ["p"], "LMSG s + r p 2\r\n"],
    [{ ...message, reply: "r", headerBytes: 1 }, ["p"], "HMSG s + r p 1 2\r\n"],
  ])("%j to %j", (sent, queues, line) => {
    const { subject, reply, headerBytes } = sent;
    expect(leafMessageLine(messageOf(subject, reply, utf8("hi"), headerBytes), queues)).toBe(line);
    expect(parse([utf8(`${line}hi\r\n`)], "leaf")).toEqual([{ ...sent, queues, body: "hi" }]);
  });

  test("interest", () => {
    expect(parse([utf8("LS+ a\r\nLS+ a q 3\r\nLS- a q\r\nLS- a\r\n")], "leaf")).toEqual([
      { op: "leaf-sub", subject: "a", queue: "", weight: 1 },
      { op: "leaf-sub", subject: "a", queue: "q", weight: 3 },
      { op: "leaf-unsub", subject: "a", queue: "q" },
      { op: "leaf-unsub", subject: "a", queue: "" },
    ]);
    expect(parse([utf8("LS+ a q\r\n")], "leaf")).toEqual(["nats-arguments"]);
    expect(parse([utf8("PUB a 1\r\nx\r\n")], "leaf")).toEqual(["nats-operation"]);
  });
});

test("message lines", () => {
  expect(messageLine(messageOf("s", "r", utf8("hi")), "7")).toBe("MSG s 7 r 2\r\n");
  expect(messageLine(messageOf("s", "", utf8("hi"), 1), "7")).toBe("HMSG s 7 1 2\r\n");
});

test("headers there and back; what would break the block is left out", () => {
  const block = formatHeaders([
    ["K", "värde"],
    ["K", "second"],
    ["bad\r\nname", "x"],
    ["Bad", "line\r\nInjected: 1"],
  ]);
  expect(latin1(block).startsWith("NATS/1.0\r\nK: ")).toBe(true);
  expect(parseHeaders(block)).toEqual({
    status: 0,
    entries: [
      ["K", "värde"],
      ["K", "second"],
    ],
  });
  expect(parseHeaders(utf8("NATS/1.0 503 None\r\n\r\n"))).toEqual({ status: 503, entries: [] });
});

test("stops when told to", () => {
  const parser = new NatsParser({ dialect: "client", controlLineBytesMax: 64, payloadBytesMax: 100 });
  let count = 0;
  parser.feed(utf8("PING\r\nPING\r\n"), () => ++count < 1);
  expect(count).toBe(1);
  expect(() => parser.feed(utf8("NONSENSE\r\n"), () => true)).toThrow(EdgeSyncError);
});
