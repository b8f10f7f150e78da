/**
 * Cloning, rebuilding and verifying, against stock Fossil on the same large repository.
 *
 *     clone       `edgesync repo clone`, every artifact verified, over `fossil clone`, which verifies none;
 *                 both from `fossil server`; and the most memory our process ever had
 *     no-verify   `edgesync repo clone --no-verify` over `fossil clone`
 *     rebuild     `edgesync repo rebuild` over `fossil rebuild`
 *     verify      `edgesync repo verify` over `fossil test-integrity`
 *
 * Runs of the two programs alternate; medians count. Beside wall time stands the processor time of each (user and
 * system, of that process alone), which a busy machine changes less.
 *
 * Usage: bun bench/clone.ts [--part NAME] [--runs 5] [--small] [--json]
 * EDGESYNC_TEST_BINARY names the executable; without it ours runs from source. `--small` takes the tests'
 * fixture instead of the large repository, to try the bench itself.
 */
import { copyFileSync, rmSync } from "node:fs";
import { fixture } from "../tests/interop/fixture.ts";
import { edgesyncWords } from "../tests/interop/leaf-process.ts";
import { newestStock, type Stock, type StockServer, stockEnv } from "../tests/interop/stock.ts";
import { TempDir } from "../tests/temp-dir.ts";
import { alternate, median, numberOption, Report, wordOption } from "./harness.ts";
import { benchRepository, describeRepository } from "./make-repo.ts";
import { type Measured, measureProcess } from "./measured-process.ts";

const PEAK_MAX_MB = 250;

type Side = "stock" | "ours";
type Words = (target: string) => readonly string[];

class CloneBench {
  private readonly report = new Report("clone");
  private readonly runs = numberOption("runs", 5);
  private runNumber = 0;

  private constructor(
    private readonly stock: Stock,
    private readonly temp: TempDir,
    private readonly source: string,
    private readonly server: StockServer,
  ) {}

  static async run(): Promise<void> {
    const stock = newestStock();
    const source = process.argv.includes("--small") ? await fixture(stock) : await benchRepository(stock);
    using temp = new TempDir("bench-clone", "disk");
    const served = temp.join("served.fossil");
    copyFileSync(source, served);
    await using server = await stock.serve(served);
    const bench = new CloneBench(stock, temp, source, server);
    bench.report.note(`stock ${stock.version}; ${describeRepository(source)}`);
    const parts: Readonly<Record<string, () => Promise<void>>> = {
      clone: () => bench.clones([], 0.6),
      "no-verify": () => bench.clones(["--no-verify"], 0.4),
      rebuild: () => bench.rebuilds(),
      verify: () => bench.verifications(),
    };
    const only = wordOption("part");
    if (only !== undefined && !Object.hasOwn(parts, only)) throw new Error(`no part is named ${only}`);
    for (const [name, part] of Object.entries(parts)) if (only === undefined || only === name) await part();
    bench.report.finish();
  }

  private async clones(options: readonly string[], limit: number): Promise<void> {
    const { url } = this.server;
    const peak = await this.compare(["repo clone", ...options].join(" "), limit, false, {
      stock: (target) => [this.stock.path, "clone", url, target, "--no-open"],
      ours: (target) => [...edgesyncWords(), "repo", "clone", url, target, ...options],
    });
    const name = `repo clone ${options.join(" ")}: peak memory`;
    this.report.add({ name, value: peak / 1e6, unit: "MB", limit: PEAK_MAX_MB });
  }

  private async rebuilds(): Promise<void> {
    await this.compare("repo rebuild", 0.5, true, {
      stock: (file) => [this.stock.path, "rebuild", file],
      ours: (file) => [...edgesyncWords(), "repo", "rebuild", "-R", file],
    });
  }

  private async verifications(): Promise<void> {
    await this.compare("repo verify", 0.15, true, {
      stock: (file) => [this.stock.path, "test-integrity", "-R", file],
      ours: (file) => [...edgesyncWords(), "repo", "verify", "-R", file],
    });
  }

  /**
   * Runs both in turn, each on a file of its own: a copy of the repository, or one that is not there yet.
   *
   * @returns the most memory that ours had, in bytes
   */
  private async compare(
    name: string,
    limit: number,
    needsCopy: boolean,
    words: Readonly<Record<Side, Words>>,
  ): Promise<number> {
    const measured: Record<Side, Measured[]> = { stock: [], ours: [] };
    const measure = async (side: Side) => {
      const file = this.temp.join(`${side}-${this.runNumber++}.fossil`);
      if (needsCopy) copyFileSync(this.source, file);
      const result = await measureProcess(words[side](file), stockEnv());
      for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(file + suffix, { force: true });
      measured[side].push(result);
      return result.wallMs;
    };
    const samples = await alternate(this.runs, {
      stock: () => measure("stock"),
      ours: () => measure("ours"),
    });
    for (const side of ["stock", "ours"] as const) {
      const value = median(samples[side]);
      this.report.add({ name: `${name}: ${side}`, value, unit: "ms", samples: samples[side] });
    }
    const processor = (side: Side) => median(measured[side].slice(1).map((run) => run.processorMs));
    for (const side of ["stock", "ours"] as const) {
      this.report.add({ name: `${name}: ${side}, processor`, value: processor(side), unit: "ms" });
    }
    this.report.add({
      name: `${name}: ratio`,
      value: median(samples.ours) / median(samples.stock),
      unit: "",
      limit,
    });
    this.report.add({
      name: `${name}: ratio of processor time`,
      value: processor("ours") / processor("stock"),
      unit: "",
    });
    return Math.max(...measured.ours.map((run) => run.peakBytes));
  }
}

await CloneBench.run();
