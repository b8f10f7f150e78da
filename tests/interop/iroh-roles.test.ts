/** Hubs and leaves over iroh as real processes, what commands tell of them, and the list of who may connect. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { cliEnv } from "../cli-process.ts";
import { TempDir } from "../temp-dir.ts";
import { DaemonProcess } from "./daemon-process.ts";
import { edgesyncWords } from "./leaf-process.ts";
import { until } from "./nats-server.ts";
import { newestStock } from "./stock.ts";

const stock = newestStock();
const ARGS = ["--iroh", "--iroh-relay", "disabled", "--poll", "1h"];
let folder: TempDir;
let files: string[];

beforeEach(async () => {
  folder = new TempDir("iroh-roles");
  files = ["a", "b", "c"].map((name) => folder.join(`${name}.fossil`));
  await stock.ok(["new", files[0]!, "--admin-user", "ann"]);
  await stock.ok(["user", "capabilities", "nobody", "gio", "-R", files[0]!]);
  for (const file of files.slice(1)) copyFileSync(files[0]!, file);
});

afterEach(() => folder.remove());

const leaf = (file: string, ...args: readonly string[]) =>
  DaemonProcess.start("leaf", "--repo", file, ...ARGS, ...args);

const idOf = ({ addresses }: DaemonProcess) => addresses["irohId"]!;
const peerOf = ({ addresses }: DaemonProcess) => ["--iroh-peer", addresses["irohTicket"]!];

async function run(words: readonly string[], program = edgesyncWords()) {
  const child = Bun.spawn([...program, ...words], {
    env: cliEnv(),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { status: await child.exited, stdout, stderr };
}

const told = async (...words: readonly string[]) => JSON.parse((await run([...words, "--json"])).stdout);

test("leaves join a hub and not one another; status and peers tell how they are linked", async () => {
  const [a, b, c] = files as [string, string, string];
  await using hub = await leaf(a, "--role", "hub", "--iroh-allow", "any");
  await using one = await leaf(b, "--role", "leaf", "--iroh-allow", "any", ...peerOf(hub));
  await using two = await leaf(c, "--role", "leaf", ...peerOf(hub), ...peerOf(one));
  await until(() => two.stderr.includes("are both of role leaf, which only join"), "the leaves to part");
  await until(async () => (await told("peers", "-R", b)).length === 2, "all to be there");

  await stock.ok(["wiki", "create", "News", "-", "-R", b, "--user", "ann"], { input: "hear" });
  const artifacts = (file: string) => stock.ok(["sql", "-R", file, "SELECT uuid FROM blob ORDER BY 1"]);
  await until(async () => new Set(await Promise.all(files.map(artifacts))).size === 1, "all to have it");

  const present = await told("peers", "ls", "-R", b);
  expect(present.map(({ role }: { role: string }) => role).sort()).toEqual(["hub", "leaf"]);
  expect((await run(["peers", "-R", b])).stdout).toMatch(
    /^PRESENT .*ROLE.*\n\S+ +\S+ +(hub|leaf) .* nats iroh\n\S+ .* nats iroh\n$/,
  );
  const { iroh } = await told("status", "-R", b);
  expect(iroh).toMatchObject({ id: idOf(one), relay: null });
  const linked = iroh.connections.find(({ id }: { id: string }) => id === idOf(hub));
  expect(linked).toMatchObject({ path: "direct", address: expect.stringMatching(/:\d+$/) });
  expect(linked.rttMs).toBeGreaterThan(0);
  const { stdout } = await run(["status", "-R", b]);
  expect(stdout).toMatch(new RegExp(`to ${idOf(hub)}, direct, \\S+:\\d+, [\\d.]+ ms\n`));
});

test("a hub waits for others", async () => {
  const { status, stderr } = await run(["leaf", "--repo", files[0]!, "--role", "hub", "--iroh-peer", "x"]);
  expect(status).toBe(2);
  expect(stderr).toStartWith("edgesync: a hub waits for others to connect: --iroh-peer is not for it\n");
});

test("the list of who may connect; whoever is taken from it is cut off", async () => {
  const [a, b] = files as [string, string];
  await using server = await leaf(a);
  await using other = await leaf(b, ...peerOf(server));
  const [id, ticket] = [idOf(other), other.addresses["irohTicket"]!];
  expect(await told("peers", "allowed", "-R", a)).toEqual([]);
  // A ticket is an id, too.
  expect(await told("peers", "allow", ticket, "-R", a)).toEqual({ id, changed: true });
  expect((await run(["peers", "allow", id, "-R", a])).stdout).toBe(`was allowed before: ${id}\n`);
  expect((await run(["peers", "allowed", "-R", a])).stdout).toBe(`${id}\n`);
  expect(await told("peers", "allowed", "-R", a)).toEqual([id]);
  await until(async () => (await told("peers", "ls", "-R", a)).length === 1, "the other to be there");

  expect(await told("peers", "deny", id, "-R", a)).toEqual({ id, changed: true });
  await until(() => other.stderr.includes("does not allow this endpoint"), "the other to be cut off");
  expect((await told("status", "-R", a)).iroh.connections).toEqual([]);
  expect((await run(["peers", "deny", id, "-R", a])).stdout).toBe(`was not allowed: ${id}\n`);
  expect(await told("peers", "allowed", "-R", a)).toEqual([]);
  const refused = await run(["peers", "allow", "nobody", "-R", a]);
  expect(refused.status).toBe(2);
  expect(refused.stderr).toContain(`expected the id of an iroh endpoint or a ticket, got "nobody"`);
});

test("a build without iroh: its leaf says so and runs, its commands say what they lack", async () => {
  const root = join(import.meta.dirname, "../..");
  const words = [process.execPath, join(root, "build.ts"), "--without-iroh", "--outdir", folder.path];
  expect(Bun.spawnSync(words, { cwd: root, stdio: ["ignore", "ignore", "inherit"] }).exitCode).toBe(0);
  const program = [folder.join(process.platform === "win32" ? "edgesync.exe" : "edgesync")];
  expect((await run(["--version"], program)).stdout).toContain(", without iroh\n");
  await using server = await DaemonProcess.startProgram(
    program,
    "leaf",
    "--repo",
    files[0]!,
    ...ARGS,
    "--serve-http",
    "127.0.0.1:0",
  );
  expect(server.addresses["irohId"]).toBeUndefined();
  expect(server.stderr).toMatch(/"level":"warn","message":"running without iroh"/);
  const copy = folder.join("copy.fossil");
  expect((await run(["repo", "clone", server.addresses["http"]!, copy], program)).status).toBe(0);
  const ticket = await run(["peers", "ticket", "-R", files[0]!], program);
  expect(ticket.status).toBe(1);
  expect(ticket.stderr).toStartWith("edgesync: the running leaf is not on iroh\n");
  const pulled = await run(["sync", "pull", `iroh:${"a".repeat(64)}`, "-R", copy], program);
  expect(pulled.status).toBe(1);
  expect(pulled.stderr).toMatch(/^edgesync: this edgesync has no iroh that loads on this machine\n/);
});
