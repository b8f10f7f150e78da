/**
 * Three-way merge of texts, ending as Fossil's does (`src/merge3.c`). Pure.
 *
 * The edits from the ancestor to either side are walked together. What one side changed within what the other kept is
 * taken; the same edit on both sides is taken once; anything else is a conflict, which reaches to where both sides
 * keep a line again. A conflict is written with lines that no program means:
 *
 *   <<<<<<< BEGIN MERGE CONFLICT: local copy shown first <<<<<<<<<<<< (line N)
 *   lines of the local copy
 *   ####### SUGGESTED CONFLICT RESOLUTION follows ###################
 *   what a merge by words gives, with the other side's text where words conflict too
 *   ||||||| COMMON ANCESTOR content follows ||||||||||||||||||||||||| (line N)
 *   lines of the ancestor
 *   ======= MERGED IN content follows =============================== (line N)
 *   lines of the other side
 *   >>>>>>> END MERGE CONFLICT >>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>
 *
 * N counts from 1 in the text that the lines come from. The suggestion is left out when it is empty. (Fossil 2.21
 * writes no suggestions.) The lines end with CRLF when the first line of both sides does, else with LF.
 *
 * A last line without a line feed that something follows in the merge is given one, lest the two become one line.
 * (Stock leaves them together.)
 *
 * Texts are compared without a byte order mark; the result has one when both sides have it. UTF-16, known by its mark,
 * becomes UTF-8. A binary text, with a NUL or with a line of more than 32,767 bytes, has no three-way merge.
 */
import { type Bytes, concat, EMPTY, equal, utf8 } from "./bytes.ts";
import { CONFLICT_MARKS } from "./checkout-conflict-mark.ts";
import { matchLines } from "./diff-match.ts";
import { splitLines, withoutMark } from "./diff-text.ts";
import { type MergeOut, MergeReader, sameNextLines, walkEdits } from "./merge-walk.ts";
import { mergeWords } from "./merge-words.ts";

export interface TextMerge {
  readonly content: Bytes;
  /** Places where both sides changed the same lines in different ways. */
  readonly conflictCount: number;
}

const [OURS, SUGGESTION, ANCESTOR, THEIRS, END] = CONFLICT_MARKS;
const LF = 10;
const CR = 13;
const BOM = Uint8Array.of(0xef, 0xbb, 0xbf);

/**
 * Merges what changed from `ancestor` to `theirs` into `ours`.
 *
 * @returns `undefined` when one of the texts is binary
 */
export function mergeText(ancestor: Uint8Array, ours: Uint8Array, theirs: Uint8Array): TextMerge | undefined {
  const [base, left, right] = [ancestor, ours, theirs].map(withoutMark);
  const [baseLines, leftLines, rightLines] = [base!, left!, right!].map((text) => splitLines(text));
  if (baseLines === undefined || leftLines === undefined || rightLines === undefined) return undefined;
  const head = [ours, theirs].every(hasMark) ? BOM : EMPTY;
  const lineEnd = endsFirstLineWithCrLf(left!) && endsFirstLineWithCrLf(right!) ? "\r\n" : "\n";
  const out = new LineMerge(base!, left!, right!, head, lineEnd);
  const conflictCount = walkEdits(matchLines(baseLines, leftLines), matchLines(baseLines, rightLines), out);
  return { content: out.content(), conflictCount };
}

/** Writes a merge of texts, in lines. */
class LineMerge implements MergeOut {
  private readonly parts: Uint8Array[] = [];
  private readonly ancestor: MergeReader;
  private readonly ours: MergeReader;
  private readonly theirs: MergeReader;

  constructor(
    ancestor: Uint8Array,
    ours: Uint8Array,
    theirs: Uint8Array,
    private readonly head: Uint8Array,
    private readonly lineEnd: string,
  ) {
    [this.ancestor, this.ours, this.theirs] = [
      new MergeReader(ancestor),
      new MergeReader(ours),
      new MergeReader(theirs),
    ];
  }

  content(): Bytes {
    return concat([this.head, ...this.parts]);
  }

  keep(count: number): void {
    this.put(this.ancestor.takeLines(count));
    this.ours.takeLines(count);
    this.theirs.takeLines(count);
  }

  takeOurs(removed: number, inserted: number): void {
    this.ancestor.takeLines(removed);
    this.theirs.takeLines(removed);
    this.put(this.ours.takeLines(inserted));
  }

  takeTheirs(removed: number, inserted: number): void {
    this.ancestor.takeLines(removed);
    this.ours.takeLines(removed);
    this.put(this.theirs.takeLines(inserted));
  }

  takeBoth(removed: number, inserted: number): void {
    this.ancestor.takeLines(removed);
    this.ours.takeLines(inserted);
    this.put(this.theirs.takeLines(inserted));
  }

  conflict(ancestor: number, ours: number, theirs: number): void {
    const [ancestorLine, ourLine, theirLine] = [this.ancestor, this.ours, this.theirs].map(
      (r) => r.lines + 1,
    );
    const old = this.ancestor.takeLines(ancestor);
    const left = this.ours.takeLines(ours);
    const right = this.theirs.takeLines(theirs);
    this.mark(OURS, ourLine);
    this.put(left);
    const suggestion = mergeWords(old, left, right);
    if (suggestion.length > 0) {
      this.mark(SUGGESTION);
      this.put(suggestion);
    }
    this.mark(ANCESTOR, ancestorLine);
    this.put(old);
    this.mark(THEIRS, theirLine);
    this.put(right);
    this.mark(END);
  }

  sameLines(count: number): boolean {
    return sameNextLines(this.ours, this.theirs, count);
  }

  /** Adds whole lines; if what is before them ends amid a line, that line is ended. */
  private put(part: Uint8Array): void {
    if (part.length === 0) return;
    if (this.parts.length > 0 && this.parts.at(-1)!.at(-1) !== LF) this.parts.push(utf8(this.lineEnd));
    this.parts.push(part);
  }

  private mark(mark: string, line?: number): void {
    const place = line === undefined ? "" : ` (line ${line})`;
    this.put(utf8(`${mark}${place}${this.lineEnd}`));
  }
}

/** A text of one line, or none, ends no line; the first one that counts ends after the first byte. */
function endsFirstLineWithCrLf(text: Uint8Array): boolean {
  const at = text.indexOf(LF, 1);
  return at > 0 && text[at - 1] === CR;
}

function hasMark(text: Uint8Array): boolean {
  return equal(text.subarray(0, BOM.length), BOM);
}
