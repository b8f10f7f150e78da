import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { positionOf, sequenceAfter } from "../src/sync-server-cursor.ts";

const SEQUENCE_MAX = 2 ** 31 - 1;
const MARK = 2 ** 30;

describe("clone cursors", () => {
  test("a plain number is a rid, bounded by the newest", () => {
    expect(positionOf(1, 500)).toEqual({ first: 1, last: 500, unit: 1 });
    expect(positionOf(77, 500)).toEqual({ first: 77, last: 500, unit: 1 });
    expect(positionOf(1, 0)).toEqual({ first: 1, last: 0, unit: 1 });
  });

  test("units grow with the repository", () => {
    expect(positionOf(1, 16_384).unit).toBe(1);
    expect(positionOf(1, 16_385).unit).toBe(4);
    expect(positionOf(1, 65_536).unit).toBe(4);
    expect(positionOf(1, 65_537).unit).toBe(16);
  });

  test("nothing is left after the last rid", () => {
    expect(sequenceAfter(500, positionOf(1, 500))).toBe(0);
    expect(sequenceAfter(65_540, positionOf(1, 65_537))).toBe(0);
  });

  test("bound and position come back, whatever the newest rid is by then", () => {
    const unitsOf = (newest: number) => Math.ceil(newest / positionOf(1, newest).unit);
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 268_000_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (newest, at) => {
          const start = positionOf(1, newest);
          const done = Math.floor(at * (unitsOf(newest) - 1)) * start.unit;
          const sequence = sequenceAfter(done, start);
          expect(sequence).toBeGreaterThanOrEqual(MARK);
          expect(sequence).toBeLessThanOrEqual(SEQUENCE_MAX);
          const position = positionOf(sequence, newest * 3);
          expect(position).toEqual({ first: done + 1, last: unitsOf(newest) * start.unit, unit: start.unit });
          // The next page says the same of where the snapshot ends.
          const next = sequenceAfter(done + start.unit, position);
          if (next !== 0) expect(positionOf(next, 1).last).toBe(position.last);
        },
      ),
      { seed: 6, numRuns: 2000 },
    );
  });

  test("every number from 2^30 on is a position inside its snapshot", () => {
    const check = (sequence: number) => {
      const { first, last, unit } = positionOf(sequence, 1000);
      expect(first).toBeGreaterThanOrEqual(1);
      expect(first).toBeLessThanOrEqual(last);
      expect((first - 1) % unit).toBe(0);
    };
    for (const sequence of [MARK, MARK + 1, MARK + 2, MARK + 2 ** 27 - 1, MARK + 2 ** 27, SEQUENCE_MAX])
      check(sequence);
    fc.assert(fc.property(fc.integer({ min: MARK, max: SEQUENCE_MAX }), check), { seed: 7, numRuns: 2000 });
  });

  test("positions in order have sequences in order", () => {
    const start = positionOf(1, 16_000);
    let last = MARK - 1;
    for (let done = 0; done < 16_000; done++) {
      const sequence = sequenceAfter(done, start);
      expect(sequence).toBeGreaterThan(last);
      last = sequence;
    }
  });

  test("more rids than a cursor can count go on as plain rids", () => {
    const start = positionOf(1, 300_000_000);
    expect(sequenceAfter(16_384, start)).toBe(16_385);
  });
});
