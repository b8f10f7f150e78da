/** Leaves that are not there, as real processes: one whose machine sleeps, one that is gone. Most of it is waiting, at the same time. */
import { expect, test } from "bun:test";
import { copyFileSync, readdirSync, writeFileSync } from "node:fs";
import { cliEnv } from "../cli-process.ts";
import { TempDir } from "../temp-dir.ts";
import { DaemonProcess } from "./daemon-process.ts";
import { edgesyncWords } from "./leaf-process.ts";
import { until } from "./nats-server.ts";
import { newestStock } from "./stock.ts";

const stock = newestStock();
const DIRECT = ["--iroh-relay", "disabled"];

async function copies(folder: TempDir, count: number): Promise<string[]> {
  const files = Array.from({ length: count }, (_, i) => folder.join(`${i}.fossil`));
  await stock.ok(["new", files[0]!, "--admin-user", "ann"]);
  await stock.ok(["user", "capabilities", "nobody", "gio", "-R", files[0]!]);
  for (const file of files.slice(1)) copyFileSync(files[0]!, file);
  return files;
}

const leaf = (file: string, ...args: readonly string[]) =>
  DaemonProcess.start("leaf", "--repo", file, "--iroh", ...DIRECT, "--poll", "1h", ...args);

const peerOf = ({ addresses }: DaemonProcess) => ["--iroh-peer", addresses["irohTicket"]!];

let pageCount = 0;

async function change(file: string): Promise<void> {
  const words = ["wiki", "create", `Page ${++pageCount}`, "-", "-R", file, "--user", "ann"];
  await until(async () => (await stock.run(words, { input: "news" })).code === 0, "a moment to write in");
}

async function artifacts(file: string): Promise<string> {
  return stock.ok(["sql", "-R", file, "SELECT uuid FROM blob WHERE size>=0 ORDER BY 1"]);
}

const converge = (files: readonly string[]) =>
  until(
    async () => new Set(await Promise.all(files.map(artifacts))).size === 1,
    "all to have the same artifacts",
  );

async function run(words: readonly string[], cwd?: string) {
  const child = Bun.spawn([...edgesyncWords(), ...words], {
    ...(cwd !== undefined && { cwd }),
    env: cliEnv({ USER: "ann" }),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const stderr = await new Response(child.stderr).text();
  return { status: await child.exited, stderr };
}

test.concurrent("three in a line, the middle of which sleeps: the ends are linked, and tell it all when it wakes", async () => {
  using folder = new TempDir("iroh-asleep");
  const files = await copies(folder, 3);
  const [a, b, c] = files as [string, string, string];
  await using middle = await leaf(b, "--iroh-allow", "any");
  await using left = await leaf(a, "--iroh-allow", "any", ...peerOf(middle));
  await using right = await leaf(c, "--iroh-allow", "any", ...peerOf(middle));
  const inReserve = (one: DaemonProcess, other: DaemonProcess) =>
    one.stderr.includes(`by another way","id":"${other.addresses["irohId"]}"`);
  await until(() => inReserve(left, right) || inReserve(right, left), "the ends to meet");
  const losses = () => left.stderr.match(/iroh connection silent/g)?.length ?? 0;
  process.kill(middle.pid, "SIGSTOP");
  try {
    await change(a);
    await until(() => losses() > 0, "the middle to be missed");
    await change(c);
    await converge([a, c]);
    expect(await artifacts(b)).not.toBe(await artifacts(a));
    await change(b);
  } finally {
    process.kill(middle.pid, "SIGCONT");
  }
  await converge(files);
});

test.concurrent("a ticket whose leaf is gone: clone, sync, and the sync before a commit", async () => {
  using folder = new TempDir("iroh-gone");
  const [a] = (await copies(folder, 1)) as [string];
  const copy = folder.join("copy.fossil");
  const server = await leaf(a, "--iroh-allow", "any");
  const address = `iroh:${server.addresses["irohTicket"]}`;
  expect(await run(["repo", "clone", address, copy, "--user", "ann", ...DIRECT])).toMatchObject({
    status: 0,
  });
  const beside = folder.join("beside.fossil");
  copyFileSync(copy, beside);
  const checkout = folder.folder("checkout");
  expect(await run(["repo", "open", copy, ...DIRECT], checkout)).toMatchObject({ status: 0 });
  writeFileSync(`${checkout}/file`, "text\n");
  expect(await run(["repo", "add", "file"], checkout)).toMatchObject({ status: 0 });
  await server.stop();

  const files = () => readdirSync(folder.path).filter((name) => !name.endsWith(".iroh-key"));
  const before = files();
  const commit = ["repo", "ci", "-m", "news"];
  const [cloned, pulled, committed] = await Promise.all([
    run(["repo", "clone", address, folder.join("b.fossil"), ...DIRECT]),
    run(["sync", "pull", "-R", beside, ...DIRECT]),
    run([...commit, ...DIRECT], checkout),
  ]);
  const silent = /^edgesync: iroh:[0-9a-f]{10} did not answer within 10 s\n$/;
  expect([cloned.status, pulled.status, committed.status]).toEqual([1, 1, 1]);
  expect(cloned.stderr).toMatch(silent);
  expect(pulled.stderr).toMatch(silent);
  expect(committed.stderr).toMatch(
    /^edgesync: the sync before it failed: iroh:[0-9a-f]{10} did not answer within 10 s\n {2}nothing was done; go on without it with --no-sync\n$/,
  );
  expect(files()).toEqual(before);
  expect(await run([...commit, "--no-sync"], checkout)).toMatchObject({ status: 0 });
});
