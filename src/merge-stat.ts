/**
 * What the last merge or update did to each file, as Fossil since 2.26 keeps it for `fossil merge-info` (`src/merge.c`). Rows of a
 * merge replace those of the one before.
 *
 *     mergestat(op, fnp, ridp, fn, ridv, sz, fnm, ridm, fnr, nc, msg)
 *         op         UPDATE, MERGE, CONFLICT, ERROR, DELETE or ADDED
 *         fnp, fn, fnm, fnr   name in the pivot, in the checkout before, in what was merged, and after
 *         ridp, ridv, ridm    contents of the first three; `ridv` NULL when the file had been changed, then
 *         sz         is its size in bytes, else NULL
 *         nc, msg    conflicts, and what they are
 */
import type { Checkout } from "./checkout-db.ts";
import type { Hash } from "./hash.ts";
import type { PlannedFile } from "./merge-plan.ts";
import type { Rid } from "./repo-content.ts";

export type MergeOp = "UPDATE" | "MERGE" | "CONFLICT" | "ERROR" | "DELETE" | "ADDED";

export interface MergeNote {
  readonly op: MergeOp;
  /** Of the file before, when it had been changed. */
  readonly sizeBefore?: number | undefined;
  readonly conflictCount?: number;
  readonly message?: string;
}

/** A file of an update. */
export interface UpdatedFile {
  readonly name: string;
  /** In the target. */
  readonly newName: string;
  /** Contents; 0 where there is none. */
  readonly rid: number;
  readonly targetRid: number;
  /** On disk, under the new name; -1 when it was not there. */
  readonly sizeBefore: number;
}

const TABLE_SQL = `
DROP TABLE IF EXISTS mergestat;
DELETE FROM vvar WHERE name GLOB 'mergestat-*';
CREATE TABLE mergestat(
  op TEXT, fnp TEXT, ridp INT, fn TEXT, ridv INT, sz INT, fnm TEXT, ridm INT, fnr TEXT, nc INT DEFAULT 0, msg TEXT
);`;

/** Within `Checkout.write`. */
export class MergeStat {
  constructor(private readonly checkout: Checkout) {
    checkout.db.exec(TABLE_SQL);
  }

  note(file: PlannedFile, { op, sizeBefore, conflictCount, message }: MergeNote): void {
    const { names, current, pivot, merged } = file;
    const isLink = current?.islink || merged?.islink;
    const isEdited = current !== undefined && current.chnged !== 0 && !(op === "ERROR" && isLink);
    // What is only in one of the versions has nothing to say of the others.
    const isAdded = op === "ADDED";
    const isDeleted = op === "DELETE";
    this.checkout.db
      .prepare(
        `INSERT INTO mergestat(op,fnp,ridp,fn,ridv,sz,fnm,ridm,fnr,nc,msg) VALUES(?,?,?,?,?,?,?,?,?,?,?)`,
      )
      .run(
        op,
        isAdded || isDeleted ? null : (names.p ?? null),
        isAdded || isDeleted ? null : (pivot?.rid ?? 0),
        isAdded ? null : (names.v ?? null),
        isEdited || current === undefined ? null : current.rid,
        isEdited ? (sizeBefore ?? -1) : null,
        isDeleted ? null : (names.m ?? null),
        isDeleted ? null : (merged?.rid ?? null),
        isDeleted ? null : file.name,
        conflictCount ?? 0,
        message ?? null,
      );
  }

  /** What an update did: V and T stand for the pivot and what is merged. */
  noteUpdate(file: UpdatedFile, { op, conflictCount = 0, message }: MergeNote): void {
    const { name, newName, rid, targetRid, sizeBefore } = file;
    this.checkout.db
      .prepare(
        `INSERT INTO mergestat(op,fnp,ridp,fn,ridv,sz,fnm,ridm,fnr,nc,msg) VALUES(?1,?2,?3,?4,NULL,?5,?2,?6,?4,?7,?8)`,
      )
      .run(op, name, rid, newName, sizeBefore, targetRid, conflictCount, message ?? null);
  }

  renamed(from: string): void {
    this.checkout.db.prepare("UPDATE mergestat SET fnr=fnm WHERE fnp=?").run(from);
  }
}

/** What the last merge knew of a file that conflicts; of a merge by Fossil before 2.26, nothing. */
export function lastMergeOf(
  { db, repo }: Pick<Checkout, "db" | "repo">,
  name: string,
): { readonly base: Hash | undefined; readonly ours: Uint8Array | undefined } | undefined {
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name='mergestat'").value() === undefined)
    return undefined;
  const [row] = db
    .prepare("SELECT ridp, ridv, fn FROM mergestat WHERE fnr=? AND op IN ('MERGE','CONFLICT')")
    .values<[Rid, Rid | null, string]>(name);
  if (row === undefined) return undefined;
  const [pivot, before, nameBefore] = row;
  const ours = before === null ? savedForUndo({ db }, nameBefore) : repo.content.get(before);
  return { base: pivot > 0 ? repo.content.hashOf(pivot) : undefined, ours };
}

function savedForUndo({ db }: Pick<Checkout, "db">, name: string): Uint8Array | undefined {
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name='undo'").value() === undefined) return undefined;
  return db.prepare("SELECT content FROM undo WHERE pathname=? AND redoflag=0").value<Uint8Array>(name);
}
