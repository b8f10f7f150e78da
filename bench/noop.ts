/**
 * What a sync costs when there is nothing new: `bench/noop.ts [--runs 30]`.
 *
 * In process, both sides in one thread, against repositories of 1,000, 10,000 and 100,000 artifacts: the cost must not
 * depend on the size. As a command, against `fossil server`, beside `fossil sync` of the same stock: what the
 * runtime's start may cost. Runs alternate; medians are compared.
 */
import { copyFileSync } from "node:fs";
import { utf8 } from "../src/bytes.ts";
import { systemClock } from "../src/clock.ts";
import { hashContent } from "../src/hash.ts";
import { seededRandom, systemRandom } from "../src/random.ts";
import { Repo } from "../src/repo.ts";
import { addInitialCheckIn } from "../src/repo-checkin.ts";
import { receiveAll } from "../src/repo-receive.ts";
import { unclusteredCount } from "../src/repo-serve.ts";
import { SyncClient } from "../src/sync-client.ts";
import { runSync } from "../src/sync-session.ts";
import { edgesyncWords } from "../tests/interop/leaf-process.ts";
import { newestStock, stockEnv } from "../tests/interop/stock.ts";
import { grow, PEER, served } from "../tests/sync-peer.ts";
import { TempDir } from "../tests/temp-dir.ts";
import { alternate, median, numberOption, Report, timed } from "./harness.ts";

const SIZES = [1_000, 10_000, 100_000] as const;
const FLAT_MAX = 1.5;
const ABOVE_STOCK_MAX_MS = 15;
const BATCH_COUNT = 5_000;
const UNCLUSTERED_COUNT = 90;

const deps = { clock: systemClock, random: systemRandom };
const runs = numberOption("runs", 30);
const report = new Report("noop");
using temp = new TempDir("noop");

/** A repository of so many artifacts: a few check-ins, the rest files of none, in clusters as far as stock makes them. */
function makeRepository(size: number): string {
  const path = temp.join(`${size}.fossil`);
  const random = seededRandom(BigInt(size));
  const repo = Repo.create(path, {
    ...deps,
    user: "dev",
    password: "pw",
    initialize: (created) => addInitialCheckIn(created, "dev"),
  });
  grow(repo, 1, 20);
  const held = () => repo.db.prepare("SELECT count(*) FROM blob").value<number>()!;
  for (let left = size - held(); left > 0; left -= BATCH_COUNT) {
    receiveAll(repo, { onWrong: "throw" }, (batch) => {
      for (let i = 0; i < Math.min(left, BATCH_COUNT); i++) {
        const content = utf8(`artifact ${left - i}\n${random.float()}\n`);
        batch.receive({ hash: hashContent(content, "sha3-256"), content });
      }
    });
  }
  repo.users.setCapabilities("nobody", "gio");
  repo.close();
  return path;
}

/** Adds artifacts until as many are in no cluster as in every repository that is compared. */
function fill(repo: Repo): void {
  receiveAll(repo, { onWrong: "throw" }, (batch) => {
    for (let i = unclusteredCount(repo.db); i < UNCLUSTERED_COUNT; i++) {
      const content = utf8(`one more ${i}\n`);
      batch.receive({ hash: hashContent(content, "sha3-256"), content });
    }
  });
}

class Pair implements Disposable {
  private constructor(
    private readonly client: Repo,
    private readonly server: Repo,
  ) {}

  /** Two repositories that hold the same, clusters included. */
  static async make(size: number): Promise<Pair> {
    const path = makeRepository(size);
    const other = temp.join(`${size}-other.fossil`);
    copyFileSync(path, other);
    const open = (file: string) => Repo.open(file, { mode: "write", ...deps });
    const pair = new Pair(open(path), open(other));
    while ((await pair.sync()) > 0);
    // Each of them is named in each sync: as many everywhere, and too few for another cluster.
    fill(pair.client);
    while ((await pair.sync()) > 0);
    return pair;
  }

  /** @returns how many artifacts travelled */
  async sync(): Promise<number> {
    const { transport } = served(this.server);
    const client = new SyncClient(
      this.client,
      { pull: true, push: true },
      { peer: PEER, carriesCookie: false },
    );
    const { artifactsSent, artifactsReceived } = await runSync(client, transport);
    return artifactsSent + artifactsReceived;
  }

  [Symbol.dispose](): void {
    this.client.close();
    this.server.close();
  }
}

async function inProcess(): Promise<void> {
  const pairs = new Map<string, Pair>();
  for (const size of SIZES) pairs.set(String(size), await Pair.make(size));
  const perRound = 10;
  const subjects = [...pairs].map(([name, pair]) => {
    const measure = async () => {
      const ms = await timed(async () => {
        for (let i = 0; i < perRound; i++) await pair.sync();
      });
      return ms / perRound;
    };
    return [name, measure] as const;
  });
  const samples = await alternate(runs, Object.fromEntries(subjects));
  const medians = SIZES.map((size) => median(samples[String(size)]!));
  for (const [i, size] of SIZES.entries()) {
    report.add({ name: `in process, ${size} artifacts`, value: medians[i]!, unit: "ms" });
  }
  const ratio = Math.max(...medians) / Math.min(...medians);
  report.add({ name: "in process, the largest over the smallest", value: ratio, unit: "x", limit: FLAT_MAX });
  for (const pair of pairs.values()) pair[Symbol.dispose]();
}

async function asCommand(): Promise<void> {
  const stock = newestStock();
  const source = makeRepository(2_000);
  const [ours, theirs] = [temp.join("ours.fossil"), temp.join("theirs.fossil")];
  await using server = await stock.serve(source);
  for (const file of [ours, theirs]) await stock.ok(["clone", server.url, file, "--no-open"]);
  const cpu = { stock: [] as number[], edgesync: [] as number[] };
  const command = (name: keyof typeof cpu, words: readonly string[]) => async () => {
    const options = { env: stockEnv(), stdin: "ignore", stdout: "ignore", stderr: "pipe" } as const;
    return timed(async () => {
      const child = Bun.spawn([...words], options);
      const code = await child.exited;
      if (code !== 0) throw new Error(`${words.join(" ")}: ${await new Response(child.stderr).text()}`);
      cpu[name].push(Number(child.resourceUsage()!.cpuTime.total) / 1000);
    });
  };
  const samples = await alternate(runs, {
    stock: command("stock", [stock.path, "sync", server.url, "--once", "-R", theirs]),
    edgesync: command("edgesync", [...edgesyncWords(), "sync", "sync", server.url, "--once", "-R", ours]),
  });
  report.note(`stock ${stock.version}, ${edgesyncWords().join(" ")}`);
  for (const [name, line] of [
    ["stock", "fossil sync"],
    ["edgesync", "edgesync sync sync"],
  ] as const) {
    report.add({ name: `command: ${line}`, value: median(samples[name]), unit: "ms" });
    report.add({ name: `command: ${line}, the quickest`, value: Math.min(...samples[name]), unit: "ms" });
    report.add({ name: `command: ${line}, processor time`, value: median(cpu[name]), unit: "ms" });
  }
  const above = median(samples.edgesync) - median(samples.stock);
  report.add({ name: "command: above stock", value: above, unit: "ms", limit: ABOVE_STOCK_MAX_MS });
}

await inProcess();
await asCommand();
report.finish();
