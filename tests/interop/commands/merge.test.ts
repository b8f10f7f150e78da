/** Merges of random histories, and the forms of merge, compared with those of stock on copies of one checkout. */
import { describe, expect, test } from "bun:test";
import { randomBelow, seededRandom } from "../../../src/random.ts";
import { stocks } from "../stock.ts";
import { change, makeHistory } from "./merge-history.ts";
import { CheckoutPair } from "./two-checkouts.ts";

const SEEDS = Number(process.env["EDGESYNC_TEST_MERGES"] ?? 6);
const FIRST = Number(process.env["EDGESYNC_TEST_MERGE_FIRST"] ?? 1);

/** Lines that only one version prints, or that say how to undo. */
function shown(stdout: string): string {
  return stdout
    .split("\n")
    .filter((line) => line !== "" && !/undo" is available/.test(line))
    .join("\n");
}

/** 2.21 leaves out suggestions, and files that both sides added. */
const withoutSuggestions = (files: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(files).map(([name, content]) => [
      name,
      content.replace(/^#{7} SUGGESTED[\s\S]*?(?=^\|{7} COMMON)/gm, ""),
    ]),
  );

/** The tables but what is kept of the merge itself: contents of files that were made anew differ as above. */
const withoutRecord = ({ mergestat, undo, ...tables }: Record<string, unknown>) => tables;

describe.each(stocks())("fossil $version", (stock) => {
  const isOld = !stock.atLeast(2, 27);

  test(`${SEEDS} random merges end the same`, async () => {
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      using pair = new CheckoutPair(stock);
      const random = seededRandom(BigInt(seed));
      makeHistory(pair, random);
      if (randomBelow(random, 2) === 0) {
        change(
          random,
          pair.tree("base"),
          (...words) => pair.fossil("base", ...words).code === 0,
          (name, text) => pair.write(name, text),
          Object.keys(pair.files("base")),
        );
      }
      const forms: readonly (readonly string[])[] = [
        ["feature"],
        ["--cherrypick", "feature"],
        ["--backout", "feature"],
        ["--integrate", "feature"],
        ["--baseline", "root:feature", "feature"],
        ["--binary", "*.txt", "feature"],
        ["-K", "feature"],
      ];
      const form = forms[randomBelow(random, forms.length)]!;
      const { ours, theirs } = pair.fork();
      const other = pair.fossil(theirs, "merge", ...form);
      if (isOld && other.stderr.includes("no common ancestor for")) continue;
      // Stock makes no folder for a link that a merge renames, and cannot rename what is missing.
      if (/unable to create symlink|cannot open/.test(other.stderr)) continue;
      const mine = await pair.edgesync(ours, "merge", ...form);
      const what = { seed, form };
      if (other.code !== 0) {
        expect({ ...what, why: other.stderr, failed: mine.code !== 0 }).toEqual({
          ...what,
          why: other.stderr,
          failed: true,
        });
        continue;
      }
      expect({ ...what, out: shown(mine.stdout) || mine.stderr }).toEqual({
        ...what,
        out: shown(other.stdout),
      });
      const conflicts = /WARNING: (\d+) merge conflicts/.exec(other.stderr)?.[1];
      expect({ ...what, code: mine.code }).toEqual({ ...what, code: conflicts === undefined ? 0 : 3 });
      const [left, right] = [pair.look(ours), pair.look(theirs)];
      expect({ ...what, files: isOld ? withoutSuggestions(left.files) : left.files }).toEqual({
        ...what,
        files: right.files,
      });
      expect({ ...what, ...left.tables }).toEqual({ ...what, ...right.tables });
      await pair.edgesync(ours, "undo");
      pair.fossil(theirs, "undo");
      expect({ ...what, ...withoutRecord(pair.tables(ours)) }).toEqual({
        ...what,
        ...withoutRecord(pair.tables(theirs)),
      });
    }
  }, 120_000);
});
