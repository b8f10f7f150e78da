/**
 * The tokens of a card. Tokens are parted by white space (space and bytes 9 to 13), so text with white
 * space in it is escaped: `\s` space, `\t` tab, `\n` line feed, `\r` return, `\v` vertical tab, `\f` form
 * feed, `\0` NUL, `\\` backslash; after a backslash any other character stands for itself.
 * Source: Fossil's `fossilize` encoding, as `www/fileformat.wiki` describes it.
 *
 * Each kind of token is a pair of functions: `read` returns `undefined` where the token is not of that
 * kind, `write` gives its wire form. A reader gets the token with each byte as the code point of the
 * same number, so that grammar costs no decoding.
 */
import { strictText, text } from "./bytes.ts";
import { FormatError } from "./errors.ts";
import { isHash } from "./hash.ts";

const ESCAPES: Readonly<Record<string, string>> = {
  " ": "\\s",
  "\t": "\\t",
  "\n": "\\n",
  "\r": "\\r",
  "\v": "\\v",
  "\f": "\\f",
  "\0": "\\0",
  "\\": "\\\\",
};
const UNESCAPES: Readonly<Record<string, string>> = {
  s: " ",
  t: "\t",
  n: "\n",
  r: "\r",
  v: "\v",
  f: "\f",
  "0": "\0",
};

const NEEDS_ESCAPE = /[ \t\n\r\v\f\0\\]/g;

export function escapeToken(value: string): string {
  return value.replace(NEEDS_ESCAPE, (char) => ESCAPES[char]!);
}

/** The inverse of `escapeToken`. A lone backslash at the end stands for itself. */
export function unescapeToken(token: string): string {
  return token.includes("\\")
    ? token.replace(/\\([\s\S])/g, (_, char: string) => UNESCAPES[char] ?? char)
    : token;
}

/** Largest number a stock peer reads in most cards. */
export const INT32_MAX = 0x7fff_ffff;

export type TokenKind =
  | "hash"
  | "hash-or-dash"
  | "size"
  | "seconds"
  | "number"
  | "size-or-0"
  | "text"
  | "word"
  | "filename"
  | "one";

export type TokenValue = string | number | boolean | undefined;

interface TokenCodec {
  /** For the documentation. */
  readonly doc: string;
  read(token: string): { readonly value: TokenValue } | undefined;
  write(value: TokenValue): string;
}

const DIGITS = /^\d+$/;

function readNumber(token: string, max: number): { value: number } | undefined {
  if (!DIGITS.test(token)) return undefined;
  const value = Number(token);
  return value <= max ? { value } : undefined;
}

const ASCII = /^[\0-\x7f]*$/;

/** From one code point per byte to text; ill-formed UTF-8 becomes U+FFFD. */
export function decodeToken(token: string): string {
  return ASCII.test(token) ? token : text(Buffer.from(token, "latin1"));
}

export const TOKEN_CODECS: Readonly<Record<TokenKind, TokenCodec>> = {
  hash: {
    doc: "40 or 64 lower-case hex digits",
    read: (token) => (isHash(token) ? { value: token } : undefined),
    write: (value) => value as string,
  },
  "hash-or-dash": {
    doc: "a hash, or `-` for none",
    read: (token) => (token === "-" ? { value: undefined } : isHash(token) ? { value: token } : undefined),
    write: (value) => (value === undefined ? "-" : (value as string)),
  },
  size: {
    doc: "decimal, at most 2147483647",
    read: (token) => readNumber(token, INT32_MAX),
    write: String,
  },
  seconds: {
    doc: "seconds since 1970, decimal",
    read: (token) => readNumber(token, Number.MAX_SAFE_INTEGER),
    write: String,
  },
  number: {
    doc: "the leading decimal digits count; none is 0",
    read: (token) => ({ value: Math.min(Number(/^\d*/.exec(token)![0]), INT32_MAX) }),
    write: String,
  },
  "size-or-0": {
    doc: "decimal, at most 2147483647; anything else counts as 0",
    read: (token) => readNumber(token, INT32_MAX) ?? { value: 0 },
    write: String,
  },
  text: {
    doc: "escaped text",
    read: (token) => ({ value: unescapeToken(decodeToken(token)) }),
    write: (value) => escapeToken(value as string),
  },
  word: {
    doc: "text without white space",
    read: (token) => ({ value: decodeToken(token) }),
    write: unescapedWord,
  },
  filename: {
    doc: "a simple relative path without white space or backslash",
    read: (token) => {
      const value = strictText(Buffer.from(token, "latin1"));
      return value !== undefined && isSimplePath(value) ? { value } : undefined;
    },
    write: unescapedWord,
  },
  one: {
    doc: "`1`; anything else counts as absent",
    read: (token) => ({ value: token === "1" }),
    write: () => "1",
  },
};

function unescapedWord(value: TokenValue): string {
  const word = value as string;
  if (word !== "" && !/[ \t-\r]/.test(word)) return word;
  throw new FormatError("xfer-token", `expected text without white space, got ${JSON.stringify(word)}`);
}

/**
 * Characters that stock refuses in the name of a file: backslash, private use, surrogates,
 * noncharacters, everything past U+FFFF.
 */
const REFUSED = /[\\\u{d800}-\u{f8ff}\u{fdd0}-\u{fdef}\u{fffe}-\u{ffff}\u{10000}-\u{10ffff}]/u;

/** Whether `path` is a simple relative path: no leading or trailing slash, no empty, `.` or `..` part. */
export function isSimplePath(path: string): boolean {
  if (path === "" || REFUSED.test(path)) return false;
  return path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}
