/**
 * Where an update without a version leads: to the newest leaf that grew from what is checked out, if there is one
 * only; else to the one on the same branch. Open leaves come before closed ones. Source: Fossil `src/update.c`.
 */
import { RepoError } from "./errors.ts";
import type { Repo } from "./repo.ts";
import { branchOf, mainBranch } from "./repo-branch.ts";
import type { Rid } from "./repo-content.ts";
import { leafDescendants } from "./repo-descendants.ts";

/**
 * @param latest the newest, of any branch
 * @throws RepoError `several-descendants` (data: candidates)
 */
export function updateTarget(repo: Repo, checkIn: Rid, latest: boolean): Rid {
  const all = leafDescendants(repo, checkIn);
  const open = all.filter(({ isClosed }) => !isClosed);
  const leaves = open.length > 0 ? open : all;
  if (leaves.length === 0) return checkIn;
  if (latest || leaves.length === 1) return leaves[0]!.rid;
  const branch = branchOf(repo, checkIn);
  const same = leaves.filter((leaf) => (leaf.branch ?? mainBranch(repo)) === branch);
  if (same.length === 1) return same[0]!.rid;
  if (same.length === 0) return checkIn;
  throw new RepoError("several-descendants", `${same.length} leaves of ${branch} grew from this check-in`, {
    hint: `name one: ${same.map(({ hash }) => hash.slice(0, 10)).join(", ")}`,
    data: { candidates: same.map(({ hash }) => hash) },
  });
}
