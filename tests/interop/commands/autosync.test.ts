/**
 * Committing and updating with the setting `autosync`, against stock's server and a leaf of ours over NATS: what is pulled
 * before, pushed after, refused and left as it was.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { Db } from "../../../src/db.ts";
import { type CliResult, cli } from "../../cli-process.ts";
import { TempDir } from "../../temp-dir.ts";
import { DaemonProcess } from "../daemon-process.ts";
import { newestStock, stocks } from "../stock.ts";

const PASSWORD = "secret";
/** No relays: iroh peers find one another on loopback. */
const ENV = { EDGESYNC_PASSWORD: PASSWORD, EDGESYNC_IROH_RELAY: "disabled" };

function tipOf(repository: string): string {
  const db = Db.open(repository, { mode: "read" });
  try {
    return db
      .prepare(
        "SELECT uuid FROM event JOIN blob ON rid=objid WHERE type='ci' ORDER BY event.mtime DESC LIMIT 1",
      )
      .value<string>()!;
  } finally {
    db.close();
  }
}

function put(repository: string, sql: string, ...values: (string | number)[]): void {
  const db = Db.open(repository, { mode: "write" });
  db.once<unknown, void>(sql, (statement) => {
    statement.run(...values);
  });
  db.close();
}

class Desk {
  readonly repository: string;
  readonly tree: string;

  constructor(
    folder: TempDir,
    readonly name: string,
  ) {
    this.repository = folder.join(`${name}.fossil`);
    this.tree = folder.folder(`${name}-tree`);
  }

  run(...words: string[]): Promise<CliResult> {
    return cli(["repo", ...words, "-C", this.tree], { env: ENV });
  }

  async ok(...words: string[]): Promise<CliResult> {
    const result = await this.run(...words);
    if (result.code !== 0) throw new Error(`${words.join(" ")}: ${result.stderr}`);
    return result;
  }

  write(name: string, content: string): void {
    writeFileSync(`${this.tree}/${name}`, content);
  }

  get tip(): string {
    return tipOf(this.repository);
  }
}

async function clone(desk: Desk, url: string): Promise<Desk> {
  const cloned = await cli(["repo", "clone", url, desk.repository, "--user", "dev"], {
    env: ENV,
  });
  if (cloned.code !== 0) throw new Error(cloned.stderr);
  const opened = await cli(["repo", "open", "-R", desk.repository, "-C", desk.tree, "--no-sync"]);
  if (opened.code !== 0) throw new Error(opened.stderr);
  return desk;
}

function makeServed(folder: TempDir, stock = newestStock()): string {
  const served = folder.join("served.fossil");
  stock.okSync(["new", served, "-A", "dev", "--date-override", "2025-01-01"]);
  stock.okSync(["user", "password", "dev", PASSWORD, "-R", served]);
  return served;
}

describe.each(stocks())("a server of fossil $version", (stock) => {
  test("pull, lock, commit, push", async () => {
    using folder = new TempDir("autosync");
    const served = makeServed(folder, stock);
    await using server = await stock.serve(served);
    const url = server.urlAs("dev", PASSWORD);
    const ann = await clone(new Desk(folder, "ann"), url);
    const bob = await clone(new Desk(folder, "bob"), url);
    ann.write("a", "one\n");
    await ann.ok("add", "a");
    await ann.ok("ci", "-m", "by ann");
    expect(tipOf(served)).toBe(ann.tip);

    // Would fork: refused before anything is written.
    bob.write("b", "two\n");
    await bob.ok("add", "b");
    const fork = await bob.run("ci", "-m", "by bob");
    expect(fork).toMatchObject({ code: 1, stderr: expect.stringContaining("would fork") });
    expect(bob.tip).toBe(ann.tip);
    expect((await bob.ok("changes")).stdout).toBe("ADDED      b\n");
    expect((await bob.ok("update", "--no-sync")).stdout).toStartWith("ADD a\n");
    await bob.ok("ci", "-m", "by bob");
    expect(tipOf(served)).toBe(bob.tip);

    // Update pulls by itself.
    expect((await ann.ok("update")).stdout).toStartWith("ADD b\n");

    // A lock of somebody else's.
    const now = Math.floor(Date.now() / 1000);
    const holder = JSON.stringify({ login: "eve", clientid: "e".repeat(40) });
    put(served, "REPLACE INTO config(name,value,mtime) VALUES(?,?,?)", `ci-lock-${ann.tip}`, holder, now);
    ann.write("a", "three\n");
    const locked = await ann.run("ci", "-m", "while eve commits");
    expect(locked).toMatchObject({ code: 1, stderr: expect.stringContaining("eve has been committing") });
    expect(ann.tip).toBe(bob.tip);
    await ann.ok("ci", "-m", "all the same", "--override-lock");
    expect(tipOf(served)).toBe(ann.tip);

    // Locks of our own do not outlive the push.
    put(served, "DELETE FROM config WHERE name GLOB 'ci-lock-*'");
    ann.write("a", "four!\n");
    await ann.ok("ci", "-m", "once more");
    const db = Db.open(served, { mode: "read" });
    expect(db.prepare("SELECT name FROM config WHERE name GLOB 'ci-lock-*'").values()).toEqual([]);
    db.close();

    // Pull-only, and off.
    await ann.ok("config", "set", "autosync", "pullonly");
    ann.write("a", "fifth\n");
    await ann.ok("ci", "-m", "kept here");
    expect(tipOf(served)).not.toBe(ann.tip);
    await ann.ok("config", "set", "autosync", "on, commit=off");
    ann.write("a", "the sixth\n");
    await ann.ok("ci", "-m", "kept here, too");
    expect(tipOf(served)).not.toBe(ann.tip);
    await ann.ok("config", "set", "autosync", "on");

    // A push that is refused: the check-in stands.
    put(served, "UPDATE user SET cap='o' WHERE login='dev'");
    ann.write("a", "the seventh\n");
    const before = ann.tip;
    const refused = await ann.run("ci", "-m", "not welcome there");
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("was not pushed") });
    expect(refused.stdout).toBe(`New_Version: ${ann.tip}\n`);
    expect(ann.tip).not.toBe(before);
    expect((await ann.ok("changes")).stdout).toBe("");
  });

  test("nobody there: nothing is done", async () => {
    using folder = new TempDir("autosync");
    const served = makeServed(folder, stock);
    const server = await stock.serve(served);
    const ann = await clone(new Desk(folder, "ann"), server.urlAs("dev", PASSWORD));
    await server.stop();
    ann.write("a", "one\n");
    await ann.ok("add", "a");
    const before = ann.tip;
    for (const words of [["ci", "-m", "x"], ["update"]]) {
      const failed = await ann.run(...words);
      expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining("the sync before it failed") });
    }
    expect(ann.tip).toBe(before);
    expect((await ann.ok("changes")).stdout).toBe("ADDED      a\n");
    await ann.ok("ci", "-m", "x", "--no-sync");
    expect(ann.tip).not.toBe(before);
  });
});

test("with a file, through a leaf on NATS", async () => {
  using folder = new TempDir("autosync");
  const served = makeServed(folder);
  await using leaf = await DaemonProcess.start("leaf", "--repo", served, "--nats-listen", "127.0.0.1:0");
  const code = (await cli(["repo", "config", "get", "project-code", "-R", served])).stdout.trim();
  const ann = await clone(new Desk(folder, "ann"), `${leaf.addresses["nats"]}/${code}`);
  ann.write("a", "one\n");
  await ann.ok("add", "a");
  const refused = await ann.run("ci", "-m", "as nobody");
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("was not pushed") });
  ann.write("a", "over nats\n");
  await ann.ok("ci", "-m", "over nats", "--remote-user", "dev");
  expect(tipOf(served)).toBe(ann.tip);

  const bob = await clone(new Desk(folder, "bob"), ann.repository);
  bob.write("a", "two\n");
  await bob.ok("ci", "-m", "into a file");
  expect(ann.tip).toBe(bob.tip);
  expect(readFileSync(`${ann.tree}/a`, "utf8")).toBe("over nats\n");
});

const WIRES = [
  ["iroh", ["--iroh", "--iroh-relay", "disabled", "--iroh-allow", "any"]],
  ["NATS", ["--nats-listen", "127.0.0.1:0"]],
] as const;

test.each(WIRES)("forks and locks over %s", async (wire, options) => {
  using folder = new TempDir("autosync");
  const served = makeServed(folder);
  const leaf = await DaemonProcess.start("leaf", "--repo", served, ...options);
  try {
    const code = (await cli(["repo", "config", "get", "project-code", "-R", served])).stdout.trim();
    const { irohTicket, nats } = leaf.addresses;
    const address = wire === "iroh" ? `iroh:${irohTicket}` : `${nats}/${code}`;
    const ann = await clone(new Desk(folder, "ann"), address);
    const bob = await clone(new Desk(folder, "bob"), address);
    ann.write("a", "one\n");
    await ann.ok("add", "a");
    await ann.ok("ci", "-m", "by ann", "--remote-user", "dev");
    expect(tipOf(served)).toBe(ann.tip);

    bob.write("b", "two\n");
    await bob.ok("add", "b");
    const fork = await bob.run("ci", "-m", "by bob", "--remote-user", "dev");
    expect(fork).toMatchObject({ code: 1, stderr: expect.stringContaining("would fork") });
    expect(bob.tip).toBe(ann.tip);
    expect((await bob.ok("update", "--no-sync")).stdout).toStartWith("ADD a\n");
    await bob.ok("ci", "-m", "by bob", "--remote-user", "dev");
    expect(tipOf(served)).toBe(bob.tip);
    expect((await ann.ok("update")).stdout).toStartWith("ADD b\n");

    const now = Math.floor(Date.now() / 1000);
    const holder = JSON.stringify({ login: "eve", clientid: "e".repeat(40) });
    put(served, "REPLACE INTO config(name,value,mtime) VALUES(?,?,?)", `ci-lock-${ann.tip}`, holder, now);
    ann.write("a", "three\n");
    const locked = await ann.run("ci", "-m", "while eve commits", "--remote-user", "dev");
    expect(locked).toMatchObject({ code: 1, stderr: expect.stringContaining("eve has been committing") });
    expect(ann.tip).toBe(bob.tip);

    const kept = await ann.run("ci", "-m", "as nobody", "--override-lock");
    expect(kept).toMatchObject({ code: 1, stderr: expect.stringContaining("was not pushed") });
    expect(ann.tip).not.toBe(bob.tip);
  } finally {
    await leaf.kill();
  }
});
