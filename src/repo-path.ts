/**
 * The shortest way from one check-in to another: up to parents first, then down to children. Of several as short the one found
 * first counts: children before parents, each in the order of their rows.
 *
 * Source: Fossil `src/path.c`, `path_shortest`.
 */
import type { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";

/**
 * @param primaryOnly merges are not followed
 * @returns both ends included; `undefined` when there is no such way
 */
export function shortestPath(repo: Repo, from: Rid, to: Rid, primaryOnly: boolean): Rid[] | undefined {
  const children = repo.db.prepare("SELECT cid FROM plink WHERE pid=?1 AND (isprim OR NOT ?2)");
  const parents = repo.db.prepare("SELECT pid FROM plink WHERE cid=?1 AND (isprim OR NOT ?2)");
  const only = primaryOnly ? 1 : 0;
  interface Visit {
    readonly rid: Rid;
    readonly isDown: boolean;
    readonly before: Visit | undefined;
  }
  const seen = new Set<Rid>();
  let reached: Visit[] = [{ rid: from, isDown: false, before: undefined }];
  while (reached.length > 0) {
    const next: Visit[] = [];
    for (const visit of reached) {
      if (visit.rid === to) {
        const path: Rid[] = [];
        for (let at: Visit | undefined = visit; at !== undefined; at = at.before) path.push(at.rid);
        return path.reverse();
      }
      if (seen.has(visit.rid)) continue;
      seen.add(visit.rid);
      for (const [rid] of children.values<[Rid]>(visit.rid, only)) {
        if (!seen.has(rid)) next.push({ rid, isDown: true, before: visit });
      }
      if (visit.isDown) continue;
      for (const [rid] of parents.values<[Rid]>(visit.rid, only)) {
        if (!seen.has(rid)) next.push({ rid, isDown: false, before: visit });
      }
    }
    reached = next;
  }
  return undefined;
}
