/**
 * Kinds of values on the command line, each a parser from text. All are strict: trailing characters, signs
 * and blanks where none belong are refused.
 */
import { badValue, type Parser } from "./cli-command.ts";
import { type EpochMs, parseDate } from "./julian.ts";
import { type ListenAddress, parseListenAddress } from "./listen-address.ts";
import { endOfTime, isPunctuatedTime } from "./repo-name-time.ts";

/** A decimal whole number from `min` to `max`, both included. */
export function integer(min: number, max: number): Parser<number> {
  return (value) => {
    const number = /^-?\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    return number >= min && number <= max ? number : badValue(`a whole number from ${min} to ${max}`, value);
  };
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `250ms`, `30s`, `1h30m`, `0.5s`: milliseconds. A unit is required; the result is above zero. */
export const duration: Parser<number> = (value) => {
  const parts = [...value.matchAll(/(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)/g)];
  const whole = parts.map((part) => part[0]).join("") === value;
  const totalMs = parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNIT_MS[unit!]!, 0);
  return whole && totalMs > 0 ? totalMs : badValue("a duration such as 30s, 5m or 1h30m", value);
};

const UNIT_BYTES: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** `65536`, `512KB`, `8MB`: bytes, in powers of 1,024, from `min` to `max`, both included. */
export function byteSize(min: number, max: number): Parser<number> {
  return (value) => {
    const match = /^(\d{1,15})([KMG]?)B?$/i.exec(value);
    const bytes = match === null ? Number.NaN : Number(match[1]) * UNIT_BYTES[match[2]!.toUpperCase()]!;
    return bytes >= min && bytes <= max
      ? bytes
      : badValue(`a size from ${min} to ${max} bytes, such as 8MB`, value);
  };
}

/** One of a few words. */
export function choice<const C extends string>(...choices: readonly C[]): Parser<C> {
  return (value) =>
    choices.find((candidate) => candidate === value) ?? badValue(`one of ${choices.join(", ")}`, value);
}

/** Where to listen: `HOST:PORT`, `:PORT`, `[IPV6]:PORT`. */
export function address(defaultPort: number): Parser<ListenAddress> {
  return (value) => parseListenAddress(value, defaultPort);
}

/**
 * A date, or a date and a time, in UTC. What is left out of it counts as its first or its last moment: a
 * day from 00:00 or until 23:59:59.999.
 */
export function moment(edge: "first" | "last"): Parser<EpochMs> {
  return (value) => {
    const last = /^\d{4}-?\d\d-?\d\d/.test(value) ? endOfTime(value) : undefined;
    if (last === undefined) return badValue("a date such as 2026-01-31 or 2026-01-31T12:00", value);
    return edge === "last" || !isPunctuatedTime(value) ? last : parseDate(value);
  };
}
