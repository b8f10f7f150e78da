/**
 * What several people do to one project at the same time, from a seed. The plan fixes who does what in which order
 * and gives each step chance of its own; which check-in is merged or which page edited depends on what a person
 * has by then, and so on how the machine interleaves them.
 */
import { type Random, randomBelow, seededRandom } from "../../src/random.ts";

const WEIGHTS = {
  commit: 24,
  branch: 6,
  merge: 9,
  tag: 7,
  wiki: 8,
  ticket: 8,
  technote: 5,
  attach: 3,
  uvPut: 6,
  uvDelete: 3,
  uvSync: 5,
  setting: 4,
  config: 6,
  privateCommit: 5,
  privateSync: 4,
  spam: 3,
  shun: 3,
  sync: 7,
} as const;

export type Kind = keyof typeof WEIGHTS;
export const KINDS = Object.keys(WEIGHTS) as readonly Kind[];

/** Areas whose rows are compared at the end; `user` differs by design, for every clone has an owner of its own. */
export const AREAS = [
  "project",
  "skin",
  "css",
  "shun",
  "ticket",
  "xfer",
  "alias",
  "interwiki",
  "email",
] as const;

/** Settings that all change, one of each area that has some. */
export const CONTESTED = [
  "ignore-glob",
  "project-description",
  "header",
  "css",
  "ticket-report-template",
  "xfer-common-script",
  "walias:/here",
  "interwiki:there",
] as const;

/** What can be shunned without harm has this word in its name. */
export const SPAM = "spam";

export class Chance {
  constructor(private readonly random: Random) {}

  below(count: number): number {
    return randomBelow(this.random, count);
  }

  is(probability: number): boolean {
    return this.random.float() < probability;
  }

  pick<T>(values: readonly T[]): T | undefined {
    return values[this.below(values.length)];
  }
}

export interface Step {
  readonly kind: Kind;
  /** Names the step among all of all players. */
  readonly id: string;
  /** Counts the steps of all players: no two have the same. */
  readonly stamp: number;
  readonly chance: Chance;
}

/** One list of steps per player. Kinds come by weight; every kind comes to every player who has steps enough. */
export function plan(seed: number, stepCount: number, players: readonly string[]): readonly Step[][] {
  return players.map((player, p) => {
    const own = Math.floor((stepCount + p) / players.length);
    const random = seededRandom(BigInt(seed) * 1_000n + BigInt(p));
    const chance = new Chance(random);
    return kinds(own, chance).map((kind, i) => ({
      kind,
      id: `${player}-${i}`,
      stamp: i * players.length + p,
      chance: new Chance(seededRandom((BigInt(seed) << 32n) + BigInt(i * players.length + p))),
    }));
  });
}

function kinds(count: number, chance: Chance): Kind[] {
  const each = count >= 2 * KINDS.length ? [...KINDS] : [];
  const drawn = Array.from({ length: count - each.length }, () => draw(chance));
  return shuffled([...each, ...drawn], chance);
}

function draw(chance: Chance): Kind {
  let roll = chance.below(KINDS.reduce((sum, kind) => sum + WEIGHTS[kind], 0));
  return KINDS.find((kind) => {
    roll -= WEIGHTS[kind];
    return roll < 0;
  })!;
}

function shuffled<T>(values: T[], chance: Chance): T[] {
  for (let i = values.length - 1; i > 0; i--) {
    const j = chance.below(i + 1);
    [values[i], values[j]] = [values[j]!, values[i]!];
  }
  return values;
}

/** Unversioned files. */
export const UNVERSIONED = ["one.txt", "two.txt", "down/load.bin", "größe.txt"];

/** Files that people edit, and what they may look like: some people write the same thing as others. */
export const FILES = ["a.txt", "b/c.txt", "b/d e.txt", "f.txt", "g/größe.txt", "h.txt", "i/j/k.txt", "l.txt"];

export function edited(before: string | undefined, { id, chance }: Step): string {
  const lines = before?.split("\n") ?? Array.from({ length: 40 }, (_, i) => `line ${i}`);
  const at = chance.below(lines.length);
  lines[at] = chance.is(0.15) ? "the same as others" : `line by ${id} ${chance.below(1000)}`;
  if (chance.is(0.3)) lines.push(`more by ${id}`);
  return lines.join("\n");
}
