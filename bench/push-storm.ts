/**
 * A push storm: twenty stock clients check in fifty times each and push every check-in to one leaf, all at once
 * (`tests/interop/push-storm.ts`). None may be lost, no push may take more than 10 seconds. The same goes to
 * `fossil server` for comparison, before or after, by turns. The served file is on disk; the clients' are in memory, for in life they would be on other
 * machines. They still take most of this machine's time: a push's is that of its process among twenty others.
 *
 * `--autosync`: what is measured is a whole commit, which pulls what everyone did, locks, checks in and pushes: no
 * limit is set for that.
 *
 * Usage: bun bench/push-storm.ts [--clients 20] [--check-ins 50] [--rounds 1] [--autosync] [--alone] [--json]
 * `--alone` leaves `fossil server` out. EDGESYNC_TEST_BINARY names the executable.
 */
import { LeafProcess } from "../tests/interop/leaf-process.ts";
import { lostIn, type StormResult, storm } from "../tests/interop/push-storm.ts";
import { newestStock } from "../tests/interop/stock.ts";
import { rebuildParity } from "../tests/interop/tables.ts";
import { TempDir } from "../tests/temp-dir.ts";
import { numberOption, percentile, Report } from "./harness.ts";

const WAIT_MS_MAX = 10_000;
const PASSWORD = "pass word";

const report = new Report("push-storm");
const stock = newestStock();
const mode = process.argv.includes("--autosync") ? "autosync" : "push";
const [clients, checkIns] = [numberOption("clients", 20), numberOption("check-ins", 50)];

/** Serves a new repository by one of the two while the clients work. */
async function run(name: "the leaf" | "fossil server"): Promise<void> {
  using disk = new TempDir("push-storm", "disk");
  using temp = new TempDir("push-storm-clients");
  const served = disk.join("served.fossil");
  await stock.ok(["new", served, "-A", "dev"]);
  await stock.ok(["user", "password", "dev", PASSWORD, "-R", served]);
  await using server = name === "the leaf" ? await LeafProcess.start(served) : await stock.serve(served);
  const url = server.urlAs("dev", PASSWORD);
  const result = await storm({ stock, url, clients, checkIns, mode, temp });
  await server.stop();
  await tell(name, served, result);
}

async function tell(name: string, served: string, result: StormResult): Promise<void> {
  const { waits, elapsed, complaints } = result;
  const isOurs = name === "the leaf";
  const limit = <T extends number>(value: T) => (isOurs ? { limit: value } : {});
  const add = (what: string, value: number, unit: string, most = {}) =>
    report.add({ name: `${name}: ${what}`, value, unit, ...most });
  add("pushes", waits.length, "");
  add("artifacts lost", lostIn(served, result).length, "", limit(0));
  add("complaints of clients", complaints.length, "", limit(0));
  for (const said of complaints.slice(0, 3)) report.note(said);
  const integrity = await stock.ok(["test-integrity", "-R", served]);
  add("errors of test-integrity", Number(/(\d+) errors/.exec(integrity)?.[1] ?? Number.NaN), "", limit(0));
  const differences = await rebuildParity(served, stock, "received");
  add("lines in which it differs from its rebuild", differences.length, "", limit(0));
  for (const line of differences.slice(0, 10)) report.note(line);
  for (const p of [50, 99]) add(`p${p} of a push`, percentile(waits, p), "ms");
  add("longest push", percentile(waits, 100), "ms", mode === "push" ? limit(WAIT_MS_MAX) : {});
  add("all of it", elapsed, "ms");
}

report.note(`stock ${stock.version}; ${clients} clients, ${checkIns} check-ins each, ${mode}`);
for (let round = 0; round < numberOption("rounds", 1); round++) {
  await run("the leaf");
  if (!process.argv.includes("--alone")) await run("fossil server");
}
report.finish();
