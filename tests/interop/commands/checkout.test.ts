import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { EXIT } from "../../../src/errors.ts";
import { stocks } from "../stock.ts";
import { CheckoutPair } from "./two-checkouts.ts";

/** Something done to a tree by hand. */
type Hand = (tree: string) => void;

const put =
  (name: string, content: string): Hand =>
  (tree) => {
    mkdirSync(dirname(join(tree, name)), { recursive: true });
    writeFileSync(join(tree, name), content);
  };
const drop =
  (name: string): Hand =>
  (tree) =>
    rmSync(join(tree, name), { force: true, recursive: true });
const mode =
  (name: string, bits: number): Hand =>
  (tree) =>
    chmodSync(join(tree, name), bits);
const link =
  (name: string, target: string): Hand =>
  (tree) => {
    rmSync(join(tree, name), { force: true });
    symlinkSync(target, join(tree, name));
  };

/** A command: for both, or one for us and one for stock. */
type Words = readonly string[] | { readonly ours: readonly string[]; readonly theirs: readonly string[] };

interface Scenario {
  readonly name: string;
  readonly hands: readonly Hand[];
  readonly commands: readonly Words[];
  /** Saved for undo by us alone: stock forgets the new name of a renamed file that it merges. */
  readonly savedByUs?: string;
}

const UNDER = "2030-01-0";
const commit = (day: number, ...more: string[]): Words => {
  const date = `${UNDER}${day}T00:00:00.000`;
  const both = ["-m", `day ${day}`, "--no-warnings", ...more];
  return {
    ours: ["ci", ...both, "--user", "ann", "--date-override", date],
    theirs: ["commit", ...both, "--nosign", "--user-override", "ann", "--date-override", date],
  };
};

/** Without `--no-warnings`. Stock asks, and nobody answers. */
const warned = (day: number): Words => {
  const both = ["-m", `day ${day}`, "--user-override", "ann"];
  return { ours: ["ci", "-m", `day ${day}`, "--user", "ann"], theirs: ["commit", ...both] };
};

const LINES = Array.from({ length: 20 }, (_, i) => `line ${i}\n`);
const edited = (at: number, text: string) => LINES.with(at, `${text}\n`).join("");

/** trunk: one → two (tip); branch side grows from one. */
function history(pair: CheckoutPair): void {
  pair.base("settings", "allow-symlinks", "on");
  pair.write("text", LINES.join(""));
  pair.write("dir/deep/file", "file\n");
  pair.write("dir/other", "other\n");
  pair.write("run.sh", "#!/bin/sh\n");
  pair.write("gone", "gone\n");
  pair.write("old-name", LINES.join("!"));
  pair.write("binary", "a\0b");
  symlinkSync("text", join(pair.tree("base"), "link"));
  chmodSync(join(pair.tree("base"), "run.sh"), 0o755);
  pair.commit("one", "--tag", "one");
  pair.write("text", edited(2, "now of two"));
  pair.write("binary", "a\0cd");
  rmSync(join(pair.tree("base"), "gone"));
  pair.base("mv", "--hard", "old-name", "new-name");
  pair.write("new-name", `${LINES.join("!")}tail\n`);
  pair.write("added", "added\n");
  pair.write("sub/added too", "added\n");
  chmodSync(join(pair.tree("base"), "run.sh"), 0o644);
  pair.commit("two", "--tag", "two");
  pair.base("update", "one");
  pair.write("side", "side\n");
  pair.write("text", edited(10, "this is of side"));
  pair.commit("three", "--branch", "side");
  pair.base("update", "trunk");
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: "co to a tag and back",
    hands: [],
    commands: [
      ["co", "one"],
      ["co", "trunk"],
    ],
  },
  { name: "co to a branch", hands: [], commands: [["co", "side"]] },
  { name: "co --force over edits", hands: [put("text", "mine\n")], commands: [["co", "one", "--force"]] },
  { name: "co --keep", hands: [put("text", "mine\n")], commands: [["co", "one", "--keep", "--force"]] },
  {
    name: "add, rm, addremove",
    hands: [
      put("n/one", "1"),
      put("n/two", "2"),
      put(".dot", ""),
      mode("n/one", 0o755),
      link("n/link", "one"),
    ],
    commands: [
      ["add", "n"],
      ["rm", "n/two"],
      ["rm", "dir"],
      ["add", "dir/other"],
    ],
  },
  {
    name: "addremove with ignore-glob",
    hands: [
      put(".fossil-settings/ignore-glob", "*.o, build/*\n"),
      put("a.o", ""),
      put("build/x", ""),
      put("b.c", ""),
      drop("dir/other"),
    ],
    commands: [["addremove"]],
  },
  {
    name: "rename",
    hands: [],
    commands: [
      { ours: ["rename", "--hard", "text", "texts"], theirs: ["mv", "--hard", "text", "texts"] },
      { ours: ["rename", "--hard", "dir", "sub"], theirs: ["mv", "--hard", "dir", "sub"] },
      { ours: ["rename", "added", "sub"], theirs: ["mv", "added", "sub"] },
    ],
  },
  {
    name: "revert of everything",
    hands: [put("text", "mine\n"), put("new", "new\n"), drop("added"), mode("run.sh", 0o755)],
    commands: [
      ["add", "new"],
      { ours: ["rename", "--hard", "binary", "bin"], theirs: ["mv", "--hard", "binary", "bin"] },
      ["rm", "new-name"],
      ["revert"],
    ],
  },
  {
    name: "revert of some, and undo",
    hands: [put("text", "mine\n"), put("dir/other", "mine\n"), drop("added"), link("binary", "text")],
    commands: [["revert", "text", "dir"], ["undo"], ["revert", "added", "binary"]],
  },
  {
    name: "revert to another version",
    hands: [put("text", "mine\n")],
    commands: [["revert", "-r", "one", "text", "run.sh"]],
  },
  { name: "clean", hands: [put("x", "1"), put("y/z", "2"), put(".d", "")], commands: [["clean"], ["undo"]] },
  {
    name: "update without changes, and undo",
    hands: [],
    commands: [["update", "one"], ["update", "side"], ["undo"], ["update", "trunk"]],
  },
  {
    name: "update with edits that merge",
    hands: [
      put("text", `${edited(2, "now of two")}mine\n`),
      put("dir/other", "mine\n"),
      put("mine", "mine\n"),
    ],
    commands: [
      ["add", "mine"],
      ["update", "side"],
    ],
  },
  {
    name: "update with edits of renamed, removed and restored files",
    hands: [put("new-name", `mine\n${LINES.join("!")}tail\n`), drop("dir/other")],
    commands: [
      ["rm", "dir/deep/file"],
      ["update", "one"],
    ],
    savedByUs: "old-name",
  },
  {
    name: "update with names",
    hands: [put("added", "mine\n")],
    commands: [["update", "one", "text", "dir", "run.sh"]],
  },
  {
    name: "commit of everything",
    hands: [
      put("text", "mine\n"),
      put("sp ace/new-name", "new"),
      put("empty", ""),
      drop("added"),
      mode("dir/other", 0o755),
      link("to-link", "binary"),
    ],
    commands: [["addremove"], commit(1, "--tag", "t2", "--tag", "t1"), ["co", "prev"], ["co", "trunk"]],
  },
  {
    name: "commit of some files",
    hands: [put("text", "mine\n"), put("dir/other", "mine\n"), put("new", "new\n"), drop("added")],
    commands: [
      ["add", "new"],
      ["rm", "added"],
      { ours: ["rename", "--hard", "binary", "bin"], theirs: ["mv", "--hard", "binary", "bin"] },
      commit(1, "dir", "new"),
      commit(2, "bin"),
      commit(3),
    ],
  },
  {
    name: "commit on a new branch, closed at once",
    hands: [put("text", "mine\n")],
    commands: [commit(1, "--branch", "fresh", "--close")],
  },
  {
    name: "commit of nothing, allowed",
    hands: [],
    commands: [commit(1, "--allow-empty")],
  },
  {
    name: "commit of a merge",
    hands: [],
    commands: [["merge", "side"], commit(1), ["update", "one"], ["update", "trunk"]],
  },
  {
    name: "commit of an integrated branch",
    hands: [],
    commands: [["merge", "--integrate", "side"], commit(1)],
  },
  {
    name: "commit of a cherry-pick and a backout",
    hands: [],
    commands: [["merge", "--cherrypick", "side"], ["merge", "--backout", "two"], commit(1)],
  },
  {
    name: "commit of a part of a merge is refused",
    hands: [],
    commands: [["merge", "side"], commit(1, "side"), ["revert"]],
  },
  {
    name: "conflict marks are refused",
    hands: [put("text", "<<<<<<< BEGIN MERGE CONFLICT: local copy shown first <<<<<<<<<<<<\n")],
    commands: [commit(1), commit(2, "--allow-conflict")],
  },
  {
    name: "odd line ends are refused, unless a versioned setting allows them",
    hands: [put("text", "one\r\ntwo\r\n"), put(".fossil-settings/binary-glob", "# none\nbin*\n")],
    commands: [
      warned(1),
      ["add", ".fossil-settings"],
      commit(2),
      ["add", ".fossil-settings/binary-glob"],
      commit(3),
    ],
  },
  {
    name: "what is older than its parent, and a fork",
    hands: [put("text", "mine\n")],
    commands: [commit(1), ["update", "two"], ["co", "two", "--force"], commit(2, "--allow-empty")],
  },
  {
    name: "files of the setting manifest, empty folders",
    hands: [
      put(".fossil-settings/manifest", "ut\n"),
      put(".fossil-settings/empty-dirs", "void, void2/deep"),
      put("text", "mine\n"),
    ],
    commands: [
      ["add", ".fossil-settings/manifest"],
      ["add", ".fossil-settings/empty-dirs"],
      commit(1),
      ["co", "one"],
      ["co", "trunk"],
    ],
  },
  {
    name: "links that count as what they lead to",
    hands: [],
    commands: [
      { ours: ["config", "set", "allow-symlinks", "0"], theirs: ["settings", "allow-symlinks", "off"] },
      commit(1, "--allow-empty"),
      ["co", "one"],
    ],
  },
  {
    name: "a delta manifest",
    hands: [put("text", "mine\n"), drop("added")],
    commands: [
      {
        ours: ["config", "set", "forbid-delta-manifests", "0"],
        theirs: ["settings", "forbid-delta-manifests", "off"],
      },
      ["rm", "added"],
      commit(1, "--delta"),
      commit(2, "--allow-empty", "--delta"),
      commit(3, "--allow-empty", "--baseline"),
    ],
  },
  {
    name: "private commits",
    hands: [put("text", "mine\n")],
    commands: [commit(1, "--private", "--bgcolor", "blue", "--branch", "hidden"), commit(2, "--allow-empty")],
  },
];

type Look = ReturnType<CheckoutPair["look"]>;

function without(look: Look, saved: string | undefined): Look {
  const undo = (look.tables["undo"] as unknown[][] | undefined)?.filter(([name]) => name !== saved);
  return { ...look, tables: { ...look.tables, undo } };
}

describe.each(stocks())("fossil $version", (stock) => {
  test("leaves the same as we do", async () => {
    using pair = new CheckoutPair(stock);
    history(pair);
    for (const { name, hands, commands, savedByUs } of SCENARIOS) {
      const { ours, theirs } = pair.fork();
      for (const copy of [ours, theirs]) for (const hand of hands) hand(pair.tree(copy));
      for (const words of commands) {
        const [mine, other] = "ours" in words ? [words.ours, words.theirs] : [words, words];
        const [did, does] = [await pair.edgesync(ours, ...mine), pair.fossil(theirs, ...other)];
        // Conflicts have an exit status of their own.
        const isFine = (code: number) => code === 0 || code === EXIT.conflicts;
        expect([name, mine, isFine(did.code), did.stderr]).toEqual([name, mine, does.code === 0, did.stderr]);
        if (mine[0] === "ci") {
          const manifest = (copy: string) => pair.fossil(copy, "artifact", "current").stdout;
          expect(manifest(ours)).toBe(manifest(theirs));
        }
        const [left, right] = [ours, theirs].map((copy) => without(pair.look(copy), savedByUs));
        expect([name, mine, left]).toEqual([name, mine, right]);
      }
      for (const words of [
        ["changes"],
        ["extras"],
        ["ls"],
        ["diff"],
        ["diff", "-N"],
        ["diff", "--from", "one"],
      ]) {
        // Older ones write no former names, and other headings.
        if (/changes|diff/.test(words[0]!) && !stock.atLeast(2, 22)) continue;
        const text = (await pair.edgesync(ours, ...words)).stdout;
        const theirWords = words[0] === "diff" ? [...words, "--internal"] : words;
        expect([name, words, text]).toEqual([name, words, pair.fossil(theirs, ...theirWords).stdout]);
      }
    }
  });
});
