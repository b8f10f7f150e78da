/** Forms of the merge command, and what a commit makes of a merge, compared with stock on copies of one checkout. */
import { afterEach, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { stocks } from "../stock.ts";
import { CheckoutPair } from "./two-checkouts.ts";

let pair: CheckoutPair;
afterEach(() => pair.dir.remove());

/** Trunk and branch `other`, with changes in different files; what is checked out is trunk. */
function diverged(stock: ConstructorParameters<typeof CheckoutPair>[0], ...branch: string[]): string {
  pair = new CheckoutPair(stock);
  pair.write("a", "one\n");
  pair.write("b", "one\n");
  pair.write("c", "one\n");
  const first = pair.commit("first");
  pair.write("a", "two\n");
  pair.commit("on trunk");
  pair.base("update", first);
  pair.write("b", "two\n");
  pair.commit("words of the other", ...branch);
  pair.write("c", "two\n");
  const tip = pair.commit("more words");
  pair.base("update", "trunk");
  return tip;
}

async function same(...words: string[]): Promise<string> {
  const { ours, theirs } = pair.fork();
  const [mine, other] = [await pair.edgesync(ours, ...words), pair.fossil(theirs, ...words)];
  expect({ words, failed: mine.code !== 0 }).toEqual({ words, failed: other.code !== 0 });
  expect(pair.look(ours)).toEqual(pair.look(theirs));
  return `${mine.stdout}${mine.stderr}`;
}

describe.each(stocks())("fossil $version", (stock) => {
  test("a fork of the branch is found without a name", async () => {
    const tip = diverged(stock);
    // On trunk both: the newest is checked out, the other is the fork.
    expect(pair.base("status")).toContain(tip.slice(0, 40));
    expect(await same("merge")).toContain("Merging fork");
    pair.base("merge");
    expect(await same("merge")).toContain("no fork");
    expect(await same("merge", "--cherrypick")).toContain("merged whole");
  });

  test("what is merged already, and a closed leaf, need force", async () => {
    const tip = diverged(stock, "--branch", "other");
    expect(await same("merge", "root:other")).toContain("no-op");
    expect(await same("merge", "--force", "root:other")).not.toContain("no-op");
    pair.base("amend", "trunk", "--close");
    expect(await same("merge", "other")).toContain("closed leaf");
    expect(await same("merge", "-f", tip)).toContain("UPDATE b");
  });

  test("options that exclude each other are refused", async () => {
    diverged(stock, "--branch", "other");
    expect(await same("merge", "--cherrypick", "--baseline", "trunk", "other")).toContain("excludes");
    expect(await same("merge", "nonsense")).toContain("there is no version");
    const { ours } = pair.fork();
    expect((await pair.edgesync(ours, "merge", "--cherrypick", "--backout", "other")).code).toBe(2);
  });

  test("--integrate of what is no leaf is a plain merge", async () => {
    diverged(stock, "--branch", "other");
    expect(await same("merge", "--integrate", "other:2025-01-01T00:03:00")).toContain("not a leaf");
  });

  test("a folder becomes a file, and a file a folder", async () => {
    pair = new CheckoutPair(stock);
    pair.write("d/x", "one\n");
    pair.write("f", "one\n");
    const first = pair.commit("first");
    pair.write("other", "one\n");
    pair.commit("on trunk");
    pair.base("update", first);
    pair.base("rm", "--hard", "d/x", "f");
    pair.commit("gone", "--branch", "side");
    rmSync(join(pair.tree("base"), "d"), { recursive: true, force: true });
    pair.write("d", "a file\n");
    pair.write("f/x", "in a folder\n");
    pair.commit("the other way round");
    // Stock itself goes neither way.
    for (const name of ["d", "f"]) rmSync(join(pair.tree("base"), name), { recursive: true });
    pair.base("checkout", "--force", "trunk");
    const { ours } = pair.fork();
    expect((await pair.edgesync(ours, "merge", "side")).code).toBe(0);
    expect(pair.files(ours)).toEqual({ d: "- a file\n", "f/x": "- in a folder\n", other: "- one\n" });
    expect((await pair.edgesync(ours, "undo")).code).toBe(0);
    expect(pair.files(ours)).toEqual(pair.files("base"));
    expect((await pair.edgesync(ours, "redo")).code).toBe(0);
    expect(pair.files(ours)["d"]).toBe("- a file\n");
  });

  test("a commit names what was merged, picked and backed out, as stock's does", async () => {
    const tip = diverged(stock, "--branch", "other");
    for (const form of [["other"], ["--cherrypick", tip], ["--backout", "prev:"], ["--integrate", "other"]]) {
      const words = form.map((word) => (word === "prev:" ? "trunk" : word));
      const { ours, theirs } = pair.fork();
      const date = ["--date-override", "2025-02-01T00:00:00"];
      await pair.edgesync(ours, "merge", ...words);
      pair.fossil(theirs, "merge", ...words);
      const mine = await pair.edgesync(ours, "ci", "-m", "done", "--user", "dev", ...date);
      expect([form, mine.code, mine.stderr]).toEqual([form, 0, ""]);
      pair.fossil(theirs, "commit", "-m", "done", "--user-override", "dev", "--no-warnings", ...date);
      const manifest = (copy: string) => pair.fossil(copy, "artifact", "current").stdout;
      expect([form, manifest(ours)]).toEqual([form, manifest(theirs)]);
      expect(pair.look(ours)).toEqual(pair.look(theirs));
    }
  });
});
