/**
 * The ticket tables of a repository. Their columns are the project's choice: the setting `ticket-table` holds
 * the SQL that makes them, and every clone of the project has the same (Fossil `src/tkt.c`,
 * `src/tktsetup.c`). Two tables:
 *
 *     ticket      a row per ticket: tkt_id, tkt_uuid, tkt_mtime, [tkt_ctime], fields
 *     ticketchng  optional, a row per change: tkt_id, tkt_mtime, [tkt_rid], [tkt_user], fields
 *
 * A column whose name begins with `tkt_` or contains a space is no field. An INTEGER column named
 * "baseline for X" holds the rid of the change that last set field X. `mimetype` may be a generated column
 * instead of a field.
 *
 * The SQL comes from a peer, so it is never run in the repository. It runs in an empty database in memory,
 * and from there tables, indexes and views go over, each checked by name: they begin with `ticket` or
 * `fx_`. Only CREATE, DROP, INSERT, UPDATE and DELETE statements are run at all, and no trigger or virtual
 * table is made. Rows that the SQL inserts into its tables go over too. So that it comes to an end, nothing but a view may
 * read tables (views are made last, and nothing reads them), and what it makes has a bound in bytes.
 */
import { Db, type SqlValue } from "./db.ts";
import { RepoError } from "./errors.ts";
import { TICKET_SCHEMA_PAGE_MAX_COUNT } from "./limits.ts";
import type { Repo } from "./repo.ts";
import { DEFAULT_TICKET_TABLES_SQL } from "./repo-schema.ts";
import { splitStatements } from "./repo-sql-split.ts";

export interface TicketField {
  readonly name: string;
  readonly inTicket: boolean;
  readonly inChange: boolean;
  /** Column of `ticket` that holds the rid of the change that last set this field. */
  readonly baseline: string | undefined;
}

/** What the columns of the ticket tables are. */
export interface TicketSchema {
  readonly fields: ReadonlyMap<string, TicketField>;
  readonly hasCreationTime: boolean;
  readonly hasChanges: boolean;
  readonly hasChangeRid: boolean;
  readonly hasChangeUser: boolean;
  /** `mimetype` is a generated column of `ticket`, of `ticketchng`. */
  readonly generatesMimetype: boolean;
  readonly generatesChangeMimetype: boolean;
}

interface Column {
  readonly name: string;
  readonly type: string;
}

/** Reads the columns of the ticket tables; `undefined` when there is no table `ticket`. */
export function readTicketSchema(db: Db): TicketSchema | undefined {
  const columns = (sql: string) => db.prepare<{ name: string; type: string }>(sql).all();
  const ticket = columns("SELECT name, type FROM pragma_table_info('ticket')");
  if (ticket.length === 0) return undefined;
  const change = columns("SELECT name, type FROM pragma_table_info('ticketchng')");
  const has = (list: readonly Column[], name: string) => list.some((column) => column.name === name);

  const fields = new Map<string, TicketField>();
  for (const name of fieldNames(ticket)) {
    const baseline = ticket.find(({ name: n, type }) => n === `baseline for ${name}` && type === "INTEGER");
    fields.set(name, { name, inTicket: true, inChange: false, baseline: baseline?.name });
  }
  for (const name of fieldNames(change)) {
    const { inTicket = false, baseline } = fields.get(name) ?? {};
    fields.set(name, { name, inTicket, inChange: true, baseline });
  }
  const generated = (sql: string) => !fields.has("mimetype") && db.prepare(sql).value() !== undefined;
  return {
    fields,
    hasCreationTime: has(ticket, "tkt_ctime"),
    hasChanges: change.length > 0,
    hasChangeRid: has(change, "tkt_rid"),
    hasChangeUser: has(change, "tkt_user"),
    generatesMimetype: generated("SELECT 1 FROM pragma_table_xinfo('ticket') WHERE name='mimetype'"),
    generatesChangeMimetype: generated(
      "SELECT 1 FROM pragma_table_xinfo('ticketchng') WHERE name='mimetype'",
    ),
  };
}

function fieldNames(columns: readonly Column[]): string[] {
  return columns.map(({ name }) => name).filter((name) => !name.startsWith("tkt_") && !name.includes(" "));
}

/** An SQL identifier. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * Drops the ticket tables and makes them anew, empty, as the setting `ticket-table` says.
 *
 * @throws RepoError `ticket-schema` when that SQL fails or does what it may not
 */
export function createTicketTables(repo: Repo): void {
  const sql = repo.config.get("ticket-table");
  if (sql === undefined) {
    repo.db.exec("DROP TABLE IF EXISTS ticket; DROP TABLE IF EXISTS ticketchng;");
    repo.db.exec(DEFAULT_TICKET_TABLES_SQL);
    return;
  }
  const scratch = Db.open(":memory:", { mode: "create" });
  try {
    runSchema(scratch, sql);
    copySchema(scratch, repo.db);
  } finally {
    scratch.close();
  }
}

const ALLOWED_START = /^(?:create|drop|insert|update|delete|replace)\b/i;
const FORBIDDEN_CREATE = /^create\s+(?:temp\w*\s+)?(?:virtual|trigger)\b/i;
/** Tables and views that the SQL may make. */
const IS_OWN = /^(?:ticket|fx_)/i;
const CREATES_VIEW = /^create\s+(?:temp\w*\s+)?view\b/i;
const QUOTED = /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]/g;
/** A query, or an UPDATE from other tables: a few words can ask for more rows than there is time for. */
const READS = /\b(?:select|with)\b|^update\b.*\bfrom\b/is;

function runSchema(scratch: Db, sql: string): void {
  scratch.once(`PRAGMA max_page_count=${TICKET_SCHEMA_PAGE_MAX_COUNT}`, (limit) => limit.all());
  const statements = splitStatements(sql);
  const isView = (statement: string) => CREATES_VIEW.test(statement);
  for (const statement of statements) {
    const reads = !isView(statement) && READS.test(statement.replace(QUOTED, "''"));
    if (!ALLOWED_START.test(statement) || FORBIDDEN_CREATE.test(statement) || reads) {
      throw schemaError(`it contains ${JSON.stringify(statement.slice(0, 40))}`);
    }
  }
  const ordered = [...statements.filter((one) => !isView(one)), ...statements.filter(isView)];
  for (const statement of ordered) {
    try {
      // What it names as a parameter is NULL, as for stock, which binds none.
      scratch.once(statement, (prepared) => prepared.run(...prepared.nulls));
    } catch (error) {
      if (error instanceof RepoError) throw schemaError(error.message, error);
      throw error;
    }
  }
}

interface SchemaObject {
  readonly type: string;
  readonly name: string;
  readonly tbl_name: string;
  readonly sql: string;
}

function copySchema(scratch: Db, db: Db): void {
  const objects = scratch
    .prepare<{ type: string; name: string; tbl_name: string; sql: string }>(
      "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type<>'table', rowid",
    )
    .all();
  for (const { type, name, tbl_name } of objects) {
    const named = type === "index" ? tbl_name : name;
    if (!IS_OWN.test(named)) throw schemaError(`it makes the ${type} ${JSON.stringify(name)}`);
  }
  db.exec("DROP TABLE IF EXISTS ticket; DROP TABLE IF EXISTS ticketchng;");
  for (const object of objects) copyObject(scratch, db, object);
}

/** What there is under this name gives way, except a table `fx_…`, which stays as it is. */
function copyObject(scratch: Db, db: Db, object: SchemaObject): void {
  const { type, name } = object;
  const [existing] = db
    .prepare("SELECT type, tbl_name FROM sqlite_schema WHERE name=? COLLATE NOCASE")
    .values<[string, string]>(name);
  if (existing !== undefined) {
    if (type === "table" && /^fx_/i.test(name)) return;
    // An index may have any name, another table's too.
    if (!IS_OWN.test(existing[1])) throw schemaError(`it makes the ${type} ${JSON.stringify(name)}`);
    db.exec(`DROP ${existing[0]} ${quoteName(name)}`);
  }
  db.once(object.sql, (statement) => statement.run());
  if (type !== "table") return;
  const rows = scratch.once(`SELECT * FROM ${quoteName(name)}`, (statement) =>
    statement.values<SqlValue[]>(),
  );
  if (rows.length === 0) return;
  const marks = rows[0]!.map(() => "?").join(",");
  db.once(`INSERT INTO ${quoteName(name)} VALUES(${marks})`, (statement) => {
    for (const row of rows) statement.run(...row);
  });
}

function schemaError(why: string, cause?: Error): RepoError {
  return new RepoError("ticket-schema", `the setting ticket-table cannot be used: ${why}`, {
    hint: "correct it with stock's page /setup_tktschema, or unset it",
    ...(cause && { cause }),
  });
}
