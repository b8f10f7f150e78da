/**
 * The user's own database, which stock keeps for all repositories of a user: settings, and which repositories and
 * checkouts there are. Table `global_config`, rows by name:
 *
 *     NAME          a setting
 *     repo:PATH     1: a repository; PATH is absolute
 *     ckout:PATH/   path of the repository that this checkout is of
 *
 * `fossil all` goes by the latter two. The file is, on Unix, `$FOSSIL_HOME/.fossil` where that is set, else `$HOME/.fossil` if
 * it exists, else `$XDG_CONFIG_HOME/fossil.db` where that is set, else `$HOME/.config/fossil.db` if that folder exists,
 * else `$HOME/.fossil`; on Windows `_fossil` in the first set of `FOSSIL_HOME`, `LOCALAPPDATA`, `APPDATA` and `USERPROFILE`.
 * A file below 3 KB counts as missing.
 *
 * What cannot be read or written there is passed over: a home that is read-only must not keep a checkout from working.
 *
 * Source: Fossil `src/db.c`, `db_configdb_name` and `db_record_repository_filename`; `src/schema.c`.
 */
import { existsSync, mkdirSync, realpathSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { Db } from "./db.ts";
import { EdgeSyncError } from "./errors.ts";

export type UserEnv = Readonly<Record<string, string | undefined>>;

const FILE_MIN_BYTES = 3 * 1024 + 1;
/** Another program may be at it; nobody is to wait long for a note. */
const BUSY_MS = 1000;
const SCHEMA = `
CREATE TABLE global_config(name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
PRAGMA application_id=252006675;`;

/** Path of the user's database, whether it exists or not; `undefined` when the environment names no home. */
export function userDatabasePath(env: UserEnv, platform: string = process.platform): string | undefined {
  const { FOSSIL_HOME, HOME, XDG_CONFIG_HOME } = env;
  if (platform === "win32") {
    const folder = FOSSIL_HOME || env["LOCALAPPDATA"] || env["APPDATA"] || env["USERPROFILE"];
    return folder ? join(folder, "_fossil") : undefined;
  }
  if (FOSSIL_HOME) return join(FOSSIL_HOME, ".fossil");
  if (HOME && isThere(join(HOME, ".fossil"))) return join(HOME, ".fossil");
  if (XDG_CONFIG_HOME) return join(XDG_CONFIG_HOME, "fossil.db");
  if (!HOME) return undefined;
  return join(HOME, existsSync(join(HOME, ".config/.")) ? ".config/fossil.db" : ".fossil");
}

/** The user's database, if it exists. */
export function userDatabase(env: UserEnv): string | undefined {
  const path = userDatabasePath(env);
  return path !== undefined && isThere(path) ? path : undefined;
}

function isThere(path: string): boolean {
  return sizeOf(path) >= FILE_MIN_BYTES;
}

/** 0 when nothing is there, or nothing that can be looked at. */
function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}

/** All rows that have a value. */
export function userSettings(env: UserEnv): ReadonlyMap<string, string> {
  const path = userDatabase(env);
  const rows = path === undefined ? undefined : within(path, "read", readRows);
  return new Map(rows);
}

function readRows(db: Db): [string, string][] {
  const rows = db.prepare("SELECT name, value FROM global_config WHERE value IS NOT NULL");
  return rows.values<[string, string | number]>().map(([name, value]) => [name, String(value)]);
}

/**
 * Notes that a repository is there, and a checkout of it; makes the database when there is none.
 *
 * @param root top of the checkout, absolute
 */
export function recordUse(env: UserEnv, repository: string, root?: string): void {
  const path = userDatabasePath(env);
  if (path === undefined) return;
  const isNew = !isThere(path);
  if (isNew) makeRoom(path);
  within(path, isNew ? "create" : "write", (db) => {
    if (isNew) db.exec(SCHEMA);
    const file = realpathSync(repository);
    db.write(() => {
      const put = db.prepare("REPLACE INTO global_config(name,value) VALUES(?,?)");
      put.run(`repo:${file}`, "1");
      if (root !== undefined) put.run(`ckout:${root}/`, file);
    });
  });
}

/** Forgets a checkout. */
export function forgetCheckout(env: UserEnv, root: string): void {
  const path = userDatabase(env);
  if (path === undefined) return;
  within(path, "write", (db) => db.prepare("DELETE FROM global_config WHERE name=?").run(`ckout:${root}/`));
}

/** The folder, and none of the scraps that count as no database. */
function makeRoom(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    if (sizeOf(path) === 0) rmSync(path, { force: true });
  } catch {
    // Opening the file fails next, and that is passed over.
  }
}

function within<T>(path: string, mode: "read" | "write" | "create", use: (db: Db) => T): T | undefined {
  let db: Db | undefined;
  try {
    db = Db.open(path, { mode, busyTimeoutMs: BUSY_MS });
    return use(db);
  } catch (error) {
    if (error instanceof EdgeSyncError || (error as NodeJS.ErrnoException).code !== undefined)
      return undefined;
    throw error;
  } finally {
    db?.close();
  }
}
