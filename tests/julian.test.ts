import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Db } from "../src/db.ts";
import { FormatError } from "../src/errors.ts";
import { formatDateTime, formatDCard, fromJulian, parseDate, toJulian } from "../src/julian.ts";

/** SQLite's own opinion. */
function julianday(value: string): number | undefined {
  return db.prepare("SELECT julianday(?)").value<number>(value) ?? undefined;
}

const db = Db.open(":memory:", { mode: "create" });

function ours(value: string): number | undefined {
  try {
    return toJulian(parseDate(value));
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    return undefined;
  }
}

const ACCEPTED = [
  "2026-01-31",
  "2026-01-31T12:00",
  "2026-01-31T12:00:00",
  "2026-01-31 12:00:00",
  "2026-01-31T12:00:00.1",
  "2026-01-31T12:00:00.123",
  "2026-01-31T12:00:00.0005",
  "2026-01-31T12:00:00.9994999",
  "2026-01-31T12:00:59.9999999",
  "2026-01-31T12:00:00Z",
  "2026-01-31T12:00:00z \t",
  "2026-01-31T12:00:00 +05:30",
  "2026-01-31T12:00:00.25-14:00",
  "2026-01-31TTT 12:00",
  "2026-01-31T",
  "2026-02-31",
  "2026-04-31T24:00",
  "2024-12-31T24:00:00.000",
  "0000-01-01",
  "0099-03-01T00:00:00",
  "-0001-12-31",
  "-4713-11-25T12:00",
  "9999-12-31T23:59:59.999",
  "12:34:56.789",
  "24:00",
  "12:34+01:00",
  "2450000.5",
  "2026",
  "2450000.123456789",
  " 2450000.\t",
  "+.5e7",
  "1e6",
];

const REFUSED = [
  "",
  " ",
  "T",
  "2026-1-31",
  "2026-00-10",
  "2026-13-01",
  "2026-01-00",
  "2026-01-32",
  "2026-01-31Z",
  "2026-01-31+01:00",
  "2026-01-31T12",
  "2026-01-31T12:60",
  "2026-01-31T25:00",
  "2026-01-31T24:00:01",
  "2026-01-31T12:00:60",
  "2026-01-31T12:00:00.",
  "2026-01-31T12:00:00.x",
  "2026-01-31T12:00:00+15:00",
  "2026-01-31T12:00:00+0100",
  "2026-01-31T12:00:00Zulu",
  "2026-01-31t12:00:00",
  " 2026-01-31",
  "-4714-01-01",
  "-4713-11-24T11:59",
  "9999-12-31T23:59:59-00:01",
  "5373484.5",
  "-1",
  "1e400",
  "0x10",
  "nan",
  "yesterday",
  `2026-01-31T12:00:00.1${"0".repeat(400)}`,
];

describe("parseDate", () => {
  test.each(ACCEPTED)("reads %p as SQLite does", (value) => {
    expect(julianday(value)).toBeNumber();
    expect(ours(value)).toBe(julianday(value)!);
  });

  test.each(REFUSED)("refuses %p as SQLite does", (value) => {
    expect(julianday(value)).toBeUndefined();
    expect(ours(value)).toBeUndefined();
  });

  test.each(["now", "NOW", "subsec", "subsecond"])(
    "refuses %p, which would depend on the moment",
    (value) => {
      expect(() => parseDate(value)).toThrow(FormatError);
    },
  );

  test("agrees with SQLite on random dates and on damaged ones", () => {
    const two = fc.integer({ min: 0, max: 62 }).map((n) => String(n).padStart(2, "0"));
    const date = fc.tuple(fc.integer({ min: 0, max: 9999 }), two, two);
    const zone = fc.constantFrom("", "Z", "+02:00", "-11:30", " +15:00");
    const fraction = fc.oneof(fc.constant(""), fc.stringMatching(/^\.\d{0,12}$/));
    const written = fc
      .tuple(date, fc.constantFrom("T", " ", ""), two, two, two, fraction, zone)
      .map(
        ([[y, m, d], t, h, mi, s, f, z]) =>
          `${String(y).padStart(4, "0")}-${m}-${d}${t}${h}:${mi}:${s}${f}${z}`,
      );
    const damaged = fc
      .tuple(written, fc.nat(), fc.constantFrom("", " ", "x", "9", ":", ".", "-", "T"))
      .map(([text, at, mark]) => text.slice(0, at % text.length) + mark + text.slice((at % text.length) + 1));
    fc.assert(
      fc.property(fc.oneof(written, damaged, fc.float({ min: -1, max: 5_400_000 }).map(String)), (value) => {
        expect(ours(value)).toBe(julianday(value) as number);
      }),
      { seed: 1, numRuns: 3000 },
    );
  });
});

describe("Julian days", () => {
  test("go both ways to the millisecond and print as SQLite prints them", () => {
    const whole = fc.integer({ min: Date.UTC(1, 0, 1), max: Date.UTC(9999, 11, 31) });
    fc.assert(
      fc.property(whole, (time) => {
        expect(fromJulian(toJulian(time))).toBe(time);
        expect(parseDate(formatDCard(time))).toBe(time);
        const printed = db.prepare("SELECT datetime(?)").value<string>(toJulian(time));
        expect(formatDateTime(time)).toBe(printed!);
      }),
      { seed: 2, numRuns: 2000 },
    );
  });
});
