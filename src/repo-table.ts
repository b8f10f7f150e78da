/**
 * Synced tables: small sets of rows that a project shares beside its artifacts. Their definitions; rows are
 * `repo-table-row.ts`.
 *
 *     fx_schema      name, definition (JSON, below), mtime (ms since 1970), removed (0 or 1)
 *     fx_x_NAME      _pk, _mtime, _owner, _deleted, and the columns of the definition
 *
 *     {"columns": [{"name": "id", "type": "text", "pk": true}, …], "conflict": "mtime-wins"}
 *
 * Types: text, integer, real, blob, json (any JSON value, kept as text). At least one column is part of the key, none of
 * them of type json. Names are small letters, digits and `_`, and begin with a letter, so that they need no quotes and
 * cannot be taken for the columns that each table has. A removed table leaves its name behind, to tell peers.
 *
 * What happens when a row is written that is there already:
 *   - mtime-wins   the newer one stays; of the same time, the one whose content is greater as text
 *   - self-write   a row belongs to who wrote it first, and only that login changes it; a row that belongs to nobody may be
 *                  taken by anybody
 *   - owner-write  the same, but a row that belongs to nobody is for nobody to change
 */

import { NameError, UsageError } from "./errors.ts";
import { canonicalJson } from "./json-canonical.ts";
import type { EpochMs } from "./julian.ts";
import { TABLE_COLUMN_MAX_COUNT, TABLE_NAME_MAX_LENGTH } from "./limits.ts";
import type { Repo } from "./repo.ts";

export const COLUMN_TYPES = ["text", "integer", "real", "blob", "json"] as const;
export type ColumnType = (typeof COLUMN_TYPES)[number];

export const CONFLICT_RULES = ["mtime-wins", "self-write", "owner-write"] as const;
export type ConflictRule = (typeof CONFLICT_RULES)[number];

export type Column = {
  readonly name: string;
  readonly type: ColumnType;
  /** Part of the key. */
  readonly pk: boolean;
};

export type TableDefinition = {
  readonly columns: readonly Column[];
  readonly conflict: ConflictRule;
};

export interface SyncedTable {
  readonly name: string;
  readonly definition: TableDefinition;
  /** When it was last defined. */
  readonly mtime: EpochMs;
}

const SQL_TYPES: Readonly<Record<ColumnType, string>> = {
  text: "TEXT",
  integer: "INTEGER",
  real: "REAL",
  blob: "BLOB",
  json: "TEXT",
};

const NAME = /^[a-z][a-z0-9_]*$/;

/** The table's name in the file, quoted: only of a name that was checked. */
export const storedName = (name: string) => `"fx_x_${name}"`;

/** @throws UsageError `table-name` */
export function checkName(what: "table" | "column", name: string): void {
  if (NAME.test(name) && name.length <= TABLE_NAME_MAX_LENGTH) return;
  throw new UsageError("table-name", `${JSON.stringify(name)} cannot be the name of a ${what}`, {
    hint: `small letters, digits and _, a letter first, ${TABLE_NAME_MAX_LENGTH} at most`,
  });
}

/** @throws UsageError `table-name`, `table-definition` */
export function checkDefinition({ columns, conflict }: TableDefinition): void {
  const bad = (why: string) => new UsageError("table-definition", `the table cannot be defined: ${why}`);
  if (!CONFLICT_RULES.includes(conflict)) throw bad(`there is no rule ${JSON.stringify(conflict)}`);
  if (columns.length > TABLE_COLUMN_MAX_COUNT) throw bad(`more than ${TABLE_COLUMN_MAX_COUNT} columns`);
  const names = new Set<string>();
  for (const { name, type, pk } of columns) {
    checkName("column", name);
    if (names.has(name)) throw bad(`two columns ${name}`);
    names.add(name);
    if (!COLUMN_TYPES.includes(type)) throw bad(`there is no type ${JSON.stringify(type)}`);
    if (pk && type === "json") throw bad(`column ${name} of type json cannot be part of the key`);
  }
  if (!columns.some(({ pk }) => pk)) throw bad("no column is part of the key");
}

/**
 * Defines a table. One that is there gets the columns it lacks; nothing else about it can change.
 *
 * @returns whether anything changed
 * @throws UsageError `table-name`, `table-definition`, `table-differs`
 */
export function defineTable(repo: Repo, name: string, definition: TableDefinition): boolean {
  checkName("table", name);
  checkDefinition(definition);
  const { db, clock } = repo;
  return db.write(() => {
    db.exec(SCHEMA_SQL);
    const known = findTable(repo, name)?.definition;
    if (known !== undefined) {
      const added = addedColumns(name, known, definition);
      if (added.length === 0) return false;
      for (const column of added) {
        db.exec(`ALTER TABLE ${storedName(name)} ADD COLUMN "${column.name}" ${SQL_TYPES[column.type]}`);
      }
    } else {
      const columns = definition.columns.map((column) => `"${column.name}" ${SQL_TYPES[column.type]}`);
      db.exec(`CREATE TABLE ${storedName(name)}(${[...OWN_COLUMNS, ...columns].join(", ")})`);
    }
    db.prepare("REPLACE INTO fx_schema(name,definition,mtime,removed) VALUES(?,?,?,0)").run(
      name,
      canonicalJson(definition),
      clock.now(),
    );
    return true;
  });
}

const SCHEMA_SQL = `
CREATE TABLE IF NOT EXISTS fx_schema(
  name TEXT PRIMARY KEY, definition TEXT NOT NULL, mtime INTEGER NOT NULL, removed INTEGER NOT NULL)`;

const OWN_COLUMNS = [
  "_pk TEXT PRIMARY KEY",
  "_mtime INTEGER NOT NULL",
  "_owner TEXT NOT NULL",
  "_deleted INTEGER NOT NULL",
];

function addedColumns(name: string, known: TableDefinition, wanted: TableDefinition): Column[] {
  const differs = (why: string) =>
    new UsageError("table-differs", `the table ${name} is there already, and ${why}`, {
      hint: "columns can be added; for anything else use another name",
    });
  if (known.conflict !== wanted.conflict) throw differs(`its rule is ${known.conflict}`);
  const wantedBy = new Map(wanted.columns.map((column) => [column.name, column]));
  for (const { name: column, type, pk } of known.columns) {
    const other = wantedBy.get(column);
    if (other === undefined) throw differs(`it has a column ${column}`);
    if (other.type !== type || other.pk !== pk) throw differs(`its column ${column} is another`);
    wantedBy.delete(column);
  }
  for (const { name: column, pk } of wantedBy.values()) {
    if (pk) throw differs(`${column} is not part of its key`);
  }
  return [...wantedBy.values()];
}

const hasSchema = ({ db }: Repo) =>
  db.prepare("SELECT 1 FROM sqlite_schema WHERE type='table' AND name='fx_schema'").value() === 1;

/** Tables in order of their names. */
export function listTables(repo: Repo): SyncedTable[] {
  if (!hasSchema(repo)) return [];
  return repo.db
    .prepare("SELECT name, definition, mtime FROM fx_schema WHERE NOT removed ORDER BY name")
    .values<[string, string, number]>()
    .map(([name, definition, mtime]) => ({ name, definition: JSON.parse(definition), mtime }));
}

export function findTable(repo: Repo, name: string): SyncedTable | undefined {
  return listTables(repo).find((table) => table.name === name);
}

/** @throws NameError `no-such-table` */
export function getTable(repo: Repo, name: string): SyncedTable {
  const table = findTable(repo, name);
  if (table !== undefined) return table;
  throw new NameError("no-such-table", `there is no synced table ${JSON.stringify(name)}`, {
    hint: "edgesync repo schema list lists them",
  });
}

/** Takes a table away with all its rows. @throws NameError `no-such-table` */
export function removeTable(repo: Repo, name: string): void {
  const { db, clock } = repo;
  db.write(() => {
    getTable(repo, name);
    db.exec(`DROP TABLE ${storedName(name)}`);
    db.prepare("UPDATE fx_schema SET removed=1, mtime=? WHERE name=?").run(clock.now(), name);
  });
}
