/**
 * Which lines two texts have in common: a list of edits that turns one into the other, read by diffs and merges.
 *
 * What begins and what ends both texts is set aside. Of the rest a long block of lines that both have, near the middle, is
 * found (`diff-block.ts`), and what is before and after it is matched in the same way. The list is not the shortest there is, but
 * one that reads well, and the one that Fossil prints: two programs that annotate or merge the same file should agree.
 *
 * At the end blocks are moved to where they read best (`diff-move.ts`).
 *
 * Cost: lines times the depth of the blocks found; memory: a few numbers for each line.
 *
 * Source of the rules: Fossil `src/diff.c` (2.29), `diff_all`, `longestCommonSequence`.
 */

import {
  longestCommon,
  type NumberedPair,
  type Pair,
  type Span,
  splittingBlock,
  trimBlanks,
} from "./diff-block.ts";
import { indexLines, lineResidue, type Residue } from "./diff-chains.ts";
import { moveBlocks, type OpenEdit } from "./diff-move.ts";

/** So many lines in both, then so many only in the first text, then so many only in the second. */
export interface Edit {
  readonly copied: number;
  readonly removed: number;
  readonly inserted: number;
}

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
  const matcher = new Matcher(from, to, keyOf, residueOf);
  const edits = matcher.run();
  moveBlocks(edits, from, to, matcher);
  return trimmed(edits);
}

function trimmed(edits: OpenEdit[]): Edit[] {
  while (edits.length > 0 && isEmpty(edits.at(-1)!)) edits.pop();
  return edits;
}

const isEmpty = ({ copied, removed, inserted }: Edit) => copied === 0 && removed === 0 && inserted === 0;

class Matcher implements Pair {
  /** What of each line is compared. */
  readonly keys1: readonly string[];
  readonly keys2: readonly string[];
  private made: NumberedPair | undefined;
  private readonly edits: OpenEdit[] = [];

  constructor(
    private readonly from: readonly string[],
    to: readonly string[],
    keyOf: ((line: string) => string) | undefined,
    private readonly residueOf: Residue,
  ) {
    this.keys1 = keyOf === undefined ? from : from.map(keyOf);
    this.keys2 = keyOf === undefined ? to : to.map(keyOf);
  }

  /** Made when first asked: many changes need none. */
  get numbered(): NumberedPair {
    this.made ??= this.number();
    return this.made;
  }

  private number(): NumberedPair {
    const { keys1, keys2, residueOf } = this;
    const { ids, ids2, chains } = indexLines(keys2, residueOf);
    const ids1 = Int32Array.from(keys1, (key) => ids.get(key) ?? -1);
    return { ids1, ids2, chains };
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
      const block = splittingBlock(this, next);
      if (block !== undefined) {
        waiting.push({ start1: block.end1, end1, start2: block.end2, end2 });
        waiting.push(block.end1 - block.start1);
        waiting.push({ start1, end1: block.start1, start2, end2: block.start2 });
      } else this.append(0, end1 - start1, end2 - start2);
    }
  }

  sharesLine({ start1, end1, start2, end2 }: Span): boolean {
    if (this.made !== undefined) {
      const { ids1, ids2 } = this.made;
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

  longestBlock(span: Span): Span {
    if (this.made !== undefined) return longestCommon(this.made.ids1, this.made.ids2, span);
    return longestCommon(this.keys1, this.keys2, span);
  }

  bare(line: number): string {
    return trimBlanks(this.from[line]!);
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
