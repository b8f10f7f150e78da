/** Chance in a form that plans and faults are written in. */
import { type Random, randomBelow, seededRandom } from "../../src/random.ts";

export class Dice {
  readonly random: Random;

  constructor(seed: bigint) {
    this.random = seededRandom(seed);
  }

  /** A uniform whole number in [0, count). */
  below(count: number): number {
    return randomBelow(this.random, count);
  }

  /** A uniform number in [from, to). */
  between(from: number, to: number): number {
    return from + this.random.float() * (to - from);
  }

  chance(probability: number): boolean {
    return this.random.float() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** One of the names, by weight. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const names = Object.keys(weights) as K[];
    let left = this.random.float() * names.reduce((sum, name) => sum + weights[name], 0);
    for (const name of names) {
      left -= weights[name];
      if (left < 0) return name;
    }
    return names.at(-1)!;
  }

  seed(): bigint {
    return new DataView(this.random.bytes(8).buffer).getBigUint64(0);
  }
}
