/**
 * The rows of `vfile`: the files a checkout manages.
 *
 *     vid       the check-in; rows of another one exist only within a transaction that goes from one to the other
 *     chnged    see `CHANGE`; correct as of the last `refresh` (`checkout-status.ts`)
 *     deleted   1: to go with the next check-in
 *     isexe, islink   permission in the check-in, or what it was when the file was added
 *     rid       content in the check-in; 0 for a file that is added
 *     mrid      content that the file on disk started from: `rid` unless a merge replaced it
 *     mhash     name of `mrid` when that is not `rid`
 *     mtime     of the file on disk when it was last found to be what `chnged` says, seconds since 1970
 *     pathname  name now
 *     origname  name in the check-in when it was renamed; NULL or equal to `pathname` when not
 *
 * Source: Fossil `src/schema.c`, `src/vfile.c`.
 */
import type { FilePermission } from "./artifact-types.ts";
import type { Bytes } from "./bytes.ts";
import type { Checkout } from "./checkout-db.ts";
import { RepoError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import type { Rid } from "./repo-content.ts";
import { listFiles } from "./repo-files.ts";

/** Values of `vfile.chnged`. */
export const CHANGE = {
  none: 0,
  edited: 1,
  updatedByMerge: 2,
  addedByMerge: 3,
  updatedByIntegrate: 4,
  addedByIntegrate: 5,
  becameExecutable: 6,
  becameLink: 7,
  lostExecutable: 8,
  lostLink: 9,
} as const;

export interface VfileRow {
  readonly id: number;
  readonly vid: number;
  readonly chnged: number;
  readonly deleted: number;
  readonly isexe: number;
  readonly islink: number;
  readonly rid: number;
  readonly mrid: number;
  readonly mtime: number | null;
  readonly pathname: string;
  readonly origname: string | null;
  readonly mhash: string | null;
}

/** A file of a row is renamed when this is not its `pathname`. */
export function originalName({ pathname, origname }: Pick<VfileRow, "pathname" | "origname">): string {
  return origname ?? pathname;
}

export function permissionOf({ isexe, islink }: Pick<VfileRow, "isexe" | "islink">): FilePermission {
  if (isexe) return "x";
  return islink ? "l" : "";
}

const COLUMNS = `id, vid, chnged, deleted, coalesce(isexe,0) AS isexe, coalesce(islink,0) AS islink, rid, mrid, mtime,
  pathname, origname, mhash`;

/** Names of the files of one check-in, in order of their bytes. */
export function vfileNames({ db }: Checkout, vid: number): string[] {
  const names = db
    .prepare(
      "SELECT json_group_array(pathname) FROM (SELECT pathname FROM vfile WHERE vid=? ORDER BY pathname)",
    )
    .value<string>(vid);
  return JSON.parse(names!);
}

/** Rows of one check-in, in order of the bytes of their names. */
export function vfileRows({ db }: Checkout, vid: number): VfileRow[] {
  return db
    .prepare<VfileRow & Record<string, never>>(`SELECT ${COLUMNS} FROM vfile WHERE vid=? ORDER BY pathname`)
    .all(vid);
}

/**
 * Of an ordinary file that is as it was last seen: unchanged, neither renamed, merged nor removed. Most rows are such, and there
 * may be very many of them.
 */
const IS_QUIET = `(chnged=0 AND deleted=0 AND rid>0 AND mrid=rid AND mtime IS NOT NULL
  AND coalesce(islink,0)=0 AND coalesce(isexe,0) IN (0,1) AND (origname IS NULL OR origname=pathname))`;

/** Quiet rows, column by column, in one order. */
export interface QuietFiles {
  /** Names in UTF-8, each with a NUL behind it. */
  readonly names: Bytes;
  /** Twice `mtime`, plus `isexe`. */
  readonly stamps: readonly number[];
  /** `rid` of each, as a JSON array. */
  readonly rids: string;
}

export function quietFiles({ db }: Checkout, vid: number): QuietFiles {
  const [row] = db
    .prepare(
      `SELECT CAST(group_concat(pathname,char(0)) || char(0) AS BLOB), group_concat(2*mtime+coalesce(isexe,0)),
              group_concat(rid) FROM vfile WHERE vid=? AND ${IS_QUIET}`,
    )
    .values<[Bytes | null, string | null, string | null]>(vid);
  const [names, stamps, rids] = row!;
  return {
    names: names ?? new Uint8Array(1),
    stamps: JSON.parse(`[${stamps ?? ""}]`),
    rids: `[${rids ?? ""}]`,
  };
}

/**
 * Rows that are not quiet, and those of the files named, in order of the bytes of their names.
 *
 * @param quietCount how many are quiet
 */
export function restlessRows(
  { db }: Checkout,
  vid: number,
  quietCount: number,
  named: readonly string[],
): VfileRow[] {
  // Often there are none, which is quicker to count than to look for.
  const count = db.prepare("SELECT count(*) FROM vfile WHERE vid=?").value<number>(vid);
  if (count === quietCount && named.length === 0) return [];
  return db
    .prepare<VfileRow & Record<string, never>>(
      `SELECT ${COLUMNS} FROM vfile WHERE id IN (
         SELECT id FROM vfile WHERE vid=?1 AND ${IS_QUIET} IS NOT TRUE
         UNION ALL SELECT v.id FROM json_each(?2) CROSS JOIN vfile v ON v.pathname=value AND v.vid=?1)
       ORDER BY pathname`,
    )
    .all(vid, JSON.stringify(named));
}

/** The row of a managed file by its exact name now. */
export function vfileRow({ db }: Checkout, vid: number, name: string): VfileRow | undefined {
  return db
    .prepare<VfileRow & Record<string, never>>(`SELECT ${COLUMNS} FROM vfile WHERE vid=? AND pathname=?`)
    .get(vid, name);
}

/**
 * Adds the rows of check-in `vid`, unless some are there. Shunned files get none. Within `Checkout.write`.
 *
 * @param allowMissing files whose content is not here get no row, instead of an error
 * @throws RepoError `content-missing`, `unsafe-path` for a name that is not UTF-8; NameError `not-a-checkin`
 */
export function loadVfile({ db, repo }: Checkout, vid: Rid, allowMissing = false): void {
  if (db.prepare("SELECT 1 FROM vfile WHERE vid=? LIMIT 1").value(vid) !== undefined) return;
  const insert = db.prepare(
    "INSERT INTO vfile(vid,isexe,islink,rid,mrid,pathname,mhash) VALUES(?1,?2,?3,?4,?4,?5,NULL)",
  );
  for (const { name, hash, permission, rid, size } of listFiles(repo, vid)) {
    if (!name.isWellFormed()) throw notUtf8(name);
    if (rid !== undefined && size !== undefined) {
      insert.run(vid, permission === "x" ? 1 : 0, permission === "l" ? 1 : 0, rid, name);
    } else if (!allowMissing && !repo.content.isShunned(hash)) throw missingContent(name, hash);
  }
}

/** Rows hold text, and would name another file. */
export function notUtf8(name: string): RepoError {
  return new RepoError("unsafe-path", `${JSON.stringify(name)} is not written: its name is not UTF-8`, {
    hint: "rename it in a check-in made elsewhere, or write the files with edgesync repo extract",
    data: { name },
  });
}

function missingContent(name: string, hash: Hash): RepoError {
  return new RepoError("content-missing", `the content of ${JSON.stringify(name)} (${hash}) is not here`, {
    hint: "sync with a peer that has it, or go on without such files with --force-missing",
    data: { name, hash },
  });
}

/** A merge that is not yet committed: a row of `vmerge` that is about the whole checkout. */
export interface PendingMerge {
  readonly kind: "merge" | "cherrypick" | "backout" | "integrate";
  readonly rid: Rid;
  readonly hash: Hash;
}

/** Values of `vmerge.id` for the whole checkout. Any other below 1 counts as a merge. */
export const MERGE_ID = { merge: 0, cherrypick: -1, backout: -2, integrate: -4 } as const;

const MERGE_KINDS: Readonly<Record<number, PendingMerge["kind"]>> = {
  [-1]: "cherrypick",
  [-2]: "backout",
  [-4]: "integrate",
};

/** Merges not yet committed, in the order in which stock names them: integrations, backouts, cherry-picks, merges. */
export function pendingMerges({ db }: Checkout): PendingMerge[] {
  return db
    .prepare("SELECT id, merge, mhash FROM vmerge WHERE id<=0 ORDER BY id, mhash")
    .values<[number, Rid, Hash]>()
    .map(([id, rid, hash]) => ({ kind: MERGE_KINDS[id] ?? "merge", rid, hash }));
}
