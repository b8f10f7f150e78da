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
import { decodeText, encodeText, latin1 } from "./bytes.ts";
import { FormatError } from "./errors.ts";

export { decodeText, encodeText };

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
  return decodeText(new Uint8Array(Buffer.from(raw, "latin1")));
}

/** The inverse of `decodeRaw` (`encodeText` gives it as bytes): compare these to order texts by their bytes. */
export function rawOf(text: string): string {
  return NON_ASCII.test(text) ? latin1(encodeText(text)) : text;
}
