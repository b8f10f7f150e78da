/**
 * Two leaves linked over iroh, and between them a line that is late, loses, doubles, overtakes, turns bits, and is cut. They are in
 * network namespaces that reach nothing but the proxy, so that no datagram has another way.
 */
import { expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { loadIroh } from "../../src/iroh-addon.ts";
import { parseEndpoint } from "../../src/iroh-address.ts";
import { DaemonProcess } from "../interop/daemon-process.ts";
import { until } from "../interop/nats-server.ts";
import { NetworkSpaces, whyNoSpaces } from "../interop/network-spaces.ts";
import { newestStock } from "../interop/stock.ts";
import { artifactSet } from "../interop/tables.ts";
import { TempDir } from "../temp-dir.ts";
import { DatagramProxy } from "./datagram-proxy.ts";

const why = whyNoSpaces();
if (why !== undefined) console.log(`skipped: tests of iroh over a bad line (${why})`);
const stock = newestStock();
/** What a cut line swallows comes when it is whole again: no poll helps. */
const ARGS = ["--iroh", "--iroh-relay", "disabled", "--iroh-allow", "any", "--poll", "1h"];

/** Datagrams: announcements, and some tries more. */
const LOST_MIN_COUNT = 8;

test.skipIf(why !== undefined)(
  "leaves agree over iroh on a line that loses, doubles, turns bits, and is cut",
  async () => {
    using folder = new TempDir("iroh-proxy");
    using spaces = new NetworkSpaces();
    const files = [folder.join("left.fossil"), folder.join("right.fossil")] as const;
    await stock.ok(["new", files[0], "--admin-user", "ann"]);
    await stock.ok(["user", "capabilities", "nobody", "gio", "-R", files[0]]);
    copyFileSync(files[0], files[1]);
    const [left, middle, right] = [spaces.host("left"), spaces.host("middle"), spaces.host("right")];
    spaces.cable(left, "10.78.1.2/24", middle, "10.78.1.1/24");
    spaces.cable(right, "10.78.2.2/24", middle, "10.78.2.1/24");
    const begin = (words: readonly string[], file: string, ...more: readonly string[]) =>
      DaemonProcess.startWithin(words, "leaf", "--repo", file, ...ARGS, ...more);
    await using second = await begin(right.words, files[1]);

    const iroh = await loadIroh();
    const address = parseEndpoint(iroh, second.addresses["irohTicket"]!);
    const port = Number(
      /:(\d+)$/.exec(address.directAddresses().find((one) => one.startsWith("10.78.2.2:"))!)![1],
    );
    await using proxy = await DatagramProxy.start(middle.words, "10.78.1.1", { host: "10.78.2.2", port }, 7n);
    const byProxy = new iroh.EndpointAddr(address.id(), null, [`10.78.1.1:${proxy.port}`]);
    const ticket = iroh.EndpointTicket.fromAddr(byProxy).toString();
    await using _first = await begin(left.words, files[0], "--iroh-peer", ticket);

    let pages = 0;
    const say = async (file: string) => {
      const page = ++pages;
      const input = Array.from({ length: 2_000 }, (_, i) => `${Bun.hash(`${page} ${i}`)}`).join("\n");
      const words = ["wiki", "create", `Page ${page}`, "-", "-R", file, "--user", "ann"];
      await until(async () => (await stock.run(words, { input })).code === 0, "a moment to write in");
    };
    const agree = async () => {
      const deadline = performance.now() + 45_000;
      const isSame = () => artifactSet(files[0]).join() === artifactSet(files[1]).join();
      while (!isSame() && performance.now() < deadline) await Bun.sleep(50);
      expect(artifactSet(files[0])).toEqual(artifactSet(files[1]));
      expect(artifactSet(files[0])).toHaveLength(pages + 1);
    };

    await proxy.set({ delayMs: 20, jitterMs: 40 });
    for (const file of files) {
      await say(file);
      await agree();
    }
    await proxy.set({ delayMs: 5, jitterMs: 10, loss: 0.05, duplicate: 0.1, flip: 0.05 });
    await Promise.all(files.map(say));
    await agree();
    const bad = await proxy.set({ isCut: true });
    for (const count of [bad.lost, bad.duplicated, bad.flipped]) expect(count).toBeGreaterThan(0);
    await Promise.all(files.map(say));
    const isTried = async () => (await proxy.set({ isCut: true })).lost > bad.lost + LOST_MIN_COUNT;
    await until(isTried, "both to send in vain");
    expect(artifactSet(files[0])).not.toEqual(artifactSet(files[1]));
    await proxy.set({});
    await agree();
    for (const file of files) expect(await stock.ok(["test-integrity", "-R", file])).toMatch(/\b0 errors/);
  },
  150_000,
);
