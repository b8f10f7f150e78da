/**
 * First pass over a Markdown document: link definitions and footnote definitions are taken out, line ends
 * become LF, and what remains is parsed by `markup-markdown-block.ts` (Fossil `src/markdown.c`).
 *
 *     [label]: target "title"      up to three spaces before; the target or the title may stand on the
 *                                  next line; no space in the target, which may be in <…>
 *     [^label]: text               at the start of a line; goes on in lines indented alike, by two
 *                                  spaces or more; ".class.class:" may come first
 *
 * Labels are compared without regard to ASCII case, white space collapsed and trimmed. Of several link
 * definitions with one label a binary search over the sorted list finds one; several footnotes with one
 * label become one.
 */
import { CHAR, isBlank, isBlankOrNewline, isLetterOrDigit, isSpace, skip } from "./markup-text.ts";

interface LinkDefinition {
  readonly label: string;
  readonly target: string;
}

export interface Footnote {
  readonly label: string;
  readonly text: string;
  /** Order of definition. */
  readonly order: number;
  /** 0 until the first use, then the number shown to readers. */
  mark: number;
  uses: number;
  rendered: boolean;
}

/** Link and footnote definitions of one document. */
export class MarkdownRefs {
  private readonly links: LinkDefinition[] = [];
  private readonly labelled: Footnote[] = [];
  private labelledCount = 0;
  /** Labelled ones first, then inline ones as they are met. */
  readonly notes: Footnote[] = [];
  /** Numbers given out so far. */
  marks = 0;

  defineLink(label: string, target: string): void {
    this.links.push({ label, target });
  }

  defineNote(label: string, text: string): void {
    this.labelled.push(newNote(label, text, this.labelled.length));
  }

  /** To be called once, between the passes. */
  settle(): void {
    this.links.sort((a, b) => compare(a.label, b.label));
    const byLabel = new Map<string, Footnote[]>();
    for (const note of this.labelled) {
      const same = byLabel.get(note.label);
      if (same === undefined) byLabel.set(note.label, [note]);
      else same.push(note);
    }
    for (const label of [...byLabel.keys()].sort(compare)) {
      const [first, ...others] = byLabel.get(label)!;
      if (others.length === 0) this.notes.push(first!);
      else {
        const items = [first!, ...others].map(({ text }) => `<li>${text}</li>\n`);
        const joined = `<ul class='fn-joined'>\n${items.join("")}</ul>\n`;
        this.notes.push(newNote(label, joined, first!.order));
      }
    }
    this.labelled.length = 0;
    this.labelledCount = this.notes.length;
  }

  /** The target defined for a label as written, or `undefined`. */
  findLink(writtenLabel: string): string | undefined {
    const label = normalizeLabel(writtenLabel);
    if (label === undefined) return undefined;
    return binarySearch(this.links, this.links.length, label)?.target;
  }

  /** Counts a reference to a footnote by its label as written. */
  useNote(writtenLabel: string): void {
    const label = normalizeLabel(writtenLabel);
    if (label === undefined) return;
    const note = binarySearch(this.notes, this.labelledCount, label);
    if (note === undefined) return;
    if (note.uses === 0) note.mark = ++this.marks;
    note.uses++;
  }

  /** Adds a footnote written where it is used. Blank text makes none. */
  addInlineNote(text: string): boolean {
    let body = text.slice(blankPrefix(text));
    const classes = classListLength(body);
    const rest = body.slice(classes);
    if (skip(rest, 0, rest.length, isSpace) === rest.length) {
      if (classes === 0) return false;
      body = body.slice(0, classes);
    } else body = rest;
    const note = newNote("", body, this.notes.length);
    note.mark = ++this.marks;
    note.uses = 1;
    this.notes.push(note);
    return true;
  }
}

function newNote(label: string, text: string, order: number): Footnote {
  return { label, text, order, mark: 0, uses: 0, rendered: false };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function binarySearch<T extends { readonly label: string }>(
  sorted: readonly T[],
  count: number,
  label: string,
): T | undefined {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    const order = compare(label, sorted[middle]!.label);
    if (order === 0) return sorted[middle];
    if (order < 0) high = middle;
    else low = middle + 1;
  }
  return undefined;
}

/** `undefined` when nothing is left. */
function normalizeLabel(written: string): string | undefined {
  const words = written.split(/[ \t\n]+/).filter((word) => word !== "");
  if (words.length === 0) return undefined;
  return words.join(" ").replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** Blanks, at most one line end, and the blanks after it. */
function blankPrefix(text: string): number {
  return /^[ \t]*(?:\r\n|\n|\r)?[ \t]*/.exec(text)![0].length;
}

/** Length of ".class.class:" at the start of `text`, provided white space follows; else 0. */
function classListLength(text: string): number {
  if (text.charCodeAt(0) !== CHAR.dot) return 0;
  for (let at = 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (isLetterOrDigit(code) || code === CHAR.minus) continue;
    if (text.charCodeAt(at - 1) === CHAR.dot) return 0;
    if (code === CHAR.colon) return isSpace(text.charCodeAt(at + 1)) ? at + 1 : 0;
    if (code !== CHAR.dot) return 0;
  }
  return 0;
}

/** Takes the definitions out of `source` into `refs` and returns the rest, with LF line ends. */
export function takeDefinitions(source: string, refs: MarkdownRefs): string {
  let rest = "";
  const end = source.length;
  for (let at = 0; at < end; ) {
    const after = takeLink(source, at, refs) ?? takeNote(source, at, refs);
    if (after !== undefined) {
      at = after;
      continue;
    }
    const lineEnd = skip(source, at, end, isNotLineEnd);
    rest += source.slice(at, lineEnd);
    at = lineEnd;
    for (; at < end && !isNotLineEnd(source.charCodeAt(at)); at++) {
      const isFeed = source.charCodeAt(at) === CHAR.newline;
      if (isFeed || (at + 1 < end && source.charCodeAt(at + 1) !== CHAR.newline)) rest += "\n";
    }
  }
  return rest;
}

function isNotLineEnd(code: number): boolean {
  return code !== CHAR.newline && code !== CHAR.return;
}

function isNotWhite(code: number): boolean {
  return !isBlankOrNewline(code) && code !== CHAR.return;
}

/** Position after the link definition that starts the line at `start`, or `undefined` if none does. */
function takeLink(source: string, start: number, refs: MarkdownRefs): number | undefined {
  const end = source.length;
  const code = (at: number) => source.charCodeAt(at);
  if (start + 3 >= end) return undefined;
  let at = start;
  while (at < start + 4 && code(at) === CHAR.space) at++;
  if (at === start + 4 || code(at) !== CHAR.openBracket) return undefined;
  const labelStart = ++at;
  if (at >= end || code(at) === CHAR.caret) return undefined;
  while (at < end && isNotLineEnd(code(at)) && code(at) !== CHAR.closeBracket) at++;
  const labelEnd = at;
  if (at >= end || code(at) !== CHAR.closeBracket || code(at + 1) !== CHAR.colon) return undefined;

  at = skip(source, at + 2, end, isBlank);
  if (at < end && !isNotLineEnd(code(at))) {
    at++;
    if (at < end && code(at) === CHAR.return && code(at - 1) === CHAR.newline) at++;
  }
  at = skip(source, at, end, isBlank);
  if (at >= end) return undefined;
  if (code(at) === CHAR.less) at++;
  const targetStart = at;
  at = skip(source, at, end, isNotWhite);
  const targetEnd = code(at - 1) === CHAR.greater ? at - 1 : at;

  at = skip(source, at, end, isBlank);
  if (at < end && isNotLineEnd(code(at)) && !isTitleStart(code(at))) return undefined;
  let lineEnd = 0;
  if (at >= end || !isNotLineEnd(code(at))) lineEnd = at;
  if (at + 1 < end && code(at) === CHAR.newline && code(at + 1) === CHAR.return) lineEnd = at + 1;
  if (lineEnd !== 0) at = skip(source, lineEnd + 1, end, isBlank);

  if (at + 1 < end && isTitleStart(code(at))) {
    const titleStart = at + 1;
    at = skip(source, titleStart, end, isNotLineEnd);
    const pair = at + 1 < end && code(at) === CHAR.newline && code(at + 1) === CHAR.return;
    const titleLineEnd = pair ? at + 1 : at;
    at--;
    while (at > titleStart && isBlank(code(at))) at--;
    if (at > titleStart && isTitleEnd(code(at))) lineEnd = titleLineEnd;
  }
  if (lineEnd === 0) return undefined;
  const label = normalizeLabel(source.slice(labelStart, labelEnd));
  if (label === undefined) return undefined;
  refs.defineLink(label, source.slice(targetStart, targetEnd));
  return lineEnd;
}

function isTitleStart(code: number): boolean {
  return code === CHAR.apostrophe || code === CHAR.quote || code === CHAR.openParen;
}

function isTitleEnd(code: number): boolean {
  return code === CHAR.apostrophe || code === CHAR.quote || code === CHAR.closeParen;
}

/** Position after the footnote definition that starts the line at `start`, or `undefined` if none does. */
function takeNote(source: string, start: number, refs: MarkdownRefs): number | undefined {
  const end = source.length;
  if (start + 5 >= end || !source.startsWith("[^", start)) return undefined;
  const head = /\[\^([^\]\n\r]*)\]:[ \t]*/y;
  head.lastIndex = start;
  const match = head.exec(source);
  if (match === null) return undefined;
  let at = start + match[0].length;
  const label = normalizeLabel(match[1]!);
  if (at >= end || label === undefined) return undefined;

  let text = "";
  let classes: string | undefined;
  if (isNotLineEnd(source.charCodeAt(at))) {
    classes = source.slice(at, at + classListLength(source.slice(at, lineEndOf(source, at) + 1)));
    at += classes.length;
    const next = afterLine(source, at);
    text = source.slice(at, next);
    at = next;
  } else at = afterLine(source, at);

  const indent = skip(source, at, end, (code) => code === CHAR.space) - at;
  if (at + indent < end && indent >= 2) {
    const spaces = source.slice(at, at + indent);
    while (at + indent < end && source.startsWith(spaces, at)) {
      at += indent;
      if (classes === undefined) {
        const from = skip(source, at, end, isBlank);
        classes = source.slice(from, from + classListLength(source.slice(from, lineEndOf(source, from) + 1)));
        if (classes !== "") at = from + classes.length;
      }
      const next = afterLine(source, at);
      text += source.slice(at, next);
      at = next;
    }
  }
  if (text === "") return undefined;
  text = text.replace(/[ \t\n\v\f\r]+$/, "");
  if (text === "") {
    if (classes === undefined || classes === "") return undefined;
    text = classes;
  }
  refs.defineNote(label, text);
  return at;
}

function lineEndOf(source: string, at: number): number {
  return skip(source, at, source.length, isNotLineEnd);
}

/** Position after the line that `at` is in, its line end (LF, CR or CR LF) included. */
function afterLine(source: string, at: number): number {
  const lineEnd = lineEndOf(source, at);
  if (lineEnd >= source.length) return lineEnd;
  const crlf = source.charCodeAt(lineEnd) === CHAR.return && source.charCodeAt(lineEnd + 1) === CHAR.newline;
  return lineEnd + (crlf ? 2 : 1);
}
