/**
 * A clone's file while it is being made: `FILE.part`, a repository like any other with one table more, which
 * says what is cloned and how far that has come. It gets its final name when it is whole, and only then.
 *
 *     fx_clone(name, value)    source         the address of what is cloned
 *                              private        1: private artifacts too
 *                              user           login of the administrator
 *                              sequence       of the next page, 0 when all have come
 *                              configuration  1: the server's configuration has come
 *                              password       `user.pw` of the administrator as it was made
 *
 * State changes in the transaction that stores what it tells of, so that whatever ends the process, the next
 * one goes on from there. The project code is in `config` as soon as it is known. The last transaction drops
 * the table; a file without it lacks nothing but its name.
 *
 * Only one process may be at work on a file. It holds an exclusive transaction on an empty database,
 * `FILE.part-lock`, which the system ends with the process.
 *
 * Until it is whole the file is written with `synchronous=NORMAL`: what the last moments before a power
 * failure brought may have to be fetched again.
 */
import { existsSync, renameSync, rmSync, statSync } from "node:fs";
import type { Clock } from "./clock.ts";
import { Db } from "./db.ts";
import { RepoError } from "./errors.ts";
import { toJulian } from "./julian.ts";
import type { Random } from "./random.ts";
import { Repo } from "./repo.ts";
import { defaultRemote, rememberRemote } from "./repo-remote.ts";
import { randomPassword } from "./repo-user.ts";
import { CLONE_START, type CloneState } from "./sync-clone-client.ts";

export interface CloneFileOptions {
  readonly clock: Clock;
  readonly random: Random;
  /**
   * The address of what is cloned, with the login and without the password: it is remembered, and a clone of
   * something else is not gone on with.
   */
  readonly source: string;
  readonly private: boolean;
  /** Login of the administrator of a clone that is begun. */
  readonly user: string;
}

export interface FinishedClone {
  readonly projectCode: string;
  readonly serverCode: string;
  /** Login of the administrator; `undefined` when an earlier process has done all but the name. */
  readonly user: string | undefined;
  /** Of the administrator; `undefined` when the server's configuration brought that user, password included. */
  readonly password: string | undefined;
}

/** Expanded artifacts kept while linking: a hundred manifests or more, whose relatives come soon. */
const CACHE_BYTES = 8_000_000;

const SUFFIXES = ["", "-wal", "-shm", "-journal"];

export class CloneFile {
  private constructor(
    readonly target: string,
    readonly repo: Repo,
    private readonly lock: Db,
  ) {}

  /**
   * Begins a clone into `target`, or goes on with one.
   *
   * @throws RepoError `repo-exists` when there is such a file, `clone-running` when another process is at work
   *   on it, `clone-other` when what was begun there is the clone of something else, and as `Repo.create`
   */
  static open(target: string, options: CloneFileOptions): CloneFile {
    refuseExisting(target);
    const lock = takeLock(target);
    try {
      const repo = reopen(target, options) ?? create(target, options);
      repo.db.exec("PRAGMA synchronous=NORMAL");
      return new CloneFile(target, repo, lock);
    } catch (error) {
      releaseLock(target, lock);
      throw error;
    }
  }

  get path(): string {
    return this.repo.path;
  }

  /** Whether all is done but the name. */
  get isWhole(): boolean {
    return !isPart(this.repo);
  }

  get state(): CloneState {
    const projectCode = this.repo.config.projectCode;
    if (this.isWhole) return { sequence: 0, projectCode, hasConfiguration: true };
    const sequence = Number(this.read("sequence") ?? CLONE_START.sequence);
    return { sequence, projectCode, hasConfiguration: this.read("configuration") === "1" };
  }

  /** To be called in the transaction that stores what came with it. */
  setState({ sequence, projectCode, hasConfiguration }: CloneState): void {
    this.write("sequence", String(sequence));
    this.write("configuration", hasConfiguration ? "1" : "0");
    if (projectCode !== undefined && this.repo.config.projectCode !== projectCode) {
      this.repo.config.set("project-code", projectCode);
    }
  }

  /** The row of `rcvfrom` for all that a clone receives. */
  rcvid(peer: string): number {
    const { db, users, clock } = this.repo;
    const known = db.prepare("SELECT max(rcvid) FROM rcvfrom").value<number | null>();
    if (known != null) return known;
    const uid = users.get(this.read("user")!)?.uid ?? 0;
    return db
      .prepare("INSERT INTO rcvfrom(uid,mtime,nonce,ipaddr) VALUES(?,?,NULL,?)")
      .run(uid, toJulian(clock.now()), peer).lastInsertRowid;
  }

  /**
   * Makes a repository of the file: users, the remote; and takes our own table away.
   *
   * @param remotePassword to be remembered with the address
   */
  complete(remotePassword: string | undefined): FinishedClone {
    const { repo } = this;
    return repo.db.write(() => {
      const projectCode = repo.config.projectCode ?? "";
      const serverCode = repo.config.get("server-code") ?? "";
      if (this.isWhole) return { projectCode, serverCode, user: undefined, password: undefined };
      const user = this.read("user")!;
      const password = this.givePassword(user);
      rememberRemote(repo, { url: this.read("source")!, password: remotePassword }, repo.random);
      repo.db.exec("DROP TABLE fx_clone");
      return { projectCode, serverCode, user, password };
    });
  }

  /**
   * Closes the file and gives it its name.
   *
   * @throws RepoError `repo-exists` when somebody else has made such a file meanwhile
   */
  publish(): void {
    const { path } = this;
    this.repo.close();
    try {
      refuseExisting(this.target);
      renameSync(path, this.target);
    } finally {
      releaseLock(this.target, this.lock);
    }
  }

  /** Closes the file, to be gone on with later; removes it when it holds nothing worth that. */
  leave(): void {
    const { path, repo } = this;
    const isEmpty = repo.db.prepare("SELECT 1 FROM blob LIMIT 1").value() === undefined;
    repo.close();
    if (isEmpty) for (const suffix of SUFFIXES) rmSync(path + suffix, { force: true });
    releaseLock(this.target, this.lock);
  }

  /** A random password for the administrator, unless the server's configuration has given one. */
  private givePassword(user: string): string | undefined {
    const { repo } = this;
    const stored = repo.db.prepare("SELECT pw FROM user WHERE login=?").value<string>(user);
    if (stored === undefined || stored !== this.read("password")) return undefined;
    const password = randomPassword(repo.random);
    repo.users.setPassword(user, password);
    return password;
  }

  private read(name: string): string | undefined {
    return this.repo.db.prepare("SELECT value FROM fx_clone WHERE name=?").value<string>(name);
  }

  private write(name: string, value: string): void {
    this.repo.db.prepare("REPLACE INTO fx_clone(name,value) VALUES(?,?)").run(name, value);
  }
}

const partOf = (target: string) => `${target}.part`;

/** Whether there is something that a clone into `target` would go on with. */
export const isBegun = (target: string): boolean => !existsSync(target) && existsSync(partOf(target));

function refuseExisting(target: string): void {
  if (!existsSync(target)) return;
  throw new RepoError("repo-exists", `${target} exists already`, { hint: "choose another name" });
}

function takeLock(target: string): Db {
  const path = `${partOf(target)}-lock`;
  let lock: Db | undefined;
  try {
    lock = Db.open(path, { mode: "create", busyTimeoutMs: 0 });
    lock.exec("BEGIN EXCLUSIVE");
    return lock;
  } catch (cause) {
    lock?.close();
    if (!(cause instanceof RepoError)) throw cause;
    if (cause.code !== "repo-locked") throw unmakable(target, cause);
    throw new RepoError("clone-running", `another process is cloning into ${target}`, {
      hint: "wait for it to finish",
      cause,
    });
  }
}

/** The same error in terms of what was asked for. Nobody holds a lock that could not be made. */
function unmakable(target: string, cause: RepoError): RepoError {
  rmSync(`${partOf(target)}-lock`, { force: true });
  const isFull = cause.code === "disk-full";
  return new RepoError(cause.code, `${target} cannot be made${isFull ? ": the disk is full" : ""}`, {
    hint: isFull ? "free some space" : "check that its folder exists and may be written",
    cause,
  });
}

function releaseLock(target: string, lock: Db): void {
  lock.close();
  rmSync(`${partOf(target)}-lock`, { force: true });
}

/** What an earlier process has begun. A file in which nothing was done yet is begun anew. */
function reopen(target: string, options: CloneFileOptions): Repo | undefined {
  const path = partOf(target);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  const { clock, random, source } = options;
  if (!hasTables(path, stats.size)) {
    for (const suffix of SUFFIXES) rmSync(path + suffix, { force: true });
    return undefined;
  }
  const repo = Repo.open(path, {
    mode: "write",
    clock,
    random,
    anyDerivedSchema: true,
    cacheBytes: CACHE_BYTES,
  });
  const other = whyOther(repo, options);
  if (other === undefined) return repo;
  repo.close();
  throw new RepoError("clone-other", `${path} is ${other}, not one of ${source}`, {
    hint: "remove it to start anew",
    data: { path },
  });
}

function hasTables(path: string, size: number): boolean {
  if (size === 0 && !existsSync(`${path}-wal`)) return false;
  const db = Db.open(path, { mode: "read" });
  try {
    return db.prepare("SELECT 1 FROM sqlite_schema WHERE name='blob'").value() !== undefined;
  } finally {
    db.close();
  }
}

/** What the file is, when it is not the clone that is asked for. */
function whyOther(repo: Repo, options: CloneFileOptions): string | undefined {
  if (!isPart(repo)) {
    const url = defaultRemote(repo)?.url;
    return url === options.source ? undefined : `a repository that syncs with ${url ?? "nobody"}`;
  }
  const value = (name: string) =>
    repo.db.prepare("SELECT value FROM fx_clone WHERE name=?").value<string>(name);
  const source = value("source");
  if (source !== options.source) return `an unfinished clone of ${source}`;
  if ((value("private") === "1") === options.private) return undefined;
  return `an unfinished clone ${options.private ? "without" : "with"} private artifacts`;
}

function isPart(repo: Repo): boolean {
  return repo.db.prepare("SELECT 1 FROM sqlite_schema WHERE name='fx_clone'").value() !== undefined;
}

function create(target: string, { clock, random, source, private: isPrivate, user }: CloneFileOptions): Repo {
  const initialize = ({ db, config }: Repo) => {
    db.exec("CREATE TABLE fx_clone(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID");
    const set = db.prepare("INSERT INTO fx_clone(name,value) VALUES(?,?)");
    set.run("source", source);
    set.run("private", isPrivate ? "1" : "0");
    set.run("user", user);
    set.run("password", db.prepare("SELECT pw FROM user WHERE login=?").value<string>(user)!);
    config.unset("project-code");
    config.unset("hash-policy");
  };
  return Repo.create(partOf(target), { clock, random, user, initialize, cacheBytes: CACHE_BYTES });
}
