/**
 * The leaves that grew from a check-in (Fossil `src/descendants.c`).
 *
 * Followed are primary children, and merge children on the same branch. A check-in so found counts when nothing on
 * its branch follows it: it is in table `leaf`, and every child of it that is followed begins a branch.
 */
import type { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";
import { type TimelineEntry, timelineEntry } from "./repo-timeline.ts";

/** The leaves below check-in `base`, itself included if it is one; newest first. */
export function leafDescendants(repo: Repo, base: Rid): TimelineEntry[] {
  const rows = repo.db
    .prepare(
      `WITH RECURSIVE below(rid) AS (
         SELECT ?1
         UNION
         SELECT p.cid FROM below b JOIN plink p ON p.pid=b.rid
         WHERE p.isprim
            OR coalesce((SELECT value FROM tagxref WHERE tagid=8 AND rid=p.pid),'trunk')
              =coalesce((SELECT value FROM tagxref WHERE tagid=8 AND rid=p.cid),'trunk')
       )
       SELECT b.rid FROM below b JOIN leaf USING(rid) JOIN event e ON e.objid=b.rid
       WHERE NOT EXISTS(
         SELECT 1 FROM plink p WHERE p.pid=b.rid
           AND (p.isprim
             OR coalesce((SELECT value FROM tagxref WHERE tagid=8 AND rid=p.pid),'trunk')
               =coalesce((SELECT value FROM tagxref WHERE tagid=8 AND rid=p.cid),'trunk'))
           AND NOT EXISTS(SELECT 1 FROM tagxref x WHERE x.rid=p.cid AND x.tagid=8 AND x.tagtype=2 AND x.srcid>0))
       ORDER BY e.mtime DESC`,
    )
    .values<[Rid]>(base);
  return rows.map(([rid]) => timelineEntry(repo, rid)!);
}
