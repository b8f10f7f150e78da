/**
 * The delta codec against stock's: size of what is made, speed of making and applying.
 *
 * Usage: bun bench/delta.ts [GIT-FOLDER]
 *
 * Pairs are generated ones and, given a git repository, consecutive versions of its files, newest first. Stock's codec
 * runs as SQL functions inside one process per measurement, with the pairs in memory, and reports its own user
 * time; ours is measured in user time too (which includes the compiler and collector threads), warmed
 * up, alternating with stock. Figures are medians. "deflated" compares what a repository stores.
 */
import { latin1, text } from "../src/bytes.ts";
import { applyDelta } from "../src/delta-decode.ts";
import { createDelta } from "../src/delta-encode.ts";
import { seededRandom } from "../src/random.ts";
import { deflate } from "../src/zlib.ts";
import { evolvingSource, type Pair, realisticPairs } from "../tests/delta-pairs.ts";
import { newestStock } from "../tests/interop/stock.ts";
import { TempDir } from "../tests/temp-dir.ts";

const ROUNDS = 5;
const PAIR_MAX_COUNT = 500;
/** One measurement repeats a set of pairs until it has made about this much. */
const PASS_BYTES = 15_000_000;

interface Figures {
  readonly create: number;
  readonly apply: number;
}

function main(): void {
  const sets = new Map<string, Pair[]>();
  for (const pair of realisticPairs(1n, 4)) {
    const set = sets.get(pair.name) ?? [];
    set.push(pair);
    sets.set(pair.name, set);
  }
  sets.set("source of 10 MB", evolvingSource(seededRandom(2n), 300_000, 1, 2000));
  const folder = process.argv[2];
  if (folder !== undefined) sets.set(`git ${folder.split("/").at(-1)}`, gitPairs(folder));

  const stock = newestStock();
  console.log(
    `ours against fossil ${stock.version}, medians of ${ROUNDS}, MB of target per second of user time\n`,
  );
  const head = [
    "pairs",
    "target",
    "size ratio",
    "deflated",
    "create",
    "stock",
    "time ratio",
    "apply",
    "stock",
  ];
  console.log(row("", head));
  for (const [name, pairs] of sets) console.log(row(name, compare(pairs)));
}

function compare(pairs: readonly Pair[]): string[] {
  const targetBytes = sum(pairs.map(({ target }) => target.length));
  const repeats = Math.max(1, Math.round(PASS_BYTES / targetBytes));
  using dir = new TempDir("bench-delta");
  const deltas = pairs.map(({ source, target }) => createDelta(source, target));
  for (const [i, { source, target }] of pairs.entries()) {
    dir.write(`source-${i}`, source);
    dir.write(`target-${i}`, target);
    dir.write(`ours-${i}`, deltas[i]!);
  }
  const sizes = stockSizes(dir, pairs.length);

  ours(pairs, deltas, repeats);
  const rounds = Array.from({ length: ROUNDS }, () => ({
    ours: ours(pairs, deltas, repeats),
    stock: stockTimes(dir, pairs.length, repeats),
  }));
  const speed = (who: "ours" | "stock", what: keyof Figures) =>
    (targetBytes * repeats) / 1e6 / median(rounds.map((round) => round[who][what]));
  const create = { ours: speed("ours", "create"), stock: speed("stock", "create") };
  return [
    String(pairs.length),
    `${(targetBytes / 1e6).toFixed(2)} MB`,
    (sum(deltas.map((delta) => delta.length)) / sizes.made).toFixed(3),
    (sum(deltas.map((delta) => deflate(delta).length)) / sizes.deflated).toFixed(3),
    create.ours.toFixed(0),
    create.stock.toFixed(0),
    (create.stock / create.ours).toFixed(2),
    speed("ours", "apply").toFixed(0),
    speed("stock", "apply").toFixed(0),
  ];
}

function ours(pairs: readonly Pair[], deltas: readonly Uint8Array[], repeats: number): Figures {
  const seconds = (act: (pair: Pair, delta: Uint8Array) => unknown) => {
    Bun.gc(true);
    const start = process.cpuUsage().user;
    for (let n = 0; n < repeats; n++) for (const [i, pair] of pairs.entries()) act(pair, deltas[i]!);
    return (process.cpuUsage().user - start) / 1e6;
  };
  return {
    create: seconds(({ source, target }) => createDelta(source, target)),
    apply: seconds(({ source }, delta) => applyDelta(source, delta)),
  };
}

/** Statements that load the files of `dir` into a table in memory. */
function load(count: number): string[] {
  const numbers = `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${count - 1})`;
  return [
    "CREATE TEMP TABLE pair(source BLOB, target BLOB, ours BLOB)",
    `${numbers} INSERT INTO pair
       SELECT readfile('source-' || i), readfile('target-' || i), readfile('ours-' || i) FROM n`,
  ];
}

function sql(dir: TempDir, statements: readonly string[]): string {
  const input = `.mode list\n.headers off\nPRAGMA temp_store = MEMORY;\n${statements.join(";\n")};\n`;
  return newestStock().okSync(["sql", "--no-repository"], { cwd: dir.path, input });
}

function stockSizes(dir: TempDir, count: number): { made: number; deflated: number } {
  const output = sql(dir, [...load(count), "SELECT hex(delta_create(source, target)) FROM pair"]);
  const deltas = output
    .trim()
    .split("\n")
    .map((hex) => Buffer.from(hex.trim(), "hex"));
  return {
    made: sum(deltas.map((delta) => delta.length)),
    deflated: sum(deltas.map((delta) => deflate(delta).length)),
  };
}

function stockTimes(dir: TempDir, count: number, repeats: number): Figures {
  const times = `WITH RECURSIVE t(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM t WHERE k < ${repeats})`;
  // `+ k` on a length keeps SQLite from running the function once for all repeats.
  const output = sql(dir, [
    ...load(count),
    "SELECT 'measure'",
    ".timer on\nSELECT 'on'",
    `${times} SELECT sum(length(delta_create(source, target)) + k) FROM t, pair`,
    `${times} SELECT sum(length(delta_apply(source, ours)) + k) FROM t, pair`,
    `${times} SELECT sum(length(source) + length(target) + k) FROM t, pair`,
  ]);
  const users = [...output.matchAll(/user ([0-9.]+)/g)].map(([, seconds]) => Number(seconds));
  const [, create, apply, idle] = users;
  if (create === undefined || apply === undefined || idle === undefined)
    throw new Error(`no times in: ${output}`);
  return { create: Math.max(create - idle, 1e-6), apply: Math.max(apply - idle, 1e-6) };
}

/** Each change of a file as a pair: contents before and after. */
function gitPairs(folder: string): Pair[] {
  const git = (args: string[], input = "") =>
    Bun.spawnSync(["git", "-C", folder, ...args], { stdin: Buffer.from(input), maxBuffer: 2 ** 31 }).stdout;
  const log = ["log", "--raw", "--no-abbrev", "--no-renames", "--diff-filter=M", "--format=", "-n", "1000"];
  const changes = [...text(git(log)).matchAll(/^:\d+ 100\d+ (\w+) (\w+) M/gm)].slice(0, PAIR_MAX_COUNT);
  const output = git(["cat-file", "--batch"], `${changes.flatMap(([, a, b]) => [a, b]).join("\n")}\n`);
  const contents: (Uint8Array | undefined)[] = [];
  for (let at = 0; at < output.length; ) {
    const start = output.indexOf(10, at) + 1;
    const [, kind, size] = latin1(output, at, start).split(" ");
    // "<id> missing": a partial clone.
    const end = kind === "blob" ? start + Number(size) : start;
    contents.push(kind === "blob" ? new Uint8Array(output.subarray(start, end)) : undefined);
    at = kind === "blob" ? end + 1 : end;
  }
  return changes.flatMap((_, i) => {
    const [source, target] = [contents[2 * i], contents[2 * i + 1]];
    return source === undefined || target === undefined ? [] : [{ name: "git", source, target }];
  });
}

function row(name: string, cells: readonly string[]): string {
  return name.padEnd(22) + cells.map((cell) => cell.padStart(11)).join("");
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

main();
