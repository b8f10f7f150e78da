/**
 * Order on the timeline. A check-in whose child carries the same time or an earlier one, by less than
 * two seconds, is shown 25 ms before that child (Fossil `src/manifest.c`, end of a crosslink batch): its
 * `event.mtime` moves, `event.omtime` keeps the time of its D card.
 *
 * `LinkContext.timeFudges` holds, for each parent, one child younger than the parent by less than the
 * window. Passes over these pairs repeat until none moves a time, at most 30 times: every pair sees the
 * child's time as the pass before left it, so that a chain of check-ins of one instant spreads backwards,
 * 25 ms apart.
 *
 * Stock computes the pairs of one batch alone, and so gets other times from many small batches than from
 * one rebuild. Here the pairs of the nearest ancestors join in: at most as many generations as there are
 * passes, for farther ones no pass could reach. Times are Julian days, as in the table.
 */

import type { Rid } from "./repo-content.ts";
import type { LinkContext, TimeFudge } from "./repo-link-context.ts";

/** Two seconds. */
export const FUDGE_WINDOW_DAYS = 2.0 / 86_400.0;
/** 25 milliseconds. */
const STEP_DAYS = 25.0 / 86_400_000.0;
const PASS_MAX_COUNT = 30;

/** Moves the times of the batch's check-ins in the event table. */
export function applyTimeFudges(ctx: LinkContext): void {
  if (ctx.timeFudges.size === 0) return;
  addAncestors(ctx);
  const update = ctx.db.prepare(
    "UPDATE event SET mtime=?1 WHERE objid=?2 AND mtime<>?1 AND (mtime=omtime OR omtime IS NULL" +
      " OR NOT EXISTS(SELECT 1 FROM tagxref WHERE rid=?2 AND tagid=4))",
  );
  for (const [parent, mtime] of settle(ctx.timeFudges)) update.run(mtime, parent);
}

/** The time of each parent after all passes. Exported for its test. */
export function settle(pairs: ReadonlyMap<Rid, TimeFudge>): Map<Rid, number> {
  const times = new Map<Rid, number>();
  const childTimes = new Map<Rid, number | undefined>();
  for (const [parent, { parentMtime, childMtime }] of pairs) {
    times.set(parent, parentMtime);
    childTimes.set(parent, childMtime);
  }
  for (let pass = 0; pass < PASS_MAX_COUNT; pass++) {
    let moved = false;
    for (const [parent, time] of times) {
      const childTime = childTimes.get(parent);
      if (childTime === undefined) continue;
      if (time >= childTime && time < childTime + FUDGE_WINDOW_DAYS) {
        times.set(parent, childTime - STEP_DAYS);
        moved = true;
      }
    }
    if (!moved) break;
    // A child that is in no pair itself no longer pushes its parent.
    for (const [parent, { child }] of pairs) childTimes.set(parent, times.get(child));
  }
  return times;
}

interface ParentRow {
  readonly pid: Rid;
  readonly cid: Rid;
  readonly parentMtime: number;
  readonly childMtime: number;
}

function addAncestors(ctx: LinkContext): void {
  const parents = ctx.db.prepare<ParentRow>(
    "SELECT plink.pid AS pid, plink.cid AS cid, event.omtime AS parentMtime, plink.mtime AS childMtime" +
      " FROM plink JOIN event ON event.objid=plink.pid" +
      " WHERE plink.cid=? AND event.type='ci' AND plink.mtime<event.omtime+2.0/86400.0",
  );
  let generation = [...ctx.timeFudges.keys()];
  for (let pass = 0; pass < PASS_MAX_COUNT && generation.length > 0; pass++) {
    const next: Rid[] = [];
    for (const rid of generation) {
      for (const { pid, cid, parentMtime, childMtime } of parents.all(rid)) {
        if (ctx.timeFudges.has(pid)) continue;
        ctx.deferTimeFudge(pid, { parentMtime, child: cid, childMtime });
        next.push(pid);
      }
    }
    generation = next;
  }
}
