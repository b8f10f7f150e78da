/**
 * Commands that are interrupted somewhere, and commands at the same time. An interrupt leaves a checkout as it was before the command or
 * as it is after it, and nothing else; after a kill the next command works. The moments come from a seed, but what happens at
 * them depends on the machine: whatever it is, what is asked here holds.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { text } from "../../../src/bytes.ts";
import { Db } from "../../../src/db.ts";
import { seededRandom } from "../../../src/random.ts";
import { cliEnv } from "../../cli-process.ts";
import { edgesyncWords } from "../leaf-process.ts";
import { newestStock } from "../stock.ts";
import { CheckoutPair } from "./two-checkouts.ts";

const FILE_COUNT = 120;
const DATE = ["--date-override", "2025-02-03T04:05:06"];
/** Parts of the time that a command takes when nobody interrupts it. */
const MOMENTS = [0.65, 0.8, 0.95];

function project(): CheckoutPair {
  const pair = new CheckoutPair(newestStock());
  const write = (word: string, count = FILE_COUNT) => {
    for (let i = 0; i < count; i++) pair.write(`d${i % 7}/file-${i}`, `${word} ${i}\n`.repeat(40));
  };
  write("one");
  pair.commit("one", "--tag", "one");
  write("two", FILE_COUNT - 20);
  rmSync(join(pair.tree("base"), "d5"), { recursive: true });
  pair.write("added/file", "new\n");
  pair.commit("two", "--tag", "two");
  pair.base("update", "one");
  return pair;
}

const words = (pair: CheckoutPair, copy: string, command: readonly string[]) => [
  ...edgesyncWords(),
  "repo",
  ...command,
  "-C",
  pair.tree(copy),
];

function start(pair: CheckoutPair, copy: string, command: readonly string[]) {
  return Bun.spawn(words(pair, copy, command), {
    env: cliEnv(),
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
}

async function finish(child: ReturnType<typeof start>): Promise<{ code: number; stderr: string }> {
  const stderr = await new Response(child.stderr).text();
  const code = await child.exited;
  return { code: child.signalCode === null ? code : 128, stderr };
}

interface Case {
  readonly name: string;
  readonly command: readonly string[];
  /** What the checkout holds before, beyond check-in one. */
  readonly prepare?: (pair: CheckoutPair) => void;
}

const edit = (pair: CheckoutPair) => {
  for (let i = 0; i < FILE_COUNT; i += 2) pair.write(`d${i % 7}/file-${i}`, `edited ${i}\n`.repeat(60));
  pair.write("fresh", "fresh\n");
  pair.base("add", "fresh");
};

const CASES: readonly Case[] = [
  { name: "co", command: ["co", "two"] },
  { name: "merge", command: ["merge", "two"] },
  { name: "ci", command: ["ci", "-m", "edits", "--branch", "side", ...DATE], prepare: edit },
  { name: "stash save", command: ["stash", "save", "-m", "edits"], prepare: edit },
];

describe("an interrupt", () => {
  test.each(CASES)("of $name", async ({ command, prepare }) => {
    using pair = project();
    prepare?.(pair);
    pair.fossil("base", "status");
    const before = pair.look(pair.copy("before"));
    const startMs = performance.now();
    expect((await finish(start(pair, pair.copy("whole"), command))).code).toBe(0);
    const wholeMs = performance.now() - startMs;
    const after = pair.look("whole");
    expect(after).not.toEqual(before);
    for (const [i, part] of MOMENTS.entries()) {
      const copy = pair.copy(`copy-${i}`);
      const child = start(pair, copy, command);
      await Bun.sleep(wholeMs * part);
      child.kill(i % 3 === 2 ? "SIGTERM" : "SIGINT");
      const { code, stderr } = await finish(child);
      expect([0, 128, 130, 143]).toContain(code);
      if (code === 130 || code === 143) expect(stderr).toBe("edgesync: interrupted\n");
      const now = pair.look(copy);
      const isDone = Bun.deepEquals(now, after);
      if (code === 0) expect(now).toEqual(after);
      if (!isDone) expect(now).toEqual(before);
      if (!isDone) {
        expect((await finish(start(pair, copy, command))).code).toBe(0);
        expect(pair.look(copy)).toEqual(after);
      }
      rmSync(pair.tree(copy), { recursive: true });
    }
  });

  test("of open", async () => {
    using pair = project();
    const tree = pair.dir.join("new");
    const command = ["repo", "open", pair.repository("base"), "-C", tree, "two"];
    const open = () =>
      Bun.spawn([...edgesyncWords(), ...command], { env: cliEnv(), stdout: "ignore", stderr: "pipe" });
    const startMs = performance.now();
    expect((await finish(open())).code).toBe(0);
    const wholeMs = performance.now() - startMs;
    for (const part of MOMENTS) {
      rmSync(tree, { recursive: true, force: true });
      const child = open();
      await Bun.sleep(wholeMs * part);
      child.kill("SIGINT");
      await finish(child);
      if (existsSync(tree) && readdirSync(tree).length > 0) {
        expect(newestStock().okSync(["changes"], { cwd: tree })).toBe("");
        expect(existsSync(join(tree, "added/file"))).toBe(true);
      } else expect((await finish(open())).code).toBe(0);
    }
  });
});

test.each(["zip", "tar"])("an interrupt of %s leaves no part of an archive", async (format) => {
  using pair = new CheckoutPair(newestStock());
  const random = seededRandom(4n);
  for (let i = 0; i < 40; i++) pair.write(`file-${i}`, Buffer.from(random.bytes(150_000)).toString("base64"));
  pair.commit("large");
  const output = pair.dir.join("archive");
  const part = `${output}.part`;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    const child = start(pair, "base", [format, "tip", output]);
    while (child.exitCode === null && !(existsSync(part) && statSync(part).size > 0)) await Bun.sleep(1);
    child.kill(signal);
    const { code, stderr } = await finish(child);
    expect([0, signal === "SIGINT" ? 130 : 143]).toContain(code);
    expect(stderr).toBe(code === 0 ? "" : "edgesync: interrupted\n");
    expect(existsSync(output)).toBe(code === 0);
    expect(existsSync(part)).toBe(false);
    rmSync(output, { force: true });
  }
});

test("a kill: the next command works", async () => {
  using pair = project();
  edit(pair);
  pair.fossil("base", "status");
  const commit = ["ci", "-m", "edits", "--branch", "side", ...DATE];
  const startMs = performance.now();
  expect((await finish(start(pair, pair.copy("whole"), commit))).code).toBe(0);
  const wholeMs = performance.now() - startMs;
  const after = pair.look("whole");
  for (const part of MOMENTS.slice(1)) {
    const copy = pair.copy(`killed-${part}`);
    const child = start(pair, copy, commit);
    await Bun.sleep(wholeMs * part);
    child.kill("SIGKILL");
    await finish(child);
    // Where the kill fell between the two databases the branch is there already.
    const again = await finish(start(pair, copy, [...commit, "--allow-empty"]));
    if (again.code !== 0) {
      expect(again.stderr).toContain("there is an open branch");
      expect((await finish(start(pair, copy, ["co", "--keep", "side"]))).code).toBe(0);
    }
    const { files } = pair.look(copy);
    expect(files).toEqual(after.files);
    expect(pair.fossil(copy, "changes").stdout).toBe("");

    expect((await finish(start(pair, copy, ["co", "one"]))).code).toBe(0);
    const switching = start(pair, copy, ["co", "two"]);
    await Bun.sleep(wholeMs * part);
    switching.kill("SIGKILL");
    await finish(switching);
    expect((await finish(start(pair, copy, ["co", "two", "--force"]))).code).toBe(0);
    expect(pair.fossil(copy, "changes").stdout).toBe("");
    rmSync(pair.tree(copy), { recursive: true });
  }
});

test("many commands at once on one checkout", async () => {
  using pair = project();
  for (let i = 0; i < 4; i++) pair.write(`d${i}/file-${i}`, `edited ${i}, and of another length\n`);
  for (let i = 4; i < 6; i++) pair.write(`d${i}/file-${i}`, `stashed ${i}, and of another length\n`);
  pair.write("extra", "x\n");
  const side = ["--branch", "side"];
  expect(
    (await finish(start(pair, "base", ["ci", "-m", "begin", ...side, join(pair.tree("base"), "d0/file-0")])))
      .code,
  ).toBe(0);
  const at = (name: string) => join(pair.tree("base"), name);
  const commands = [
    ...[1, 2, 3].map((i) => ["ci", "-m", `edit ${i}`, at(`d${i}/file-${i}`)]),
    ...[4, 5].map((i) => ["stash", "save", "-m", `stash ${i}`, at(`d${i}/file-${i}`)]),
    ["add", at("extra")],
    ["status"],
    ["diff"],
    ["ls"],
  ];
  const running = commands.map((command) => start(pair, "base", command));
  const stock = newestStock().spawn(["status"], { cwd: pair.tree("base") });
  for (const [i, child] of running.entries()) {
    const { code, stderr } = await finish(child);
    expect([commands[i], code, stderr]).toEqual([commands[i], 0, ""]);
  }
  expect(text(await new Response(stock.stdout).bytes())).toContain("local-root");
  await stock.exited;
  expect(pair.fossil("base", "changes").stdout).toBe("ADDED      extra\n");
  expect(pair.fossil("base", "stash", "ls").stdout).toMatch(/stash [45](?:.|\n)*stash [45]/);
  const db = Db.open(pair.repository("base"), { mode: "read" });
  const comments = db.prepare(
    "SELECT comment FROM event WHERE type='ci' AND comment GLOB 'edit*' ORDER BY 1",
  );
  expect(comments.values()).toEqual([["edit 1"], ["edit 2"], ["edit 3"]]);
  db.close();
});
