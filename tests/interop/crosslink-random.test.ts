/**
 * Crosslinking compared with stock on random histories: whatever order artifacts arrive in, in batches of
 * whatever size, as texts or as deltas of what may not be here yet, the derived tables are those that
 * stock's rebuild makes of the same file, and those that our rebuild makes.
 */
import { expect, test } from "bun:test";
import { text } from "../../src/bytes.ts";
import { createDelta } from "../../src/delta-encode.ts";
import { RepoError } from "../../src/errors.ts";
import { type Random, randomBelow, seededRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import { rebuildRepository } from "../../src/repo-rebuild.ts";
import { type ReceiveBatch, receiveAll } from "../../src/repo-receive.ts";
import { StandingClock } from "../scratch-repo.ts";
import { TempDir } from "../temp-dir.ts";
import { type HistoryArtifact, randomHistory } from "./random-history.ts";
import { newestStock } from "./stock.ts";
import { copyRepository, DERIVED_TABLES, diffDumps, dumpTables, timesOf } from "./tables.ts";

const stock = newestStock();

/**
 * Not `filename`: stock numbers names that it then has no row for; those that matter are in mlink. Old
 * versions of stock tell of tag changes and find links in comments in their own ways.
 */
const isOld = !stock.atLeast(2, 26);
const SKIPPED: ReadonlySet<string> = new Set(isOld ? ["filename", "backlink"] : ["filename"]);
const COMPARED = [...DERIVED_TABLES.filter((table) => !SKIPPED.has(table)), "private"];

function dump(file: string): Map<string, readonly string[]> {
  const matters = (row: string) => {
    // Stock marks "no file" as private where only private check-ins delete files.
    return row !== "rid=0" && !(isOld && row.startsWith('type="g"'));
  };
  const tables = dumpTables(file, COMPARED, timesOf(stock));
  return new Map([...tables].map(([table, rows]) => [table, rows.filter(matters)]));
}

const deps = { clock: new StandingClock(), random: seededRandom(1n) };

function shuffled<T>(values: readonly T[], random: Random): T[] {
  const order = [...values];
  for (let i = order.length - 1; i > 0; i--) {
    const j = randomBelow(random, i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** Sends one artifact, sometimes as a delta of another that the repository may not have. */
function send(
  batch: ReceiveBatch,
  artifact: HistoryArtifact,
  all: readonly HistoryArtifact[],
  random: Random,
): void {
  const { hash, bytes, isPrivate } = artifact;
  const source = all[randomBelow(random, all.length)]!;
  if (source !== artifact && (isPrivate || !source.isPrivate) && random.float() < 0.4) {
    try {
      batch.receive({ hash, delta: createDelta(source.bytes, bytes), source: source.hash }, { isPrivate });
      return;
    } catch (error) {
      // Two artifacts sent as deltas of each other: one of them has to come whole.
      if (!(error instanceof RepoError && error.code === "delta-cycle")) throw error;
    }
  }
  batch.receive({ hash, content: bytes }, { isPrivate });
}

test.each(Array.from({ length: 8 }, (_, i) => i + 1))("history %i", async (seed) => {
  const random = seededRandom(BigInt(1000 + seed));
  const { artifacts } = randomHistory(seed);
  // A few never arrive. Files of private check-ins all do: stock marks missing ones private only later.
  // The first check-in too: without a trunk a rebuild makes one, and dates it with the time of day.
  const isNeeded = (bytes: Uint8Array) => text(bytes).includes("T *sym-trunk ");
  const arriving = artifacts.filter(
    ({ isPrivate, bytes }) => isPrivate || isNeeded(bytes) || random.float() > 0.04,
  );
  using temp = new TempDir("crosslink");
  const file = temp.join("ours.fossil");
  const repo = Repo.create(file, { user: "dev", ...deps });
  const order = shuffled(arriving, random);
  while (order.length > 0) {
    const size = [1, 2, 5, 1000][randomBelow(random, 4)]!;
    receiveAll(repo, { user: "dev", onWrong: "throw" }, (batch) => {
      for (const artifact of order.splice(0, size)) send(batch, artifact, artifacts, random);
    });
  }
  repo.close();
  const grown = dump(file);

  const ours = temp.join("rebuilt-by-us.fossil");
  copyRepository(file, ours);
  const again = Repo.open(ours, { mode: "write", ...deps });
  rebuildRepository(again, { user: () => "dev", version: "test" });
  again.close();

  const theirs = temp.join("rebuilt-by-stock.fossil");
  copyRepository(file, theirs);
  await stock.ok(["rebuild", "--quiet", theirs]);

  const stocks = dump(theirs);
  expect(diffDumps(dump(ours), stocks, ["our rebuild", "stock's"])).toEqual([]);
  // A rebuild makes files private that no public check-in mentions, because it never arrived.
  for (const tables of [grown, stocks]) tables.delete("private");
  expect(diffDumps(grown, stocks, ["grown", "stock's rebuild"])).toEqual([]);
});
