import { expect, test } from "bun:test";
import fc from "fast-check";
import { fromJulian, parseDate, toJulian } from "../src/julian.ts";
import { tableTime, toTableJulian } from "../src/repo-julian.ts";

// What a repository holds that stock 2.29 wrote on x86-64, as SQLite prints it with 17 digits.
test.each([
  ["2024-01-01T01:00:00", 2460310.541666667],
  ["2024-01-01T02:00:00", 2460310.583333334],
  ["2024-01-01T03:00:00", 2460310.625],
  ["2024-01-01T06:00:00", 2460310.75],
  ["2024-01-01T07:00:00", 2460310.791666667],
  ["2024-01-01T08:00:00", 2460310.833333334],
  ["2024-06-01T00:00:00", 2460462.5],
])("%s", (date, expected) => {
  expect(toTableJulian(parseDate(date))).toBe(expected);
});

const times = fc.integer({ min: Date.UTC(1970, 0, 1), max: Date.UTC(2200, 0, 1) });

test("the time is the same to the millisecond", () => {
  fc.assert(
    fc.property(times, (time) => {
      expect(fromJulian(toTableJulian(time))).toBe(time);
    }),
    { seed: 1, numRuns: 500 },
  );
});

test("at most sixteen digits are kept, and the last is off by one at most", () => {
  fc.assert(
    fc.property(times, (time) => {
      const [exact, kept] = [toJulian(time), toTableJulian(time)];
      expect(String(kept).replace(".", "").length).toBeLessThanOrEqual(16);
      expect(Math.abs(kept - exact)).toBeLessThanOrEqual(1.5e-9);
    }),
    { seed: 2, numRuns: 500 },
  );
});

test("later times do not become earlier", () => {
  fc.assert(
    fc.property(times, (time) => {
      expect(toTableJulian(time + 1)).toBeGreaterThan(toTableJulian(time));
    }),
    { seed: 3, numRuns: 500 },
  );
});

test.each([1, 9.75, 10, 12_345.678, 9_999_999.25])("day %d", (day) => {
  expect(tableTime(day)).toBeCloseTo(day, 8);
});
