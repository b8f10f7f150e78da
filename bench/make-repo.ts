/**
 * Makes the repository that the benchmarks run on, with stock alone: over 20,000 artifacts in more than
 * 5,000 check-ins of imported history, more than 1.5 GB expanded; then wiki, tickets, forum and so on as in
 * the tests' fixture. Kept in `.cache/` under a key of the generator and the profile, whichever stock made it.
 *
 * Usage: bun bench/make-repo.ts    prints what it made, and the path on the last line
 */
import { copyFileSync, existsSync, mkdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { Db } from "../src/db.ts";
import { fastExport, type HistoryProfile } from "../tests/interop/fast-export.ts";
import { CACHE_FOLDER, generatorKey } from "../tests/interop/fixture.ts";
import { newestStock, type Stock, StockError } from "../tests/interop/stock.ts";
import { live } from "../tests/interop/stock-life.ts";
import { TempDir } from "../tests/temp-dir.ts";

const LARGE: HistoryProfile = {
  seed: 20_260_101n,
  checkIns: 5400,
  textFiles: 300,
  linesMean: 1300,
  editsMean: 3,
  binaryFiles: 30,
  binaryBytes: 40_000,
  largeFiles: 4,
  largeBytes: 25_000_000,
  branchesOpen: 8,
};
const ROUNDS = 5;

/** Path of the large repository, made now by `stock` unless it is in the cache. For reading only: copy it to change it. */
export async function benchRepository(stock: Stock = newestStock()): Promise<string> {
  const key = generatorKey(JSON.stringify({ ...LARGE, seed: String(LARGE.seed), ROUNDS }));
  const kept = join(CACHE_FOLDER, `bench-${key}.fossil`);
  if (existsSync(kept)) return kept;
  using temp = new TempDir("make-repo");
  const repository = temp.join("bench.fossil");
  const started = performance.now();
  await importHistory(stock, repository);
  report(`imported in ${seconds(started)}`);
  await live(stock, repository, temp, ROUNDS);
  report(`lived in, ${seconds(started)} in all`);
  mkdirSync(CACHE_FOLDER, { recursive: true });
  copyFileSync(repository, `${kept}.${process.pid}`);
  renameSync(`${kept}.${process.pid}`, kept);
  return kept;
}

async function importHistory(stock: Stock, repository: string): Promise<void> {
  const args = ["import", "--git", "--rename-master", "trunk", "-A", "dev", repository];
  const child = stock.spawn(args, { stdin: "pipe" });
  const output = Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  const sink = child.stdin;
  if (typeof sink !== "object") throw new StockError("fossil import has no standard input");
  for (const piece of fastExport(LARGE)) {
    sink.write(piece);
    await sink.flush();
  }
  await sink.end();
  const [, stderr] = await output;
  if ((await child.exited) !== 0)
    throw new StockError(`fossil import ended with ${child.exitCode}: ${stderr}`);
}

/** What is in a repository, in one line. */
export function describeRepository(path: string): string {
  const db = Db.open(path, { mode: "read" });
  try {
    const { artifacts, expanded, deltas } = db
      .prepare<{ artifacts: number; expanded: number; deltas: number }>(
        "SELECT count(*) AS artifacts, sum(size) AS expanded, (SELECT count(*) FROM delta) AS deltas FROM blob",
      )
      .get()!;
    const events = db.prepare("SELECT type, count(*) FROM event GROUP BY type").values<[string, number]>();
    const types = events.map(([type, count]) => `${type} ${count}`).join(", ");
    const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
    return `${artifacts} artifacts, ${deltas} as deltas, ${megabytes(expanded)} expanded, ${megabytes(statSync(path).size)} stored; events: ${types}`;
  } finally {
    db.close();
  }
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(0)} s`;
}

function report(line: string): void {
  process.stderr.write(`make-repo: ${line}\n`);
}

if (import.meta.main) {
  const path = await benchRepository();
  report(describeRepository(path));
  process.stdout.write(`${path}\n`);
}
