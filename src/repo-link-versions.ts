/**
 * Links the versions of a wiki page, a technote or a forum post: a `plink` row for each P card, as for
 * check-ins, so that tags propagate from version to version (Fossil `src/manifest.c`).
 */
import type { Hash } from "./hash.ts";
import type { EpochMs } from "./julian.ts";
import { NO_RID, type Rid } from "./repo-content.ts";
import { toTableJulian } from "./repo-julian.ts";
import type { LinkContext } from "./repo-link-context.ts";
import { propagateTags } from "./repo-tag.ts";

/**
 * Records that `rid` follows `parents` and hands the tags of the first one on to it.
 *
 * @returns the first parent (perhaps a phantom), if there is one
 */
export function linkVersions(
  ctx: LinkContext,
  rid: Rid,
  version: { readonly parents: readonly Hash[]; readonly date: EpochMs },
): Rid | undefined {
  ctx.amended.add(rid);
  const insert = ctx.db.prepare(
    "INSERT OR IGNORE INTO plink(pid,cid,isprim,mtime,baseid) VALUES(?,?,?,?,NULL)",
  );
  const parents = version.parents.map((hash) => ctx.ridOf(hash));
  parents.forEach((parent, index) => {
    insert.run(parent, rid, index === 0 ? 1 : 0, toTableJulian(version.date));
  });
  const [prior = NO_RID] = parents;
  if (prior === NO_RID) return undefined;
  propagateTags(ctx, prior);
  return prior;
}

/**
 * Has `prior` stored as a delta of `rid`, and `rid` as one of the version that follows it, if that came
 * first: stock does so when it rebuilds.
 */
export function deltifyVersions(ctx: LinkContext, rid: Rid, prior: Rid | undefined): void {
  if (prior !== undefined) ctx.deferDeltify(prior, rid);
  const next = ctx.db.prepare("SELECT min(cid) FROM plink WHERE pid=? AND isprim").value<Rid | null>(rid);
  if (next !== undefined && next !== null) ctx.deferDeltify(rid, next);
}
