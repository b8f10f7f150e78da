/**
 * `bun bench/leaf-kill.ts [--kills 500] [--wire http] [--seed 1]`: kills a leaf while others push to it, clone it and hear
 * what it announces, over each wire or one (`tests/fault/leaf-kill.ts`). Prints counts, and ends with status 1 when something was lost.
 */
import { parseArgs } from "node:util";
import { LeafKills, WIRES } from "../tests/fault/leaf-kill.ts";

/** A repository grows with what is pushed: each is used for so many kills. */
const KILLS_PER_REPOSITORY = 50;
const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "500" },
    wire: { type: "string", multiple: true },
    seed: { type: "string", default: "1" },
  },
});

let isGood = true;
for (const wire of WIRES.filter((one) => values.wire?.includes(one) ?? true)) {
  let [done, acknowledged, clones, resumed, announced, failed] = [0, 0, 0, 0, 0, 0];
  while (done < Number(values.kills)) {
    await using kills = new LeafKills(wire, BigInt(values.seed) + BigInt(done));
    for (let i = 0; i < KILLS_PER_REPOSITORY && done < Number(values.kills); i++, done++) {
      const kill = await kills.kill();
      acknowledged += kill.acknowledged;
      clones += kill.clones;
      resumed += kill.resumed;
      announced += kill.announced;
      if (kill.problems.length === 0) continue;
      failed++;
      console.log(`${wire}, kill ${done}: ${kill.problems.slice(0, 3).join("; ")}`);
    }
  }
  console.log(
    `${wire}: ${done} kills, ${acknowledged} pushes acknowledged, ${announced} artifacts announced, ${clones} clones ` +
      `(${resumed} after kills), ${failed} with something lost or wrong`,
  );
  isGood &&= failed === 0;
}
process.exit(isGood ? 0 : 1);
