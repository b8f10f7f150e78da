/** Byte strings: the few operations on `Uint8Array` that every format needs. Pure. */

export type Bytes = Uint8Array<ArrayBuffer>;

export const EMPTY: Uint8Array = new Uint8Array(0);

const encoder = new TextEncoder();
const lossyDecoder = new TextDecoder("utf-8", { ignoreBOM: true });
const strictDecoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

export function utf8(text: string): Bytes {
  return encoder.encode(text);
}

/** Decodes UTF-8; ill-formed sequences become U+FFFD, as Fossil shows them. A BOM is kept. */
export function text(bytes: Uint8Array): string {
  return lossyDecoder.decode(bytes);
}

/** Decodes UTF-8, or `undefined` when `bytes` is not well-formed UTF-8. */
export function strictText(bytes: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Decodes each byte to the code point of the same number: for grammar that is ASCII by definition. */
export function latin1(bytes: Uint8Array, start = 0, end = bytes.length): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
}

export function concat(parts: readonly Uint8Array[]): Bytes {
  let total = 0;
  for (const part of parts) total += part.length;
  const joined = new Uint8Array(total);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/**
 * Gives the memory of `bytes` back at once instead of when garbage is next collected. Neither they nor anything
 * that shares their buffer can be used afterwards. Bytes that were given back before are passed over.
 */
export function free(bytes: Bytes): void {
  if (!bytes.buffer.detached) bytes.buffer.transfer(0);
}

/** What is smaller than this is left to the collector. */
const FREE_MIN_BYTES = 16_384;

/** The same for bytes that the caller alone holds, if they are many: the collector is slow to see memory outside its heap. */
export function freeLarge(bytes: Uint8Array): void {
  if (bytes.length >= FREE_MIN_BYTES) free(bytes as Bytes);
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** Order by unsigned bytes, shorter first on a tie: the order of F cards and of `memcmp`. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

/** Decodes UTF-8 without loss: a byte that is not part of it becomes the lone surrogate U+DC00 + byte. */
export function decodeText(bytes: Uint8Array): string {
  return strictText(bytes) ?? decodeIllFormed(bytes);
}

function decodeIllFormed(bytes: Uint8Array): string {
  let decoded = "";
  let start = 0;
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i);
    if (length > 0) {
      i += length;
      continue;
    }
    decoded += strictText(bytes.subarray(start, i))! + String.fromCharCode(0xdc00 + bytes[i]!);
    start = ++i;
  }
  return decoded + strictText(bytes.subarray(start))!;
}

/** Bytes of the well-formed UTF-8 sequence at `at`; 0 when there is none (Unicode table 3-7). */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at]!;
  if (lead < 0x80) return 1;
  const length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  const second = bytes[at + 1] ?? 0;
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (length === 0 || second < low || second > high) return 0;
  for (let i = 2; i < length; i++) {
    const next = bytes[at + i] ?? 0;
    if (next < 0x80 || next > 0xbf) return 0;
  }
  return length;
}

/** The inverse of `decodeText`. Lone surrogates that stand for no byte become U+FFFD. */
export function encodeText(text: string): Bytes {
  if (text.isWellFormed()) return utf8(text);
  const parts: Uint8Array[] = [];
  let start = 0;
  // With the `u` flag this matches lone surrogates only.
  for (const match of text.matchAll(/[\udc80-\udcff]+/gu)) {
    parts.push(utf8(text.slice(start, match.index)));
    parts.push(Uint8Array.from(match[0], (char) => char.charCodeAt(0) - 0xdc00));
    start = match.index + match[0].length;
  }
  parts.push(utf8(text.slice(start)));
  return concat(parts);
}

/**
 * Order of the bytes of two strings (`encodeText`) without encoding them. UTF-16 code units sort like
 * UTF-8 bytes except that surrogates (U+10000 and above) sort below U+E000..U+FFFF.
 */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    let x = a.charCodeAt(i);
    let y = b.charCodeAt(i);
    if (x === y) continue;
    if (x >= 0xd800 || y >= 0xd800) {
      if (!(a.isWellFormed() && b.isWellFormed())) return compareBytes(encodeText(a), encodeText(b));
      if (x >= 0xd800 && y >= 0xd800) {
        x += x >= 0xe000 ? -0x800 : 0x2000;
        y += y >= 0xe000 ? -0x800 : 0x2000;
      }
    }
    return x - y;
  }
  return a.length - b.length;
}

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));

export function toHex(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += HEX[byte];
  return hex;
}

/** Reads an unsigned 32-bit big-endian number at `offset`; the caller has checked the length. */
export function readU32BE(bytes: Uint8Array, offset = 0): number {
  return (
    ((bytes[offset]! << 24) | (bytes[offset + 1]! << 16) | (bytes[offset + 2]! << 8) | bytes[offset + 3]!) >>>
    0
  );
}

export function u32BE(value: number): Bytes {
  return Uint8Array.of((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}
