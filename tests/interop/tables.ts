/**
 * Canonical dumps of the tables of a `.fossil` file, and their comparison.
 *
 * A dump is, per table, its rows as lines of text, sorted. A line is `column=value` for every column:
 * NULL as `null`, numbers in shortest exact form, text as a JSON string, blobs as `length:sha1`.
 * Numbers that only name a row elsewhere (rid, tagid, fnid, tkt_id, uid) are replaced by what they name
 * (hash, tag name, file name, ticket id, login), so that dumps of two repositories with the same
 * artifacts compare although their numbering differs; what is not found is kept as the number.
 *
 * Not dumped: SQLite's own tables, and virtual tables with their shadows (full-text search).
 *
 * Times are exact. Binaries older than 2.23 write Julian days with up to one unit less in the last place
 * (their SQLite's `%.17g`), so dumps to compare with theirs are taken with times in whole milliseconds.
 *
 * Known exception of Fossil itself, masked here: `tagxref.mtime` of the tag `cluster` is the time at
 * which the cluster was linked, and so changes with every rebuild (fossil-facts E, parity).
 */
import { copyFileSync, existsSync } from "node:fs";
import { Db, type SqlValue } from "../../src/db.ts";
import { sha1Hex } from "../../src/hash.ts";
import { TempDir } from "../temp-dir.ts";
import { newestStock, type Stock } from "./stock.ts";

/** Rows per table, sorted. */
export type Dump = ReadonlyMap<string, readonly string[]>;

/** What a rebuild makes anew from the artifacts alone. */
export const DERIVED_TABLES = [
  "attachment",
  "backlink",
  "cherrypick",
  "event",
  "filename",
  "forumpost",
  "leaf",
  "mlink",
  "orphan",
  "phantom",
  "plink",
  "tag",
  "tagxref",
  "ticket",
  "ticketchng",
  "unclustered",
] as const;

/** What cannot be computed from anything else; a rebuild must leave it alone. */
export const PRIMARY_TABLES = [
  "blob",
  "concealed",
  "config",
  "delta",
  "private",
  "rcvfrom",
  "reportfmt",
  "shun",
  "unversioned",
  "user",
] as const;

/** Tables a rebuild empties or fills by other rules: an optimisation, a log, a queue. */
const VOLATILE_TABLES: ReadonlySet<string> = new Set(["unsent", "admin_log", "accesslog", "pending_alert"]);

/** `config` rows that a rebuild or any command may write. */
const VOLATILE_CONFIG =
  /^name="(rebuilt|content-schema|aux-schema|backoffice|remote-code|remote-maxid|seen-delta-manifest|ci-lock-[^"]*)" /;

type Reference = "artifact" | "tag" | "file" | "ticket" | "user";

/** Which columns name a row of another table. */
const REFERENCES: Readonly<Record<string, Readonly<Record<string, Reference>>>> = {
  attachment: { attachid: "artifact" },
  backlink: { srcid: "artifact" },
  blob: { rid: "artifact" },
  cherrypick: { parentid: "artifact", childid: "artifact" },
  delta: { rid: "artifact", srcid: "artifact" },
  event: { objid: "artifact", tagid: "tag", uid: "user" },
  filename: { fnid: "file" },
  forumpost: { fpid: "artifact", froot: "artifact", fprev: "artifact", firt: "artifact" },
  leaf: { rid: "artifact" },
  mlink: { mid: "artifact", fid: "artifact", pmid: "artifact", pid: "artifact", fnid: "file", pfnid: "file" },
  orphan: { rid: "artifact", baseline: "artifact" },
  phantom: { rid: "artifact" },
  plink: { pid: "artifact", cid: "artifact", baseid: "artifact" },
  private: { rid: "artifact" },
  rcvfrom: { uid: "user" },
  tag: { tagid: "tag" },
  tagxref: { tagid: "tag", srcid: "artifact", origid: "artifact", rid: "artifact" },
  ticket: { tkt_id: "ticket" },
  ticketchng: { tkt_id: "ticket", tkt_rid: "artifact" },
  unclustered: { rid: "artifact" },
  unsent: { rid: "artifact" },
};

export type Times = "exact" | "milliseconds";

/** How precisely the times that `stock` writes can be compared. */
export function timesOf(stock: Stock): Times {
  return stock.atLeast(2, 23) ? "exact" : "milliseconds";
}

/** Dumps the named tables, or every one there is. */
export function dumpTables(file: string, tables?: readonly string[], times: Times = "exact"): Dump {
  const db = Db.open(file, { mode: "read" });
  try {
    return dumpOf(db, tables, times);
  } finally {
    db.close();
  }
}

/** As `dumpTables`, of a database that is open. */
export function dumpOf(db: Db, tables?: readonly string[], times: Times = "exact"): Dump {
  return db.snapshot(() => {
    const present = tableNames(db);
    const names = tables === undefined ? present : present.filter((name) => tables.includes(name));
    const resolve = resolvers(db, present);
    const literal = times === "exact" ? exactly : inMilliseconds;
    return new Map(names.map((name) => [name, dumpTable(db, name, resolve, literal)]));
  });
}

function tableNames(db: Db): string[] {
  const rows = db
    .prepare<{ name: string }>(
      `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT GLOB 'sqlite_*'
       ORDER BY name`,
    )
    .all();
  return rows.map((row) => row.name);
}

type Resolvers = Readonly<Record<Reference, ReadonlyMap<SqlValue, string>>>;

function resolvers(db: Db, present: readonly string[]): Resolvers {
  const names = (table: string, sql: string): ReadonlyMap<SqlValue, string> =>
    new Map(present.includes(table) ? db.prepare(sql).values<readonly [SqlValue, string]>() : []);
  return {
    artifact: names("blob", "SELECT rid, uuid FROM blob"),
    tag: names("tag", "SELECT tagid, tagname FROM tag"),
    file: names("filename", "SELECT fnid, name FROM filename"),
    ticket: names("ticket", "SELECT tkt_id, tkt_uuid FROM ticket"),
    user: names("user", "SELECT uid, login FROM user"),
  };
}

function dumpTable(
  db: Db,
  table: string,
  resolve: Resolvers,
  literal: (value: SqlValue) => string,
): readonly string[] {
  const columns = db
    .prepare<{ name: string }>("SELECT name FROM pragma_table_info(?) ORDER BY cid")
    .all(table)
    .map(({ name }) => {
      const reference = REFERENCES[table]?.[name];
      return { name, names: reference === undefined ? undefined : resolve[reference] };
    });
  const list = columns.map(({ name }) => `"${name.replaceAll('"', '""')}"`).join(",");
  const lines = db.once<Record<string, SqlValue>, string[]>(`SELECT ${list} FROM "${table}"`, (statement) => {
    const out: string[] = [];
    for (const row of statement.iterate()) {
      const fields = columns.map(({ name, names }) => {
        const value = row[name]!;
        // A wiki page's links are recorded under the number of its tag.
        const isTag = table === "backlink" && name === "srcid" && row.srctype === 2;
        const named = (isTag ? resolve.tag : names)?.get(value);
        return `${name}=${named === undefined ? literal(value) : `<${named}>`}`;
      });
      out.push(masked(table, fields).join(" "));
    }
    return out;
  });
  return lines.filter((line) => table !== "config" || !VOLATILE_CONFIG.test(line)).sort();
}

function masked(table: string, fields: string[]): string[] {
  if (table !== "tagxref" || !fields.includes("tagid=<cluster>")) return fields;
  return fields.map((field) => (field.startsWith("mtime=") ? "mtime=(when linked)" : field));
}

function exactly(value: SqlValue): string {
  if (value instanceof Uint8Array) return `${value.length}:${sha1Hex(value)}`;
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

function inMilliseconds(value: SqlValue): string {
  const isTime = typeof value === "number" && !Number.isInteger(value);
  return isTime ? `~${Math.round(value * 86_400_000)}ms` : exactly(value);
}

/** A large repository on a busy machine. */
const REBUILD_MS_MAX = 3_600_000;

const LINES_PER_TABLE_MAX = 12;

/**
 * What differs between two dumps, as lines fit for a failure message; empty when nothing does. A table
 * missing on one side counts as empty.
 */
export function diffDumps(
  a: Dump,
  b: Dump,
  names: readonly [string, string] = ["first", "second"],
): string[] {
  const report: string[] = [];
  for (const table of [...new Set([...a.keys(), ...b.keys()])].sort()) {
    const [onlyA, onlyB] = difference(a.get(table) ?? [], b.get(table) ?? []);
    if (onlyA.length + onlyB.length === 0) continue;
    report.push(`${table}: ${onlyA.length} rows only in ${names[0]}, ${onlyB.length} only in ${names[1]}`);
    for (const [sign, lines] of [["-", onlyA] as const, ["+", onlyB] as const]) {
      for (const line of lines.slice(0, LINES_PER_TABLE_MAX)) report.push(`  ${sign} ${line}`);
      if (lines.length > LINES_PER_TABLE_MAX) {
        report.push(`  ${sign} … ${lines.length - LINES_PER_TABLE_MAX} more`);
      }
    }
  }
  return report;
}

/** Rows of each sorted list that the other lacks, counting duplicates. */
function difference(a: readonly string[], b: readonly string[]): [string[], string[]] {
  const onlyA: string[] = [];
  const onlyB: string[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (j >= b.length || (i < a.length && a[i]! < b[j]!)) onlyA.push(a[i++]!);
    else if (i >= a.length || b[j]! < a[i]!) onlyB.push(b[j++]!);
    else {
      i++;
      j++;
    }
  }
  return [onlyA, onlyB];
}

/** Copies a repository with what its write-ahead log holds. No writer may be active. */
export function copyRepository(from: string, to: string): void {
  copyFileSync(from, to);
  if (existsSync(`${from}-wal`)) copyFileSync(`${from}-wal`, `${to}-wal`);
}

/**
 * How strictly a repository is compared with its rebuild. `received`: it grew by exchange, so that artifacts were
 * linked in another order than a rebuild links them, and stock's own differ then, too: in which artifacts are
 * stored as deltas of which, and (2.29) in the event of an attachment that came before its wiki page.
 */
export type Parity = "exact" | "received";

/**
 * Rebuilds a copy of `file` with stock and compares every table with the original. Returns the
 * differences (empty: parity).
 */
export async function rebuildParity(
  file: string,
  stock: Stock = newestStock(),
  parity: Parity = "exact",
): Promise<string[]> {
  using temp = new TempDir("parity");
  const copy = temp.join("rebuilt.fossil");
  copyRepository(file, copy);
  await stock.ok(["rebuild", copy], { timeoutMs: REBUILD_MS_MAX });
  const dump = (path: string) => rebuildable(dumpTables(path, undefined, timesOf(stock)), parity);
  return diffDumps(dump(file), dump(copy), ["the file", "its rebuild"]);
}

/** Without what a rebuild may change. Settings that only say who rebuilt are not in a dump at all. */
export function rebuildable(dump: Dump, parity: Parity = "exact"): Dump {
  const kept = [...dump].filter(
    ([table]) => !VOLATILE_TABLES.has(table) && !(parity === "received" && table === "delta"),
  );
  return new Map(
    kept.map(([table, lines]) => [table, lines.map((line) => settled(table, line, parity)).sort()]),
  );
}

function settled(table: string, line: string, parity: Parity): string {
  // A rebuild fills in the times of users where they are NULL.
  if (table === "user") return line.replace(/ mtime=\S+/, "");
  if (parity === "exact") return line;
  if (table === "blob") return line.replace(/ content=\S+/, "");
  const isAttachment = table === "event" && / comment="(Add|Delete) attachment /.test(line);
  return isAttachment ? line.replace(/^type=\S+/, "").replace(/ comment=.* brief=/, " brief=") : line;
}

/** Every artifact that is there with content: `hash size`, with ` private` behind private ones. Sorted. */
export function artifactSet(file: string): readonly string[] {
  const db = Db.open(file, { mode: "read" });
  try {
    return db
      .prepare<{ line: string }>(
        `SELECT uuid || ' ' || size || iif(rid IN (SELECT rid FROM private), ' private', '') AS line
         FROM blob WHERE size >= 0 ORDER BY uuid`,
      )
      .all()
      .map((row) => row.line);
  } finally {
    db.close();
  }
}
