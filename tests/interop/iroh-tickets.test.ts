/** Tickets that are none, or lead to another project: what commands say, and what they leave behind. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { cliEnv } from "../cli-process.ts";
import { TempDir } from "../temp-dir.ts";
import { DaemonProcess } from "./daemon-process.ts";
import { edgesyncWords } from "./leaf-process.ts";
import { newestStock } from "./stock.ts";

const stock = newestStock();
const DIRECT = ["--iroh-relay", "disabled"];
let folder: TempDir;

beforeEach(() => {
  folder = new TempDir("iroh-tickets");
});

afterEach(() => folder.remove());

async function project(name: string): Promise<string> {
  const file = folder.join(name);
  await stock.ok(["new", file, "--admin-user", "dev"]);
  await stock.ok(["user", "capabilities", "nobody", "gio", "-R", file]);
  return file;
}

const leaf = (file: string) =>
  DaemonProcess.start("leaf", "--repo", file, "--iroh", ...DIRECT, "--iroh-allow", "any");

async function run(words: readonly string[], cwd = folder.path) {
  const child = Bun.spawn([...edgesyncWords(), ...words], {
    cwd,
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

/** The key is kept: it is what the other side is to allow. */
const files = () => readdirSync(folder.path).filter((name) => !name.endsWith(".iroh-key"));

test("a ticket that is none", async () => {
  const file = await project("a.fossil");
  const before = files();
  for (const address of ["iroh:endpointgarbage", "iroh:zzz", "iroh:"]) {
    const said = {
      status: 2,
      stdout: "",
      stderr: `edgesync: "${address}" is not the address of an iroh endpoint\n  expected iroh:TICKET; edgesync peers ticket tells that of a running leaf\n`,
    };
    expect(await run(["repo", "clone", address, "b.fossil", ...DIRECT])).toEqual(said);
    expect(await run(["sync", "pull", address, "-R", file, ...DIRECT])).toEqual(said);
  }
  const peer = await run(["leaf", "--repo", file, "--iroh-peer", "endpointgarbage", ...DIRECT]);
  expect(peer.status).toBe(2);
  expect(peer.stderr).toContain(`expected the id of an iroh endpoint or a ticket, got "endpointgarbage"`);
  expect(files()).toEqual(before);
});

test("a ticket that leads to another project", async () => {
  const [a, b] = [await project("a.fossil"), await project("b.fossil")];
  await using server = await leaf(a);
  const address = `iroh:${server.addresses["irohTicket"]}`;
  const before = files();
  const hashes = await stock.ok(["sql", "-R", b, "SELECT uuid FROM blob"]);
  for (const way of ["pull", "push"]) {
    const { status, stderr } = await run(["sync", way, address, "-R", b, ...DIRECT]);
    expect(stderr).toMatch(/^edgesync: iroh:[0-9a-f]{10} says: wrong project\n$/);
    expect(status).toBe(1);
  }
  expect(await stock.ok(["sql", "-R", b, "SELECT uuid FROM blob"])).toBe(hashes);
  expect(files()).toEqual(before);
});
