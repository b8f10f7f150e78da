/** A few power cuts and failing disks; `bench/power.ts` does five hundred. */
import { afterAll, expect, test } from "bun:test";
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "../../src/random.ts";
import { TempDir } from "../temp-dir.ts";
import { afterCut, buildShim, PowerCuts } from "./power-cut.ts";

const ROOT = join(import.meta.dir, "..", "..");
const EIO = 5;
const ENOSPC = 28;
const folder = new TempDir("power-test");
const shim = buildShim(folder);
afterAll(() => folder.remove());

if ("missing" in shim) console.log(`power cuts are not tested: ${shim.missing}`);
const library = "path" in shim ? shim.path : "";
const cutting = test.skipIf("missing" in shim);

cutting("after a power cut the file is whole and has all that was acknowledged", async () => {
  using cuts = new PowerCuts({ shim: library, seed: 11n });
  const undisturbed = await cuts.cut();
  expect(undisturbed).toMatchObject({ problems: [] });
  expect(undisturbed.acknowledged).toBeGreaterThan(30);
  for (let i = 0; i < 3; i++) expect(await cuts.cut()).toMatchObject({ problems: [] });
});

cutting.each([
  ["fails to read and write", EIO],
  ["is full", ENOSPC],
])("when the disk %s for a while, what was acknowledged is there", async (_, errno) => {
  using cuts = new PowerCuts({ shim: library, seed: 12n });
  const undisturbed = await cuts.cut();
  const failing = await cuts.fail(errno);
  expect(failing.problems).toEqual([]);
  // Some pushes were told that they failed.
  expect(failing.acknowledged).toBeLessThan(undisturbed.acknowledged);
});

/** Cuts until one shows something, at most so many. */
async function firstProblem(cuts: PowerCuts, most: number): Promise<readonly string[]> {
  for (let i = 0; i < most; i++) {
    const { problems } = await cuts.cut();
    if (problems.length > 0) return problems;
  }
  return [];
}

cutting("a disk that lies about syncs is found out", async () => {
  using cuts = new PowerCuts({ shim: library, seed: 13n, liesAboutSync: true });
  expect((await firstProblem(cuts, 8)).join()).toMatch(/lost|integrity|damaged|not/);
});

cutting("a program that does not ask for syncs is found out", async () => {
  const tree = folder.folder("mutant");
  cpSync(join(ROOT, "src"), join(tree, "src"), { recursive: true });
  for (const name of ["package.json", "tsconfig.json"]) cpSync(join(ROOT, name), join(tree, name));
  symlinkSync(join(ROOT, "node_modules"), join(tree, "node_modules"));
  const path = join(tree, "src", "db.ts");
  const source = readFileSync(path, "utf8");
  const mutated = source.replaceAll("PRAGMA synchronous=FULL", "PRAGMA synchronous=OFF");
  expect(mutated).not.toBe(source);
  writeFileSync(path, mutated);
  using cuts = new PowerCuts({
    shim: library,
    seed: 13n,
    words: [process.execPath, join(tree, "src", "main.ts")],
  });
  expect((await firstProblem(cuts, 8)).join()).toMatch(/lost|integrity|damaged|not/);
});

test("what a cut leaves: all that was synced, of the rest anything", () => {
  const note = (kind: "W" | "S" | "T", offset: number, text = "") => ({
    kind,
    name: "a",
    offset,
    data: Buffer.from(text),
  });
  const notes = [note("W", 0, "synced"), note("S", 0), note("W", 6, "lost?")];
  const outcomes = new Set<string>();
  for (let seed = 0n; seed < 20n; seed++) {
    outcomes.add(
      afterCut(new Map([["a", Buffer.from("old")]]), notes, seededRandom(seed))
        .get("a")!
        .toString(),
    );
  }
  expect([...outcomes].sort()).toEqual(["synced", "syncedlost?"]);
});
