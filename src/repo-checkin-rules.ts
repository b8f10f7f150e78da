/**
 * What a new check-in must not do unless told to: the refusals of stock's commit (Fossil
 * `src/checkin.c`), each with its own code.
 */
import { RepoError } from "./errors.ts";
import { type EpochMs, formatDateTime, fromJulian } from "./julian.ts";
import type { Repo } from "./repo.ts";
import { branchOf } from "./repo-branch.ts";
import type { Rid } from "./repo-content.ts";
import { TAG } from "./repo-tag-name.ts";

/** What the caller allows that is refused otherwise. */
export interface Allowances {
  /** A second child on the parent's branch. */
  readonly fork?: boolean;
  /** A check-in with the files of its parent. */
  readonly empty?: boolean;
  /** A check-in that is not younger than its parents. */
  readonly older?: boolean;
  /** A new branch with the name of an open one. */
  readonly branchReuse?: boolean;
}

/** Whether `rid` has a child on its own branch, merge children included. A check-in without the tag is on trunk. */
export function hasChildOnBranch(repo: Repo, rid: Rid): boolean {
  const child = repo.db
    .prepare(
      `SELECT 1 FROM plink WHERE pid=?1
       AND coalesce((SELECT value FROM tagxref WHERE tagid=8 AND rid=?1),'trunk')
         = coalesce((SELECT value FROM tagxref WHERE tagid=8 AND rid=plink.cid),'trunk') LIMIT 1`,
    )
    .value(rid);
  return child !== undefined;
}

export function isClosed(repo: Repo, rid: Rid): boolean {
  const tag = repo.db.prepare("SELECT 1 FROM tagxref WHERE tagid=? AND rid=? AND tagtype>0");
  return tag.value(TAG.closed, rid) !== undefined;
}

/** The youngest open leaf of branch `name`; `undefined` when the branch does not exist or is closed. */
export function openTip(repo: Repo, name: string): Rid | undefined {
  return repo.db
    .prepare(
      `SELECT x.rid FROM tagxref x JOIN leaf USING(rid) JOIN event e ON e.objid=x.rid
       WHERE x.tagid=8 AND x.tagtype>0 AND x.value=?
         AND NOT EXISTS(SELECT 1 FROM tagxref c WHERE c.tagid=9 AND c.rid=x.rid AND c.tagtype>0)
       ORDER BY e.mtime DESC, x.rid DESC LIMIT 1`,
    )
    .value<Rid>(name);
}

/** @throws RepoError `would-fork` when `parent` has a child on its branch already */
export function refuseFork(repo: Repo, parent: Rid): void {
  if (!hasChildOnBranch(repo, parent)) return;
  throw new RepoError(
    "would-fork",
    `check-in ${short(repo, parent)} is not the tip of its branch: would fork`,
    {
      hint: "commit on top of the newest check-in, make a new branch, or allow the fork",
      data: { parent: repo.content.hashOf(parent), branch: branchOf(repo, parent) },
    },
  );
}

/** @throws RepoError `branch-closed` when `parent` is closed */
export function refuseClosed(repo: Repo, parent: Rid): void {
  if (!isClosed(repo, parent)) return;
  throw new RepoError("branch-closed", `check-in ${short(repo, parent)} is closed to new check-ins`, {
    hint: "make a new branch, or reopen this one",
  });
}

/** @throws RepoError `branch-exists` when branch `name` is open. Any number of branches may be named `private`. */
export function refuseOpenBranch(repo: Repo, name: string): void {
  if (name === "private" || openTip(repo, name) === undefined) return;
  throw new RepoError("branch-exists", `there is an open branch ${JSON.stringify(name)} already`, {
    hint: "choose another name, or commit on top of that branch",
  });
}

/** @throws RepoError `parent-younger` when one of `parents` is younger than `date` by whole seconds */
export function refuseOlder(repo: Repo, date: EpochMs, parents: readonly Rid[]): void {
  for (const parent of parents) {
    const mtime = repo.db
      .prepare("SELECT mtime FROM event WHERE type='ci' AND objid=?")
      .value<number>(parent);
    if (mtime === undefined) continue;
    const parentDate = fromJulian(mtime);
    if (!(Math.floor(parentDate / 1000) > Math.floor(date / 1000))) continue;
    const [now, then] = [formatDateTime(date), formatDateTime(parentDate)];
    throw new RepoError(
      "parent-younger",
      `check-in of ${now} would follow ${short(repo, parent)} of ${then}`,
      {
        hint: "check the clock, or allow a check-in that is older than its parent",
      },
    );
  }
}

/** @throws RepoError `nothing-changed` */
export function refuseEmpty(): never {
  throw new RepoError("nothing-changed", "nothing has changed", {
    hint: "change something, or allow an empty check-in",
  });
}

function short(repo: Repo, rid: Rid): string {
  return repo.content.hashOf(rid).slice(0, 10);
}
