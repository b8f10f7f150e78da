/**
 * HTML blocks in Markdown (Fossil `src/markdown.c`): `<html>`, `<pre>` and `<script>` up to their end tag,
 * comments, and `<hr>`, each followed by a blank line (or, after a comment or `<hr>`, by the end of the
 * line). Nothing in them is Markdown.
 */
import { isEmptyLine, lineEnd } from "./markup-markdown-line.ts";
import { isLetterOrDigit, skip } from "./markup-text.ts";

/** Position after the HTML block at `start`, or `undefined`. */
export function htmlBlockEnd(text: string, start: number, end: number): number | undefined {
  const size = end - start;
  if (size < 2) return undefined;
  const nameEnd = skip(text, start + 1, end, isLetterOrDigit);
  const name = nameEnd >= end ? "" : text.slice(start + 1, nameEnd).toLowerCase();
  if (name !== "html" && name !== "pre" && name !== "script") {
    if (size > 5 && text.startsWith("<!--", start)) {
      const close = text.indexOf("-->", start + 3);
      const after = close + 3;
      if (close >= 0 && after < end && isEmptyLine(text, after, end)) return lineEnd(text, after, end) + 1;
    }
    if (size > 4 && /^hr/i.test(text.slice(start + 1, start + 3))) {
      const close = text.indexOf(">", start + 3);
      const after = close + 1;
      if (close >= 0 && after < end && isEmptyLine(text, after, end)) return lineEnd(text, after, end) + 1;
    }
    return undefined;
  }
  const endTag = new RegExp(`</${name}>`, "gi");
  endTag.lastIndex = start + 1;
  for (let match = endTag.exec(text); match !== null && endTag.lastIndex <= end; match = endTag.exec(text)) {
    const after = blankLinesEnd(text, endTag.lastIndex, end);
    if (after !== undefined) return after;
  }
  return undefined;
}

/** Position after the rest of this line and the next, if both are blank (or the text ends). */
function blankLinesEnd(text: string, at: number, end: number): number | undefined {
  for (let line = 0; line < 2 && at < end; line++) {
    if (!isEmptyLine(text, at, end)) return undefined;
    at = lineEnd(text, at, end) + 1;
  }
  return at;
}
