/**
 * Second pass over Markdown: blocks (Fossil `src/markdown.c`). It finds which stretches of text are scanned
 * for links; code, HTML blocks (`<pre>`, `<script>`, `<html>`, comments, `<hr>`) and rules are not. The
 * first kind that fits wins:
 *
 *     # heading        blank line        rule: 3 or more of *, - or _       > quote
 *     code: four spaces or a tab         * + - item    1. 1) item           | table
 *     ``` fence or ~~~ fence             paragraph
 *
 * A quote, a list item and the like are parsed again from a copy without their prefixes. Prefixes have up
 * to three spaces before them. A paragraph ends at a blank line, a heading, a rule or a list item.
 */
import { htmlBlockEnd } from "./markup-markdown-html.ts";
import { type MarkdownInline, skipCodeSpan } from "./markup-markdown-inline.ts";
import {
  afterLine,
  bulletPrefix,
  codePrefix,
  isCellEnd,
  isEmptyLine,
  isFence,
  isRule,
  isTableLine,
  isUnderline,
  leadingSpaces,
  lineEnd,
  lineIndent,
  numberPrefix,
  quotedFenceEnd,
  quotePrefix,
} from "./markup-markdown-line.ts";
import { CHAR, isBlank, skip } from "./markup-text.ts";

/** Deeper nesting of lists and quotes is left alone, to bound the stack. */
const NESTING_MAX = 400;

export class MarkdownBlocks {
  constructor(private readonly inline: MarkdownInline) {}

  /** Parses `text` from `start` to `end` as a sequence of blocks. */
  parse(text: string, start: number, end: number): void {
    if (this.inline.depth > NESTING_MAX) return;
    this.inline.budget.spend(end - start);
    const bar = text.indexOf("|", start);
    const hasTable = bar >= 0 && bar < end;
    for (let at = start; at < end; ) at = this.block(text, at, end, hasTable);
  }

  /** Parses the block at `at`; returns the position after it. */
  private block(text: string, at: number, end: number, hasTable: boolean): number {
    const code = text.charCodeAt(at);
    if (code === CHAR.hash) return this.heading(text, at, end);
    if (code === CHAR.less) {
      const after = htmlBlockEnd(text, at, end);
      if (after !== undefined) return after;
    }
    if (isEmptyLine(text, at, end)) return lineEnd(text, at, end) + 1;
    if (isRule(text, at, end)) return lineEnd(text, at, end) + 1;
    if (quotePrefix(text, at, end) !== 0) return this.quote(text, at, end);
    if (codePrefix(text, at, end) !== 0) return this.indentedCode(text, at, end);
    if (bulletPrefix(text, at, end) !== 0 || numberPrefix(text, at, end) !== 0)
      return this.list(text, at, end);
    if (hasTable && isTableLine(text, at, end)) return this.table(text, at, end);
    if (isFence(text, at, end)) {
      const length = this.inline.codeSpan(text, at, end);
      if (length !== 0) return at + length;
    }
    return this.paragraph(text, at, end);
  }

  private nested(text: string, start: number, end: number): void {
    this.inline.depth++;
    this.parse(text, start, end);
    this.inline.depth--;
  }

  private span(text: string, start: number, end: number): void {
    this.inline.depth++;
    this.inline.scan(text, start, end);
    this.inline.depth--;
  }

  private heading(text: string, start: number, end: number): number {
    let marks = start;
    while (marks < end && marks - start < 6 && text.charCodeAt(marks) === CHAR.hash) marks++;
    const from = skip(text, marks, end, isBlank);
    const after = lineEnd(text, from, end);
    let to = after;
    while (to > start && text.charCodeAt(to - 1) === CHAR.hash) to--;
    while (to > start && isBlank(text.charCodeAt(to - 1))) to--;
    if (from === marks || to <= from) return this.paragraph(text, start, end);
    this.span(text, from, to);
    return after;
  }

  private paragraph(text: string, start: number, end: number): number {
    let at = start;
    let after = end;
    let underlined = false;
    while (at < end) {
      after = afterLine(text, at, end);
      if (isEmptyLine(text, at, end)) break;
      underlined = isUnderline(text, at, end);
      if (underlined) break;
      const endsHere =
        (at > start && text.charCodeAt(at) === CHAR.hash) ||
        isRule(text, at, end) ||
        bulletPrefix(text, at, end) !== 0 ||
        numberPrefix(text, at, end) !== 0;
      if (endsHere) {
        after = at;
        break;
      }
      at = after;
    }
    let to = at;
    while (to > start && text.charCodeAt(to - 1) === CHAR.newline) to--;
    if (underlined && to > start) {
      // The last line is the heading, what is before it a paragraph.
      let heading = to - 1;
      while (heading > start && text.charCodeAt(heading) !== CHAR.newline) heading--;
      if (heading > start) {
        let before = heading;
        while (before > start && text.charCodeAt(before - 1) === CHAR.newline) before--;
        if (before > start) {
          this.span(text, start, before);
          this.span(text, heading + 1, to);
          return after;
        }
      }
    }
    this.span(text, start, to);
    return after;
  }

  private quote(text: string, start: number, end: number): number {
    const fenceEnd = quotedFenceEnd(text, start, end);
    let copy = "";
    let after = end;
    for (let at = start; at < end; at = after) {
      after = at + 1;
      while (after < end && text.charCodeAt(after - 1) !== CHAR.newline) after++;
      const prefix = quotePrefix(text, at, after);
      const from = at + prefix;
      if (prefix === 0 && isEmptyLine(text, at, after)) {
        const goesOn =
          after < end &&
          (after <= fenceEnd || quotePrefix(text, after, end) !== 0 || isEmptyLine(text, after, end));
        if (!goesOn) break;
      }
      copy += text.slice(from, after);
    }
    this.inline.budget.spend(copy.length);
    if (!this.inline.tooDeep) this.nested(copy, 0, copy.length);
    return after;
  }

  private indentedCode(text: string, start: number, end: number): number {
    let at = start;
    while (at < end) {
      const after = afterLine(text, at, end);
      if (codePrefix(text, at, after) === 0 && !isEmptyLine(text, at, after)) break;
      at = after;
    }
    return at;
  }

  private list(text: string, start: number, end: number): number {
    let at = start;
    const list = { blocks: false, ended: false };
    this.inline.depth++;
    while (at < end && !list.ended) {
      const after = this.listItem(text, at, end, list);
      if (after === at) break;
      at = after;
    }
    this.inline.depth--;
    return at;
  }

  /** Parses the item at `start`; returns the position after it, `start` if there is no item. */
  private listItem(
    text: string,
    start: number,
    end: number,
    list: { blocks: boolean; ended: boolean },
  ): number {
    const indent = Math.min(3, leadingSpaces(text, start, end - 1));
    let at = start + (bulletPrefix(text, start, end) || numberPrefix(text, start, end));
    if (at === start) return start;
    let after = at;
    while (after < end && text.charCodeAt(after - 1) !== CHAR.newline) after++;
    let copy = text.slice(at, after);
    let sublist = 0;
    let afterEmpty = false;
    let hasEmpty = false;
    for (at = after; at < end; at = after) {
      after = at + 1;
      while (after < end && text.charCodeAt(after - 1) !== CHAR.newline) after++;
      if (isEmptyLine(text, at, after)) {
        afterEmpty = true;
        continue;
      }
      const isTab = text.charCodeAt(at) === CHAR.tab;
      const spaces = lineIndent(text, at, after);
      const drop = isTab ? 1 : spaces;
      const isBullet = bulletPrefix(text, at + drop, after) !== 0 && !isRule(text, at + drop, after);
      if (isBullet || numberPrefix(text, at + drop, after) !== 0) {
        if (afterEmpty) hasEmpty = true;
        if (!isTab && spaces === indent) break;
        if (sublist === 0) sublist = copy.length;
      } else if (afterEmpty && drop < 4 && !isTab) {
        list.ended = true;
        break;
      } else if (afterEmpty) {
        copy += "\n";
        hasEmpty = true;
      }
      afterEmpty = false;
      copy += text.slice(at + drop, after);
    }
    if (hasEmpty) list.blocks = true;
    this.itemBody(copy, sublist > 0 && sublist < copy.length ? sublist : copy.length, list.blocks);
    return at;
  }

  /** The item's text up to `sublist` is a line of text or blocks; what follows is blocks. */
  private itemBody(copy: string, sublist: number, blocks: boolean): void {
    this.inline.budget.spend(copy.length);
    this.inline.depth += 2;
    if (blocks) this.parse(copy, 0, sublist);
    else this.inline.scan(copy, 0, sublist);
    if (sublist < copy.length) this.parse(copy, sublist, copy.length);
    this.inline.depth -= 2;
  }

  private table(text: string, start: number, end: number): number {
    const headEnd = lineEnd(text, start, end);
    if (headEnd >= end) {
      this.tableRow(text, start, end);
      return end;
    }
    const isRulerChar = (code: number) =>
      isBlank(code) || code === CHAR.minus || code === CHAR.colon || code === CHAR.bar;
    const rulerEnd = skip(text, headEnd + 1, end, isRulerChar);
    let at = start;
    if (rulerEnd < end && text.charCodeAt(rulerEnd) === CHAR.newline) {
      this.tableRow(text, start, headEnd);
      at = rulerEnd + 1;
    }
    while (at < end && isTableLine(text, at, end)) at = this.tableRow(text, at, end);
    return at;
  }

  /** Scans the cells of one row; returns the position after its line. */
  private tableRow(text: string, start: number, end: number): number {
    let at = skip(text, start, end, isBlank);
    if (at < end && text.charCodeAt(at) === CHAR.bar) at++;
    let after = 0;
    this.inline.depth += 2;
    while (at < end && after === 0) {
      if (text.charCodeAt(at) === CHAR.colon) at++;
      const from = skip(text, at, end, isBlank);
      at = from;
      while (at < end && !isCellEnd(text, at, start) && text.charCodeAt(at) !== CHAR.newline) {
        at = text.charCodeAt(at) === CHAR.backtick ? skipCodeSpan(text, at, end) : at + 1;
      }
      let to = at;
      if (at < end) {
        at++;
        if (text.charCodeAt(at - 1) === CHAR.newline) after = at;
      }
      if (at > from && text.charCodeAt(to - 1) === CHAR.colon) to--;
      while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
      if (after !== 0 && to <= from) continue;
      if (to >= from) this.inline.scan(text, from, to);
    }
    this.inline.depth -= 2;
    return after === 0 ? end : after;
  }
}
