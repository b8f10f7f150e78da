/** Two stock clients and one of ours at once through one leaf; `bench/converge.ts` is the long version. */
import { expect, test } from "bun:test";
import { TempDir } from "../temp-dir.ts";
import { playConvergence } from "./converge.ts";
import { newestStock, stocks } from "./stock.ts";

test("three people who work at once converge, and every file is sound", async () => {
  using temp = new TempDir("converge");
  const players = [stocks()[0]!, newestStock()] as const;
  const { problems, facts } = await playConvergence({ seed: 7, steps: 30, stocks: players, temp });
  expect(problems).toEqual([]);
  expect(facts["artifacts"]).toBeGreaterThan(30);
});
