import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, symlinkSync } from "node:fs";
import { cli } from "../cli-process.ts";
import { TempDir } from "../temp-dir.ts";
import { stocks } from "./stock.ts";

/**
 * A repository made by our commands alone, looked at with every stock Fossil, and one made by stock, looked
 * at with our commands.
 */
const folder = new TempDir("cli-repo");
const repository = folder.join("ours.fossil");
afterAll(() => folder.remove());

async function ok(words: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { code, stdout, stderr } = await cli(words, { env });
  if (code !== 0) throw new Error(`edgesync ${words.join(" ")}: ${stderr}`);
  return stdout;
}

const json = async (words: readonly string[]) => JSON.parse(await ok([...words, "--json", "-R", repository]));

async function checkIn(message: string, files: Record<string, string>, ...more: string[]): Promise<string> {
  for (const [name, content] of Object.entries(files)) folder.write(`tree/${name}`, content);
  const place = ["-R", repository, "-C", folder.join("tree")];
  const hash = await ok(["repo", "ci", ...place, "-m", message, ...more, ...Object.keys(files)]);
  return hash.trim();
}

let branched: string;

beforeAll(async () => {
  await ok(["repo", "new", repository, "--user", "ann", "--project-name", "Ours"]);
  await checkIn("first", { "a.txt": "one\n", "src/run.sh": "#!/bin/sh\n" }, "--tag", "v1");
  chmodSync(folder.join("tree", "src", "run.sh"), 0o755);
  symlinkSync("a.txt", folder.join("tree", "link"));
  await checkIn("second, of a whole folder", { "b.txt": "two\n" }, ".");
  branched = await checkIn("aside", { "a.txt": "other\n" }, "--branch", "aside", "--user", "bob");
  await checkIn("on trunk again", { "a.txt": "one\nmore\n" }, "--branch", "trunk");
});

describe.each(stocks().map((stock) => [stock.version, stock] as const))("stock %s", (_version, stock) => {
  test("finds our repository sound, before and after its rebuild", () => {
    const copy = folder.join(`copy-${stock.version}.fossil`);
    copyFileSync(repository, copy);
    expect(stock.okSync(["test-integrity", "-R", copy])).toContain("0 errors");
    const before = stock.okSync(["timeline", "-R", copy, "-n", "0", "-W", "0"]);
    stock.okSync(["rebuild", copy]);
    expect(stock.okSync(["timeline", "-R", copy, "-n", "0", "-W", "0"])).toBe(before);
  });

  test("prints the same files, contents and timeline", async () => {
    for (const version of ["trunk", "aside", "v1", "tip"]) {
      const listed = stock.okSync(["ls", "-R", repository, "-r", version]);
      expect(await ok(["repo", "ls", version, "-R", repository])).toBe(listed);
    }
    expect(await ok(["repo", "cat", "a.txt", "--version", "aside", "-R", repository])).toBe(
      stock.okSync(["cat", "a.txt", "-R", repository, "-r", "aside"]),
    );
    expect(await ok(["repo", "cat", branched, "-R", repository])).toBe(
      stock.okSync(["artifact", branched, "-R", repository]),
    );
    const printed = stock.okSync(["timeline", "-R", repository, "-n", "0", "-W", "0"]);
    const entries = printed.split("\n").filter((line) => line !== "" && !line.startsWith("+++"));
    expect(
      (await ok(["repo", "timeline", "-n", "0", "-W", "0", "-R", repository])).trimEnd().split("\n"),
    ).toEqual(entries);
  });

  test("is read by our commands", async () => {
    const theirs = folder.join(`theirs-${stock.version}.fossil`);
    stock.okSync(["new", theirs]);
    const work = folder.folder(`work-${stock.version}`);
    stock.okSync(["open", theirs], { cwd: work });
    folder.write(`work-${stock.version}/deep/file.txt`, "content\n");
    stock.okSync(["add", "deep"], { cwd: work });
    stock.okSync(["commit", "-m", "theirs", "--no-warnings"], { cwd: work });
    const inCheckout = ["-C", folder.join(`work-${stock.version}`, "deep")];
    expect(await ok(["repo", "ls", ...inCheckout])).toBe("deep/file.txt\n");
    expect(await ok(["repo", "ls", "prev", ...inCheckout])).toBe("");
    expect(await ok(["repo", "timeline", "-n", "1", ...inCheckout])).toContain(
      "theirs (user: dev tags: trunk)",
    );
    const refused = await cli(["repo", "ci", "-m", "x", "file.txt", ...inCheckout]);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("none of the files named") });
  });
});

test("check-ins: rights of files, links, branch, tag, user", async () => {
  const files = await json(["repo", "ls", "-l", "trunk"]);
  expect(files.map(({ name, mode }: { name: string; mode: string }) => [name, mode])).toEqual([
    ["a.txt", "file"],
    ["b.txt", "file"],
    ["link", "link"],
    ["src/run.sh", "exec"],
  ]);
  const entries = (await ok(["repo", "timeline", "--json", "-R", repository]))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(entries.map(({ comment, user, branch, tags }) => [comment, user, branch, tags])).toEqual([
    ["on trunk again", "dev", "trunk", ["trunk"]],
    ["aside", "bob", "aside", ["aside"]],
    ["second, of a whole folder", "dev", "trunk", ["trunk"]],
    ["first", "dev", "trunk", ["trunk", "v1"]],
    ["initial empty check-in", "ann", "trunk", ["trunk"]],
  ]);
});

test("check-ins that must not be", async () => {
  const place = ["-R", repository, "-C", folder.join("tree"), "-m", "x"];
  const cases: readonly [words: string[], stderr: RegExp][] = [
    [["nowhere.txt"], /nowhere.txt does not exist/],
    [["../ours.fossil"], /is outside of the folder worked in/],
    [["--parent", "nonsense", "a.txt"], /there is no version "nonsense"/],
    [["--parent", "v1", "a.txt"], /fork/],
    [["a.txt", "--branch", "trunk"], /nothing/],
  ];
  const before = await json(["repo", "info"]);
  for (const [words, stderr] of cases) {
    const { code, stderr: said } = await cli(["repo", "ci", ...place, ...words]);
    expect(said).toMatch(stderr);
    expect(code).toBeGreaterThan(0);
  }
  expect(await json(["repo", "info"])).toEqual(before);
});

test("users, settings, verify and rebuild", async () => {
  const at = ["-R", repository];
  await ok(["repo", "user", "add", "cat", "--cap", "v", ...at], { EDGESYNC_PASSWORD: "secret" });
  await ok(["repo", "user", "update", "cat", "--info", "the cat", ...at]);
  expect(await json(["repo", "user", "ls"])).toContainEqual(
    expect.objectContaining({ login: "cat", capabilities: "v", info: "the cat" }),
  );
  const letters = (await json(["repo", "user", "caps", "cat"])).map(
    ({ letter }: { letter: string }) => letter,
  );
  expect(letters).toContain("i");
  expect(await cli(["repo", "user", "add", "dog", "--cap", "§", ...at])).toMatchObject({ code: 2 });
  await ok(["repo", "user", "passwd", "cat", "--password-file", folder.write("pw", "new\n"), ...at]);
  await ok(["repo", "user", "rm", "cat", ...at]);
  await ok(["repo", "config", "set", "project-name", "Named", ...at]);
  expect(await ok(["repo", "config", "get", "project-name", ...at])).toBe("Named\n");
  await ok(["repo", "config", "set", "project-name", "--unset", ...at]);
  expect(await cli(["repo", "config", "get", "project-name", ...at])).toMatchObject({ code: 1 });
  expect(await cli(["repo", "config", "set", "project-code", "0", ...at])).toMatchObject({ code: 2 });
  expect(await json(["repo", "rebuild"])).toMatchObject({ damaged: [] });
  // Nor does it ask who is rebuilding, where nothing is written in anybody's name.
  expect(await ok(["repo", "config", "set", "default-user", "--unset", ...at])).toBe("");
  expect(await ok(["repo", "rebuild", ...at], { USER: "" })).toContain("0 damaged");
  expect(await json(["repo", "verify"])).toMatchObject({ phantomCount: 0, problems: [] });
});
