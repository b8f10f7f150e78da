/**
 * Order on the timeline. A check-in whose child carries the same time or an earlier one, by less than
 * two seconds, is shown 25 ms before that child (Fossil `src/manifest.c`, end of a crosslink batch): its
 * `event.mtime` moves, `event.omtime` keeps the time of its D card.
 *
 * Input are pairs of a parent and one child, younger than the parent by less than the window. Passes over
 * the pairs repeat until none moves a time, at most 30 times: every pair sees the child's time as the pass
 * before left it, so that a chain of check-ins of one instant spreads backwards, 25 ms apart.
 *
 * Which pairs. In a rebuild those that linking has met, of several children of one parent the last, as in
 * stock. Otherwise stock would take the pairs of the batch alone, and so get other times from many small
 * batches than from one rebuild. Here the batch only says where to look: its parents and their ancestors
 * get new times, from the pairs of their descendants as the tables have them, each for as many
 * generations as there are passes, since no pass reaches farther. Of several children the first that was
 * known counts; there stock's choice cannot be told.
 *
 * Times are Julian days, as in the tables.
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
  if (!ctx.isRebuild && isSettled(ctx, [...ctx.timeFudges.keys()])) return;
  const touched = ctx.isRebuild ? ctx.timeFudges.keys() : withAncestors(ctx, [...ctx.timeFudges.keys()]);
  const times = settle(ctx.isRebuild ? ctx.timeFudges : pairsBelow(ctx, touched));
  // A tag `date` has moved the event for good.
  const update = ctx.db.prepare(
    "UPDATE event SET mtime=?1 WHERE objid=?2 AND mtime<>?1 AND (mtime=omtime OR omtime IS NULL" +
      " OR NOT EXISTS(SELECT 1 FROM tagxref WHERE rid=?2 AND tagid=4))",
  );
  for (const rid of touched) {
    const mtime = times.get(rid);
    if (mtime !== undefined) update.run(mtime, rid);
  }
}

/** Whether the batch moves none of its own parents: then nothing pushes their ancestors anew either. */
function isSettled(ctx: LinkContext, parents: readonly Rid[]): boolean {
  const times = settle(pairsBelow(ctx, parents));
  const current = ctx.db.prepare("SELECT mtime FROM event WHERE objid=?");
  return parents.every(
    (rid) => times.get(rid) === undefined || times.get(rid) === current.value<number>(rid),
  );
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

/** The pairs of these check-ins and of their descendants, which push them. */
function pairsBelow(ctx: LinkContext, rids: Iterable<Rid>): Map<Rid, TimeFudge> {
  const pairs = new Map<Rid, TimeFudge>();
  for (const parent of rids) {
    let rid: Rid | undefined = parent;
    for (let depth = 0; rid !== undefined && depth < PASS_MAX_COUNT; depth++) {
      const pair: TimeFudge | undefined = pairs.has(rid) ? undefined : pairOf(ctx, rid);
      if (pair !== undefined) pairs.set(rid, pair);
      rid = pair?.child;
    }
  }
  return pairs;
}

const CLOSE = "event.type='ci' AND plink.mtime<event.omtime+2.0/86400.0";

/** The check-ins themselves come first, then their parents, and so on. */
function withAncestors(ctx: LinkContext, rids: readonly Rid[]): Set<Rid> {
  const parentsOf = ctx.db.prepare(
    `SELECT plink.pid FROM plink JOIN event ON event.objid=plink.pid WHERE plink.cid=? AND ${CLOSE}`,
  );
  const found = new Set(rids);
  let generation = [...rids];
  for (let pass = 0; pass < PASS_MAX_COUNT && generation.length > 0; pass++) {
    const parents = generation.flatMap((rid) => parentsOf.values<[Rid]>(rid).flat() as Rid[]);
    generation = parents.filter((rid) => !found.has(rid));
    for (const rid of generation) found.add(rid);
  }
  return found;
}

function pairOf(ctx: LinkContext, parent: Rid): TimeFudge | undefined {
  return ctx.db
    .prepare<TimeFudge>(
      "SELECT event.omtime AS parentMtime, plink.cid AS child, plink.mtime AS childMtime" +
        ` FROM plink JOIN event ON event.objid=plink.pid WHERE plink.pid=? AND ${CLOSE} ORDER BY plink.cid LIMIT 1`,
    )
    .get(parent);
}
