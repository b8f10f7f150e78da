/**
 * Whether our tables are stock's, on the large repository. Each line of the report counts rows or artifacts
 * that differ; the limit is 0. Differences are printed as notes.
 *
 *   1. the repository served by a leaf and cloned by stock: same public artifacts, `test-integrity` clean;
 *   2. `edgesync`'s rebuild of a copy against stock's rebuild of another, every table, exactly; which artifacts
 *      are stored as deltas of which is counted apart;
 *   3. every artifact received by our code in a shuffled order, in batches, against stock's rebuild of the result.
 *
 * Usage: bun bench/parity.ts [--part 1|2|3] [--small] [--json]
 */
import { copyFileSync } from "node:fs";
import { systemClock } from "../src/clock.ts";
import type { Hash } from "../src/hash.ts";
import { type Random, randomBelow, seededRandom, systemRandom } from "../src/random.ts";
import { Repo } from "../src/repo.ts";
import { rebuildRepository } from "../src/repo-rebuild.ts";
import { receiveAll } from "../src/repo-receive.ts";
import { createTicketTables } from "../src/repo-ticket-schema.ts";
import { fixture } from "../tests/interop/fixture.ts";
import { LeafProcess } from "../tests/interop/leaf-process.ts";
import { newestStock, type Stock } from "../tests/interop/stock.ts";
import {
  artifactSet,
  type Dump,
  diffDumps,
  dumpTables,
  rebuildable,
  rebuildParity,
  timesOf,
} from "../tests/interop/tables.ts";
import { TempDir } from "../tests/temp-dir.ts";
import { numberOption, Report } from "./harness.ts";
import { benchRepository, describeRepository } from "./make-repo.ts";

const LONG_MS = 3_600_000;
const BATCH_COUNT = 500;

/** Which artifact is a delta of which is nobody's promise: stock's own rebuild changes it. */
const STORAGE_TABLES: ReadonlySet<string> = new Set(["blob", "delta"]);

const deps = { clock: systemClock, random: systemRandom };

async function main(): Promise<void> {
  const stock = newestStock();
  const source = process.argv.includes("--small") ? await fixture(stock) : await benchRepository(stock);
  const report = new Report("parity");
  report.note(`stock ${stock.version}; ${describeRepository(source)}`);
  const only = numberOption("part", 0);
  for (const [i, part] of [clonedByStock, rebuiltByUs, receivedByUs].entries()) {
    if (only === 0 || only === i + 1) await part(stock, source, report);
  }
  report.finish();
}

async function clonedByStock(stock: Stock, source: string, report: Report): Promise<void> {
  using temp = new TempDir("parity", "disk");
  const [served, clone] = [temp.join("served.fossil"), temp.join("clone.fossil")];
  copyFileSync(source, served);
  await using leaf = await LeafProcess.start(served);
  await stock.ok(["clone", leaf.url, clone, "--no-open"], { timeoutMs: LONG_MS });
  const expected = new Set(artifactSet(source).filter((line) => !line.endsWith(" private")));
  const arrived = artifactSet(clone);
  const extra = arrived.filter((line) => !expected.has(line)).length;
  const missing = expected.size - (arrived.length - extra);
  report.add({ name: "clone: artifacts missing or too many", value: missing + extra, unit: "", limit: 0 });
  const integrity = await stock.ok(["test-integrity", "-R", clone], { timeoutMs: LONG_MS });
  const errors = Number(/(\d+) errors/.exec(integrity)?.[1] ?? Number.NaN);
  report.add({ name: "clone: errors of test-integrity", value: errors, unit: "", limit: 0 });
}

async function rebuiltByUs(stock: Stock, source: string, report: Report): Promise<void> {
  using temp = new TempDir("parity", "disk");
  const [byStock, byUs] = [temp.join("stock.fossil"), temp.join("ours.fossil")];
  copyFileSync(source, byStock);
  copyFileSync(source, byUs);
  const before = performance.now();
  await stock.ok(["rebuild", byStock], { timeoutMs: LONG_MS });
  const between = performance.now();
  const repo = Repo.open(byUs, { mode: "write", ...deps });
  rebuildRepository(repo, { user: () => "dev", version: "bench" });
  repo.close();
  const after = performance.now();
  const dump = (path: string) => rebuildable(dumpTables(path, undefined, timesOf(stock)));
  const [theirs, ours] = [dump(byStock), dump(byUs)];
  const part = (of: Dump, isStorage: boolean) =>
    new Map([...of].filter(([table]) => STORAGE_TABLES.has(table) === isStorage));
  const differ = (isStorage: boolean) =>
    rowsOf(diffDumps(part(theirs, isStorage), part(ours, isStorage), ["stock's", "ours"]), report);
  report.add({
    name: "our rebuild against stock's: rows that differ",
    value: differ(false),
    unit: "",
    limit: 0,
  });
  report.add({ name: "our rebuild against stock's: rows stored otherwise", value: differ(true), unit: "" });
  report.add({ name: "rebuild by stock", value: between - before, unit: "ms" });
  report.add({ name: "rebuild by us", value: after - between, unit: "ms" });
}

async function receivedByUs(stock: Stock, source: string, report: Report): Promise<void> {
  using temp = new TempDir("parity", "disk");
  const received = temp.join("received.fossil");
  const from = Repo.open(source, { mode: "read", ...deps });
  const projectCode = from.config.get("project-code")!;
  const to = Repo.create(received, { ...deps, user: "dev", projectCode });
  const ticketTables = from.config.get("ticket-table");
  if (ticketTables !== undefined) to.config.set("ticket-table", ticketTables);
  to.db.write(() => createTicketTables(to));
  const hashes = shuffled(
    artifactSet(source)
      .filter((line) => !line.endsWith(" private"))
      .map((line) => line.split(" ")[0] as Hash),
    seededRandom(3n),
  );
  const before = performance.now();
  for (let i = 0; i < hashes.length; i += BATCH_COUNT) {
    receiveAll(to, { user: "dev", onWrong: "throw" }, (batch) => {
      for (const hash of hashes.slice(i, i + BATCH_COUNT)) {
        batch.receive({ hash, content: from.content.getByHash(hash)! });
      }
    });
  }
  const elapsed = performance.now() - before;
  from.close();
  to.close();
  const differing = rowsOf(await rebuildParity(received, stock, "received"), report);
  report.add({
    name: "received by us against its rebuild: rows that differ",
    value: differing,
    unit: "",
    limit: 0,
  });
  report.add({ name: "receiving every artifact, shuffled", value: elapsed, unit: "ms" });
}

/** How many rows a list of differences is about; the list itself goes to the notes. */
function rowsOf(differences: readonly string[], report: Report): number {
  for (const line of differences) report.note(line.slice(0, 300));
  return differences.reduce((sum, line) => {
    const counts = /^\w+: (\d+) rows only in .*, (\d+) only in/.exec(line);
    return sum + (counts === null ? 0 : Math.max(Number(counts[1]), Number(counts[2])));
  }, 0);
}

function shuffled<T>(values: readonly T[], random: Random): T[] {
  const out = [...values];
  for (let i = out.length - 1; i > 0; i--) {
    const j = randomBelow(random, i + 1);
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}

await main();
