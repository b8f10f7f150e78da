/**
 * One repository file, open.
 *
 * What counts as a repository is `repo-recognition.ts`.
 *
 * Journal: WAL with `synchronous=FULL`. Commits checkpoint passively as they go; closing the last
 * connection empties the WAL, so that the main file is whole for stock, which also reads the WAL of a file
 * in use. A connection in mode `read` never changes the file, waits for no lock of a writer, and sees the
 * last commit.
 */
import { closeSync, openSync, unlinkSync } from "node:fs";
import type { Clock } from "./clock.ts";
import { Db, type DbOptions } from "./db.ts";
import { RepoError } from "./errors.ts";
import { type Random, randomHex } from "./random.ts";
import { Config, HASH_POLICIES } from "./repo-config.ts";
import { Content } from "./repo-content.ts";
import { checkFile, checkSize, checkTables, fileError, truncated } from "./repo-recognition.ts";
import {
  AUX_SCHEMA_MAX,
  CONTENT_SCHEMA,
  CONTENT_TABLES_SQL,
  DEFAULT_REPORT,
  DEFAULT_TICKET_TABLES_SQL,
  DERIVED_TABLES_SQL,
  REPOSITORY_APPLICATION_ID,
} from "./repo-schema.ts";
import { randomPassword, Users } from "./repo-user.ts";

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
    const db = openWhole(path, { mode, ...(busyTimeoutMs !== undefined && { busyTimeoutMs }) });
    try {
      checkSize(db);
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

/** @throws RepoError `repo-truncated` where SQLite calls the file corrupt at first sight */
function openWhole(path: string, options: DbOptions): Db {
  try {
    return Db.open(path, options);
  } catch (error) {
    if (error instanceof RepoError && error.code === "repo-corrupt") throw truncated(path);
    throw error;
  }
}
