/**
 * Derived tables against stock: those that grew here, artifact by artifact, in any order, and those of our
 * rebuild equal, row for row, those of `fossil rebuild` on the same file.
 */
import { describe, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { systemClock } from "../../src/clock.ts";
import type { Hash } from "../../src/hash.ts";
import { type Random, randomBelow, seededRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import type { Rid } from "../../src/repo-content.ts";
import { rebuildRepository } from "../../src/repo-rebuild.ts";
import { receiveAll } from "../../src/repo-receive.ts";
import { createTicketTables } from "../../src/repo-ticket-schema.ts";
import { TempDir } from "../temp-dir.ts";
import { artifactLife } from "./artifact-life.ts";
import { fixture } from "./fixture.ts";
import { newestStock, type Stock, stocks } from "./stock.ts";
import { DERIVED_TABLES, type Dump, diffDumps, dumpTables } from "./tables.ts";

interface Arrival {
  readonly hash: Hash;
  readonly content: Uint8Array;
  readonly isPrivate?: boolean;
}

type Settings = Readonly<Record<string, string>>;

/** Receives `arrivals` in batches of changing size into a new repository at `path`. */
function grow(path: string, arrivals: readonly Arrival[], random: Random, settings: Settings = {}): void {
  const repo = Repo.create(path, { clock: systemClock, random: seededRandom(1n), user: "dev" });
  for (const [name, value] of Object.entries(settings)) repo.config.set(name, value);
  repo.db.write(() => createTicketTables(repo));
  for (let at = 0; at < arrivals.length; ) {
    const end = at + 1 + randomBelow(random, 20);
    receiveAll(repo, { user: "dev", onWrong: "throw" }, (batch) => {
      for (const { isPrivate = false, ...incoming } of arrivals.slice(at, end)) {
        batch.receive(incoming, { isPrivate });
      }
    });
    at = end;
  }
  repo.close();
}

function shuffled<T>(list: readonly T[], random: Random): T[] {
  const out = [...list];
  for (let i = out.length - 1; i > 0; i--) {
    const j = randomBelow(random, i + 1);
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}

/**
 * What is derived in `file`, as far as it is the same in every version. 2.21 words attachments to unknown
 * targets and to forum posts in its own way, and its SQLite reads some decimal numbers as the double next to
 * the nearest one.
 */
function derived(file: string, stock: Stock): Dump {
  const dump = dumpTables(file, DERIVED_TABLES);
  if (stock.atLeast(2, 29)) return dump;
  const isAttachment = /^type=.* comment="(?:Add|Delete) attachment /;
  const rounded = (row: string) =>
    row.replace(/(time=)(\d+\.\d+)/g, (_all, name, day) => name + Number(day).toFixed(8));
  return new Map(
    [...dump].map(([table, rows]) => [table, rows.filter((row) => !isAttachment.test(row)).map(rounded)]),
  );
}

/** How `file` and our rebuild of it differ from stock's rebuild of it. */
async function differences(file: string, folder: TempDir, stock: Stock): Promise<string[]> {
  const [theirs, ours] = [folder.join("theirs.fossil"), folder.join("ours.fossil")];
  copyFileSync(file, theirs);
  copyFileSync(file, ours);
  await stock.ok(["rebuild", theirs]);
  const repo = Repo.open(ours, { mode: "write", clock: systemClock, random: seededRandom(1n) });
  const report = rebuildRepository(repo, { user: () => "dev", version: "test" });
  repo.close();
  expect(report.damaged).toEqual([]);
  const expected = derived(theirs, stock);
  return [
    ...diffDumps(expected, derived(file, stock), ["stock's rebuild", "as it grew"]),
    ...diffDumps(expected, derived(ours, stock), ["stock's rebuild", "our rebuild"]),
  ];
}

const TICKET_BASELINES = `
CREATE TABLE ticket(tkt_id INTEGER PRIMARY KEY, tkt_uuid TEXT UNIQUE, tkt_mtime DATE, title TEXT, status TEXT,
  comment TEXT, "baseline for comment" INTEGER, "baseline for title" INTEGER, votes INT, "odd name" TEXT,
  severity TEXT DEFAULT 'x');
CREATE TABLE ticketchng(tkt_id INTEGER REFERENCES ticket, tkt_rid INTEGER, tkt_mtime DATE, tkt_user TEXT,
  comment TEXT, icomment TEXT);`;

const TICKET_GENERATED = `-- one table; its mimetype is computed
CREATE TABLE ticket(tkt_id INTEGER PRIMARY KEY, tkt_uuid TEXT UNIQUE, tkt_mtime DATE, tkt_ctime DATE,
  title TEXT, status TEXT, comment TEXT, mimetype TEXT AS (CASE WHEN title GLOB '*see*' THEN 'text/x-markdown'
  WHEN status='Closed' THEN 'text/plain' END));
CREATE INDEX ticket_title ON ticket(title);
DROP VIEW IF EXISTS ticket_open; CREATE VIEW ticket_open AS SELECT * FROM ticket WHERE status='Open';`;

const TICKET_CHANGE_GENERATED = `
CREATE TABLE ticket(tkt_id INTEGER PRIMARY KEY, tkt_uuid TEXT UNIQUE, tkt_mtime DATE, title TEXT, status TEXT,
  comment TEXT, severity);
CREATE TABLE ticketchng(tkt_id INTEGER, tkt_mtime DATE, icomment TEXT, severity TEXT, comment TEXT,
  mimetype TEXT AS (iif(severity IS NULL,NULL,'text/x-markdown')));`;

const CASES: readonly (readonly [name: string, seed: bigint, settings: Settings])[] = [
  ["default settings", 1n, {}],
  ["default settings, another life", 2n, {}],
  ["baseline columns", 3n, { "ticket-table": TICKET_BASELINES }],
  [
    "a generated mimetype, other titles and digits, HTML wiki",
    4n,
    {
      "ticket-table": TICKET_GENERATED,
      "ticket-title-expr": "comment",
      "ticket-status-column": "title",
      "hash-digits": "14",
      "wiki-use-html": "1",
    },
  ],
  ["a generated mimetype of changes", 5n, { "ticket-table": TICKET_CHANGE_GENERATED, "hash-digits": "3" }],
];

describe.each(stocks().map((stock) => [stock.version, stock] as const))("fossil %s", (_version, stock) => {
  test.each(CASES)("any order of arrival: %s", async (_name, seed, settings) => {
    using folder = new TempDir("link");
    const random = seededRandom(seed);
    const file = folder.join("grown.fossil");
    grow(file, shuffled(artifactLife({ seed, steps: 70 }), random), random, settings);
    expect(await differences(file, folder, stock)).toEqual([]);
  });

  test("contested tags, in order of making", async () => {
    using folder = new TempDir("link");
    const file = folder.join("grown.fossil");
    grow(file, artifactLife({ seed: 11n, steps: 120, contested: true }), seededRandom(11n));
    expect(await differences(file, folder, stock)).toEqual([]);
  });
});

test("what stock made, in any order of arrival", async () => {
  const stock = newestStock();
  using folder = new TempDir("link");
  const source = Repo.open(await fixture(stock), {
    mode: "read",
    clock: systemClock,
    random: seededRandom(1n),
  });
  const arrivals = source.db
    .prepare("SELECT rid, uuid, rid IN (SELECT rid FROM private) FROM blob WHERE size>=0")
    .values<[Rid, Hash, number]>()
    .map(([rid, hash, secret]) => ({ hash, content: source.content.get(rid)!, isPrivate: secret === 1 }));
  const tables = source.config.get("ticket-table");
  source.close();
  const random = seededRandom(21n);
  const file = folder.join("grown.fossil");
  grow(file, shuffled(arrivals, random), random, tables === undefined ? {} : { "ticket-table": tables });
  expect(await differences(file, folder, stock)).toEqual([]);
});
