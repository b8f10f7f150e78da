/**
 * SQLite behind one door: the only importer of `bun:sqlite`. Statements are prepared once per SQL text and kept; keep
 * the set of texts fixed (Bun leaks when many distinct texts are prepared and kept). Writers take the lock up front
 * with BEGIN IMMEDIATE, so that a round either holds it whole or fails clean.
 *
 * Values. Integers come back as numbers: exact to 2^53, far beyond any rid. A `bigint` may be bound. An empty
 * `Uint8Array` is an empty blob, not NULL. `undefined` is never bound: pass `null`.
 *
 * Reading. A reader is opened read-write with `query_only`, because a connection that is read-only to SQLite leaves the
 * -wal and -shm files of a WAL database behind and cannot recover after a crash. Where the folder cannot be written
 * SQLite refuses to open a WAL database that nobody else has open; such a file is opened as immutable, provided there
 * is no journal to recover. SQLite then looks neither for locks nor for changes: whoever keeps such a connection opens
 * the file again when its time has changed.
 *
 * Closing. Statements are finalized first, else SQLite keeps the WAL. The last connection to close must be able to
 * write, so close readers before writers.
 */
import {
  type Statement as BunStatement,
  constants,
  Database,
  SQLiteError,
  type SQLQueryBindings,
} from "bun:sqlite";
import { type Bytes, free } from "./bytes.ts";
import { RepoError } from "./errors.ts";
import { faultPoint } from "./fault-point.ts";
import { BUSY_TIMEOUT_MS, CLOSE_BUSY_TIMEOUT_MS } from "./limits.ts";

export type SqlValue = string | number | bigint | Uint8Array | boolean | null;
export type Row = Record<string, SqlValue>;

/** `read`: the file is never changed (`query_only`). `write`: it must exist. `create`: it must not. */
export type DbMode = "read" | "write" | "create";

export interface DbOptions {
  readonly mode: DbMode;
  /** How long to wait for another process's lock, in milliseconds. */
  readonly busyTimeoutMs?: number;
}

export interface RunResult {
  readonly changes: number;
  readonly lastInsertRowid: number;
}

/** A prepared statement. Rows are objects keyed by column name; blobs are `Uint8Array`. */
export class Statement<R = Row> {
  constructor(
    private readonly inner: BunStatement,
    private readonly path: string,
  ) {}

  /** Names of the columns of the result; none for a statement that has no result. */
  get columnNames(): readonly string[] {
    return this.inner.columnNames;
  }

  get(...params: SqlValue[]): R | undefined {
    return this.guard(
      params,
      () => (this.inner.get(...(params as SQLQueryBindings[])) as R | null) ?? undefined,
    );
  }

  all(...params: SqlValue[]): R[] {
    return this.guard(params, () => this.inner.all(...(params as SQLQueryBindings[])) as R[]);
  }

  /** Rows as arrays, in column order. Cheaper than `all` for large results. */
  values<V extends readonly SqlValue[]>(...params: SqlValue[]): V[] {
    return this.guard(params, () => this.inner.values(...(params as SQLQueryBindings[])) as unknown as V[]);
  }

  /** First column of the first row. */
  value<V extends SqlValue>(...params: SqlValue[]): V | undefined {
    return this.values<readonly V[]>(...params)[0]?.[0];
  }

  /**
   * Rows one at a time. Running the same statement again before the loop has ended makes the loop throw;
   * leaving the loop early is fine.
   */
  *iterate(...params: SqlValue[]): Generator<R> {
    this.checkCount(params);
    try {
      yield* this.inner.iterate(...(params as SQLQueryBindings[])) as Iterable<R>;
    } catch (error) {
      throw translate(error, this.path);
    }
  }

  run(...params: SqlValue[]): RunResult {
    return this.guard(params, () => {
      const { changes, lastInsertRowid } = this.inner.run(...(params as SQLQueryBindings[]));
      return { changes, lastInsertRowid: Number(lastInsertRowid) };
    });
  }

  /** NULL for each parameter: what SQLite takes when none is bound. */
  get nulls(): null[] {
    return Array(this.inner.paramsCount).fill(null);
  }

  /** Bun ignores surplus parameters; a call that passes some is a mistake in the program. */
  private checkCount(params: readonly SqlValue[]): void {
    if (params.length !== this.inner.paramsCount) {
      throw new Error(
        `${this.inner.paramsCount} parameters expected, ${params.length} passed: ${this.inner}`,
      );
    }
  }

  /** @internal */
  finalize(): void {
    this.inner.finalize();
  }

  private guard<T>(params: readonly SqlValue[], body: () => T): T {
    this.checkCount(params);
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
  /** Of the statement that `runLarge` runs. */
  private spare: Bytes | undefined;
  private hasBound = false;
  private rollbacks = 0;

  private constructor(
    path: string,
    mode: DbMode,
    inner: Database,
    /** Changes of the file by others are not seen, and may be misread. */
    readonly isImmutable: boolean,
  ) {
    this.path = path;
    this.mode = mode;
    this.inner = inner;
  }

  /**
   * Opens a database file. Says nothing about whether it is a repository: see `repo.ts`.
   *
   * @throws RepoError `repo-unreadable`, `not-sqlite`, `repo-locked`, `repo-unrecovered`
   */
  static open(path: string, options: DbOptions): Db {
    const { mode, busyTimeoutMs = BUSY_TIMEOUT_MS } = options;
    const configure = (inner: Database, isImmutable: boolean): Db => {
      try {
        inner.run(`PRAGMA busy_timeout=${busyTimeoutMs}`);
        inner.run("PRAGMA synchronous=FULL");
        if (mode === "read") inner.run("PRAGMA query_only=1");
        inner.run("SELECT 1 FROM sqlite_schema LIMIT 1"); // The first read opens the journal.
        return new Db(path, mode, inner, isImmutable);
      } catch (error) {
        inner.close();
        throw error;
      }
    };
    try {
      const inner = new Database(path, { readwrite: true, create: mode === "create", strict: true });
      return configure(inner, false);
    } catch (error) {
      if (mode !== "read" || !cannotOpenJournal(error)) throw translate(error, path);
      if (hasJournal(path)) throw unrecovered(path, error);
    }
    try {
      const url = `${Bun.pathToFileURL(path).href}?immutable=1`;
      const inner = new Database(url, constants.SQLITE_OPEN_READONLY | constants.SQLITE_OPEN_URI);
      return configure(inner, true);
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

  /**
   * Runs a statement with a large parameter, and keeps neither: a statement holds what was bound to it until it runs
   * again. The condition `fx_bound()` in `sql` is true, and asked for before a row is made, when SQLite has its own copy of every
   * parameter: `spare`, if given, is freed then, so that it is not there beside the copy and the row.
   */
  runLarge(sql: string, params: readonly SqlValue[], spare?: Bytes): RunResult {
    if (!this.hasBound) {
      this.inner.function("fx_bound", () => {
        if (this.spare !== undefined) free(this.spare);
        this.spare = undefined;
        return 1;
      });
      this.hasBound = true;
    }
    this.spare = spare;
    try {
      return this.once(sql, (statement) => statement.run(...params));
    } finally {
      this.spare = undefined;
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

  /** Writes all content as of now into a new database file. Changes nothing here, so mode `read` will do. */
  copyInto(path: string): void {
    if (this.mode === "read") this.exec("PRAGMA query_only=0"); // It would forbid this too.
    try {
      this.once("VACUUM INTO ?", (statement) => statement.run(path));
    } finally {
      if (this.mode === "read") this.exec("PRAGMA query_only=1");
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
    const isWrite = begin === "BEGIN IMMEDIATE";
    let result: T;
    try {
      if (isWrite) faultPoint("db-begun", this);
      result = body();
      // It would run on after the COMMIT.
      if (result instanceof Promise) throw new Error("the body of a transaction must be synchronous");
      if (isWrite) faultPoint("db-commit");
      this.exec("COMMIT");
    } catch (error) {
      if (isWrite) this.rollbacks++;
      // A failed COMMIT or a full disk may have rolled back already.
      if (this.inner.inTransaction) this.inner.run("ROLLBACK");
      throw error;
    } finally {
      this.depth--;
    }
    if (isWrite) faultPoint("db-committed");
    return result;
  }

  /** Write transactions of this connection that were undone: what was read or cached during one may not exist. */
  get rollbackCount(): number {
    return this.rollbacks;
  }

  /** Changes whenever another connection has committed: SQLite's `PRAGMA data_version`. */
  dataVersion(): number {
    return this.prepare<{ data_version: number }>("PRAGMA data_version").get()!.data_version;
  }

  /** How long to wait for another process's lock from now on, in milliseconds. */
  setBusyTimeout(timeoutMs: number): void {
    this.exec(`PRAGMA busy_timeout=${Math.max(0, Math.trunc(timeoutMs))}`);
  }

  /**
   * Moves what is committed from the WAL into the main file, as far as readers allow, without waiting for
   * anybody. Does nothing outside WAL mode.
   */
  checkpoint(): void {
    this.exec("PRAGMA wal_checkpoint(PASSIVE)");
  }

  /** Finalizes every statement (else the WAL file stays), empties the WAL if this is a writer, closes. */
  close(): void {
    for (const statement of this.statements.values()) statement.finalize();
    this.statements.clear();
    try {
      if (this.mode !== "read") {
        this.setBusyTimeout(CLOSE_BUSY_TIMEOUT_MS);
        this.inner.run("PRAGMA wal_checkpoint(TRUNCATE)");
      }
    } catch {
      // Another connection is at work: the last one to close empties the WAL.
    }
    this.inner.close(false);
  }
}

/** What SQLite says when the folder of a WAL database cannot take the -wal and -shm files. */
function cannotOpenJournal(error: unknown): boolean {
  const code = error instanceof SQLiteError ? (error.code ?? "") : "";
  return code.startsWith("SQLITE_READONLY") || code.startsWith("SQLITE_CANTOPEN");
}

/** Whether a journal or WAL with something in it lies beside the file. */
function hasJournal(path: string): boolean {
  return ["-wal", "-journal"].some((suffix) => {
    // Bun.file stats when asked for its size: 0 when there is none. node:fs would slow every start.
    return Bun.file(path + suffix).size > 0;
  });
}

function unrecovered(path: string, cause: unknown): RepoError {
  const message = `${path} has commits in a journal, and its folder cannot be written`;
  const hint = "open it once where it can be written, with any fossil or edgesync command";
  return new RepoError("repo-unrecovered", message, { cause, hint });
}

type Translation = readonly [code: string, message: string, hint: string | undefined];

const FULL: Translation = [
  "disk-full",
  "cannot grow: the disk is full",
  "free some space; nothing was half-written",
];

const SQLITE_ERRORS: ReadonlyMap<string, Translation> = new Map<string, Translation>([
  ["SQLITE_BUSY", ["repo-locked", "is locked by another process", "wait for it to finish, then try again"]],
  ["SQLITE_LOCKED", ["repo-locked", "is locked", "wait for the other operation to finish, then try again"]],
  ["SQLITE_FULL", FULL],
  ["SQLITE_IOERR_SHMSIZE", FULL], // The index beside the WAL found no room.
  ["SQLITE_READONLY", ["repo-read-only", "cannot be written", "check the rights to the file and its folder"]],
  ["SQLITE_IOERR", ["repo-io", "could not be read or written", "check the disk"]],
  ["SQLITE_CORRUPT", ["repo-corrupt", "is damaged", "restore it from a peer or a backup"]],
  ["SQLITE_NOTADB", ["not-sqlite", "is not a Fossil repository (not a SQLite database)", undefined]],
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

/** The version of SQLite in this program. */
export function sqliteVersion(): string {
  const db = new Database(":memory:");
  try {
    return (db.query("SELECT sqlite_version() AS version").get() as { version: string }).version;
  } finally {
    db.close();
  }
}
