/**
 * Which lines two texts have in common: a list of edits that turns one into the other, read by diffs, merges and
 * annotations.
 *
 * What begins and what ends both texts is set aside. Of the rest a long block of lines that both have, near the middle, is
 * found, and what is before and after it is matched in the same way. A block is looked for through an index of the second
 * text's lines, which for a line that is there many times follows only so many of them; where that finds nothing and
 * the parts are small, all pairs are tried. A short block that is likely there by chance, as a line with one brace is
 * after an indentation changed, is passed over. The list is not the shortest there is, but one that reads well, and the
 * one that Fossil prints: two programs that annotate or merge the same file should agree.
 *
 * At the end, unless they are to stay as found, blocks are moved to where they read best (`diff-move.ts`).
 *
 * Cost: lines times the depth of the blocks found; memory: a few numbers for each line.
 *
 * Source of the rules: Fossil `src/diff.c` (2.29), `diff_all`, `longestCommonSequence`.
 */

import { LineChains, lineResidue, type Residue } from "./diff-chains.ts";
import { moveBlocks, type OpenEdit } from "./diff-move.ts";

/** So many lines in both, then so many only in the first text, then so many only in the second. */
export interface Edit {
  readonly copied: number;
  readonly removed: number;
  readonly inserted: number;
}

/** Lines from..end of the first text, and of the second. */
interface Span {
  readonly start1: number;
  readonly end1: number;
  readonly start2: number;
  readonly end2: number;
}

/** Entries of the index that are passed over for one line, at first and at most. */
const CUTOFF_FIRST = 4;
const CUTOFF_MAX = 64;
/** Pairs of lines up to which all are tried. */
const PAIR_MAX_COUNT = 2500;
/** A block longer than this is never there by chance, nor one that makes up this part of the lines. */
const SURE_LINE_COUNT = 5;
const SURE_PART = 7;

/**
 * Edits that turn `from` into `to`. Empty when both are empty.
 *
 * @param keyOf what of a line is compared; the line itself unless given
 * @param residueOf the hash that decides where lines are looked for (`diff-chains.ts`)
 */
export function matchLines(
  from: readonly string[],
  to: readonly string[],
  keyOf?: (line: string) => string,
  residueOf: Residue = lineResidue,
): Edit[] {
  const target = new MatchTarget(to, keyOf, residueOf);
  const matcher = new Matcher(from, target);
  const edits = matcher.run();
  moveBlocks(edits, from, to, matcher);
  return trimmed(edits);
}

/** A text that many others are matched with, as the versions of a file are with the newest. */
export class MatchTarget {
  /** What of each line is compared. */
  readonly keys: readonly string[];
  private made: LineIndex | undefined;

  constructor(
    readonly lines: readonly string[],
    readonly keyOf: ((line: string) => string) | undefined,
    private readonly residueOf: Residue = lineResidue,
  ) {
    this.keys = keyOf === undefined ? lines : lines.map(keyOf);
  }

  /** Edits that turn `from` into this text, as they are found: blocks are not moved to where they read best. */
  editsFrom(from: readonly string[]): Edit[] {
    return trimmed(new Matcher(from, this).run());
  }

  /** @internal */
  get isIndexed(): boolean {
    return this.made !== undefined;
  }

  /** @internal Made when first asked: many changes need none. */
  get index(): LineIndex {
    this.made ??= makeIndex(this.keys, this.residueOf);
    return this.made;
  }
}

function trimmed(edits: OpenEdit[]): Edit[] {
  while (edits.length > 0 && isEmpty(edits.at(-1)!)) edits.pop();
  return edits;
}

const isEmpty = ({ copied, removed, inserted }: Edit) => copied === 0 && removed === 0 && inserted === 0;

class Matcher {
  /** What of each line is compared. */
  readonly keys1: readonly string[];
  readonly keys2: readonly string[];
  private made: Int32Array | undefined;
  private readonly edits: OpenEdit[] = [];

  constructor(
    private readonly from: readonly string[],
    private readonly target: MatchTarget,
  ) {
    const { keyOf, keys } = target;
    this.keys1 = keyOf === undefined ? from : from.map(keyOf);
    this.keys2 = keys;
  }

  /** By line of the first text: the id of the equal ones of the second, or -1. */
  private get ids1(): Int32Array {
    if (this.made === undefined) {
      const { ids } = this.target.index;
      const made = new Int32Array(this.keys1.length);
      for (let i = 0; i < made.length; i++) made[i] = ids.get(this.keys1[i]!) ?? -1;
      this.made = made;
    }
    return this.made;
  }

  run(): OpenEdit[] {
    const { keys1, keys2 } = this;
    let [end1, end2] = [keys1.length, keys2.length];
    while (end1 > 0 && end2 > 0 && keys1[end1 - 1] === keys2[end2 - 1]) {
      end1--;
      end2--;
    }
    const shorter = Math.min(end1, end2);
    let start = 0;
    while (start < shorter && keys1[start] === keys2[start]) start++;
    this.append(start, 0, 0);
    this.step({ start1: start, end1, start2: start, end2 });
    this.append(keys1.length - end1, 0, 0);
    return this.edits;
  }

  /** Matches the lines of a span, from its beginning to its end; `number` stands for lines in common. */
  private step(whole: Span): void {
    const waiting: (Span | number)[] = [whole];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (typeof next === "number") {
        this.append(next, 0, 0);
        continue;
      }
      const { start1, end1, start2, end2 } = next;
      if (end1 <= start1 || end2 <= start2) {
        this.append(0, Math.max(end1 - start1, 0), Math.max(end2 - start2, 0));
        continue;
      }
      const block = this.commonBlock(next);
      const length = block.end1 - block.start1;
      if (length > SURE_LINE_COUNT || (length > 0 && this.isMeant(next, block))) {
        waiting.push({ start1: block.end1, end1, start2: block.end2, end2 });
        waiting.push(length);
        waiting.push({ start1, end1: block.start1, start2, end2: block.start2 });
      } else this.append(0, end1 - start1, end2 - start2);
    }
  }

  /** A long block of lines in common; an empty one when none was found. */
  private commonBlock(span: Span): Span {
    const { start1, end1, start2, end2 } = span;
    const isSmall = (end1 - start1) * (end2 - start2) < PAIR_MAX_COUNT;
    let cutoff = isSmall && !this.sharesLine(span) ? undefined : CUTOFF_FIRST;
    while (cutoff !== undefined && cutoff <= CUTOFF_MAX) {
      const { best, wasCut } = this.indexedBlock(span, cutoff);
      if (best !== undefined) return best;
      cutoff = wasCut ? cutoff * 4 : undefined;
    }
    if (isSmall) return this.longestBlock(span);
    return { start1, end1: start1, start2, end2: start2 };
  }

  /** Whether the index would find anything: a line in both, the last one of the second text left out. */
  private sharesLine({ start1, end1, start2, end2 }: Span): boolean {
    if (this.target.isIndexed) {
      const { ids1 } = this;
      const { ids2 } = this.target.index;
      for (let i = start1; i < end1; i++) {
        const id = ids1[i]!;
        if (id < 0) continue;
        for (let j = start2; j + 1 < end2; j++) if (ids2[j] === id) return true;
      }
      return false;
    }
    const there = new Set<string>();
    for (let j = start2; j + 1 < end2; j++) there.add(this.keys2[j]!);
    for (let i = start1; i < end1; i++) if (there.has(this.keys1[i]!)) return true;
    return false;
  }

  private indexedBlock(span: Span, cutoff: number): { best: Span | undefined; wasCut: boolean } {
    const { start1, end1, start2, end2 } = span;
    const { ids1 } = this;
    const { ids2, chains } = this.target.index;
    const width = end1 - start1 + (end2 - start2);
    const middle = (start1 + end1) >> 1;
    let bestScore = Number.NEGATIVE_INFINITY;
    let [best1, bestEnd1, best2, bestEnd2] = [start1, start1, start2, start2];
    let [otherEnd1, other2, otherEnd2] = [start1, start2, start2];
    let wasCut = false;
    for (let i = start1; i < end1; i++) {
      const id = ids1[i]!;
      if (id < 0) continue;
      let j = chains.last(id);
      // The last line of a span begins no block: Fossil's diffs depend on it.
      for (let passed = 0; j >= 0 && (j < start2 || j + 1 >= end2 || id !== ids2[j]); j = chains.before(j)) {
        if (passed++ > cutoff) {
          wasCut = true;
          j = -1;
          break;
        }
      }
      if (j < 0) continue;
      // Of a block that is known already: the best one, or the last of the others.
      const past = j + 1;
      if (i < bestEnd1 && past >= best2 && past < bestEnd2) continue;
      if (i < otherEnd1 && past >= other2 && past < otherEnd2) continue;
      let first1 = i;
      let first2 = j;
      while (first1 > start1 && first2 > start2 && ids1[first1 - 1] === ids2[first2 - 1]) {
        first1--;
        first2--;
      }
      let past1 = i + 1;
      let past2 = past;
      while (past1 < end1 && past2 < end2 && ids1[past1] === ids2[past2]) {
        past1++;
        past2++;
      }
      const skew = Math.abs(first1 - start1 - (first2 - start2));
      const distance = Math.abs(((first1 + past1) >> 1) - middle);
      const score = (past1 - first1) * width - (skew + distance);
      if (score > bestScore) {
        bestScore = score;
        best1 = first1;
        bestEnd1 = past1;
        best2 = first2;
        bestEnd2 = past2;
      } else if (past1 > otherEnd1) {
        otherEnd1 = past1;
        other2 = first2;
        otherEnd2 = past2;
      }
    }
    const isFound = bestEnd1 > best1;
    const best = isFound ? { start1: best1, end1: bestEnd1, start2: best2, end2: bestEnd2 } : undefined;
    return { best, wasCut };
  }

  /** The longest block, by trying all pairs of lines. */
  private longestBlock(span: Span): Span {
    if (this.target.isIndexed) return longestCommon(this.ids1, this.target.index.ids2, span);
    return longestCommon(this.keys1, this.keys2, span);
  }

  /**
   * Whether a short block is there on purpose: it is a good part of the span, or has a line of more than one character
   * that no other line of the span, blanks around it aside, is equal to.
   */
  private isMeant({ start1, end1 }: Span, block: Span): boolean {
    if ((block.end1 - block.start1) * SURE_PART >= end1 - start1) return true;
    const bare = (line: number) => trimBlanks(this.from[line]!);
    const telling: string[] = [];
    for (let i = block.start1; i < block.end1; i++) {
      const text = bare(i);
      if (text.length > 1) telling.push(text);
    }
    if (telling.length === 0) return false;
    const others = new Set<string>();
    for (let i = start1; i < end1; i++) {
      if (i === block.start1) i = block.end1;
      if (i < end1) others.add(bare(i));
    }
    return telling.some((text) => !others.has(text));
  }

  private append(copied: number, removed: number, inserted: number): void {
    const top = this.edits.at(-1);
    const joins =
      top !== undefined &&
      ((top.inserted === 0 && (top.removed === 0 || copied === 0)) || copied + removed === 0);
    if (!joins) {
      this.edits.push({ copied, removed, inserted });
      return;
    }
    top.copied += copied;
    top.removed += removed;
    top.inserted += inserted;
  }
}

const BLANKS: ReadonlySet<string> = new Set("\b\t\n\f\r ");

/** A line without the blanks at its end. */
export function trimTrailing(line: string): string {
  let end = line.length;
  while (end > 0 && BLANKS.has(line[end - 1]!)) end--;
  return line.slice(0, end);
}

function trimBlanks(line: string): string {
  let start = 0;
  while (start < line.length && BLANKS.has(line[start]!)) start++;
  return trimTrailing(line.slice(start));
}

/** Lines of the second text by number instead of by text. */
interface LineIndex {
  /** By text of a line. */
  readonly ids: ReadonlyMap<string, number>;
  /** By line, equal for lines that are equal. */
  readonly ids2: Int32Array;
  /** Where lines are. */
  readonly chains: LineChains;
}

function makeIndex(keys: readonly string[], residueOf: Residue): LineIndex {
  const ids = new Map<string, number>();
  const ids2 = new Int32Array(keys.length);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    let id = ids.get(key);
    if (id === undefined) {
      id = ids.size;
      ids.set(key, id);
    }
    ids2[i] = id;
  }
  return { ids, ids2, chains: new LineChains([...ids.keys()], ids2, residueOf) };
}

function longestCommon<T>(
  lines1: ArrayLike<T>,
  lines2: ArrayLike<T>,
  { start1, end1, start2, end2 }: Span,
): Span {
  let [best1, best2, length] = [start1, start2, 0];
  for (let i = start1; i < end1 - length; i++) {
    for (let j = start2; j < end2 - length; j++) {
      if (lines1[i] !== lines2[j] || (length > 0 && lines1[i + length] !== lines2[j + length])) continue;
      let grown = 1;
      while (i + grown < end1 && j + grown < end2 && lines1[i + grown] === lines2[j + grown]) grown++;
      if (grown > length) {
        best1 = i;
        best2 = j;
        length = grown;
      }
    }
  }
  return { start1: best1, end1: best1 + length, start2: best2, end2: best2 + length };
}
