/** Stock clients against the sync engine behind a bare HTTP server. Outputs count, not exit codes. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Clock, systemClock } from "../../src/clock.ts";
import { Db } from "../../src/db.ts";
import { seededRandom, systemRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import { ServeHarness } from "../serve-harness.ts";
import { TempDir } from "../temp-dir.ts";
import { newestStock, type Stock, stocks } from "./stock.ts";
import { rebuildParity } from "./tables.ts";

const temp = new TempDir("sync-clients");
afterAll(() => temp.remove());

const base = temp.join("base.fossil");

beforeAll(async () => {
  const stock = newestStock();
  await stock.ok(["new", base, "-A", "dev"]);
  await stock.ok(["user", "password", "dev", "pw", "-R", base]);
  await stock.ok(["user", "capabilities", "dev", "sx", "-R", base]);
  await stock.ok(["user", "new", "sp ace", "x", "p w", "-R", base]);
  await stock.ok(["user", "capabilities", "sp ace", "i", "-R", base]);
  const cwd = temp.folder("base");
  await stock.ok(["open", base, "--force"], { cwd });
  await stock.ok(["settings", "autosync", "off"], { cwd });
  for (let version = 1; version <= 4; version++) {
    temp.write("base/text.txt", Array.from({ length: 200 + version }, (_, i) => `line ${i}`).join("\n"));
    temp.write(`base/new${version}.txt`, `new in ${version}`);
    await stock.ok(["addremove"], { cwd });
    await stock.ok(["commit", "--no-warnings", "-m", `check-in ${version}`], { cwd });
  }
  await stock.ok(["commit", "--no-warnings", "--allow-empty", "--private", "-m", "hidden"], { cwd });
  await stock.ok(["close", "--force"], { cwd });
});

/** A checkout with a repository of its own, both named after `name`. */
class Client {
  readonly file: string;
  readonly folder: string;

  constructor(
    readonly stock: Stock,
    readonly name: string,
  ) {
    this.file = temp.join(`${name}.fossil`);
    this.folder = temp.folder(name);
    rmSync(this.file, { force: true });
  }

  /** Runs a command in the checkout; both outputs, progress lines apart. */
  async run(...args: string[]): Promise<string> {
    const { stdout, stderr } = await this.stock.run(args, { cwd: this.folder });
    return (stdout + stderr).replace(/[^\n]*\r(?!\n)/g, "");
  }

  async cloneAndOpen(url: string): Promise<void> {
    const output = await this.run("clone", url, this.file, "--no-open");
    expect(output).toContain("project-id:");
    await this.open(decodeURIComponent(new URL(url).password));
  }

  async open(password: string): Promise<void> {
    // Without a terminal stock keeps no password.
    const keep = `REPLACE INTO config(name,value,mtime) VALUES('last-sync-pw','${password}',now())`;
    await this.run("sql", "-R", this.file, keep);
    await this.run("settings", "autosync", "off", "-R", this.file);
    await this.run("open", this.file, "--force");
  }

  async commit(name: string, content: string, ...args: string[]): Promise<string> {
    temp.write(join(this.name, name), content);
    await this.run("add", name);
    return this.run("commit", "--no-warnings", "-m", `change ${name}`, ...args);
  }
}

/** Hashes of what is there and public, and of what is private. */
function holdings(path: string): { open: string[]; hidden: string[] } {
  const repo = Repo.open(path, { mode: "read", clock: systemClock, random: systemRandom });
  try {
    const rows = repo.db
      .prepare("SELECT uuid, rid IN (SELECT rid FROM private) FROM blob WHERE size>=0 ORDER BY uuid")
      .values<[string, number]>();
    const of = (mark: number) => rows.filter((row) => row[1] === mark).map(([hash]) => hash);
    return { open: of(0), hidden: of(1) };
  } finally {
    repo.close();
  }
}

const rounds = (output: string) => Number(/Round-trips: (\d+)/.exec(output)?.[1]);

describe.each(stocks().map((stock) => [stock.version, stock] as const))("stock %s", (version, stock) => {
  const label = `v${version.replace(/\W/g, "")}`;
  let count = 0;
  const client = (name: string) => new Client(stock, `${label}-${name}-${++count}`);
  const serve = async () => {
    const path = temp.join(`${label}-served-${++count}.fossil`);
    copyFileSync(base, path);
    const harness = new ServeHarness(path);
    return { harness, path, [Symbol.asyncDispose]: () => harness[Symbol.asyncDispose]() };
  };

  test("clones all that is public, and has nothing to do after that", async () => {
    await using served = await serve();
    const ann = client("ann");
    const output = await ann.run("clone", served.harness.url, ann.file, "--no-open");
    expect(output).toContain("Clone done");
    expect(output).not.toContain("Error");
    expect(holdings(ann.file)).toEqual({ open: holdings(base).open, hidden: [] });
    expect(await ann.run("test-integrity", "-R", ann.file)).toContain("0 errors");
    expect(served.harness.served.every(({ access }) => access === "read")).toBe(true);
    const url = served.harness.urlAs("dev", "pw");
    for (let i = 0; i < 2; i++) {
      const idle = await ann.run("sync", url, "-R", ann.file, "--once");
      expect(idle).toMatch(/Round-trips: 1 {3}Artifacts sent: 0 {2}received: 0/);
    }
  });

  test("clones page by page while another pushes, and then pulls the rest", async () => {
    await using served = await serve();
    const { harness, path } = served;
    const noise = seededRandom(3n);
    const add = () => {
      const bytes = Buffer.from(noise.bytes(3000)).toString("base64");
      harness.writer.content.put(Buffer.from(bytes), { rcvid: 0, isPrivate: false });
    };
    harness.writer.config.set("max-download", "2000");
    for (let i = 0; i < 5; i++) add();
    const atStart = holdings(path).open;
    harness.onRequest = () => {
      for (let i = 0; i < 3; i++) add();
    };
    const ann = client("ann");
    const output = await ann.run("clone", harness.url, ann.file, "--no-open");
    harness.onRequest = undefined;
    expect(output).toContain("Clone done");
    expect(rounds(output)).toBeGreaterThan(4);
    const got = holdings(ann.file).open;
    // What was added before the first page was read belongs to the snapshot.
    expect(atStart.every((hash) => got.includes(hash))).toBe(true);
    expect(got.length).toBe(atStart.length + 3);
    expect(await ann.run("test-integrity", "-R", ann.file)).toContain("0 errors");
    await ann.run("pull", harness.url, "-R", ann.file, "--once");
    expect(holdings(ann.file).open).toEqual(holdings(path).open);
  });

  test("pushes, pulls and syncs between two clones", async () => {
    await using served = await serve();
    const { harness, path } = served;
    const [ann, bob] = [client("ann"), client("bob")];
    await ann.cloneAndOpen(harness.urlAs("dev", "pw"));
    await bob.cloneAndOpen(harness.urlAs("sp%20ace", "p%20w"));
    await ann.commit("ann.txt", "by ann\n".repeat(50));
    await bob.commit("bob.txt", "by bob\n".repeat(50));
    expect(await ann.run("push")).toMatch(/Artifacts sent: [1-9]/);
    const sync = await bob.run("sync");
    expect(sync).toMatch(/Artifacts sent: [1-9]\d* {2}received: [1-9]/);
    expect(await ann.run("pull")).toMatch(/received: [1-9]/);
    const all = holdings(path).open;
    expect(holdings(ann.file).open).toEqual(all);
    expect(holdings(bob.file).open).toEqual(all);
    const repo = harness.writer;
    expect(repo.db.prepare("SELECT count(*) FROM event WHERE type='ci'").value()).toBe(8);
    expect(harness.served.some(({ facts }) => facts?.user === "sp ace")).toBe(true);
    // Stock goes on with the same file, and a rebuild changes nothing.
    expect(await ann.run("test-integrity", "-R", path)).toContain("0 errors");
    expect(await rebuildParity(path, stock)).toEqual([]);
  });

  test("commits with autosync; a foreign lock is heard of", async () => {
    await using served = await serve();
    const { harness } = served;
    const [ann, bob] = [client("ann"), client("bob")];
    for (const one of [ann, bob]) {
      await one.cloneAndOpen(harness.urlAs("dev", "pw"));
      await one.run("settings", "autosync", "on");
    }
    expect(await ann.commit("ann.txt", "by ann")).toContain("New_Version");
    await bob.run("update");
    // Ann has said that she is about to commit on what Bob has checked out, and is not done yet.
    const prefix = /hash: +([0-9a-f]+)/.exec(await bob.run("info", "current"))![1]!;
    const { writer } = harness;
    const parent = writer.db.prepare("SELECT uuid FROM blob WHERE uuid GLOB ?").value(`${prefix}*`);
    writer.config.set(`ci-lock-${parent}`, JSON.stringify({ login: "ann", clientid: "0".repeat(40) }));
    const refused = await bob.commit("bob.txt", "by bob");
    expect(refused).toContain("check-in race");
    expect(refused).not.toContain("New_Version");
    writer.config.unset(`ci-lock-${parent}`);
    expect(await bob.run("commit", "--no-warnings", "-m", "again")).toContain("New_Version");
    expect(writer.config.list().filter(({ name }) => name.startsWith("ci-lock-"))).toEqual([]);
  });

  test("is told why it is refused", async () => {
    await using served = await serve();
    const { harness } = served;
    const ann = client("ann");
    await ann.cloneAndOpen(harness.url);
    await ann.commit("ann.txt", "by ann");
    expect(await ann.run("push", harness.urlAs("dev", "wrong"), "--once")).toContain("Error: login failed");
    expect(await ann.run("push", harness.url, "--once")).toContain("Error: not authorized to write");
    expect(await ann.run("sync", harness.url, "--once")).not.toContain("Error");
    const other = client("other");
    await stock.ok(["new", other.file, "-A", "dev"]);
    expect(await other.run("pull", harness.url, "-R", other.file, "--once")).toContain(
      "Error: wrong project",
    );
    harness.writer.users.setCapabilities("nobody", "o");
    harness.writer.users.setCapabilities("anonymous", "");
    rmSync(other.file);
    const clone = await other.run("clone", harness.url, other.file, "--no-open");
    expect(clone).toContain("Error: not authorized to clone");
    // With a login it works, although the first round had none.
    rmSync(other.file, { force: true });
    expect(await other.run("clone", harness.urlAs("dev", "pw"), other.file, "--no-open")).toContain(
      "Clone done",
    );
    expect(holdings(other.file).open).toEqual(holdings(base).open);
  });

  test("hears of a locked repository, and of a clock that is wrong", async () => {
    await using served = await serve();
    const { harness, path } = served;
    const ann = client("ann");
    await ann.cloneAndOpen(harness.urlAs("dev", "pw"));
    await ann.commit("ann.txt", "by ann");
    harness.writer.db.setBusyTimeout(10);
    const other = Db.open(path, { mode: "write" });
    other.exec("BEGIN IMMEDIATE");
    expect(await ann.run("push")).toContain("Error: the repository is locked by another process");
    // Who only reads does not notice.
    expect(await ann.run("pull")).not.toContain("Error");
    other.exec("ROLLBACK");
    other.close();
    expect(await ann.run("push")).toMatch(/Artifacts sent: [1-9]/);
    const anHourSlow: Clock = { ...systemClock, now: () => systemClock.now() - 3_600_000 };
    await using slow = new ServeHarness(path, anHourSlow);
    expect(await ann.run("sync", slow.urlAs("dev", "pw"), "--once")).toContain("time skew");
  });

  test("private artifacts both ways", async () => {
    await using served = await serve();
    const { harness, path } = served;
    harness.writer.users.setCapabilities("nobody", "o");
    harness.writer.users.setCapabilities("anonymous", "");
    const ann = client("ann");
    const url = harness.urlAs("dev", "pw");
    await ann.run("clone", "--private", url, ann.file, "--no-open");
    expect(holdings(ann.file)).toEqual(holdings(base));
    await ann.open("pw");
    await ann.commit("secret.txt", "secret", "--private", "--branch", "mine");
    await ann.run("push", url, "--once");
    expect(holdings(path)).toEqual(holdings(base));
    const push = await ann.run("push", "--private", url, "--once");
    expect(push).not.toContain("Error");
    expect(holdings(path)).toEqual(holdings(ann.file));
    expect(holdings(path).hidden.length).toBe(holdings(base).hidden.length + 2);
    harness.writer.users.setCapabilities("dev", "s");
    expect(await ann.run("push", "--private", url, "--once")).toContain(
      "Error: not authorized to sync private content",
    );
  });

  test("large artifacts, many files, uncompressed, traced, verily", async () => {
    await using served = await serve();
    const { harness, path } = served;
    const url = harness.urlAs("dev", "pw");
    const ann = client("ann");
    await ann.cloneAndOpen(url);
    temp.write(`${ann.name}/large.bin`, seededRandom(4n).bytes(2_000_000));
    for (let i = 0; i < 130; i++) temp.write(`${ann.name}/many/${i}.txt`, `file ${i}`);
    await ann.run("addremove");
    await ann.run("commit", "--no-warnings", "-m", "much");
    expect(await ann.run("push", "--no-http-compression")).not.toContain("Error");
    expect(holdings(path).open).toEqual(holdings(ann.file).open);
    const bob = client("bob");
    await bob.run("clone", url, bob.file, "--no-open");
    expect(holdings(bob.file).open).toEqual(holdings(path).open);
    // A pull made a cluster of the many; the others hear of it.
    await ann.run("sync", "--httptrace");
    expect(harness.writer.db.prepare("SELECT count(*) FROM unclustered").value()).toBeLessThan(100);
    await bob.run("sync", url, "--once", "-R", bob.file);
    for (const one of [ann, bob]) {
      const verily = await one.run("sync", "--verily", url, "--once", "-R", one.file);
      expect(verily).toMatch(/Artifacts sent: 0 {2}received: 0/);
      expect(holdings(one.file).open).toEqual(holdings(path).open);
      expect(await one.run("test-integrity", "-R", one.file)).toContain("0 errors");
    }
  }, 120_000);

  test("a failed push loses nothing", async () => {
    await using served = await serve();
    const { harness, path } = served;
    const url = harness.urlAs("dev", "pw");
    const ann = client("ann");
    await ann.cloneAndOpen(url);
    await ann.commit("ann.txt", "by ann");
    await ann.run("push", harness.url, "--once");
    // Stock now thinks that everything was sent; announcements make up for it.
    expect(await ann.run("push", url, "--once")).toMatch(/Artifacts sent: [1-9]/);
    expect(holdings(path).open).toEqual(holdings(ann.file).open);
  });
});
