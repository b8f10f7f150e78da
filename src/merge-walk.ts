/**
 * The edits of two sides, from one ancestor, walked together (Fossil `src/merge3.c`): which of them is taken where, and
 * where they conflict. Pure; knows nothing of what the units are.
 *
 * In order of preference at each place: what both keep; the change of one within what the other keeps, the other
 * side's first; the same change on both. Anything else is a conflict, over as many units of the ancestor, one at
 * least, as it takes until neither side is amid a removal.
 */
import { equal } from "./bytes.ts";
import type { Edit } from "./diff-match.ts";

const LF = 10;

/** What a walk writes; counts are in the units of the edits. */
export interface MergeOut {
  keep(count: number): void;
  takeOurs(removed: number, inserted: number): void;
  takeTheirs(removed: number, inserted: number): void;
  takeBoth(removed: number, inserted: number): void;
  conflict(ancestor: number, ours: number, theirs: number): void;
  /** Whether the next `count` lines of both sides are the same. */
  sameLines(count: number): boolean;
}

/** Goes through the edits of both sides at once and returns how many conflicts there are. */
export function walkEdits(ourEdits: readonly Edit[], theirEdits: readonly Edit[], out: MergeOut): number {
  const ours = new EditCursor(ourEdits);
  const theirs = new EditCursor(theirEdits);
  let conflictCount = 0;
  while (ours.edit !== undefined && theirs.edit !== undefined) {
    const [a, b] = [ours.edit, theirs.edit];
    if (a.copied > 0 && b.copied > 0) {
      const count = Math.min(a.copied, b.copied);
      out.keep(count);
      a.copied -= count;
      b.copied -= count;
    } else if (a.copied > 0 && a.copied >= b.removed && b.removed + b.inserted > 0) {
      out.takeTheirs(b.removed, b.inserted);
      a.copied -= b.removed;
      theirs.next();
    } else if (b.copied > 0 && b.copied >= a.removed && a.removed + a.inserted > 0) {
      out.takeOurs(a.removed, a.inserted);
      b.copied -= a.removed;
      ours.next();
    } else if (isSameEdit(a, b) && out.sameLines(a.inserted)) {
      out.takeBoth(a.removed, a.inserted);
      ours.next();
      theirs.next();
    } else {
      conflictCount++;
      const length = conflictLength(ours, theirs);
      out.conflict(length, ours.skip(length), theirs.skip(length));
    }
    ours.nextIfDone();
    theirs.nextIfDone();
  }
  if (ours.edit !== undefined && ours.edit.inserted > 0) out.takeOurs(0, ours.edit.inserted);
  else if (theirs.edit !== undefined && theirs.edit.inserted > 0) out.takeTheirs(0, theirs.edit.inserted);
  return conflictCount;
}

function isSameEdit(a: OpenEdit, b: OpenEdit): boolean {
  return a.copied === b.copied && a.removed === b.removed && a.inserted === b.inserted;
}

/** The fewest units of the ancestor, one at least, after which neither side is amid a removal. */
function conflictLength(ours: EditCursor, theirs: EditCursor): number {
  for (let length = 1; ; ) {
    const longer = theirs.landing(ours.landing(length));
    if (longer === length) return length;
    length = longer;
  }
}

/** What is left of an edit. */
interface OpenEdit {
  copied: number;
  removed: number;
  inserted: number;
}

class EditCursor {
  private readonly edits: readonly OpenEdit[];
  private at = 0;

  constructor(edits: readonly Edit[]) {
    this.edits = edits.map((edit) => ({ ...edit }));
  }

  get edit(): OpenEdit | undefined {
    return this.edits[this.at];
  }

  next(): void {
    this.at++;
  }

  nextIfDone(): void {
    const { edit } = this;
    if (edit !== undefined && edit.copied === 0 && edit.removed === 0 && edit.inserted === 0) this.at++;
  }

  /** `length`, or if that many units of the ancestor end amid a removal, the length that ends with it. */
  landing(length: number): number {
    let end = 0;
    for (let i = this.at; i < this.edits.length && end < length; i++) {
      const { copied, removed } = this.edits[i]!;
      if (end + copied >= length) return length;
      end += copied + removed;
      if (end > length) return end;
    }
    return length;
  }

  /** Passes over `length` units of the ancestor and returns how many units this side has in their place. */
  skip(length: number): number {
    let [left, count] = [length, 0];
    while (left > 0 && this.edit !== undefined) {
      const { edit } = this;
      if (edit.copied >= left) {
        edit.copied -= left;
        return count + left;
      }
      count += edit.copied + edit.inserted;
      left -= edit.copied + edit.removed;
      this.at++;
    }
    return count;
  }
}

/** A text that is read from its beginning. */
export class MergeReader {
  /** Lines read so far. */
  lines = 0;
  private at = 0;

  constructor(private readonly text: Uint8Array) {}

  takeBytes(count: number): Uint8Array {
    const start = this.at;
    this.at = Math.min(start + count, this.text.length);
    return this.text.subarray(start, this.at);
  }

  takeLines(count: number): Uint8Array {
    this.lines += count;
    return this.takeBytes(this.lineBytes(count));
  }

  /** The size of the next lines, or of all that is left when they are fewer. */
  lineBytes(count: number): number {
    let end = this.at;
    for (let i = 0; i < count && end < this.text.length; i++) {
      const at = this.text.indexOf(LF, end);
      end = at < 0 ? this.text.length : at + 1;
    }
    return end - this.at;
  }

  peekBytes(count: number): Uint8Array {
    return this.text.subarray(this.at, this.at + count);
  }
}

export function sameNextLines(ours: MergeReader, theirs: MergeReader, count: number): boolean {
  if (count === 0) return true;
  return equal(ours.peekBytes(ours.lineBytes(count)), theirs.peekBytes(theirs.lineBytes(count)));
}
