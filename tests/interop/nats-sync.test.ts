/**
 * The commands against a leaf over NATS, on its own broker and on nats-server with messages so small that all but the
 * least goes in chunks: clone, logins, private artifacts, unversioned files, configuration, random commits both ways.
 */
import { describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { systemClock } from "../../src/clock.ts";
import { randomBelow, seededRandom, systemRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import { type CliResult, cli } from "../cli-process.ts";
import { TempDir } from "../temp-dir.ts";
import { DaemonProcess } from "./daemon-process.ts";
import { startNatsServer } from "./nats-server.ts";
import { newestStock } from "./stock.ts";

const stock = newestStock();
const PASSWORD = "pass word";

function rows(file: string, sql: string): string[] {
  const repo = Repo.open(file, { mode: "read", clock: systemClock, random: systemRandom });
  try {
    return repo.db.once<unknown, string[]>(sql, (statement) =>
      statement.values<[string]>().map(([value]) => String(value)),
    );
  } finally {
    repo.close();
  }
}

const artifacts = (file: string) => rows(file, "SELECT uuid FROM blob WHERE size>=0 ORDER BY uuid");

async function ok(...words: readonly string[]): Promise<CliResult> {
  const result = await cli(words, { env: { EDGESYNC_PASSWORD: PASSWORD } });
  if (result.code !== 0) throw new Error(`${words.join(" ")}: ${result.stderr}`);
  return result;
}

/** Without a password. */
const asStranger = (...words: readonly string[]) => cli(words);

interface Place {
  readonly words: readonly string[];
  url(leaf: DaemonProcess): string;
  close(): Promise<void>;
}

const PLACES: readonly (readonly [name: string, open: () => Promise<Place>])[] = [
  [
    "the leaf's own broker",
    async () => ({
      words: ["--nats-listen", "127.0.0.1:0", "--nats-max-payload", "8KB"],
      url: ({ addresses }) => addresses["nats"]!,
      close: async () => {},
    }),
  ],
  [
    "nats-server",
    async () => {
      const nats = await startNatsServer("max_payload: 8192");
      const url = `nats://127.0.0.1:${nats.port}`;
      return { words: ["--nats", url], url: () => url, close: () => nats.stop() };
    },
  ],
];

describe.each(PLACES)("%s", (_, open) => {
  test("everything that commands exchange over HTTP", async () => {
    using folder = new TempDir("nats-sync");
    const [served, own] = [folder.join("served.fossil"), folder.join("own.fossil")];
    await stock.ok(["new", served, "-A", "dev"]);
    await stock.ok(["user", "capabilities", "dev", "sxy", "-R", served]);
    await stock.ok(["user", "password", "dev", PASSWORD, "-R", served]);
    await stock.ok(["sql", "UPDATE user SET cap='' WHERE login IN ('nobody','anonymous')", "-R", served]);
    const big = folder.write("big", Buffer.from(seededRandom(7n).bytes(400_000)));
    await ok("repo", "ci", "-C", folder.path, "-R", served, "-m", "a large file", "--user", "dev", big);
    await stock.ok(["uv", "add", big, "--as", "big.bin", "-R", served]);
    const place = await open();
    await using leaf = await DaemonProcess.start(
      "leaf",
      "--repo",
      served,
      "--peer-id",
      "served",
      ...place.words,
    );
    const code = rows(served, "SELECT value FROM config WHERE name='project-code'")[0]!;
    const url = `${place.url(leaf)}/${code}`;

    const refused = await asStranger("repo", "clone", url, own, "--user", "bob");
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("not authorized to clone")]);
    rmSync(own, { force: true });
    await ok("repo", "clone", url, own, "--user", "dev");
    expect(artifacts(own)).toEqual(artifacts(served));

    const random = seededRandom(11n);
    for (let i = 0; i < 6; i++) {
      const file = folder.write(`f${i}`, Buffer.from(random.bytes(1 + randomBelow(random, 40_000))));
      const [where, branch] = randomBelow(random, 2) === 0 ? [served, "theirs"] : [own, "ours"];
      const onBranch = rows(where, `SELECT 1 FROM tag WHERE tagname='sym-${branch}'`).length > 0;
      const words = onBranch ? ["--parent", branch] : ["--branch", branch];
      await ok(
        "repo",
        "ci",
        "-C",
        folder.path,
        "-R",
        where,
        "-m",
        `change ${i}`,
        "--user",
        "dev",
        ...words,
        file,
      );
      if (i === 3) await ok("sync", "pull", `${url}?peer=served`, "--user", "dev", "-R", own);
    }
    await ok(
      "repo",
      "ci",
      "-C",
      folder.path,
      "-R",
      own,
      "-m",
      "mine",
      "--user",
      "dev",
      "--private",
      "--branch",
      "mine",
      folder.write("mine", "mine"),
    );
    const pushed = await asStranger("sync", "push", url, "-R", own, "--once");
    expect([pushed.code, pushed.stderr]).toEqual([1, expect.stringContaining("not authorized to write")]);
    await ok("sync", "sync", "--user", "dev", "-R", own);
    expect(rows(own, "SELECT url FROM fx_remote")).toEqual([`${url}?peer=served`]);
    expect(rows(own, "SELECT value FROM config WHERE name='last-sync-url'")).toEqual([]);
    const isPrivate = new Set(rows(own, "SELECT uuid FROM private JOIN blob USING(rid)"));
    expect(isPrivate.size).toBeGreaterThan(0);
    expect(artifacts(own).filter((hash) => !isPrivate.has(hash))).toEqual(artifacts(served));
    await ok("sync", "sync", url, "--private", "--user", "dev", "-R", own);
    expect(artifacts(own)).toEqual(artifacts(served));

    await ok("repo", "uv", "sync", url, "--user", "dev", "-R", own);
    expect(rows(own, "SELECT hash FROM unversioned")).toEqual(rows(served, "SELECT hash FROM unversioned"));
    await stock.ok(["sql", "REPLACE INTO config(name,value,mtime) VALUES('css','theirs',99)", "-R", served]);
    await ok("repo", "config", "pull", "skin", url, "--user", "dev", "-R", own);
    expect(rows(own, "SELECT value FROM config WHERE name='css'")).toEqual(["theirs"]);

    expect(await leaf.stop()).toBe(0);
    await place.close();
    for (const file of [own, served]) {
      expect(await stock.ok(["test-integrity", "-R", file])).toMatch(/\b0 errors/);
      await stock.ok(["rebuild", file]);
    }
  }, 60_000);
});
