/**
 * One repository file, open.
 *
 * What counts as a repository (fossil-facts E): a SQLite database of at least 16,834 bytes and a multiple of
 * 512 bytes with the tables of `RECOGNITION_TABLES`, as stock requires, and with schema versions that we
 * know. Each way to fail that has its own code, see `Repo.open`.
 *
 * Journal: WAL with `synchronous=FULL`. Commits checkpoint passively as they go; closing the last
 * connection empties the WAL, so that the main file is whole for stock, which also reads the WAL of a file
 * in use. A connection in mode `read` never changes the file, waits for no lock of a writer, and sees the
 * last commit.
 */
import {
  accessSync,
  closeSync,
  constants,
  openSync,
  readSync,
  type Stats,
  statSync,
  unlinkSync,
} from "node:fs";
import { readU32BE } from "./bytes.ts";
import type { Clock } from "./clock.ts";
import { Db } from "./db.ts";
import { RepoError } from "./errors.ts";
import { type Random, randomHex } from "./random.ts";
import { Config, HASH_POLICIES } from "./repo-config.ts";
import { Content } from "./repo-content.ts";
import {
  AUX_SCHEMA_MAX,
  AUX_SCHEMA_MIN,
  CONTENT_SCHEMA,
  CONTENT_TABLES_SQL,
  DEFAULT_REPORT,
  DEFAULT_TICKET_TABLES_SQL,
  DERIVED_TABLES,
  DERIVED_TABLES_SQL,
  RECOGNITION_TABLES,
  REPOSITORY_APPLICATION_ID,
} from "./repo-schema.ts";
import { randomPassword, Users } from "./repo-user.ts";

/** Stock takes nothing smaller for a repository. */
const REPOSITORY_MIN_BYTES = 16_834;

export interface RepoDependencies {
  readonly clock: Clock;
  readonly random: Random;
}

export interface OpenOptions extends RepoDependencies {
  /** `read`: queries only. `write`: queries and transactions. */
  readonly mode: "read" | "write";
  /** Memory for expanded artifacts, in bytes. */
  readonly cacheBytes?: number;
  /** How long to wait for another process's lock, in milliseconds. */
  readonly busyTimeoutMs?: number;
  /** Accept derived tables that are missing or of an older version: for what rebuilds or only verifies. */
  readonly anyDerivedSchema?: boolean;
}

export interface CreateOptions extends RepoDependencies {
  /** Login of the administrator. */
  readonly user: string;
  /** Of the administrator; a random one that nobody learns unless given. */
  readonly password?: string;
  readonly projectName?: string;
  readonly projectDescription?: string;
  /** 40 hex digits, random unless given. */
  readonly projectCode?: string;
  readonly cacheBytes?: number;
  /** Runs in the transaction that makes the repository, for instance to add the initial check-in. */
  readonly initialize?: (repo: Repo) => void;
}

export class Repo {
  readonly path: string;
  readonly db: Db;
  readonly clock: Clock;
  readonly random: Random;
  readonly config: Config;
  readonly content: Content;
  readonly users: Users;

  private constructor(db: Db, { clock, random }: RepoDependencies, cacheBytes?: number) {
    this.path = db.path;
    this.db = db;
    this.clock = clock;
    this.random = random;
    this.config = new Config(db, clock);
    this.content = new Content(db, this.config, cacheBytes);
    this.users = new Users(db, this.config, clock);
  }

  /**
   * @throws RepoError `repo-missing`, `repo-is-directory`, `repo-unreadable`, `repo-empty`, `repo-truncated`,
   *   `not-sqlite`, `not-a-repository`, `repo-schema-newer`, `repo-schema-outdated`, `repo-locked`,
   *   `repo-read-only` (mode `write` only)
   */
  static open(path: string, options: OpenOptions): Repo {
    checkFile(path, options.mode);
    const { mode, busyTimeoutMs } = options;
    const db = Db.open(path, { mode, ...(busyTimeoutMs !== undefined && { busyTimeoutMs }) });
    try {
      checkTables(db, options.anyDerivedSchema ?? false);
      if (mode === "write") db.once("PRAGMA journal_mode=WAL", (statement) => statement.all());
      return new Repo(db, options, options.cacheBytes);
    } catch (error) {
      db.close();
      throw error;
    }
  }

  /**
   * Makes a repository and leaves it open for writing. It appears whole or not at all.
   *
   * @throws RepoError `repo-exists`, `repo-unreadable` (no such folder), `repo-read-only`, `disk-full`
   */
  static create(path: string, options: CreateOptions): Repo {
    reserve(path);
    let db: Db | undefined;
    try {
      db = Db.open(path, { mode: "write" });
      db.exec(`PRAGMA application_id=${REPOSITORY_APPLICATION_ID}`);
      db.once("PRAGMA journal_mode=WAL", (statement) => statement.all());
      const repo = new Repo(db, options, options.cacheBytes);
      db.write(() => {
        repo.populate(options);
        options.initialize?.(repo);
      });
      db.checkpoint();
      return repo;
    } catch (error) {
      db?.close();
      for (const suffix of ["", "-wal", "-shm", "-journal"]) unlinkQuietly(path + suffix);
      throw error;
    }
  }

  close(): void {
    this.db.close();
  }

  private populate(options: CreateOptions): void {
    const { db, config, random } = this;
    db.exec(CONTENT_TABLES_SQL);
    db.exec(DERIVED_TABLES_SQL);
    db.exec(DEFAULT_TICKET_TABLES_SQL);
    // Stock dates the default report 1970-01-01, as a Julian day in a column of seconds.
    db.prepare("INSERT INTO reportfmt(title,mtime,cols,sqlcode) VALUES(?,2440587.5,?,?)").run(
      DEFAULT_REPORT.title,
      DEFAULT_REPORT.cols,
      DEFAULT_REPORT.sqlcode,
    );
    config.set("content-schema", CONTENT_SCHEMA);
    config.set("aux-schema", AUX_SCHEMA_MAX);
    config.set("hash-policy", String(HASH_POLICIES.indexOf("sha3")));
    config.set("server-code", randomHex(random, 20));
    config.set("project-code", options.projectCode ?? randomHex(random, 20));
    if (options.projectName) config.set("project-name", options.projectName);
    if (options.projectDescription) config.set("project-description", options.projectDescription);
    this.users.createDefaults(options.user, options.password ?? randomPassword(random), random);
  }
}

/** Takes the name `path` for us alone, as an empty file. */
function reserve(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o644));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "EEXIST") {
      throw new RepoError("repo-exists", `${path} exists already`, { hint: "choose another name", cause });
    }
    if (code === "ENOENT") {
      throw new RepoError("repo-unreadable", `the folder of ${path} does not exist`, {
        hint: "make the folder first",
        cause,
      });
    }
    throw fileError(path, cause);
  }
}

function unlinkQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was never made.
  }
}

/** What can be said about the file before SQLite sees it. */
function checkFile(path: string, mode: "read" | "write"): void {
  const stats = stat(path);
  if (stats === undefined) {
    throw new RepoError("repo-missing", `${path} does not exist`, {
      hint: "check the name of the repository",
    });
  }
  if (stats.isDirectory()) {
    throw new RepoError("repo-is-directory", `${path} is a folder, not a repository`, {
      hint: "name the repository file itself",
    });
  }
  checkAccess(path, constants.R_OK);
  if (mode === "write") checkAccess(path, constants.W_OK);
  if (stats.size === 0) throw new RepoError("repo-empty", `${path} is empty, not a repository`);
  checkHeader(path, stats.size);
}

/**
 * Looks at the database header: magic at 0, page size at 16 (u16, 1 means 65536), page count at 28. The
 * count holds when the counters at 24 and 92 agree and nothing waits in a journal.
 */
function checkHeader(path: string, size: number): void {
  const header = readHeader(path);
  if (Buffer.from(header.subarray(0, 16)).toString("latin1") !== "SQLite format 3\0") {
    throw new RepoError("not-sqlite", `${path} is not a Fossil repository (not a SQLite database)`);
  }
  if (["-wal", "-journal"].some((suffix) => (stat(path + suffix)?.size ?? 0) > 0)) return;
  const pageSize = ((header[16]! << 8) | header[17]!) === 1 ? 65_536 : (header[16]! << 8) | header[17]!;
  const countHolds = readU32BE(header, 24) === readU32BE(header, 92);
  const expected = countHolds ? readU32BE(header, 28) * pageSize : 0;
  if (size < expected || size % 512 !== 0) {
    throw new RepoError("repo-truncated", `${path} is cut short: ${size} bytes of ${expected || "more"}`, {
      hint: "restore it from a peer or a backup",
      data: { path, size, expected },
    });
  }
  if (size < REPOSITORY_MIN_BYTES) throw notARepository(path, undefined);
}

function readHeader(path: string): Uint8Array {
  const header = new Uint8Array(100);
  try {
    const fd = openSync(path, "r");
    try {
      readSync(fd, header, 0, header.length, 0);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw fileError(path, cause);
  }
  return header;
}

function checkTables(db: Db, anyDerivedSchema: boolean): void {
  const names = new Set(
    db.prepare("SELECT lower(name) FROM sqlite_schema WHERE type='table'").values<[string]>().flat(),
  );
  if (!RECOGNITION_TABLES.every((table) => names.has(table))) {
    throw notARepository(
      db.path,
      names.has("vvar") && names.has("vfile")
        ? "this is the database of a checkout; name the repository it belongs to"
        : undefined,
    );
  }
  const setting = (name: string) =>
    db.prepare("SELECT value FROM config WHERE name=?").value<string | null>(name) ?? undefined;
  const content = setting("content-schema");
  if (content !== undefined && content !== CONTENT_SCHEMA) {
    throw newerSchema(db.path, "content-schema", content, CONTENT_SCHEMA);
  }
  const aux = setting("aux-schema");
  if (aux !== undefined && aux > AUX_SCHEMA_MAX)
    throw newerSchema(db.path, "aux-schema", aux, AUX_SCHEMA_MAX);
  if (anyDerivedSchema) return;
  const missing = DERIVED_TABLES.find((table) => !names.has(table));
  if (aux === undefined || aux < AUX_SCHEMA_MIN || missing !== undefined) {
    const why = missing === undefined ? `aux-schema is ${aux ?? "unset"}` : `there is no table ${missing}`;
    throw new RepoError("repo-schema-outdated", `the database schema of ${db.path} is out of date: ${why}`, {
      hint: "run: edgesync repo rebuild",
      data: { path: db.path },
    });
  }
}

function newerSchema(path: string, setting: string, found: string, known: string): RepoError {
  return new RepoError(
    "repo-schema-newer",
    `${path} has ${setting} ${found}, newer than the known ${known}`,
    {
      hint: "use a newer edgesync",
      data: { path, found, known },
    },
  );
}

function notARepository(path: string, hint: string | undefined): RepoError {
  return new RepoError("not-a-repository", `${path} is not a Fossil repository`, hint ? { hint } : {});
}

function stat(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    throw fileError(path, cause);
  }
}

function checkAccess(path: string, kind: number): void {
  try {
    accessSync(path, kind);
  } catch (cause) {
    if (kind === constants.R_OK) throw fileError(path, cause);
    throw new RepoError("repo-read-only", `${path} cannot be written`, {
      hint: "check the permissions of the file and its folder",
      cause,
    });
  }
}

function fileError(path: string, cause: unknown): RepoError {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === "EROFS") {
    return new RepoError("repo-read-only", `${path} cannot be written: the disk is read-only`, { cause });
  }
  if (code === "ENOSPC")
    return new RepoError("disk-full", `${path} cannot be made: the disk is full`, { cause });
  return new RepoError("repo-unreadable", `${path} cannot be opened: ${code ?? cause}`, {
    hint: "check the permissions of the file and its folder",
    cause,
  });
}
