/**
 * `bun tests/sim/mutants/main.ts [NAME…]`: runs the simulator on each mutant until it finds a defect, and says
 * at which seed and by which check; in hostile worlds first, then in all kinds. Ends with status 1 when one is not found within `--seeds` (default 60).
 */
import { parseArgs } from "node:util";
import { MUTANTS } from "./mutants.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seeds: { type: "string", default: "60" } },
});
const chosen = MUTANTS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
let missed = 0;
for (const { name } of chosen) {
  const seeds = Number(values.seeds);
  const found = (await hunt(name, seeds, "--severity=hostile")) ?? (await hunt(name, seeds));
  console.log(
    `${found === undefined ? "MISSED" : "found "} ${name}${found === undefined ? "" : `: ${found}`}`,
  );
  if (found === undefined) missed++;
}
console.log(`${chosen.length - missed} of ${chosen.length} mutants found`);
process.exit(missed === 0 ? 0 : 1);

/** @returns seed and first defect */
async function hunt(name: string, seeds: number, ...more: readonly string[]): Promise<string | undefined> {
  const sweep = new URL("../main.ts", import.meta.url).pathname;
  const preload = new URL("./apply.ts", import.meta.url).pathname;
  const words = ["--preload", preload, sweep, "--lines", "--from=1", `--seeds=${seeds}`, ...more];
  const child = Bun.spawn([process.execPath, ...words], {
    env: { ...process.env, EDGESYNC_MUTANT: name },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let rest = "";
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      const { seed, result } = JSON.parse(line) as { seed: string; result: { defects: string[] } };
      const [defect] = result.defects;
      if (defect === undefined) continue;
      child.kill();
      await child.exited;
      return `seed ${seed}, ${defect.split("\n")[0]!.slice(0, 120)}`;
    }
  }
  const status = await child.exited;
  if (status !== 0) throw new Error(`the run of "${name}" ended with status ${status}`);
  return undefined;
}
