/**
 * Where a checkout is: the folder with a checkout's database in it, at or above the one worked in, and the
 * repository that this database names. A file counts as the database when it is of whole kilobytes and
 * holds 4096 bytes at least, as in stock (Fossil `src/db.c`).
 */
import { realpathSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { CHECKOUT_DATABASES } from "./checkout-schema.ts";
import { Db, type DbMode } from "./db.ts";
import { RepoError } from "./errors.ts";

const DATABASE_MIN_BYTES = 4096;
const DATABASE_UNIT_BYTES = 1024;

export interface CheckoutPlace {
  /** Top folder, absolute, free of symbolic links, without a slash at its end unless it is the root. */
  readonly root: string;
  /** Path of the checkout's database. */
  readonly database: string;
}

/** The checkout at or above `folder`; `undefined` when there is none. */
export function findCheckout(folder: string): CheckoutPlace | undefined {
  for (let root = realFolder(folder); ; root = dirname(root)) {
    const place = checkoutAt(root);
    if (place !== undefined) return place;
    if (dirname(root) === root) return undefined;
  }
}

/** The checkout whose top is `root` itself. */
export function checkoutAt(root: string): CheckoutPlace | undefined {
  const database = CHECKOUT_DATABASES.map((name) => join(root, name)).find(isDatabase);
  return database === undefined ? undefined : { root, database };
}

/** Opens a checkout's database.
 *
 * @throws RepoError `checkout-broken`, `repo-locked`
 */
export function openDatabase({ database }: CheckoutPlace, mode: DbMode): Db {
  let db: Db | undefined;
  try {
    db = Db.open(database, { mode });
    if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name='vvar'").value() === undefined) {
      throw broken(database, "has no table vvar");
    }
    return db;
  } catch (error) {
    db?.close();
    if (error instanceof RepoError && (error.code === "not-sqlite" || error.code === "repo-corrupt")) {
      throw broken(database, "cannot be read");
    }
    throw error;
  }
}

/**
 * The path of the repository that a checkout's database names.
 *
 * @throws RepoError `checkout-broken`
 */
export function repositoryOf({ root, database }: CheckoutPlace, db: Db): string {
  const path = db.prepare("SELECT value FROM vvar WHERE name='repository'").value<string | null>();
  if (!path) throw broken(database, "names no repository");
  return isAbsolute(path) ? path : join(root, path);
}

function broken(database: string, how: string): RepoError {
  return new RepoError("checkout-broken", `${database} ${how}, so this is no checkout`, {
    hint: "move that file away and open the repository here again with --keep",
  });
}

function isDatabase(path: string): boolean {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return size >= DATABASE_MIN_BYTES && size % DATABASE_UNIT_BYTES === 0;
}

function realFolder(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return resolve(folder);
  }
}
