import { expect, test } from "bun:test";
import fc from "fast-check";
import { concat } from "../src/bytes.ts";
import { applyDelta } from "../src/delta-decode.ts";
import { createDelta } from "../src/delta-encode.ts";
import { ENDS_BYTES, endsAfter, endsOf } from "../src/delta-ends.ts";

const piece = fc.uint8Array({ maxLength: 3 * ENDS_BYTES });

/** A source, and a target made of some of its parts and of others. */
const pairs = fc
  .tuple(fc.array(piece, { maxLength: 5 }), fc.array(fc.oneof(piece, fc.nat({ max: 4 })), { maxLength: 6 }))
  .map(([parts, recipe]) => {
    const chosen = recipe.map((step) => (typeof step === "number" ? (parts[step] ?? parts[0]) : step));
    return { source: concat(parts), target: concat(chosen.filter((bytes) => bytes !== undefined)) };
  });

const outcome = (run: () => unknown): unknown => {
  try {
    return run();
  } catch (error) {
    return (error as { code?: string }).code;
  }
};

test("the ends of what a delta makes are those of the content, or not known", () => {
  let knownCount = 0;
  fc.assert(
    fc.property(pairs, ({ source, target }) => {
      const ends = endsAfter(endsOf(source), createDelta(source, target));
      if (ends === undefined) return;
      knownCount++;
      expect(ends).toEqual(endsOf(target));
    }),
    { seed: 1, numRuns: 300 },
  );
  expect(knownCount).toBeGreaterThan(150);
});

test("along a chain, as long as what is inserted lies in the midst", () => {
  let content = new Uint8Array(1000).map((_, i) => i % 251);
  let ends = endsOf(content);
  for (let i = 0; i < 20; i++) {
    const next = concat([content.subarray(0, 400), new Uint8Array([i, i, i]), content.subarray(400 + i)]);
    ends = endsAfter(ends, createDelta(content, next))!;
    content = next;
  }
  expect(ends).toEqual(endsOf(content));
});

test("not known as soon as one byte of them comes from the midst", () => {
  const source = new Uint8Array(1000).map((_, i) => (i * 7) % 251);
  const known = (target: Uint8Array) => endsAfter(endsOf(source), createDelta(source, target)) !== undefined;
  expect(known(source)).toBe(true);
  expect(known(source.subarray(0, -1))).toBe(false);
  expect(known(source.subarray(1))).toBe(false);
});

test("a damaged delta is refused as by applying it", () => {
  fc.assert(
    fc.property(pairs, fc.nat(), fc.nat({ max: 255 }), ({ source, target }, at, byte) => {
      const delta = createDelta(source, target).slice();
      delta[at % delta.length] = byte;
      const expected = outcome(() => applyDelta(source, delta, 100_000).length);
      const found = outcome(() => endsAfter(endsOf(source), delta, 100_000)?.size ?? expected);
      expect(found).toBe(expected);
    }),
    { seed: 2, numRuns: 300 },
  );
});
