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
 * The targets of all links in `text`, in order, repeated when the text repeats them.
 *
 * @param text one character per byte
 * @param htmlOnly the setting `wiki-use-html`: tags mean nothing, every bracket is a link
 */
export function wikiLinkTargets(text: string, htmlOnly = false): string[] {
  const targets: string[] = [];
  // A NUL ends the text, as in C.
  const nul = text.indexOf("\0");
  const end = nul < 0 ? text.length : nul;
  const lastBracket = text.lastIndexOf("]", end - 1);
  const lastTagEnd = text.lastIndexOf(">", end - 1);
  let wiki = true;
  let verbatim = false;
  let wikiBeforeVerbatim = true;
  let endless = false;

  for (let at = 0; at < end; ) {
    const char = text.charCodeAt(at);
    if (char === OPEN_BRACKET && wiki && at < lastBracket) {
      const close = text.indexOf("]", at);
      targets.push(targetOf(text, at + 1, close));
      at = close + 1;
    } else if (char === LESS_THAN && !htmlOnly && at < lastTagEnd) {
      const length = tagLength(text, at, end);
      if (length === 0) {
        at++;
        continue;
      }
      const { name, closing, nameEnd } = tagName(text, at);
      if (verbatim) {
        if (name === "verbatim" && closing && !endless) {
          verbatim = false;
          wiki = wikiBeforeVerbatim;
          at += length;
        } else at++;
        continue;
      }
      if (!ELEMENTS.has(name)) {
        at++;
        continue;
      }
      if (name === "nowiki") wiki = closing;
      else if (name === "verbatim" && !closing) {
        verbatim = true;
        wikiBeforeVerbatim = wiki;
        wiki = false;
        endless = hasId(text, nameEnd);
      }
      at += length;
    } else at++;
  }
  return targets;
}

const OPEN_BRACKET = 0x5b;
const LESS_THAN = 0x3c;

function targetOf(text: string, start: number, close: number): string {
  const bar = text.indexOf("|", start);
  let end = bar >= 0 && bar < close ? bar : close;
  while (end > start + 1 && text.charCodeAt(end - 1) === 0x20) end--;
  return text.slice(start, end);
}

/** Length of the tag that starts with the "<" at `start`, or 0 if there is none. */
function tagLength(text: string, start: number, end: number): number {
  let at = start + 1;
  if (text[at] === "/") at++;
  if (!isLetter(text, at)) return 0;
  while (isLetterOrDigit(text, at) || text[at] === "-") at++;
  if (text[at] === "/" && text[at + 1] === ">") return at + 2 - start;
  if (text[at] !== ">" && !isSpace(text, at)) return 0;
  let quote = "";
  for (; at < end; at++) {
    const char = text[at]!;
    if (quote !== "") {
      if (char === quote) quote = "";
    } else if (char === ">") return at + 1 - start;
    else if (char === '"' || char === "'") quote = char;
  }
  return 0;
}

function tagName(text: string, start: number): { name: string; closing: boolean; nameEnd: number } {
  const closing = text[start + 1] === "/";
  const nameStart = start + (closing ? 2 : 1);
  let nameEnd = nameStart;
  while (isLetterOrDigit(text, nameEnd)) nameEnd++;
  return { name: text.slice(nameStart, nameEnd).slice(0, NAME_MAX_LENGTH).toLowerCase(), closing, nameEnd };
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
    while (isSpace(text, at)) at++;
    if (seen.size >= ATTRIBUTE_MAX_COUNT || !isLetter(text, at)) break;
    const nameStart = at;
    while (isLetterOrDigit(text, at)) at++;
    const name = text.slice(nameStart, at).slice(0, NAME_MAX_LENGTH).toLowerCase();
    let counts = ATTRIBUTES.has(name) && !seen.has(name);
    let hasValue = false;
    let last = false;
    while (isSpace(text, at)) at++;
    if (text[at] === "=") {
      at++;
      while (isSpace(text, at)) at++;
      hasValue = true;
      const quote = text[at];
      if (quote === '"' || quote === "'") {
        const close = text.indexOf(quote, at + 1);
        at = close < 0 ? text.length : close;
      } else {
        for (; at < text.length && !isSpace(text, at) && text[at] !== ">"; at++) {
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

function isSpace(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}

function isLetter(text: string, at: number): boolean {
  const code = text.charCodeAt(at) | 0x20;
  return code >= 0x61 && code <= 0x7a;
}

function isLetterOrDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return (code >= 0x30 && code <= 0x39) || isLetter(text, at);
}
