/**
 * The search for the check-in that broke something, or mended it, between one known to be good and one known to be
 * bad. What is known is kept as stock keeps it, so that either program goes on where the other stopped:
 *
 *     vvar bisect-good, bisect-bad   rids of the innermost known check-ins; 0 or missing: none yet
 *     vvar bisect-log                what was said, in order: RID good, -RID bad, sRID skipped
 *     vvar bisect-complete           1 once nothing is left to be tested
 *     vvar bisect-…                  options, see `BISECT_OPTIONS`
 *
 * Tested is the middle of the shortest way between the two, which may lead up to parents first and then down to
 * children; skipped check-ins do not count.
 *
 * Source: Fossil `src/bisect.c`, `src/path.c`.
 */
import type { Checkout } from "./checkout-db.ts";
import { RepoError, UsageError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import { formatDateTime, fromJulian } from "./julian.ts";
import type { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";
import { shortestPath } from "./repo-path.ts";

export type BisectVerdict = "good" | "bad" | "skip";

export const BISECT_OPTIONS = {
  "auto-next": { fallback: "on", about: "go on to the next check-in after good, bad and skip" },
  "direct-only": { fallback: "on", about: "follow first parents only, not merges" },
  display: { fallback: "chart", about: "what is shown after each step: chart, log, status or none" },
  linear: { fallback: "off", about: "test one after the other, from the good one on" },
} as const;
export type BisectOption = keyof typeof BISECT_OPTIONS;

export function bisectOption(checkout: Checkout, name: BisectOption): string {
  return checkout.variable(`bisect-${name}`) ?? BISECT_OPTIONS[name].fallback;
}

export function isOptionOn(checkout: Checkout, name: BisectOption): boolean {
  const isOn = (value: string) => /^(?:on|yes|true|[1-9]\d*)$/i.test(value);
  const value = bisectOption(checkout, name);
  return isOn(value) || (!/^(?:off|no|false|0)$/i.test(value) && isOn(BISECT_OPTIONS[name].fallback));
}

export function setBisectOption(checkout: Checkout, name: BisectOption, value: string): void {
  checkout.write(() => checkout.setVariable(`bisect-${name}`, value));
}

interface Verdict {
  readonly verdict: BisectVerdict;
  readonly rid: Rid;
}

function readLog(checkout: Checkout): Verdict[] {
  const tokens = (checkout.variable("bisect-log") ?? "").split(/\s+/).filter((token) => token !== "");
  return tokens.map((token) => {
    if (token.startsWith("s")) return { verdict: "skip", rid: Number(token.slice(1)) as Rid };
    const rid = Number(token);
    return { verdict: rid < 0 ? "bad" : "good", rid: Math.abs(rid) as Rid };
  });
}

const TOKENS = { good: "", bad: "-", skip: "s" } as const;

function writeLog(checkout: Checkout, log: readonly Verdict[]): void {
  checkout.setVariable("bisect-log", log.map(({ verdict, rid }) => TOKENS[verdict] + rid).join(" "));
}

const known = (checkout: Checkout, verdict: "good" | "bad"): Rid | undefined => {
  const rid = Number(checkout.variable(`bisect-${verdict}`) ?? 0);
  return rid === 0 ? undefined : (rid as Rid);
};

/** Whether a good and a bad one are known, so that there is something to search. */
export function isBounded(checkout: Checkout): boolean {
  return known(checkout, "good") !== undefined && known(checkout, "bad") !== undefined;
}

export function isComplete(checkout: Checkout): boolean {
  return Number(checkout.variable("bisect-complete") ?? 0) !== 0;
}

/** Says what a check-in is. The same again is not noted twice. */
export function judge(checkout: Checkout, verdict: BisectVerdict, rid: Rid): void {
  checkout.write(() => {
    const log = readLog(checkout);
    if (verdict === "skip") {
      if (log.length > 0) writeLog(checkout, [...log, { verdict, rid }]);
      return;
    }
    if (known(checkout, verdict) === rid) return;
    checkout.setVariable(`bisect-${verdict}`, rid);
    writeLog(checkout, [...log, { verdict, rid }]);
  });
}

/** Takes back what was said last. @throws RepoError `nothing-to-undo` */
export function takeBack(checkout: Checkout): void {
  checkout.write(() => {
    const log = readLog(checkout);
    if (log.length === 0) {
      throw new RepoError("nothing-to-undo", "no step of a bisect was made yet", {
        hint: "begin with edgesync repo bisect good, or bad",
      });
    }
    const left = log.slice(0, -1);
    writeLog(checkout, left);
    for (const verdict of ["good", "bad"] as const) {
      checkout.setVariable(`bisect-${verdict}`, left.findLast((said) => said.verdict === verdict)?.rid ?? 0);
    }
    checkout.unsetVariable("bisect-complete");
  });
}

/** Forgets the search; options stay, but for `linear`, as in stock. */
export function resetBisect(checkout: Checkout): void {
  checkout.write(() => {
    for (const name of ["good", "bad", "log", "complete", "linear"]) checkout.unsetVariable(`bisect-${name}`);
  });
}

export interface BisectNext {
  /** What to test; `undefined` when the search is over. */
  readonly rid: Rid | undefined;
  /** Check-ins between good and bad that are not skipped, the bad one with them. */
  readonly span: number;
  /** About how many tests are left. */
  readonly stepsRemaining: number;
}

/**
 * What to test next; notes it when nothing is left.
 *
 * @throws UsageError `bisect-open` while no good or no bad one is known; RepoError `no-path`
 */
export function nextToTest(checkout: Checkout): BisectNext {
  const path = bisectPath(checkout);
  const counted = path.slice(1).filter(({ isSkipped }) => !isSkipped);
  const span = counted.length;
  const linear = path[1]?.rid;
  const rid = isOptionOn(checkout, "linear")
    ? linear === checkout.checkIn
      ? undefined
      : linear
    : span < 2
      ? undefined
      : middleOf(path, Math.floor(span / 2));
  if (rid === undefined) checkout.write(() => checkout.setVariable("bisect-complete", 1));
  return { rid, span, stepsRemaining: Math.ceil(Math.log2(Math.max(span, 1))) };
}

/** The first from the end after `count` that are not skipped, that is not skipped itself. */
function middleOf(path: readonly Step[], count: number): Rid | undefined {
  let left = count;
  for (const { rid, isSkipped } of [...path].reverse()) {
    if (isSkipped) continue;
    if (left === 0) return rid;
    left--;
  }
  return undefined;
}

interface Step {
  readonly rid: Rid;
  readonly isSkipped: boolean;
}

/** From the good one to the bad one, both with it. With one of them known, that one. */
function bisectPath(checkout: Checkout): Step[] {
  const [good, bad] = [known(checkout, "good"), known(checkout, "bad")];
  if (good === undefined && bad === undefined) {
    throw new UsageError("bisect-open", "neither a good nor a bad version is known yet", {
      hint: "say edgesync repo bisect good VERSION, and bad VERSION",
    });
  }
  if (good === undefined || bad === undefined) return [{ rid: (good ?? bad)!, isSkipped: false }];
  const log = readLog(checkout);
  const skipped = new Set(log.filter(({ verdict }) => verdict === "skip").map(({ rid }) => rid));
  const path = shortestPath(checkout.repo, good, bad, isOptionOn(checkout, "direct-only"));
  if (path !== undefined) return path.map((rid) => ({ rid, isSkipped: skipped.has(rid) }));
  const name = (rid: Rid) => checkout.repo.content.hashOf(rid).slice(0, 10);
  throw new RepoError("no-path", `no way leads from the good ${name(good)} to the bad ${name(bad)}`, {
    hint: "turn the option direct-only off to follow merges too",
  });
}

/** A check-in as the lists of a bisect show it. */
export type BisectEntry = {
  readonly hash: Hash;
  /** `YYYY-MM-DD HH:MM:SS`, UTC. */
  readonly date: string;
  /** What was said of it, and when: counted from 1. `undefined` between the known ones. */
  readonly verdict?: BisectVerdict | "current";
  readonly number?: number;
  readonly isCurrent: boolean;
  /** In the middle of the way. */
  readonly isNext?: boolean;
};

/**
 * What was said so far, and what is checked out.
 *
 * @param order `said`: as it was said; `date`: the newest check-in first
 */
export function bisectLog(checkout: Checkout, order: "said" | "date"): BisectEntry[] {
  const { repo, checkIn } = checkout;
  const said = readLog(checkout);
  const entries = new Map<Rid, { verdict: BisectVerdict | "current"; number: number }>();
  for (const [i, { verdict, rid }] of said.entries()) {
    if (!entries.has(rid)) entries.set(rid, { verdict, number: i + 1 });
  }
  if (checkIn !== undefined && !entries.has(checkIn)) {
    entries.set(checkIn, { verdict: "current", number: said.length + 1 });
  }
  const dated = [...entries].map(([rid, entry]) => ({ mtime: mtimeOf(repo, rid), rid, ...entry }));
  if (order === "date") dated.sort((a, b) => b.mtime - a.mtime || a.rid - b.rid);
  return dated.map(({ rid, mtime, verdict, number }) => ({
    ...facts(repo, rid, mtime),
    verdict,
    number,
    isCurrent: rid === checkIn,
  }));
}

/** The way from the bad one back to the good one. @throws as `nextToTest` */
export function bisectWay(checkout: Checkout): BisectEntry[] {
  const path = bisectPath(checkout).reverse();
  const steps = path.length - 1;
  const [good, bad] = [known(checkout, "good"), known(checkout, "bad")];
  return path.map(({ rid }, i) => ({
    ...facts(checkout.repo, rid, mtimeOf(checkout.repo, rid)),
    ...(rid === good && { verdict: "good" as const }),
    ...(rid === bad && { verdict: "bad" as const }),
    isCurrent: rid === checkout.checkIn,
    isNext: steps > 1 && i === Math.floor(steps / 2),
  }));
}

function facts(repo: Repo, rid: Rid, mtime: number): { hash: Hash; date: string } {
  return { hash: repo.content.hashOf(rid), date: formatDateTime(fromJulian(mtime)) };
}

function mtimeOf(repo: Repo, rid: Rid): number {
  return repo.db.prepare("SELECT mtime FROM event WHERE objid=?").value<number>(rid) ?? 0;
}
