/**
 * Where a clone goes on. The protocol has one number for it, which the client sends back as it got it:
 * `clone_seqno N`, then `clone 3 N`, at most 2³¹−1. Stock puts the next rid there, and the clone ends when
 * it has caught up with the newest artifact, which is never if others push faster than it reads.
 *
 * Here a clone is of a snapshot. N carries the bound too, the largest rid when the clone began, so that a
 * server that remembers nothing still ends it there:
 *
 *     N < 2³⁰    a rid, as in stock; 1 starts a clone. The bound is the largest rid now.
 *     N ≥ 2³⁰    bits 27–29  e   positions count in units of 4ᵉ rids
 *                bits 0–26   i = b(b−1)/2 + p, 0 ≤ p < b: bound and position, numbered row by row
 *                page starts at rid p·4ᵉ + 1, snapshot ends with rid b·4ᵉ
 *
 * A page therefore ends with a multiple of its unit, which is 1 up to 16,384 rids and 4, 16, 64 … above;
 * the bound is rounded up to one. Every number from 2³⁰ to 2³¹−1 is a valid cursor.
 */

const MARK = 2 ** 30;
const INDEX_BITS = 27;
/** Largest bound in units: 16,384 · 16,383 / 2 < 2²⁷. */
const UNITS_MAX = 16_384;
const EXPONENT_MAX = 7;

export interface ClonePosition {
  /** First rid of the page. */
  readonly first: number;
  /** Last rid of the snapshot. */
  readonly last: number;
  /** A page may only end with a rid that is a multiple of this. */
  readonly unit: number;
}

/**
 * The position that `sequence` stands for.
 *
 * @param newest the largest rid now
 */
export function positionOf(sequence: number, newest: number): ClonePosition {
  if (sequence < MARK) return { first: sequence, last: newest, unit: unitFor(newest) };
  const unit = 4 ** ((sequence - MARK) >>> INDEX_BITS);
  const index = (sequence - MARK) % 2 ** INDEX_BITS;
  // The largest b with b(b−1)/2 ≤ index; the root may be off by one.
  let bound = Math.floor((1 + Math.sqrt(1 + 8 * index)) / 2);
  while ((bound * (bound - 1)) / 2 > index) bound--;
  while ((bound * (bound + 1)) / 2 <= index) bound++;
  const position = index - (bound * (bound - 1)) / 2;
  return { first: position * unit + 1, last: bound * unit, unit };
}

/**
 * The sequence that goes on after rid `done`, a multiple of the unit; 0 when nothing is left.
 *
 * @param position of the page that ended with `done`
 */
export function sequenceAfter(done: number, position: ClonePosition): number {
  const { last, unit } = position;
  if (done >= last) return 0;
  const bound = Math.ceil(last / unit);
  // More rids than a cursor can count: go on as stock does.
  if (bound > UNITS_MAX) return done + 1;
  const exponent = Math.log2(unit) / 2;
  return MARK + exponent * 2 ** INDEX_BITS + (bound * (bound - 1)) / 2 + done / unit;
}

function unitFor(newest: number): number {
  let exponent = 0;
  while (exponent < EXPONENT_MAX && Math.ceil(newest / 4 ** exponent) > UNITS_MAX) exponent++;
  return 4 ** exponent;
}
