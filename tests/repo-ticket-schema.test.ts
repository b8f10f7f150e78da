import { describe, expect, test } from "bun:test";
import { RepoError } from "../src/errors.ts";
import { TICKET_SCHEMA_PAGE_MAX_COUNT } from "../src/limits.ts";
import { splitStatements } from "../src/repo-sql-split.ts";
import { createTicketTables, readTicketSchema } from "../src/repo-ticket-schema.ts";
import { ScratchRepo } from "./scratch-repo.ts";

const TICKET = "CREATE TABLE ticket(tkt_id INTEGER PRIMARY KEY, tkt_uuid TEXT UNIQUE, tkt_mtime DATE";

function objects({ repo }: ScratchRepo): string[] {
  const rows = repo.db
    .prepare(
      "SELECT type || ' ' || name FROM sqlite_schema WHERE tbl_name GLOB 'ticket*' OR name GLOB 'fx_*'",
    )
    .values<[string]>();
  return rows
    .map(([name]) => name)
    .filter((name) => !name.includes("sqlite_"))
    .sort();
}

function make(scratch: ScratchRepo, sql: string | undefined): void {
  if (sql === undefined) scratch.repo.config.unset("ticket-table");
  else scratch.repo.config.set("ticket-table", sql);
  scratch.repo.db.write(() => createTicketTables(scratch.repo));
}

describe("making the tables", () => {
  test("the default ones, without the setting", () => {
    using scratch = new ScratchRepo();
    make(scratch, undefined);
    expect(objects(scratch)).toEqual(["index ticketchng_idx1", "table ticket", "table ticketchng"]);
  });

  test("as the setting says, again and again, with indexes, views and rows; fx_ tables stay", () => {
    using scratch = new ScratchRepo();
    const sql = `${TICKET}, title TEXT); CREATE INDEX ticket_i ON ticket(title);
      DROP VIEW IF EXISTS ticket_v; CREATE VIEW ticket_v AS SELECT title FROM ticket;
      CREATE TABLE IF NOT EXISTS fx_more(a); CREATE TABLE ticket_kinds(kind TEXT, n);
      INSERT INTO ticket_kinds VALUES('bug',1),('wish','2; -- no comment');`;
    make(scratch, sql);
    const { db } = scratch.repo;
    db.exec("INSERT INTO fx_more VALUES(1); INSERT INTO ticket(title) VALUES('x')");
    make(scratch, sql);
    expect(objects(scratch)).toEqual([
      "index ticket_i",
      "table fx_more",
      "table ticket",
      "table ticket_kinds",
      "view ticket_v",
    ]);
    const count = (table: string) => db.once(`SELECT count(*) FROM ${table}`, (s) => s.value<number>());
    expect(["fx_more", "ticket", "ticket_kinds"].map(count)).toEqual([1, 0, 2]);
  });
});

/** Each of these would harm the repository, or other files, if it ran there. */
const HARMFUL = [
  "UPDATE config SET value='x' WHERE name='project-code'",
  "/* x */ -- y\n DELETE FROM user",
  "DROP TABLE blob",
  "CREATE TABLE config(a)",
  "CREATE TABLE other(a)",
  "CREATE INDEX evil ON blob(uuid)",
  "CREATE VIEW user AS SELECT 1",
  "CREATE INDEX blob ON ticket(tkt_mtime)",
  "CREATE INDEX Blob ON ticket(tkt_mtime)",
  "CREATE INDEX delta_i1 ON ticket(tkt_mtime)",
  "CREATE TRIGGER ticket_t AFTER INSERT ON ticket BEGIN DELETE FROM user; END",
  "CREATE TEMP TRIGGER ticket_t AFTER INSERT ON ticket BEGIN SELECT 1; END",
  "CREATE VIRTUAL TABLE ticket_f USING fts5(a)",
  "ATTACH 'other.db' AS ticket_other",
  "PRAGMA writable_schema=1",
  "VACUUM INTO 'copy.db'",
  "SELECT 1",
  "WITH x AS (SELECT 1) DELETE FROM user",
  "INSERT INTO ticket(tkt_id) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i FROM n",
  "CREATE TABLE ticket_n AS SELECT 1",
  "UPDATE ticket SET tkt_id=1 FROM ticket AS a, ticket AS b, ticket AS c",
  "CREATE VIEW ticket_v AS SELECT 1; DELETE FROM ticket WHERE 1 IN ticket_v",
  "not SQL at all",
];

describe("SQL that does what it may not", () => {
  test.each(HARMFUL)("%s", (statement) => {
    using scratch = new ScratchRepo();
    const { db } = scratch.repo;
    const before = db.prepare("SELECT type, name FROM sqlite_schema ORDER BY name").values();
    const users = db.prepare("SELECT count(*) FROM user").value();
    expect(() => make(scratch, `${TICKET});${statement};`)).toThrow(RepoError);
    expect(db.prepare("SELECT type, name FROM sqlite_schema ORDER BY name").values()).toEqual(before);
    expect(db.prepare("SELECT count(*) FROM user").value()).toBe(users!);
  });
});

test("what its tables may hold, and more", () => {
  using scratch = new ScratchRepo();
  const pages = (count: number) =>
    `${TICKET}, data); INSERT INTO ticket(data) VALUES(zeroblob(${count * 4_096}))`;
  expect(() => make(scratch, pages(TICKET_SCHEMA_PAGE_MAX_COUNT - 20))).not.toThrow();
  expect(() => make(scratch, pages(TICKET_SCHEMA_PAGE_MAX_COUNT))).toThrow(RepoError);
});

test("a parameter is NULL", () => {
  using scratch = new ScratchRepo();
  make(scratch, `${TICKET}, data); INSERT INTO ticket(data) VALUES(:a); INSERT INTO ticket(data) VALUES(?3)`);
  expect(scratch.repo.db.prepare("SELECT data FROM ticket").values()).toEqual([[null], [null]]);
});

describe("reading the columns", () => {
  test("fields, baselines, generated columns; other columns are none", () => {
    using scratch = new ScratchRepo();
    make(
      scratch,
      `${TICKET}, tkt_ctime DATE, title TEXT, "odd name" TEXT, both, "baseline for title" INTEGER,
       "baseline for both" TEXT, mimetype TEXT AS (title));
       CREATE TABLE ticketchng(tkt_id INTEGER, tkt_mtime DATE, tkt_user TEXT, both, note)`,
    );
    const schema = readTicketSchema(scratch.repo.db)!;
    expect([...schema.fields.values()]).toEqual([
      { name: "title", inTicket: true, inChange: false, baseline: "baseline for title" },
      { name: "both", inTicket: true, inChange: true, baseline: undefined },
      { name: "note", inTicket: false, inChange: true, baseline: undefined },
    ]);
    expect(schema).toMatchObject({
      hasCreationTime: true,
      hasChanges: true,
      hasChangeRid: false,
      hasChangeUser: true,
      generatesMimetype: true,
      generatesChangeMimetype: false,
    });
  });

  test("no table, no schema", () => {
    using scratch = new ScratchRepo();
    make(scratch, "CREATE TABLE fx_other(a)");
    expect(readTicketSchema(scratch.repo.db)).toBeUndefined();
  });
});

test("statements are split outside quotes and comments", () => {
  expect(
    splitStatements(`a 'x;''y' "b;" [c;] \`d;\`; ;; -- no;\n e /* f; */ g; -- end\n h 'open; i`),
  ).toEqual([`a 'x;''y' "b;" [c;] \`d;\``, "e   g", "h 'open; i"]);
});
