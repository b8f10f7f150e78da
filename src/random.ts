/**
 * Chance as a dependency. Production uses `systemRandom` (cryptographic); a simulator passes
 * `seededRandom`, which gives the same sequence for the same seed on every machine.
 */
import { toHex } from "./bytes.ts";

export interface Random {
  bytes(count: number): Uint8Array;
  /** Uniform in [0, 1). */
  float(): number;
}

export const systemRandom: Random = {
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
  float: () => crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32,
};

/** `count` random bytes as `2 * count` lower-case hex digits. */
export function randomHex(random: Random, count: number): string {
  return toHex(random.bytes(count));
}

/** A uniform whole number in [0, below). */
export function randomBelow(random: Random, below: number): number {
  return Math.floor(random.float() * below);
}

/** Between half of `waitMs` and all of it, so that many who wait for the same do not come at once. */
export function randomWait(random: Random, waitMs: number): number {
  return waitMs * (0.5 + random.float() / 2);
}

/** SplitMix64: small, well distributed, and defined by integer arithmetic alone. Not for secrets. */
export function seededRandom(seed: bigint): Random {
  let state = BigInt.asUintN(64, seed);
  const next = (): bigint => {
    state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
    let z = state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
  };
  return {
    float: () => Number(next() >> 11n) / 2 ** 53,
    bytes(count) {
      const out = new Uint8Array(count);
      for (let i = 0; i < count; i += 8) {
        let word = next();
        for (let j = i; j < Math.min(i + 8, count); j++) {
          out[j] = Number(word & 255n);
          word >>= 8n;
        }
      }
      return out;
    },
  };
}
