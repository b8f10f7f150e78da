/** Files and settings that somebody else may have written: TOML, ticket tables, dates; and the greeting of an iroh peer. */
import { writeFileSync } from "node:fs";
import { latin1, text, utf8 } from "../../src/bytes.ts";
import { readConfigFile } from "../../src/cli-config-file.ts";
import { Db } from "../../src/db.ts";
import { readHello } from "../../src/iroh-hello.ts";
import type { IrohStream } from "../../src/iroh-stream.ts";
import { parseDate } from "../../src/julian.ts";
import type { Repo } from "../../src/repo.ts";
import { DEFAULT_TICKET_TABLES_SQL } from "../../src/repo-schema.ts";
import { createTicketTables, readTicketSchema } from "../../src/repo-ticket-schema.ts";
import { TempDir } from "../temp-dir.ts";
import type { FuzzTarget } from "./fuzzer.ts";
import type { FuzzDice } from "./mutate.ts";

const TOML = [
  'listen = "127.0.0.1:8080"\npeer = ["http://a/", "http://b/"]\npush = true\npoll = 30\n',
  "a = 1.5\nb = 2026-01-31T12:00:00Z\n[table]\nc = '''x'''\n[[list]]\nd = {e = 1}\n",
  '"quoted key" = "\\u00e9\\n"\nx.y = 0xff\nz = inf\n# comment\n',
].map(utf8);

let folder: TempDir | undefined;

function readsToml(input: Uint8Array): string {
  folder ??= new TempDir("fuzz");
  const path = folder.join("config.toml");
  writeFileSync(path, input);
  const { values } = readConfigFile(path);
  return `keys ${Math.min(values.size, 9)}`;
}

const TICKET_SQL = [
  DEFAULT_TICKET_TABLES_SQL,
  'CREATE TABLE ticket(tkt_id INTEGER PRIMARY KEY, tkt_uuid TEXT UNIQUE, tkt_mtime DATE, type TEXT, "baseline for type" INTEGER);',
  "CREATE TABLE ticket(tkt_id, tkt_uuid, tkt_mtime, status DEFAULT 'Open'); INSERT INTO ticket VALUES(1,'a',2,'b');",
  "CREATE TABLE ticket(tkt_id, a, b AS (a||a)); CREATE INDEX ticket_i ON ticket(a); CREATE VIEW ticket_v AS SELECT * FROM ticket;",
  "CREATE TABLE fx_own(x); CREATE TABLE ticket(tkt_id); CREATE TABLE user(login); -- no\nDROP TABLE fx_own;",
].map(utf8);
const SQL_WORDS = [
  ..."CREATE TABLE VIEW INDEX TRIGGER VIRTUAL TEMP DROP INSERT INTO UPDATE DELETE SELECT VALUES ticket ticketchng fx_a user".split(
    " ",
  ),
  ..."blob ( ) , ; -- /* */ ' \" [ ] ` tkt_id tkt_uuid mimetype AS STORED WITHOUT ROWID STRICT DEFAULT CHECK REFERENCES".split(
    " ",
  ),
  ..."ATTACH PRAGMA WITH RECURSIVE UNION ALL writefile load_extension sqlite_schema ROLLBACK COMMIT VACUUM zeroblob(1e9) main. temp. ? :a ?3".split(
    " ",
  ),
];

let db: Db | undefined;
let before: string | undefined;
let beforeMark: string | undefined;

/** In a database that has tables of a repository: none but the ticket tables may change. */
function makesTicketTables(input: Uint8Array): string {
  db ??= withTables();
  const sql = latin1(input);
  // What the last one left untouched.
  before ??= others(db);
  beforeMark ??= markOf(db);
  const repo = { db, config: { get: () => sql } } as unknown as Repo;
  const own = db;
  let failure: unknown;
  try {
    own.write(() => createTicketTables(repo));
  } catch (error) {
    failure = error;
  }
  // Most are refused before they come to this database: nothing in it has been touched then.
  if (failure !== undefined && markOf(own) === beforeMark) throw failure;
  beforeMark = undefined;
  const after = others(own);
  for (const dropping of leftovers(own)) own.exec(dropping);
  if (after !== before) {
    const change = `${before}\n${after}`;
    before = undefined;
    throw new Error(`other tables changed:\n${change}`);
  }
  if (failure !== undefined) throw failure;
  return `fields ${Math.min(readTicketSchema(own)?.fields.size ?? -1, 20)}`;
}

function withTables(): Db {
  const made = Db.open(":memory:", { mode: "create" });
  made.exec(
    "CREATE TABLE user(login, cap); INSERT INTO user VALUES('ann','s'); CREATE TABLE blob(rid, uuid);",
  );
  return made;
}

/** Another after each change of a row, of a table, or of the databases that are there. */
function markOf(own: Db): string {
  const rows = own.prepare("SELECT total_changes()").value<number>();
  const tables = own.prepare("SELECT schema_version FROM pragma_schema_version").value<number>();
  return `${rows} ${tables} ${own.prepare("PRAGMA database_list").values().join()}`;
}

/** Each other table with its rows. */
function others(own: Db): string {
  const names = own
    .prepare(
      "SELECT name || ' ' || coalesce(sql,'') FROM sqlite_schema WHERE name NOT LIKE 'ticket%' AND name NOT LIKE 'fx!_%' ESCAPE '!' AND tbl_name NOT LIKE 'ticket%' AND tbl_name NOT LIKE 'fx!_%' ESCAPE '!' ORDER BY 1",
    )
    .values<[string]>();
  const users = own.prepare("SELECT group_concat(login||cap) FROM user").value<string>();
  return `${names.join("\n")}\n${users}\n${own.prepare("PRAGMA database_list").values().join()}`;
}

/** Drops what `fx_` tables were made, so that runs do not grow. */
function leftovers(own: Db): string[] {
  return own
    .prepare(
      "SELECT name, type FROM sqlite_schema WHERE name LIKE 'fx!_%' ESCAPE '!' AND type IN ('table','view')",
    )
    .values<[string, string]>()
    .map(([name, type]) => `DROP ${type} "${name.replaceAll('"', '""')}"`);
}

async function greets(input: Uint8Array, dice: FuzzDice): Promise<string> {
  let at = 0;
  const stream = {
    read: async () => {
      if (at >= input.length) return undefined;
      const part = input.slice(at, at + 1 + dice.below(100));
      at += part.length;
      return part;
    },
  } as unknown as IrohStream;
  const { role, rest } = await readHello(stream);
  return `${role} ${rest.length > 0}`;
}

export const LOCAL_TARGETS: readonly FuzzTarget[] = [
  {
    name: "toml",
    examples: () => TOML,
    words: [
      "=",
      "[",
      "]",
      "{",
      "}",
      '"',
      "'''",
      '"""',
      "\\u",
      "true",
      "nan",
      "2026-13-31",
      ".",
      "#",
      "[[",
      "\r\n",
    ],
    run: readsToml,
    close: () => {
      folder?.remove();
      folder = undefined;
    },
  },
  {
    name: "ticket-schema",
    examples: () => TICKET_SQL,
    words: SQL_WORDS,
    run: makesTicketTables,
    close: () => {
      db?.close();
      [db, before, beforeMark] = [undefined, undefined, undefined];
    },
  },
  {
    name: "date",
    examples: () =>
      ["2026-01-31T12:34:56.789", "2026-01-31T12:34:56", "1970-01-01T00:00:00", "9999-12-31T23:59:59"].map(
        utf8,
      ),
    words: ["-", "T", ":", ".", "0", "99", "Z", " "],
    run: (input) => (Number.isFinite(parseDate(text(input))) ? "date" : "no number"),
  },
  {
    name: "iroh-hello",
    examples: () => ['{"v":1,"role":"peer"}\n', '{"v":1,"role":"leaf"}\nINFO {}\r\n', '{"v":2}\n'].map(utf8),
    words: ["{", "}", '"v"', '"role"', '"hub"', "null", "\n", "[".repeat(300)],
    run: greets,
  },
];
