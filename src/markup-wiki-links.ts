/**
 * Hyperlink targets in Fossil-wiki text, as stock collects them for its table of backlinks (Fossil
 * `src/wikiformat.c`). Nothing is rendered; the text is scanned once.
 *
 *     [target]            target is what stands before "|" or "]", without trailing spaces; a link may
 *     [target|label]      span lines and ends at the next "]"
 *     <nowiki>…</nowiki>  no links inside; the tags need not balance
 *     <verbatim>…</verbatim>
 *                         no links inside and no other tag counts
 *
 * A tag is "<", optional "/", a letter, letters, digits and "-", then white space and attributes up to ">"
 * (a quoted ">" does not end it), or at once "/>". A known tag is skipped whole; in an unknown one only
 * the "<" is, so that a link inside its attributes counts. Anything else that begins with "<" is text.
 *
 * What stock does and a reader may not expect: `<verbatim id=X>` is not ended by any end tag (stock compares
 * the ids only after it has put back the text behind them, so they never agree).
 *
 * Text is a string of bytes (one character per byte, as `latin1` makes it): offsets and classes are those
 * of bytes, as in stock.
 */

import { MARKUP_WORK_MAX_STEPS } from "./limits.ts";
import { CHAR, isLetter, isLetterOrDigit, isSpace, WorkBudget, WorkExceeded } from "./markup-text.ts";

/** Every element that wiki text may use; others are shown as plain text. */
const ELEMENTS = new Set(
  (
    "a abbr address article aside b big blockquote br caption center cite code col colgroup dd del details " +
    "dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd label li mark " +
    "meter nav nobr nowiki ol p picture pre progress q s samp section small source span strike strong sub " +
    "summary sup table tbody td tfoot th thead time title tr tt u ul var verbatim wbr"
  ).split(" "),
);

/** Attributes that count, whatever the element. */
const ATTRIBUTES = new Set(
  (
    "align alt bgcolor border cellpadding cellspacing cite class clear color colspan compact datetime face " +
    "for height high href hspace id links low max media min name open optimum rowspan size sizes src srcset " +
    "start style target title type valign value vspace width"
  ).split(" "),
);

const ATTRIBUTE_MAX_COUNT = 8;
const NAME_MAX_LENGTH = 99;

/**
 * The targets of all links in `text`, in order, repeated when the text repeats them. A text whose scan would
 * take more than `maxSteps` character steps, which is one full of tags that are not closed, yields those
 * found until then.
 *
 * @param text one character per byte
 * @param htmlOnly the setting `wiki-use-html`: tags mean nothing, every bracket is a link
 */
export function wikiLinkTargets(text: string, htmlOnly = false, maxSteps = MARKUP_WORK_MAX_STEPS): string[] {
  // A NUL ends the text, as in C.
  const nul = text.indexOf("\0");
  const scanner = new WikiScanner(nul < 0 ? text : text.slice(0, nul), new WorkBudget(maxSteps));
  try {
    scanner.scan(htmlOnly);
  } catch (error) {
    if (!(error instanceof WorkExceeded)) throw error;
  }
  return scanner.targets;
}

class WikiScanner {
  readonly targets: string[] = [];
  /** Whether a bracket is a link here. */
  private hasLinks = true;
  /** Inside `<verbatim>`: what `hasLinks` was before, and whether an end tag can end it. */
  private verbatim: { readonly hadLinks: boolean; readonly ends: boolean } | undefined;

  constructor(
    private readonly text: string,
    private readonly budget: WorkBudget,
  ) {}

  scan(htmlOnly: boolean): void {
    const { text } = this;
    const lastBracket = text.lastIndexOf("]");
    const lastTagEnd = text.lastIndexOf(">");
    for (let at = 0; at < text.length; ) {
      const char = text.charCodeAt(at);
      if (char === CHAR.openBracket && this.hasLinks && at < lastBracket) {
        const close = text.indexOf("]", at);
        this.targets.push(targetOf(text.slice(at + 1, close)));
        at = close + 1;
      } else if (char === CHAR.less && !htmlOnly && at < lastTagEnd) at += this.tag(at);
      else at++;
    }
  }

  /** Takes the tag at `at`; returns how far to go on: 1 unless it is taken as a tag. */
  private tag(at: number): number {
    const length = this.tagLength(at);
    if (length === 0) return 1;
    const { name, isEnd, nameEnd } = tagName(this.text, at);
    if (this.verbatim !== undefined) {
      if (name !== "verbatim" || !isEnd || !this.verbatim.ends) return 1;
      this.hasLinks = this.verbatim.hadLinks;
      this.verbatim = undefined;
    } else if (!ELEMENTS.has(name)) return 1;
    else if (name === "nowiki") this.hasLinks = isEnd;
    else if (name === "verbatim" && !isEnd) {
      this.verbatim = { hadLinks: this.hasLinks, ends: !hasId(this.text, nameEnd) };
      this.hasLinks = false;
    }
    return length;
  }

  /** Length of the tag that starts with the "<" at `start`, or 0 if there is none. */
  private tagLength(start: number): number {
    const { text } = this;
    let at = start + 1;
    if (text[at] === "/") at++;
    if (!isLetter(text.charCodeAt(at))) return 0;
    while (isLetterOrDigit(text.charCodeAt(at)) || text[at] === "-") at++;
    if (text[at] === "/" && text[at + 1] === ">") return at + 2 - start;
    if (text[at] !== ">" && !isSpace(text.charCodeAt(at))) return 0;
    let quote = 0;
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (quote !== 0) {
        if (code === quote) quote = 0;
      } else if (code === CHAR.greater) break;
      else if (code === CHAR.quote || code === CHAR.apostrophe) quote = code;
    }
    this.budget.spend(at - start);
    return at < text.length ? at + 1 - start : 0;
  }
}

function targetOf(inside: string): string {
  const bar = inside.indexOf("|");
  let end = bar < 0 ? inside.length : bar;
  while (end > 1 && inside.charCodeAt(end - 1) === CHAR.space) end--;
  return inside.slice(0, end);
}

function tagName(text: string, start: number): { name: string; isEnd: boolean; nameEnd: number } {
  const isEnd = text[start + 1] === "/";
  const nameStart = start + (isEnd ? 2 : 1);
  let nameEnd = nameStart;
  while (isLetterOrDigit(text.charCodeAt(nameEnd))) nameEnd++;
  return { name: text.slice(nameStart, nameEnd).slice(0, NAME_MAX_LENGTH).toLowerCase(), isEnd, nameEnd };
}

/**
 * Whether a `<verbatim>` tag whose name ends at `at` has an id that its end tag would have to repeat: an
 * attribute `id` (or the form `<verbatim-ID>`), provided the first attribute that counts has a value.
 */
function hasId(text: string, at: number): boolean {
  if (text[at] === "-") return true;
  const seen = new Set<string>();
  let firstHasValue = false;
  for (;;) {
    while (isSpace(text.charCodeAt(at))) at++;
    if (seen.size >= ATTRIBUTE_MAX_COUNT || !isLetter(text.charCodeAt(at))) break;
    const nameStart = at;
    while (isLetterOrDigit(text.charCodeAt(at))) at++;
    const name = text.slice(nameStart, at).slice(0, NAME_MAX_LENGTH).toLowerCase();
    let counts = ATTRIBUTES.has(name) && !seen.has(name);
    let hasValue = false;
    let last = false;
    while (isSpace(text.charCodeAt(at))) at++;
    if (text[at] === "=") {
      at++;
      while (isSpace(text.charCodeAt(at))) at++;
      hasValue = true;
      const quote = text[at];
      if (quote === '"' || quote === "'") {
        const close = text.indexOf(quote, at + 1);
        at = close < 0 ? text.length : close;
      } else {
        for (; at < text.length && !isSpace(text.charCodeAt(at)) && text[at] !== ">"; at++) {
          if (text[at] === "'" || text[at] === '"') counts = false;
        }
        last = counts && text[at] === ">";
      }
      at++;
    }
    if (counts) {
      if (seen.size === 0) firstHasValue = hasValue;
      seen.add(name);
    }
    if (last) break;
  }
  return seen.has("id") && firstHasValue;
}
