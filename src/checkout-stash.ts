/**
 * Changes set aside, on stock's own tables: what either program stashed the other lists, shows and applies.
 *
 *     stash(stashid, vid, hash, comment, ctime)
 *                 one set of changes to the check-in `hash`; `vid` is its rid, kept for old readers; `ctime` is a Julian day
 *     stashfile(stashid, isAdded, isRemoved, isExec, isLink, rid, hash, origname, newname, delta)
 *                 one file: what it was based on (`hash`, NULL for a new file), its name there and now, and as `delta`
 *                 the content of a new file, the delta from the base of a changed one, NULL for a removed one
 *     vvar stash-next   the number of the next stash
 *
 * Source: Fossil `src/stash.c`.
 */
import { isWithin } from "./checkout-add.ts";
import { changeTree } from "./checkout-change.ts";
import type { Checkout } from "./checkout-db.ts";
import { readDisk } from "./checkout-disk.ts";
import { type Reverted, revert } from "./checkout-revert.ts";
import { refresh, type TrackedFile } from "./checkout-status.ts";
import type { UndoLog } from "./checkout-undo.ts";
import { originalName } from "./checkout-vfile.ts";
import { createDelta } from "./delta-encode.ts";
import { RepoError, type UsageError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import { formatDateTime, fromJulian, toJulian } from "./julian.ts";
import type { Rid } from "./repo-content.ts";

export type Stash = {
  readonly id: number;
  /** The check-in that the changes were made to. */
  readonly hash: Hash;
  readonly comment: string;
  /** `YYYY-MM-DD HH:MM:SS`, UTC. */
  readonly date: string;
};

export interface StashFile {
  readonly isRemoved: boolean;
  readonly isExecutable: boolean;
  readonly isLink: boolean;
  /** Content that it was based on; `undefined` for a new file. */
  readonly base: Hash | undefined;
  readonly originalName: string;
  readonly name: string;
  readonly delta: Uint8Array | null;
}

const TABLES_SQL = `
CREATE TABLE IF NOT EXISTS stash(
  stashid INTEGER PRIMARY KEY, vid INTEGER, hash TEXT, comment TEXT, ctime TIMESTAMP
);
CREATE TABLE IF NOT EXISTS stashfile(
  stashid INTEGER REFERENCES stash, isAdded BOOLEAN, isRemoved BOOLEAN, isExec BOOLEAN, isLink BOOLEAN,
  rid INTEGER, hash TEXT, origname TEXT, newname TEXT, delta BLOB,
  PRIMARY KEY(newname, stashid)
);
INSERT OR IGNORE INTO vvar(name, value) VALUES('stash-next', 1);`;

export interface SaveOptions {
  /** Files, or folders with what has changed in them; everything when there are none. */
  readonly names: readonly string[];
  readonly comment: string;
  /** Leave the changes in the working tree too. */
  readonly keep?: boolean;
}

export interface Saved {
  readonly id: number;
  readonly files: readonly string[];
  /** What became of them in the working tree. */
  readonly reverted: readonly Reverted[];
}

/**
 * Sets changes aside, and puts the files back as they are in the check-in.
 *
 * @throws RepoError `nothing-to-stash`, `file-missing`, and those of `revert`
 */
export function saveStash(checkout: Checkout, { names, comment, keep }: SaveOptions): Saved {
  const saved = changeTree(checkout, (tree) => {
    const changed = refresh(checkout).filter(isChanged);
    const isAll = names.length === 0 || names.includes("");
    const files = isAll ? changed : [...new Set(names.flatMap((name) => changed.filter(isOf(name))))];
    if (files.length === 0) throw nothingToStash(names);
    const id = addStash(checkout, comment);
    for (const file of files) {
      const disk = tree.stat(file.pathname);
      const content =
        disk === undefined || disk.kind === "other"
          ? undefined
          : readDisk(tree.path(file.pathname), tree.allowLinks);
      addFile(checkout, id, file, content, disk?.kind === "link");
    }
    return { id, files: files.map(({ pathname }) => pathname), originals: files.map(originalName) };
  });
  // The stash is safe before a file is put back.
  const reverted = keep ? [] : revert(checkout, { names: saved.originals });
  return { id: saved.id, files: saved.files, reverted };
}

function isChanged({ chnged, deleted, origname, mrid }: TrackedFile): boolean {
  return chnged !== 0 || deleted !== 0 || origname !== null || mrid === 0;
}

const isOf = (name: string) => (file: TrackedFile) =>
  isWithin(file.pathname, name) || isWithin(originalName(file), name);

function addStash(checkout: Checkout, comment: string): number {
  const { db, repo, vid, checkIn } = checkout;
  db.exec(TABLES_SQL);
  const id = Number(checkout.variable("stash-next") ?? 1);
  checkout.setVariable("stash-next", id + 1);
  const hash = checkIn === undefined ? null : repo.content.hashOf(checkIn);
  db.prepare("INSERT INTO stash(stashid,vid,hash,comment,ctime) VALUES(?,?,?,?,?)").run(
    id,
    vid,
    hash,
    comment,
    toJulian(repo.clock.now()),
  );
  return id;
}

/** @throws RepoError `file-missing` */
function addFile(
  { db, repo }: Checkout,
  id: number,
  file: TrackedFile,
  content: Uint8Array | undefined,
  isLink: boolean,
): void {
  const { mrid, deleted, isexe, pathname } = file;
  const base = mrid === 0 ? null : repo.content.hashOf(mrid as Rid);
  if (content === undefined && (mrid === 0 || !deleted)) throw missing(pathname);
  const isKept = mrid !== 0 && deleted !== 0;
  const original = isKept || mrid === 0 ? undefined : repo.content.get(mrid as Rid);
  const delta = isKept ? null : original === undefined ? content! : createDelta(original, content!);
  db.prepare(
    `INSERT INTO stashfile(stashid,isAdded,isRemoved,isExec,isLink,rid,hash,origname,newname,delta)
     VALUES(?,?,?,?,?,?,?,?,?,?)`,
  ).run(
    id,
    mrid === 0 ? 1 : 0,
    deleted,
    isexe,
    isLink ? 1 : 0,
    mrid,
    base,
    originalName(file),
    pathname,
    delta,
  );
}

/** All stashes, the oldest first. */
export function listStashes({ db }: Checkout): Stash[] {
  if (!hasStash({ db })) return [];
  return db
    .prepare("SELECT stashid, hash, coalesce(comment,''), ctime FROM stash ORDER BY ctime")
    .values<[number, Hash, string, number]>()
    .map(([id, hash, comment, ctime]) => ({ id, hash, comment, date: formatDateTime(fromJulian(ctime)) }));
}

/** A stash by its number, the last one unless given. @throws RepoError `no-stash` */
export function findStash(checkout: Checkout, id?: number): Stash {
  const all = listStashes(checkout);
  const found =
    id === undefined
      ? all.reduce<Stash | undefined>(
          (last, one) => (last === undefined || one.id > last.id ? one : last),
          undefined,
        )
      : all.find((stash) => stash.id === id);
  if (found !== undefined) return found;
  throw new RepoError("no-stash", id === undefined ? "nothing is stashed" : `there is no stash ${id}`, {
    hint: "see edgesync repo stash ls",
  });
}

/** Its files, in the order they were stashed. */
export function stashFiles({ db }: Checkout, id: number): StashFile[] {
  return db
    .prepare(
      `SELECT coalesce(isRemoved,0), coalesce(isExec,0), coalesce(isLink,0), hash, origname, newname, delta
       FROM stashfile WHERE stashid=? ORDER BY hash IS NULL, rowid`,
    )
    .values<[number, number, number, Hash | null, string, string, Uint8Array | null]>(id)
    .map(([isRemoved, isExecutable, isLink, base, originalName, name, delta]) => ({
      isRemoved: isRemoved !== 0,
      isExecutable: isExecutable !== 0,
      isLink: isLink !== 0,
      base: base ?? undefined,
      originalName,
      name,
      delta,
    }));
}

/** Forgets stashes. Within `Checkout.write`. @param undo keeps them for undo */
export function dropStashes({ db }: Checkout, ids: readonly number[], undo: UndoLog | undefined): void {
  for (const id of ids) {
    undo?.saveStash(id);
    db.prepare("DELETE FROM stash WHERE stashid=?").run(id);
    db.prepare("DELETE FROM stashfile WHERE stashid=?").run(id);
  }
}

/** @throws RepoError `no-stash` */
export function renameStash(checkout: Checkout, id: number, comment: string): void {
  checkout.write(() => {
    findStash(checkout, id);
    checkout.db.prepare("UPDATE stash SET comment=? WHERE stashid=?").run(comment, id);
  });
}

function hasStash({ db }: Pick<Checkout, "db">): boolean {
  return db.prepare("SELECT 1 FROM sqlite_schema WHERE name='stash'").value() !== undefined;
}

function nothingToStash(names: readonly string[]): UsageError | RepoError {
  if (names.length === 0)
    return new RepoError("nothing-to-stash", "nothing has changed, so there is nothing to stash");
  return new RepoError("nothing-to-stash", `nothing has changed in ${names.join(", ")}`);
}

function missing(name: string): RepoError {
  return new RepoError("file-missing", `${JSON.stringify(name)} is not there`, {
    hint: "put it back with edgesync repo revert, or remove it with edgesync repo rm",
    data: { name },
  });
}
