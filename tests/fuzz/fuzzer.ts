/**
 * One fuzz run of one parser. From examples come inputs (`mutate`); one that has an outcome not seen before (another error, another
 * shape of result) becomes an example itself. The same seed makes the same inputs.
 *
 * Held for each: only errors that are declared escape, it takes less than a second, and memory stays bounded.
 */
import { EdgeSyncError } from "../../src/errors.ts";
import { FuzzDice, Mutator } from "./mutate.ts";

export interface FuzzTarget {
  readonly name: string;
  /** Well-formed inputs, and others worth beginning with. */
  readonly examples: () => readonly Uint8Array[];
  /** Words of the format. */
  readonly words: readonly (string | Uint8Array)[];
  /** Makes checksums, sizes and packing right again, of half of the inputs, so that they get further. */
  readonly repair?: (input: Uint8Array<ArrayBuffer>, dice: FuzzDice) => Uint8Array<ArrayBuffer>;
  /**
   * Lets the parser read.
   *
   * @returns what came of it in a word or two, of which there are few; a new one makes the input an example
   * @throws EdgeSyncError what the parser declares; anything else is a defect
   */
  readonly run: (input: Uint8Array<ArrayBuffer>, dice: FuzzDice) => string | Promise<string>;
  readonly close?: () => void;
}

export interface FuzzReport {
  readonly executions: number;
  readonly seconds: number;
  /** Outcomes without an error. */
  readonly accepted: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly slowestMs: number;
  readonly peakGrowthMb: number;
  readonly defects: readonly FuzzDefect[];
}

export interface FuzzDefect {
  readonly what: string;
  readonly execution: number;
  readonly input: Uint8Array;
}

export interface FuzzRun {
  readonly executions: number;
  readonly seed: number;
  /** Sees each input before it is tried: what a run that hangs was at. */
  readonly onInput?: (execution: number, input: Uint8Array) => void;
  /** Hears of each defect at once: a run that is stopped gives no report. */
  readonly onDefect?: (defect: FuzzDefect) => void;
  /** Hears of each input that took longer than those before it. */
  readonly onSlower?: (tookMs: number) => void;
}

/** Of memory that a run shares with who watches it: three numbers; after them comes the input. */
export const FUZZ_HEAD_BYTES = 12;
const HANG_MS = 1_000;
/** Of what seemed to hang. */
const TRIES_AGAIN = 3;
export const MEMORY_GROWTH_MAX_MB = 768;
const EXAMPLES_MAX = 4_000;
/** Larger ones cost more than they find. */
const EXAMPLE_MAX_BYTES = 3_000;
const DEFECTS_MAX = 5;

export async function fuzz(target: FuzzTarget, options: FuzzRun): Promise<FuzzReport> {
  const { executions, seed, onInput } = options;
  const dice = new FuzzDice(seed);
  const mutator = new Mutator(dice, target.words);
  const examples = [...target.examples()];
  const first = examples.length;
  const outcomes = new Map<string, number>();
  const defects: FuzzDefect[] = [];
  const found = (defect: FuzzDefect) => {
    defects.push(defect);
    options.onDefect?.(defect);
  };
  // What is short costs less and is changed for more: of two, mostly the shorter.
  const pick = () => {
    const [one, other] = [dice.pick(examples), dice.pick(examples)];
    return dice.chance(4) || one.length <= other.length ? one : other;
  };
  const baseMb = megabytes();
  let [accepted, slowestMs, peakGrowthMb] = [0, 0, 0];
  const began = performance.now();
  let done = 0;
  /** The input as it was before the parser had it. */
  let held = new Uint8Array(65_536);
  // A trace for each error would cost more than the parsing.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  for (; done < executions && defects.length < DEFECTS_MAX; done++) {
    // Each example once as it is.
    let input = done < first ? new Uint8Array(examples[done]!) : mutator.make(pick(), pick());
    if (done >= first && target.repair !== undefined && dice.chance(2)) input = target.repair(input, dice);
    onInput?.(done, input);
    const size = input.length;
    if (size > held.length) held = new Uint8Array(2 * size);
    held.set(input);
    const started = performance.now();
    let outcome: string;
    try {
      const result = target.run(input, dice);
      outcome = typeof result === "string" ? result : await result;
      accepted++;
    } catch (error) {
      if (error instanceof EdgeSyncError) outcome = error.code;
      else {
        outcome = "undeclared";
        found({
          what: await traced(target, held.slice(0, size), dice, error),
          execution: done,
          input: held.slice(0, size),
        });
      }
    }
    let tookMs = performance.now() - started;
    // A machine that is busy may stop for a second itself: what is slow is slow again.
    for (let again = 0; tookMs > HANG_MS && again < TRIES_AGAIN; again++)
      tookMs = Math.min(tookMs, await timeOf(target, held.slice(0, size), dice));
    if (tookMs > slowestMs) {
      slowestMs = tookMs;
      options.onSlower?.(tookMs);
    }
    if (tookMs > HANG_MS)
      found({
        what: `took ${Math.round(tookMs)} ms`,
        execution: done,
        input: held.slice(0, size),
      });
    const seen = outcomes.get(outcome);
    outcomes.set(outcome, (seen ?? 0) + 1);
    if (seen === undefined && examples.length < EXAMPLES_MAX && size <= EXAMPLE_MAX_BYTES)
      examples.push(held.slice(0, size));
    if ((done & 0x3fff) === 0x3fff || done === executions - 1) {
      peakGrowthMb = Math.max(peakGrowthMb, megabytes() - baseMb);
      if (peakGrowthMb > MEMORY_GROWTH_MAX_MB)
        found({
          what: `memory grew by ${peakGrowthMb} MB`,
          execution: done,
          input: held.slice(0, size),
        });
    }
  }
  Error.stackTraceLimit = stackTraceLimit;
  target.close?.();
  const seconds = (performance.now() - began) / 1000;
  return {
    executions: done,
    seconds,
    accepted,
    outcomes: Object.fromEntries(outcomes),
    slowestMs,
    peakGrowthMb: Math.round(peakGrowthMb),
    defects,
  };
}

/** What is wrong, with where it happens, if it happens again. */
async function traced(
  target: FuzzTarget,
  input: Uint8Array<ArrayBuffer>,
  dice: FuzzDice,
  error: unknown,
): Promise<string> {
  Error.stackTraceLimit = 10;
  try {
    await target.run(input, dice);
  } catch (again) {
    if (again instanceof Error && !(again instanceof EdgeSyncError)) return again.stack ?? again.message;
  } finally {
    Error.stackTraceLimit = 0;
  }
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

async function timeOf(target: FuzzTarget, input: Uint8Array, dice: FuzzDice): Promise<number> {
  const started = performance.now();
  try {
    await target.run(new Uint8Array(input), dice);
  } catch (error) {
    if (!(error instanceof EdgeSyncError)) throw error;
  }
  return performance.now() - started;
}

const megabytes = () => process.memoryUsage.rss() / 1_000_000;
