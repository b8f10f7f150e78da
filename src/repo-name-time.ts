/**
 * Times inside names of versions. Such a time means the whole of its last unit, so that it can serve as an
 * upper bound: 2026-01-31 is the last millisecond of that day, 10:15 the last of that minute. Of a fraction
 * of a second, what was left out is filled with nines and a millisecond is added, because times in the file
 * are rounded to milliseconds (Fossil `src/name.c`). Whatever else `parseDate` reads means that moment.
 */
import { EdgeSyncError } from "./errors.ts";
import { type EpochMs, parseDate } from "./julian.ts";

const PUNCTUATED = /^\d{4}-\d\d-\d\d/;
const COMPACT = /^(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(z?)$/i;
const WITHOUT_ZONE = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?)?(z?)$/i;

/** Whether a name begins like a date with punctuation; it may still not be one. */
export function isPunctuatedTime(name: string): boolean {
  return PUNCTUATED.test(name);
}

/** Whether a name is a date without punctuation: YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, and z or not. */
export function isCompactTime(name: string): boolean {
  return punctuate(name) !== undefined;
}

/** The last millisecond that `name` means; `undefined` when it is no time. */
export function endOfTime(name: string): EpochMs | undefined {
  const time = punctuate(name) ?? name;
  const match = WITHOUT_ZONE.exec(time);
  if (match === null) return parse(time);
  const [, date, clock = "23:59", seconds = "59", fraction] = match;
  if (fraction === undefined) return parse(`${date}T${clock}:${seconds}.999`);
  const filled = fraction.padEnd(3, "9");
  const end = parse(`${date}T${clock}:${seconds}.${filled}`);
  return end === undefined || filled === "999" ? end : end + 1;
}

/** A compact date with its punctuation; `undefined` when it is none, or none of a plausible year. */
function punctuate(name: string): string | undefined {
  const match = COMPACT.exec(name);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, zone] = match;
  const within = (value: string | undefined, low: number, high: number) =>
    value === undefined || (Number(value) >= low && Number(value) <= high);
  if (!within(year, 1970, 2100) || !within(month, 1, 12) || !within(day, 1, 31)) return undefined;
  if (!within(hour, 0, 24) || !within(minute, 0, 60) || !within(second, 0, 60)) return undefined;
  const clock = hour === undefined ? "" : ` ${hour}:${minute}${second === undefined ? "" : `:${second}`}`;
  return `${year}-${month}-${day}${clock}${zone}`;
}

function parse(time: string): EpochMs | undefined {
  try {
    return parseDate(time);
  } catch (error) {
    if (error instanceof EdgeSyncError) return undefined;
    throw error;
  }
}
