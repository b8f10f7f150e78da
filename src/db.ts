/**
 * SQLite behind one door: the only importer of `bun:sqlite`. Statements are prepared once per SQL text
 * and kept; keep the set of texts fixed (fossil-facts: Bun leaks when `query` sees many texts). Writers
 * take the lock up front with BEGIN IMMEDIATE, so that a round either holds it whole or fails clean.
 */
import { type Statement as BunStatement, Database, SQLiteError, type SQLQueryBindings } from "bun:sqlite";
import { RepoError } from "./errors.ts";
import { BUSY_TIMEOUT_MS } from "./limits.ts";

export type SqlValue = string | number | bigint | Uint8Array | boolean | null;
export type Row = Record<string, SqlValue>;

/** `read`: the file is never changed (`query_only`). `write`: it must exist. `create`: it must not. */
export type DbMode = "read" | "write" | "create";

export interface DbOptions {
  readonly mode: DbMode;
  /** How long to wait for another process's lock, in milliseconds. */
  readonly busyTimeoutMs?: number;
}

/** A prepared statement. Rows are objects keyed by column name; blobs are `Uint8Array`. */
export class Statement<R = Row> {
  constructor(
    private readonly inner: BunStatement,
    private readonly path: string,
  ) {}

  get(...params: SqlValue[]): R | undefined {
    return this.guard(() => (this.inner.get(...(params as SQLQueryBindings[])) as R | null) ?? undefined);
  }

  all(...params: SqlValue[]): R[] {
    return this.guard(() => this.inner.all(...(params as SQLQueryBindings[])) as R[]);
  }

  /** Rows as arrays, in column order. Cheaper than `all` for large results. */
  values<V extends readonly SqlValue[]>(...params: SqlValue[]): V[] {
    return this.guard(() => this.inner.values(...(params as SQLQueryBindings[])) as unknown as V[]);
  }

  /** First column of the first row. */
  value<V extends SqlValue>(...params: SqlValue[]): V | undefined {
    return this.values<readonly V[]>(...params)[0]?.[0];
  }

  /** Rows one at a time. Do not run the same statement again before the loop has ended. */
  *iterate(...params: SqlValue[]): Generator<R> {
    try {
      yield* this.inner.iterate(...(params as SQLQueryBindings[])) as Iterable<R>;
    } catch (error) {
      throw translate(error, this.path);
    }
  }

  run(...params: SqlValue[]): { readonly changes: number; readonly lastInsertRowid: number } {
    return this.guard(() => {
      const { changes, lastInsertRowid } = this.inner.run(...(params as SQLQueryBindings[]));
      return { changes, lastInsertRowid: Number(lastInsertRowid) };
    });
  }

  /** @internal */
  finalize(): void {
    this.inner.finalize();
  }

  private guard<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw translate(error, this.path);
    }
  }
}

export class Db {
  readonly path: string;
  readonly mode: DbMode;
  private readonly inner: Database;
  private readonly statements = new Map<string, Statement>();
  private depth = 0;

  private constructor(path: string, mode: DbMode, inner: Database) {
    this.path = path;
    this.mode = mode;
    this.inner = inner;
  }

  /**
   * Opens a database file. Says nothing about whether it is a repository: see `repo.ts`.
   *
   * @throws RepoError `repo-missing`, `repo-exists`, `repo-unreadable`, `not-a-repository`, `repo-locked`
   */
  static open(path: string, options: DbOptions): Db {
    const { mode, busyTimeoutMs = BUSY_TIMEOUT_MS } = options;
    try {
      const flags = mode === "read" ? { readonly: true } : { readwrite: true, create: mode === "create" };
      const inner = new Database(path, { ...flags, strict: true });
      const db = new Db(path, mode, inner);
      try {
        inner.run(`PRAGMA busy_timeout=${busyTimeoutMs}`);
        inner.run("PRAGMA synchronous=FULL");
        if (mode === "read") inner.run("PRAGMA query_only=1");
      } catch (error) {
        inner.close();
        throw error;
      }
      return db;
    } catch (error) {
      throw translate(error, path);
    }
  }

  /** The statement for `sql`, prepared on first use and kept until `close`. */
  prepare<R = Row>(sql: string): Statement<R> {
    let statement = this.statements.get(sql);
    if (statement === undefined) {
      try {
        statement = new Statement(this.inner.prepare(sql), this.path);
      } catch (error) {
        throw translate(error, this.path);
      }
      this.statements.set(sql, statement);
    }
    return statement as Statement<R>;
  }

  /** A statement that is not kept: for SQL that a user or a schema made. Runs `use`, then finalizes it. */
  once<R, T>(sql: string, use: (statement: Statement<R>) => T): T {
    let statement: Statement<R>;
    try {
      statement = new Statement<R>(this.inner.prepare(sql), this.path);
    } catch (error) {
      throw translate(error, this.path);
    }
    try {
      return use(statement);
    } finally {
      statement.finalize();
    }
  }

  /** Runs one or several statements that return nothing (schema, pragmas). */
  exec(sql: string): void {
    try {
      this.inner.exec(sql);
    } catch (error) {
      throw translate(error, this.path);
    }
  }

  get inTransaction(): boolean {
    return this.depth > 0;
  }

  /** Runs `body` in one BEGIN IMMEDIATE transaction; joins the one already open. Rolls back when `body` throws. */
  write<T>(body: () => T): T {
    return this.within("BEGIN IMMEDIATE", body);
  }

  /** Runs `body` in one read snapshot; joins the transaction already open. */
  snapshot<T>(body: () => T): T {
    return this.within("BEGIN", body);
  }

  private within<T>(begin: string, body: () => T): T {
    if (this.depth > 0) return body();
    this.exec(begin);
    this.depth++;
    try {
      const result = body();
      this.exec("COMMIT");
      this.depth--;
      return result;
    } catch (error) {
      this.depth--;
      // A failed COMMIT or a full disk may have rolled back already.
      if (this.inner.inTransaction) this.inner.run("ROLLBACK");
      throw error;
    }
  }

  /** Changes whenever another connection has committed: SQLite's `PRAGMA data_version`. */
  dataVersion(): number {
    return this.prepare<{ data_version: number }>("PRAGMA data_version").get()!.data_version;
  }

  /** Finalizes every statement (else the WAL file stays), checkpoints if this is a writer, closes. */
  close(): void {
    for (const statement of this.statements.values()) statement.finalize();
    this.statements.clear();
    try {
      if (this.mode !== "read") this.inner.run("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // Another process holds the file: the last one to close checkpoints.
    }
    this.inner.close(false);
  }
}

const SQLITE_ERRORS: ReadonlyMap<string, readonly [code: string, message: string, hint: string | undefined]> =
  new Map([
    ["SQLITE_BUSY", ["repo-locked", "is locked by another process", "wait for it to finish, then try again"]],
    ["SQLITE_LOCKED", ["repo-locked", "is locked", "wait for the other operation to finish, then try again"]],
    [
      "SQLITE_FULL",
      ["disk-full", "cannot grow: the disk is full", "free some space; nothing was half-written"],
    ],
    [
      "SQLITE_READONLY",
      ["repo-read-only", "cannot be written", "check the permissions of the file and its folder"],
    ],
    ["SQLITE_IOERR", ["repo-io", "could not be read or written", "check the disk"]],
    ["SQLITE_CORRUPT", ["repo-corrupt", "is damaged", "restore it from a peer or a backup"]],
    ["SQLITE_NOTADB", ["not-a-repository", "is not a Fossil repository", undefined]],
    ["SQLITE_CANTOPEN", ["repo-unreadable", "cannot be opened", "check that it exists and can be read"]],
    ["SQLITE_PERM", ["repo-unreadable", "cannot be opened", "check its permissions"]],
  ]);

function translate(error: unknown, path: string): unknown {
  if (!(error instanceof SQLiteError)) return error;
  const code = error.code ?? "";
  for (const [prefix, [ours, message, hint]] of SQLITE_ERRORS) {
    if (code.startsWith(prefix)) {
      const options = hint === undefined ? {} : { hint };
      return new RepoError(ours, `${path} ${message}`, {
        ...options,
        cause: error,
        data: { path, sqlite: code },
      });
    }
  }
  return new RepoError("sql", `${path}: ${error.message}`, { cause: error, data: { path, sqlite: code } });
}
