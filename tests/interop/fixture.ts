/**
 * A small repository that has a bit of everything, made by stock alone: imported history in SHA1, then
 * what `stock-life.ts` does, in SHA3. About 400 artifacts. Built once per stock version and kept in `.cache/`
 * under a key of the generator's source and of the binary; never opened for writing there.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { sha1Hex } from "../../src/hash.ts";
import { TempDir } from "../temp-dir.ts";
import { fastExport, type HistoryProfile } from "./fast-export.ts";
import { newestStock, type Stock } from "./stock.ts";
import { live } from "./stock-life.ts";

/** Project folder for what can be made again; ignored by git. */
export const CACHE_FOLDER = join(import.meta.dirname, "../../.cache");

const GENERATOR = [
  "fast-export.ts",
  "stock-life.ts",
  "stock-code.ts",
  "stock-words.ts",
  "stock-hands.ts",
  "stock-browser.ts",
  "fixture.ts",
];

const SMALL: HistoryProfile = {
  seed: 1n,
  checkIns: 60,
  textFiles: 30,
  linesMean: 30,
  editsMean: 2,
  binaryFiles: 3,
  binaryBytes: 4000,
  largeFiles: 1,
  largeBytes: 60_000,
  branchesOpen: 4,
};

/** What changes when the generator does, or what else goes into the making: 16 hex digits. */
export function generatorKey(...more: readonly string[]): string {
  const sources = GENERATOR.map((name) => readFileSync(join(import.meta.dirname, name)));
  return sha1Hex(...sources, ...more).slice(0, 16);
}

/** The fixture made by `stock`: a path to read from. To change it, take `copyFixture`. */
export async function fixture(stock: Stock = newestStock()): Promise<string> {
  const kept = join(
    CACHE_FOLDER,
    `fixture-${stock.version}-${generatorKey(stock.okSync(["version"]))}.fossil`,
  );
  if (existsSync(kept)) return kept;
  using temp = new TempDir("fixture");
  const made = await makeFixture(stock, temp);
  mkdirSync(CACHE_FOLDER, { recursive: true });
  // Two test processes may be at it: each writes a file of its own, and the name appears whole.
  const mine = `${kept}.${process.pid}`;
  copyFileSync(made, mine);
  renameSync(mine, kept);
  return kept;
}

/** A fixture of one's own, in `folder`. */
export async function copyFixture(folder: TempDir, stock: Stock = newestStock()): Promise<string> {
  const to = folder.join(`fixture-${stock.version}.fossil`);
  copyFileSync(await fixture(stock), to);
  return to;
}

async function makeFixture(stock: Stock, temp: TempDir): Promise<string> {
  const repository = temp.join("fixture.fossil");
  await stock.ok(["init", "--sha1", repository, "-A", "dev"]);
  await stock.ok(["import", "--git", "--incremental", "--rename-master", "trunk", repository], {
    input: Buffer.concat([...fastExport(SMALL)]),
  });
  await stock.ok(["hash-policy", "sha3", "-R", repository]);
  await live(stock, repository, temp, 1);
  return repository;
}
