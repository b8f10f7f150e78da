/**
 * Serving clones, against `fossil server` on a copy of the same repository.
 *
 *   1. the floor: the clone's rounds replayed by a client that discards what it gets, time to last byte;
 *   2. stock's whole `fossil clone`;
 *   3. ten stock clones at once: all complete, and `/healthz` answers meanwhile; beside it an idle server in a
 *      process of its own (`control-server.ts`) is asked as often: its latency is the machine's;
 *   4. the same while a stock `fossil rebuild` holds the lock of the leaf's file.
 *
 * Measurements of the two servers alternate; medians of five. The leaf's memory is its VmHWM. Processor time is the
 * server's own, user and system, children included: on a busy machine it says more than the clock.
 *
 * Usage: bun bench/serve.ts [--part 1|2|3|4] [--runs 5] [--clones 10] [--small] [--json]
 * EDGESYNC_TEST_BINARY names the executable; without it the leaf runs from source. `--small` takes the tests'
 * fixture instead of the large repository, to try the bench itself.
 */
import { copyFileSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { text } from "../src/bytes.ts";
import { fixture } from "../tests/interop/fixture.ts";
import { LeafProcess } from "../tests/interop/leaf-process.ts";
import { newestStock, type Stock, StockError, type StockServer } from "../tests/interop/stock.ts";
import { artifactSet } from "../tests/interop/tables.ts";
import { TempDir } from "../tests/temp-dir.ts";
import { type Replay, replayClone } from "./clone-replay.ts";
import { alternate, median, numberOption, percentile, Report, timed } from "./harness.ts";
import { benchRepository, describeRepository } from "./make-repo.ts";

const PROBE_PAUSE_MS = 10;
const HEALTH_P99_MAX_MS = 50;
const MEMORY_MAX_MB = 200;

class ServeBench {
  private readonly report = new Report("serve");
  private readonly runs = numberOption("runs", 5);
  private readonly clones = numberOption("clones", 10);
  private cloneNumber = 0;

  private constructor(
    private readonly stock: Stock,
    private readonly temp: TempDir,
    private readonly leafFile: string,
    private readonly leaf: LeafProcess,
    private readonly server: StockServer,
  ) {}

  static async run(): Promise<void> {
    const stock = newestStock();
    const source = process.argv.includes("--small") ? await fixture(stock) : await benchRepository(stock);
    using temp = new TempDir("bench-serve", "disk");
    const [leafFile, stockFile] = [temp.join("leaf.fossil"), temp.join("stock.fossil")];
    copyFileSync(source, leafFile);
    copyFileSync(source, stockFile);
    await using server = await stock.serve(stockFile);
    await using leaf = await LeafProcess.start(leafFile);
    const bench = new ServeBench(stock, temp, leafFile, leaf, server);
    bench.report.note(`stock ${stock.version}; ${describeRepository(source)}`);
    const parts = [
      () => bench.replays(),
      () => bench.wholeClones(),
      () => bench.concurrentClones(""),
      () => bench.whileRebuilding(),
    ];
    const only = numberOption("part", 0);
    for (const [i, part] of parts.entries()) {
      if (only !== 0 && only !== i + 1) continue;
      await part();
      bench.addMemory(`leaf, peak memory after part ${i + 1}`);
    }
    bench.report.finish();
  }

  private async replays(): Promise<void> {
    const last: Partial<Record<"stock" | "leaf", Replay>> = {};
    const cpu: Record<"stock" | "leaf", number[]> = { stock: [], leaf: [] };
    const replay = async (name: "stock" | "leaf", port: number) => {
      const { pid } = name === "leaf" ? this.leaf : this.server;
      const before = cpuMilliseconds(pid);
      last[name] = await replayClone(port);
      cpu[name].push(cpuMilliseconds(pid) - before);
      return last[name].milliseconds;
    };
    const leafPort = Number(new URL(this.leaf.url).port);
    const samples = await alternate(this.runs, {
      stock: () => replay("stock", this.server.port),
      leaf: () => replay("leaf", leafPort),
    });
    for (const name of ["stock", "leaf"] as const) {
      const { rounds, bytes, firstRoundMs } = last[name]!;
      this.report.note(
        `${name}: ${rounds} rounds, ${bytes} bytes, first round ${firstRoundMs.toFixed(0)} ms`,
      );
    }
    this.addRatio("clone rounds, to last byte", samples, 1.0);
    for (const name of ["stock", "leaf"] as const) {
      const counted = cpu[name].slice(1);
      this.report.add({
        name: `${name}, processor time`,
        value: median(counted),
        unit: "ms",
        samples: counted,
      });
    }
  }

  private async wholeClones(): Promise<void> {
    const samples = await alternate(this.runs, {
      stock: () => timed(() => this.clone(this.server.url)),
      leaf: () => timed(() => this.clone(this.leaf.url)),
    });
    this.addRatio("fossil clone, whole", samples, 1.05);
  }

  /** Medians are what counts. The best of each says what the programs need when nobody disturbs them. */
  private addRatio(name: string, samples: Record<"stock" | "leaf", number[]>, limit: number): void {
    const [stock, leaf] = [median(samples.stock), median(samples.leaf)];
    this.report.add({
      name: `${name}: from fossil server`,
      value: stock,
      unit: "ms",
      samples: samples.stock,
    });
    this.report.add({ name: `${name}: from the leaf`, value: leaf, unit: "ms", samples: samples.leaf });
    this.report.add({ name: `${name}: ratio`, value: leaf / stock, unit: "", limit });
    const best = Math.min(...samples.leaf) / Math.min(...samples.stock);
    this.report.add({ name: `${name}: ratio of the best`, value: best, unit: "" });
  }

  private async concurrentClones(when: string): Promise<void> {
    const health = new LatencyProbe(`${this.leaf.url}/healthz`);
    await using control = await ControlServer.start();
    const floor = new LatencyProbe(control.url);
    const expected = artifactSet(this.leafFile).filter((line) => !line.endsWith(" private")).length;
    const counts: number[] = [];
    const elapsed = await timed(async () => {
      const started = Array.from({ length: this.clones }, () => this.clone(this.leaf.url));
      counts.push(...(await Promise.all(started)));
    });
    const [latencies, floors] = [await health.stop(), await floor.stop()];
    const incomplete = counts.filter((count) => count !== expected).length;
    const name = `${this.clones} clones at once${when}`;
    this.report.add({ name: `${name}: incomplete`, value: incomplete, unit: "clones", limit: 0 });
    this.report.add({ name: `${name}: all done`, value: elapsed, unit: "ms" });
    const p99 = percentile(latencies, 99);
    this.report.add({ name: `${name}: /healthz p99`, value: p99, unit: "ms", limit: HEALTH_P99_MAX_MS });
    const most = percentile(latencies, 100);
    const machine = percentile(floors, 99);
    this.report.add({ name: `${name}: /healthz longest of ${latencies.length}`, value: most, unit: "ms" });
    this.report.add({ name: `${name}: an idle server's p99`, value: machine, unit: "ms" });
  }

  private async whileRebuilding(): Promise<void> {
    let rebuilding = true;
    let rebuilds = 0;
    const rebuilder = (async () => {
      while (rebuilding) {
        await this.stock.ok(["rebuild", this.leafFile], { timeoutMs: 3_600_000 });
        rebuilds++;
      }
    })();
    await this.concurrentClones(" during a rebuild");
    rebuilding = false;
    await rebuilder;
    this.report.note(`${rebuilds} rebuilds by stock meanwhile`);
  }

  /** Clones with stock. Returns how many artifacts arrived. */
  private async clone(url: string): Promise<number> {
    const file = this.temp.join(`clone-${this.cloneNumber++}.fossil`);
    const result = await this.stock.run(["clone", url, file, "--no-open"], { timeoutMs: 3_600_000 });
    if (result.code !== 0) throw new StockError(`the clone ended with ${result.code}: ${result.stderr}`);
    const count = artifactSet(file).length;
    rmSync(file);
    return count;
  }

  private addMemory(name: string): void {
    const value = this.leaf.peakMemoryBytes() / 1e6;
    this.report.add({ name, value, unit: "MB", limit: MEMORY_MAX_MB });
  }
}

/** Processor time of a process and of its children that ended, in milliseconds. Linux only. */
function cpuMilliseconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 15).reduce((ticks, field) => ticks + Number(field), 0) * 10;
}

class ControlServer {
  private constructor(
    readonly url: string,
    private readonly child: Bun.Subprocess<"pipe", "pipe", "inherit">,
  ) {}

  static async start(): Promise<ControlServer> {
    const words = [process.execPath, join(import.meta.dirname, "control-server.ts")];
    const child = Bun.spawn(words, { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    const { value } = await child.stdout.getReader().read();
    return new ControlServer(text(value!).trim(), child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child.stdin.end();
    await this.child.exited;
  }
}

/** Asks for a URL again and again, one request at a time, each on a connection of its own. */
class LatencyProbe {
  private readonly latencies: number[] = [];
  private isRunning = true;
  private readonly ended: Promise<void>;

  constructor(url: string) {
    this.ended = (async () => {
      while (this.isRunning) {
        this.latencies.push(
          await timed(async () => {
            const answer = await fetch(url, { keepalive: false });
            await answer.arrayBuffer();
            if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
          }),
        );
        await Bun.sleep(PROBE_PAUSE_MS);
      }
    })();
  }

  /** Milliseconds of each answer. */
  async stop(): Promise<readonly number[]> {
    this.isRunning = false;
    await this.ended;
    return this.latencies;
  }
}

await ServeBench.run();
