/**
 * What both halves of the delta codec share: the numbers, the checksum, the declared size.
 * Applying is `delta-decode.ts`, making is `delta-encode.ts`.
 *
 * A delta turns a source into a target, both strings of bytes:
 *
 *     delta   = size "\n" command* checksum ";"
 *     command = count "@" offset ","        copy `count` bytes of the source from `offset`
 *             | count ":" byte{count}       literal bytes
 *
 * All numbers are unsigned 32-bit, written in base 64, most significant digit first, with the digits
 * `0-9 A-Z _ a-z ~` for 0..63. `size` is the length of the target. `checksum` is the sum of the target
 * read as big-endian 32-bit words, modulo 2^32, the last word padded with zeros on its right.
 *
 * For example `6\n3@0,3:XYZ…;` is the first three bytes of the source followed by `XYZ`.
 *
 * Source: Fossil `www/delta_format.wiki`, and fossil-facts E where that page contradicts itself.
 */
import { FormatError } from "./errors.ts";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";

/** The byte that writes each digit, by value. */
const DIGIT_BYTE = Uint8Array.from(DIGITS, (digit) => digit.charCodeAt(0));

/** The value of each byte as a digit; -1 for a byte that is none. */
const DIGIT_VALUE = new Int8Array(256).fill(-1);
for (let value = 0; value < 64; value++) DIGIT_VALUE[DIGIT_BYTE[value]!] = value;

export const NEWLINE = 0x0a;
export const COPY = 0x40; // @
export const COPY_END = 0x2c; // ,
export const LITERAL = 0x3a; // :
export const FINISH = 0x3b; // ;

/** Longest number: six digits hold 36 bits, the sixth (leading) one is 0..3. */
export const NUMBER_MAX_BYTES = 6;

/**
 * Reads numbers out of a delta. `at` is the offset of the next byte.
 *
 * As stock reads them: leading zeros do not matter, no digits at all is 0, and what exceeds 32 bits is
 * lost at the top. Such a number is nonsense but harmless, since every use of it is checked; refusing it
 * would leave us without an artifact that every stock peer has.
 */
export class DeltaReader {
  at = 0;

  constructor(readonly bytes: Buffer) {}

  number(): number {
    const { bytes } = this;
    const end = bytes.length;
    let { at } = this;
    let value = 0;
    while (at < end) {
      const digit = DIGIT_VALUE[bytes[at]!]!;
      if (digit < 0) break;
      value = (value << 6) | digit;
      at++;
    }
    this.at = at;
    return value >>> 0;
  }

  /** Takes the byte `expected`; `false` when another one, or the end, comes. */
  take(expected: number): boolean {
    if (this.at >= this.bytes.length || this.bytes[this.at] !== expected) return false;
    this.at++;
    return true;
  }
}

/** A view of the same memory, for its native `copy` and `compare` of ranges. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** How many digits `value` (0 to 2^32 - 1) takes. */
export function digitCount(value: number): number {
  return value === 0 ? 1 : ((37 - Math.clz32(value)) / 6) | 0;
}

/** Writes `value` (0 to 2^32 - 1) at `at`. Returns the offset after it. */
export function writeNumber(out: Uint8Array, at: number, value: number): number {
  const end = at + digitCount(value);
  let rest = value;
  for (let i = end - 1; i >= at; i--) {
    out[i] = DIGIT_BYTE[rest & 63]!;
    rest >>>= 6;
  }
  return end;
}

/** The checksum that a delta producing `target` ends with. */
export function deltaChecksum(target: Uint8Array): number {
  const view = new DataView(target.buffer, target.byteOffset, target.length);
  const whole = target.length & ~3;
  let sum = 0;
  for (let i = 0; i < whole; i += 4) sum = (sum + view.getInt32(i)) | 0;
  for (let i = whole; i < target.length; i++) sum = (sum + (target[i]! << (8 * (3 - (i & 3))))) | 0;
  return sum >>> 0;
}

/**
 * The size in bytes that a delta declares for its target. A claim, until the delta has been applied.
 *
 * @throws FormatError `delta-header`
 */
export function deltaOutputSize(delta: Uint8Array): number {
  return readHeader(new DeltaReader(asBuffer(delta)));
}

/** Reads the first line. @throws FormatError `delta-header` */
export function readHeader(reader: DeltaReader): number {
  const size = reader.number();
  if (reader.take(NEWLINE)) return size;
  throw new FormatError(
    "delta-header",
    `a delta starts with its output size in base 64 and a newline; byte ${reader.at} is something else`,
  );
}
