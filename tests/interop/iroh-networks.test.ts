/**
 * Leaves in two private networks that reach nothing but a host in the middle, which passes no packets on and runs a hub.
 * The networks are namespaces of this machine.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { TempDir } from "../temp-dir.ts";
import { DaemonProcess } from "./daemon-process.ts";
import { edgesyncWords } from "./leaf-process.ts";
import { until } from "./nats-server.ts";
import { type End, type Host, NetworkSpaces, whyNoSpaces } from "./network-spaces.ts";
import { newestStock } from "./stock.ts";

const why = whyNoSpaces();
if (why !== undefined) console.log(`skipped: tests of iroh in network namespaces (${why})`);

const stock = newestStock();
/** What is announced while a cable is cut, or an address changes, comes when the link is back: no poll helps. */
const ARGS = ["--iroh", "--iroh-relay", "disabled", "--iroh-allow", "any", "--poll", "1h"];

interface Place {
  readonly host: Host;
  readonly file: string;
  readonly leaf: DaemonProcess;
}

describe.skipIf(why !== undefined)("two private networks and a hub between them", () => {
  let folder: TempDir;
  let spaces: NetworkSpaces;
  let ends: [End, End];
  let places: Place[];
  let number = 0;

  beforeEach(async () => {
    folder = new TempDir("iroh-networks");
    spaces = new NetworkSpaces();
    const files = ["hub", "left", "right"].map((name) => folder.join(`${name}.fossil`));
    await stock.ok(["new", files[0]!, "--admin-user", "ann"]);
    await stock.ok(["user", "capabilities", "nobody", "gio", "-R", files[0]!]);
    for (const file of files.slice(1)) copyFileSync(files[0]!, file);
    const [hub, left, right] = ["hub", "left", "right"].map((name) => spaces.host(name)) as [
      Host,
      Host,
      Host,
    ];
    const [leftEnd] = spaces.cable(left, "10.77.1.2/24", hub, "10.77.1.1/24");
    const [rightEnd] = spaces.cable(right, "10.77.2.2/24", hub, "10.77.2.1/24");
    ends = [leftEnd, rightEnd];
    places = [];
    const begin = async (host: Host, i: number, ...args: readonly string[]) => {
      const leaf = await DaemonProcess.startWithin(host.words, "leaf", "--repo", files[i]!, ...ARGS, ...args);
      places.push({ host, file: files[i]!, leaf });
      return leaf;
    };
    const { irohTicket } = (await begin(hub, 0, "--role", "hub")).addresses;
    await begin(left, 1, "--iroh-peer", irohTicket!);
    await begin(right, 2, "--iroh-peer", irohTicket!);
    await Promise.all(places.map((place) => sees(place, 2)));
  });

  afterEach(async () => {
    await Promise.all(places.map(({ leaf }) => leaf.stop()));
    spaces[Symbol.dispose]();
    folder.remove();
  });

  async function status({ host, file }: Place) {
    const words = [...host.words, ...edgesyncWords(), "status", "--json", "-R", file];
    return JSON.parse(await new Response(Bun.spawn(words, { stdout: "pipe" }).stdout).text());
  }

  const sees = (place: Place, count: number) =>
    until(async () => (await status(place)).present.length === count, `${count} peers to be there`);

  async function change({ file }: Place): Promise<void> {
    const page = ++number;
    const input = Array.from({ length: 4_000 }, (_, i) => `${Bun.hash(`${page} ${i}`)}`).join("\n");
    const words = ["wiki", "create", `Page ${page}`, "-", "-R", file, "--user", "ann"];
    await until(async () => (await stock.run(words, { input })).code === 0, "a moment to write in");
  }

  const artifacts = ({ file }: Place) =>
    stock.ok(["sql", "-R", file, "SELECT uuid FROM blob WHERE size>=0 ORDER BY 1"]);

  const converge = () =>
    until(
      async () => new Set(await Promise.all(places.map(artifacts))).size === 1,
      "all to have the same artifacts",
    );

  test("they hear each other through it; cables are cut and mended; an address changes", async () => {
    const [hub, left, right] = places as [Place, Place, Place];
    await change(left);
    await converge();
    await change(right);
    await converge();

    // Both sides go on writing while one is cut off.
    ends[0].set("down");
    await change(left);
    await change(right);
    await until(async () => (await artifacts(hub)) === (await artifacts(right)), "the others to go on");
    expect(await artifacts(left)).not.toBe(await artifacts(right));
    ends[0].set("up");
    await converge();

    ends[1].remove("10.77.2.2/24");
    ends[1].add("10.77.2.3/24");
    await change(right);
    await converge();
    await change(left);
    await converge();
  });
});
