/**
 * Text inside cards. Two layers, both reversible:
 *
 * 1. **Escapes.** A card is split at spaces, so text replaces each of these bytes by two:
 *    space `\s`, newline `\n`, tab `\t`, carriage return `\r`, vertical tab `\v`, form feed `\f`,
 *    NUL `\0`, backslash `\\`. Reading takes any other `\x` for `x` and a last lone backslash for itself.
 *    To Fossil a text is a C string, so it ends at the first `\0`; writing refuses NUL.
 * 2. **UTF-8.** Old and imported artifacts hold text in other encodings. A byte that is not part of
 *    well-formed UTF-8 becomes the lone surrogate U+DC00 + byte, which no valid text contains, and
 *    becomes that byte again when written: a check-in that keeps a file keeps its name to the byte.
 *
 * A "raw" string below has one code unit (0 to 255) per byte: what `latin1` makes. Raw strings compare
 * with `<` in the order of their bytes.
 *
 * Source: Fossil `www/fileformat.wiki` on fossilized text, and its `encode.c` for the odd cases.
 */
import { type Bytes, concat, latin1, strictText, utf8 } from "./bytes.ts";
import { FormatError } from "./errors.ts";

const NON_ASCII = /[\u0080-\uffff]/;
const SPECIAL = /[ \n\t\r\v\f\\]/g;

const DECODED: Readonly<Record<string, string>> = {
  s: " ",
  n: "\n",
  t: "\t",
  r: "\r",
  v: "\v",
  f: "\f",
};

const ENCODED: Readonly<Record<string, string>> = {
  " ": "\\s",
  "\n": "\\n",
  "\t": "\\t",
  "\r": "\\r",
  "\v": "\\v",
  "\f": "\\f",
  "\\": "\\\\",
};

/** Undoes the escapes of one token. Raw in, raw out. */
export function unescapeRaw(token: string): string {
  let decoded = "";
  let start = 0;
  for (let at = token.indexOf("\\"); at >= 0 && at + 1 < token.length; at = token.indexOf("\\", start)) {
    const letter = token[at + 1]!;
    decoded += token.slice(start, at);
    if (letter === "0") return decoded;
    decoded += DECODED[letter] ?? letter;
    start = at + 2;
  }
  return start === 0 ? token : decoded + token.slice(start);
}

/**
 * `text` as one token of a card, still a string.
 *
 * @throws FormatError `artifact-text` when it contains NUL, at which Fossil would end it
 */
export function escapeText(text: string): string {
  if (text.includes("\0")) {
    throw new FormatError("artifact-text", `expected text without NUL, got ${JSON.stringify(text)}`);
  }
  return text.replace(SPECIAL, (char) => ENCODED[char]!);
}

/** A raw string as text; see layer 2 above. */
export function decodeRaw(raw: string): string {
  if (!NON_ASCII.test(raw)) return raw;
  const bytes = new Uint8Array(Buffer.from(raw, "latin1"));
  return strictText(bytes) ?? decodeIllFormed(bytes);
}

/** The inverse of `decodeRaw`, as bytes. Surrogates that stand for no byte become U+FFFD. */
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

/** The inverse of `decodeRaw`, as a raw string: compare these to order texts by their bytes. */
export function rawOf(text: string): string {
  return NON_ASCII.test(text) ? latin1(encodeText(text)) : text;
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
