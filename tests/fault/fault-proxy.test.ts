/** Real programs over lines with faults: stock Fossil and a leaf, leaves over a nats-server, or another leaf's own, that is killed and started again. */
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, rmSync } from "node:fs";
import { systemClock } from "../../src/clock.ts";
import { silentLogger } from "../../src/log.ts";
import { ExternalLink } from "../../src/nats-link-external.ts";
import { systemRandom } from "../../src/random.ts";
import { DaemonProcess } from "../interop/daemon-process.ts";
import { copyFixture } from "../interop/fixture.ts";
import { LeafProcess } from "../interop/leaf-process.ts";
import { startNatsServer, until } from "../interop/nats-server.ts";
import { newestStock } from "../interop/stock.ts";
import { artifactSet, copyRepository } from "../interop/tables.ts";
import { TempDir } from "../temp-dir.ts";
import { FaultProxy, type LineFaults } from "./fault-proxy.ts";

const stock = newestStock();
let temp: TempDir;
afterEach(() => temp.remove());

const isPublic = (line: string) => !line.endsWith(" private");

describe("stock clones from a leaf and syncs with it", () => {
  test.each<[string, LineFaults, attempts: number]>([
    ["a line that is far and narrow", { delayMs: 20, jitterMs: 30, bytesPerSecond: 400_000 }, 1],
    ["a line that breaks", { reset: 0.08 }, 40],
    ["a line that turns bits", { flip: 0.25 }, 60],
  ])(
    "over %s",
    async (_, faults, attempts) => {
      temp = new TempDir("proxy");
      const served = await copyFixture(temp, stock);
      await stock.ok(["user", "capabilities", "nobody", "gio", "-R", served]);
      await using leaf = await LeafProcess.start(served);
      await using proxy = await FaultProxy.start(Number(new URL(leaf.url).port), 3n);
      proxy.faults = faults;
      const url = `http://127.0.0.1:${proxy.port}/`;
      const clone = temp.join("clone.fossil");
      const wanted = artifactSet(served).filter(isPublic).join("\n");
      /** Stock may say that all is well with a clone that ended early: what counts is what is there. */
      const isWhole = async () => existsSync(clone) && artifactSet(clone).join("\n") === wanted;
      for (let i = 0; i < attempts && !(await isWhole()); i++) {
        for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(clone + suffix, { force: true });
        await stock.run(["clone", url, clone, "--no-open"]);
      }
      expect(await isWhole()).toBe(true);
      await stock.ok(["wiki", "create", "News", "-", "-R", clone], { input: "what is new" });
      const now = () => artifactSet(clone).join("\n");
      const isThere = () => artifactSet(served).filter(isPublic).join("\n") === now();
      for (let i = 0; i < attempts && !isThere(); i++) await stock.run(["sync", url, "-R", clone, "--once"]);
      expect(isThere()).toBe(true);
      expect(await stock.ok(["test-integrity", "-R", served])).toMatch(/\b0 errors/);
      if (faults.reset !== undefined) expect(proxy.counts.resets).toBeGreaterThan(0);
      if (faults.flip !== undefined) expect(proxy.counts.flips).toBeGreaterThan(0);
    },
    120_000,
  );
});

test("leaves agree over a nats-server that is cut off, killed, and started again", async () => {
  temp = new TempDir("proxy");
  const project = temp.join("a.fossil");
  await stock.ok(["new", project, "--admin-user", "ann"]);
  await stock.ok(["user", "capabilities", "nobody", "gio", "-R", project]);
  const other = temp.join("b.fossil");
  copyRepository(project, other);
  let nats = await startNatsServer("");
  const { port } = nats;
  await using proxy = await FaultProxy.start(port, 5n);
  const server = `nats://127.0.0.1:${proxy.port}`;
  await using _a = await DaemonProcess.start("leaf", "--repo", project, "--nats", server, "--poll", "3s");
  await using _b = await DaemonProcess.start("leaf", "--repo", other, "--nats", server, "--poll", "3s");
  let pages = 0;
  const say = async (file: string) => {
    const words = ["wiki", "create", `Page ${++pages}`, "-", "-R", file, "--user", "ann"];
    await stock.ok(words, { input: `said ${pages}` });
  };
  const agree = async () => {
    const deadline = performance.now() + 40_000;
    while (artifactSet(project).join() !== artifactSet(other).join() && performance.now() < deadline)
      await Bun.sleep(50);
    expect(artifactSet(project)).toEqual(artifactSet(other));
    expect(artifactSet(project)).toHaveLength(pages + 1);
  };
  proxy.faults = { delayMs: 10, jitterMs: 20 };
  await say(project);
  await agree();
  proxy.isCut = true;
  await Promise.all([say(project), say(other)]);
  proxy.isCut = false;
  await agree();
  await nats.stop();
  proxy.resetAll();
  await say(other);
  nats = await startNatsServer("", port);
  await agree();
  await nats.stop();
}, 150_000);

test("a link whose server has forgotten it, and does not say so, notices and connects anew", async () => {
  temp = new TempDir("proxy");
  const nats = await startNatsServer("");
  await using proxy = await FaultProxy.start(nats.port, 9n);
  const deps = { clock: systemClock, random: systemRandom, log: silentLogger };
  const server = (port: number) => ({
    servers: [`nats://127.0.0.1:${port}`],
    connectionName: "test",
    pingMs: 200,
  });
  const link = new ExternalLink(server(proxy.port), deps);
  const other = new ExternalLink(server(nats.port), deps);
  await Promise.all([link.connected(10_000), other.connected(10_000)]);
  let heard = 0;
  link.subscribe("a.b", () => void heard++);
  const isHeard = () => {
    other.publish("a.b", new Uint8Array(1));
    return heard > 0;
  };
  await until(isHeard, "a message");
  proxy.forgetAll();
  heard = 0;
  // Nothing tells the link.
  expect(link.isConnected).toBe(true);
  await until(isHeard, "a message over another connection");
  expect(proxy.counts.connections).toBeGreaterThan(1);
  await Promise.all([link.close(), other.close()]);
  await nats.stop();
}, 60_000);

test("leaves agree again when the one whose broker they use was killed and is back", async () => {
  temp = new TempDir("proxy");
  const files = ["host", "near", "far"].map((name) => temp.join(`${name}.fossil`)) as [
    string,
    string,
    string,
  ];
  await stock.ok(["new", files[0], "--admin-user", "ann"]);
  await stock.ok(["user", "capabilities", "nobody", "gio", "-R", files[0]]);
  for (const file of files.slice(1)) copyRepository(files[0], file);
  const leaf = (file: string, ...more: readonly string[]) =>
    DaemonProcess.start("leaf", "--repo", file, "--poll", "3s", ...more);
  const host = (listen: string, leafListen: string) =>
    leaf(files[0], "--nats-listen", listen, "--nats-leaf-listen", leafListen);
  const first = await host("127.0.0.1:0", "127.0.0.1:0");
  const { nats, natsLeaf } = first.addresses;
  await using _near = await leaf(files[1], "--nats", nats!);
  await using _far = await leaf(files[2], "--nats-leafnode", natsLeaf!);
  let pages = 0;
  const say = async (file: string) => {
    const words = ["wiki", "create", `Page ${++pages}`, "-", "-R", file, "--user", "ann"];
    await until(
      async () => (await stock.run(words, { input: `said ${pages}` })).code === 0,
      "a moment to write in",
    );
  };
  const sets = () => files.map((file) => artifactSet(file).join());
  const agree = async () => {
    const deadline = performance.now() + 40_000;
    while (new Set(sets()).size > 1 && performance.now() < deadline) await Bun.sleep(50);
    expect(new Set(sets()).size).toBe(1);
    expect(artifactSet(files[0])).toHaveLength(pages + 1);
  };
  for (const file of files) {
    await say(file);
    await agree();
  }
  await first.kill();
  for (const file of files.slice(1)) await say(file);
  await Bun.sleep(500);
  expect(new Set(sets()).size).toBe(3);
  const portOf = (address: string) => `127.0.0.1:${new URL(address).port}`;
  await using _host = await host(portOf(nats!), portOf(natsLeaf!));
  await agree();
  await say(files[0]);
  await agree();
  for (const file of files) expect(await stock.ok(["test-integrity", "-R", file])).toMatch(/\b0 errors/);
}, 150_000);
