/**
 * The difference of two texts, as lines and in the unified form that `patch` reads.
 *
 *     @@ -3,7 +3,8 @@            first line and count in the old text, and in the new one
 *      a line in both
 *     -a line of the old text
 *     +a line of the new text
 *
 * A text is bytes without NUL and without a line of more than 32,767 bytes; anything else is binary and has no difference
 * by lines. A byte order mark is left out, and UTF-16 behind one is read as UTF-8. Lines end at a newline, which is no
 * part of them; whether the last one has one is not told, as in Fossil. Strings of this module are raw: a code unit from 0
 * to 255 for each byte.
 *
 * Source of the rules: Fossil `src/diff.c`, `text_diff` and `contextDiff`.
 */
import { latin1, utf8 } from "./bytes.ts";
import { trimTrailing } from "./diff-block.ts";
import { type Edit, matchLines } from "./diff-match.ts";
import { DIFF_LINE_MAX_BYTES } from "./limits.ts";

export interface DiffOptions {
  /** Blanks at the ends of lines, or all blanks, do not count. */
  readonly ignore?: "trailing-space" | "all-space";
  /** A carriage return at the end of a line does not count and is not shown. */
  readonly stripCr?: boolean;
}

export interface TextDiff {
  readonly from: readonly string[];
  readonly to: readonly string[];
  readonly edits: readonly Edit[];
}

/** Lines around each change that are shown, as stock shows. */
export const CONTEXT_LINES = 5;

/** The difference by lines; `undefined` when one of the two is binary. */
export function diffText(from: Uint8Array, to: Uint8Array, options: DiffOptions = {}): TextDiff | undefined {
  const [lines1, lines2] = [splitLines(from, options.stripCr), splitLines(to, options.stripCr)];
  if (lines1 === undefined || lines2 === undefined) return undefined;
  return {
    from: lines1,
    to: lines2,
    edits: matchLines(lines1, lines2, LINE_KEYS[options.ignore ?? "nothing"]),
  };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: what Fossil skips at the beginning
const LEADING = /^[\u0000-\u0020]+/;
const BLANKS = /[\b\t\n\f\r ]+/g;
/** What of a line counts. */
export const LINE_KEYS = {
  nothing: undefined,
  "trailing-space": trimTrailing,
  "all-space": (line: string) => line.replace(LEADING, "").replace(BLANKS, ""),
} as const;

/** The lines of a text, raw; `undefined` when it is binary. */
export function splitLines(content: Uint8Array, stripCr = false): string[] | undefined {
  const bytes = withoutMark(content);
  if (bytes.includes(0)) return undefined;
  const lines = latin1(bytes).split("\n");
  if (lines.at(-1) === "") lines.pop();
  if (lines.some((line) => line.length > DIFF_LINE_MAX_BYTES)) return undefined;
  return stripCr ? lines.map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line)) : lines;
}

/** A text without its byte order mark, in UTF-8. */
export function withoutMark(content: Uint8Array): Uint8Array {
  const [first, second, third] = content;
  if (first === 0xef && second === 0xbb && third === 0xbf) return content.subarray(3);
  const isLittle = first === 0xff && second === 0xfe;
  if ((!isLittle && !(first === 0xfe && second === 0xff)) || content.length % 2 !== 0) return content;
  return utf8(new TextDecoder(isLittle ? "utf-16le" : "utf-16be").decode(content));
}

/** How many lines were added and taken away. */
export function countChanges({ edits }: TextDiff): { inserted: number; removed: number } {
  let [inserted, removed] = [0, 0];
  for (const edit of edits) {
    inserted += edit.inserted;
    removed += edit.removed;
  }
  return { inserted, removed };
}

/** Does anything differ? */
export function isSame({ edits }: TextDiff): boolean {
  return edits.every(({ inserted, removed }) => inserted === 0 && removed === 0);
}

/** The unified form, raw: empty when nothing differs. */
export function unified(diff: TextDiff, context = CONTEXT_LINES): string {
  const { from, to } = diff;
  const edits = diff.edits.filter(({ removed, inserted }) => removed > 0 || inserted > 0);
  const ending = diff.edits.slice(edits.length).reduce((sum, { copied }) => sum + copied, 0);
  let text = "";
  let [at1, at2] = [0, 0];
  for (let first = 0, past: number; first < edits.length; first = past) {
    past = first + 1;
    while (past < edits.length && edits[past]!.copied > 0 && edits[past]!.copied < context * 2) past++;
    const before = Math.min(edits[first]!.copied, context);
    at1 += edits[first]!.copied - before;
    at2 += edits[first]!.copied - before;
    const isLast = past === edits.length;
    // As in stock, a short ending is shown whole unless there is only one hunk.
    const isWhole = isLast && first > 0 && ending < context * 2;
    const after = isWhole ? ending : Math.min(isLast ? ending : edits[past]!.copied, context);
    const [start1, start2] = [at1, at2];
    let body = "";
    const show = (mark: string, lines: readonly string[], at: number, count: number) => {
      for (let i = at; i < at + count; i++) body += `${mark}${lines[i]!}\n`;
    };
    for (let i = first; i < past; i++) {
      const { copied, removed, inserted } = edits[i]!;
      const shared = i === first ? before : copied;
      show(" ", from, at1, shared);
      show("-", from, at1 + shared, removed);
      show("+", to, at2 + shared, inserted);
      at1 += shared + removed;
      at2 += shared + inserted;
    }
    show(" ", from, at1, after);
    const [count1, count2] = [at1 + after - start1, at2 + after - start2];
    const place = (start: number, count: number) => `${count === 0 ? start : start + 1},${count}`;
    text += `@@ -${place(start1, count1)} +${place(start2, count2)} @@\n${body}`;
  }
  return text;
}
