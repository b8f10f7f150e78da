/** The setting `case-sensitive` off: names typed in another case, files on disk in another case, and names that clash. */
import { expect, test } from "bun:test";
import { mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { cli } from "../../cli-process.ts";
import { newestStock } from "../stock.ts";
import { CheckoutPair } from "./two-checkouts.ts";

function project(): CheckoutPair {
  const pair = new CheckoutPair(newestStock());
  for (const name of ["Readme", "Docs/Guide.txt", "Docs/more", "b"]) pair.write(name, `${name}\n`);
  pair.commit("one");
  pair.base("settings", "case-sensitive", "off");
  return pair;
}

test("names typed in another case stand for the managed file", async () => {
  for (const words of [
    ["rm", "README"],
    ["rm", "docs"],
    ["rm", "DOCS/guide.TXT"],
    ["add", "b", "B"],
  ]) {
    using pair = project();
    const { ours, theirs } = pair.fork();
    const typed = words.slice(1).filter((name) => name !== "B");
    const stock = pair.fossil(theirs, words[0]!, ...typed);
    const path = (name: string) => join(pair.tree(ours), name);
    const { code, stderr } = await pair.edgesync(ours, words[0]!, ...typed.map(path));
    expect([words, code, stock.code, stderr.includes("internal")]).toEqual([words, 0, 0, false]);
    expect(pair.fossil(ours, "changes").stdout).toBe(pair.fossil(theirs, "changes").stdout);
    expect((await pair.edgesync(ours, "changes")).stdout).toBe(pair.fossil(theirs, "changes").stdout);
  }
});

test("names typed in another case stand for a file of a check-in", async () => {
  using pair = project();
  const path = join(pair.tree("base"), "DOCS/guide.TXT");
  for (const command of ["cat", "finfo", "annotate", "blame"]) {
    // Stock's annotate alone takes names as they are.
    const isLiteral = command === "annotate" || command === "blame";
    const stock = pair.fossil("base", command, isLiteral ? join(pair.tree("base"), "Docs/Guide.txt") : path);
    const ours = await pair.edgesync("base", command, path);
    expect([command, ours.code, stock.code]).toEqual([command, 0, 0]);
    expect(ours.stdout.replaceAll("Docs/Guide.txt", "DOCS/guide.TXT")).toBe(
      stock.stdout.replaceAll("Docs/Guide.txt", "DOCS/guide.TXT"),
    );
  }
  expect(await pair.edgesync("base", "cat", path, "--version", "tip")).toMatchObject({ code: 0 });
  pair.base("settings", "case-sensitive", "on");
  for (const command of ["cat", "finfo", "annotate"]) {
    expect(await pair.edgesync("base", command, path)).toMatchObject({ code: 1, stdout: "" });
  }
});

test("a file of a managed name in another case is no unmanaged one", async () => {
  using pair = project();
  pair.write("readme", "another\n");
  pair.write("new", "new\n");
  const { ours, theirs } = pair.fork();
  expect((await pair.edgesync(ours, "extras")).stdout).toBe(pair.fossil(theirs, "extras").stdout);
  expect((await pair.edgesync(ours, "addremove")).code).toBe(0);
  pair.fossil(theirs, "addremove");
  expect(pair.fossil(ours, "changes").stdout).toBe(pair.fossil(theirs, "changes").stdout);
});

test("a name may change its case only", async () => {
  using pair = project();
  const { ours, theirs } = pair.fork();
  for (const copy of [ours, theirs])
    renameSync(join(pair.tree(copy), "Readme"), join(pair.tree(copy), "README"));
  pair.fossil(theirs, "mv", "Readme", "README");
  const at = (name: string) => join(pair.tree(ours), name);
  expect(await pair.edgesync(ours, "rename", at("Readme"), at("README"))).toMatchObject({ code: 0 });
  expect((await pair.edgesync(ours, "changes")).stdout).toBe("RENAMED    Readme  ->  README\n");
  expect(pair.fossil(ours, "changes").stdout).toBe(pair.fossil(theirs, "changes").stdout);
  expect(await pair.edgesync(ours, "rename", at("b"), at("DOCS"))).toMatchObject({
    code: 0,
    stdout: "RENAME b Docs/b\n",
  });
  const clash = await pair.edgesync(ours, "rename", at("Docs/more"), at("Docs/GUIDE.TXT"));
  expect(clash).toMatchObject({ code: 1, stderr: expect.stringContaining("case does not count") });
});

test("two names that are one file are refused, and nothing is done", async () => {
  using pair = project();
  pair.base("settings", "case-sensitive", "on");
  pair.write("README", "other\n");
  pair.write("later", "later\n");
  pair.commit("two", "--branch", "clash", "--tag", "two");
  const repository = pair.repository("base");
  const open = (name: string) => cli(["repo", "open", "-R", repository, "-C", pair.dir.folder(name), "two"]);
  expect((await open("counts")).code).toBe(0);
  pair.base("update", "trunk");
  await pair.edgesync("base", "config", "set", "case-sensitive", "off");
  const refused = await open("open");
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("are one file here") });
  expect(mkdirSync(join(pair.dir.path, "open"), { recursive: true })).toBeUndefined();
  const before = pair.look("base");
  for (const words of [
    ["co", "two"],
    ["co", "two", "--force"],
    ["update", "two"],
    ["merge", "two"],
  ]) {
    const { code, stderr } = await pair.edgesync("base", ...words);
    expect([words, code, stderr]).toEqual([words, 1, expect.stringContaining("are one file here")]);
    expect(pair.look("base")).toEqual(before);
  }
  // Who has such a checkout already can mend it.
  const there = pair.dir.join("counts");
  const mend = await cli([
    "repo",
    "rename",
    "--hard",
    join(there, "README"),
    join(there, "README.txt"),
    "-C",
    there,
  ]);
  expect(mend).toMatchObject({ code: 0, stderr: "" });
  expect((await cli(["repo", "ci", "-m", "mended", "-C", there])).code).toBe(0);
  expect((await pair.edgesync("base", "co", "clash")).code).toBe(0);
});
