/**
 * What a line of Markdown can be (Fossil `src/markdown.c`). Each function looks at the text from `start`, the
 * beginning of a line, and not beyond `end`, the end of the block or of the line. Prefixes may have up to
 * three spaces before them; a prefix function returns how many characters to take off, 0 for none.
 */
import { skipCodeSpan } from "./markup-markdown-inline.ts";
import { CHAR, isBlank, isDigit, skip } from "./markup-text.ts";

/** Position of the line feed that ends the line of `at`, or `end`. */
export function lineEnd(text: string, at: number, end: number): number {
  const found = text.indexOf("\n", at);
  return found < 0 || found > end ? end : found;
}

export function afterLine(text: string, at: number, end: number): number {
  return Math.min(end, lineEnd(text, at, end) + 1);
}

export function isEmptyLine(text: string, at: number, end: number): boolean {
  const position = skip(text, at, end, isBlank);
  return position >= end || text.charCodeAt(position) === CHAR.newline;
}

export function leadingSpaces(text: string, at: number, end: number): number {
  return skip(text, at, end, (code) => code === CHAR.space) - at;
}

/** Spaces to take off a line of a list item: up to four, but the line keeps a character. */
export function lineIndent(text: string, at: number, end: number): number {
  const spaces = Math.min(4, leadingSpaces(text, at, end));
  return Math.min(spaces, Math.max(0, end - at - 1));
}

export function isRule(text: string, start: number, end: number): boolean {
  if (end - start < 3) return false;
  const at = start + Math.min(3, leadingSpaces(text, start, start + 3));
  if (at + 2 >= end) return false;
  const mark = text.charCodeAt(at);
  if (mark !== CHAR.star && mark !== CHAR.minus && mark !== CHAR.underscore) return false;
  let count = 0;
  for (let i = at; i < end && text.charCodeAt(i) !== CHAR.newline; i++) {
    const code = text.charCodeAt(i);
    if (code === mark) count++;
    else if (!isBlank(code)) return false;
  }
  return count >= 3;
}

/** Whether the line consists of "=" or of "-" and so makes a heading of the line before it. */
export function isUnderline(text: string, start: number, end: number): boolean {
  const mark = text.charCodeAt(start);
  if (mark !== CHAR.equal && mark !== CHAR.minus) return false;
  const at = skip(
    text,
    skip(text, start, end, (code) => code === mark),
    end,
    isBlank,
  );
  return at >= end || text.charCodeAt(at) === CHAR.newline;
}

export function quotePrefix(text: string, start: number, end: number): number {
  let at = start + Math.min(3, leadingSpaces(text, start, end));
  if (at >= end || text.charCodeAt(at) !== CHAR.greater) return 0;
  at++;
  if (at < end && isBlank(text.charCodeAt(at))) at++;
  return at - start;
}

export function codePrefix(text: string, start: number, end: number): number {
  if (start < end && text.charCodeAt(start) === CHAR.tab) return 1;
  return end - start > 3 && text.startsWith("    ", start) ? 4 : 0;
}

export function bulletPrefix(text: string, start: number, end: number): number {
  const at = start + Math.min(3, leadingSpaces(text, start, end));
  if (at + 1 >= end || !isBlank(text.charCodeAt(at + 1))) return 0;
  const mark = text.charCodeAt(at);
  if (mark !== CHAR.star && mark !== CHAR.plus && mark !== CHAR.minus) return 0;
  return skip(text, at + 2, end, isBlank) - start;
}

export function numberPrefix(text: string, start: number, end: number): number {
  const from = start + Math.min(3, leadingSpaces(text, start, end));
  const at = skip(text, from, end, isDigit);
  if (at === from || at + 1 >= end || !isBlank(text.charCodeAt(at + 1))) return 0;
  if (text.charCodeAt(at) !== CHAR.dot && text.charCodeAt(at) !== CHAR.closeParen) return 0;
  return skip(text, at + 2, end, isBlank) - start;
}

/** Whether a fence of three or more backticks or tildes starts here, short enough to be closed. */
export function isFence(text: string, start: number, end: number): boolean {
  const size = end - start;
  const mark = text.charCodeAt(start);
  if (mark !== CHAR.backtick && mark !== CHAR.tilde) return false;
  let marks = 1;
  while (marks < size - 3 && text.charCodeAt(start + marks) === mark) marks++;
  return marks >= 3 && marks < size - marks;
}

/** In a quote that starts with a fence blank lines are text: where that fence ends, or `start`. */
export function quotedFenceEnd(text: string, start: number, end: number): number {
  let at = start + quotePrefix(text, start, end);
  if (isEmptyLine(text, at, end)) at = lineEnd(text, at, end) + 1;
  if (at >= end || !isFence(text, at, end)) return start;
  const mark = text.charCodeAt(at);
  let marks = 1;
  while (marks < end - at - 3 && text.charCodeAt(at + marks) === mark) marks++;
  let run = 0;
  let position = at + marks;
  for (; position < end && run < marks; position++) run = text.charCodeAt(position) === mark ? run + 1 : 0;
  return run >= marks ? position : start;
}

export function isCellEnd(text: string, at: number, lineStart: number): boolean {
  return text.charCodeAt(at) === CHAR.bar && (at === lineStart || text.charCodeAt(at - 1) !== CHAR.backslash);
}

/** Whether the line has a "|" between cells, so that it is a row of a table. */
export function isTableLine(text: string, start: number, end: number): boolean {
  let at = skip(text, start, end, isBlank);
  let outer = at < end && text.charCodeAt(at) === CHAR.bar ? 1 : 0;
  let bars = 0;
  while (at < end && text.charCodeAt(at) !== CHAR.newline) {
    if (isCellEnd(text, at, start)) bars++;
    at = text.charCodeAt(at) === CHAR.backtick ? skipCodeSpan(text, at, end) : at + 1;
  }
  while (at > start && (isBlank(text.charCodeAt(at - 1)) || text.charCodeAt(at - 1) === CHAR.newline)) at--;
  if (at > start && isCellEnd(text, at - 1, start)) outer++;
  return bars > 0 && bars - outer + 1 !== 0;
}
