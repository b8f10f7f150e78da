/**
 * `bun bench/power.ts [--cuts 500] [--fails 100] [--seed 1]`: power cuts and failing disks under the program that was built
 * (`tests/fault/power-cut.ts`). Prints what they found, and ends with status 1 when there was something.
 */
import { parseArgs } from "node:util";
import { buildShim, PowerCuts } from "../tests/fault/power-cut.ts";
import { TempDir } from "../tests/temp-dir.ts";

const ERRORS = [5, 28] as const;
const { values } = parseArgs({
  options: {
    cuts: { type: "string", default: "500" },
    fails: { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
  },
});

using folder = new TempDir("power-bench");
const shim = buildShim(folder);
if ("missing" in shim) {
  console.log(`skipped: ${shim.missing}`);
  process.exit(0);
}
const totals = { cuts: 0, fails: 0, operations: 0, acknowledged: 0, failed: 0 };
/** A repository grows with what is pushed: each is used for so many cuts. */
const CUTS_PER_REPOSITORY = 50;
const wanted = { cuts: Number(values.cuts), fails: Number(values.fails) };
for (let round = 0; totals.cuts < wanted.cuts || totals.fails < wanted.fails; round++) {
  using cuts = new PowerCuts({ shim: shim.path, seed: BigInt(values.seed) + BigInt(round) });
  for (let i = 0; i <= CUTS_PER_REPOSITORY; i++) {
    const isFail = totals.fails < wanted.fails && i > 0 && (i % 5 === 4 || totals.cuts >= wanted.cuts);
    if (!isFail && totals.cuts >= wanted.cuts) break;
    const { operations, acknowledged, problems } = isFail
      ? await cuts.fail(ERRORS[i % 2]!)
      : await cuts.cut();
    // The first run of each is undisturbed.
    if (isFail) totals.fails++;
    else if (i > 0) totals.cuts++;
    totals.operations += operations;
    totals.acknowledged += acknowledged;
    if (problems.length === 0) continue;
    totals.failed++;
    console.log(
      `seed ${Number(values.seed) + round}, ${isFail ? "failure" : "cut"} ${i}: ${problems.slice(0, 3).join("; ")}`,
    );
    break;
  }
}
const { cuts, fails, operations, acknowledged, failed } = totals;
console.log(
  `${cuts} power cuts and ${fails} failing disks among ${operations} writes and syncs; ${acknowledged} pushes acknowledged; ${failed} with something lost or wrong`,
);
process.exit(failed === 0 ? 0 : 1);
