/**
 * Makes deltas. The format is described in `delta.ts`; any choice of copies and literals is a correct
 * delta, so what follows is only about making a small one quickly.
 *
 * Index. The source is cut into blocks of 16 bytes (of a multiple of 16, past 4 million blocks, which bounds the
 * index to some 80 MB), and the hash of the first 16 bytes of each is entered in a table of chains, lowest offset
 * first. Of a run of equal blocks only the first is entered.
 *
 * Hash. For bytes c0..c15, the sum of c[i] * M^(16-i) modulo 2^32. It rolls: dropping the first byte
 * and taking in a new one c is (h - c0 * M^16 + c) * M. The topmost bits, which depend on all bytes, choose the
 * chain; all 32 are compared before the bytes are. A filter of bits, by the topmost bits too, turns most
 * windows away that are not in the source.
 *
 * Ends. What source and target have in common at the start is copied first. If all but a few bytes of the
 * rest is in common at the end, that is copied too and no index is needed: the case of one local change.
 *
 * Scan. The window moves over the target byte by byte. Where its hash is in the index, each candidate, up
 * to CHAIN_MAX_COUNT of them, is extended forwards, and backwards over what is still unwritten; first of all the
 * place where the previous copy would continue, the most likely one in repetitive data. The one that saves most
 * bytes against a literal is taken, and the scan resumes after it.
 *
 * Cost. A byte that matches nothing costs one step of the hash and at most CHAIN_MAX_COUNT entries of a
 * chain; a copy costs at most as many comparisons of its own length. So the worst case is linear in the size
 * of the target, whatever the content.
 */
import type { Bytes } from "./bytes.ts";
import {
  asBuffer,
  COPY,
  COPY_END,
  deltaChecksum,
  digitCount,
  FINISH,
  LITERAL,
  NEWLINE,
  NUMBER_MAX_BYTES,
  writeNumber,
} from "./delta.ts";

const BLOCK_BYTES = 16;
const BLOCK_MAX_COUNT = 4_194_304;
const CHAIN_MAX_COUNT = 64;

/** How many times more bits than chains the filter has, as a power of two. */
const FILTER_EXTRA_BITS = 4;

/** A match this long is taken without looking at further candidates. */
const GOOD_MATCH_BYTES = 4096;

/** Odd, with well mixed bits (2^32 divided by the golden ratio). */
const M = 0x9e3779b1 | 0;
const M_4 = power(4);
const M_8 = power(8);
const M_12 = power(12);
const M_16 = power(16);

function power(exponent: number): number {
  let product = 1;
  for (let i = 0; i < exponent; i++) product = Math.imul(product, M);
  return product;
}

/** Matching bytes are counted one by one so far, then by native comparison of pieces this large. */
const LOOP_MAX_BYTES = 64;
const PIECE_MIN_BYTES = 256;
const PIECE_MAX_BYTES = 65_536;

/** A delta that makes `target` of `source`. */
export function createDelta(source: Uint8Array, target: Uint8Array): Bytes {
  const from = asBuffer(source);
  const delta = new DeltaWriter(asBuffer(target));
  const head = commonPrefix(from, 0, delta.target, 0);
  if (head >= BLOCK_BYTES) delta.copy(0, 0, head);
  const rest = target.length - delta.base;
  const tail = commonSuffix(from, delta.target, Math.min(rest, source.length));
  if (rest - tail < BLOCK_BYTES) {
    if (tail >= BLOCK_BYTES) delta.copy(target.length - tail, source.length - tail, tail);
  } else if (source.length >= BLOCK_BYTES) {
    new Encoder(new SourceIndex(from), delta).scan();
  }
  return delta.finish();
}

/** The hash of 16 bytes, in four parts that do not wait for one another. */
function hashAt(bytes: Uint8Array, at: number): number {
  const high = Math.imul(hash4(bytes, at), M_12) + Math.imul(hash4(bytes, at + 4), M_8);
  return (high + Math.imul(hash4(bytes, at + 8), M_4) + hash4(bytes, at + 12)) | 0;
}

function hash4(bytes: Uint8Array, at: number): number {
  const two = Math.imul(bytes[at]!, M) + bytes[at + 1]!;
  const three = Math.imul(two, M) + bytes[at + 2]!;
  return Math.imul(Math.imul(three, M) + bytes[at + 3]!, M);
}

/** Where in the source a hash occurs. Blocks are numbered from 1, so that zeroed memory means "none". */
class SourceIndex {
  /** Distance of blocks, in bytes. */
  readonly stride: number;
  /** `hash >>> shift` chooses the chain. */
  readonly shift: number;
  /** A bit for each value of `hash >>> filterShift` that occurs: small enough to stay in a near cache. */
  readonly filter: Int32Array;
  readonly filterShift: number;
  /** First block of each chain. */
  readonly heads: Int32Array;
  /** By block: the next one of its chain. */
  readonly next: Int32Array;
  /** By block: its hash. */
  readonly hashes: Int32Array;

  constructor(readonly source: Buffer) {
    this.stride = BLOCK_BYTES * Math.max(1, Math.ceil(source.length / (BLOCK_BYTES * BLOCK_MAX_COUNT)));
    const count = Math.floor((source.length - BLOCK_BYTES) / this.stride) + 1;
    const bits = Math.max(4, 32 - Math.clz32(count));
    this.shift = 32 - bits;
    this.filterShift = this.shift - FILTER_EXTRA_BITS;
    this.filter = new Int32Array(1 << (bits + FILTER_EXTRA_BITS - 5));
    this.heads = new Int32Array(1 << bits);
    this.next = new Int32Array(count + 1);
    this.hashes = new Int32Array(count + 1);
    this.fill(count);
  }

  /** From the end, since each entry becomes the first of its chain. */
  private fill(count: number): void {
    const { source, stride, shift, heads, next, hashes, filter, filterShift } = this;
    for (let block = count; block >= 1; block--) {
      const hash = hashAt(source, (block - 1) * stride);
      const chain = hash >>> shift;
      const after = heads[chain]!;
      // A run: the new first block replaces the old one.
      next[block] = after === block + 1 && hashes[after] === hash ? next[after]! : after;
      hashes[block] = hash;
      heads[chain] = block;
      filter[(hash >>> filterShift) >>> 5]! |= 1 << (hash >>> filterShift);
    }
  }
}

class Encoder {
  /** The best match so far at one place: what it saves, and where it is. */
  private saved = 0;
  private offset = 0;
  private start = 0;
  private count = 0;

  constructor(
    private readonly index: SourceIndex,
    private readonly delta: DeltaWriter,
  ) {}

  scan(): void {
    const { index, delta } = this;
    const { filter, filterShift } = index;
    const { target } = delta;
    const last = target.length - BLOCK_BYTES;
    let at = delta.base;
    let hash = hashAt(target, at);
    while (true) {
      const bit = hash >>> filterShift;
      if ((filter[bit >>> 5]! & (1 << bit)) !== 0 && this.findMatch(at, hash)) {
        delta.copy(this.start, this.offset, this.count);
        at = this.start + this.count;
        if (at > last) return;
        hash = hashAt(target, at);
      } else {
        if (at === last) return;
        hash = Math.imul(hash + (target[at + BLOCK_BYTES]! - Math.imul(target[at]!, M_16)), M);
        at++;
      }
    }
  }

  /** Looks for the copy that saves most and includes the window at `at`. `false` if none saves anything. */
  private findMatch(at: number, hash: number): boolean {
    const { heads, shift, next, hashes, stride } = this.index;
    this.saved = 0;
    let isContinued = false;
    let block = heads[hash >>> shift]!;
    for (let tries = CHAIN_MAX_COUNT; block !== 0 && tries > 0; tries--, block = next[block]!) {
      if (hashes[block] !== hash) continue;
      if (!isContinued) {
        isContinued = true;
        this.tryMatch(at, at + this.delta.drift);
        if (this.saved > 0 && this.count >= GOOD_MATCH_BYTES) return true;
      }
      this.tryMatch(at, (block - 1) * stride);
      if (this.saved > 0 && this.count >= GOOD_MATCH_BYTES) return true;
    }
    return this.saved > 0;
  }

  /** Extends a match of the target at `at` with the source at `offset`, and keeps it if it is the best. */
  private tryMatch(at: number, offset: number): void {
    const { source } = this.index;
    const { target, base } = this.delta;
    if (offset < 0 || offset >= source.length) return;
    const least = this.count - (at - base);
    if (this.saved > 0 && least >= 0 && source[offset + least] !== target[at + least]) return;
    const ahead = commonPrefix(source, offset, target, at);
    if (ahead < BLOCK_BYTES) return;
    const behindMax = Math.min(at - base, offset);
    let behind = 0;
    while (behind < behindMax && source[offset - behind - 1] === target[at - behind - 1]) behind++;
    const count = ahead + behind;
    const start = at - behind;
    const literal = start - base;
    const overhead =
      digitCount(count) + digitCount(offset - behind) + 2 + (literal === 0 ? 0 : digitCount(literal) + 1);
    if (count - overhead <= this.saved) return;
    this.saved = count - overhead;
    this.count = count;
    this.start = start;
    this.offset = offset - behind;
  }
}

/** How many bytes agree in `a` from `i` and `b` from `j` on. */
export function commonPrefix(a: Buffer, i: number, b: Buffer, j: number): number {
  const max = Math.min(a.length - i, b.length - j);
  const near = Math.min(max, LOOP_MAX_BYTES);
  let count = 0;
  while (count < near && a[i + count] === b[j + count]) count++;
  if (count < near) return count;
  // Growing pieces while they agree, then shrinking ones: the first difference is in the piece that failed.
  let piece = PIECE_MIN_BYTES;
  let isGrowing = true;
  while (count + piece <= max && piece >= PIECE_MIN_BYTES) {
    if (b.compare(a, i + count, i + count + piece, j + count, j + count + piece) === 0) {
      count += piece;
      if (isGrowing && piece < PIECE_MAX_BYTES) piece <<= 1;
    } else {
      isGrowing = false;
      piece >>= 1;
    }
  }
  while (count < max && a[i + count] === b[j + count]) count++;
  return count;
}

/** How many bytes agree at the end of `a` and `b`, `max` at most. */
function commonSuffix(a: Buffer, b: Buffer, max: number): number {
  let count = 0;
  let piece = PIECE_MIN_BYTES;
  while (count + piece <= max) {
    const i = a.length - count;
    const j = b.length - count;
    if (b.compare(a, i - piece, i, j - piece, j) !== 0) break;
    count += piece;
    if (piece < PIECE_MAX_BYTES) piece <<= 1;
  }
  while (count < max && a[a.length - count - 1] === b[b.length - count - 1]) count++;
  return count;
}

/** Writes the delta of one target. */
class DeltaWriter {
  /** Everything of the target before this offset is written. */
  base = 0;
  /** Source offset minus target offset, of the last copy. */
  drift = 0;
  private readonly out: Buffer;
  private at: number;

  constructor(readonly target: Buffer) {
    // A copy is shorter than the literal it stands for, so one literal of everything is the longest delta.
    this.out = Buffer.allocUnsafe(target.length + 3 * (NUMBER_MAX_BYTES + 1));
    this.at = writeNumber(this.out, 0, target.length);
    this.out[this.at++] = NEWLINE;
  }

  /** Writes what is unwritten up to `start` as a literal, and `count` bytes from there as a copy. */
  copy(start: number, offset: number, count: number): void {
    this.literal(start);
    this.at = writeNumber(this.out, this.at, count);
    this.out[this.at++] = COPY;
    this.at = writeNumber(this.out, this.at, offset);
    this.out[this.at++] = COPY_END;
    this.base = start + count;
    this.drift = offset - start;
  }

  finish(): Bytes {
    this.literal(this.target.length);
    this.at = writeNumber(this.out, this.at, deltaChecksum(this.target));
    this.out[this.at++] = FINISH;
    return new Uint8Array(this.out.subarray(0, this.at));
  }

  private literal(end: number): void {
    const { base, target, out } = this;
    if (end === base) return;
    this.at = writeNumber(out, this.at, end - base);
    out[this.at++] = LITERAL;
    target.copy(out, this.at, base, end);
    this.at += end - base;
  }
}
