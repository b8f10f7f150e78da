/** A stranger's clone of a machine in the middle of its life: whatever happens on the way, what comes of it is whole. */
import { existsSync, rmSync } from "node:fs";
import { EdgeSyncError } from "../../src/errors.ts";
import { inlineExecutor } from "../../src/executor.ts";
import type { Hash } from "../../src/hash.ts";
import { seededRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import { createVerifyJobs, verifyRepository } from "../../src/repo-verify.ts";
import { cloneRepository, inlineCloneThreads } from "../../src/sync-clone.ts";
import type { Credentials } from "../../src/sync-request.ts";
import type { Transport } from "../../src/transport.ts";
import { holdings, privateHoldings } from "./checks.ts";
import type { NodeClock } from "./timeline.ts";

const ATTEMPTS_MAX = 6;
const PAUSE_MS = 15_000;

export interface CloneTrip {
  readonly target: string;
  readonly seed: bigint;
  readonly clock: NodeClock;
  readonly login: Credentials;
  readonly connect: () => Transport;
  /** Public artifacts that the server had when the clone began. */
  readonly expected: readonly Hash[];
  readonly privateHashes: ReadonlySet<Hash>;
}

/** @returns what is wrong, and how it ended in a word */
export async function takeClone(
  trip: CloneTrip,
): Promise<{ readonly problems: string[]; readonly end: string }> {
  const { target, seed, clock, login, connect } = trip;
  const deps = { clock, random: seededRandom(seed) };
  let end = "given up";
  let refusedCount = 0;
  for (let attempt = 0; attempt < ATTEMPTS_MAX && end === "given up"; attempt++) {
    const options = {
      target,
      source: "http://peer/",
      login,
      user: "ann",
      version: "simulation",
      random: deps.random,
    };
    try {
      const { isResumed, artifactCount, refused } = await cloneRepository(
        connect(),
        options,
        inlineCloneThreads(deps),
      );
      // Damaged on the way, and named; under another name if that was damaged. A sync brings it.
      refusedCount = refused.length;
      end = `${artifactCount} artifacts${isResumed ? ", resumed" : ""}`;
    } catch (error) {
      if (!(error instanceof EdgeSyncError)) throw error;
      await clock.sleep(PAUSE_MS);
    }
  }
  const problems = existsSync(target)
    ? await inspect(trip, deps, refusedCount)
    : end === "given up"
      ? []
      : ["there is no file"];
  for (const suffix of ["", "-wal", "-shm", ".part", ".part-wal", ".part-shm"])
    rmSync(target + suffix, { force: true });
  return { problems, end };
}

async function inspect(
  { target, expected, privateHashes }: CloneTrip,
  deps: { readonly clock: NodeClock; readonly random: ReturnType<typeof seededRandom> },
  refusedCount: number,
): Promise<string[]> {
  const executor = inlineExecutor(createVerifyJobs(deps));
  const report = await verifyRepository(executor, target, { partCount: 1 });
  const problems = report.problems.map(({ message }) => message);
  const repo = Repo.open(target, { mode: "read", ...deps });
  const has = new Set(holdings(repo));
  const secret = new Set(privateHoldings(repo));
  repo.close();
  const lacking = expected.filter((hash) => !has.has(hash));
  if (lacking.length > refusedCount)
    problems.push(`a clone lacks ${lacking.length} artifacts, such as ${lacking[0]}`);
  for (const hash of has)
    if (privateHashes.has(hash) || secret.has(hash)) problems.push(`a clone holds the private ${hash}`);
  return problems;
}
