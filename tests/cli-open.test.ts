import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { cli } from "./cli-process.ts";
import { TempDir } from "./temp-dir.ts";

test("open takes the repository's file instead of -R, as fossil does, and other words for versions", async () => {
  using temp = new TempDir("open");
  const repository = temp.join("p.fossil");
  expect((await cli(["repo", "new", repository])).code).toBe(0);
  const folder = temp.join("work");
  const opened = await cli(["repo", "open", repository, "-C", folder, "--json"]);
  expect([opened.code, JSON.parse(opened.stdout).repository]).toEqual([0, repository]);
  expect(existsSync(temp.join("work", ".fslckout"))).toBe(true);
  const gone = await cli(["repo", "open", "gone.fossil", "-R", repository, "-C", temp.join("other")]);
  expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining('there is no version "gone.fossil"')]);
});
