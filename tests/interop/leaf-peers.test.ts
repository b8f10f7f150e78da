/** A leaf with peers, as users run it, against stock servers: what comes and goes, signals, commands, and the end. */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { Subprocess } from "bun";
import { text } from "../../src/bytes.ts";
import { systemClock } from "../../src/clock.ts";
import type { LeafStatus, SyncStatus } from "../../src/leaf-status.ts";
import { systemRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import { atEnd } from "../at-end.ts";
import { cliEnv } from "../cli-process.ts";
import { grow } from "../sync-peer.ts";
import { TempDir } from "../temp-dir.ts";
import { edgesyncWords } from "./leaf-process.ts";
import { freePort, newestStock } from "./stock.ts";
import { artifactSet } from "./tables.ts";

const temp = new TempDir("leaf-peers");
afterAll(() => temp.remove());

const WAIT_MS_MAX = 20_000;
const stock = newestStock();
let count = 0;
const fresh = (name: string) => temp.join(`${++count}-${name}.fossil`);

const edgesync = (...args: string[]) => edgesyncWith({}, ...args);

async function edgesyncWith(env: Readonly<Record<string, string>>, ...args: string[]) {
  const words = [...edgesyncWords(), ...args];
  const child = Bun.spawn(words, { env: cliEnv(env), stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, stdout, stderr };
}

/** A leaf; its log is one JSON object a line. */
class Leaf implements AsyncDisposable {
  stderr = "";
  private constructor(readonly child: Subprocess<"ignore", "ignore", "pipe">) {
    void this.read();
  }

  static async start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Leaf> {
    const words = [...edgesyncWords(), "leaf", ...args];
    const child = Bun.spawn(words, { env: cliEnv(env), stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    atEnd(() => child.kill("SIGKILL"));
    return new Leaf(child);
  }

  /** Waits until it has said something in its log. */
  async says(what: string, times = 1): Promise<void> {
    const until = performance.now() + WAIT_MS_MAX;
    while (this.stderr.split(what).length <= times) {
      if (performance.now() > until || this.child.exitCode !== null) {
        throw new Error(`it does not say ${what}: ${this.stderr}`);
      }
      await Bun.sleep(10);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGTERM");
    await this.child.exited;
  }

  private async read(): Promise<void> {
    for await (const chunk of this.child.stderr) this.stderr += text(chunk);
  }
}

/** A served repository with users dev (password pw) and nobody, who may clone and pull. */
async function serveStock() {
  const path = fresh("served");
  await stock.ok(["new", path, "-A", "dev"]);
  await stock.ok(["user", "password", "dev", "pw", "-R", path]);
  change(path, 1, 3);
  return { path, server: await stock.serve(path) };
}

/** Adds check-ins. */
function change(path: string, from: number, checkIns: number): void {
  const repo = Repo.open(path, { mode: "write", clock: systemClock, random: systemRandom });
  grow(repo, from, checkIns);
  repo.close();
}

const status = async (repository: string) =>
  JSON.parse((await edgesync("status", "--json", "-R", repository)).stdout) as LeafStatus;

/** What `dev` has made of its own does not travel alike: only what everybody may see is compared. */
const same = (a: string, b: string) => expect(artifactSet(a)).toEqual(artifactSet(b));

describe("a leaf with a peer", () => {
  test("begins with a clone, fetches and sends, and tells of it", async () => {
    const { path, server } = await serveStock();
    await using _ = server;
    const repository = fresh("leaf");
    const url = server.url.replace("//", "//dev@");
    const args = ["--repo", repository, "--clone-from", url, "--peer", url, "--poll", "1h"];
    await using leaf = await Leaf.start(args, { EDGESYNC_PASSWORD: "pw" });
    await leaf.says('"ready"');
    same(repository, path);
    change(path, 100, 2);
    change(repository, 200, 2);
    const now = await edgesync("sync", "now", "-R", repository, "--json");
    const [outcome] = JSON.parse(now.stdout) as SyncStatus[];
    expect(now.code).toBe(0);
    expect(outcome).toMatchObject({ error: null, wanted: 0 });
    same(repository, path);
    const { pid, peers } = await status(repository);
    expect(pid).toBe(leaf.child.pid);
    // What is new may have travelled before anybody asked.
    const totals = { artifactsReceived: 6, artifactsSent: 6 };
    expect(peers).toMatchObject([{ failuresInRow: 0, totals, lastFailed: null }]);
    expect(peers[0]!.name).not.toContain("pw");
    const shown = await edgesync("sync", "status", "-R", repository);
    expect([shown.code, shown.stdout]).toEqual([0, expect.stringContaining("in sync")]);
    change(path, 300, 1);
    leaf.child.kill("SIGUSR1");
    await leaf.says('"why":"signal"');
    same(repository, path);
    leaf.child.kill("SIGTERM");
    expect(await leaf.child.exited).toBe(0);
    expect(existsSync(`${repository}.leaf.json`)).toBe(false);
    expect(await stock.ok(["test-integrity", "-R", repository])).toContain(" 0 errors");
  });

  test("only fetches, or only sends, when told so", async () => {
    const { path, server } = await serveStock();
    await using _ = server;
    for (const option of ["--no-push", "--no-pull"]) {
      const repository = fresh("leaf");
      await stock.ok(["clone", server.url, repository, "--no-open"]);
      change(repository, 400 + count, 1);
      change(path, 500 + count, 1);
      const url = server.urlAs("dev", "pw");
      await using leaf = await Leaf.start(["--repo", repository, "--peer", url, "--poll", "1h", option]);
      await leaf.says('"synced"');
      const [sent, received] = (await status(repository)).peers.map(({ totals }) => [
        totals.artifactsSent,
        totals.artifactsReceived,
      ])[0]!;
      expect([sent, received]).toEqual(option === "--no-push" ? [0, 3] : [3, 0]);
    }
    const both = await edgesync("leaf", "--repo", path, "--peer", server.url, "--no-push", "--no-pull");
    expect([both.code, both.stderr]).toEqual([2, expect.stringContaining("--no-push and --no-pull")]);
  });

  test("keeps on trying while the peer is down, says why, and reads a new password when told to", async () => {
    const repository = fresh("leaf");
    const { path, server } = await serveStock();
    await stock.ok(["clone", server.url, repository, "--no-open"]);
    await server.stop();
    change(repository, 600, 1);
    const passwords = temp.write("password", "wrong\n");
    // Nobody listens there at first.
    const port = freePort();
    const url = `http://dev@127.0.0.1:${port}/`;
    const args = ["--repo", repository, "--peer", url, "--poll", "1h", "--password-file", passwords];
    await using leaf = await Leaf.start(args);
    await leaf.says("connection refused", 2);
    const now = await edgesync("sync", "now", "-R", repository);
    expect([now.code, now.stdout]).toEqual([1, expect.stringContaining("connection refused")]);
    const down = (await status(repository)).peers[0]!;
    expect(down.failuresInRow).toBeGreaterThan(1);
    expect(down.lastFailed?.error).toMatchObject({ code: "peer-unreachable" });
    const child = stock.spawn(["server", "--localhost", "--nojail", "-P", String(port), path]);
    try {
      await leaf.says("login failed");
      writeFileSync(passwords, "pw\n");
      leaf.child.kill("SIGHUP");
      await leaf.says('"synced"');
      same(repository, path);
      expect((await status(repository)).peers[0]).toMatchObject({ failuresInRow: 0, last: { error: null } });
    } finally {
      child.kill("SIGTERM");
      await child.exited;
    }
  });

  test("one leaf keeps a repository; the place of one that was killed is taken", async () => {
    const repository = fresh("leaf");
    await stock.ok(["new", repository]);
    const args = ["--repo", repository, "--serve-http", "127.0.0.1:0"];
    const first = await Leaf.start(args);
    await first.says('"ready"');
    const second = await edgesync("leaf", ...args);
    expect([second.code, second.stderr]).toEqual([1, expect.stringContaining(`${first.child.pid} keeps`)]);
    first.child.kill("SIGKILL");
    await first.child.exited;
    const gone = await edgesync("status", "-R", repository);
    expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining("no leaf keeps")]);
    await using third = await Leaf.start(args);
    await third.says('"ready"');
    const { pid } = JSON.parse(readFileSync(`${repository}.leaf.json`, "utf8"));
    expect(pid).toBe(third.child.pid);
    // A proxy is for other machines.
    const proxied = { http_proxy: "http://127.0.0.1:1", HTTP_PROXY: "http://127.0.0.1:1" };
    expect((await edgesyncWith(proxied, "status", "-R", repository)).code).toBe(0);
    const alone = await edgesync("sync", "now", "-R", repository);
    expect([alone.code, alone.stderr]).toEqual([0, "this leaf has no peers\n"]);
  });
});

test("with a peer that never answers, a command gives up in time, and the leaf stops at once", async () => {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const { port } = silent.address() as { port: number };
  const repository = fresh("leaf");
  await stock.ok(["new", repository]);
  const url = `http://127.0.0.1:${port}/`;
  try {
    const leaf = await Leaf.start(["--repo", repository, "--peer", url]);
    await leaf.says('"ready"');
    const now = await edgesync("sync", "now", "--timeout", "300ms", "-R", repository);
    expect([now.code, now.stderr]).toEqual([4, expect.stringContaining("within 0.3 s")]);
    const started = performance.now();
    leaf.child.kill("SIGTERM");
    expect(await leaf.child.exited).toBe(0);
    expect(performance.now() - started).toBeLessThan(5000);
    // A clone that hangs is given up, too.
    const cloning = await Leaf.start(["--repo", fresh("clone"), "--clone-from", url, "--peer", url]);
    await cloning.says('"cloning"');
    cloning.child.kill("SIGTERM");
    expect(await cloning.child.exited).toBe(0);
  } finally {
    silent.close();
  }
});
