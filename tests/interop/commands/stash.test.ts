/** Stashes by either program, taken up by either, compared with stock on copies of one checkout. */
import { describe, expect, test } from "bun:test";
import { chmodSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { type Stock, stocks } from "../stock.ts";
import { CheckoutPair } from "./two-checkouts.ts";

const LINES = Array.from({ length: 9 }, (_, i) => `line ${i}\n`);
const with0 = (change: Record<number, string>) => LINES.map((line, i) => change[i] ?? line).join("");

/** A checkout with changes of every kind that are not committed. */
function changed(stock: Stock): CheckoutPair {
  const pair = new CheckoutPair(stock);
  pair.base("settings", "allow-symlinks", "on");
  for (const name of ["edit", "merge", "conflict", "sub/rename", "remove", "run.sh"])
    pair.write(name, with0({}));
  pair.write("data.bin", "\0one");
  symlinkSync("edit", join(pair.tree("base"), "link"));
  pair.commit("first");
  pair.write("edit", with0({ 4: "edited\n" }));
  pair.write("merge", with0({ 0: "stashed\n" }));
  pair.write("conflict", with0({ 4: "stashed\n" }));
  pair.write("data.bin", "\0two");
  pair.base("mv", "--hard", "sub/rename", "sub/renamed");
  pair.write("sub/renamed", with0({ 8: "renamed and edited\n" }));
  pair.base("rm", "--hard", "remove");
  pair.write("added", "new\n");
  pair.base("add", "added");
  chmodSync(join(pair.tree("base"), "run.sh"), 0o755);
  rmSync(join(pair.tree("base"), "link"));
  symlinkSync("merge", join(pair.tree("base"), "link"));
  return pair;
}

/** The parts that both programs have to agree on: what `fossil stash save` forgets of undo we forget too. */
function look(pair: CheckoutPair, copy: string, withUndo = false): unknown {
  const { files, tables } = pair.look(copy);
  const { undo, available, mergestat, ...others } = tables;
  return withUndo ? { files, undo, available, ...others } : { files, ...others };
}

/** Lines in any order: stock goes through its tables as they lie. */
const shown = (stdout: string) =>
  stdout
    .split("\n")
    .filter((line) => line !== "" && !/undo" is|binary file left/.test(line))
    .sort();
const undated = (text: string) => text.replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, "DATE");

describe.each(stocks())("fossil $version", (stock) => {
  test("save and snapshot keep the same, and leave the same", async () => {
    using pair = changed(stock);
    for (const words of [["save"], ["snapshot"], ["save", "sub", "edit"]]) {
      const { ours, theirs } = pair.fork();
      const mine = await pair.edgesync(ours, "stash", words[0]!, "-m", "some words", ...words.slice(1));
      // Stock takes names as seen from the folder it runs in, as we do with -C.
      const other = pair.fossil(theirs, "stash", words[0]!, "-m", "some words", ...words.slice(1));
      expect([mine.code, other.code]).toEqual([0, 0]);
      if (words[0] === "save") expect(shown(mine.stdout)).toEqual(shown(other.stdout));
      expect(look(pair, ours)).toEqual(look(pair, theirs));
      for (const list of [["ls"], ["ls", "-l"]]) {
        const [left, right] = [
          await pair.edgesync(ours, "stash", ...list),
          pair.fossil(theirs, "stash", ...list),
        ];
        expect(undated(left.stdout)).toBe(undated(right.stdout));
      }
    }
  });

  test.each(["pop", "apply", "goto"])("%s, where files have changed since too", async (verb) => {
    for (const by of ["edgesync", "fossil"]) {
      using pair = changed(stock);
      if (by === "fossil") pair.base("stash", "save", "-m", "words");
      else expect((await pair.edgesync("base", "stash", "save", "-m", "words")).code).toBe(0);
      rmSync(join(pair.tree("base"), "added"), { force: true });
      pair.write("merge", with0({ 8: "since\n" }));
      pair.write("conflict", with0({ 4: "since\n" }));
      // 2.21 leaves an empty file of a binary one that conflicts.
      if (stock.atLeast(2, 27)) pair.write("data.bin", "\0since");
      if (verb !== "pop") pair.commit("since");
      const { ours, theirs } = pair.fork();
      const [mine, other] = [await pair.edgesync(ours, "stash", verb), pair.fossil(theirs, "stash", verb)];
      if (verb !== "goto") expect([by, shown(mine.stdout)]).toEqual([by, shown(other.stdout)]);
      // What stock saves of a goto is not what was there before it, so that its undo mixes two check-ins.
      const withUndo = verb !== "goto";
      const [left, right] = [look(pair, ours, withUndo), look(pair, theirs, withUndo)];
      expect(stock.atLeast(2, 27) ? left : withoutSuggestions(left)).toEqual(right);
      expect(mine.code).toBe(verb === "goto" ? 0 : 3);
      if (!withUndo) {
        expect((await pair.edgesync(ours, "undo")).code).toBe(0);
        expect(pair.fossil(ours, "changes").stdout).toBe("");
        continue;
      }
      const [undone, otherUndone] = [await pair.edgesync(ours, "undo"), pair.fossil(theirs, "undo")];
      expect([undone.code, otherUndone.code]).toEqual([0, 0]);
      expect(withoutSuggestions(look(pair, ours, true))).toEqual(
        withoutSuggestions(look(pair, theirs, true)),
      );
    }
  });

  test("show and diff print the same", async () => {
    using pair = changed(stock);
    pair.base("stash", "snapshot", "-m", "words");
    pair.write("edit", with0({ 2: "since\n" }));
    const { ours, theirs } = pair.fork();
    for (const verb of ["show", "diff"]) {
      const { stdout, code } = await pair.edgesync(ours, "stash", verb);
      expect(code).toBe(0);
      const other = pair.fossil(theirs, "stash", verb).stdout;
      const hunks = (text: string) =>
        text.split("\n").filter((line) => /^[-+@ ]/.test(line) && !/^(?:---|\+\+\+)/.test(line));
      expect(hunks(stdout).filter((line) => line !== " ")).toEqual(
        expect.arrayContaining(["+edited"].filter(() => verb === "show")),
      );
      if (stock.atLeast(2, 27) && verb === "show")
        expect(hunks(other)).toEqual(expect.arrayContaining(hunks(stdout)));
    }
  });

  test("drop is undone by either, clear is not", async () => {
    using pair = changed(stock);
    pair.base("stash", "snapshot", "-m", "one");
    pair.base("stash", "snapshot", "-m", "two");
    const { ours, theirs } = pair.fork();
    await pair.edgesync(ours, "stash", "drop", "1");
    pair.fossil(theirs, "stash", "drop", "1");
    expect(look(pair, ours, true)).toEqual(look(pair, theirs, true));
    pair.fossil(ours, "undo");
    await pair.edgesync(theirs, "undo");
    expect(look(pair, ours, true)).toEqual(look(pair, theirs, true));
    expect((await pair.edgesync(ours, "stash", "rename", "2", "other words")).code).toBe(0);
    expect(pair.fossil(ours, "stash", "ls").stdout).toContain("other words");
    await pair.edgesync(ours, "stash", "clear");
    expect(pair.fossil(ours, "stash", "ls").stdout).toBe("empty stash\n");
    expect((await pair.edgesync(ours, "stash", "pop")).stderr).toContain("nothing is stashed");
  });
});

function withoutSuggestions(state: unknown): unknown {
  return JSON.parse(JSON.stringify(state).replace(/#{7} SUGGESTED.*?(?=\|{7} COMMON)/g, ""));
}
