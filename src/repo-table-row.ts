/**
 * Rows of synced tables (`repo-table.ts`): read, written, deleted. Values are always bound, never part of SQL.
 *
 *     _pk       SHA1 of the key: `name=value` of its columns, in order of the names, a NUL between them; an integer in
 *               decimal, a blob in hex
 *     _mtime    when it was written, ms since 1970
 *     _owner    login of who wrote it first, where the table's rule is about owners; else empty
 *     _deleted  1: the row is gone, and its other columns are NULL; kept so that peers learn of it
 *
 * Of two versions of a row the table's rule chooses one, whichever came first: all peers end with the same.
 */
import { utf8 } from "./bytes.ts";
import type { SqlValue } from "./db.ts";
import { LimitError, UsageError } from "./errors.ts";
import { sha1Hex } from "./hash.ts";
import { canonicalJson } from "./json-canonical.ts";
import type { EpochMs } from "./julian.ts";
import { TABLE_ROW_MAX_BYTES } from "./limits.ts";
import type { Repo } from "./repo.ts";
import { type Column, type ConflictRule, type SyncedTable, storedName } from "./repo-table.ts";

/** Of type json: any value `JSON.parse` gives; of type blob: bytes; else text or a number; null for none. */
export type RowValue = unknown;

export interface TableRow {
  /** Digits of the key's hash. */
  readonly pk: string;
  readonly mtime: EpochMs;
  readonly owner: string;
  readonly isDeleted: boolean;
  readonly values: Readonly<Record<string, RowValue>>;
}

export interface RowOptions {
  /** Deleted rows, too. */
  readonly withDeleted?: boolean;
  /** Only rows with these values. */
  readonly where?: Readonly<Record<string, RowValue>>;
  /** Only the row of this key. */
  readonly pk?: string;
}

/** Rows of a table, in order of their key's hash. @throws UsageError `no-such-column`, `row-value` */
export function tableRows(repo: Repo, table: SyncedTable, options: RowOptions = {}): TableRow[] {
  const { columns } = table.definition;
  const wanted = Object.entries(options.where ?? {}).map(([name, value]) => [
    name,
    toSql(columnOf(table, name), value),
  ]);
  const conditions = [
    ...(options.withDeleted ? [] : ["NOT _deleted"]),
    ...wanted.map(([name], i) => `"${name}" IS ?${i + 1}`),
    ...(options.pk === undefined ? [] : [`_pk=?${wanted.length + 1}`]),
  ];
  const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
  const names = columns.map(({ name }) => `"${name}"`).join(", ");
  const bound = [
    ...wanted.map(([, value]) => value as SqlValue),
    ...(options.pk === undefined ? [] : [options.pk]),
  ];
  const sql = `SELECT _pk, _mtime, _owner, _deleted, ${names} FROM ${storedName(table.name)} ${where} ORDER BY _pk`;
  const rows = repo.db.once(sql, (statement) => statement.values<SqlValue[]>(...bound));
  return rows.map(([pk, mtime, owner, isDeleted, ...values]) => ({
    pk: String(pk),
    mtime: Number(mtime),
    owner: String(owner),
    isDeleted: isDeleted === 1,
    values: Object.fromEntries(columns.map((column, i) => [column.name, fromSql(column, values[i] ?? null)])),
  }));
}

export interface RowChange {
  /** Login of who writes. */
  readonly user: string;
  /** The clock's time unless given, and later than that of the row as it is. */
  readonly mtime?: EpochMs;
  readonly values: Readonly<Record<string, RowValue>>;
}

export type RowOutcome =
  | { readonly applied: true; readonly row: TableRow }
  | { readonly applied: false; readonly why: "older" | "not-owner" };

/**
 * Writes a row: its key, and the columns that are to change; what is left out stays, or is NULL in a new row.
 *
 * @throws UsageError `no-such-column`, `row-value`, `row-key`; LimitError `row-size`, `json-depth`
 */
export function putRow(repo: Repo, table: SyncedTable, change: RowChange): RowOutcome {
  return write(repo, table, change, false);
}

/** Deletes a row by its key; a row that is not there is deleted all the same. @throws as `putRow` */
export function deleteRow(repo: Repo, table: SyncedTable, change: RowChange): RowOutcome {
  return write(repo, table, change, true);
}

function write(repo: Repo, table: SyncedTable, change: RowChange, isDeleted: boolean): RowOutcome {
  const { db, clock } = repo;
  const { user } = change;
  const { columns, conflict } = table.definition;
  const given = new Map<string, SqlValue>();
  for (const [name, value] of Object.entries(change.values))
    given.set(name, toSql(columnOf(table, name), value));
  const pk = keyHash(columns, given);
  return db.write(() => {
    const before = tableRows(repo, table, { withDeleted: true, pk })[0];
    const mtime = change.mtime ?? Math.max(clock.now(), (before?.mtime ?? 0) + 1);
    const stored = columns.map((column): SqlValue => {
      if (isDeleted && !column.pk) return null;
      const value = given.get(column.name);
      if (value !== undefined) return value;
      return before === undefined ? null : toSql(column, before.values[column.name]);
    });
    const size = stored.reduce<number>((sum, value) => sum + sizeOf(value), 0);
    if (size > TABLE_ROW_MAX_BYTES) {
      throw new LimitError("row-size", `a row of ${size} bytes exceeds ${TABLE_ROW_MAX_BYTES}`);
    }
    const values = Object.fromEntries(columns.map((column, i) => [column.name, fromSql(column, stored[i]!)]));
    const owner = conflict === "mtime-wins" ? "" : before?.owner || user;
    const row: TableRow = { pk, mtime, owner, isDeleted, values };
    const refused = before && whyRefused(conflict, before, row, user);
    if (refused !== undefined) return { applied: false, why: refused };
    const names = ["_pk", "_mtime", "_owner", "_deleted", ...columns.map(({ name }) => `"${name}"`)];
    const into = `${storedName(table.name)}(${names.join(",")})`;
    db.once(`REPLACE INTO ${into} VALUES(${names.map(() => "?").join(",")})`, (statement) =>
      statement.run(pk, mtime, owner, isDeleted ? 1 : 0, ...stored),
    );
    return { applied: true, row };
  });
}

/** Why a row stays as it is; `undefined` when `after` takes its place. */
export function whyRefused(
  rule: ConflictRule,
  before: TableRow,
  after: TableRow,
  user: string,
): "older" | "not-owner" | undefined {
  if (rule !== "mtime-wins" && before.owner !== user) {
    if (before.owner !== "" || rule === "owner-write") return "not-owner";
  }
  if (after.mtime !== before.mtime) return after.mtime < before.mtime ? "older" : undefined;
  return contentText(after) < contentText(before) ? "older" : undefined;
}

/** Equal for rows of equal content, and the same everywhere. */
function contentText({ isDeleted, values }: TableRow): string {
  const plain = Object.entries(values).map(([name, value]) => [
    name,
    value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value,
  ]);
  return canonicalJson([isDeleted, Object.fromEntries(plain)]);
}

function keyHash(columns: readonly Column[], given: ReadonlyMap<string, SqlValue>): string {
  const parts = columns
    .filter(({ pk }) => pk)
    .map(({ name }) => name)
    .sort()
    .map((name) => {
      const value = given.get(name);
      if (value === undefined || value === null) {
        throw new UsageError("row-key", `column ${name} is part of the key and has no value`);
      }
      return `${name}=${value instanceof Uint8Array ? Buffer.from(value).toString("hex") : String(value)}`;
    });
  return sha1Hex(utf8(parts.join("\0")));
}

function columnOf({ name, definition }: SyncedTable, column: string): Column {
  const found = definition.columns.find((candidate) => candidate.name === column);
  if (found !== undefined) return found;
  throw new UsageError("no-such-column", `table ${name} has no column ${JSON.stringify(column)}`, {
    hint: `columns are ${definition.columns.map((candidate) => candidate.name).join(", ")}`,
  });
}

/** @throws UsageError `row-value`; LimitError `json-depth` */
function toSql({ name, type }: Column, value: RowValue): SqlValue {
  if (value === null || value === undefined) return null;
  switch (type) {
    case "text":
      if (typeof value === "string" && value.isWellFormed() && !value.includes("\0")) return value;
      break;
    case "integer":
      if (typeof value === "number" && Number.isSafeInteger(value)) return value;
      break;
    case "real":
      if (typeof value === "number" && Number.isFinite(value)) return value;
      break;
    case "blob":
      if (value instanceof Uint8Array) return value;
      break;
    case "json":
      return canonicalJson(value);
  }
  throw new UsageError("row-value", `column ${name} takes ${WANTED[type]}`);
}

const WANTED: Readonly<Record<Column["type"], string>> = {
  text: "text without NUL",
  integer: "a whole number",
  real: "a number",
  blob: "bytes",
  json: "JSON",
};

function fromSql({ type }: Column, value: SqlValue): RowValue {
  if (value === null) return null;
  if (type === "json") return JSON.parse(String(value));
  return typeof value === "bigint" ? Number(value) : value;
}

function sizeOf(value: SqlValue): number {
  if (value === null) return 0;
  if (value instanceof Uint8Array) return value.length;
  return typeof value === "string" ? utf8(value).length : 8;
}
