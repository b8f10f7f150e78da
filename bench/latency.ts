/**
 * How long news takes: from COMMIT returning on one leaf to the check-in crosslinked on another, its transaction committed, two
 * processes on the loopback, over the embedded broker of the first, over nats-server and over iroh. Commits are made at a steady pace by
 * a connection of its own, so the leaf must notice them like anybody's.
 *
 * The floor is measured in the same run, between the same processes, in the pauses between the commits: two bare round
 * trips of as many bytes, on NATS or on streams of iroh, and two SQLite commits, one on each side. Clocks are compared over the link, by the
 * quickest of many round trips.
 *
 * With commits of stock `fossil` time counts from its exit. Last, commits on a Fossil server behind a bridge, of which a
 * leaf has to have each within the bridge's poll and a second.
 *
 *     bun bench/latency.ts [--commits 200] [--stock 40] [--rate 10] [--over broker|nats-server|iroh|bridge] [--json]
 */
import { join } from "node:path";
import { startBridge } from "../src/bridge-service.ts";
import { utf8 } from "../src/bytes.ts";
import { systemClock } from "../src/clock.ts";
import { Db } from "../src/db.ts";
import { workerExecutor } from "../src/executor.ts";
import type { Hash } from "../src/hash.ts";
import { type Leaf, startLeaf } from "../src/leaf.ts";
import type { LeafJobs } from "../src/leaf-jobs.ts";
import type { Threads } from "../src/leaf-repositories.ts";
import { silentLogger } from "../src/log.ts";
import type { NatsLink } from "../src/nats-link.ts";
import { ExternalLink } from "../src/nats-link-external.ts";
import { asPeerId } from "../src/peer-id.ts";
import { systemRandom } from "../src/random.ts";
import { Repo } from "../src/repo.ts";
import { addInitialCheckIn, commit } from "../src/repo-checkin.ts";
import { HttpTransport } from "../src/transport-http.ts";
import { startNatsServer } from "../tests/interop/nats-server.ts";
import { newestStock } from "../tests/interop/stock.ts";
import { TempDir } from "../tests/temp-dir.ts";
import { numberOption, percentile, Report, wordOption } from "./harness.ts";
import { answerBare, askBare } from "./iroh-bare.ts";

const COMMITS = numberOption("commits", 200);
const STOCK_COMMITS = numberOption("stock", 40);
const PACE_MS = 1000 / numberOption("rate", 10);
/** As an announcement, a request, and a reply with a manifest and a file. */
const BYTES = { announcement: 500, request: 300, reply: 900 };
/** Ten seconds: a leaf runs for weeks, and its code is slow while it is new. */
const WARM_UP = 100;
const LATE_MS = 30_000;
const BRIDGE_POLL_MS = 1000;
const BRIDGE_COMMITS = 8;

const deps = { clock: systemClock, random: systemRandom, log: silentLogger };
const now = () => performance.timeOrigin + performance.now();

/** A row in a table of its own, durable as a repository's. */
class BareCommits {
  private readonly db: Db;

  constructor(path: string) {
    this.db = Db.open(path, { mode: "create" });
    this.db.exec("PRAGMA journal_mode=WAL; CREATE TABLE t(a)");
  }

  once(): void {
    this.db.write(() => this.db.prepare("INSERT INTO t VALUES(?)").run("x".repeat(BYTES.reply)));
  }

  close(): void {
    this.db.close();
  }
}

async function externalLink(server: string): Promise<NatsLink> {
  const link = new ExternalLink({ servers: [server], connectionName: "bench" }, deps);
  while (!link.isConnected) await Bun.sleep(5);
  return link;
}

interface Linked {
  readonly port?: number;
  readonly threads?: Threads | undefined;
  /** Tickets of leaves that it is linked with over iroh. */
  readonly irohPeers?: readonly string[];
}

function leafOf(file: string, links: readonly NatsLink[], { port, threads, irohPeers }: Linked = {}) {
  return startLeaf(
    {
      source: { file },
      http: undefined,
      ...(port !== undefined && { broker: { listen: { host: "127.0.0.1", port } } }),
      ...(irohPeers !== undefined && {
        broker: {},
        iroh: {
          keyFile: `${file}.iroh-key`,
          relay: "disabled",
          allow: ["any"],
          peers: irohPeers,
          role: "peer",
        } as const,
      }),
      nats: { prefix: "fossil", peerId: undefined, links },
      keep: { peers: [], push: true, pull: true, unversioned: false, private: false, pollMs: 60_000 },
      version: "bench",
    },
    { ...deps, ...(threads && { threads }) },
  );
}

/** The second process: takes what comes, and says when each check-in was there. */
async function taker(folder: string, server: string): Promise<void> {
  const file = join(folder, "b.fossil");
  const look = Repo.open(file, { mode: "read", ...deps });
  const newest = look.db.prepare(
    "SELECT objid, uuid FROM event JOIN blob ON rid=objid WHERE objid>? ORDER BY objid",
  );
  let seen = look.db.prepare("SELECT max(rid) FROM blob").value<number>()!;
  const url = new URL("./latency-worker.ts", import.meta.url);
  const threads = { readers: workerExecutor<LeafJobs>(url, 2), writers: [workerExecutor<LeafJobs>(url, 1)] };
  const ticket = /^iroh:(.*)/.exec(server)?.[1];
  const links = ticket === undefined ? [await externalLink(server)] : [];
  const leaf = await leafOf(file, links, { threads, ...(ticket !== undefined && { irohPeers: [ticket] }) });
  const probe = ticket === undefined ? await externalLink(server) : leaf.broker!.link();
  const told = new BroadcastChannel("crosslinked");
  told.onmessage = ({ data: at }) => {
    for (const [rid, hash] of newest.values<[number, string]>(seen)) {
      probe.publish("bench.there", utf8(`${at} ${hash}`));
      seen = rid;
    }
  };
  const bare = new BareCommits(join(folder, "bare-b.db"));
  const reply = new Uint8Array(BYTES.reply);
  probe.subscribe("bench.clock", (message) => void probe.publish(message.reply, utf8(`${now()}`)));
  probe.subscribe("bench.trip", (message) => void probe.publish(message.reply, reply));
  probe.subscribe("bench.trip-and-commit", (message) => {
    bare.once();
    probe.publish(message.reply, reply);
  });
  await probe.flush();
  // A request of the second trip is shorter.
  const bareTicket = await answerBare(({ length }) => {
    if (length === BYTES.request) bare.once();
    return [...reply];
  });
  while (leaf.keeper!.mesh.presence.peers.length === 0) await Bun.sleep(20);
  process.stdout.write(`${bareTicket}\n`);
  await new Response(Bun.stdin.stream()).text();
  look.close();
  bare.close();
  told.close();
  await leaf.stop();
  await probe.close();
}

function ask(link: NatsLink, subject: string, payload: Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    const inbox = link.newInbox();
    const end = link.subscribe(inbox, ({ payload: answer }) => {
      end();
      resolve(Buffer.from(answer).toString());
    });
    link.publish(subject, payload, { reply: inbox });
  });
}

/** How far the other process's clock is ahead. */
async function clockOffset(link: NatsLink): Promise<number> {
  let best = { trip: Number.POSITIVE_INFINITY, offset: 0 };
  for (let i = 0; i < 200; i++) {
    const sent = now();
    const theirs = Number(await ask(link, "bench.clock", utf8("x")));
    const trip = now() - sent;
    if (trip < best.trip) best = { trip, offset: theirs - sent - trip / 2 };
  }
  return best.offset;
}

/** When check-ins arrived, by hash, in this process's time. */
class Arrivals {
  private readonly at = new Map<string, number>();
  private readonly waiting = new Map<string, (at: number) => void>();

  constructor(link: NatsLink, offset: number) {
    link.subscribe("bench.there", ({ payload }) => {
      const [at, hash] = Buffer.from(payload).toString().split(" ") as [string, string];
      this.at.set(hash, Number(at) - offset);
      this.waiting.get(hash)?.(Number(at) - offset);
    });
  }

  of(hash: string): Promise<number> {
    const known = this.at.get(hash);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${hash} did not arrive`)), LATE_MS);
      this.waiting.set(hash, (at) => {
        clearTimeout(timer);
        resolve(at);
      });
    });
  }
}

async function measure(over: "broker" | "nats-server" | "iroh", report: Report): Promise<void> {
  using folder = new TempDir("latency", "disk");
  const [fileA, fileB] = [folder.join("a.fossil"), folder.join("b.fossil")];
  const repo = Repo.create(fileA, { ...deps, user: "ann", password: "x" });
  addInitialCheckIn(repo, "ann");
  repo.users.setCapabilities("nobody", "gioy");
  repo.db.exec(`VACUUM INTO '${fileB}'`);
  const external = over === "nats-server" ? await startNatsServer() : undefined;
  const links = external === undefined ? [] : [await externalLink(`nats://127.0.0.1:${external.port}`)];
  const linked: Linked = over === "iroh" ? { irohPeers: [] } : over === "broker" ? { port: 0 } : {};
  const leaf = await leafOf(fileA, links, linked);
  const server = {
    broker: () => leaf.broker!.addresses.nats!,
    "nats-server": () => `nats://127.0.0.1:${external!.port}`,
    iroh: () => `iroh:${leaf.iroh!.endpoint.ticket()}`,
  }[over]();
  const other = Bun.spawn([process.execPath, import.meta.path, "--taker", folder.path, "--server", server], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const { value: said } = await other.stdout.getReader().read();
  while (leaf.keeper!.mesh.presence.peers.length === 0) await Bun.sleep(20);
  const bareIroh = over === "iroh" ? await askBare(Buffer.from(said!).toString().trim()) : undefined;
  // As the leaf itself is connected: in the process to its own broker, else by a socket.
  const link = external === undefined ? leaf.broker!.link() : await externalLink(server);
  const arrivals = new Arrivals(link, await clockOffset(link));
  const bare = new BareCommits(folder.join("bare-a.db"));

  const floor = async (): Promise<number> => {
    const started = now();
    bare.once();
    if (bareIroh !== undefined) {
      await bareIroh.ask(new Array(BYTES.announcement).fill(0));
      await bareIroh.ask(new Array(BYTES.request).fill(0));
      return now() - started;
    }
    await ask(link, "bench.trip", new Uint8Array(BYTES.announcement));
    await ask(link, "bench.trip-and-commit", new Uint8Array(BYTES.request));
    return now() - started;
  };
  const ours = async (i: number): Promise<number> => {
    const edits = [{ name: `f${i % 10}`, content: utf8(`content ${i} ${now()}\n`) }];
    const { hash } = commit(repo, { edits, comment: `change ${i}`, user: "ann" });
    const committed = now();
    return (await arrivals.of(hash)) - committed;
  };
  const samples = { ours: [] as number[], floor: [] as number[], stock: [] as number[] };
  for (let i = -WARM_UP; i < COMMITS; i++) {
    const started = now();
    const took = ours(i + WARM_UP);
    await Bun.sleep(PACE_MS / 2);
    const least = await floor();
    if (i >= 0) samples.ours.push(await took);
    if (i >= 0) samples.floor.push(least);
    await Bun.sleep(Math.max(0, PACE_MS - (now() - started)));
  }
  const stock = newestStock();
  const checkout = folder.join("checkout");
  await stock.ok(["open", fileA, "--workdir", checkout, "--user", "ann"]);
  const tip = repo.db.prepare("SELECT uuid FROM blob JOIN event ON objid=rid ORDER BY rid DESC LIMIT 1");
  for (let i = -2; i < STOCK_COMMITS; i++) {
    // Stock takes a file for unchanged that has the same size and the same second.
    await Bun.write(join(checkout, "f0"), `stock ${"x".repeat(i + 3)}\n`);
    await stock.ok(["commit", "-m", `stock ${i}`, "--no-warnings", "--user", "ann"], { cwd: checkout });
    const ended = now();
    const took = (await arrivals.of(tip.value<string>()!)) - ended;
    if (i >= 0) samples.stock.push(Math.max(0, took));
    await Bun.sleep(PACE_MS);
  }
  tell(report, over, samples, leaf);
  other.stdin.end();
  await other.exited;
  bare.close();
  await bareIroh?.close();
  await link.close();
  repo.close();
  await leaf.stop();
  await external?.stop();
}

/** From stock's exit on the server's file to the check-in on the leaf, in milliseconds. */
async function measureBridge(report: Report): Promise<void> {
  using folder = new TempDir("latency", "disk");
  const stock = newestStock();
  const [upstream, file] = [folder.join("server.fossil"), folder.join("leaf.fossil")];
  const repo = Repo.create(upstream, { ...deps, user: "ann", password: "x" });
  addInitialCheckIn(repo, "ann");
  repo.users.setCapabilities("nobody", "gioy");
  repo.db.exec(`VACUUM INTO '${file}'`);
  const projectCode = repo.config.projectCode as Hash;
  repo.close();
  const nats = await startNatsServer();
  const url = `nats://127.0.0.1:${nats.port}`;
  await using server = await stock.serve(upstream);
  const bridge = startBridge(
    {
      link: await externalLink(url),
      prefix: "fossil",
      projectCode,
      peerId: asPeerId("bridge"),
      name: "bridge",
      version: "bench",
      connect: () => new HttpTransport(new URL(server.url), deps),
      login: undefined,
      pollMs: BRIDGE_POLL_MS,
    },
    undefined,
    deps,
  );
  const leaf = await leafOf(file, [await externalLink(url)]);
  const look = Repo.open(file, { mode: "read", ...deps });
  const count = look.db.prepare("SELECT count(*) FROM event");
  const checkout = folder.join("checkout");
  await stock.ok(["open", upstream, "--workdir", checkout, "--user", "ann"]);
  const samples: number[] = [];
  for (let i = 0; i < BRIDGE_COMMITS; i++) {
    await Bun.write(join(checkout, "f"), "x".repeat(i + 1));
    if (i === 0) await stock.ok(["add", "f"], { cwd: checkout });
    await stock.ok(["commit", "-m", `change ${i}`, "--no-warnings", "--user", "ann"], { cwd: checkout });
    const ended = now();
    while (count.value<number>()! < i + 2) await Bun.sleep(2);
    samples.push(now() - ended);
    await Bun.sleep((i * BRIDGE_POLL_MS) / BRIDGE_COMMITS);
  }
  report.add({
    name: `a commit behind a bridge that polls every ${BRIDGE_POLL_MS} ms: the latest`,
    value: Math.max(...samples),
    unit: "ms",
    limit: BRIDGE_POLL_MS + 1000,
    samples,
  });
  look.close();
  await leaf.stop();
  await bridge.stop();
  await nats.stop();
}

function tell(
  report: Report,
  over: string,
  { ours, floor, stock }: Record<"ours" | "floor" | "stock", number[]>,
  leaf: Leaf,
): void {
  const row = (name: string, value: number, unit: string, limit?: number) =>
    report.add({ name: `${over}: ${name}`, value, unit, ...(limit !== undefined && { limit }) });
  row("floor p50", percentile(floor, 50), "ms");
  row("floor p99", percentile(floor, 99), "ms");
  row("commit to crosslinked p50", percentile(ours, 50), "ms");
  row("commit to crosslinked p99", percentile(ours, 99), "ms");
  row("p50 / floor", percentile(ours, 50) / percentile(floor, 50), "×", 3);
  row("p99 / floor", percentile(ours, 99) / percentile(floor, 99), "×", 5);
  row("stock's exit to crosslinked p50", percentile(stock, 50), "ms");
  row("stock's p50 / floor", percentile(stock, 50) / percentile(floor, 50), "×", 6);
  const { announced } = leaf.keeper!.mesh.counts;
  report.note(`${over}: ${announced} announcements for ${ours.length + stock.length} measured commits`);
}

const folderOfTaker = wordOption("taker");
if (folderOfTaker !== undefined) {
  await taker(folderOfTaker, wordOption("server")!);
} else {
  const report = new Report("latency");
  const over = wordOption("over");
  if (over === undefined || over === "broker") await measure("broker", report);
  if (over === undefined || over === "nats-server") await measure("nats-server", report);
  if (over === undefined || over === "iroh") await measure("iroh", report);
  if (over === undefined || over === "bridge") await measureBridge(report);
  report.note("the reference system polls every 5 s: p50 2500 ms");
  report.finish();
}
process.exit();
