/**
 * How news spreads: one commit reaching 1, 10, 50 and 200 leaves on one nats-server, the leaves in a few processes. Told
 * are the time until the last has it, how many messages the server delivered for each leaf, and how both grow. Then a
 * burst of commits as fast as they can be made, and how many pulls it cost the leaf that made most.
 *
 *     bun bench/fanout.ts [--commits 10] [--burst 1000] [--leaves 10,50] [--json]
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { utf8 } from "../src/bytes.ts";
import { systemClock } from "../src/clock.ts";
import { type Leaf, startLeaf } from "../src/leaf.ts";
import { inlineThreads, type Threads } from "../src/leaf-repositories.ts";
import { silentLogger } from "../src/log.ts";
import type { NatsLink } from "../src/nats-link.ts";
import { ExternalLink } from "../src/nats-link-external.ts";
import { systemRandom } from "../src/random.ts";
import { Repo } from "../src/repo.ts";
import { addInitialCheckIn, commit } from "../src/repo-checkin.ts";
import { type NatsServer, startNatsServer, until } from "../tests/interop/nats-server.ts";
import { TempDir } from "../tests/temp-dir.ts";
import { median, numberOption, Report, wordOption } from "./harness.ts";

const COMMITS = numberOption("commits", 10);
const BURST = numberOption("burst", 1000);
const SIZES = (wordOption("leaves") ?? "1,10,50,200").split(",").map(Number);
const BURST_LEAVES = 10;
const PER_PROCESS = 50;
const PULLS_MAX = 30;
const PAUSE_MS = 300;

const deps = { clock: systemClock, random: systemRandom, log: silentLogger };

async function linkTo(server: string): Promise<NatsLink> {
  const link = new ExternalLink({ servers: [server], connectionName: "bench" }, deps);
  while (!link.isConnected) await Bun.sleep(5);
  return link;
}

function leafOf(file: string, link: NatsLink, threads?: Threads, onSynced?: () => void): Promise<Leaf> {
  const log = { ...silentLogger, info: (text: string) => void (text === "synced" && onSynced?.()) };
  return startLeaf(
    {
      source: { file },
      http: undefined,
      nats: { prefix: "fossil", peerId: undefined, links: [link] },
      keep: { peers: [], push: true, pull: true, unversioned: false, private: false, pollMs: 600_000 },
      version: "bench",
    },
    { ...deps, log, ...(threads && { threads }) },
  );
}

/** A process with several leaves: says how many check-ins each has, whenever that changes. */
async function manyLeaves(folders: readonly string[], server: string): Promise<void> {
  const probe = await linkTo(server);
  const leaves = await Promise.all(
    folders.map(async (folder) => {
      const file = join(folder, "x.fossil");
      const look = Repo.open(file, { mode: "read", ...deps });
      const count = look.db.prepare("SELECT count(*) FROM event");
      const tell = () => void probe.publish("bench.has", utf8(`${folder} ${count.value<number>()}`));
      const leaf = await leafOf(file, await linkTo(server), inlineThreads(deps), tell);
      return { leaf, look };
    }),
  );
  probe.subscribe("bench.pulls", (message) => {
    const pulls = leaves.map(({ leaf }) => leaf.keeper!.mesh.counts.pulls);
    probe.publish(message.reply, utf8(JSON.stringify(pulls)));
  });
  await probe.flush();
  process.stdout.write("ready\n");
  await new Response(Bun.stdin.stream()).text();
  for (const { leaf, look } of leaves) {
    look.close();
    await leaf.stop();
  }
  await probe.close();
}

/** Leaves in a few processes and one in this, which commits. */
class Field {
  private readonly has = new Map<string, number>();
  private checkIns = 1;

  private constructor(
    private readonly repo: Repo,
    private readonly leaf: Leaf,
    private readonly probe: NatsLink,
    private readonly children: readonly Subprocess<"pipe", "pipe", "inherit">[],
    readonly size: number,
  ) {
    probe.subscribe("bench.has", ({ payload }) => {
      const [folder, count] = Buffer.from(payload).toString().split(" ") as [string, string];
      this.has.set(folder, Number(count));
    });
  }

  static async of(size: number, dir: TempDir, server: string): Promise<Field> {
    const own = dir.join(`own-${size}`);
    mkdirSync(own);
    const file = join(own, "x.fossil");
    const repo = Repo.create(file, { ...deps, user: "ann", password: "x" });
    addInitialCheckIn(repo, "ann");
    repo.users.setCapabilities("nobody", "gioy");
    const folders = Array.from({ length: size }, (_, i) => dir.join(`${size}-${i}`));
    for (const folder of folders) {
      mkdirSync(folder);
      repo.db.exec(`VACUUM INTO '${join(folder, "x.fossil")}'`);
    }
    const children = [];
    for (let i = 0; i < size; i += PER_PROCESS) {
      const args = ["--server", server, "--folders", folders.slice(i, i + PER_PROCESS).join(",")];
      const child = Bun.spawn([process.execPath, import.meta.path, ...args], {
        stdin: "pipe",
        stdout: "pipe",
        stderr: "inherit",
      });
      await child.stdout.getReader().read();
      children.push(child);
    }
    const leaf = await leafOf(file, await linkTo(server));
    const field = new Field(repo, leaf, await linkTo(server), children, size);
    await until(() => leaf.keeper!.mesh.presence.peers.length === size, "all leaves to be there");
    return field;
  }

  /** Commits, and waits until all have everything. @returns milliseconds from the first commit's return */
  async spread(commits: number): Promise<number> {
    let started = 0;
    for (let i = 0; i < commits; i++) {
      const edits = [{ name: `f${i % 10}`, content: utf8(`content ${this.checkIns} ${i}\n`) }];
      commit(this.repo, { edits, comment: "c", user: "ann" });
      if (i === 0) started = performance.now();
      // The leaf of this process is to hear of it.
      if (i % 5 === 4) await Bun.sleep(0);
    }
    this.checkIns += commits;
    const isThere = () =>
      [...this.has.values()].filter((count) => count === this.checkIns).length === this.size;
    while (!isThere()) await Bun.sleep(1);
    return performance.now() - started;
  }

  /** Of the leaf that made most. */
  async mostPulls(): Promise<number> {
    const answers: number[] = [];
    const inbox = this.probe.newInbox();
    const end = this.probe.subscribe(inbox, ({ payload }) => {
      answers.push(...(JSON.parse(Buffer.from(payload).toString()) as number[]));
    });
    this.probe.publish("bench.pulls", utf8("?"), { reply: inbox });
    await until(() => answers.length === this.size, "the numbers of pulls");
    end();
    return Math.max(...answers);
  }

  async end(): Promise<void> {
    for (const child of this.children) {
      child.stdin.end();
      await child.exited;
    }
    await this.leaf.stop();
    await this.probe.close();
    this.repo.close();
  }
}

/** Messages that the server has delivered so far. */
async function delivered(server: NatsServer): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${server.monitorPort}/varz`);
  return ((await answer.json()) as { out_msgs: number }).out_msgs;
}

async function run(): Promise<void> {
  const report = new Report("fanout");
  const server = await startNatsServer('http: "127.0.0.1:-1"');
  const url = `nats://127.0.0.1:${server.port}`;
  for (const size of SIZES) {
    using dir = new TempDir("fanout");
    const field = await Field.of(size, dir, url);
    await field.spread(1);
    const before = await delivered(server);
    const times: number[] = [];
    for (let i = 0; i < COMMITS; i++) {
      await Bun.sleep(PAUSE_MS);
      times.push(await field.spread(1));
    }
    // The probe's own word, once for each leaf, is no cost of the leaves.
    const messages = ((await delivered(server)) - before) / COMMITS / size - 1;
    report.add({
      name: `${size} leaves: until the last has it`,
      value: median(times),
      unit: "ms",
      samples: times,
    });
    report.add({ name: `${size} leaves: time for each`, value: median(times) / size, unit: "ms" });
    report.add({ name: `${size} leaves: messages for each`, value: messages, unit: "" });
    await field.end();
  }
  using dir = new TempDir("fanout");
  const field = await Field.of(BURST_LEAVES, dir, url);
  const took = await field.spread(BURST);
  report.add({
    name: `burst of ${BURST}, ${BURST_LEAVES} leaves: until all have all`,
    value: took,
    unit: "ms",
  });
  report.add({
    name: `burst of ${BURST}: pulls of the leaf with most`,
    value: await field.mostPulls(),
    unit: "",
    limit: PULLS_MAX,
  });
  await field.end();
  await server.stop();
  report.finish();
}

const folders = wordOption("folders");
if (folders !== undefined) await manyLeaves(folders.split(","), wordOption("server")!);
else await run();
process.exit();
