/**
 * Kills clones, pulls and pushes with SIGKILL at bytes that a seed chooses, runs them again, and compares the result
 * with that of an undisturbed run: `bench/kill.ts [--kills 50] [--seed 1]`. Every kill must come out right.
 */
import { KillHarness, type ScenarioName } from "../tests/fault/kill.ts";
import { newestStock } from "../tests/interop/stock.ts";
import { median, numberOption, Report } from "./harness.ts";

const kills = numberOption("kills", 50);
const seed = BigInt(numberOption("seed", 1));
const report = new Report("kill");

for (const name of ["clone", "pull", "push"] as const satisfies readonly ScenarioName[]) {
  await using harness = await KillHarness.start(name, newestStock(), seed);
  const fetchedAgain: number[] = [];
  let [afterTheLast, tooLate, wrong] = [0, 0, 0];
  for (let i = 0; i < kills; i++) {
    const { atBytes, totalBytes, afterMs, wasDone, againBytes, problems } = await harness.kill();
    if (afterMs !== undefined) afterTheLast++;
    if (wasDone) tooLate++;
    fetchedAgain.push((atBytes + againBytes - totalBytes) / totalBytes);
    if (problems.length === 0) continue;
    wrong++;
    report.note(`${name}, kill ${i} at ${atBytes} of ${totalBytes} bytes: ${problems.join("; ")}`);
  }
  report.note(`${name}: ${kills} kills, ${afterTheLast} of them after the last byte, ${tooLate} too late`);
  report.add({ name: `${name}: results that differ`, value: wrong, unit: "kills", limit: 0 });
  const share = median(fetchedAgain) * 100;
  report.add({ name: `${name}: travelled twice, of all bytes, median`, value: share, unit: "%" });
}
report.finish();
