/**
 * What is merged with what: the check-ins that a merge is made of.
 *
 *     V   what is checked out
 *     M   what is merged in; of a backout: the parent of the check-in that is taken back
 *     P   the pivot: files that M changed since P are changed in V. By default the newest common ancestor
 *         (`merge-pivot.ts`); of a cherry-pick the first parent of M; of a backout the check-in itself
 *     N   the name pivot: the last common ancestor by first parents
 *
 * Without a version, the newest open leaf of the same branch that is not yet merged is taken: a fork.
 *
 * Source: Fossil `src/merge.c`.
 */
import type { Checkout } from "./checkout-db.ts";
import { type PendingMerge, pendingMerges } from "./checkout-vfile.ts";
import { NameError, RepoError, UsageError } from "./errors.ts";
import { PivotFinder } from "./merge-pivot.ts";
import type { Repo } from "./repo.ts";
import { branchOf } from "./repo-branch.ts";
import { isClosed } from "./repo-checkin-rules.ts";
import type { Rid } from "./repo-content.ts";
import { isLeaf } from "./repo-leaf.ts";

export type MergeKind = PendingMerge["kind"];

export interface MergeRequest {
  readonly kind: MergeKind;
  /** The check-in to merge, pick or back out. */
  readonly version: Rid;
  /** The pivot, instead of the one that would be found. */
  readonly baseline?: Rid;
  /** Into a closed leaf; and even when there is nothing to merge. */
  readonly force?: boolean;
}

export interface MergeEnds {
  readonly kind: MergeKind;
  readonly merged: Rid;
  readonly pivot: Rid;
  readonly namePivot: Rid;
  /** The check-in that the checkout remembers as merged. */
  readonly recorded: Rid;
  /** Whether files of V not renamed since P have P's names. */
  readonly isPivotAncestor: boolean;
  /** Why an integration became a plain merge. */
  readonly note: string | undefined;
}

/**
 * @returns `undefined` when there is nothing to merge and that is not forced
 * @throws RepoError `nothing-checked-out`, `leaf-closed`, `no-common-ancestor`; NameError `no-parent`; UsageError
 *   `merge-options`
 */
export function findEnds(checkout: Checkout, request: MergeRequest): MergeEnds | undefined {
  const { repo } = checkout;
  const { kind, version, baseline, force } = request;
  const current = checkedOut(checkout);
  if (!force && isClosed(repo, current)) {
    throw new RepoError("leaf-closed", "what is checked out is a closed leaf", {
      hint: "merge into another check-in, or add --force",
    });
  }
  const single = kind === "cherrypick" || kind === "backout";
  if (kind === "cherrypick" && baseline !== undefined) {
    throw new UsageError(
      "merge-options",
      "a cherry-pick has its own baseline: --cherrypick excludes --baseline",
    );
  }
  const pivots = new PivotFinder(repo);
  const earlier = pendingMerges(checkout).filter((merge) => merge.kind === "merge");
  const found = single
    ? parentOf(repo, version)
    : (baseline ?? pivots.find(version, [current, ...earlier.map(({ rid }) => rid)]));
  if (found === undefined) throw noAncestor(repo, version);
  const [pivot, merged] = kind === "backout" ? [version, found] : [found, version];
  const namePivot = single ? pivot : findNamePivot(pivots, version, current, pivot);
  if (!force && (merged === pivot || merged === current)) return undefined;
  const note = kind === "integrate" ? whyNotIntegrated(repo, merged) : undefined;
  return {
    kind: note === undefined ? kind : "merge",
    merged,
    pivot,
    namePivot,
    recorded: kind === "backout" ? pivot : merged,
    isPivotAncestor: baseline === undefined || isAncestor(repo, pivot, current, namePivot),
    note,
  };
}

/** @throws RepoError `nothing-checked-out` */
function checkedOut({ checkIn }: Checkout): Rid {
  if (checkIn !== undefined) return checkIn;
  throw new RepoError("nothing-checked-out", "nothing is checked out here", {
    hint: "check a version out first with edgesync repo co",
  });
}

function findNamePivot(pivots: PivotFinder, version: Rid, current: Rid, pivot: Rid): Rid {
  const first = pivots.find(version, [current], { primaryOnly: true });
  if (first === undefined || first === pivot) return pivot;
  return pivots.find(first, [pivot], { primaryOnly: true }) ?? pivot;
}

/** The newest open leaf of the branch that is checked out, that is not checked out nor merged already.
 *
 * @throws RepoError `nothing-checked-out`, `no-fork`
 */
export function findFork(checkout: Checkout): Rid {
  const { repo } = checkout;
  const current = checkedOut(checkout);
  const merged = new Set(pendingMerges(checkout).map(({ rid }) => rid));
  const leaves = repo.db
    .prepare(
      `SELECT l.rid FROM leaf l JOIN event e ON e.objid=l.rid
       WHERE l.rid!=?1
         AND NOT EXISTS(SELECT 1 FROM tagxref c WHERE c.rid=l.rid AND c.tagid=9 AND c.tagtype>0)
         AND (SELECT value FROM tagxref WHERE tagid=8 AND rid=?1 AND tagtype>0)
            =(SELECT value FROM tagxref WHERE tagid=8 AND rid=l.rid AND tagtype>0)
       ORDER BY e.mtime DESC`,
    )
    .values<[Rid]>(current)
    .flat();
  const fork = leaves.find((rid) => !merged.has(rid));
  if (fork !== undefined) return fork;
  throw new RepoError("no-fork", `branch ${branchOf(repo, current)} has no fork that is not merged`, {
    hint: "name the version to merge",
  });
}

/** @throws NameError `no-parent` */
function parentOf(repo: Repo, version: Rid): Rid {
  const parent = repo.db.prepare("SELECT pid FROM plink WHERE cid=? AND isprim").value<Rid>(version);
  if (parent !== undefined) return parent;
  throw new NameError(
    "no-parent",
    `${repo.content.hashOf(version)} has no parent, so it has no changes of its own`,
  );
}

function whyNotIntegrated(repo: Repo, merged: Rid): string | undefined {
  const name = repo.content.hashOf(merged).slice(0, 10);
  if (!isLeaf(repo.db, merged)) return `--integrate is ignored: ${name} is not a leaf`;
  if (repo.content.isPrivate(merged)) return `--integrate is ignored: ${name} is on a private branch`;
  return undefined;
}

/** Whether `ancestor` is one of `rid`, by ways that do not pass through `namePivot` and end where `ancestor` is. */
function isAncestor(repo: Repo, ancestor: Rid, rid: Rid, namePivot: Rid): boolean {
  const row = repo.db
    .prepare(
      `WITH RECURSIVE above(id) AS (
         VALUES(?1)
         UNION
         SELECT p.pid FROM plink p JOIN above a ON p.cid=a.id WHERE p.pid!=?2 AND p.cid!=?3
       )
       SELECT 1 FROM above WHERE id=?3 LIMIT 1`,
    )
    .value(rid, namePivot, ancestor);
  return row !== undefined;
}

function noAncestor(repo: Repo, version: Rid): RepoError {
  const name = repo.content.hashOf(version).slice(0, 10);
  return new RepoError("no-common-ancestor", `${name} has no ancestor in common with what is checked out`, {
    hint: "name the version to compare with by --baseline",
  });
}
