/**
 * Two people with stock Fossil and one with EdgeSync work on one project through one leaf, all at once: hundreds
 * of steps of every kind, from a seed (`tests/interop/converge.ts`). What must hold at the end is counted as
 * problems; the limit is 0. Remarks are about clones of stock's, for comparison.
 *
 * Usage: bun bench/converge.ts [--seed 1] [--seeds 1] [--steps 200] [--json]
 * EDGESYNC_TEST_BINARY names the executable; EDGESYNC_TEST_FOSSIL further stock binaries: the first and the newest
 * play, the one with autosync and the other without, in odd seeds the other way round.
 */
import { playConvergence } from "../tests/interop/converge.ts";
import { newestStock, stocks } from "../tests/interop/stock.ts";
import { TempDir } from "../tests/temp-dir.ts";
import { numberOption, Report, timed } from "./harness.ts";

const report = new Report("converge");
const [older, newer] = [stocks()[0]!, newestStock()];
const [first, count, steps] = [numberOption("seed", 1), numberOption("seeds", 1), numberOption("steps", 200)];
report.note(`stock ${older.version} and ${newer.version}; ${steps} steps`);
for (let seed = first; seed < first + count; seed++) {
  using temp = new TempDir("converge");
  const players = seed % 2 === 0 ? ([older, newer] as const) : ([newer, older] as const);
  const elapsed = await timed(async () => {
    const { problems, remarks, counts, facts } = await playConvergence({
      seed,
      steps,
      stocks: players,
      temp,
    });
    const list = (values: object) =>
      Object.entries(values)
        .map(([name, value]) => `${value} ${name}`)
        .join(", ");
    report.note(`seed ${seed}: ${list(counts)}`);
    report.note(`seed ${seed}: ${list(facts)}`);
    for (const line of [...problems, ...remarks.map((remark) => `remark: ${remark}`)]) report.note(line);
    report.add({ name: `seed ${seed}: problems`, value: problems.length, unit: "", limit: 0 });
  });
  report.add({ name: `seed ${seed}: all of it`, value: elapsed, unit: "ms" });
}
report.finish();
