import { describe, expect, test } from "bun:test";
import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { concat, EMPTY, utf8 } from "../src/bytes.ts";
import { EdgeSyncError } from "../src/errors.ts";
import { seededRandom } from "../src/random.ts";
import { deflate, inflate, packBlob, unpackBlob } from "../src/zlib.ts";

function codeOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    if (error instanceof EdgeSyncError) return error.code;
    throw error;
  }
  return "no error";
}

/** Short streams and long ones are inflated by different calls: every rule is shown for both. */
const CONTENTS = [
  ["a short stream", utf8("hello ".repeat(50))],
  ["a long stream", seededRandom(1n).bytes(100_000)],
] as const;

describe.each(CONTENTS)("%s", (_, content) => {
  const stream = deflate(content);

  test("inflates up to its size, not beyond a limit", () => {
    expect(inflate(stream, content.length)).toEqual(content);
    expect(inflate(stream, 1e9)).toEqual(content);
    expect(codeOf(() => inflate(stream, content.length - 1))).toBe("zlib-size");
  });

  test("cut short, changed, or not a stream", () => {
    const changed = stream.slice();
    changed[changed.length - 1]! ^= 1;
    const bad = [stream.subarray(0, -1), stream.subarray(0, 10), changed, content, EMPTY];
    for (const bytes of bad) expect(codeOf(() => inflate(bytes, 1e9))).toBe("zlib-data");
  });

  test("packed, it carries its size", () => {
    const packed = packBlob(content);
    expect(unpackBlob(packed, 1e9)).toEqual(content);
    const claim = (size: number) => {
      const copy = packed.slice();
      new DataView(copy.buffer).setUint32(0, size);
      return copy;
    };
    expect(unpackBlob(claim(content.length + 1), 1e9)).toEqual(content);
    expect(codeOf(() => unpackBlob(claim(content.length - 1), 1e9))).toBe("blob-size");
    expect(codeOf(() => unpackBlob(claim(1e9 + 1), 1e9))).toBe("zlib-size");
  });
});

test("a bomb stops at the limit", () => {
  const bomb = deflate(new Uint8Array(20_000_000));
  expect(bomb.length).toBeLessThan(20_000);
  expect(codeOf(() => inflate(bomb, 1_000_000))).toBe("zlib-size");
});

test("a long stream stops at what it claims", () => {
  const packed = packBlob(new Uint8Array(30_000_000), 1);
  for (const claimed of [1, 1_000_000, 29_999_999]) {
    new DataView(packed.buffer).setUint32(0, claimed);
    expect(() => unpackBlob(packed, 1_000_000_000)).toThrow(`declared ${claimed} bytes, inflated to more`);
  }
  new DataView(packed.buffer).setUint32(0, 30_000_000);
  expect(unpackBlob(packed, 1_000_000_000)).toHaveLength(30_000_000);
});

test("nothing at all is an empty artifact, a few bytes are nothing", () => {
  expect(unpackBlob(EMPTY, 10)).toEqual(EMPTY);
  expect(unpackBlob(packBlob(EMPTY), 10)).toEqual(EMPTY);
  expect(codeOf(() => unpackBlob(utf8("abcd"), 10))).toBe("zlib-data");
});

test("property: only declared errors escape, whatever the bytes", () => {
  const content = utf8("some content ".repeat(100));
  const packed = packBlob(content);
  fc.assert(
    fc.property(
      fc.nat(packed.length - 1),
      fc.nat(255),
      fc.uint8Array({ maxLength: 20 }),
      (at, byte, tail) => {
        const damaged = concat([packed, tail]);
        damaged[at] = byte;
        const code = codeOf(() => unpackBlob(damaged, 1e6));
        expect(["no error", "zlib-data", "zlib-size", "blob-size"]).toContain(code);
      },
    ),
    { seed: 1, numRuns: 300 },
  );
});

test("deflated as zlib itself does, whichever call does it", () => {
  for (const size of [0, 1, 100, 16_384, 16_385]) {
    for (const level of [1, 2, 3, 4, 5, 6, 7, 8, 9] as const) {
      const content = utf8("some words and others, ".repeat(1000)).subarray(0, size);
      expect(Buffer.from(deflate(content, level))).toEqual(deflateSync(content, { level }));
    }
  }
});
