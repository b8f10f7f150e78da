/**
 * Commands on the content of a repository, each beside stock's: `bench/content.ts [--runs 3] [--files 2000] [--versions 500]`.
 *
 * Runs alternate; medians of wall time are compared, and those of processor time, which other work on the machine disturbs less,
 * are printed too. None of these commands is short: the bound is stock's time. The executable of EDGESYNC_TEST_BINARY is measured, else the
 * sources.
 */
import { cpSync } from "node:fs";
import { utf8 } from "../src/bytes.ts";
import { systemClock } from "../src/clock.ts";
import { randomBelow, seededRandom, systemRandom } from "../src/random.ts";
import { Repo } from "../src/repo.ts";
import { addInitialCheckIn, commit } from "../src/repo-checkin.ts";
import { edgesyncWords } from "../tests/interop/leaf-process.ts";
import { newestStock, stockEnv } from "../tests/interop/stock.ts";
import { TempDir } from "../tests/temp-dir.ts";
import { median, numberOption, Report } from "./harness.ts";
import { type Measured, measureProcess } from "./measured-process.ts";

const RATIO_MAX = 1;
const LINES_AT_FIRST = 1500;

const runs = numberOption("runs", 3);
const fileCount = numberOption("files", 2_000);
const versionCount = numberOption("versions", 500);
const report = new Report("content");
const stock = newestStock();
const env = { ...stockEnv("dev"), EDGESYNC_USER: "dev" };
using temp = new TempDir("content");

/** Many files in one check-in, and one file with many versions, some lines of it changed in each. */
function makeRepository(): string {
  const path = temp.join("project.fossil");
  const random = seededRandom(1n);
  const below = (count: number) => randomBelow(random, count);
  const repo = Repo.create(path, {
    clock: systemClock,
    random: systemRandom,
    user: "dev",
    initialize: (made) => addInitialCheckIn(made, "dev"),
  });
  const edit = (name: string, lines: readonly string[]) => ({ name, content: utf8(`${lines.join("\n")}\n`) });
  const line = () => (below(5) === 0 ? "}" : `  value${below(900)} = call(${below(100_000)});`);
  const many = (count: number) => Array.from({ length: count }, line);
  const files = Array.from({ length: fileCount }, (_, i) => edit(`folder${i % 40}/file${i}.c`, many(300)));
  // After the first check-in, which is of now.
  const date = Date.UTC(2060, 0, 1);
  commit(repo, { edits: files, comment: "files", user: "dev", date, allow: { older: true } });
  const lines = many(LINES_AT_FIRST);
  for (let version = 0; version < versionCount; version++) {
    for (let i = 0; i < 4; i++) lines.splice(below(lines.length), below(3), ...many(below(4)));
    const edits = [edit("long.c", lines)];
    const comment = `version ${version}`;
    commit(repo, {
      edits,
      comment,
      user: "dev",
      date: date + 60_000 * (version + 1),
      allow: { older: true },
    });
  }
  repo.close();
  return path;
}

const origin = makeRepository();
const [ours, theirs] = ["ours.fossil", "theirs.fossil"].map((name) => temp.join(name)) as [string, string];
for (const copy of [ours, theirs]) cpSync(origin, copy);
const checkout = temp.folder("checkout");
await stock.ok(["open", theirs], { cwd: checkout });
await stock.ok(["sql", "-R", theirs], {
  input: "REPLACE INTO config(name,value,mtime) VALUES('doc-glob','*',1),('doc-branch','trunk',1);",
});
await stock.ok(["fts-config", "-R", theirs, "enable", "all"]);
await stock.ok(["fts-config", "-R", theirs, "index", "on"]);

async function measure(name: string, words: readonly string[], stockWords: readonly string[]): Promise<void> {
  const own: Measured[] = [];
  const other: Measured[] = [];
  const here = process.cwd();
  process.chdir(checkout);
  for (let round = 0; round < runs; round++) {
    own.push(await measureProcess([...edgesyncWords(), "repo", ...words, "-R", ours], env));
    other.push(await measureProcess([stock.path, ...stockWords], env));
  }
  process.chdir(here);
  const of = (samples: readonly Measured[], key: "wallMs" | "processorMs") =>
    median(samples.map((each) => each[key]));
  const ratio = (key: "wallMs" | "processorMs") => of(own, key) / of(other, key);
  report.add({ name: `${name}: of stock's time`, value: ratio("wallMs"), unit: "×", limit: RATIO_MAX });
  report.add({ name: `${name}: of stock's processor time`, value: ratio("processorMs"), unit: "×" });
  const shown = (samples: readonly Measured[]) =>
    `${of(samples, "wallMs").toFixed(0)} ms (processor ${of(samples, "processorMs").toFixed(0)})`;
  report.note(`${name}: ${shown(own)} against ${shown(other)}`);
}

const out = (name: string) => temp.join(name);
await measure("zip", ["zip", "tip", out("a.zip")], ["zip", "tip", out("b.zip"), "-R", theirs]);
await measure("tar", ["tar", "tip", out("a.tgz")], ["tarball", "tip", out("b.tgz"), "-R", theirs]);
await measure(
  `annotate of ${versionCount} versions`,
  ["annotate", "long.c"],
  ["annotate", "-n", "none", "long.c"],
);
await measure("search --reindex", ["search", "--reindex"], ["fts-config", "-R", theirs, "reindex"]);
report.finish();
