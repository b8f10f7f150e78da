/**
 * A merge across 1,000 check-ins beside stock's: `bench/merge.ts [--runs 5] [--files 2000] [--checkins 500]`. Two branches of
 * so many check-ins each, in files some of which both changed, without conflicts.
 *
 * Runs alternate, each on a new copy of one checkout. The copies before it stay until the end: ext4 passes over inodes that were
 * freed in the last five seconds one by one whenever a file is made, which would be charged to whoever makes files. Medians are compared. The executable of EDGESYNC_TEST_BINARY is measured, else the
 * sources. Besides wall time, which other work on the machine disturbs, processor time of both is printed.
 */
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { utf8 } from "../src/bytes.ts";
import { systemClock } from "../src/clock.ts";
import { Db } from "../src/db.ts";
import { randomBelow, seededRandom, systemRandom } from "../src/random.ts";
import { Repo } from "../src/repo.ts";
import { addInitialCheckIn, commit } from "../src/repo-checkin.ts";
import { edgesyncWords } from "../tests/interop/leaf-process.ts";
import { newestStock, stockEnv } from "../tests/interop/stock.ts";
import { TempDir } from "../tests/temp-dir.ts";
import { median, numberOption, Report } from "./harness.ts";
import { type Measured, measureProcess } from "./measured-process.ts";

const RATIO_MAX = 1;
const LINE_COUNT = 60;
const FIRST_DATE_MS = Date.UTC(2035, 0, 1);

const runs = numberOption("runs", 5);
const fileCount = numberOption("files", 2000);
const checkInCount = numberOption("checkins", 500);
const report = new Report("merge");
const stock = newestStock();
const env = { ...stockEnv("dev"), EDGESYNC_USER: "dev" };
using temp = new TempDir("merge", "disk");

/** The branches trunk and side: trunk changes the end of files, side their beginning; one in three files may be of both. */
function makeRepository(): string {
  const path = temp.join("project.fossil");
  const random = seededRandom(3n);
  const repo = Repo.create(path, {
    clock: systemClock,
    random: systemRandom,
    user: "dev",
    initialize: (created) => addInitialCheckIn(created, "dev"),
  });
  // Reading all files for the R card of a thousand check-ins would take minutes, and merges do not look at it.
  repo.config.set("repo-cksum", "0");
  const first = Array.from({ length: fileCount }, (_, i) =>
    Array.from({ length: LINE_COUNT }, (_, line) => `file ${i} line ${line} ${random.float()}`),
  );
  const put = (i: number, lines: readonly string[]) => ({
    name: `folder-${i % 50}/file-${i}.txt`,
    content: utf8(`${lines.join("\n")}\n`),
  });
  const root = commit(repo, {
    edits: first.map((lines, i) => put(i, lines)),
    comment: "all",
    user: "dev",
    date: FIRST_DATE_MS,
  });
  let minutes = 0;
  for (const isSide of [false, true]) {
    const texts = first.map((lines) => [...lines]);
    let parent = root.rid;
    for (let round = 0; round < checkInCount; round++) {
      const isShared = randomBelow(random, 3) === 0;
      const i = randomBelow(random, Math.floor(fileCount / 2)) * 2 + (isSide === isShared ? 1 : 0);
      texts[i]![isSide ? randomBelow(random, 20) : 40 + randomBelow(random, 20)] = `round ${round}`;
      parent = commit(repo, {
        edits: [put(i, texts[i]!)],
        comment: `round ${round}`,
        user: "dev",
        date: FIRST_DATE_MS + ++minutes * 60_000,
        parent,
        ...(isSide && round === 0 && { branch: "side" }),
        allow: { fork: true, older: true },
      }).rid;
    }
  }
  repo.close();
  return path;
}

/** A checkout of trunk, copied for each run. */
function makeCheckout(repository: string): string {
  const folder = temp.join("origin");
  mkdirSync(folder);
  stock.okSync(["open", repository, "trunk"], { cwd: folder });
  return folder;
}

function copyFor(name: string, repository: string, checkout: string): string {
  const [file, tree] = [temp.join(`${name}.fossil`), temp.join(name)];
  cpSync(repository, file);
  cpSync(checkout, tree, { recursive: true, preserveTimestamps: true });
  const db = Db.open(join(tree, ".fslckout"), { mode: "write" });
  db.prepare("UPDATE vvar SET value=? WHERE name='repository'").run(file);
  db.close();
  return tree;
}

const repository = makeRepository();
const checkout = makeCheckout(repository);
const COMMANDS: readonly (readonly [name: string, words: readonly string[]])[] = [
  ["edgesync", [...edgesyncWords(), "repo", "merge", "--no-sync", "side"]],
  ["fossil", [stock.path, "merge", "--nosync", "side"]],
];
const samples = new Map<string, Measured[]>(COMMANDS.map(([name]) => [name, []]));
const here = process.cwd();
for (let round = -1; round < runs; round++) {
  for (const [name, words] of COMMANDS) {
    process.chdir(copyFor(`${name}-${round + 1}`, repository, checkout));
    const measured = await measureProcess(words, env);
    process.chdir(here);
    if (round >= 0) samples.get(name)!.push(measured);
  }
}
const of = (name: string, key: "wallMs" | "processorMs") =>
  median(samples.get(name)!.map((each) => each[key]));
const [mine, other] = [of("edgesync", "wallMs"), of("fossil", "wallMs")];
report.add({
  name: `merge across ${2 * checkInCount} check-ins: of stock's time`,
  value: mine / other,
  unit: "×",
  limit: RATIO_MAX,
});
report.add({
  name: `merge across ${2 * checkInCount} check-ins: of stock's processor time`,
  value: of("edgesync", "processorMs") / of("fossil", "processorMs"),
  unit: "×",
});
const shown = (name: string) =>
  `${of(name, "wallMs").toFixed(0)} ms (processor ${of(name, "processorMs").toFixed(0)})`;
report.note(`${shown("edgesync")} against ${shown("fossil")}`);
report.finish();
