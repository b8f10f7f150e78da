/**
 * Branches. A branch is the propagating tag `branch` whose value is the branch's name; every check-in has
 * at most one. A check-in without it counts as on the main branch (config `main-branch`, by default
 * `trunk`). Following primary parents from a check-in while the branch stays the same leads to the first
 * check-in of the branch; its primary parent is the branch's root.
 *
 * Rules: Fossil `www/branching.wiki`, `www/checkin_names.wiki` ("Root Of A Branch"), `src/name.c`.
 */
import type { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";

/** Longest walk along primary parents, in check-ins; stock gives up there too. */
const WALK_MAX_COUNT = 100_000;

export function mainBranch(repo: Repo): string {
  return repo.config.get("main-branch") ?? "trunk";
}

/** Name of the branch that check-in `rid` is on. */
export function branchOf(repo: Repo, rid: Rid): string {
  const value = repo.db
    .prepare("SELECT value FROM tagxref WHERE rid=? AND tagid=8 AND tagtype>0")
    .value<string | null>(rid);
  return value ?? mainBranch(repo);
}

/**
 * The check-in that the branch of `rid` grew from. A branch that begins with the first check-in of the
 * project grew from that.
 */
export function branchRoot(repo: Repo, rid: Rid): Rid {
  return walk(repo, rid, false);
}

/** The first check-in of the branch that `rid` is on: the deepest without leaving the branch. */
export function branchStart(repo: Repo, rid: Rid): Rid {
  return walk(repo, rid, true);
}

/**
 * The youngest ancestor of `rid`, merges included, on the branch that the branch of `rid` grew from: what
 * was last merged in from there, or else the root. `undefined` when that branch has no ancestor of `rid`.
 */
export function branchMergeIn(repo: Repo, rid: Rid): Rid | undefined {
  const origin = branchOf(repo, branchRoot(repo, rid));
  return repo.db
    .prepare(
      `WITH RECURSIVE ancestor(rid, mtime) AS (
         SELECT objid, mtime FROM event WHERE objid=?1
         UNION
         SELECT p.pid, e.mtime FROM ancestor a JOIN plink p ON p.cid=a.rid JOIN event e ON e.objid=p.pid
         ORDER BY 2 DESC
       )
       SELECT a.rid FROM ancestor a JOIN tagxref x ON x.rid=a.rid
       WHERE x.tagid=8 AND x.tagtype>0 AND x.value=?2
       ORDER BY a.mtime DESC LIMIT 1`,
    )
    .value<Rid>(rid, origin);
}

function walk(repo: Repo, rid: Rid, stayOnBranch: boolean): Rid {
  const deepest = repo.db
    .prepare(
      `WITH RECURSIVE step(rid, onBranch, depth) AS (
         SELECT ?1, 1, 0
         UNION ALL
         SELECT p.pid,
                EXISTS(SELECT 1 FROM tagxref x WHERE x.rid=p.pid AND x.tagid=8 AND x.tagtype>0 AND x.value=?2),
                depth+1
         FROM step JOIN plink p ON p.cid=step.rid AND p.isprim
         WHERE step.onBranch
         LIMIT ?4
       )
       SELECT rid FROM step WHERE onBranch>=?3 ORDER BY depth DESC LIMIT 1`,
    )
    .value<Rid>(rid, branchOf(repo, rid), stayOnBranch ? 1 : 0, WALK_MAX_COUNT);
  return deepest ?? rid;
}
