import { afterAll, describe, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { cli } from "../cli-process.ts";
import { TempDir } from "../temp-dir.ts";
import { stocks } from "./stock.ts";

/** Each command and stock's, on copies of one repository, as of the same date: the same artifacts and tables. */
const folder = new TempDir("cli-tags");
afterAll(() => folder.remove());

async function ok(words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cli(words);
  if (code !== 0) throw new Error(`edgesync ${words.join(" ")}: ${stderr}`);
  return stdout;
}

/** Our options, and stock's: who and when. */
const OURS = (date: string) => ["--user", "ann", "--date-override", date];
const THEIRS = (date: string) => ["--user-override", "ann", "--date-override", date];

const LOOK = [
  "SELECT uuid FROM blob ORDER BY uuid",
  "SELECT t.tagname, b.uuid, s.uuid, x.tagtype, x.value FROM tagxref x JOIN tag t USING(tagid) JOIN blob b USING(rid) LEFT JOIN blob s ON s.rid=x.srcid ORDER BY 1, 2",
  "SELECT type, mtime, user, comment FROM event ORDER BY mtime, comment",
  "SELECT b.uuid FROM leaf JOIN blob b USING(rid) ORDER BY 1",
];

describe.each(stocks().map((stock) => [stock.version, stock] as const))("stock %s", (version, stock) => {
  const [ours, theirs] = ["ours", "theirs"].map((name) => folder.join(`${name}-${version}.fossil`)) as [
    string,
    string,
  ];
  const at = ["-R", ours];

  async function same(): Promise<void> {
    for (const sql of LOOK) {
      expect(await ok(["repo", "query", sql, "-R", ours])).toBe(
        await ok(["repo", "query", sql, "-R", theirs]),
      );
    }
  }

  test("the repository to begin with", async () => {
    stock.okSync(["new", ours, "--date-override", "2025-12-01"]);
    folder.write("tree/a.txt", "one\n");
    folder.write("tree/b.txt", "two\n");
    await ok(["repo", "ci", ...at, "-C", folder.join("tree"), "-m", "files", "--tag", "t1", "."]);
    copyFileSync(ours, theirs);
    await same();
  });

  test("tag add and cancel", async () => {
    const steps: readonly string[][] = [
      ["add", "v1", "trunk"],
      ["add", "v10", "trunk", "some value"],
      ["add", "--propagate", "--raw", "note", "root:trunk", "ten"],
      ["add", "v9", "trunk"],
      ["cancel", "v1", "trunk"],
    ];
    for (const [i, words] of steps.entries()) {
      const date = `2027-01-0${i + 1}`;
      const dry = await ok(["repo", "tag", ...words, ...OURS(date), ...at, "-n"]);
      expect(dry).toBe(stock.okSync(["tag", ...words, ...THEIRS(date), "-R", theirs, "-n"]));
      expect(await ok(["repo", "tag", ...words, ...OURS(date), ...at])).toBe("");
      stock.okSync(["tag", ...words, ...THEIRS(date), "-R", theirs]);
      await same();
    }
    for (const words of [["ls"], ["ls", "--raw"], ["ls", "trunk"], ["ls", "trunk", "--raw"]]) {
      expect(await ok(["repo", "tag", ...words, ...at])).toBe(stock.okSync(["tag", ...words, "-R", theirs]));
    }
    expect(JSON.parse(await ok(["repo", "tag", "ls", "trunk", "--json", ...at]))).toContainEqual({
      name: "v10",
      value: "some value",
      isCancelled: false,
    });
    for (const words of [
      ["wiki-x", "trunk"],
      ["x", "nonsense"],
    ]) {
      expect(await cli(["repo", "tag", "add", ...words, ...at])).toMatchObject({ code: 1, stdout: "" });
    }
  });

  test("branch new, close, reopen and ls", async () => {
    for (const [i, name] of ["Side", "a < b", "other"].entries()) {
      const date = `2027-02-0${i + 1}`;
      const words = ["branch", "new", name, "trunk"];
      const printed = await ok(["repo", ...words, ...OURS(date), ...at]);
      expect(printed).toBe(stock.okSync([...words, ...THEIRS(date), "-R", theirs]));
      await same();
    }
    const steps = [
      ["close", "Side", "other"],
      ["reopen", "other"],
    ] as const;
    for (const [i, words] of steps.entries()) {
      const date = `2027-03-0${i + 1}`;
      await ok(["repo", "branch", ...words, ...OURS(date), ...at]);
      stock.okSync(["branch", ...words, ...THEIRS(date), "-R", theirs]);
      await same();
      for (const options of [[], ["-a"], ["-c"], ["-a", "-t"], ["-a", "-r"]]) {
        const printed = stock.okSync(["branch", "ls", ...options, "-R", theirs]);
        expect(await ok(["repo", "branch", "ls", ...options, ...at])).toBe(printed);
      }
    }
    expect(await ok(["repo", "branch", "ls", "-a", "S*", ...at])).toBe("   Side\n");
    expect(JSON.parse(await ok(["repo", "branch", "ls", "-c", "--json", ...at]))).toMatchObject([
      { name: "Side", isClosed: true, isPrivate: false, isCurrent: false, checkInCount: 1 },
    ]);
    const none = ["branch", "reopen", "other"];
    expect(await cli(["repo", ...none, ...at])).toMatchObject({ code: 1, stdout: "" });
    expect(await cli(["repo", "branch", "new", "other", "trunk", ...at])).toMatchObject({ code: 1 });
    expect(stock.okSync(["test-integrity", "-R", ours])).toContain("0 errors");
  });

  test("amend", async () => {
    const steps: readonly string[][] = [
      ["other", "--comment", "another text", "--author", "bob", "--date", "2027-02-04 10:00:00"],
      ["t1", "--tag", "z", "--tag", "y", "--cancel", "t1", "--cancel", "none", "--close"],
      ["Side", "--branch", "moved", "--bgcolor", "abc", "--hide", "--close"],
      ["moved", "--branchcolor", "#aabbcc", "--close"],
      ["moved", "--bgcolor", ""],
    ];
    for (const [i, words] of steps.entries()) {
      const date = `2027-04-0${i + 1}`;
      const dry = await ok(["repo", "amend", ...words, ...OURS(date), ...at, "-n"]);
      expect(dry).toBe(stock.okSync(["amend", ...words, ...THEIRS(date), "-R", theirs, "-n"]));
      expect(dry).toStartWith("D 2027");
      expect(await ok(["repo", "amend", ...words, ...OURS(date), ...at])).toMatch(/^[0-9a-f]{64}\n$/);
      stock.okSync(["amend", ...words, ...THEIRS(date), "-R", theirs]);
      await same();
    }
    expect(await cli(["repo", "amend", "moved", "--hide", ...at])).toMatchObject({ code: 0, stdout: "" });
    for (const words of [
      ["moved", "--date", "someday"],
      ["moved", "-m", ""],
    ]) {
      expect(await cli(["repo", "amend", ...words, ...at])).toMatchObject({ code: 2, stdout: "" });
    }
    await same();
  });
});
