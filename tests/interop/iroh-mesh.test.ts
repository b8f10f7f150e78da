/** Leaves linked over iroh, as real processes, with no other server, no relay and no directory. */
import { expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { TempDir } from "../temp-dir.ts";
import { DaemonProcess } from "./daemon-process.ts";
import { edgesyncWords } from "./leaf-process.ts";
import { until } from "./nats-server.ts";
import { newestStock } from "./stock.ts";

const stock = newestStock();
/** News alone is to bring them together. */
const ARGS = ["--iroh", "--iroh-relay", "disabled", "--poll", "1h"];
let number = 0;

async function copies(folder: TempDir, count: number): Promise<string[]> {
  const files = Array.from({ length: count }, (_, i) => folder.join(`${i}.fossil`));
  await stock.ok(["new", files[0]!, "--admin-user", "ann"]);
  await stock.ok(["user", "capabilities", "nobody", "gio", "-R", files[0]!]);
  for (const file of files.slice(1)) copyFileSync(files[0]!, file);
  return files;
}

const leaf = (file: string, ...args: readonly string[]) =>
  DaemonProcess.start("leaf", "--repo", file, ...ARGS, ...args);

const peerOf = ({ addresses }: DaemonProcess) => ["--iroh-peer", addresses["irohTicket"]!];

/** Something new, too large to travel with its announcement. */
async function change(file: string): Promise<void> {
  const page = ++number;
  const words = ["wiki", "create", `Page ${page}`, "-", "-R", file, "--user", "ann"];
  const input = Array.from({ length: 4_000 }, (_, i) => `${Bun.hash(`${page} ${i}`)}`).join("\n");
  await until(async () => (await stock.run(words, { input })).code === 0, "a moment to write in");
}

async function artifacts(file: string): Promise<string> {
  return stock.ok(["sql", "-R", file, "SELECT uuid FROM blob WHERE size>=0 ORDER BY 1"]);
}

async function converge(files: readonly string[]): Promise<void> {
  const isSame = async () => new Set(await Promise.all(files.map(artifacts))).size === 1;
  await until(isSame, "all to have the same artifacts");
  for (const file of files) expect(await stock.ok(["test-integrity", "-R", file])).toMatch(/\b0 errors/);
}

interface Status {
  readonly present: readonly { readonly peerId: string; readonly transports: readonly string[] }[];
  readonly iroh: { readonly connections: readonly { readonly id: string; readonly path: string | null }[] };
}

async function statusOf(file: string): Promise<Status> {
  const child = Bun.spawn([...edgesyncWords(), "status", "--json", "-R", file], {
    stdout: "pipe",
    stderr: "ignore",
  });
  return JSON.parse(await new Response(child.stdout).text()) as Status;
}

const sees = (file: string, count: number) =>
  until(async () => (await statusOf(file)).present.length === count, `${count} peers to be there`);

test("two leaves, one of which is killed and comes back", async () => {
  using folder = new TempDir("iroh-two");
  const files = await copies(folder, 2);
  const [a, b] = files as [string, string];
  const second = await leaf(b);
  await using first = await leaf(a, ...peerOf(second), "--log-level", "debug");
  expect(second.stderr).not.toContain("linked");
  // The other one has to allow the key.
  await until(() => second.stderr.includes("not allowed"), "the key to be refused");
  const allow = Bun.spawn([...edgesyncWords(), "peers", "allow", first.addresses["irohId"]!, "-R", b]);
  expect(await allow.exited).toBe(0);
  await sees(a, 1);
  await sees(b, 1);
  for (const file of [a, b, a]) {
    await change(file);
    await converge(files);
  }
  const { present, iroh } = await statusOf(a);
  expect(present[0]!.transports).toEqual(["nats", "iroh"]);
  expect(iroh.connections.every(({ path }) => path === "direct")).toBe(true);
  expect(iroh.connections.length).toBeGreaterThan(1);

  process.kill(second.pid, "SIGKILL");
  await change(a);
  await using again = await leaf(b, ...peerOf(first));
  await sees(b, 1);
  await converge(files);
  await change(a);
  await change(b);
  await converge(files);
  expect(again.addresses["irohId"]).toBe(second.addresses["irohId"]!);
});

test("three in a line, the ends of which know nothing of each other", async () => {
  using folder = new TempDir("iroh-line");
  const files = await copies(folder, 3);
  const [a, b, c] = files as [string, string, string];
  await using middle = await leaf(b, "--iroh-allow", "any");
  await using left = await leaf(a, "--iroh-allow", "any", ...peerOf(middle));
  await using right = await leaf(c, "--iroh-allow", "any", ...peerOf(middle));
  await Promise.all([sees(a, 2), sees(b, 2), sees(c, 2)]);
  for (const file of [a, c, b]) {
    await change(file);
    await converge(files);
  }
  // The middle has passed on where they are: what one announces the other fetches from there.
  const { connections } = (await statusOf(a)).iroh;
  expect(new Set(connections.map(({ id }) => id))).toEqual(
    new Set([middle, right].map(({ addresses }) => addresses["irohId"]!)),
  );
  expect(left.stderr).not.toContain("not allowed");
});

/** A leaf on each, each of which is told of all others. */
async function mesh(files: readonly string[]) {
  // A ticket outlives a restart.
  const tickets = await Promise.all(
    files.map(async (file) => {
      const first = await leaf(file);
      await first.stop();
      return first.addresses["irohTicket"]!;
    }),
  );
  const start = (i: number) =>
    leaf(files[i]!, ...tickets.filter((_, j) => j !== i).flatMap((ticket) => ["--iroh-peer", ticket]));
  return { start, leaves: await Promise.all(files.map((_, i) => start(i))) };
}

test("a circle of three, each of which is told of the two others", async () => {
  using folder = new TempDir("iroh-circle");
  const files = await copies(folder, 3);
  const { leaves } = await mesh(files);
  try {
    await Promise.all(files.map((file) => sees(file, 2)));
    for (const file of files) {
      await change(file);
      await converge(files);
    }
  } finally {
    await Promise.all(leaves.map((one) => one.stop()));
  }
});

test("five in a mesh, one of which is killed and comes back", async () => {
  using folder = new TempDir("iroh-five");
  const files = await copies(folder, 5);
  const { start, leaves } = await mesh(files);
  try {
    await Promise.all(files.map((file) => sees(file, 4)));
    await Promise.all(files.slice(0, 3).map(change));
    await converge(files);
    process.kill(leaves[0]!.pid, "SIGKILL");
    await change(files[1]!);
    leaves[0] = await start(0);
    await change(files[4]!);
    await converge(files);
    await change(files[0]!);
    await converge(files);
  } finally {
    await Promise.all(leaves.map((one) => one.stop()));
  }
});
