/** Names typed in a folder of a checkout are relative to it, with every command that takes a file, as in stock. */
import { expect, test } from "bun:test";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { type CliResult, cli } from "../../cli-process.ts";
import { newestStock } from "../stock.ts";
import { CheckoutPair } from "./two-checkouts.ts";

function project(): CheckoutPair {
  const pair = new CheckoutPair(newestStock());
  for (const name of ["b", "d/b", "d/e/b", "d/only"]) pair.write(name, `${name}\n`);
  pair.commit("one", "--tag", "one");
  for (const name of ["b", "d/b"]) pair.write(name, `${name}\nsecond\n`);
  pair.commit("two", "--tag", "two");
  return pair;
}

test("in a folder, above it, and from elsewhere", async () => {
  using pair = project();
  const folder = join(pair.tree("base"), "d");
  const ours = (...words: string[]): Promise<CliResult> => cli(["repo", ...words, "-C", folder]);
  const stock = (...words: string[]) => pair.stock.okSync(words, { cwd: folder });
  const cases: readonly (readonly [ours: readonly string[], theirs: readonly string[]])[] = [
    [
      ["cat", "b"],
      ["cat", "b"],
    ],
    [
      ["cat", "../b"],
      ["cat", "../b"],
    ],
    [
      ["cat", "./e/b"],
      ["cat", "./e/b"],
    ],
    [
      ["cat", "b", "--version", "one"],
      ["cat", "b", "-r", "one"],
    ],
    [
      ["finfo", "b", "-W", "0"],
      ["finfo", "b", "-W", "0"],
    ],
    [
      ["finfo", "../b", "-W", "0"],
      ["finfo", "../b", "-W", "0"],
    ],
    [
      ["annotate", "b"],
      ["annotate", "b"],
    ],
    [
      ["blame", "e/b", "-r", "one"],
      ["blame", "e/b", "-r", "one"],
    ],
    [
      ["diff", "--from", "one", "--to", "two", "b"],
      ["diff", "--internal", "--from", "one", "--to", "two", "b"],
    ],
    [
      ["diff", "--from", "one", "--to", "two", "."],
      ["diff", "--internal", "--from", "one", "--to", "two", "."],
    ],
  ];
  for (const [words, theirs] of cases) {
    const { code, stdout, stderr } = await ours(...words);
    // Older ones end the names above a difference without a tab.
    const same = (text: string) => text.replaceAll(/\t$/gm, "");
    expect([words, code, stderr, same(stdout)]).toEqual([words, 0, "", same(stock(...theirs))]);
  }
  const changed = async (file: string) => (await ours("timeline", "--json", "--file", file)).stdout;
  expect(await changed("only")).toContain("one");
  expect(await changed("only")).not.toContain("two");
  expect(await changed("e")).not.toContain("two");

  expect(await ours("cat", "../../outside")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("outside"),
  });
  expect(await ours("finfo", "none")).toMatchObject({ code: 1, stderr: expect.stringContaining('"d/none"') });
  const tip = JSON.parse((await ours("resolve", "two", "--json")).stdout).hash as string;
  expect((await ours("cat", tip.slice(0, 12))).stdout).toBe(stock("artifact", "two"));
  const link = pair.dir.join("link");
  symlinkSync(folder, link);
  expect((await cli(["repo", "cat", "b", "-C", link])).stdout).toBe("d/b\nsecond\n");
  const top = (...words: string[]) => cli(["repo", ...words, "-C", pair.tree("base")]);
  expect((await top("diff", "--from", "one", "--to", "two", ".")).stdout).toContain("Index: b\n");
  expect((await top("timeline", "--file", ".", "-n", "1")).stdout).toContain("two");
  // Outside of the checkout names are the repository's.
  const away = await cli(["repo", "cat", "d/b", "-R", pair.repository("base"), "-C", pair.dir.path]);
  expect(away.stdout).toBe("d/b\nsecond\n");
});
