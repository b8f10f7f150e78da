/**
 * A disk that is full in the middle of a command, with all kinds of room left: one line that says so, everything as it was before, and
 * once there is room the same command works.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { cpSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Db } from "../../../src/db.ts";
import { type CliResult, cli } from "../../cli-process.ts";
import { SmallDisk, whyNoSmallDisk } from "../../small-disk.ts";
import { TempDir } from "../../temp-dir.ts";
import { newestStock } from "../stock.ts";
import { treeOf } from "./two-checkouts.ts";

const DISK_BYTES = 3 * 2 ** 20;
/** Room left, from none to nearly enough. */
const ROOM_BYTES = [0, 8192, 40_960, 131_072, 400_000];

const why = whyNoSmallDisk();
if (why !== undefined) console.log(`skipped: commands on a full disk (${why})`);

const temp = new TempDir("disk-full");
afterAll(() => temp.remove());
const stock = newestStock();

const run = (...words: string[]): Promise<CliResult> => cli(["repo", ...words]);

async function ok(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...words);
  if (code !== 0) throw new Error(`${words.join(" ")}: ${stderr}`);
  return stdout;
}

let made: string | undefined;

/** Two check-ins, in the second of which everything is other and larger; and one beside it. */
async function project(): Promise<string> {
  if (made !== undefined) return made;
  const repository = temp.join("project.fossil");
  await ok("new", repository);
  const folder = temp.folder("source");
  const bytes = (seed: number, size: number) =>
    Uint8Array.from({ length: size }, (_, i) => 33 + ((((seed * 7919 + i) * 2654435761) >>> 13) % 90));
  for (const [i, branch] of ["trunk", "trunk", "side"].entries()) {
    for (let file = 0; file < 40; file++) {
      const lines = [bytes(file + 100 * i, 6000 * (i + 1)), Buffer.from("\n")];
      writeFileSync(join(folder, `file-${file}`), Buffer.concat(lines));
    }
    const tag = ["--tag", `v${i}`, "--branch", branch, "--no-warnings", "--parent"];
    await ok("ci", "-R", repository, "-C", folder, "-m", `version ${i}`, ...tag, i === 0 ? "tip" : "v0", ".");
  }
  made = repository;
  return made;
}

const tipOf = (repository: string) =>
  stock.okSync(["sql", "-R", repository, "SELECT count(*) FROM blob"]).trim();

describe.skipIf(why !== undefined)("a full disk", () => {
  test.each([["co v1"], ["update v1"], ["merge v2"], ["revert"], ["stash save -m x"]])(
    "under the tree of %s",
    async (line) => {
      const words = line.split(" ");
      const repository = temp.join(`under-tree-${words[0]}.fossil`);
      cpSync(await project(), repository);
      using disk = new SmallDisk(DISK_BYTES);
      const tree = disk.join("tree");
      await ok("open", "-R", repository, "-C", tree, "v0");
      const isEdited = words[0] === "revert" || words[0] === "stash";
      // Emptied, so that there must be room for what comes back.
      if (isEdited) for (let i = 0; i < 40; i++) writeFileSync(join(tree, `file-${i}`), "short\n");
      const changes = await ok("changes", "-C", tree);
      const before = treeOf(tree);
      let failures = 0;
      for (const room of ROOM_BYTES) {
        disk.fill(room);
        const { code, stderr } = await run(...words, "-C", tree);
        disk.free();
        if (code === 0) break;
        failures++;
        expect([room, code, stderr]).toEqual([room, 1, expect.stringContaining("disk is full")]);
        expect(stderr.trimEnd().split("\n").length).toBe(2);
        expect(treeOf(tree)).toEqual(before);
        expect(await ok("changes", "-C", tree)).toBe(changes);
        expect(stock.okSync(["changes"], { cwd: tree })).toBe(changes);
      }
      if (failures === ROOM_BYTES.length) await ok(...words, "-C", tree);
      expect(failures).toBeGreaterThan(2);
      expect(treeOf(tree)).not.toEqual(before);
    },
  );

  test("under a new checkout", async () => {
    using disk = new SmallDisk(DISK_BYTES);
    const tree = disk.join("tree");
    const open = () => run("open", "-R", temp.join("project.fossil"), "-C", tree, "v1");
    await project();
    for (const room of ROOM_BYTES.slice(1)) {
      disk.fill(room);
      expect(await open()).toMatchObject({ code: 1, stderr: expect.stringContaining("disk is full") });
      expect(readdirSync(tree)).toEqual([]);
      disk.free();
    }
    expect((await open()).code).toBe(0);
    expect(stock.okSync(["changes"], { cwd: tree })).toBe("");
  });

  test.each([["the repository"], ["the checkout's database"]])("under %s of ci", async (place) => {
    using disk = new SmallDisk(DISK_BYTES);
    const isTree = place !== "the repository";
    const repository = isTree ? temp.join("ci.fossil") : disk.join("ci.fossil");
    await ok("new", repository);
    const tree = isTree ? disk.join("tree") : temp.folder("ci-tree");
    await ok("open", "-R", repository, "-C", tree);
    for (let i = 0; i < 300; i++) writeFileSync(join(tree, `file-${i}`), `content ${i}\n`.repeat(30));
    await ok("addremove", "-C", tree);
    // What changed is noted: only the commit itself writes from here on.
    const changes = await ok("changes", "-C", tree);
    const before = tipOf(repository);
    for (const room of ROOM_BYTES.slice(0, 3)) {
      disk.fill(room);
      const { code, stderr } = await run("ci", "-m", "full", "-C", tree);
      disk.free();
      if (code === 0) throw new Error(`there was room enough in ${room} bytes`);
      expect([room, code, stderr]).toEqual([room, 1, expect.stringContaining("disk is full")]);
      expect([stderr, tipOf(repository)]).toEqual([stderr, before]);
      expect(await ok("changes", "-C", tree)).toBe(changes);
    }
    await ok("ci", "-m", "with room", "-C", tree);
    expect(stock.okSync(["changes"], { cwd: tree })).toBe("");
    expect(stock.okSync(["test-integrity", "-R", repository])).toContain("0 errors");
    const db = Db.open(repository, { mode: "read" });
    expect(db.prepare("SELECT count(*) FROM event WHERE type='ci'").value<number>()).toBe(2);
    db.close();
  });
});
