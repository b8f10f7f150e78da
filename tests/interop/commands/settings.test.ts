/** Settings of the tree, the repository and the user; and what stock's `fossil all` learns from commands of ours. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cli } from "../../cli-process.ts";
import { TempDir } from "../../temp-dir.ts";
import { newestStock, stocks } from "../stock.ts";
import { CheckoutPair } from "./two-checkouts.ts";

describe.each(stocks())("fossil $version and the user's own database", (stock) => {
  test("knows checkouts that were opened here, and forgets closed ones", async () => {
    using folder = new TempDir("home");
    const home = folder.folder("home");
    const env = { HOME: home };
    const repository = folder.join("p.fossil");
    await cli(["repo", "new", repository]);
    const tree = folder.folder("tree");
    expect((await cli(["repo", "open", repository, "-C", tree], { env })).code).toBe(0);
    expect(readdirSync(home)).toEqual([".fossil"]);
    const all = (...words: string[]) => stock.okSync(["all", ...words], { env: { FOSSIL_HOME: home } });
    expect(all("ls").trim()).toBe(realpathSync(repository));
    expect(all("ls", "-c").trim()).toBe(`${realpathSync(tree)}/`);
    expect(stock.okSync(["info", "-v", repository])).toContain(`check-out:    ${realpathSync(tree)}/`);
    // Stock finds nothing to add.
    const before = all("ls", "-c");
    stock.okSync(["status"], { cwd: tree, env: { FOSSIL_HOME: home } });
    expect(all("ls", "-c")).toBe(before);
    expect((await cli(["repo", "close", "-C", tree], { env })).code).toBe(0);
    expect(all("ls", "-c").trim()).toBe("");

    const clone = folder.join("clone.fossil");
    expect((await cli(["repo", "clone", repository, clone], { env })).code).toBe(0);
    expect(all("ls").trim().split("\n").sort()).toEqual([realpathSync(clone), realpathSync(repository)]);
  });
});

test("a home that cannot be written keeps nothing from working", async () => {
  using folder = new TempDir("home");
  const repository = folder.join("p.fossil");
  await cli(["repo", "new", repository]);
  const env = { FOSSIL_HOME: folder.write("file", "not a folder") };
  expect((await cli(["repo", "open", repository, "-C", folder.folder("tree")], { env })).code).toBe(0);
  const broken = { FOSSIL_HOME: folder.folder("broken") };
  writeFileSync(join(folder.path, "broken/.fossil"), "no database ".repeat(1000));
  expect(await cli(["repo", "status", "-C", folder.join("tree")], { env: broken })).toMatchObject({
    code: 0,
  });
  expect(await cli(["repo", "close", "-C", folder.join("tree")], { env: broken })).toMatchObject({ code: 0 });
});

test("which value of a setting holds, and where it is from", async () => {
  const stock = newestStock();
  using pair = new CheckoutPair(stock);
  const home = pair.dir.folder("own");
  const env = { FOSSIL_HOME: home };
  const run = (...words: string[]) => cli(["repo", "config", ...words, "-C", pair.tree("base")], { env });
  const json = async (...words: string[]) => JSON.parse((await run(...words, "--json")).stdout);
  const fossil = (...words: string[]) => stock.okSync(words, { cwd: pair.tree("base"), env });
  const isAsStock = async (name: string) => {
    // Only newer ones can be asked for the value alone.
    if (!stock.atLeast(2, 25)) return;
    expect((await run("get", name)).stdout).toBe(fossil("settings", name, "--value"));
  };
  fossil("settings", "ignore-glob", "*.user", "--global");
  expect(await json("get", "ignore-glob")).toEqual({
    name: "ignore-glob",
    value: "*.user",
    source: "global",
  });
  await isAsStock("ignore-glob");
  expect((await run("set", "ignore-glob", "*.local")).stderr).toBe("");
  expect(await json("get", "ignore-glob")).toMatchObject({ value: "*.local", source: "local" });
  await isAsStock("ignore-glob");
  mkdirSync(join(pair.tree("base"), ".fossil-settings"));
  writeFileSync(join(pair.tree("base"), ".fossil-settings/ignore-glob"), "# ours\n*.o\n*.a\n");
  expect(await json("get", "ignore-glob")).toMatchObject({ value: "*.o\n*.a", source: "versioned" });
  expect(fossil("settings", "ignore-glob")).toContain(".fossil-settings/ignore-glob");
  expect((await run("set", "ignore-glob", "*.other")).stderr).toContain(".fossil-settings/ignore-glob holds");
  const listed = (await run("ls")).stdout.split("\n").find((line) => line.startsWith("ignore-glob"));
  expect(listed).toMatch(/^ignore-glob +\(versioned\) +\*\.o\\n\*\.a$/);
  const rows: { name: string; source: string }[] = await json("ls");
  expect(rows.find(({ name }) => name === "project-code")).toMatchObject({ source: "local" });
  expect(rows.filter(({ name }) => /^(?:repo|ckout):/.test(name) && name.includes("own"))).toEqual([]);
  // Outside of the tree its files count for nothing.
  const outside = await cli([
    "repo",
    "config",
    "get",
    "ignore-glob",
    "-R",
    pair.repository("base"),
    "-C",
    home,
  ]);
  expect(outside.stdout).toBe("*.other\n");
});

test("a mistyped name is pointed out", async () => {
  using folder = new TempDir("typos");
  const repository = folder.join("p.fossil");
  await cli(["repo", "new", repository]);
  const run = (...words: string[]) => cli(["repo", "config", ...words, "-R", repository]);
  expect((await run("set", "autosnc", "off")).stderr).toContain("did you mean autosync?");
  expect((await run("set", "autosync", "off")).stderr).toBe("");
  expect((await run("set", "our-own-setting", "x")).stderr).toBe("");
  expect((await run("get", "ignore-globs")).stderr).toContain("did you mean ignore-glob?");
});
