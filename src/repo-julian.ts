/**
 * Times as stock's tables hold them. Stock computes a Julian day as SQLite does (`toJulian`), but puts it
 * into the SQL of most tables as text, by `%.17g` of its own `printf` (Fossil `src/printf.c`), which keeps
 * 16 significant digits: event, plink, attachment, forumpost and backlink hold what that text reads as,
 * off by less than 0.1 ms. Table tagxref and the ticket tables, whose times are bound, hold the exact
 * double.
 *
 * What the 16 digits are depends on how that `printf` computes. Digits are not rounded but cut off, after
 * a sum and six multiplications by the double nearest to 0.1, in the 80-bit numbers of x86-64 (64 bits of
 * mantissa, round to nearest, ties to even):
 *
 *     v = day; while v ≥ 10: v = v × 0.1        so 1 ≤ v < 10; a Julian day needs six steps
 *     v = v + 0.5 × 10⁻¹⁶                       the summand computed in doubles, as 0.5 × 0.1 × 0.1 …
 *     16 times: digit = ⌊v⌋; v = (v − digit) × 10
 *
 * The same arithmetic is done here, in integers, so that a row written here equals, to the bit, the one
 * that stock writes on that machine when it rebuilds.
 */
import { type EpochMs, toJulian } from "./julian.ts";

/** A positive number `mantissa × 2^exponent` of at most 64 bits of mantissa. */
interface Extended {
  readonly mantissa: bigint;
  readonly exponent: number;
}

const DIGIT_COUNT = 16;
const LIMIT = 1n << 64n;

/** The Julian day of `time` as a table holds it that stock writes through text. */
export function toTableJulian(time: EpochMs): number {
  return tableTime(toJulian(time));
}

/** The same for a time that is a Julian day already, between day 1 and day 9,999,999. */
export function tableTime(day: number): number {
  let value = fromDouble(day);
  let point = 1;
  for (; floor(value) >= 10n; point++) {
    value = rounded(value.mantissa * TENTH.mantissa, value.exponent + TENTH.exponent);
  }
  value = add(value, HALF_UNIT);
  let digits = "";
  // Once 60 bits are after the point, ten times those fits without rounding: all further digits come at once.
  while (value.exponent < -60 && digits.length < DIGIT_COUNT) {
    const digit = floor(value);
    const rest = value.mantissa - (digit << BigInt(-value.exponent));
    digits += digit;
    value = rounded(rest * 10n, value.exponent);
  }
  const left = DIGIT_COUNT - digits.length;
  if (left > 0) {
    const { mantissa, exponent } = value;
    digits += floor({ mantissa: mantissa * 10n ** BigInt(left - 1), exponent })
      .toString()
      .padStart(left, "0");
  }
  return Number(`${digits.slice(0, point)}.${digits.slice(point)}`);
}

const TENTH = fromDouble(0.1);
const HALF_UNIT = fromDouble(Array.from({ length: DIGIT_COUNT }).reduce<number>((unit) => unit * 0.1, 0.5));

function fromDouble(value: number): Extended {
  let whole = value;
  let exponent = 0;
  for (; !Number.isInteger(whole); exponent--) whole *= 2;
  return { mantissa: BigInt(whole), exponent };
}

function floor({ mantissa, exponent }: Extended): bigint {
  return exponent < 0 ? mantissa >> BigInt(-exponent) : mantissa << BigInt(exponent);
}

function add(a: Extended, b: Extended): Extended {
  const exponent = Math.min(a.exponent, b.exponent);
  const aligned = (x: Extended) => x.mantissa << BigInt(x.exponent - exponent);
  return rounded(aligned(a) + aligned(b), exponent);
}

/** Rounds to 64 bits of mantissa, to nearest, ties to even. */
function rounded(mantissa: bigint, exponent: number): Extended {
  if (mantissa < LIMIT) return { mantissa, exponent };
  const surplus = bitLength(mantissa >> 64n);
  const shift = BigInt(surplus);
  const half = 1n << (shift - 1n);
  const rest = mantissa & ((1n << shift) - 1n);
  let kept = mantissa >> shift;
  if (rest > half || (rest === half && (kept & 1n) === 1n)) kept++;
  return kept < LIMIT
    ? { mantissa: kept, exponent: exponent + surplus }
    : { mantissa: kept >> 1n, exponent: exponent + surplus + 1 };
}

/** Of a number below 2^64. */
function bitLength(value: bigint): number {
  const high = Number(value >> 32n);
  return high > 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(Number(value));
}
