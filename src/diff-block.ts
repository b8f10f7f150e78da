/**
 * A block of lines that two texts have in common, for matching them by halves (`diff-match.ts`, `diff-versions.ts`). Pure.
 *
 * A long block near the middle is looked for through an index of the second text's lines, which for a line that is there
 * many times follows only so many of them; where that finds nothing and the parts are small, all pairs are tried. A short block
 * that is likely there by chance, as a line with one brace is after an indentation changed, is passed over.
 *
 * What is found follows from the lines of the two spans alone, not from where in its text the first one begins.
 *
 * Source of the rules: Fossil `src/diff.c` (2.29), `diff_all`, `longestCommonSequence`.
 */
import type { LineChains } from "./diff-chains.ts";

/** Lines from..end of the first text, and of the second. */
export interface Span {
  readonly start1: number;
  readonly end1: number;
  readonly start2: number;
  readonly end2: number;
}

/** Two texts whose lines are numbers. */
export interface NumberedPair {
  /** By line of the first text: the id of the equal ones of the second, or -1. */
  readonly ids1: Int32Array;
  /** By line of the second text, equal for lines that are equal. */
  readonly ids2: Int32Array;
  /** Where lines of the second text are. */
  readonly chains: LineChains;
}

/** Two texts to match. */
export interface Pair {
  /** May be costly the first time. */
  readonly numbered: NumberedPair;
  /** Whether the index would find anything: a line in both, the last one of the second text left out. */
  sharesLine(span: Span): boolean;
  /** The longest block, by trying all pairs of lines. */
  longestBlock(span: Span): Span;
  /** A line of the first text without blanks around it. */
  bare(line: number): string;
}

/** Entries of the index that are passed over for one line, at first and at most. */
const CUTOFF_FIRST = 4;
const CUTOFF_MAX = 64;
/** Pairs of lines up to which all are tried. */
const PAIR_MAX_COUNT = 2500;
/** A block longer than this is never there by chance, nor one that makes up this part of the lines. */
const SURE_LINE_COUNT = 5;
const SURE_PART = 7;

/** The block that splits a span, of which neither side is empty; `undefined` when all of its lines differ. */
export function splittingBlock(pair: Pair, span: Span): Span | undefined {
  const block = commonBlock(pair, span);
  if (block === undefined) return undefined;
  const length = block.end1 - block.start1;
  return length > SURE_LINE_COUNT || (length > 0 && isMeant(pair, span, block)) ? block : undefined;
}

function commonBlock(pair: Pair, span: Span): Span | undefined {
  const isSmall = (span.end1 - span.start1) * (span.end2 - span.start2) < PAIR_MAX_COUNT;
  let cutoff = isSmall && !pair.sharesLine(span) ? undefined : CUTOFF_FIRST;
  while (cutoff !== undefined && cutoff <= CUTOFF_MAX) {
    const { best, wasCut } = indexedBlock(pair.numbered, span, cutoff);
    if (best !== undefined) return best;
    cutoff = wasCut ? cutoff * 4 : undefined;
  }
  return isSmall ? pair.longestBlock(span) : undefined;
}

/**
 * Whether a short block is there on purpose: it is a good part of the span, or has a line of more than one character
 * that no other line of the span, blanks around it aside, is equal to.
 */
function isMeant(pair: Pair, { start1, end1 }: Span, block: Span): boolean {
  if ((block.end1 - block.start1) * SURE_PART >= end1 - start1) return true;
  const telling = new Set<string>();
  for (let i = block.start1; i < block.end1; i++) {
    const text = pair.bare(i);
    if (text.length > 1) telling.add(text);
  }
  for (let i = start1; i < end1 && telling.size > 0; i++) {
    if (i === block.start1) i = block.end1;
    if (i < end1) telling.delete(pair.bare(i));
  }
  return telling.size > 0;
}

function indexedBlock(
  { ids1, ids2, chains }: NumberedPair,
  { start1, end1, start2, end2 }: Span,
  cutoff: number,
): { best: Span | undefined; wasCut: boolean } {
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

/** The longest block, by trying all pairs of lines; an empty one when there is none. */
export function longestCommon<T>(
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

const BLANKS: ReadonlySet<string> = new Set("\b\t\n\f\r ");

/** A line without the blanks at its end. */
export function trimTrailing(line: string): string {
  let end = line.length;
  while (end > 0 && BLANKS.has(line[end - 1]!)) end--;
  return line.slice(0, end);
}

/** A line without the blanks around it. */
export function trimBlanks(line: string): string {
  let start = 0;
  while (start < line.length && BLANKS.has(line[start]!)) start++;
  return trimTrailing(line.slice(start));
}
