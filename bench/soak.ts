/**
 * `bun bench/soak.ts [--from 1] [--folder soak-failures]`: simulates one world after the other until it is stopped. The trace and
 * the defects of one that fails go to a file, and every hundredth is told of.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makePlan } from "../tests/sim/plan.ts";
import { SEVERITIES } from "../tests/sim/severity.ts";
import { simulate } from "../tests/sim/simulation.ts";

const { values } = parseArgs({
  options: {
    from: { type: "string", default: "1" },
    folder: { type: "string", default: "soak-failures" },
    /** Stops after so many. */
    seeds: { type: "string", default: "Infinity" },
  },
});

let isStopped = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => (isStopped = true));
let [runs, failed] = [0, 0];
for (let seed = BigInt(values.from); !isStopped && runs < Number(values.seeds); seed++) {
  const severity = SEVERITIES[Number(seed % 3n)]!;
  const lines: string[] = [];
  const { defects } = await simulate(makePlan(seed, severity), { onTrace: (line) => lines.push(line) });
  runs++;
  if (defects.length > 0) {
    failed++;
    mkdirSync(values.folder, { recursive: true });
    const path = join(values.folder, `${seed}-${severity}.txt`);
    writeFileSync(path, `${defects.join("\n")}\n\n${lines.join("\n")}\n`);
    console.log(`seed ${seed} ${severity}: ${defects[0]!.split("\n")[0]}: ${path}`);
  }
  if (runs % 100 === 0) console.log(`${runs} worlds, ${failed} failed`);
}
console.log(`${runs} worlds, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
