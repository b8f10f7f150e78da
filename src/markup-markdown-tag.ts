/**
 * Tags, comments and autolinks inside a line of Markdown (Fossil `src/markdown.c`): what begins with "<" and
 * is taken as a whole, so that nothing in it is Markdown.
 */
import { CHAR, isBlankOrNewline, isDigit, isLetter, skip } from "./markup-text.ts";

/** Length of the tag, comment or autolink that starts with the "<" at `start`; 0 if none does. */
export function tagLength(text: string, start: number, end: number): number {
  const size = end - start;
  if (size < 3) return 0;
  const code = (offset: number) => text.charCodeAt(start + offset);
  let at = code(1) === CHAR.slash ? 2 : 1;
  if (!isLetter(code(at))) {
    if (size < 7 || !text.startsWith("<!--", start)) return 0;
    // The ">" of a comment is left over as plain text.
    const close = text.indexOf("-->", start + 4);
    return close < 0 || close + 2 >= end ? 0 : close + 2 - start;
  }
  const head = text.slice(start + 1, start + 9).toLowerCase();
  let isUrl = false;
  if (size > 6 && /^https?:/.test(head)) {
    at = head[4] === ":" ? 6 : 7;
    isUrl = true;
  } else if (size > 5 && head.startsWith("ftp:")) {
    at = 5;
    isUrl = true;
  } else if (size > 7 && head.startsWith("mailto:")) at = 8;

  if (at < size) {
    if (isUrl) {
      const from = at;
      while (at < size && !endsUrl(code(at))) at++;
      if (at >= size) return 0;
      if (at > from && code(at) === CHAR.greater) return at + 1;
    } else {
      const address = mailAddressLength(text, start + at, end);
      if (address !== 0) return at + address;
    }
  }
  while (at < size && code(at) !== CHAR.greater) at++;
  return at >= size ? 0 : at + 1;
}

function endsUrl(code: number): boolean {
  return code === CHAR.greater || code === CHAR.apostrophe || code === CHAR.quote || isBlankOrNewline(code);
}

/** Length of "address>", whose address has exactly one "@"; else 0. */
function mailAddressLength(text: string, start: number, end: number): number {
  const isPart = (code: number) =>
    isLetter(code) ||
    isDigit(code) ||
    code === CHAR.minus ||
    code === CHAR.dot ||
    code === CHAR.underscore ||
    code === CHAR.at;
  const close = skip(text, start, end, isPart);
  if (close >= end || text.charCodeAt(close) !== CHAR.greater) return 0;
  const ats = text.slice(start, close).split("@").length - 1;
  return ats === 1 ? close + 1 - start : 0;
}
