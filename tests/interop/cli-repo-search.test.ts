import { afterAll, expect, test } from "bun:test";
import { cli } from "../cli-process.ts";
import { TempDir } from "../temp-dir.ts";
import { stocks } from "./stock.ts";

/** Search from the command line; stock goes on working on a file with our index, and its rebuild keeps it. */
const folder = new TempDir("cli-search");
afterAll(() => folder.remove());

test.each(stocks().map((stock) => [stock.version, stock] as const))("stock %s", async (version, stock) => {
  const path = folder.join(`${version}.fossil`);
  const run = (...words: string[]) => cli(["repo", ...words, "-R", path]);
  stock.okSync(["new", path]);
  const cwd = folder.folder(`w-${version}`);
  stock.okSync(["open", path], { cwd });
  folder.write(`w-${version}/a/deep.txt`, "one line\nthe quick brown fox\n");
  stock.okSync(["add", "a"], { cwd });
  stock.okSync(["commit", "-m", "A fox, quick", "--no-warnings"], { cwd });
  expect((await run("search", "fox")).stdout).toMatch(
    /^checkin [0-9a-f]{10} \S+ \S+\n {4}A fox, quick\nfile a\/deep.txt\n {4}the quick brown fox\n$|^file a\/deep.txt\n {4}the quick brown fox\ncheckin/,
  );
  for (const words of [
    ["rebuild", path],
    ["test-integrity", "-R", path],
    ["wiki", "create", "Fox", folder.write("f", "a fox"), "-R", path],
  ]) {
    stock.okSync(words);
  }
  const lines = (await run("search", "fox", "--json")).stdout.trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line).type).sort()).toEqual(["checkin", "file", "wiki"]);
  expect((await run("search", "-s", "uick br")).stdout).toBe("file a/deep.txt\n    the quick brown fox\n");
  expect((await run("search", "--reindex")).stdout).toBe("4 documents indexed\n");
  expect(await run("search", "nothing")).toMatchObject({ code: 0, stdout: "" });
  expect(await run("search")).toMatchObject({ code: 2 });
  expect(await run("search", "-s", "  ")).toMatchObject({ code: 2, stdout: "" });
  expect(await run("search", "x", "--type", "blob")).toMatchObject({ code: 2 });
});
