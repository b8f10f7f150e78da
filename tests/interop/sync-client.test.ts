/**
 * Our client against stock servers: the command line as users run it, table for table against what stock's
 * own client makes. Acceptance list: fossil-facts H, "Our client".
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { systemClock } from "../../src/clock.ts";
import { systemRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import { cliEnv } from "../cli-process.ts";
import { grow, holdings, longText } from "../sync-peer.ts";
import { TempDir } from "../temp-dir.ts";
import { noise } from "../transport-contract.ts";
import { copyFixture } from "./fixture.ts";
import { edgesyncWords } from "./leaf-process.ts";
import { type StockServer, stocks } from "./stock.ts";
import { artifactSet, DERIVED_TABLES, diffDumps, dumpTables, rebuildParity, timesOf } from "./tables.ts";

const temp = new TempDir("sync-client");
afterAll(() => temp.remove());

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `edgesync` with no memory of earlier runs but its repositories. */
async function edgesync(...args: string[]): Promise<Ran> {
  const words = [...edgesyncWords(), ...args];
  const child = Bun.spawn(words, { env: cliEnv(), stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, stdout, stderr };
}

/** Runs a command that must succeed; its result. */
async function ok(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await edgesync(...args, "--json");
  if (code !== 0) throw new Error(`edgesync ${args.join(" ")} ended with ${code}\n${stdout}\n${stderr}`);
  return JSON.parse(stdout);
}

function opened<T>(path: string, mode: "read" | "write", use: (repo: Repo) => T): T {
  const repo = Repo.open(path, { mode, clock: systemClock, random: systemRandom });
  try {
    return use(repo);
  } finally {
    repo.close();
  }
}

const held = (path: string) => opened(path, "read", holdings);

/** Tables that a clone has besides the derived ones and that do not name the machine or the moment. */
const CLONED_TABLES = [...DERIVED_TABLES, "private", "shun", "reportfmt", "concealed"];

/** Settings that tell one clone from another. */
const OF_THE_CLONE: ReadonlySet<string> = new Set(["server-code", "rebuilt", "uv-hash"]);

/** Settings that stock 2.21 copies from the user's own into every repository it makes. */
const OF_THE_USER: ReadonlySet<string> = new Set([
  "access-log",
  "admin-log",
  "autosync",
  "localauth",
  "timeline-plaintext",
]);

describe.each(stocks().map((stock) => [stock.version, stock] as const))("stock %s", (version, stock) => {
  const label = version.replace(/\W/g, "");
  let count = 0;
  const fresh = (name: string) => temp.join(`${label}-${++count}-${name}.fossil`);

  /** A served repository: users dev (everything), eve (check in), and a few check-ins, one private. */
  let base: string;
  beforeAll(async () => {
    base = fresh("base");
    await stock.ok(["new", base, "-A", "dev"]);
    for (const [login, capabilities] of [
      ["dev", "sxy"],
      ["eve", "i"],
    ] as const) {
      if (login !== "dev") await stock.ok(["user", "new", login, "", "pw", "-R", base]);
      await stock.ok(["user", "password", login, "pw", "-R", base]);
      await stock.ok(["user", "capabilities", login, capabilities, "-R", base]);
    }
    opened(base, "write", (repo) => {
      grow(repo, 1, 5);
      grow(repo, 6, 2, true);
    });
    await stock.ok(["rebuild", base]);
  });

  async function serve(args: readonly string[] = []): Promise<{ server: StockServer; path: string }> {
    const path = fresh("served");
    copyFileSync(base, path);
    return { path, server: await stock.serve(path, { args }) };
  }

  test("a clone equals stock's, table for table, and is one that stock likes", async () => {
    const source = await copyFixture(temp, stock);
    await using server = await stock.serve(source);
    const [ours, theirs] = [fresh("ours"), fresh("theirs")];
    await stock.ok(["clone", server.url, theirs, "--no-open"]);
    const result = await ok("repo", "clone", server.url, ours);
    expect(artifactSet(ours)).toEqual(artifactSet(theirs));
    expect(result["artifactCount"]).toBe(artifactSet(theirs).length);
    const times = timesOf(stock);
    const dump = (path: string) => dumpTables(path, CLONED_TABLES, times);
    expect(diffDumps(dump(theirs), dump(ours), ["stock's clone", "ours"])).toEqual([]);
    const settings = (path: string) =>
      opened(path, "read", ({ config }) =>
        config
          .list()
          .filter(({ name }) => !OF_THE_CLONE.has(name) && !OF_THE_USER.has(name))
          .map(({ name, value }) => [name, value]),
      );
    expect(settings(ours)).toEqual(settings(theirs));
    const users = (path: string) =>
      opened(path, "read", ({ db }) => db.prepare("SELECT login, info FROM user ORDER BY login").values());
    expect(users(ours)).toEqual(users(theirs));
    expect((await stock.run(["test-integrity", "-R", ours])).stdout).toContain("0 errors");
    expect(await rebuildParity(ours, stock)).toEqual([]);
  });

  test("a clone that broke off says that it can be gone on with", async () => {
    const { server } = await serve();
    let answers = 1;
    using line = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: async (request) =>
        answers-- > 0
          ? fetch(new URL(new URL(request.url).pathname, server.url), {
              method: "POST",
              headers: request.headers,
              body: await request.arrayBuffer(),
            })
          : new Response("gone", { status: 502 }),
    });
    const clone = ["repo", "clone", line.url.href, fresh("broken-off")];
    const kept = "what came is kept: the same command goes on from there";
    const first = await edgesync(...clone);
    expect(first).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining(kept) });
    answers = 100;
    expect(await ok(...clone)).toMatchObject({ isResumed: true });
    answers = 0;
    const nothing = await edgesync("repo", "clone", line.url.href, fresh("nothing-came"));
    expect(nothing.code).toBe(1);
    expect(nothing.stderr).not.toContain(kept);
  });

  test("what was cloned is opened, changed and synced by stock, with the remembered login", async () => {
    const { server, path } = await serve();
    await using _ = server;
    const clone = fresh("clone");
    await ok("repo", "clone", server.urlAs("dev", "pw"), clone);
    expect((await stock.ok(["remote", "-R", clone])).trim()).toBe(server.urlAs("dev", "").replace(":@", "@"));
    const cwd = temp.folder(`${label}-checkout`);
    await stock.ok(["open", clone, "--force"], { cwd });
    temp.write(`${label}-checkout/added.txt`, "by stock");
    await stock.ok(["add", "added.txt"], { cwd });
    const said = await stock.run(["commit", "--no-warnings", "-m", "by stock"], { cwd });
    expect(said.stdout + said.stderr).toContain("New_Version");
    expect(held(path).filter((line) => !line.endsWith("private"))).toEqual(
      held(clone).filter((line) => !line.endsWith("private")),
    );
  });

  test("pulls, pushes and syncs; an idle sync is one round of nothing", async () => {
    const { server, path } = await serve();
    await using _ = server;
    const clone = fresh("clone");
    await ok("repo", "clone", server.urlAs("dev", "pw"), clone);
    opened(clone, "write", (repo) => grow(repo, 10, 3));
    expect(await ok("sync", "push", "-R", clone)).toMatchObject({ artifactsReceived: 0 });
    opened(path, "write", (repo) => grow(repo, 20, 3));
    expect(await ok("sync", "pull", "-R", clone)).toMatchObject({ artifactsSent: 0 });
    opened(path, "write", (repo) => grow(repo, 30, 2));
    opened(clone, "write", (repo) => grow(repo, 40, 2));
    await ok("sync", "sync", "-R", clone);
    expect(held(path).filter((line) => !line.endsWith("private"))).toEqual(held(clone));
    for (let i = 0; i < 2; i++) {
      const idle = await ok("sync", "sync", "-R", clone);
      expect(idle).toMatchObject({
        rounds: 1,
        artifactsSent: 0,
        artifactsReceived: 0,
        wanted: 0,
        refused: [],
      });
    }
    expect(await ok("sync", "sync", "-R", clone, "--verily")).toMatchObject({
      artifactsSent: 0,
      artifactsReceived: 0,
    });
    for (const file of [path, clone]) {
      expect((await stock.run(["test-integrity", "-R", file])).stdout).toContain("0 errors");
    }
    // Not what is a delta of what: a peer's deltas are kept as they come, a rebuild prefers its own.
    const times = timesOf(stock);
    const before = dumpTables(clone, DERIVED_TABLES, times);
    await stock.ok(["rebuild", clone]);
    expect(diffDumps(before, dumpTables(clone, DERIVED_TABLES, times))).toEqual([]);
  });

  test("private artifacts come and go when asked for", async () => {
    const { server, path } = await serve();
    await using _ = server;
    await stock.ok(["user", "capabilities", "nobody", "jorz", "-R", path]);
    const clone = fresh("clone");
    await ok("repo", "clone", server.urlAs("dev", "pw"), clone, "--private");
    expect(held(clone)).toEqual(held(path));
    opened(clone, "write", (repo) => grow(repo, 10, 2, true));
    await ok("sync", "push", "-R", clone);
    expect(held(clone)).not.toEqual(held(path));
    await ok("sync", "push", "-R", clone, "--private");
    expect(held(clone)).toEqual(held(path));
    opened(path, "write", (repo) => grow(repo, 20, 2, true));
    await ok("sync", "pull", "-R", clone, "--private");
    expect(held(clone)).toEqual(held(path));
    expect(held(clone).filter((line) => line.endsWith("private")).length).toBeGreaterThan(10);
  });

  test("what the server refuses fails the command and says why", async () => {
    const { server, path } = await serve();
    await using _ = server;
    const clone = fresh("clone");
    await ok("repo", "clone", server.url, clone);
    opened(clone, "write", (repo) => grow(repo, 10, 1));
    const refused = async (url: string, direction = "push") => {
      const { code, stderr } = await edgesync("sync", direction, url, "-R", clone, "--once");
      return [code, stderr.split("\n")[0]!.replace(/^edgesync: \S+ /, "")];
    };
    expect(await refused(server.urlAs("dev", "wrong"))).toEqual([1, "says: login failed"]);
    expect(await refused(server.url)).toEqual([1, "says: not authorized to write"]);
    opened(clone, "write", ({ config }) => config.set("project-code", "0".repeat(40)));
    expect(await refused(server.url, "pull")).toEqual([1, "says: wrong project"]);
    await stock.ok(["user", "capabilities", "nobody", "-R", path]);
    opened(path, "write", ({ users }) => users.setCapabilities("nobody", ""));
    const { code, stderr } = await edgesync("repo", "clone", server.url, fresh("none"));
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/says: not authorized to clone.*\n {2}log in /),
    ]);
  });

  test("a large artifact and many small ones travel both ways", async () => {
    const { server, path } = await serve();
    await using _ = server;
    const clone = fresh("clone");
    await ok("repo", "clone", server.urlAs("eve", "pw"), clone);
    const add = (file: string, mark: number, bytes: number) =>
      opened(file, "write", ({ content, db }) =>
        db.write(() => {
          const put = (bytes: Uint8Array) => content.put(bytes, { rcvid: 0, isPrivate: false });
          put(noise(bytes));
          for (let i = 0; i < 1500; i++) put(Buffer.from(`small artifact ${mark}.${i}`));
        }),
      );
    add(clone, 1, 25_000_000);
    await ok("sync", "push", "-R", clone);
    add(path, 2, 9_000_000);
    await ok("sync", "pull", "-R", clone);
    expect(held(clone)).toEqual(held(path).filter((line) => !line.endsWith("private")));
  });

  test("deltas travel as deltas", async () => {
    const { server, path } = await serve();
    await using _ = server;
    const clone = fresh("clone");
    await ok("repo", "clone", server.urlAs("eve", "pw"), clone);
    const { commit } = await import("../../src/repo-checkin.ts");
    const edit = (repo: Repo, mark: string) =>
      commit(repo, {
        edits: [{ name: "long.txt", content: Buffer.from(longText(mark, 20_000)) }],
        comment: mark,
        user: "eve",
      });
    opened(clone, "write", (repo) => edit(repo, "one"));
    await ok("sync", "push", "-R", clone);
    opened(clone, "write", (repo) => edit(repo, "two"));
    expect(Number((await ok("sync", "push", "-R", clone))["bytesSent"])).toBeLessThan(3000);
    opened(path, "write", (repo) => edit(repo, "three"));
    expect(Number((await ok("sync", "pull", "-R", clone))["bytesReceived"])).toBeLessThan(3000);
    expect(held(clone)).toEqual(held(path).filter((line) => !line.endsWith("private")));
  });

  test("redirects are followed", async () => {
    const { server } = await serve();
    await using _ = server;
    const hop = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () =>
        new Response(null, { status: 302, headers: { Location: `${server.url}/xfer`, Connection: "close" } }),
    });
    try {
      const clone = fresh("clone");
      expect((await ok("repo", "clone", hop.url.href, clone))["refused"]).toEqual([]);
    } finally {
      await hop.stop(true);
    }
  });

  test("stock pulls what we served from a clone of ours, and a file is as good as a server", async () => {
    const { server, path } = await serve();
    await using _ = server;
    const [clone, copy] = [fresh("clone"), fresh("copy")];
    await ok("repo", "clone", server.urlAs("dev", "pw"), clone);
    await ok("repo", "clone", clone, copy);
    opened(copy, "write", (repo) => grow(repo, 10, 2));
    await ok("sync", "push", "-R", copy);
    expect(held(clone)).toEqual(held(copy));
    const said = await stock.run(["push", "-R", clone]);
    expect(said.stdout + said.stderr).not.toContain("Error");
    expect(held(path).filter((line) => !line.endsWith("private"))).toEqual(held(clone));
    expect((await stock.run(["pull", "-R", copy])).code).toBe(0);
  });
});
