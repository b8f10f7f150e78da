/** Whether the branch of a check-in has split: an open leaf that is not the only one of its branch. */

import type { Hash } from "./hash.ts";
import { formatDateTime, fromJulian } from "./julian.ts";
import type { Repo } from "./repo.ts";
import { branchOf, mainBranch } from "./repo-branch.ts";
import { isClosed } from "./repo-checkin-rules.ts";
import type { Rid } from "./repo-content.ts";
import { isLeaf } from "./repo-leaf.ts";

export interface OpenLeaf {
  readonly rid: Rid;
  readonly hash: Hash;
  /** `YYYY-MM-DD HH:MM:SS`, UTC. */
  readonly date: string;
}

/** All open leaves of the branch, newest first, when check-in `rid` is one of several; else none. */
export function forksOf(repo: Repo, rid: Rid): OpenLeaf[] {
  if (!isLeaf(repo.db, rid) || isClosed(repo, rid)) return [];
  const leaves = repo.db
    .prepare(
      `SELECT l.rid, b.uuid, e.mtime FROM leaf l JOIN blob b USING(rid) JOIN event e ON e.objid=l.rid
       WHERE coalesce((SELECT value FROM tagxref WHERE tagid=8 AND rid=l.rid AND tagtype>0),?2)=?1
         AND NOT EXISTS(SELECT 1 FROM tagxref c WHERE c.tagid=9 AND c.rid=l.rid AND c.tagtype>0)
       ORDER BY e.mtime DESC`,
    )
    .values<[Rid, Hash, number]>(branchOf(repo, rid), mainBranch(repo))
    .map(([leaf, hash, mtime]) => ({ rid: leaf, hash, date: formatDateTime(fromJulian(mtime)) }));
  return leaves.length > 1 ? leaves : [];
}
