/**
 * Commands on a checkout of 10,000 files, each beside stock's: `bench/commands.ts [--runs 7] [--files 10000]`.
 *
 * Runs alternate; medians are compared. Short commands may take 15 ms more than stock's, for the start of the runtime; long
 * ones no longer than stock's. The executable of EDGESYNC_TEST_BINARY is measured, else the sources. Besides wall time, which other
 * work on the machine disturbs, the quickest run and the processor time of both are printed.
 */
import { appendFileSync, cpSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { utf8 } from "../src/bytes.ts";
import { systemClock } from "../src/clock.ts";
import { seededRandom, systemRandom } from "../src/random.ts";
import { Repo } from "../src/repo.ts";
import { addInitialCheckIn, commit } from "../src/repo-checkin.ts";
import { edgesyncWords } from "../tests/interop/leaf-process.ts";
import { newestStock, stockEnv } from "../tests/interop/stock.ts";
import { TempDir } from "../tests/temp-dir.ts";
import { median, numberOption, Report } from "./harness.ts";
import { type Measured, measureProcess } from "./measured-process.ts";

const ABOVE_STOCK_MAX_MS = 15;
const RATIO_MAX = 1;

const runs = numberOption("runs", 7);
const fileCount = numberOption("files", 10_000);
const report = new Report("commands");
const stock = newestStock();
const env = { ...stockEnv("dev"), EDGESYNC_USER: "dev" };
using temp = new TempDir("commands");

/** A repository with so many files, in folders of a hundred, changed in ten check-ins. */
function makeRepository(): string {
  const path = temp.join("project.fossil");
  const random = seededRandom(1n);
  const repo = Repo.create(path, {
    clock: systemClock,
    random: systemRandom,
    user: "dev",
    initialize: (created) => addInitialCheckIn(created, "dev"),
  });
  const text = (i: number, round: number) =>
    utf8(
      Array.from(
        { length: 20 },
        (_, line) => `file ${i}, line ${line}, ${line === round ? random.float() : ""}\n`,
      ).join(""),
    );
  const name = (i: number) => `folder-${Math.floor(i / 100)}/file-${i}.txt`;
  for (let round = 0; round < 10; round++) {
    const step = round === 0 ? 1 : 50;
    const edits = [];
    for (let i = round; i < fileCount; i += step) edits.push({ name: name(i), content: text(i, round) });
    if (round === 0) for (let i = 0; i < 1; i++) edits.push({ name: "README", content: utf8("about\n") });
    commit(repo, {
      edits,
      comment: `round ${round}`,
      user: "dev",
      date: Date.UTC(2025, 0, 1 + round) + 40 * 31_536_000_000,
      allow: { older: true },
    });
  }
  repo.close();
  return path;
}

class Side {
  readonly repository: string;
  readonly tree: string;

  constructor(
    readonly name: "edgesync" | "fossil",
    origin: string,
  ) {
    this.repository = temp.join(`${name}.fossil`);
    cpSync(origin, this.repository);
    this.tree = temp.folder(name);
  }

  async run(ours: readonly string[], theirs: readonly string[]): Promise<Measured> {
    const words = this.name === "edgesync" ? [...edgesyncWords(), "repo", ...ours] : [stock.path, ...theirs];
    const here = process.cwd();
    process.chdir(this.tree);
    try {
      return await measureProcess(words, env);
    } finally {
      process.chdir(here);
    }
  }
}

interface Case {
  readonly name: string;
  readonly kind: "short" | "long";
  readonly ours: readonly string[];
  readonly theirs: readonly string[];
  /** Before each run, not measured. */
  readonly before?: (side: Side, round: number) => unknown;
  readonly runs?: number;
}

async function measure(sides: readonly Side[], item: Case): Promise<void> {
  const samples = new Map<string, Measured[]>(sides.map(({ name }) => [name, []]));
  const rounds = item.runs ?? runs;
  for (let round = -1; round < rounds; round++) {
    for (const side of sides) {
      await item.before?.(side, round);
      const measured = await side.run(item.ours, item.theirs);
      if (round >= 0) samples.get(side.name)!.push(measured);
    }
  }
  const of = (name: string, key: "wallMs" | "processorMs") => samples.get(name)!.map((each) => each[key]);
  const wall = (name: string) => median(of(name, "wallMs"));
  const [mine, other] = [wall("edgesync"), wall("fossil")];
  const told = (name: string) => {
    const quickest = Math.min(...of(name, "wallMs")).toFixed(0);
    const processor = median(of(name, "processorMs")).toFixed(0);
    return `${wall(name).toFixed(0)} ms (quickest ${quickest}, processor ${processor})`;
  };
  if (item.kind === "short") {
    report.add({
      name: `${item.name}: above stock`,
      value: mine - other,
      unit: "ms",
      limit: ABOVE_STOCK_MAX_MS,
    });
  } else {
    report.add({ name: `${item.name}: of stock's time`, value: mine / other, unit: "×", limit: RATIO_MAX });
  }
  report.note(`${item.name}: ${told("edgesync")} against ${told("fossil")}`);
}

function forget(side: Side): void {
  rmSync(side.tree, { recursive: true, force: true });
  temp.folder(side.name);
}

const origin = makeRepository();
const sides = [new Side("edgesync", origin), new Side("fossil", origin)];
const fileOf = (side: Side) => join(side.tree, "folder-7/file-777.txt");

await measure(sides, {
  name: `open of ${fileCount} files`,
  kind: "long",
  ours: ["open", "-R", "../edgesync.fossil", "-q"],
  theirs: ["open", "../fossil.fossil"],
  before: forget,
  runs: Math.min(3, runs),
});
for (const side of sides) await side.run(["status"], ["status"]);
await measure(sides, {
  name: `status of ${fileCount} files`,
  kind: "short",
  ours: ["status"],
  theirs: ["status"],
});
await measure(sides, {
  name: `status after one edit`,
  kind: "short",
  ours: ["status"],
  theirs: ["status"],
  before: (side, round) => appendFileSync(fileOf(side), `edit ${round}\n`),
});
await measure(sides, {
  name: "diff of one edit",
  kind: "short",
  ours: ["diff"],
  theirs: ["diff", "--internal"],
});
await measure(sides, { name: "ls", kind: "short", ours: ["ls"], theirs: ["ls"] });
await measure(sides, { name: "extras", kind: "short", ours: ["extras"], theirs: ["extras"] });
await measure(sides, {
  name: `ci of one among ${fileCount} files`,
  kind: "short",
  ours: ["ci", "-m", "one file", "--allow-older"],
  theirs: ["commit", "-m", "one file", "--no-warnings", "--allow-older", "--nosign"],
  before: (side, round) => writeFileSync(fileOf(side), `round ${round}\n`.repeat(20 + round)),
});
await measure(sides, {
  name: "co of a check-in 9 rounds back and forth",
  kind: "long",
  ours: ["co", "tag:trunk"],
  theirs: ["checkout", "tag:trunk"],
  before: (side) => side.run(["co", "start:trunk", "-q"], ["checkout", "start:trunk"]),
  runs: Math.min(3, runs),
});
await measure(sides, { name: "timeline", kind: "short", ours: ["timeline"], theirs: ["timeline"] });
await measure(sides, {
  name: "cat of a file",
  kind: "short",
  ours: ["cat", "README"],
  theirs: ["cat", "README", "-r", "tip"],
});
report.finish();
