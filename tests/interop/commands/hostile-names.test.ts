/**
 * Check-ins made by hand whose files have names that would lead outside of the tree, or over the checkout's own database: open, co,
 * update, merge, extract and archives write nothing there, say so in one line, and leave everything as it was.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { utf8 } from "../../../src/bytes.ts";
import { md5Hex, sha1Hex } from "../../../src/hash.ts";
import { cli } from "../../cli-process.ts";
import { TempDir } from "../../temp-dir.ts";
import { newestStock } from "../stock.ts";
import { treeOf } from "./two-checkouts.ts";

const temp = new TempDir("hostile");
afterAll(() => temp.remove());

interface File {
  readonly name: string;
  readonly content: string;
  readonly permission?: "x" | "l";
}

/** A repository with check-ins of just these files, each on top of the one before and named by a tag. */
async function repositoryOf(
  label: string,
  checkIns: readonly (readonly [string, readonly File[]])[],
): Promise<string> {
  const parts = temp.folder(`${label}-parts`);
  const put = (bytes: Uint8Array) => {
    const hash = sha1Hex(bytes);
    temp.write(join(`${label}-parts`, hash.slice(0, 2), hash.slice(2)), bytes);
    return hash;
  };
  let parent: string | undefined;
  for (const [i, [tag, files]] of checkIns.entries()) {
    const cards = [
      `C ${tag}`,
      `D 2025-01-0${i + 1}T00:00:00.000`,
      ...[...files]
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map(({ name, content, permission }) => {
          const hash = put(utf8(content));
          return `F ${name} ${hash}${permission === undefined ? "" : ` ${permission}`}`;
        }),
      ...(parent === undefined ? [] : [`P ${parent}`]),
      ...(parent === undefined ? ["T *branch * trunk", "T *sym-trunk *"] : []),
      `T +sym-${tag} *`,
      "U dev",
    ];
    const body = `${cards.join("\n")}\n`;
    const bytes = Buffer.from(body, "latin1");
    parent = put(Buffer.concat([bytes, Buffer.from(`Z ${md5Hex(bytes)}\n`)]));
  }
  const repository = temp.join(`${label}.fossil`);
  const made = await cli(["repo", "reconstruct", repository, parts]);
  if (made.code !== 0) throw new Error(made.stderr);
  return repository;
}

const GOOD: File = { name: "good", content: "good\n" };
const OUTSIDE = temp.folder("outside");

const HOSTILE: readonly (readonly [label: string, files: readonly File[]])[] = [
  ["a drive", [GOOD, { name: "C:/evil", content: "x\n" }]],
  [
    "a link in the place of a folder",
    [GOOD, { name: "link", content: OUTSIDE, permission: "l" }, { name: "link/evil", content: "x\n" }],
  ],
];

describe.each(HOSTILE)("%s", (label, files) => {
  test("is not written", async () => {
    const repository = await repositoryOf(label.replaceAll(/\W/g, "-"), [
      ["safe", [GOOD]],
      ["evil", files],
    ]);
    await cli(["repo", "config", "set", "allow-symlinks", "on", "-R", repository]);
    const here = temp.folder(`${label}-tree`);
    const open = await cli(["repo", "open", "-R", repository, "-C", here, "evil"]);
    expect([open.code, open.stderr.trimEnd().split("\n").length]).toEqual([1, 2]);
    expect(open.stderr).toContain("is not written");
    expect(readdirSync(here)).toEqual([]);

    expect((await cli(["repo", "open", "-R", repository, "-C", here, "safe"])).code).toBe(0);
    const before = treeOf(here);
    const database = readFileSync(join(here, ".fslckout")).subarray(0, 16);
    for (const words of [
      ["co", "evil"],
      ["co", "evil", "--force"],
      ["update", "evil"],
      ["merge", "evil"],
    ]) {
      const { code, stderr } = await cli(["repo", ...words, "-C", here]);
      expect([words, code, stderr]).toEqual([words, 1, expect.stringContaining("is not written")]);
      expect(treeOf(here)).toEqual(before);
      expect((await cli(["repo", "changes", "-C", here])).stdout).toBe("");
    }
    expect(readFileSync(join(here, ".fslckout")).subarray(0, 16)).toEqual(database);
    expect(newestStock().okSync(["changes"], { cwd: here })).toBe("");

    const target = join(temp.path, `${label}-extracted`);
    mkdirSync(target);
    const extracted = await cli(["repo", "extract", "-R", repository, "--version", "evil", "-o", target]);
    expect([extracted.code, extracted.stderr]).toEqual([1, expect.stringContaining("is not written")]);
    expect(existsSync(join(target, files.at(-1)!.name))).toBe(false);
    expect(readdirSync(OUTSIDE)).toEqual([]);
  });
});

test("a name that is not UTF-8 is written by extract alone", async () => {
  const repository = await repositoryOf("latin", [
    ["safe", [GOOD]],
    ["evil", [GOOD, { name: "caf\xe9", content: "x\n" }]],
  ]);
  const tree = temp.folder("latin-tree");
  expect((await cli(["repo", "open", "-R", repository, "-C", tree, "safe"])).code).toBe(0);
  for (const words of [
    ["co", "evil"],
    ["update", "evil"],
    ["merge", "evil"],
  ]) {
    const { code, stderr } = await cli(["repo", ...words, "-C", tree]);
    expect([words, code, stderr]).toEqual([words, 1, expect.stringContaining("its name is not UTF-8")]);
    expect((await cli(["repo", "changes", "-C", tree])).stdout).toBe("");
  }
  const target = temp.folder("latin-files");
  const extracted = await cli(["repo", "extract", "-R", repository, "--version", "evil", "-o", target]);
  expect(extracted).toMatchObject({ code: 0 });
  const names = readdirSync(Buffer.from(target), { encoding: "buffer" }).map((name) =>
    name.toString("latin1"),
  );
  expect(names.sort()).toEqual(["caf\xe9", "good"]);
});

test("names that belong to the checkout are left out, as in stock", async () => {
  const names = [".fslckout", "d/_FOSSIL_", ".FSLCKOUT-journal", "_fossil_-wal"];
  const evil = [GOOD, ...names.map((name) => ({ name, content: "x\n" }))];
  const repository = await repositoryOf("reserved", [
    ["safe", [GOOD]],
    ["evil", [...evil, { name: "more", content: "more\n" }]],
  ]);
  const [ours, theirs] = [temp.folder("reserved-ours"), temp.folder("reserved-theirs")];
  newestStock().okSync(["open", repository, "evil"], { cwd: theirs });
  const open = (folder: string, version: string) =>
    cli(["repo", "open", "-R", repository, "-C", folder, version]);
  expect(await open(ours, "evil")).toMatchObject({ code: 0, stderr: "" });
  expect(readdirSync(ours).sort()).toEqual([".fslckout", "good", "more"]);
  expect(treeOf(ours)).toEqual(treeOf(theirs));
  const later = temp.folder("reserved-later");
  expect((await open(later, "safe")).code).toBe(0);
  for (const words of [["merge", "evil"], ["undo"], ["update", "evil"], ["co", "safe"], ["co", "evil"]]) {
    expect([words, (await cli(["repo", ...words, "-C", later])).code]).toEqual([words, 0]);
  }
  expect(treeOf(later)).toEqual(treeOf(theirs));
  expect(newestStock().okSync(["changes"], { cwd: later })).toBe("");
});
