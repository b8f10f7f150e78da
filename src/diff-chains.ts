/**
 * Where the lines of a text are: chains of lines, the last one first, for matching two texts (`diff-match.ts`). Pure.
 *
 * There are as many chains as lines. Which one a line is in follows from Fossil's hash of it (`src/diff.c`), so that
 * different lines share a chain where they do in stock: a search gives up on a long chain, and with the same chains it
 * gives up, and matches, where stock does. For a merge by words, where texts are short and punctuation is frequent,
 * one match in a hundred would be another. The hash H has 64 bits; all arithmetic is modulo 2^64:
 *
 *   line    H = 0; for each 8 bytes w, little-endian: H = (H xor w) * 9000000000000000041;
 *           then H = H xor the bytes that are left, filled with zeros
 *   word    H = 0xcbf29ce484222325; for each byte b but the first: H = (H xor b) * 0x100000001b3
 *   chain   ((H mod (2^48 - 59)) * 2^15 + length in bytes) mod count of lines
 *
 * Strings are raw: a code unit from 0 to 255 for each byte.
 */

const PRIME = 2 ** 48 - 59;
const LENGTH_FACTOR = 2 ** 15;

/** 64 bits in two halves, modified in place by `multiply`. */
interface Wide {
  high: number;
  low: number;
}

const LINE_FACTOR = wide(9_000_000_000_000_000_041n);
const WORD_FACTOR = wide(0x100000001b3n);
const WORD_START = wide(0xcbf29ce484222325n);

/** From a line to its hash modulo 2^48 - 59. */
export type Residue = (line: string) => number;

/** Line numbers count from 0; -1 ends a chain. Lines are known by ids, equal for equal lines. */
export class LineChains {
  /** By id: the last line of its chain. */
  private readonly heads: Int32Array;
  /** By line: the one before it in its chain. */
  private readonly nexts: Int32Array;

  /**
   * @param keys by id: the line
   * @param ids of the lines of the text that is looked into
   */
  constructor(keys: readonly string[], ids: Int32Array, residueOf: Residue) {
    const count = ids.length;
    const chains = Int32Array.from(keys, (key) => chainOf(residueOf(key), key.length, count));
    const last = new Int32Array(count).fill(-1);
    this.nexts = new Int32Array(count);
    for (let line = 0; line < count; line++) {
      const chain = chains[ids[line]!]!;
      this.nexts[line] = last[chain]!;
      last[chain] = line;
    }
    this.heads = chains.map((chain) => last[chain]!);
  }

  /** The last line in the chain that lines with this id are in. */
  last(id: number): number {
    return this.heads[id]!;
  }

  /** The line before `line` in its chain. */
  before(line: number): number {
    return this.nexts[line]!;
  }
}

/** Lines of a text by number instead of by text. */
export interface LineIndex {
  /** By text of a line. */
  readonly ids: ReadonlyMap<string, number>;
  /** By line, equal for lines that are equal. */
  readonly ids2: Int32Array;
  /** Where lines are. */
  readonly chains: LineChains;
}

export function indexLines(keys: readonly string[], residueOf: Residue): LineIndex {
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

/** The chain of a line, known by its residue and length, among `count`. */
function chainOf(residue: number, length: number, count: number): number {
  return ((residue % count) * LENGTH_FACTOR + length) % count;
}

export function lineResidue(line: string): number {
  const hash = { high: 0, low: 0 };
  const wholeEnd = line.length - (line.length % 8);
  for (let at = 0; at < wholeEnd; at += 8) {
    hash.low ^= littleEndian(line, at, at + 4);
    hash.high ^= littleEndian(line, at + 4, at + 8);
    multiply(hash, LINE_FACTOR);
  }
  hash.low ^= littleEndian(line, wholeEnd, Math.min(wholeEnd + 4, line.length));
  hash.high ^= littleEndian(line, wholeEnd + 4, line.length);
  return residue(hash);
}

export function wordResidue(word: string): number {
  const hash = { ...WORD_START };
  for (let at = 1; at < word.length; at++) {
    hash.low ^= word.charCodeAt(at);
    multiply(hash, WORD_FACTOR);
  }
  return residue(hash);
}

/** The bytes from `start` to `end`, four at most, as a number. */
function littleEndian(line: string, start: number, end: number): number {
  let value = 0;
  for (let at = end - 1; at >= start; at--) value = (value << 8) | line.charCodeAt(at);
  return value;
}

function wide(value: bigint): Wide {
  return { high: Number(value >> 32n), low: Number(value & 0xffff_ffffn) };
}

/** `a = a * b` modulo 2^64: the lower half of `b` by 16 bits of `a` at a time, so that every product stays exact. */
function multiply(a: Wide, b: Wide): void {
  const factor = b.low >>> 0;
  const upper = (a.low >>> 16) * factor;
  const low = (a.low & 0xffff) * factor + (upper & 0xffff) * 0x1_0000;
  const carried = Math.floor(upper / 0x1_0000) + Math.floor(low / 0x1_0000_0000);
  a.high = (carried + Math.imul(a.high, b.low) + Math.imul(a.low, b.high)) | 0;
  a.low = low | 0;
}

/** The value modulo 2^48 - 59: the upper 16 bits count 59 each. */
function residue({ high, low }: Wide): number {
  const value = (high & 0xffff) * 0x1_0000_0000 + (low >>> 0) + (high >>> 16) * 59;
  return value >= PRIME ? value - PRIME : value;
}
