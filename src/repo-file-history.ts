/**
 * The versions of a file by its name, out of `mlink` (Fossil `src/finfo.c`). A check-in that deleted the file is no
 * version of it, and a rename is not followed: the older versions are under the older name.
 */
import type { Hash } from "./hash.ts";
import { type EpochMs, fromJulian } from "./julian.ts";
import type { Repo } from "./repo.ts";
import { mainBranch } from "./repo-branch.ts";

export interface FileVersion {
  /** Of the file's content. */
  readonly hash: Hash;
  readonly checkIn: Hash;
  readonly date: EpochMs;
  readonly comment: string;
  readonly user: string;
  readonly branch: string;
}

export interface FileHistoryQuery {
  /** All when absent. */
  readonly limit?: number;
  readonly offset?: number;
}

/** The versions of the file `name`, newest first; none when no check-in has such a file. */
export function fileHistory(
  repo: Repo,
  name: string,
  { limit = -1, offset = 0 }: FileHistoryQuery = {},
): FileVersion[] {
  const rows = repo.db
    .prepare(
      `SELECT DISTINCT b.uuid, ci.uuid, e.mtime, coalesce(e.ecomment, e.comment, ''), coalesce(e.euser, e.user, '?'),
         (SELECT value FROM tagxref WHERE tagid=8 AND tagtype>0 AND rid=m.mid)
       FROM filename f JOIN mlink m USING(fnid) JOIN blob b ON b.rid=m.fid JOIN event e ON e.objid=m.mid
         JOIN blob ci ON ci.rid=m.mid
       WHERE f.name=? ORDER BY e.mtime DESC LIMIT ? OFFSET ?`,
    )
    .values<[Hash, Hash, number, string, string, string | null]>(name, limit, offset);
  return rows.map(([hash, checkIn, mtime, comment, user, branch]) => ({
    hash,
    checkIn,
    date: fromJulian(mtime),
    comment,
    user,
    branch: branch ?? mainBranch(repo),
  }));
}
