import { describe, expect, spyOn, test } from "bun:test";
import fc from "fast-check";
import { equal, text, utf8 } from "../src/bytes.ts";
import { DeltaReader, deltaChecksum, deltaOutputSize, digitCount, writeNumber } from "../src/delta.ts";
import { applyDelta } from "../src/delta-decode.ts";
import { createDelta } from "../src/delta-encode.ts";
import { FormatError, LimitError } from "../src/errors.ts";
import { randomBelow, seededRandom } from "../src/random.ts";
import { evolvingSource, realisticPairs } from "./delta-pairs.ts";

const SEED = 20_240_229;
const FOX = "The quick brown fox jumps over the lazy dog.\nPack my box with five dozen liquor jugs.\n";
const VIXEN =
  "The quick brown fox leaps over the lazy dog.\nSphinx.\nPack my box with five dozen liquor jugs.\n";

/** The code of the declared error that `act` throws; any other error fails the test. */
function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof FormatError || error instanceof LimitError) return error.code;
    throw error;
  }
  return "none";
}

function apply(source: string, delta: string, sizeMax?: number): string {
  return text(applyDelta(utf8(source), utf8(delta), sizeMax));
}

describe("numbers", () => {
  const BORDERS: [number, string][] = [
    [0, "0"],
    [9, "9"],
    [10, "A"],
    [35, "Z"],
    [36, "_"],
    [37, "a"],
    [62, "z"],
    [63, "~"],
    [64, "10"],
    [4095, "~~"],
    [4096, "100"],
    [2 ** 31, "200000"],
    [2 ** 32 - 1, "3~~~~~"],
  ];
  test.each(BORDERS)("%d is written %s", (value, digits) => {
    const out = new Uint8Array(8);
    const end = writeNumber(out, 1, value);
    expect(text(out.subarray(1, end))).toBe(digits);
    expect(digitCount(value)).toBe(digits.length);
    expect(new DeltaReader(Buffer.from(digits)).number()).toBe(value);
  });

  test("reading stops at the first byte that is no digit, skips leading zeros, keeps 32 bits", () => {
    const reader = new DeltaReader(Buffer.from("00000000000010-"));
    expect([reader.number(), reader.at]).toEqual([64, 14]);
    expect([reader.number(), reader.at]).toEqual([0, 14]);
    expect(new DeltaReader(Buffer.from("4000003")).number()).toBe(3);
    for (const byte of [0x00, 0x2f, 0x3a, 0x5e, 0x60, 0x7b, 0x7d, 0x80, 0xff]) {
      expect(new DeltaReader(Buffer.of(byte)).number()).toBe(0);
    }
  });

  test("every 32-bit number survives", () => {
    const scratch = Buffer.alloc(6);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (value) => {
        const end = writeNumber(scratch, 0, value);
        expect(new DeltaReader(scratch.subarray(0, end)).number()).toBe(value);
      }),
      { seed: SEED, numRuns: 500 },
    );
  });
});

describe("checksum", () => {
  test.each([
    ["", 0],
    ["a", 0x61000000],
    ["ab", 0x61620000],
    ["abc", 0x61626300],
    ["abcd", 0x61626364],
    ["abcde", 0xc6626364],
    ["\u007f\u007f\u007f\u007f\u007f\u007f\u007f\u007f\u007f\u007f\u007f\u007f", 0x7e7e7e7d],
  ])("of %j", (content, sum) => {
    expect(deltaChecksum(utf8(content))).toBe(sum);
  });
});

describe("applying", () => {
  test.each([
    ["a delta written by stock Fossil", FOX, "1U\nK@0,V:leaps over the lazy dog.\nSphinxg@g,W_xZb;", VIXEN],
    ["copies in any order, overlapping", "abcdef", "8\n4@2,4@0,0;", "cdefabcd"],
    ["literals that look like commands", "", "5\n5:3@0,;0;", "3@0,;"],
    ["nothing", "abc", "0\n0;", ""],
    ["the largest copy", "abc", "3\n3@0,1OOOOO;", "abc"],
    ["what follows the end", "abc", "1\n1@2,0;1@0,garbage", "c"],
    ["another checksum", "abc", "1\n1@2,~~~~~~~;", "c"],
    ["no digits for zero", "abc", "1\n1@,:@3,;", "a"],
    ["a copy of nothing at the end of the source", "abc", "1\n0@3,1:x0;", "x"],
    ["leading zeros", "abc", "0000000002\n00000000000002@000000001,0;", "bc"],
  ])("%s", (_, source, delta, target) => {
    expect(apply(source, delta)).toBe(target);
  });

  test.each([
    ["", "delta-header"],
    ["3", "delta-header"],
    ["3;", "delta-header"],
    [" 3\n0;", "delta-header"],
    ["3\n", "delta-end"],
    ["3\n3@0,", "delta-end"],
    ["3\n3@0,0", "delta-end"],
    ["3\n3:xyz", "delta-end"],
    ["3\n3!0,0;", "delta-command"],
    ["3\n\0", "delta-command"],
    ["3\n3@0;0;", "delta-command"],
    ["3\n3@0", "delta-command"],
    ["3\n3@1,0;", "delta-range"],
    ["0\n0@4,0;", "delta-range"],
    ["3\n3@3~~~~~,0;", "delta-range"],
    ["3\n3:xy", "delta-range"],
    ["3\n3~~~~~:xy", "delta-range"],
    ["3\n2@0,0;", "delta-length"],
    ["3\n2@0,2@0,0;", "delta-length"],
    ["3\n2:xy2:xy0;", "delta-length"],
    ["9\n2:xy2:xy0;", "delta-length"],
  ])("%j is refused: %s", (delta, code) => {
    expect(codeOf(() => apply("abc", delta))).toBe(code);
  });

  test("the limit on the output", () => {
    expect(apply("abc", "3\n3@0,0;", 3)).toBe("abc");
    expect(codeOf(() => apply("abc", "3\n3@0,0;", 2))).toBe("delta-size");
    expect(codeOf(() => apply("abc", "3~~~~~\n3@0,0;"))).toBe("delta-size");
    expect(apply("abc", "0\n0;", 0)).toBe("");
  });

  test("the checksum is compared when asked", () => {
    const delta = createDelta(utf8(FOX), utf8(VIXEN));
    const verify = (source: string) => () =>
      applyDelta(utf8(source), delta, undefined, { verifyChecksum: true });
    expect(text(verify(FOX)())).toBe(VIXEN);
    const other = FOX.replace("quick", "brisk");
    expect(apply(other, text(delta))).toBe(VIXEN.replace("quick", "brisk"));
    expect(codeOf(verify(other))).toBe("delta-checksum");
  });

  test("the declared size is what is made", () => {
    expect(deltaOutputSize(utf8("1U\nwhatever"))).toBe(94);
    expect(codeOf(() => deltaOutputSize(utf8("1U")))).toBe("delta-header");
  });

  test("source and delta may be views, and the target is memory of its own", () => {
    const memory = utf8(`??${FOX}!!`);
    const source = memory.subarray(2, memory.length - 2);
    const padded = utf8(`--${text(createDelta(utf8(FOX), utf8(VIXEN)))}`);
    const target = applyDelta(source, padded.subarray(2));
    memory.fill(0);
    padded.fill(0);
    expect(text(target)).toBe(VIXEN);
    expect(target.constructor).toBe(Uint8Array);
  });
});

describe("making", () => {
  // The same bytes as stock 2.21 and 2.29 write.
  test.each([
    ["an edit", FOX, VIXEN, "1U\nK@0,V:leaps over the lazy dog.\nSphinxg@g,W_xZb;"],
    ["nothing", FOX, "", "0\n0;"],
    ["from nothing", "", "abc", "3\n3:abc1XObC0;"],
    ["the same", FOX, FOX, "1M\n1M@0,2ftUmG;"],
  ])("%s", (_, source, target, delta) => {
    expect(text(createDelta(utf8(source), utf8(target)))).toBe(delta);
    expect(apply(source, delta)).toBe(target);
  });

  /** A source of few different bytes, and a target put together from its pieces and some others. */
  const related = fc
    .record({
      source: fc.array(fc.integer({ min: 97, max: 100 }), { maxLength: 400 }),
      pieces: fc.array(
        fc.oneof(
          fc.tuple(fc.nat(400), fc.nat(120)),
          fc.uint8Array({ maxLength: 12 }),
          fc.constant("tail" as const),
        ),
        { maxLength: 12 },
      ),
    })
    .map(({ source, pieces }) => {
      const from = Uint8Array.from(source);
      const parts = pieces.map((piece) => {
        if (piece === "tail") return from.subarray(-40);
        return piece instanceof Uint8Array ? piece : from.subarray(piece[0], piece[0] + piece[1]);
      });
      return { source: from, target: new Uint8Array(Buffer.concat(parts)) };
    });
  const unrelated = fc.record({
    source: fc.uint8Array({ maxLength: 200 }),
    target: fc.uint8Array({ maxLength: 200 }),
  });

  test.each([
    ["related", related],
    ["unrelated", unrelated],
  ])("applying what was made gives the target back: %s", (_, pairs) => {
    fc.assert(
      fc.property(pairs, ({ source, target }) => {
        const delta = createDelta(source, target);
        expect(equal(applyDelta(source, delta, target.length, { verifyChecksum: true }), target)).toBe(true);
        expect(deltaOutputSize(delta)).toBe(target.length);
        expect(delta.length).toBeLessThanOrEqual(target.length + 15);
      }),
      { seed: SEED, numRuns: 1000 },
    );
  });

  test("realistic pairs come back, much smaller", () => {
    for (const { name, source, target } of realisticPairs(1n)) {
      const delta = createDelta(source, target);
      expect(equal(applyDelta(source, delta, undefined, { verifyChecksum: true }), target)).toBe(true);
      if (name !== "other file") expect([name, delta.length < target.length / 3]).toEqual([name, true]);
    }
  });

  test("a change of one byte costs one short literal, wherever it is", () => {
    const [pair] = evolvingSource(seededRandom(2n), 2000, 1, 1);
    const { source } = pair!;
    for (let at = 0; at < source.length; at += 4999) {
      const target = source.slice();
      target[at] = 1;
      const delta = createDelta(source, target);
      expect(equal(applyDelta(source, delta), target)).toBe(true);
      expect(delta.length).toBeLessThan(40);
    }
  });

  test("a source past 64 MiB is indexed more thinly, and passages are still found", () => {
    const words = new Uint32Array(17_000_000);
    for (let i = 0; i < words.length; i++) words[i] = Math.imul(i, 0x9e3779b1) ^ (i >>> 3);
    const source = new Uint8Array(words.buffer);
    const passages = [60_000_001, 5, 67_000_003].map((at) => source.subarray(at, at + 5000));
    const target = new Uint8Array(Buffer.concat(passages));
    const delta = createDelta(source, target);
    expect(equal(applyDelta(source, delta), target)).toBe(true);
    expect(delta.length).toBeLessThan(60);
  });

  const SIZE = 300_000;
  const generate = (size: number, byteAt: (i: number) => number) =>
    Uint8Array.from({ length: size }, (_, i) => byteAt(i));
  /** Every other block of the source is the same; the target has that block again and again. */
  const alternating = (size: number): [source: Uint8Array, target: Uint8Array] => [
    generate(size, (i) => (i % 32 < 16 ? 7 : Math.imul(i, 0x9e3779b1) >>> 24)),
    generate(size, (i) => (i % 33 < 16 ? 7 : Math.imul(i, 0x85ebca6b) >>> 24)),
  ];
  test.each<[string, Uint8Array, Uint8Array]>([
    ["zeros", generate(SIZE, () => 0), generate(SIZE, (i) => (i % 1009 === 0 ? 1 : 0))],
    [
      "a period of 17, broken",
      generate(SIZE, (i) => i % 17),
      generate(SIZE, (i) => (i % 17) ^ (i % 41 === 0 ? 1 : 0)),
    ],
    ["one block everywhere", ...alternating(SIZE)],
    ["random bytes", seededRandom(3n).bytes(SIZE), seededRandom(4n).bytes(SIZE)],
  ])("hard content comes back: %s", (_, source, target) => {
    const delta = createDelta(source, target);
    expect(equal(applyDelta(source, delta, undefined, { verifyChecksum: true }), target)).toBe(true);
  });

  test("in a table of gaps that are all alike, a copy goes on where the last one ended", () => {
    const random = seededRandom(9n);
    const source = random.bytes(SIZE).map((byte, i) => (i % 60 < 50 ? 0 : byte));
    const target = source.slice();
    for (let i = 0; i < 100; i++) target[randomBelow(random, SIZE / 60) * 60 + 55]! ^= 99;
    expect(createDelta(source, target).length).toBeLessThan(1200);
  });

  test("time grows with the size, not with its square, when one block is everywhere", () => {
    const timeOf = (size: number) => {
      const [source, target] = alternating(size);
      const times = Array.from({ length: 3 }, () => {
        const start = process.cpuUsage().user;
        createDelta(source, target);
        return process.cpuUsage().user - start;
      });
      return Math.min(...times);
    };
    timeOf(SIZE / 10);
    // 10 times the size: about 10 times the time, or 100 times if every candidate were looked at.
    expect(timeOf(SIZE) / timeOf(SIZE / 10)).toBeLessThan(40);
  });
});

describe("hostile deltas", () => {
  const [pair] = evolvingSource(seededRandom(5n), 60, 1, 6);
  const { source, target } = pair!;
  const delta = createDelta(source, target);

  test("every truncation is a declared error", () => {
    for (let length = 0; length < delta.length; length++) {
      expect(codeOf(() => applyDelta(source, delta.subarray(0, length)))).toStartWith("delta-");
    }
  });

  test("a flipped bit is a declared error, or a target of the declared size", () => {
    let refused = 0;
    for (let bit = 0; bit < delta.length * 8; bit++) {
      const flipped = delta.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const code = codeOf(() => {
        expect(applyDelta(source, flipped, 100_000).length).toBe(deltaOutputSize(flipped));
      });
      if (code !== "none") refused++;
    }
    expect(refused).toBeGreaterThan(0);
    expect(equal(applyDelta(source, delta), target)).toBe(true);
  });

  test("random commands: only declared errors", () => {
    const command = fc.oneof(
      fc.constantFrom("0", "1", "A", "~", "3~~~~~", "~~~~~~~~~", "@", ",", ":", ";", "\n", "\0", "xyz"),
      fc.tuple(fc.nat(9), fc.nat(9)).map(([count, offset]) => `${count}@${offset},`),
    );
    fc.assert(
      fc.property(fc.nat(30), fc.array(command, { maxLength: 12 }), (size, commands) => {
        codeOf(() => apply("0123456789", `${size}\n${commands.join("")}0;`, 100_000));
      }),
      { seed: SEED, numRuns: 2000 },
    );
  });

  test("memory is taken for a large output only once the commands are known to make it", () => {
    const allocate = spyOn(Buffer, "allocUnsafeSlow");
    try {
      for (const [commands, code] of [
        ["0;", "delta-length"],
        ["3~~~~~:", "delta-range"],
        ["3~~~~~@0,", "delta-range"],
        ["6@0,".repeat(1000), "delta-end"],
        [`${"6@0,".repeat(1000)}0;`, "delta-length"],
      ]) {
        const delta = `ZZZZZ\n${commands}`;
        expect(deltaOutputSize(utf8(delta))).toBe(596_523_235);
        expect(codeOf(() => apply("abcdef", delta))).toBe(code!);
      }
      expect(allocate).not.toHaveBeenCalled();
      expect(apply("abcdef", `B8\n${"6@0,".repeat(118)}4@0,0;`).length).toBe(712);
      expect(allocate).toHaveBeenCalledTimes(1);
    } finally {
      allocate.mockRestore();
    }
  });
});
