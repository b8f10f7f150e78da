/**
 * What the scanners of markup share. They read text as a string of bytes (one character per byte, as
 * `latin1` makes it), so that offsets and character classes are those of bytes, as in stock. A position
 * past the end reads as NaN, which belongs to no class.
 *
 * A `WorkBudget` bounds the time a hostile text can cost: several constructs make a scanner look ahead to
 * the end of the text from each of its characters. Who looks ahead says how far it went.
 */

/** Thrown by `WorkBudget` and caught by the scanner's entry point; never seen outside. */
export class WorkExceeded extends Error {
  override name = "WorkExceeded";
}

export class WorkBudget {
  constructor(private left: number) {}

  /** @throws WorkExceeded when more than the budget has been spent */
  spend(steps: number): void {
    this.left -= steps;
    if (this.left < 0) throw new WorkExceeded();
  }
}

export const CHAR = {
  tab: 0x09,
  newline: 0x0a,
  return: 0x0d,
  space: 0x20,
  exclamation: 0x21,
  quote: 0x22,
  hash: 0x23,
  apostrophe: 0x27,
  openParen: 0x28,
  closeParen: 0x29,
  star: 0x2a,
  plus: 0x2b,
  minus: 0x2d,
  dot: 0x2e,
  slash: 0x2f,
  colon: 0x3a,
  less: 0x3c,
  equal: 0x3d,
  greater: 0x3e,
  at: 0x40,
  openBracket: 0x5b,
  backslash: 0x5c,
  closeBracket: 0x5d,
  caret: 0x5e,
  underscore: 0x5f,
  backtick: 0x60,
  bar: 0x7c,
  tilde: 0x7e,
} as const;

/** C's isspace: blanks, line ends, vertical tab, form feed. */
export function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}

/** Space or tab. */
export function isBlank(code: number): boolean {
  return code === CHAR.space || code === CHAR.tab;
}

/** Space, tab or line feed. */
export function isBlankOrNewline(code: number): boolean {
  return isBlank(code) || code === CHAR.newline;
}

export function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

export function isLetter(code: number): boolean {
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

export function isLetterOrDigit(code: number): boolean {
  return isDigit(code) || isLetter(code);
}

/** The first position from `at` on, below `end`, whose character is not in `class_`; else `end`. */
export function skip(text: string, at: number, end: number, class_: (code: number) => boolean): number {
  while (at < end && class_(text.charCodeAt(at))) at++;
  return at;
}
