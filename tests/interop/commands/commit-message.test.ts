/**
 * What stands around a commit: the editor for its message, hooks before it, its signature. Beside stock on a copy of the same
 * checkout, given the same date: the same manifest.
 */
import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { text } from "../../../src/bytes.ts";
import { Db } from "../../../src/db.ts";
import { cli, cliEnv, MAIN } from "../../cli-process.ts";
import { newestStock, stocks } from "../stock.ts";
import { CheckoutPair } from "./two-checkouts.ts";

const DATE = ["--date-override", "2025-02-03T04:05:06"];

function project(stock = newestStock()): CheckoutPair {
  const pair = new CheckoutPair(stock);
  for (const name of ["a", "b", "c"]) pair.write(name, `${name}\n`);
  pair.commit("one");
  pair.write("a", "a, edited\n");
  pair.write("new", "new\n");
  pair.base("add", "new");
  pair.base("rm", "c");
  return pair;
}

/** A program that keeps what it was given and writes `lines` in its place. */
function editor(pair: CheckoutPair, ...lines: string[]): string {
  const seen = pair.dir.join("seen");
  const wanted = pair.dir.write("wanted", lines.join("\n"));
  const path = pair.dir.write("editor", `#!/bin/sh\ncp "$1" '${seen}'\ncat '${wanted}' > "$1"\n`);
  chmodSync(path, 0o755);
  return path;
}

const seenBy = (pair: CheckoutPair) => readFileSync(pair.dir.join("seen"), "utf8");

/** The manifest of what is checked out. */
function manifest(pair: CheckoutPair, copy: string): string {
  return pair.stock.okSync(["artifact", "current"], { cwd: pair.tree(copy) });
}

/** Runs words on a terminal of their own, and returns what was shown and how it ended. */
async function onTerminal(words: readonly string[], env: Record<string, string>) {
  const shown: string[] = [];
  const child = Bun.spawn([process.execPath, MAIN, ...words], {
    env: { ...cliEnv(env), TERM: "xterm" },
    terminal: { cols: 80, rows: 24, data: (_, data) => shown.push(text(data)) },
  });
  const code = await child.exited;
  child.terminal?.close();
  return { code, shown: shown.join("") };
}

describe.each(stocks())("beside fossil $version", (stock) => {
  test("a message from an editor", async () => {
    using pair = project(stock);
    const { ours, theirs } = pair.fork();
    const program = editor(
      pair,
      "",
      "The subject",
      "# not this",
      "  # nor this",
      "",
      "more  ",
      "",
      "#######",
      "",
    );
    stock.okSync(["commit", ...DATE], { cwd: pair.tree(theirs), env: { VISUAL: program } });
    expect(seenBy(pair)).toContain("# EDITED     a\n");
    const made = await pair.edgesync(ours, "ci", "--editor", program, ...DATE);
    expect(made).toMatchObject({ code: 0, stderr: "" });
    const template = seenBy(pair);
    for (const line of [
      "# EDITED     a",
      "# ADDED      new",
      "# DELETED    c",
      "# user: dev",
      "# branch: trunk",
    ]) {
      expect(template.split("\n")).toContain(line);
    }
    expect(manifest(pair, ours)).toBe(manifest(pair, theirs));
    expect(manifest(pair, ours)).toContain("C The\\ssubject\\n\\nmore\n");
    expect(readdirSync(pair.tree(ours)).filter((name) => name.startsWith("ci-comment"))).toEqual([]);
    expect(pair.look(ours)).toEqual(pair.look(theirs));
  });

  test("hooks see the same, and refuse", async () => {
    using pair = project(stock);
    const hook = pair.dir.write(
      "hook",
      `cp "$1" '${pair.dir.join("told")}'\ntest ! -e '${pair.dir.join("no")}'\n`,
    );
    const last = pair.dir.write(
      "last",
      `test -e '${pair.dir.join("told")}' && echo "$1" > '${pair.dir.join("second")}'\n`,
    );
    const hooks = [
      { type: "before-commit", cmd: `sh ${last} %R`, seq: 20 },
      { type: "before-commit", cmd: `sh ${hook} %A`, seq: 10 },
      { type: "after-receive", cmd: "false", seq: 1 },
      { type: "disabled", cmd: "false", seq: 2 },
    ];
    const db = Db.open(pair.repository("base"), { mode: "write" });
    db.prepare("REPLACE INTO config(name,value,mtime) VALUES('hooks',?,1)").run(JSON.stringify(hooks));
    db.close();
    const { ours, theirs } = pair.fork();
    const words = ["-m", "with hooks", ...DATE, "--tag", "t"];
    stock.okSync(["commit", ...words], { cwd: pair.tree(theirs) });
    const told = (copy: string) => readFileSync(pair.dir.join("told"), "utf8").replaceAll(copy, "COPY");
    const byStock = told(theirs);
    for (const name of ["told", "second"]) rmSync(pair.dir.join(name));
    pair.dir.write("no", "");
    const before = pair.look(ours);
    const refused = await pair.edgesync(ours, "ci", ...words);
    expect(refused).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringContaining("refused the commit"),
    });
    expect(existsSync(pair.dir.join("second"))).toBe(false);
    expect(pair.look(ours)).toEqual(before);
    rmSync(pair.dir.join("no"));
    expect(await pair.edgesync(ours, "ci", ...words)).toMatchObject({ code: 0, stderr: "" });
    expect(readFileSync(pair.dir.join("second"), "utf8")).toBe(`${pair.repository(ours)}\n`);
    expect(told(ours)).toBe(byStock);
    expect(manifest(pair, ours)).toBe(manifest(pair, theirs));

    pair.writeIn(ours, "b", "another edit\n");
    pair.dir.write("no", "");
    expect((await pair.edgesync(ours, "ci", "-m", "without", "--no-verify")).code).toBe(0);
  });

  test("a signature", async () => {
    using pair = project(stock);
    const armour = ["-----BEGIN PGP SIGNATURE-----", "", "abcd", "-----END PGP SIGNATURE-----"].join("\\n");
    const program = pair.dir.write(
      "signer",
      `#!/bin/sh\n{ printf -- '-----BEGIN PGP SIGNED MESSAGE-----\\nHash: SHA1\\n\\n'; cat "$2"; printf -- '${armour}\\n'; } > "$1"\n`,
    );
    chmodSync(program, 0o755);
    pair.base("settings", "clearsign", "on");
    pair.base("settings", "pgp-command", program);
    const { ours, theirs } = pair.fork();
    stock.okSync(["commit", "-m", "signed", ...DATE], { cwd: pair.tree(theirs) });
    expect(await pair.edgesync(ours, "ci", "-m", "signed", ...DATE)).toMatchObject({ code: 0, stderr: "" });
    expect(manifest(pair, ours)).toStartWith("-----BEGIN PGP SIGNED MESSAGE-----\n");
    expect(manifest(pair, ours)).toBe(manifest(pair, theirs));
    expect(stock.okSync(["test-integrity", "-R", pair.repository(ours)])).toContain("0 errors");

    stock.okSync(["branch", "new", "side", "trunk", ...DATE], { cwd: pair.tree(theirs) });
    const branched = await pair.edgesync(ours, "branch", "new", "side", "trunk", ...DATE);
    expect(branched).toMatchObject({ code: 0, stderr: "" });
    const first = (copy: string) => stock.okSync(["artifact", "side"], { cwd: pair.tree(copy) });
    expect(first(ours)).toStartWith("-----BEGIN PGP SIGNED MESSAGE-----\n");
    expect(first(ours)).toBe(first(theirs));

    pair.writeIn(ours, "b", "another edit\n");
    await pair.edgesync(ours, "config", "set", "pgp-command", "sh -c 'exit 1'");
    const before = manifest(pair, ours);
    const failed = await pair.edgesync(ours, "ci", "-m", "not signed");
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining("could not be signed") });
    expect(manifest(pair, ours)).toBe(before);
    await pair.edgesync(ours, "config", "set", "pgp-command", `sh -c 'echo no > "$0"'`);
    expect((await pair.edgesync(ours, "ci", "-m", "not signed")).code).toBe(1);
    expect((await pair.edgesync(ours, "ci", "-m", "unsigned", "--no-sign")).code).toBe(0);
    expect(manifest(pair, ours)).toStartWith("C unsigned\n");
  });
});

test("an empty message ends it, and what was written is there the next time", async () => {
  using pair = project();
  const empty = editor(pair, "# only comments", "");
  const ci = (program: string, ...more: string[]) =>
    pair.edgesync("base", "ci", "--editor", program, ...more);
  const before = pair.look("base");
  expect(await ci(empty)).toMatchObject({ code: 1, stderr: expect.stringContaining("the message is empty") });
  expect(await ci("false")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("ended with status 1"),
  });
  expect(pair.look("base")).toEqual(before);

  // Refused after it was written: a binary file.
  pair.write("a", "x\0y");
  expect((await ci(editor(pair, "a good message", ""))).code).toBe(1);
  expect((await ci("true", "--no-warnings")).code).toBe(0);
  expect(manifest(pair, "base")).toContain("C a\\sgood\\smessage\n");
  expect((await ci(empty)).stderr).toContain("nothing has changed");
  pair.write("a", "once more, and longer\n");
  await ci(editor(pair, "another", ""));
  expect(seenBy(pair)).toStartWith("\n#");
});

test("which editor, and that there must be a terminal", async () => {
  using pair = project();
  const tree = pair.tree("base");
  const program = editor(pair, "on a terminal", "");
  const refused = await cli(["repo", "ci", "-C", tree], { env: { EDITOR: program, VISUAL: program } });
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("a check-in needs a message") });
  expect(existsSync(pair.dir.join("seen"))).toBe(false);
  const run = (env: Record<string, string>) => onTerminal(["repo", "ci", "-C", tree, "--allow-empty"], env);

  expect(await run({ VISUAL: program, EDITOR: "false" })).toMatchObject({ code: 0 });
  expect(manifest(pair, "base")).toContain("C on\\sa\\sterminal\n");
  pair.base("settings", "editor", program);
  expect(await run({ VISUAL: "false" })).toMatchObject({ code: 0 });
  expect(await run({ EDGESYNC_EDITOR: "false" })).toMatchObject({ code: 1 });
  pair.base("settings", "editor", "off");
  const none = await run({ VISUAL: program });
  expect(none).toMatchObject({ code: 2, shown: expect.stringContaining("there is no editor") });
});

test("files without a checkout", async () => {
  using pair = project();
  const program = editor(pair, "from files", "");
  const folder = pair.dir.folder("plain");
  pair.dir.write("plain/file", "x\n");
  const words = ["repo", "ci", "-R", pair.repository("base"), "-C", folder, "file"];
  expect((await cli([...words, "--editor", program])).code).toBe(0);
  expect(pair.stock.okSync(["artifact", "tip", "-R", pair.repository("base")])).toContain("C from\\sfiles\n");
  expect(await cli(words)).toMatchObject({ code: 2, stderr: expect.stringContaining("needs a message") });
  expect(readdirSync(folder)).toEqual(["file"]);
});
