/** Pivots of random histories with many merges, compared with those of `fossil merge-base`. */
import { expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { utf8 } from "../../../src/bytes.ts";
import { PivotFinder } from "../../../src/merge-pivot.ts";
import { randomBelow, seededRandom } from "../../../src/random.ts";
import { addInitialCheckIn, commit } from "../../../src/repo-checkin.ts";
import type { Rid } from "../../../src/repo-content.ts";
import { ScratchRepo } from "../../scratch-repo.ts";
import { newestStock } from "../stock.ts";

const CHECK_IN_COUNT = 40;
const PAIR_COUNT = 40;
const FIRST_DATE_MS = Date.UTC(2025, 0, 1);

const stock = newestStock();

// Older ones cannot be asked.
test.skipIf(!stock.atLeast(2, 25))("pivots, over all parents and over first ones, are stock's", () => {
  using scratch = new ScratchRepo({ initialize: (repo) => addInitialCheckIn(repo, "ann") });
  const { repo, folder } = scratch;
  const random = seededRandom(5n);
  const below = (count: number) => randomBelow(random, count);
  const rids: Rid[] = [];
  for (let i = 0; i < CHECK_IN_COUNT; i++) {
    const parent = rids.length === 0 ? undefined : rids[Math.max(0, rids.length - 1 - below(5))]!;
    const other = rids[below(Math.max(1, rids.length))];
    const isMerge = other !== undefined && other !== parent && below(3) === 0;
    rids.push(
      commit(repo, {
        edits: [{ name: "n", content: utf8(`${i}\n`) }],
        comment: `number ${i}`,
        user: "ann",
        // Clocks of contributors differ: some are older than their parents, some as old as others.
        date: FIRST_DATE_MS + (i * 2 + below(7)) * 60_000,
        ...(parent !== undefined && { parent }),
        ...(isMerge && { merges: [{ rid: other }] }),
        allow: { fork: true, older: true },
      }).rid,
    );
  }
  const tree = folder.join("tree");
  mkdirSync(tree);
  stock.okSync(["open", scratch.path, "tip"], { cwd: tree });
  const finder = new PivotFinder(repo);
  for (let i = 0; i < PAIR_COUNT; i++) {
    const [merged, ...current] = Array.from({ length: 2 + below(2) }, () => rids[below(rids.length)]!);
    for (const primaryOnly of [false, true]) {
      const names = [merged!, ...current].map((rid) => repo.content.hashOf(rid));
      const said = stock.runSync(["merge-base", ...(primaryOnly ? ["--ignore-merges"] : []), ...names], {
        cwd: tree,
      });
      const found = finder.find(merged!, current, { primaryOnly });
      const mine =
        found === undefined ? "No common ancestor found.\n" : `pivot=${repo.content.hashOf(found)}\n`;
      expect([names, primaryOnly, mine]).toEqual([names, primaryOnly, said.stdout]);
    }
  }
});
