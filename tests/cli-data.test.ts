/** The commands for unversioned files, shunned artifacts and areas of the configuration. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { cli } from "./cli-process.ts";
import { TempDir } from "./temp-dir.ts";

const folder = new TempDir("cli-data");
const [here, there] = [folder.join("here.fossil"), folder.join("there.fossil")];
afterAll(() => folder.remove());

async function ok(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await cli(words);
  if (code !== 0) throw new Error(`edgesync ${words.join(" ")}: ${stderr}`);
  return stdout;
}
const json = async (...words: string[]) => JSON.parse(await ok(...words, "--json"));
const failed = async (...words: string[]) => {
  const { code, stderr } = await cli(words);
  return `${code} ${stderr.split("\n")[0]}`;
};

beforeAll(async () => {
  await ok("repo", "new", there, "--user", "ann");
  await ok("repo", "clone", there, here, "--user", "ann");
  folder.write("a.txt", "content\n");
});

test("unversioned files: put, list, get, touch, delete", async () => {
  const at = ["-R", here, "-C", folder.path];
  await ok("repo", "uv", "put", "a.txt", "--mtime", "2024-01-01", ...at);
  await ok("repo", "uv", "put", "dir/b", "a.txt", "--mtime", "2024-01-02T03:04:05", ...at);
  expect(await ok("repo", "uv", "ls", ...at)).toMatch(
    /^a\.txt +2024-01-01 00:00:00 +8 +[0-9a-f]{10}\ndir\/b +2024-01-02 03:04:05 +8 +[0-9a-f]{10}\n$/,
  );
  expect(await ok("repo", "uv", "get", "dir/b", ...at)).toBe("content\n");
  await ok("repo", "uv", "get", "dir/b", "-o", "out.txt", ...at);
  expect(readFileSync(folder.join("out.txt"), "utf8")).toBe("content\n");
  await ok("repo", "uv", "touch", "a.txt", "--mtime", "2024-03-01", ...at);
  await ok("repo", "uv", "delete", "dir/b", "--mtime", "2024-03-02", ...at);
  const listed = await json("repo", "uv", "ls", "--all", ...at);
  expect(listed).toMatchObject([
    { name: "a.txt", date: "2024-03-01 00:00:00", size: 8 },
    { name: "dir/b", mtime: 1_709_337_600, hash: null, size: 0 },
  ]);
  expect(await failed("repo", "uv", "get", "dir/b", ...at)).toBe(
    "1 edgesync: the unversioned file dir/b was deleted",
  );
  expect(await failed("repo", "uv", "delete", "a.txt", "x", ...at)).toContain("x is not here");
  expect(await json("repo", "uv", "ls", ...at)).toHaveLength(1);
  expect(await failed("repo", "uv", "put", "a b", "a.txt", ...at)).toStartWith("2 edgesync: ");
  expect(await failed("repo", "uv", "put", "nowhere", ...at)).toContain("does not exist");
});

test("unversioned files travel", async () => {
  expect(await json("repo", "uv", "sync", there, "-R", here)).toMatchObject({
    sent: 1,
    received: 0,
    rounds: 2,
  });
  expect(await json("repo", "uv", "sync", "-R", here)).toMatchObject({ sent: 0, received: 0, rounds: 1 });
  expect(await ok("repo", "uv", "get", "a.txt", "-R", there)).toBe("content\n");
});

test("areas of the configuration travel", async () => {
  await ok("repo", "config", "set", "css", "here", "-R", here);
  await ok("repo", "config", "set", "project-name", "there", "-R", there);
  expect(await json("repo", "config", "push", "skin", there, "-R", here)).toMatchObject({
    area: "skin",
    sent: 1,
  });
  expect(await json("repo", "config", "pull", "project", "-R", here)).toMatchObject({
    received: 2,
    changed: 1,
  });
  expect(await ok("repo", "config", "get", "css", "-R", there)).toBe("here\n");
  expect(await ok("repo", "config", "get", "project-name", "-R", here)).toBe("there\n");
  expect(await json("repo", "config", "sync", "all", "-R", here)).toMatchObject({ changed: 0 });
  expect(await failed("repo", "config", "pull", "colours", "-R", here)).toStartWith(
    "2 edgesync: AREA: expected one of email,",
  );
});

test("shunned artifacts: add, list, purge, travel, take off", async () => {
  folder.write("spam.txt", "spam\n");
  const place = ["-R", here, "-C", folder.path];
  const checkIn = (await ok("repo", "ci", "-m", "spam", "--user", "ann", "spam.txt", ...place)).trim();
  await ok("repo", "shun", "add", checkIn, "--comment", "no more", "-R", here);
  expect(await json("repo", "shun", "ls", "-R", here)).toMatchObject([
    { hash: checkIn, comment: "no more", isHere: true },
  ]);
  expect(await json("repo", "shun", "purge", "--user", "ann", "-R", here)).toEqual({ purged: [checkIn] });
  expect(await ok("repo", "shun", "ls", "-R", here)).toContain("gone");
  await ok("repo", "config", "push", "shun", "-R", here);
  expect(await json("repo", "shun", "ls", "-R", there)).toMatchObject([{ hash: checkIn }]);
  await ok("repo", "shun", "rm", checkIn, "-R", there);
  expect(await json("repo", "shun", "ls", "-R", there)).toEqual([]);
  expect(await failed("repo", "shun", "rm", checkIn, "-R", there)).toContain("is not shunned");
  expect(await failed("repo", "shun", "add", checkIn.slice(0, 10), "-R", there)).toStartWith("2 ");
});
