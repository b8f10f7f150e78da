/**
 * What has changed, told by size, time and permission alone (the setting `mtime-changes` is on): two trees that the same things happen
 * to, one asked by `edgesync`, the other by `fossil`. Contents and times come from a seed.
 */
import { expect, test } from "bun:test";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { seededRandom } from "../../../src/random.ts";
import { stocks } from "../stock.ts";
import { CheckoutPair } from "./two-checkouts.ts";

const NAMES = [...Array(34).keys()].map((i) => (i % 3 === 0 ? `top ${i}` : `sub-${i % 3}/dé${i}/file`));
/** Executable, and of the size of an empty folder. */
const FOLDER_LIKE = "like a folder";
const ROUNDS = 8;
const TIME_S = 1_700_000_000;

/** What may happen to a file; the number decides about content and time. */
const EVENTS: Readonly<Record<string, (path: string, number: number) => void>> = {
  touch: (path, number) => utimesSync(path, TIME_S + number, TIME_S + number),
  "touch within the second": (path) => {
    const second = Math.floor(statSync(path).mtimeMs / 1000);
    utimesSync(path, second + 0.25, second + 0.75);
  },
  "time before 1970": (path, number) => utimesSync(path, -number - 1.5, -number - 1.5),
  "same size": (path, number) =>
    put(path, `${"abcdefgh"[number % 8]}`.repeat(statSync(path).size), TIME_S + number),
  "same size, same second": (path, number) =>
    put(path, `${"abcdefgh"[number % 8]}`.repeat(statSync(path).size), statSync(path).mtimeMs / 1000),
  longer: (path, number) => put(path, "longer\n".repeat(number + 1), TIME_S + number),
  "longer, same second": (path, number) =>
    put(path, "longer\n".repeat(number + 1), statSync(path).mtimeMs / 1000),
  empty: (path, number) => put(path, "", TIME_S + number),
  executable: (path) => chmodSync(path, 0o755),
  "others execute": (path) => chmodSync(path, 0o655),
  ordinary: (path) => chmodSync(path, 0o644),
  gone: (path) => rmSync(path),
  link: (path) => {
    rmSync(path);
    symlinkSync("link target", path);
  },
  "link to a file": (path, number) => {
    rmSync(path);
    put(`${path}.other`, "other\n", TIME_S + number);
    symlinkSync(`${path.split("/").at(-1)}.other`, path);
  },
  "link to what it was": (path) => {
    renameSync(path, `${path}.moved`);
    symlinkSync(`${path.split("/").at(-1)}.moved`, path);
  },
  folder: (path) => {
    rmSync(path);
    mkdirSync(path);
  },
  "folder of its size and time": (path) => {
    const { mtimeMs, mode } = statSync(path);
    rmSync(path);
    mkdirSync(path);
    chmodSync(path, mode & 0o777);
    utimesSync(path, mtimeMs / 1000, mtimeMs / 1000);
  },
};

function put(path: string, content: string, timeS: number): void {
  writeFileSync(path, content);
  utimesSync(path, timeS, timeS);
}

const asks = [["changes"], ["status"], ["changes", "--all"]] as const;

test.each(
  stocks().flatMap((stock) =>
    ["off", "on"].map((links, i) => [stock.version, links, stock, BigInt(i)] as const),
  ),
)(
  "fossil %s, links %s: files are told apart alike",
  async (_, links, stock, seed) => {
    using pair = new CheckoutPair(stock);
    pair.base("settings", "mtime-changes", "on");
    pair.base("settings", "allow-symlinks", links);
    for (const name of NAMES) pair.write(name, `${name}\n`.repeat(3));
    pair.write(FOLDER_LIKE, "x".repeat(statSync(pair.dir.folder("empty")).size));
    for (const name of [FOLDER_LIKE, NAMES[1]!]) chmodSync(join(pair.tree("base"), name), 0o755);
    pair.commit("one");
    const { ours, theirs } = pair.fork();
    const random = seededRandom(seed);
    const any = (count: number) => Math.floor(random.float() * count);
    const said: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const events: (readonly [string, string])[] = Object.keys(EVENTS).map((event, i) => [NAMES[i]!, event]);
      events.push([FOLDER_LIKE, "folder of its size and time"]);
      const some = () => [NAMES[any(NAMES.length)]!, events[any(events.length)]![1]] as const;
      for (const [name, event] of round === 0 ? events : [some(), some(), some()]) {
        const number = any(50);
        said.push(`${event} ${name} ${number}`);
        for (const copy of [ours, theirs]) happen(join(pair.tree(copy), name), event, number);
      }
      for (const words of asks) {
        const mine = (await pair.edgesync(ours, ...words)).stdout.replaceAll(ours, "COPY");
        const other = pair.fossil(theirs, ...words).stdout.replaceAll(theirs, "COPY");
        expect(`${said.join("\n")}\n${files(mine)}`).toBe(`${said.join("\n")}\n${files(other)}`);
      }
      expect([said, rows(pair, ours)]).toEqual([said, rows(pair, theirs)]);
    }
  },
  60_000,
);

/** Only where there is an ordinary file. */
function happen(path: string, event: string, number: number): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile()) EVENTS[event]!(path, number);
}

/** The lines about files: a word in capitals and a name. */
function files(output: string): string {
  return output
    .split("\n")
    .filter((line) => /^[A-Z_]+ /.test(line))
    .join("\n");
}

const rows = (pair: CheckoutPair, copy: string) => pair.tables(copy)["vfile"];
