/**
 * Checkouts in trouble: what is in the way, what has moved, who else is at work. Each time one clear line, nothing half
 * done, nothing written outside, and the next command works.
 */
import { afterAll, describe, expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Db } from "../../../src/db.ts";
import { cli, cliEnv, MAIN } from "../../cli-process.ts";
import { TempDir } from "../../temp-dir.ts";
import { newestStock, stocks } from "../stock.ts";
import { CheckoutPair } from "./two-checkouts.ts";

const temp = new TempDir("safety");
afterAll(() => temp.remove());

/** Two check-ins: in the second files of two folders are changed, removed and added. */
function project(): CheckoutPair {
  const pair = new CheckoutPair(newestStock());
  for (const name of ["a", "d/x", "d/y", "e/z", "f"]) pair.write(name, `${name}\n`);
  pair.commit("one", "--tag", "one");
  for (const name of ["a", "d/x", "e/z"]) pair.write(name, `${name} of two\n`);
  pair.write("g/new", "new\n");
  rmSync(join(pair.tree("base"), "f"));
  pair.commit("two", "--tag", "two");
  return pair;
}

describe("what stands in the way", () => {
  test("a link in the place of a folder leads nowhere", async () => {
    using pair = project();
    const outside = temp.folder("outside");
    writeFileSync(join(outside, "x"), "not ours\n");
    const tree = pair.tree("base");
    rmSync(join(tree, "d"), { recursive: true });
    symlinkSync(outside, join(tree, "d"));
    for (const words of [["revert"], ["co", "one", "--force"], ["update", "one"]]) {
      const { code, stderr } = await pair.edgesync("base", ...words);
      expect([words, code]).toEqual([words, 1]);
      expect(stderr).toContain("symbolic link");
    }
    expect(readdirSync(outside)).toEqual(["x"]);
    expect(readFileSync(join(outside, "x"), "utf8")).toBe("not ours\n");
    expect(readFileSync(join(tree, "a"), "utf8")).toBe("a of two\n");
    rmSync(join(tree, "d"));
    expect((await pair.edgesync("base", "revert")).code).toBe(0);
    expect((await pair.edgesync("base", "co", "one")).code).toBe(0);
    expect(pair.fossil("base", "changes").stdout).toBe("");
  });

  test("a folder in the place of a file: all is put back", async () => {
    using pair = project();
    const tree = pair.tree("base");
    expect((await pair.edgesync("base", "co", "one")).code).toBe(0);
    mkdirSync(join(tree, "g/new/deep"), { recursive: true });
    const before = pair.files("base");
    for (const words of [
      ["co", "two"],
      ["update", "two"],
    ]) {
      const { code, stderr } = await pair.edgesync("base", ...words);
      expect([words, code, stderr.split("\n")[0]]).toEqual([
        words,
        1,
        'edgesync: "g/new" is a folder here, not a file',
      ]);
      expect(pair.files("base")).toEqual(before);
      expect((await pair.edgesync("base", "changes")).stdout).toBe("");
    }
    rmSync(join(tree, "g"), { recursive: true });
    expect((await pair.edgesync("base", "update", "two")).code).toBe(0);
    expect(pair.fossil("base", "changes").stdout).toBe("");
  });

  test("unmanaged files are not overwritten by co", async () => {
    using pair = project();
    await pair.edgesync("base", "co", "one");
    pair.write("g/new", "mine\n");
    const refused = await pair.edgesync("base", "co", "two");
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("g/new") });
    expect(pair.files("base")).toMatchObject({ "g/new": "- mine\n", a: "- a\n" });
    expect((await pair.edgesync("base", "co", "two", "--force")).code).toBe(0);
    expect(pair.files("base")["g/new"]).toBe("- new\n");
  });

  test("a folder that is not empty, a checkout in a checkout", async () => {
    using pair = project();
    const full = temp.folder("full");
    writeFileSync(join(full, "a"), "mine\n");
    const open = (...words: string[]) => cli(["repo", "open", "-R", pair.repository("base"), ...words]);
    expect(await open("-C", full)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("is not empty"),
    });
    expect(existsSync(join(full, ".fslckout"))).toBe(false);
    expect((await open("-C", full, "--keep")).code).toBe(0);
    expect((await cli(["repo", "changes", "-C", full])).stdout).toContain("EDITED     a\n");
    expect(await open("-C", full, "--force")).toMatchObject({
      stderr: expect.stringContaining("open checkout"),
    });
    mkdirSync(join(full, "in/side"), { recursive: true });
    expect((await open("-C", join(full, "in/side"))).code).toBe(1);
    expect((await open("-C", join(full, "in/side"), "--nested")).code).toBe(0);
    expect((await cli(["repo", "extras", "-C", full])).stdout).toBe("");
  });
});

test("names that are not UTF-8 are left out and told of, as in stock", async () => {
  using pair = project();
  const { ours, theirs } = pair.fork();
  for (const copy of [ours, theirs]) {
    const named = (...parts: (string | number)[]) =>
      Buffer.concat(
        [`${pair.tree(copy)}/`, ...parts].map((part) =>
          typeof part === "string" ? Buffer.from(part) : Buffer.of(part),
        ),
      );
    mkdirSync(named("in", 0xfe));
    writeFileSync(named("in", 0xfe, "/x"), "x\n");
    writeFileSync(named(0xff), "y\n");
    pair.writeIn(copy, "\ufffd is a character", "of UTF-8\n");
    pair.writeIn(copy, "back\\slash", "z\n");
  }
  const added = await pair.edgesync(ours, "addremove");
  expect(added.stdout).toBe(pair.fossil(theirs, "addremove").stdout);
  expect(added.stderr).toMatch(/^\ufffd left out: its name is not UTF-8$/m);
  expect(added.stderr).toMatch(/^in\ufffd left out: its name is not UTF-8$/m);
  expect(added.stderr).toMatch(/^back\\slash left out: it has a backslash$/m);
  expect(pair.fossil(ours, "changes").stdout).toBe(pair.fossil(theirs, "changes").stdout);
  expect((await pair.edgesync(ours, "extras")).stdout).toContain("in\ufffd\n");
});

describe("the repository", () => {
  test("has moved", async () => {
    using pair = project();
    const moved = temp.join("moved.fossil");
    renameSync(pair.repository("base"), moved);
    const lost = await pair.edgesync("base", "status");
    expect(lost).toMatchObject({ code: 1, stderr: expect.stringContaining("--reopen") });
    expect((await pair.edgesync("base", "open", "--reopen", moved)).code).toBe(0);
    expect((await pair.edgesync("base", "changes")).code).toBe(0);
    expect(pair.fossil("base", "changes").code).toBe(0);
  });

  test("is an older copy", async () => {
    using pair = project();
    const older = temp.join("older.fossil");
    copyFileSync(pair.repository("base"), older);
    pair.write("a", "a of three, which is longer\n");
    pair.commit("three");
    copyFileSync(older, pair.repository("base"));
    const stale = await pair.edgesync("base", "status");
    expect(stale).toMatchObject({ code: 1, stderr: expect.stringContaining("is not in") });
    expect(pair.files("base")["a"]).toContain("of three");
  });

  test.each(stocks().map((stock) => [stock.version, stock] as const))(
    "was replaced by a clone of fossil %s",
    async (_, stock) => {
      using pair = project();
      pair.write("a", "edited, not committed\n");
      pair.base("mv", "--hard", "d/x", "d/moved");
      pair.base("merge", "--cherrypick", "one");
      await pair.edgesync("base", "changes");
      const before = pair.tables("base");
      const clone = temp.join(`clone-${stock.version}.fossil`);
      stock.okSync(["clone", pair.repository("base"), clone, "--no-open"]);
      copyFileSync(clone, pair.repository("base"));
      expect((await pair.edgesync("base", "changes")).code).toBe(0);
      const after = pair.tables("base");
      for (const table of ["vfile", "vmerge", "checkout"]) expect(after[table]).toEqual(before[table]);
      expect(pair.fossil("base", "changes").stdout).not.toContain("WARNING");
    },
  );
});

describe("at the same time", () => {
  test("a lock of another command is waited for", async () => {
    using pair = project();
    pair.write("a", "edited, and longer than before\n");
    const other = Db.open(join(pair.tree("base"), ".fslckout"), { mode: "write" });
    other.exec("BEGIN IMMEDIATE");
    const words = [process.execPath, MAIN, "repo", "revert", "a", "-C", pair.tree("base")];
    const child = Bun.spawn(words, { env: cliEnv(), stdout: "pipe" });
    await Bun.sleep(400);
    expect(child.exitCode).toBeNull();
    expect(pair.files("base")["a"]).toContain("edited");
    other.exec("ROLLBACK");
    other.close();
    expect(await child.exited).toBe(0);
    expect(pair.files("base")["a"]).toBe("- a of two\n");
  });

  test("an interrupt leaves a checkout whole or not made", async () => {
    const repository = temp.join("many.fossil");
    const files = temp.folder("many");
    for (let i = 0; i < 1500; i++) writeFileSync(join(files, `file-${i}`), `content of ${i}\n`.repeat(20));
    await cli(["repo", "new", repository]);
    await cli(["repo", "ci", "-R", repository, "-C", files, "-m", "many", "--no-warnings", "."]);
    for (const delayMs of [120, 250]) {
      const tree = temp.folder(`tree-${delayMs}`);
      const child = Bun.spawn([process.execPath, MAIN, "repo", "open", "-R", repository, "-C", tree], {
        env: cliEnv(),
        stdout: "ignore",
        stderr: "pipe",
      });
      await Bun.sleep(delayMs);
      child.kill("SIGINT");
      await child.exited;
      if (existsSync(join(tree, ".fslckout"))) {
        expect((await cli(["repo", "changes", "-C", tree])).stdout).toBe("");
        expect(readdirSync(tree).length).toBe(1501);
      } else expect(readdirSync(tree)).toEqual([]);
    }
  });
});

test("outside of a checkout", async () => {
  const { code, stderr } = await cli(["repo", "status", "-C", temp.folder("plain")]);
  expect(code).toBe(1);
  expect(stderr).toContain("is not in a checkout");
});
