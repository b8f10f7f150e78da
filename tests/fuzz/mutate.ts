/**
 * Makes inputs out of examples. Changes know what separates tokens and lines and what a number looks like, so that
 * most of what comes out still gets past the first checks of a parser:
 *
 * - single bytes: a bit turned, a byte set, taken out, put in
 * - numbers (decimal, hexadecimal, base 64 of deltas): replaced by one at or beside a bound
 * - tokens and lines: doubled, taken out, exchanged, replaced by a word of the format
 * - pieces of another example, and an end that comes too early
 */

/** xorshift128: many small numbers, fast, the same for the same seed. */
export class FuzzDice {
  private a: number;
  private b: number;
  private c: number;
  private d: number;

  constructor(seed: number) {
    this.a = seed | 0 || 1;
    this.b = 0x9e3779b9 | 0;
    this.c = 0x243f6a88 | 0;
    this.d = 0x85a308d3 | 0;
    for (let i = 0; i < 16; i++) this.next();
  }

  private next(): number {
    let t = this.d;
    const s = this.a;
    this.d = this.c;
    this.c = this.b;
    this.b = s;
    t ^= t << 11;
    t ^= t >>> 8;
    this.a = t ^ s ^ (s >>> 19);
    return this.a >>> 0;
  }

  /** In [0, count). */
  below(count: number): number {
    return this.next() % count;
  }

  chance(oneIn: number): boolean {
    return this.below(oneIn) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

/** Inputs are at most this long. */
export const INPUT_MAX_BYTES = 16_384;

const NUMBERS = [
  ..."0 1 2 7 9 10 00 01 -1 -0 +1 1.5 1e9 0x10 127 128 255 256 4095 4096 4097 65535 65536 1000000 2147483647".split(
    " ",
  ),
  ..."2147483648 4294967295 4294967296 999999999 1000000000 1000000001 9007199254740993 9223372036854775808".split(
    " ",
  ),
  ..."18446744073709551616 99999999999999999999999 ~ 3~~~~~ ~~~~~~ 4000000 0~ deadbeef".split(" "),
].map((text) => Buffer.from(text, "latin1"));
const BYTES = [0, 9, 10, 13, 32, 34, 39, 44, 47, 58, 59, 64, 92, 123, 125, 127, 128, 192, 237, 255];

const NOTHING = Buffer.alloc(0);
/** Up to here a loop is faster than a view. */
const LOOP_MAX_BYTES = 48;

function copy(source: Uint8Array, from: number, target: Uint8Array, at: number, count: number): void {
  if (count > LOOP_MAX_BYTES) target.set(source.subarray(from, from + count), at);
  else for (let i = 0; i < count; i++) target[at + i] = source[from + i]!;
}

const isBreak = (byte: number) =>
  byte === 32 ||
  byte === 10 ||
  byte === 13 ||
  byte === 9 ||
  byte === 44 ||
  byte === 58 ||
  byte === 59 ||
  byte === 64 ||
  byte === 34;

export class Mutator {
  /** The input in the making: its first `length` bytes. */
  private readonly work = Buffer.alloc(INPUT_MAX_BYTES);
  /** A piece of it, while that is put elsewhere. */
  private readonly piece = Buffer.alloc(INPUT_MAX_BYTES);
  private length = 0;
  private readonly words: readonly Buffer[];

  constructor(
    private readonly dice: FuzzDice,
    /** Words of the format. */
    words: readonly (string | Uint8Array)[],
  ) {
    this.words = words.map((word) =>
      typeof word === "string" ? Buffer.from(word, "latin1") : Buffer.from(word),
    );
  }

  /** A new input out of `example`; `other` lends pieces. */
  make(example: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
    const { dice, work } = this;
    this.length = Math.min(example.length, INPUT_MAX_BYTES);
    if (example.length <= INPUT_MAX_BYTES) work.set(example);
    else work.set(example.subarray(0, INPUT_MAX_BYTES));
    let changes = 1 + dice.below(4);
    if (dice.chance(16)) changes += dice.below(24);
    while (changes-- > 0) this.change(other);
    return Uint8Array.prototype.slice.call(work, 0, this.length);
  }

  private change(other: Uint8Array): void {
    const { dice, work, length } = this;
    const at = dice.below(length + 1);
    switch (dice.below(14)) {
      case 0:
        if (at < length) work[at]! ^= 1 << dice.below(8);
        return;
      case 1:
        if (at < length) work[at] = dice.pick(BYTES);
        return;
      case 2:
        return void this.replace(at, Math.min(length - at, 1 + dice.below(4)), NOTHING, 0, 0);
      case 3: {
        const count = 1 + (dice.chance(8) ? dice.below(2000) : dice.below(3));
        const run = this.piece.fill(dice.pick(BYTES), 0, count);
        return void this.replace(at, 0, run, 0, count);
      }
      case 4:
      case 5:
        return void this.changeNumber(at);
      case 6:
      case 7: {
        const [from, to] = this.token(at);
        const word = this.word();
        return void this.replace(from, dice.chance(2) ? to - from : 0, word, 0, word.length);
      }
      case 8: {
        const [from, to] = this.token(at);
        const [a, b] = this.token(dice.below(length + 1));
        this.keep(from, to);
        return void this.replace(a, b - a, this.piece, 0, to - from);
      }
      case 9: {
        const [from, to] = this.line(at);
        return void this.replace(from, to - from, NOTHING, 0, 0);
      }
      case 10: {
        const [from, to] = this.line(at);
        const [a] = this.line(dice.below(length + 1));
        this.keep(from, to);
        return void this.replace(a, 0, this.piece, 0, to - from);
      }
      case 11: {
        const start = dice.below(other.length + 1);
        const count = Math.min(other.length - start, 1 + dice.below(300));
        const instead = dice.chance(2) ? Math.min(count, length - at) : 0;
        return void this.replace(at, instead, other, start, start + count);
      }
      case 12:
        if (dice.chance(3)) this.length = at;
        return;
      default:
        for (let i = 0; i < 4 && at + i < length; i++) work[at + i] = dice.below(256);
    }
  }

  private word(): Buffer {
    return this.words.length === 0 || this.dice.chance(6)
      ? this.dice.pick(NUMBERS)
      : this.dice.pick(this.words);
  }

  private changeNumber(near: number): void {
    const { work, length } = this;
    for (let from = near; from < length; from++) {
      if (work[from]! < 48 || work[from]! > 57) continue;
      let to = from + 1;
      while (to < length && work[to]! >= 48 && work[to]! <= 57) to++;
      let number = this.dice.pick(NUMBERS);
      if (this.dice.chance(2)) {
        const value = Number(work.toString("latin1", from, Math.min(to, from + 15)));
        number = Buffer.from(String(Math.max(0, value + this.dice.below(5) - 2)));
      }
      return void this.replace(from, to - from, number, 0, number.length);
    }
  }

  private token(at: number): [number, number] {
    const { work, length } = this;
    let from = Math.min(at, length);
    while (from > 0 && at - from < 100 && !isBreak(work[from - 1]!)) from--;
    let to = Math.min(at, length);
    while (to < length && to - at < 100 && !isBreak(work[to]!)) to++;
    return [from, to];
  }

  private line(at: number): [number, number] {
    const { work, length } = this;
    let from = Math.min(at, length);
    while (from > 0 && work[from - 1] !== 10) from--;
    let to = Math.min(at, length);
    while (to < length && work[to] !== 10) to++;
    return [from, Math.min(length, to + 1)];
  }

  /** Puts a part of `source`, which is not the input itself, in the place of `count` bytes. */
  private replace(at: number, count: number, source: Uint8Array, from: number, to: number): void {
    const { work } = this;
    const fits = Math.min(to - from, INPUT_MAX_BYTES - (this.length - count));
    if (fits !== count) work.copyWithin(at + fits, at + count, this.length);
    copy(source, from, work, at, fits);
    this.length += fits - count;
  }

  private keep(from: number, to: number): void {
    copy(this.work, from, this.piece, 0, to - from);
  }
}
