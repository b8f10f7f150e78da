/**
 * Second pass over Markdown, inside a block: which brackets are links (Fossil `src/markdown.c`). Nothing is
 * rendered. A construct is taken where it starts, first match wins, left to right:
 *
 *     \x                      x is plain
 *     `code`  ``code``        plain up to a run of backticks at least as long; without one, plain backticks
 *     <tag …>  <http://…>  <a@b>  <!-- … -->
 *                             nothing inside counts
 *     *x*  **x**  ***x***  _x_ …
 *                             scanned inside; matters here because an opening mark decides how far a
 *                             piece of text is looked at as one
 *     [text](target "title")  [text][label]  [text]
 *                             links; the text is scanned inside. After "!" it is an image: no link, and
 *                             its text is not looked at
 *     [^label]  [text][^label]  (^text)  [text](^text)
 *                             footnotes, scanned by the caller after the blocks
 *
 * A link may be reported more than once, when the text around it was tried as emphasis of several kinds.
 */
import type { MarkdownRefs } from "./markup-markdown-refs.ts";
import { tagLength } from "./markup-markdown-tag.ts";
import { CHAR, isBlankOrNewline, isLetterOrDigit, isSpace, skip, type WorkBudget } from "./markup-text.ts";

/** Past this depth of nested constructs text is plain; the count is that of stock's buffers. */
const DEPTH_MAX = 200;

export class MarkdownInline {
  /** How many constructs are open, blocks included. */
  depth = 0;

  constructor(
    readonly refs: MarkdownRefs,
    readonly budget: WorkBudget,
    private readonly onLink: (target: string) => void,
  ) {}

  get tooDeep(): boolean {
    return this.depth > DEPTH_MAX;
  }

  /** Scans `text` from `start` to `end`. */
  scan(text: string, start: number, end: number): void {
    if (this.tooDeep) return;
    this.budget.spend(end - start);
    for (let at = start; at < end; ) at += Math.max(1, this.construct(text, start, at, end));
  }

  /** Length of the construct that starts at `at`; 0 if none does. */
  private construct(text: string, start: number, at: number, end: number): number {
    switch (text.charCodeAt(at)) {
      case CHAR.backslash:
        return 2;
      case CHAR.backtick:
        return this.codeSpan(text, at, end);
      case CHAR.less:
        return this.tag(text, at, end);
      case CHAR.openBracket:
        return this.link(text, start, at, end);
      case CHAR.openParen:
        return this.inlineNote(text, at, end);
      case CHAR.star:
      case CHAR.underscore:
        return this.emphasis(text, start, at, end);
      default:
        return 0;
    }
  }

  /** Length of a code span whose marks are the character at `at` (a fence of "~" too); 0 if not closed. */
  codeSpan(text: string, at: number, end: number): number {
    const mark = text.charCodeAt(at);
    const bodyStart = skip(text, at, end, (code) => code === mark);
    const marks = bodyStart - at;
    let run = 0;
    let position = bodyStart;
    for (; position < end && run < marks; position++) run = text.charCodeAt(position) === mark ? run + 1 : 0;
    this.budget.spend(position - at);
    return run < marks ? 0 : position - at;
  }

  private tag(text: string, at: number, end: number): number {
    const length = tagLength(text, at, end);
    this.budget.spend(length === 0 ? end - at : length);
    return length;
  }

  private inlineNote(text: string, at: number, end: number): number {
    if (end - at < 4 || text.charCodeAt(at + 1) !== CHAR.caret) return 0;
    const close = this.matching(text, at, end);
    if (close === undefined || !this.refs.addInlineNote(text.slice(at + 2, close))) return 0;
    return close + 1 - at;
  }

  /** Position of the bracket that closes the one at `at`. After a backslash a bracket does not count. */
  private matching(text: string, at: number, end: number): number | undefined {
    const open = text.charCodeAt(at);
    const close = open === CHAR.openBracket ? CHAR.closeBracket : CHAR.closeParen;
    let level = 1;
    let position = at + 1;
    for (; position < end; position++) {
      const code = text.charCodeAt(position);
      if (code === CHAR.newline || text.charCodeAt(position - 1) === CHAR.backslash) continue;
      if (code === open) level++;
      else if (code === close && --level <= 0) break;
    }
    this.budget.spend(position - at);
    return position < end ? position : undefined;
  }

  private link(text: string, start: number, at: number, end: number): number {
    const close = this.matching(text, at, end);
    if (close === undefined) return 0;
    if (end - at > 3 && text.charCodeAt(at + 1) === CHAR.caret) {
      this.refs.useNote(text.slice(at + 2, close));
      return close + 1 - at;
    }
    const isImage = at > start && text.charCodeAt(at - 1) === CHAR.exclamation;
    this.depth += 3;
    try {
      const found = this.linkTail(text, at, close, end);
      if (found === undefined) return 0;
      if (!isImage && close > at + 1) this.scan(text, at + 1, close);
      if (!isImage && found.target !== undefined) this.onLink(found.target);
      return found.after - at;
    } finally {
      this.depth -= 3;
    }
  }

  /** What follows "[text]": where the construct ends, and the target unless it is a footnote. */
  private linkTail(
    text: string,
    open: number,
    close: number,
    end: number,
  ): { after: number; target: string | undefined } | undefined {
    const at = skip(text, close + 1, end, isBlankOrNewline);
    const code = at < end ? text.charCodeAt(at) : Number.NaN;
    const isNote = text.charCodeAt(at + 1) === CHAR.caret;
    if (code === CHAR.openParen) {
      if (at + 2 < end && isNote) {
        const noteEnd = this.matching(text, at, end);
        if (noteEnd === undefined) return undefined;
        this.refs.addInlineNote(text.slice(at + 2, noteEnd));
        return { after: noteEnd + 1, target: undefined };
      }
      let tail = at;
      while (tail < end && !(text.charCodeAt(tail) === CHAR.closeParen && !isEscaped(text, tail))) tail++;
      this.budget.spend(tail - at);
      if (tail >= end) return undefined;
      return { after: tail + 1, target: inlineTarget(text, at + 1, tail) };
    }
    if (code === CHAR.openBracket) {
      const labelEnd = text.indexOf("]", at);
      this.budget.spend((labelEnd < 0 ? end : labelEnd) - at);
      if (labelEnd < 0 || labelEnd >= end) return undefined;
      const implicit = labelEnd === at + 1 || (isNote && labelEnd === at + 2);
      const label = implicit ? text.slice(open + 1, close) : text.slice(at + (isNote ? 2 : 1), labelEnd);
      if (isNote) {
        this.refs.useNote(label);
        return { after: labelEnd + 1, target: undefined };
      }
      const target = this.refs.findLink(label);
      return target === undefined ? undefined : { after: labelEnd + 1, target };
    }
    const target = this.refs.findLink(text.slice(open + 1, close));
    return target === undefined ? undefined : { after: close + 1, target };
  }

  private emphasis(text: string, start: number, at: number, end: number): number {
    const mark = text.charCodeAt(at);
    let marks = 1;
    while (marks < 4 && text.charCodeAt(at + marks) === mark) marks++;
    if (marks > 3 || end - at <= marks + 1) return 0;
    const before = at > start ? text.charCodeAt(at - 1) : CHAR.space;
    if (!leftFlanking(before, text.charCodeAt(at + marks))) return 0;
    if (mark === CHAR.underscore && isLetterOrDigit(before)) return 0;
    const body = at + marks;
    const after =
      marks === 1
        ? this.emphasis1(text, body, end, mark)
        : marks === 2
          ? this.emphasis2(text, body, end, mark)
          : this.emphasis3(text, body, end, mark);
    return after === undefined ? 0 : after - at;
  }

  /** Position after the closing mark of single emphasis whose text starts at `start`. */
  private emphasis1(text: string, start: number, end: number, mark: number): number | undefined {
    let at = start;
    if (end - at > 1 && text.charCodeAt(at) === mark && text.charCodeAt(at + 1) === mark) at++;
    while (at < end) {
      const found = this.findMark(text, at, end, mark);
      if (found === undefined) return undefined;
      at = found;
      if (at + 1 < end && text.charCodeAt(at + 1) === mark) {
        at++;
        continue;
      }
      if (this.closes(text, at, at + 1, end, mark)) return this.emphasized(text, start, at, at + 1);
    }
    return undefined;
  }

  /** The same for double emphasis. */
  private emphasis2(text: string, start: number, end: number, mark: number): number | undefined {
    let at = start;
    while (at < end) {
      const found = this.findMark(text, at, end, mark);
      if (found === undefined) return undefined;
      at = found;
      const isPair = at + 1 < end && text.charCodeAt(at + 1) === mark;
      if (isPair && this.closes(text, at, at + 2, end, mark)) return this.emphasized(text, start, at, at + 2);
      at++;
    }
    return undefined;
  }

  /** The same after three marks: the first closing run decides which of them close first. */
  private emphasis3(text: string, start: number, end: number, mark: number): number | undefined {
    let at = start;
    while (at < end) {
      const found = this.findMark(text, at, end, mark);
      if (found === undefined) return undefined;
      at = found;
      if (text.charCodeAt(at) !== mark || isBlankOrNewline(text.charCodeAt(at - 1))) continue;
      const second = at + 1 < end && text.charCodeAt(at + 1) === mark;
      const third = second && at + 2 < end && text.charCodeAt(at + 2) === mark;
      if (third && !this.tooDeep) return this.emphasized(text, start, at, at + 3);
      return second ? this.emphasis1(text, start - 2, end, mark) : this.emphasis2(text, start - 1, end, mark);
    }
    return undefined;
  }

  private closes(text: string, at: number, after: number, end: number, mark: number): boolean {
    const next = after < end ? text.charCodeAt(after) : CHAR.space;
    return (
      text.charCodeAt(at) === mark &&
      rightFlanking(text.charCodeAt(at - 1), next) &&
      !(mark === CHAR.underscore && isLetterOrDigit(next)) &&
      !this.tooDeep
    );
  }

  private emphasized(text: string, start: number, end: number, after: number): number {
    this.depth++;
    this.scan(text, start, end);
    this.depth--;
    return after;
  }

  private findMark(text: string, start: number, end: number, mark: number): number | undefined {
    const found = findMark(text, start, end, mark);
    this.budget.spend((found ?? end) - start);
    return found;
  }
}

/** Whether the ")" at `at` follows a backslash. */
function isEscaped(text: string, at: number): boolean {
  return text.charCodeAt(at - 1) === CHAR.backslash;
}

function leftFlanking(before: number, after: number): boolean {
  if (isSpace(after)) return false;
  return isLetterOrDigit(after) || !isLetterOrDigit(before);
}

function rightFlanking(before: number, after: number): boolean {
  if (isSpace(before)) return false;
  return isLetterOrDigit(before) || !isLetterOrDigit(after);
}

/** Position after the code span, or after the opening backticks when it is not closed. */
export function skipCodeSpan(text: string, at: number, end: number): number {
  const bodyStart = skip(text, at, end, (code) => code === CHAR.backtick);
  const marks = bodyStart - at;
  let run = 0;
  let position = bodyStart;
  for (; position < end && run < marks; position++) {
    run = text.charCodeAt(position) === CHAR.backtick ? run + 1 : 0;
  }
  return run === marks ? position : bodyStart;
}

/**
 * The next emphasis mark after `start`, not counting escaped ones and those in code spans and links. A link
 * that is not closed gives up the first mark inside it.
 */
function findMark(text: string, start: number, end: number, mark: number): number | undefined {
  let at = text.charCodeAt(start) === CHAR.backtick ? start : start + 1;
  const code = (position: number) => text.charCodeAt(position);
  while (at < end) {
    while (at < end && code(at) !== mark && code(at) !== CHAR.backtick && code(at) !== CHAR.openBracket) at++;
    if (at >= end) return undefined;
    if (at > start && code(at - 1) === CHAR.backslash) {
      at++;
      continue;
    }
    if (code(at) === mark) return at;
    if (code(at) === CHAR.backtick) {
      at = skipCodeSpan(text, at, end);
      continue;
    }
    let inside: number | undefined;
    const note = (position: number) => {
      if (inside === undefined && code(position) === mark) inside = position;
    };
    for (at++; at < end && code(at) !== CHAR.closeBracket; at++) note(at);
    at = skip(text, at + 1, end, isBlankOrNewline);
    if (at >= end) return inside;
    const bracket = code(at);
    if (bracket !== CHAR.openBracket && bracket !== CHAR.openParen) {
      if (inside !== undefined) return inside;
      continue;
    }
    // Stock looks for another opening bracket here, not for the closing one.
    for (at++; at < end && code(at) !== bracket; at++) note(at);
    if (at >= end) return inside;
    at++;
  }
  return undefined;
}

/** The target in "(target 'title')", whose inside is `text` from `start` to `end`. */
function inlineTarget(text: string, start: number, end: number): string {
  const code = (position: number) => text.charCodeAt(position);
  const isQuote = (position: number) => code(position) === CHAR.apostrophe || code(position) === CHAR.quote;
  let from = skip(text, start, end, isBlankOrNewline);
  let to = from;
  while (to < end && !isQuote(to)) to++;
  if (isQuote(to)) {
    const titleStart = to + 1;
    let titleEnd = end - 1;
    while (titleEnd > titleStart && isBlankOrNewline(code(titleEnd))) titleEnd--;
    // Without a closing quote the opening one belongs to the target.
    if (!isQuote(titleEnd)) to = titleStart;
  }
  while (to > from && isBlankOrNewline(code(to - 1))) to--;
  if (code(from) === CHAR.less) from++;
  if (to > start && code(to - 1) === CHAR.greater) to--;
  return text.slice(from, Math.max(from, to)).replaceAll("\\", "");
}
