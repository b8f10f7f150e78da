/** Our client for unversioned files and configuration against stock's server. */
import { describe, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { text, utf8 } from "../../src/bytes.ts";
import { systemClock } from "../../src/clock.ts";
import { systemRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import { Unversioned } from "../../src/repo-unversioned.ts";
import { ConfigClient } from "../../src/sync-client-config.ts";
import { UnversionedClient } from "../../src/sync-client-uv.ts";
import { runSync } from "../../src/sync-session.ts";
import { HttpTransport } from "../../src/transport-http.ts";
import { TempDir } from "../temp-dir.ts";
import { type Stock, stocks } from "./stock.ts";
import { rowsIn } from "./two-sides.ts";

const PASSWORD = "pass word";
const open = (path: string) => Repo.open(path, { mode: "write", clock: systemClock, random: systemRandom });

/** A repository served by stock, and a copy of it that is ours. */
async function setUp(stock: Stock, temp: TempDir) {
  const [served, own] = [temp.join("served.fossil"), temp.join("own.fossil")];
  await stock.ok(["new", served, "-A", "dev"]);
  await stock.ok(["user", "password", "dev", PASSWORD, "-R", served]);
  await stock.ok(["user", "capabilities", "dev", "sy", "-R", served]);
  copyFileSync(served, own);
  return { served, own };
}

const options = (url: string) => ({
  peer: url,
  login: { user: "dev", password: PASSWORD },
  carriesCookie: true,
});

describe.each(stocks().map((stock) => [stock.version, stock] as const))("stock %s", (_, stock) => {
  test("exchanges unversioned files with our client", async () => {
    using temp = new TempDir("data-client");
    const { served, own } = await setUp(stock, temp);
    const upload = temp.write("upload", "theirs, long enough to be compressed ".repeat(20));
    await stock.ok(["uv", "add", upload, "--as", "theirs.txt", "--mtime", "2024-01-01", "-R", served]);
    await stock.ok(["uv", "add", upload, "--as", "both.txt", "--mtime", "2024-01-01", "-R", served]);
    await stock.ok(["uv", "add", temp.write("nothing", ""), "--as", "empty", "-R", served]);
    const repo = open(own);
    const files = new Unversioned(repo);
    files.add("ours.txt", utf8("ours"), 1_700_000_000, 0);
    files.add("both.txt", utf8("ours, newer"), 1_800_000_000, 0);
    await using server = await stock.serve(served);
    const sync = async () => {
      const transport = new HttpTransport(new URL(server.url), { clock: systemClock });
      const client = new UnversionedClient(repo, { pull: true, push: true }, options(server.url));
      await runSync(client, transport);
      return client;
    };
    const first = await sync();
    expect([first.refused, first.isRefusedByPeer]).toEqual([[], false]);
    expect(files.entries().map(({ name }) => name)).toEqual(["both.txt", "empty", "ours.txt", "theirs.txt"]);
    expect(await stock.ok(["uv", "cat", "both.txt", "-R", served])).toBe("ours, newer");
    expect(text(files.content("theirs.txt")!)).toStartWith("theirs");
    expect(files.content("empty")).toHaveLength(0);
    expect((await stock.ok(["uv", "hash", "-R", served])).trim()).toBe(files.catalogHash());
    expect((await sync()).totals).toMatchObject({ rounds: 1, artifactsSent: 0, artifactsReceived: 0 });
    files.remove("theirs.txt", 1_900_000_000);
    files.touch("ours.txt", 1_900_000_001);
    await sync();
    expect((await stock.ok(["uv", "ls", "-R", served])).trim().split("\n")).toEqual([
      "both.txt",
      "empty",
      "ours.txt",
    ]);
    expect((await stock.ok(["uv", "hash", "-R", served])).trim()).toBe(files.catalogHash());
    repo.close();
  });

  test("exchanges areas of the configuration with our client", async () => {
    using temp = new TempDir("data-client");
    const { served, own } = await setUp(stock, temp);
    const write = (name: string, value: string, time: number) =>
      `REPLACE INTO config(name,value,mtime) VALUES('${name}','${value}',${time})`;
    await stock.ok(["sql", write("css", "theirs", 20), "-R", served]);
    await stock.ok(["sql", write("header", "theirs", 10), "-R", served]);
    const repo = open(own);
    repo.config.set("css", "ours", 10);
    repo.config.set("header", "ours", 20);
    repo.db.exec(
      "INSERT INTO shun(uuid,mtime,scom) VALUES('0123456789012345678901234567890123456789',5,'x')",
    );
    await using server = await stock.serve(served);
    for (const area of ["skin", "shun"] as const) {
      const transport = new HttpTransport(new URL(server.url), { clock: systemClock });
      const client = new ConfigClient(repo, { area, pull: true, push: true }, options(server.url));
      await runSync(client, transport);
    }
    expect([repo.config.get("css"), repo.config.get("header")]).toEqual(["theirs", "ours"]);
    repo.close();
    const sql = "SELECT name, value FROM config WHERE name IN ('css','header') ORDER BY name";
    expect(rowsIn(served, sql)).toEqual([
      ["css", "theirs"],
      ["header", "ours"],
    ]);
    expect(rowsIn(served, "SELECT scom FROM shun")).toEqual([["x"]]);
  });
});
