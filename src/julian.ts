/**
 * Times. Inside the program a time is a whole number of milliseconds since 1970-01-01T00:00:00Z.
 * Fossil's tables hold Julian day numbers (REAL) computed by SQLite, which works in whole
 * milliseconds since noon of -4713-11-24: the conversion below gives the same double, bit for bit.
 */
import { FormatError } from "./errors.ts";

/** Milliseconds since the Unix epoch, a whole number. */
export type EpochMs = number;

const JULIAN_EPOCH_MS = 210_866_760_000_000;
const DAY_MS = 86_400_000;

export function toJulian(time: EpochMs): number {
  return (time + JULIAN_EPOCH_MS) / DAY_MS;
}

export function fromJulian(day: number): EpochMs {
  return Math.round(day * DAY_MS) - JULIAN_EPOCH_MS;
}

/** `YYYY-MM-DDTHH:MM:SS.SSS`: how a D card is written (fossil-facts F). */
export function formatDCard(time: EpochMs): string {
  return new Date(time).toISOString().slice(0, 23);
}

/** `YYYY-MM-DD HH:MM:SS`, UTC: SQLite's `datetime()`. */
export function formatDateTime(time: EpochMs): string {
  return new Date(time).toISOString().slice(0, 19).replace("T", " ");
}

const ISO =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d+))?)?)?\s*(?:Z|([+-])(\d{2}):(\d{2}))?$/;

/**
 * Reads what SQLite's `julianday()` reads of the ISO forms: a date, a date with hours and minutes,
 * seconds, a fraction, `Z` or an offset. Fractions are rounded to milliseconds as SQLite does.
 *
 * @throws FormatError `date-syntax`
 */
export function parseDate(value: string): EpochMs {
  const match = ISO.exec(value);
  const fail = () =>
    new FormatError(
      "date-syntax",
      `expected a date such as 2026-01-31T12:00:00, got ${JSON.stringify(value)}`,
    );
  if (match === null) throw fail();
  const [
    ,
    year,
    month,
    day,
    hour = "0",
    minute = "0",
    second = "0",
    fraction = "",
    sign,
    zoneHour,
    zoneMinute,
  ] = match;
  const [mo, d, h, mi, s] = [Number(month), Number(day), Number(hour), Number(minute), Number(second)];
  if (mo < 1 || mo > 12 || d < 1 || d > 31 || h > 24 || mi > 59 || s > 59) throw fail();
  // Date.UTC maps the years 0 to 99 to 1900; setUTCFullYear does not.
  const date = new Date(0);
  date.setUTCFullYear(Number(year), mo - 1, d);
  const millis = fraction === "" ? s * 1000 : Math.floor(Number(`${s}.${fraction}`) * 1000 + 0.5);
  let time = date.getTime() + h * 3_600_000 + mi * 60_000 + millis;
  if (sign !== undefined) {
    const offset = (Number(zoneHour) * 60 + Number(zoneMinute)) * 60_000;
    if (Number(zoneHour) > 14 || Number(zoneMinute) > 59) throw fail();
    time += sign === "+" ? -offset : offset;
  }
  return time;
}
