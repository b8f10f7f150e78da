/**
 * The suggestion for a conflict of lines: a three-way merge of the same texts by words. Pure.
 *
 * A word here is the longest run of bytes of one class: space (up to 0x20), ASCII letters, digits and every byte from
 * 0x80, or punctuation. The digit 9 is punctuation, as stock has it.
 *
 * Where words conflict too the other side's are taken. Edits count bytes here, and with them what stock asks before it
 * takes an edit of both sides once: that as many *lines* as the edit inserts bytes are the same, or all that is left.
 */
import { type Bytes, concat, latin1 } from "./bytes.ts";
import { wordResidue } from "./diff-chains.ts";
import { type Edit, matchLines } from "./diff-match.ts";
import { type MergeOut, MergeReader, sameNextLines, walkEdits } from "./merge-walk.ts";

const LF = 10;
const TOKEN = /[\0-\x20]+|[0-8A-Za-z\x80-\xff]+|[!-/9:-@[-`{-\x7f]+/g;

/** Ends with a line feed unless it is empty. */
export function mergeWords(ancestor: Uint8Array, ours: Uint8Array, theirs: Uint8Array): Bytes {
  const base = wordsOf(ancestor);
  const out = new WordMerge(ancestor, ours, theirs);
  walkEdits(byteEdits(base, wordsOf(ours)), byteEdits(base, wordsOf(theirs)), out);
  return out.content();
}

function wordsOf(bytes: Uint8Array): string[] {
  return latin1(bytes).match(TOKEN) ?? [];
}

function byteEdits(from: readonly string[], to: readonly string[]): Edit[] {
  let [atFrom, atTo] = [0, 0];
  return matchLines(from, to, undefined, wordResidue).map(({ copied, removed, inserted }) => {
    const edit = {
      copied: lengthOf(from, atFrom, copied),
      removed: lengthOf(from, atFrom + copied, removed),
      inserted: lengthOf(to, atTo + copied, inserted),
    };
    atFrom += copied + removed;
    atTo += copied + inserted;
    return edit;
  });
}

function lengthOf(units: readonly string[], at: number, count: number): number {
  let sum = 0;
  for (let i = at; i < at + count; i++) sum += units[i]!.length;
  return sum;
}

class WordMerge implements MergeOut {
  private readonly parts: Uint8Array[] = [];
  private readonly ancestor: MergeReader;
  private readonly ours: MergeReader;
  private readonly theirs: MergeReader;

  constructor(ancestor: Uint8Array, ours: Uint8Array, theirs: Uint8Array) {
    this.ancestor = new MergeReader(ancestor);
    this.ours = new MergeReader(ours);
    this.theirs = new MergeReader(theirs);
  }

  content(): Bytes {
    const joined = concat(this.parts);
    return joined.length === 0 || joined.at(-1) === LF ? joined : concat([joined, Uint8Array.of(LF)]);
  }

  keep(count: number): void {
    this.take(this.ancestor.takeBytes(count));
    this.ours.takeBytes(count);
    this.theirs.takeBytes(count);
  }

  takeOurs(removed: number, inserted: number): void {
    this.ancestor.takeBytes(removed);
    this.theirs.takeBytes(removed);
    this.take(this.ours.takeBytes(inserted));
  }

  takeTheirs(removed: number, inserted: number): void {
    this.conflict(removed, removed, inserted);
  }

  takeBoth(removed: number, inserted: number): void {
    this.conflict(removed, inserted, inserted);
  }

  conflict(ancestor: number, ours: number, theirs: number): void {
    this.ancestor.takeBytes(ancestor);
    this.ours.takeBytes(ours);
    this.take(this.theirs.takeBytes(theirs));
  }

  sameLines(count: number): boolean {
    return sameNextLines(this.ours, this.theirs, count);
  }

  private take(part: Uint8Array): void {
    this.parts.push(part);
  }
}
