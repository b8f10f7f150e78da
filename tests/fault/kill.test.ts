/** A handful of kills of each kind; `bench/kill.ts` does fifty. */
import { describe, expect, test } from "bun:test";
import { newestStock } from "../interop/stock.ts";
import { KillHarness, type ScenarioName } from "./kill.ts";

const CASES: readonly (readonly [ScenarioName, what: string, kills: number])[] = [
  ["clone", "nothing is to be seen before it is whole, and the same command goes on from the last page", 3],
  ["pull", "the repository is sound, and pulls on", 2],
  ["push", "both repositories are sound, and the next push brings the rest", 2],
];

describe.each(CASES)("a %s that is killed", (name, what, kills) => {
  test(what, async () => {
    await using harness = await KillHarness.start(name, newestStock(), 7n);
    for (let i = 0; i < kills; i++) expect(await harness.kill()).toMatchObject({ problems: [] });
  });
});
