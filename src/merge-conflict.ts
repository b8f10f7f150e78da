/**
 * Conflicts of merges that are not committed yet, with all versions of their files, so that one can be chosen later.
 *
 *     fx_conflict(name, kind, base, theirs, ours, permission, version)
 *         name        of the file after the merge
 *         kind        text: marked in the file; binary: could not be merged; link: one side is a symbolic link;
 *                     removed: the merge removed a file with changes that were not committed; fork: kept apart on
 *                     purpose
 *         base        name of the content in the pivot, NULL when it had no such file
 *         theirs      name of the content merged in, NULL when that has no such file
 *         ours        content before the merge, NULL when the file was not there
 *         permission  of ours: "", "x" or "l"
 *         version     name of the check-in that was merged
 *
 * A row counts while its merge is one that `vmerge` remembers: a commit, a revert or an undo ends it, and redo brings
 * it back. Merges made by stock have no rows: of these a conflict is a merged file with marks in it, of which only what
 * was merged in is known. The table is ours; stock leaves it alone.
 */
import type { FilePermission } from "./artifact-types.ts";
import { equal } from "./bytes.ts";
import { hasConflictMark } from "./checkout-conflict-mark.ts";
import type { Checkout } from "./checkout-db.ts";
import { diskFile, readDisk } from "./checkout-disk.ts";
import { RepoError } from "./errors.ts";
import type { Hash } from "./hash.ts";

export type ConflictKind = "text" | "binary" | "link" | "removed" | "fork";

export interface Conflict {
  readonly name: string;
  readonly kind: ConflictKind;
  readonly base: Hash | undefined;
  readonly theirs: Hash | undefined;
  /** `undefined`: it was not there, or is not known because another program merged. */
  readonly ours: Uint8Array | undefined;
  readonly permission: FilePermission;
  /** The check-in that was merged. */
  readonly version: Hash | undefined;
}

const TABLE_SQL = `CREATE TABLE IF NOT EXISTS fx_conflict(
  name TEXT PRIMARY KEY, kind TEXT NOT NULL, base TEXT, theirs TEXT, ours BLOB,
  permission TEXT NOT NULL, version TEXT NOT NULL)`;

/** Keeps a conflict, in place of one that the file had. Within `Checkout.write`. */
export function keepConflict({ db }: Checkout, conflict: Conflict & { readonly version: Hash }): void {
  const { name, kind, base, theirs, ours, permission, version } = conflict;
  db.exec(TABLE_SQL);
  db.prepare(
    "REPLACE INTO fx_conflict(name,kind,base,theirs,ours,permission,version) VALUES(?,?,?,?,?,?,?)",
  ).run(name, kind, base ?? null, theirs ?? null, ours ?? null, permission, version);
}

/** The conflict of `name` is over. Within `Checkout.write`. */
export function dropConflict({ db }: Checkout, name: string): void {
  if (hasTable({ db })) db.prepare("DELETE FROM fx_conflict WHERE name=?").run(name);
}

/** Conflicts that are not resolved, in order of their names. */
export function openConflicts(checkout: Checkout): Conflict[] {
  const kept = keptConflicts(checkout).filter((conflict) => isOpen(checkout, conflict));
  const known = new Set(kept.map(({ name }) => name));
  const marked = markedFiles(checkout).filter(({ name }) => !known.has(name));
  return [...kept, ...marked].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** @throws RepoError `no-conflict` */
export function conflictOf(checkout: Checkout, name: string): Conflict {
  const found = openConflicts(checkout).find((conflict) => conflict.name === name);
  if (found !== undefined) return found;
  throw new RepoError("no-conflict", `${JSON.stringify(name)} has no conflict`, {
    hint: "see edgesync repo conflicts ls",
  });
}

type Row = [
  name: string,
  kind: ConflictKind,
  base: Hash | null,
  theirs: Hash | null,
  ours: Uint8Array | null,
  permission: FilePermission,
  version: Hash,
];

function keptConflicts({ db }: Checkout): Conflict[] {
  if (!hasTable({ db })) return [];
  return db
    .prepare(
      `SELECT name, kind, base, theirs, ours, permission, version FROM fx_conflict
       WHERE version IN (SELECT mhash FROM vmerge WHERE id<=0)`,
    )
    .values<Row>()
    .map(([name, kind, base, theirs, ours, permission, version]) => ({
      name,
      kind,
      base: base ?? undefined,
      theirs: theirs ?? undefined,
      ours: ours ?? undefined,
      permission,
      version,
    }));
}

/** A text is resolved once its marks are gone; of the others somebody has to say so. */
function isOpen({ root, settings }: Checkout, { name, kind, ours }: Conflict): boolean {
  if (kind !== "text") return true;
  const disk = diskFile(`${root}/${name}`, settings.allowsLinks);
  if (disk?.kind !== "file") return false;
  const now = readDisk(`${root}/${name}`, false);
  return hasConflictMark(now) && !(ours !== undefined && equal(now, ours));
}

function markedFiles({ db, root }: Checkout): Conflict[] {
  return db
    .prepare(
      `SELECT f.pathname, m.mhash FROM vmerge m JOIN vfile f ON f.id=m.id WHERE m.id>0 AND NOT f.deleted`,
    )
    .values<[string, Hash]>()
    .flatMap(([name, theirs]): Conflict[] => {
      const path = `${root}/${name}`;
      if (diskFile(path, true)?.kind !== "file" || !hasConflictMark(readDisk(path, false))) return [];
      return [
        { name, kind: "text", base: undefined, theirs, ours: undefined, permission: "", version: undefined },
      ];
    });
}

function hasTable({ db }: Pick<Checkout, "db">): boolean {
  return db.prepare("SELECT 1 FROM sqlite_schema WHERE name='fx_conflict'").value() !== undefined;
}
