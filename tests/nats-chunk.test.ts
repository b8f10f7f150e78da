import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { EdgeSyncError } from "../src/errors.ts";
import { NATS_CHUNK_MAX_BYTES, NATS_WINDOW_MAX_BYTES } from "../src/limits.ts";
import {
  chunkBytes,
  formatAccepts,
  formatPart,
  HEADER_ROOM_BYTES,
  isPeerId,
  type Part,
  parseAccepts,
  parsePart,
} from "../src/nats-chunk.ts";
import { ChunkReceiver } from "../src/nats-chunk-receive.ts";
import { type Chunk, ChunkSender, inMemory } from "../src/nats-chunk-send.ts";
import { noise } from "./transport-contract.ts";

const FUZZ = { seed: 5, numRuns: 500 } as const;
const number = fc.integer({ min: 0, max: 9_999_999_999 });
const hash = fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 64, maxLength: 64 });
const part: fc.Arbitrary<Part> = fc.oneof(
  fc.record({ kind: fc.constant("begin" as const), total: number }),
  fc.record({ kind: fc.constant("ack" as const), offset: number, window: number }),
  fc.record({
    kind: fc.constant("data" as const),
    offset: number,
    length: number,
    isPacked: fc.boolean(),
    hash: fc.option(hash, { nil: undefined }),
  }),
  fc.constantFrom({ kind: "wait" as const }, { kind: "cancel" as const }),
);

function code(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof EdgeSyncError) return error.code;
    throw error;
  }
  return "";
}

/** All chunks of a message, the window always open. */
function chunksOf(message: Uint8Array, size: number): Chunk[] {
  const sender = new ChunkSender(inMemory(message));
  const chunks: Chunk[] = [];
  for (let acked = 0; acked < message.length; ) {
    sender.ack(acked, NATS_WINDOW_MAX_BYTES);
    const chunk = sender.next(size)!;
    chunks.push({ part: chunk.part, payload: chunk.payload.slice() });
    acked = chunk.part.offset + chunk.part.length;
  }
  return chunks;
}

describe("headers", () => {
  test("every part is read as it was written", () => {
    fc.assert(
      fc.property(part, (value) => {
        expect(parsePart(formatPart(value))).toEqual(value);
      }),
      FUZZ,
    );
  });

  test("as documented", () => {
    const digest = "ab".repeat(32);
    const written: [string, Part][] = [
      ["begin 100", { kind: "begin", total: 100 }],
      ["data 0 7 raw", { kind: "data", offset: 0, length: 7, isPacked: false, hash: undefined }],
      [`data 7 9 zlib ${digest}`, { kind: "data", offset: 7, length: 9, isPacked: true, hash: digest }],
      ["ack 16 4194304", { kind: "ack", offset: 16, window: 4_194_304 }],
      ["wait", { kind: "wait" }],
      ["cancel", { kind: "cancel" }],
    ];
    for (const [text, value] of written) {
      expect(parsePart(text)).toEqual(value);
      expect(formatPart(value)).toBe(text);
    }
  });

  test.each([
    "",
    "begin",
    "begin 01",
    "begin -1",
    "begin 12345678901",
    "begin 1 ",
    "data 0 7",
    "data 0 7 gzip",
    "data 0 7 raw abc",
    `data 0 7 raw ${"AB".repeat(32)}`,
    "ack 1",
    "ack 1 2 3",
    "Wait",
    "ack 1 2\r\nX: y",
  ])("%p is no part", (text) => {
    expect(code(() => parsePart(text))).toBe("nats-part");
  });

  test("no text does more than being refused", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(["", "nats-part"]).toContain(code(() => parsePart(text)));
        parseAccepts(text);
      }),
      FUZZ,
    );
  });

  test("who knows chunks, and who does not", () => {
    expect(parseAccepts(formatAccepts(1_048_576))).toBe(1_048_576);
    for (const other of [undefined, "", "chunks", "chunks x", "chunks 1 2"])
      expect(parseAccepts(other)).toBeUndefined();
    expect(["a", "a-b_9", "a".repeat(64)].every(isPeerId)).toBe(true);
    expect(["", "a.b", "a b", "é", "a".repeat(65), "*"].some(isPeerId)).toBe(false);
  });

  test("chunks leave room for headers on both sides, and are never too large", () => {
    expect(chunkBytes(1_048_576, 8_388_608)).toBe(NATS_CHUNK_MAX_BYTES);
    expect(chunkBytes(8_388_608, 10_000)).toBe(10_000 - HEADER_ROOM_BYTES);
    expect(chunkBytes(100, 100)).toBe(1);
  });
});

describe("a message in chunks", () => {
  test("arrives whatever is lost, doubled or reordered, and whatever size its chunks come to have", () => {
    const wire = fc.record({
      size: fc.integer({ min: 1, max: 5_000 }),
      isCompressible: fc.boolean(),
      steps: fc.array(
        fc.record({
          fate: fc.constantFrom("pass", "lose", "double", "late"),
          chunk: fc.integer({ min: 1, max: 900 }),
        }),
        {
          maxLength: 60,
        },
      ),
    });
    fc.assert(
      fc.property(wire, ({ size, isCompressible, steps }) => {
        const message = isCompressible ? new Uint8Array(size).fill(65) : noise(size);
        const sender = new ChunkSender(inMemory(message));
        const receiver = new ChunkReceiver(size, size);
        const late: Chunk[] = [];
        const acknowledge = () => sender.ack(receiver.received, 2_000);
        acknowledge();
        const fates = steps.values();
        for (let turn = 0; !sender.isDone; turn++) {
          expect(turn).toBeLessThan(20_000);
          const { fate, chunk: bytesMax } = fates.next().value ?? { fate: "pass", chunk: 900 };
          const chunk = sender.next(bytesMax);
          if (chunk === undefined) {
            sender.rewind();
            acknowledge();
            continue;
          }
          const times = { pass: 1, lose: 0, double: 2, late: 0 }[fate];
          if (fate === "late") late.push(chunk);
          for (let i = 0; i < times!; i++) receiver.accept(chunk.part, chunk.payload);
          if (fate === "pass") for (const old of late.splice(0)) receiver.accept(old.part, old.payload);
          acknowledge();
        }
        expect(Buffer.compare(receiver.take(), message)).toBe(0);
      }),
      { seed: 6, numRuns: 200 },
    );
  });

  test("keeps to the window", () => {
    const sender = new ChunkSender(inMemory(noise(1_000)));
    expect(sender.next(100)).toBeUndefined();
    sender.ack(0, 250);
    const lengths = [sender.next(100), sender.next(100), sender.next(100)].map((chunk) => chunk?.part.length);
    expect(lengths).toEqual([100, 100, 50]);
    expect(sender.next(100)).toBeUndefined();
    expect(sender.ack(100, 250)).toBe(true);
    expect(sender.ack(50, 999)).toBe(false);
    expect(sender.next(500)?.part).toMatchObject({ offset: 250, length: 100 });
  });

  test("what was never sent cannot be acknowledged", () => {
    const sender = new ChunkSender(inMemory(noise(1_000)));
    sender.ack(0, 1_000);
    sender.next(100);
    expect(code(() => sender.ack(101, 1_000))).toBe("nats-ack");
  });

  test("is compressed where that helps", () => {
    const [plain] = chunksOf(new Uint8Array(10_000), 10_000);
    expect(plain!.part.isPacked).toBe(true);
    expect(plain!.payload.length).toBeLessThan(200);
    expect(chunksOf(noise(10_000), 1_000).every(({ part }) => !part.isPacked)).toBe(true);
  });

  test.each([
    [
      "a wrong hash",
      (last: Chunk): Chunk => ({ ...last, part: { ...last.part, hash: "0".repeat(64) } }),
      "nats-hash",
    ],
    ["no hash", (last: Chunk): Chunk => ({ ...last, part: { ...last.part, hash: undefined } }), "nats-chunk"],
    [
      "other bytes",
      (last: Chunk): Chunk => ({ ...last, payload: last.payload.map((byte) => byte ^ 1) }),
      "nats-hash",
    ],
    ["a byte less", (last: Chunk): Chunk => ({ ...last, payload: last.payload.subarray(1) }), "nats-chunk"],
    [
      "more than announced",
      (last: Chunk): Chunk => ({ ...last, part: { ...last.part, length: 101 } }),
      "nats-chunk",
    ],
    ["nothing", (last: Chunk): Chunk => ({ ...last, part: { ...last.part, length: 0 } }), "nats-chunk"],
    [
      "a stream that is none",
      (last: Chunk): Chunk => ({ ...last, part: { ...last.part, isPacked: true } }),
      "zlib-data",
    ],
  ])("a last chunk with %s is refused", (_, spoil, expected) => {
    const [first, last] = chunksOf(noise(200), 100);
    const receiver = new ChunkReceiver(200, 200);
    receiver.accept(first!.part, first!.payload);
    const { part, payload } = spoil(last!);
    expect(code(() => receiver.accept(part, payload))).toBe(expected);
    expect(() => receiver.take()).toThrow();
  });

  test("a chunk that inflates past what it declares is refused", () => {
    const [chunk] = chunksOf(new Uint8Array(50_000), 50_000);
    const receiver = new ChunkReceiver(40_000, 40_000);
    const bomb = { ...chunk!.part, length: 40_000 };
    expect(["zlib-size", "nats-chunk"]).toContain(code(() => receiver.accept(bomb, chunk!.payload)));
  });

  test("memory follows what came, not what was announced", () => {
    const before = process.memoryUsage().arrayBuffers;
    const receivers = Array.from({ length: 20 }, () => new ChunkReceiver(1_500_000_000, 1_600_000_000));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(30_000_000);
    expect(receivers).toHaveLength(20);
  });

  test("a size at the limit is accepted, one more is not, and none at all neither", () => {
    expect(code(() => new ChunkReceiver(1_000, 1_000))).toBe("");
    expect(code(() => new ChunkReceiver(1_001, 1_000))).toBe("nats-message-size");
    expect(code(() => new ChunkReceiver(0, 1_000))).toBe("nats-total");
    const receiver = new ChunkReceiver(10_000_000, 10_000_000);
    const part = {
      kind: "data",
      offset: 0,
      length: NATS_CHUNK_MAX_BYTES + 1,
      isPacked: false,
      hash: undefined,
    } as const;
    expect(code(() => receiver.accept(part, new Uint8Array(NATS_CHUNK_MAX_BYTES + 1)))).toBe("nats-chunk");
  });
});
