/**
 * The text of timeline comments that linkers compose. The timeline shows a comment as Fossil wiki, so names
 * in it are escaped for HTML and hashes are shortened (Fossil `src/printf.c`, `src/encode.c`):
 *
 *     html     < > & " '  as entities
 *     token    letters, digits and . $ ~ - _ stay, a space becomes "+", other bytes %XX
 *     short    first digits of a hash for people: setting `hash-digits`, 6 to 64, 10 unless set
 *     link     first digits for a link: 6 more than that, at least 16, at most 64
 *
 * Shortening counts bytes, since stock also does it to names that are no hashes.
 */
import { decodeRaw, encodeText, rawOf } from "./artifact-escape.ts";
import type { Config } from "./repo-config.ts";

const HASH_DIGITS_DEFAULT = 10;
const HASH_DIGITS_MIN = 6;
const HASH_DIGITS_MAX = 64;
const LINK_DIGITS_MORE = 6;
const LINK_DIGITS_MIN = 16;

const ENTITIES: Readonly<Record<string, string>> = {
  "<": "&lt;",
  ">": "&gt;",
  "&": "&amp;",
  '"': "&quot;",
  "'": "&#39;",
};

export function html(text: string): string {
  return text.replace(/[<>&"']/g, (char) => ENTITIES[char]!);
}

export function token(text: string): string {
  let encoded = "";
  for (const byte of encodeText(text)) {
    const char = String.fromCharCode(byte);
    if (/[A-Za-z0-9.$~_-]/.test(char)) encoded += char;
    else encoded += char === " " ? "+" : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}

export function short(config: Config, name: string): string {
  return cut(name, shortDigits(config));
}

export function link(config: Config, name: string): string {
  const digits = Math.max(LINK_DIGITS_MIN, shortDigits(config) + LINK_DIGITS_MORE);
  return cut(name, Math.min(HASH_DIGITS_MAX, digits));
}

/** `LINK|SHORT`: the inside of a wiki link to an artifact or ticket. */
export function reference(config: Config, name: string): string {
  return `${link(config, name)}|${short(config, name)}`;
}

function shortDigits(config: Config): number {
  const digits = config.integer("hash-digits", HASH_DIGITS_DEFAULT);
  return Math.min(HASH_DIGITS_MAX, Math.max(HASH_DIGITS_MIN, digits));
}

function cut(name: string, bytes: number): string {
  return decodeRaw(rawOf(name).slice(0, bytes));
}
