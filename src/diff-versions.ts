/**
 * One text matched with many versions of it, to learn which of its lines each of them lacks.
 *
 * The lines found to be lacking are those that `diff-match.ts` would call inserted before it moves blocks. To find them costs
 * little more than what the versions differ in:
 *
 *   - a line is known by a number, given once for all versions; a version is compared with the one before as bytes, and where
 *     whole lines are the same their numbers are copied;
 *   - a span without a line of the text that is still open is not matched: nothing would become of it;
 *   - nor is a span that a version before had too, with the same lines on both sides: what it lacks was noted then.
 *
 * Memory: the numbers of the lines of those versions that a noted span refers to, `SPAN_LINE_MAX_COUNT` in all.
 */
import {
  longestCommon,
  type NumberedPair,
  type Pair,
  type Span,
  splittingBlock,
  trimBlanks,
} from "./diff-block.ts";
import { indexLines, type LineIndex, lineResidue } from "./diff-chains.ts";
import { LineNumbers } from "./diff-line-numbers.ts";

/** Lines of versions that noted spans may refer to: 4 bytes each. */
const SPAN_LINE_MAX_COUNT = 8_000_000;

/** A span of a version as it was matched. */
interface Noted {
  readonly numbers: Int32Array;
  readonly start: number;
  readonly end: number;
}

export class LineOwners {
  /** By line: the first version that lacked it, -1 for none so far. */
  readonly owners: Int32Array;
  /** Lines that no version lacked so far. */
  openCount: number;
  private readonly index: LineIndex;
  private readonly known: LineNumbers;
  /** By number: the id in the index, or -1. */
  private readonly ids: number[] = [];
  private readonly bareTexts: string[] = [];
  private readonly noted = new Map<number, Noted>();
  private notedLineCount = 0;

  /** @param keyOf what of a line is compared; the line itself unless given */
  constructor(
    lines: readonly string[],
    private readonly keyOf: ((line: string) => string) | undefined,
  ) {
    this.owners = new Int32Array(lines.length).fill(-1);
    this.openCount = lines.length;
    this.index = indexLines(keyOf === undefined ? lines : lines.map(keyOf), lineResidue);
    this.known = new LineNumbers();
  }

  /**
   * Open lines that are not in `content` belong to `version` from now on.
   *
   * @returns whether `content` is text; nothing is done otherwise
   */
  compare(content: Uint8Array, version: number): boolean {
    const numbers = this.known.read(content);
    if (numbers === undefined) return false;
    this.learn();
    const { ids } = this;
    const ids1 = new Int32Array(numbers.length);
    for (let i = 0; i < ids1.length; i++) ids1[i] = ids[numbers[i]!]!;
    this.match(numbers, ids1, version);
    return true;
  }

  /** Looks up the lines that were not in any version before. */
  private learn(): void {
    const { texts } = this.known;
    for (let number = this.ids.length; number < texts.length; number++) {
      const line = texts[number]!;
      this.ids.push(this.index.ids.get(this.keyOf === undefined ? line : this.keyOf(line)) ?? -1);
      this.bareTexts.push(trimBlanks(line));
    }
  }

  private match(numbers: Int32Array, ids1: Int32Array, version: number): void {
    const { ids2, chains } = this.index;
    const pair = new NumberedVersion({ ids1, ids2, chains }, numbers, this.bareTexts);
    let [end1, end2] = [ids1.length, ids2.length];
    while (end1 > 0 && end2 > 0 && ids1[end1 - 1] === ids2[end2 - 1]) {
      end1--;
      end2--;
    }
    const shorter = Math.min(end1, end2);
    let start = 0;
    while (start < shorter && ids1[start] === ids2[start]) start++;
    const waiting: Span[] = [{ start1: start, end1, start2: start, end2 }];
    this.notedLineCount += numbers.length;
    if (this.notedLineCount > SPAN_LINE_MAX_COUNT) {
      this.noted.clear();
      this.notedLineCount = numbers.length;
    }
    for (let span = waiting.pop(); span !== undefined; span = waiting.pop()) {
      if (!this.isOpen(span)) continue;
      if (span.end1 <= span.start1) this.give(span, version);
      else if (!this.isNoted(span, numbers)) {
        const block = splittingBlock(pair, span);
        if (block === undefined) this.give(span, version);
        else {
          const { start1, start2 } = span;
          waiting.push(
            { ...span, start1: block.end1, start2: block.end2 },
            { start1, end1: block.start1, start2, end2: block.start2 },
          );
        }
      }
    }
  }

  private isOpen({ start2, end2 }: Span): boolean {
    for (let i = start2; i < end2; i++) if (this.owners[i]! < 0) return true;
    return false;
  }

  private give({ start2, end2 }: Span, version: number): void {
    for (let i = start2; i < end2; i++) {
      if (this.owners[i]! >= 0) continue;
      this.owners[i] = version;
      this.openCount--;
    }
  }

  /** Whether the span was matched before; it counts as matched from now on. */
  private isNoted({ start1, end1, start2, end2 }: Span, numbers: Int32Array): boolean {
    const key = start2 * (this.owners.length + 1) + end2;
    const before = this.noted.get(key);
    if (before !== undefined && sameNumbers(before, numbers, start1, end1)) return true;
    this.noted.set(key, { numbers, start: start1, end: end1 });
    return false;
  }
}

function sameNumbers({ numbers, start, end }: Noted, others: Int32Array, from: number, to: number): boolean {
  if (end - start !== to - from) return false;
  for (let i = start, j = from; i < end; i++, j++) if (numbers[i] !== others[j]) return false;
  return true;
}

class NumberedVersion implements Pair {
  constructor(
    readonly numbered: NumberedPair,
    private readonly numbers: Int32Array,
    private readonly bareTexts: readonly string[],
  ) {}

  sharesLine({ start1, end1, start2, end2 }: Span): boolean {
    const { ids1, ids2 } = this.numbered;
    for (let i = start1; i < end1; i++) {
      const id = ids1[i]!;
      if (id < 0) continue;
      for (let j = start2; j + 1 < end2; j++) if (ids2[j] === id) return true;
    }
    return false;
  }

  longestBlock(span: Span): Span {
    return longestCommon(this.numbered.ids1, this.numbered.ids2, span);
  }

  bare(line: number): string {
    return this.bareTexts[this.numbers[line]!]!;
  }
}
