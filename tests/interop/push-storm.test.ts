/** Many stock clients push to one leaf at the same time; `bench/push-storm.ts` is the long version. */
import { expect, test } from "bun:test";
import { TempDir } from "../temp-dir.ts";
import { LeafProcess } from "./leaf-process.ts";
import { lostIn, storm } from "./push-storm.ts";
import { newestStock } from "./stock.ts";
import { rebuildParity } from "./tables.ts";

test.each(["push", "autosync"] as const)("nothing of a storm of pushes is lost: %s", async (mode) => {
  using temp = new TempDir("push-storm");
  const stock = newestStock();
  const served = temp.join("served.fossil");
  await stock.ok(["new", served, "-A", "dev"]);
  await stock.ok(["user", "password", "dev", "pass word", "-R", served]);
  await using leaf = await LeafProcess.start(served);
  const url = leaf.urlAs("dev", "pass word");
  const result = await storm({ stock, url, clients: 5, checkIns: 4, mode, temp });
  await leaf.stop();
  expect(result.complaints).toEqual([]);
  expect(result.waits).toHaveLength(20);
  expect(result.held.size).toBeGreaterThan(40);
  expect(lostIn(served, result)).toEqual([]);
  expect(await stock.ok(["test-integrity", "-R", served])).toContain(" 0 errors");
  expect(await rebuildParity(served, stock, "received")).toEqual([]);
});
