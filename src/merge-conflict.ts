/**
 * Conflicts of merges that are not committed yet, with all versions of their files, so that one can be chosen later.
 *
 *     fx_conflict(name, kind, base, theirs, ours, permission, theirpermission, version, resolved)
 *         name        of the file after the merge
 *         kind        text: marked in the file; binary: could not be merged; link: one side is a symbolic link;
 *                     removed: the merge removed a file with changes that were not committed; fork: kept apart on
 *                     purpose
 *         base        name of the content in the pivot, NULL when it had no such file
 *         theirs      name of the content merged in, NULL when that has no such file
 *         ours        content before the merge, NULL when the file was not there
 *         permission  of ours: "", "x" or "l"
 *         theirpermission   of theirs
 *         version     name of the check-in that was merged
 *         resolved    1 once a version was chosen or the file was said to be right
 *
 * A row counts while its merge is one that `vmerge` remembers: a commit, a revert or an undo ends it, and redo brings
 * it back. Merges made by stock have no rows: of these a conflict is a merged file with marks in it; what is
 * known of it then is in `mergestat` (`merge-stat.ts`), and before Fossil 2.26 only what was merged in. The table is ours; stock leaves it alone.
 */
import type { FilePermission } from "./artifact-types.ts";
import { hasConflictMark } from "./checkout-conflict-mark.ts";
import type { Checkout } from "./checkout-db.ts";
import { diskFile, readDisk } from "./checkout-disk.ts";
import { RepoError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import { lastMergeOf } from "./merge-stat.ts";

export type ConflictKind = "text" | "binary" | "link" | "removed" | "fork";

export interface Conflict {
  readonly name: string;
  readonly kind: ConflictKind;
  readonly base: Hash | undefined;
  readonly theirs: Hash | undefined;
  /** `undefined`: it was not there, or is not known because another program merged. */
  readonly ours: Uint8Array | undefined;
  readonly permission: FilePermission;
  readonly theirPermission: FilePermission;
  /** The check-in that was merged; `undefined` when another program merged. */
  readonly version: Hash | undefined;
  /** Whether base and ours are known: Fossil before 2.26 does not keep them. */
  readonly isKnown: boolean;
}

const TABLE_SQL = `CREATE TABLE IF NOT EXISTS fx_conflict(
  name TEXT PRIMARY KEY, kind TEXT NOT NULL, base TEXT, theirs TEXT, ours BLOB,
  permission TEXT NOT NULL, theirpermission TEXT NOT NULL, version TEXT NOT NULL, resolved INT DEFAULT 0)`;

/** Keeps a conflict, in place of one that the file had. Within `Checkout.write`. */
export function keepConflict(
  { db }: Checkout,
  conflict: Omit<Conflict, "isKnown"> & { readonly version: Hash },
): void {
  const { name, kind, base, theirs, ours, permission, theirPermission, version } = conflict;
  db.exec(TABLE_SQL);
  db.prepare(
    `REPLACE INTO fx_conflict(name,kind,base,theirs,ours,permission,theirpermission,version)
     VALUES(?,?,?,?,?,?,?,?)`,
  ).run(name, kind, base ?? null, theirs ?? null, ours ?? null, permission, theirPermission, version);
}

/** The conflict of `name` is over; its versions stay, should another be chosen. Within `Checkout.write`. */
export function resolveConflict({ db }: Checkout, name: string): void {
  if (hasTable({ db })) db.prepare("UPDATE fx_conflict SET resolved=1 WHERE name=?").run(name);
}

/** Conflicts that are not resolved, in order of their names. */
export function openConflicts(checkout: Checkout): Conflict[] {
  return allConflicts(checkout).filter((conflict) => isOpen(checkout, conflict));
}

/** The conflict that a file has or had. @throws RepoError `no-conflict` */
export function conflictOf(checkout: Checkout, name: string): Conflict {
  const found = allConflicts(checkout).find((conflict) => conflict.name === name);
  if (found !== undefined) return found;
  throw new RepoError("no-conflict", `${JSON.stringify(name)} has no conflict`, {
    hint: "see edgesync repo conflicts ls",
  });
}

function allConflicts(checkout: Checkout): KeptConflict[] {
  const kept = keptConflicts(checkout);
  const known = new Set(kept.map(({ name }) => name));
  const marked = markedFiles(checkout).filter(({ name }) => !known.has(name));
  return [...kept, ...marked].sort((a, b) => (a.name < b.name ? -1 : 1));
}

type KeptConflict = Conflict & { readonly isResolved: boolean };

type Row = [
  name: string,
  kind: ConflictKind,
  base: Hash | null,
  theirs: Hash | null,
  ours: Uint8Array | null,
  permission: FilePermission,
  theirPermission: FilePermission,
  version: Hash,
  resolved: number,
];

function keptConflicts({ db }: Checkout): KeptConflict[] {
  if (!hasTable({ db })) return [];
  return db
    .prepare(
      `SELECT name, kind, base, theirs, ours, permission, theirpermission, version, resolved FROM fx_conflict
       WHERE version IN (SELECT mhash FROM vmerge WHERE id<=0)`,
    )
    .values<Row>()
    .map(([name, kind, base, theirs, ours, permission, theirPermission, version, resolved]) => ({
      name,
      kind,
      base: base ?? undefined,
      theirs: theirs ?? undefined,
      ours: ours ?? undefined,
      permission,
      theirPermission,
      version,
      isResolved: resolved !== 0,
      isKnown: true,
    }));
}

/** A text is resolved once its marks are gone; of the others somebody has to say so. */
function isOpen({ root, settings }: Checkout, { name, kind, isResolved }: KeptConflict): boolean {
  if (isResolved || kind !== "text") return !isResolved;
  const disk = diskFile(`${root}/${name}`, settings.allowsLinks);
  if (disk?.kind !== "file") return false;
  return hasConflictMark(readDisk(`${root}/${name}`, false));
}

function markedFiles({ db, repo, root }: Checkout): KeptConflict[] {
  return db
    .prepare(
      `SELECT f.pathname, m.mhash FROM vmerge m JOIN vfile f ON f.id=m.id WHERE m.id>0 AND NOT f.deleted`,
    )
    .values<[string, Hash]>()
    .flatMap(([name, theirs]): KeptConflict[] => {
      const path = `${root}/${name}`;
      if (diskFile(path, true)?.kind !== "file" || !hasConflictMark(readDisk(path, false))) return [];
      const found = lastMergeOf({ db, repo }, name);
      const permission = diskFile(path, true)?.permission ?? "";
      const whole = { kind: "text", permission, theirPermission: permission, isResolved: false } as const;
      return [
        {
          name,
          theirs,
          base: found?.base,
          ours: found?.ours,
          isKnown: found !== undefined,
          version: undefined,
          ...whole,
        },
      ];
    });
}

function hasTable({ db }: Pick<Checkout, "db">): boolean {
  return db.prepare("SELECT 1 FROM sqlite_schema WHERE name='fx_conflict'").value() !== undefined;
}
