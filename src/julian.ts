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

const SPACE = "[ \\t\\n\\v\\f\\r]*";
const CLOCK_TIME = `(\\d\\d):(\\d\\d)(?::(\\d\\d)(?:\\.(\\d+))?)?${SPACE}(?:(?:[Zz]|([+-])(\\d\\d):(\\d\\d))${SPACE})?`;
const CALENDAR_DATE = "(-?)(\\d{4})-(\\d\\d)-(\\d\\d)";

const DATE_PATTERN = new RegExp(`^${CALENDAR_DATE}[ T\\t\\n\\v\\f\\r]*(?:${CLOCK_TIME})?$`);
const TIME_PATTERN = new RegExp(`^${CLOCK_TIME}$`);
const NUMBER_PATTERN = new RegExp(`^${SPACE}[+-]?(?:\\d+\\.?\\d*|\\.\\d+)(?:[eE][+-]?\\d+)?${SPACE}$`);

/** SQLite's range: from noon of -4713-11-24 (day 0) to the last millisecond of the year 9999. */
const JULIAN_MAX_MS = 464_269_060_799_999;
const YEAR_MIN = -4713;

/** The parts of a time of day as the patterns capture them: hour, minute, second, fraction, sign, zone. */
type ClockParts = readonly (string | undefined)[];

/**
 * Reads what SQLite's `julianday()` reads, with the same result to the millisecond: an ISO date with an
 * optional time (`T` or white space between them), a time alone (then the day is 2000-01-01), each time
 * with an optional fraction and `Z` or an offset; or a Julian day number. Days past the end of a month
 * run on into the next. A fraction above .999 counts as .999.
 *
 * `now` and its kin are refused: what an artifact says must not depend on when it is read.
 *
 * @throws FormatError `date-syntax`
 */
export function parseDate(value: string): EpochMs {
  const sinceJulianEpoch = julianMs(value);
  if (sinceJulianEpoch === undefined || !(sinceJulianEpoch >= 0 && sinceJulianEpoch <= JULIAN_MAX_MS)) {
    throw new FormatError(
      "date-syntax",
      `expected a date such as 2026-01-31T12:00:00, got ${JSON.stringify(value)}`,
    );
  }
  return sinceJulianEpoch - JULIAN_EPOCH_MS;
}

function julianMs(value: string): number | undefined {
  const dated = DATE_PATTERN.exec(value);
  if (dated !== null) {
    const [, minus, year, month, day, ...clock] = dated;
    const dayStart = startOfDay(minus === "-" ? -Number(year) : Number(year), Number(month), Number(day));
    const offset = clock[0] === undefined ? 0 : clockMs(clock);
    if (dayStart === undefined || offset === undefined) return undefined;
    return dayStart + offset + JULIAN_EPOCH_MS;
  }
  const timed = TIME_PATTERN.exec(value);
  if (timed !== null) {
    const offset = clockMs(timed.slice(1));
    return offset === undefined ? undefined : Date.UTC(2000, 0, 1) + offset + JULIAN_EPOCH_MS;
  }
  const day = NUMBER_PATTERN.test(value) ? Number(value.trim()) : Number.NaN;
  return day >= 0 ? Math.floor(day * DAY_MS + 0.5) : undefined;
}

function startOfDay(year: number, month: number, day: number): EpochMs | undefined {
  if (year < YEAR_MIN || month < 1 || month > 12 || day < 1 || day > 31) return undefined;
  // Date.UTC maps the years 0 to 99 to 1900; setUTCFullYear does not.
  return new Date(0).setUTCFullYear(year, month - 1, day);
}

/** Milliseconds from the start of the day, less the zone's offset. 24:00 is the only time of its hour. */
function clockMs(parts: ClockParts): number | undefined {
  const [hour, minute, second = "0", fraction = "", sign, zoneHour, zoneMinute] = parts;
  const [h, m, s] = [Number(hour), Number(minute), Number(second)];
  const part = fractionOf(fraction);
  if (h > 24 || m > 59 || s > 59 || (h === 24 && (m !== 0 || s !== 0 || part !== 0))) return undefined;
  const time = h * 3_600_000 + m * 60_000 + Math.floor((s + part) * 1000 + 0.5);
  if (sign === undefined) return time;
  if (Number(zoneHour) > 14 || Number(zoneMinute) > 59) return undefined;
  const zone = (Number(zoneHour) * 60 + Number(zoneMinute)) * 60_000;
  return sign === "+" ? time - zone : time + zone;
}

/** Digits after the point as a fraction, by the same double operations as SQLite; NaN past 308 digits. */
function fractionOf(digits: string): number {
  let value = 0;
  let scale = 1;
  for (let i = 0; i < digits.length; i++) {
    value = value * 10 + digits.charCodeAt(i) - 48;
    scale *= 10;
  }
  return Math.min(value / scale, 0.999);
}
