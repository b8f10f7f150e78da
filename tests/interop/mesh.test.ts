/**
 * Topologies of real processes: news travels, every repository ends with the same artifacts, and stock finds
 * nothing wrong with them.
 */
import { expect, test } from "bun:test";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../src/clock.ts";
import { systemRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import { atEnd } from "../at-end.ts";
import { TempDir } from "../temp-dir.ts";
import { DaemonProcess } from "./daemon-process.ts";
import { edgesyncWords } from "./leaf-process.ts";
import { startNatsServer, until } from "./nats-server.ts";
import { newestStock } from "./stock.ts";

const stock = newestStock();
let number = 0;

/** A project with copies of its repository, each with a checkout of its own. */
class Project {
  readonly code: string;

  private constructor(
    private readonly folder: TempDir,
    readonly files: readonly string[],
  ) {
    this.code = this.read(0, "SELECT value FROM config WHERE name='project-code'")[0]!;
  }

  static async make(folder: TempDir, count: number): Promise<Project> {
    const files = Array.from({ length: count }, (_, i) => folder.join(`${i}.fossil`));
    await stock.ok(["new", files[0]!, "--admin-user", "ann"]);
    await stock.ok(["user", "capabilities", "nobody", "gioy", "-R", files[0]!]);
    for (const file of files.slice(1)) copyFileSync(files[0]!, file);
    return new Project(folder, files);
  }

  /** Commits with stock, on a branch of its own, so that two at a time are no fork. */
  async commit(i: number): Promise<void> {
    const checkout = this.folder.join(`checkout${i}`);
    const isNew = !(await Bun.file(join(checkout, ".fslckout")).exists());
    if (isNew) {
      mkdirSync(checkout);
      await stock.ok(["open", this.files[i]!, "--user", "ann"], { cwd: checkout });
    }
    await Bun.write(join(checkout, `file${i}`), "x".repeat(++number));
    await stock.ok(["add", `file${i}`], { cwd: checkout });
    const branch = isNew ? ["--branch", `branch${i}`] : [];
    const words = ["commit", "-m", `change ${number}`, "--no-warnings", "--user", "ann", ...branch];
    // Stock reads before it writes, and gives up when somebody else wrote in between: the leaf, with news.
    await until(async () => {
      const { code, stdout, stderr } = await stock.run(words, { cwd: checkout });
      if (code !== 0 && !/database is locked/.test(stdout + stderr)) throw new Error(stdout + stderr);
      return code === 0;
    }, "a moment to commit in");
  }

  artifacts(i: number): string[] {
    return this.read(i, "SELECT uuid FROM blob WHERE size>=0 ORDER BY uuid");
  }

  /** Waits until all have the same; nobody may find anything wrong. */
  async converge(): Promise<void> {
    const isSame = () => new Set(this.files.map((_, i) => this.artifacts(i).join())).size === 1;
    await until(isSame, "all to have the same artifacts");
    for (const file of this.files) {
      expect(await stock.ok(["test-integrity", "-R", file])).toMatch(/\b0 errors/);
    }
  }

  private read(i: number, sql: string): string[] {
    const repo = Repo.open(this.files[i]!, { mode: "read", clock: systemClock, random: systemRandom });
    try {
      return repo.db.once<unknown, string[]>(sql, (statement) =>
        statement.values<[string]>().map(([value]) => value),
      );
    } finally {
      repo.close();
    }
  }
}

const leaf = (file: string, ...args: readonly string[]) =>
  DaemonProcess.start("leaf", "--repo", file, ...args);

/** The peers that the leaf of a file sees. */
async function peersOf(file: string): Promise<readonly { readonly role: string }[]> {
  const child = Bun.spawn([...edgesyncWords(), "peers", "--json", "-R", file], {
    stdout: "pipe",
    stderr: "ignore",
  });
  return JSON.parse(await new Response(child.stdout).text());
}

test("a leaf, a bridge, and a Fossil server, which goes away and comes back", async () => {
  using folder = new TempDir("mesh");
  const project = await Project.make(folder, 2);
  const nats = await startNatsServer();
  const url = `nats://127.0.0.1:${nats.port}`;
  const server = await stock.serve(project.files[1]!);
  await using bridge = await DaemonProcess.start(
    ...["bridge", "--fossil", server.url, "--project", project.code, "--nats", url],
    ...["--poll", "500ms", "--listen", "127.0.0.1:0", "--peer-id", "bridge1"],
  );
  await using _ = await leaf(project.files[0]!, "--nats", url);
  await until(
    async () => (await peersOf(project.files[0]!)).some(({ role }) => role === "bridge"),
    "the bridge",
  );
  await project.commit(0);
  await project.converge();
  await project.commit(1);
  await project.converge();
  const page = async (name: string) => (await fetch(`${bridge.addresses["http"]}${name}`)).status;
  expect([await page("healthz"), await page("readyz")]).toEqual([200, 200]);

  await server.stop();
  await until(async () => (await page("readyz")) === 503, "the bridge to notice");
  const refused = Bun.spawn(
    [
      ...edgesyncWords(),
      "sync",
      "pull",
      `${url}/${project.code}?peer=bridge1`,
      "--once",
      "-R",
      project.files[0]!,
    ],
    { stdout: "ignore", stderr: "pipe" },
  );
  expect(await new Response(refused.stderr).text()).toContain("connection refused");
  expect(await refused.exited).toBe(1);
  await project.commit(0);
  const again = stock.spawn(["server", "--localhost", "--nojail", "-P", `${server.port}`, project.files[1]!]);
  atEnd(() => again.kill("SIGKILL"));
  await until(async () => (await page("readyz")) === 200, "the server to answer again");
  await project.commit(0);
  await project.converge();
  again.kill("SIGTERM");
  await again.exited;
  await nats.stop();
}, 60_000);

test("five leaves on a nats-server, of which one has the news", async () => {
  using folder = new TempDir("mesh");
  const project = await Project.make(folder, 5);
  for (let i = 0; i < 3; i++) await project.commit(2);
  const nats = await startNatsServer();
  const url = `nats://127.0.0.1:${nats.port}`;
  const leaves = await Promise.all(project.files.map((file) => leaf(file, "--nats", url)));
  await project.converge();
  await Promise.all([0, 1, 3].map((i) => project.commit(i)));
  await project.converge();
  for (const one of leaves) expect(await one.stop()).toBe(0);
  await nats.stop();
}, 60_000);

test("a leaf with a broker that joined a nats-server, one on that server, one on the broker", async () => {
  using folder = new TempDir("mesh");
  const project = await Project.make(folder, 3);
  const nats = await startNatsServer('leafnodes { listen: "127.0.0.1:-1" }');
  await using first = await leaf(
    project.files[0]!,
    ...["--nats-listen", "127.0.0.1:0", "--nats-leafnode", `nats://127.0.0.1:${nats.leafPort}`],
  );
  await using _second = await leaf(project.files[1]!, "--nats", `nats://127.0.0.1:${nats.port}`);
  await using _third = await leaf(project.files[2]!, "--nats", first.addresses["nats"]!);
  await until(async () => (await peersOf(project.files[1]!)).length === 2, "all to see one another");
  for (const i of [0, 1, 2, 1]) {
    await project.commit(i);
    await project.converge();
  }
  await nats.stop();
}, 60_000);

test("leaves of a nats-server that restarts, and takes smaller messages then", async () => {
  using folder = new TempDir("mesh");
  const project = await Project.make(folder, 2);
  const first = await startNatsServer();
  // One of them is never there.
  const server = (port: number) => ["--nats", "nats://127.0.0.1:1", "--nats", `nats://127.0.0.1:${port}`];
  await using _one = await leaf(project.files[0]!, ...server(first.port));
  await using _other = await leaf(project.files[1]!, ...server(first.port));
  await project.commit(0);
  await project.converge();
  await first.stop();
  await Promise.all([project.commit(0), project.commit(1)]);
  const again = await startNatsServer("max_payload: 4000", first.port);
  await project.converge();
  await project.commit(1);
  await project.converge();
  await again.stop();
}, 60_000);

test("what was committed while a leaf and its broker were away", async () => {
  using folder = new TempDir("mesh");
  const project = await Project.make(folder, 2);
  const first = await leaf(project.files[0]!, "--nats-listen", "127.0.0.1:0");
  const { nats } = first.addresses;
  await using _ = await leaf(project.files[1]!, "--nats", nats!);
  await project.commit(1);
  await project.converge();
  expect(await first.stop()).toBe(0);
  await project.commit(0);
  await project.commit(1);
  await using _again = await leaf(project.files[0]!, "--nats-listen", nats!.replace("nats://", ""));
  await project.converge();
}, 60_000);

test("a hub makes its repository, and is what others clone from and join", async () => {
  using folder = new TempDir("mesh");
  const [file, copy] = [folder.join("hub.fossil"), folder.join("copy.fossil")];
  const anywhere = "127.0.0.1:0";
  await using hub = await DaemonProcess.start(
    ...[
      "hub",
      "--user",
      "ann",
      "--repo",
      file,
      "--serve-http",
      anywhere,
      "--nats-listen",
      anywhere,
      "--nats-leaf-listen",
      anywhere,
    ],
  );
  await stock.ok(["clone", hub.addresses["http"]!, copy]);
  await using _ = await leaf(copy, "--nats-leafnode", hub.addresses["natsLeaf"]!);
  await until(async () => (await peersOf(copy)).length > 0, "the hub to be seen");
  expect((await peersOf(copy)).map(({ role }) => role)).toEqual(["hub"]);
  const metrics = await (await fetch(`${hub.addresses["http"]}metrics`)).text();
  expect(metrics).toMatch(/^edgesync_peers 1$/m);
}, 60_000);
