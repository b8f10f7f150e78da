/**
 * Where the tags `comment`, `user` and `date` leave their mark depends on what was linked first, the tagged
 * artifact or the artifact that carries the tag (Fossil `src/tag.c`, `src/manifest.c`):
 *
 *   check-in       the overrides of its timeline entry come out the same. But its backlinks, those of the
 *                  comment that the tag gave it, have the time of the tag if the check-in was first, else
 *                  its own
 *   ticket change  its entry is written after all tags: no overrides
 *   others         overrides if the artifact was first, else none
 *
 * A rebuild links in an order that depends on how artifacts are stored (`repo-rebuild-place.ts`), and that
 * changes when an artifact becomes a delta, for it and for all that are deltas of it. So the end of a batch
 * settles the matter once storage is settled, as a rebuild of the file would, for
 *   - artifacts linked or tagged in the batch;
 *   - those tagged by artifacts whose rid lies between the old and the new place of what became a delta.
 */
import type { Rid } from "./repo-content.ts";
import { tableTime } from "./repo-julian.ts";
import type { LinkContext } from "./repo-link-context.ts";
import { RebuildPlaces } from "./repo-rebuild-place.ts";
import { TAG, type TagId } from "./repo-tag-name.ts";

export function settleAmended(ctx: LinkContext): void {
  const places = new RebuildPlaces(ctx.content);
  const moved = taggedBetween(ctx, places);
  for (const rid of new Set([...ctx.checkIns, ...ctx.amended, ...moved])) settle(ctx, rid, places);
}

function taggedBetween(ctx: LinkContext, places: RebuildPlaces): Rid[] {
  let low = Number.MAX_SAFE_INTEGER;
  let high = 0;
  for (const rid of ctx.deltifications.keys()) {
    const place = places.of(rid);
    if (place === rid) continue;
    low = Math.min(low, rid, place);
    high = Math.max(high, rid, place);
  }
  if (high === 0) return [];
  const rows = ctx.db
    .prepare("SELECT rid FROM tagxref WHERE tagid IN (2,3,4) AND srcid BETWEEN ? AND ?")
    .values<[Rid]>(low, high);
  return rows.map(([rid]) => rid);
}

const TAGS_SQL =
  "SELECT tagid, srcid, mtime, tagtype FROM tagxref WHERE rid=? AND tagid IN (2,3,4) AND srcid>0";

const TYPE_SQL = `
SELECT iif(type='t' AND objid NOT IN (SELECT attachid FROM attachment),'change',type)
  FROM event WHERE objid=?`;

function settle(ctx: LinkContext, rid: Rid, places: RebuildPlaces): void {
  const { db } = ctx;
  const tags = db.prepare(TAGS_SQL).values<[TagId, Rid, number, number]>(rid);
  if (tags.length === 0) return;
  const type = db.prepare(TYPE_SQL).value<string>(rid);
  for (const [tag, source, mtime, tagType] of tags) {
    const wasFirst = places.of(rid) < places.of(source);
    if (type === "ci") {
      if (tag === TAG.comment && tagType > 0) settleLinks(ctx, rid, wasFirst ? mtime : undefined);
    } else if (type !== undefined) settleEntry(ctx, rid, tag, wasFirst && type !== "change");
  }
}

/** Without a tag's time the links have that of the check-in. */
function settleLinks(ctx: LinkContext, rid: Rid, tagTime: number | undefined): void {
  if (tagTime === undefined) {
    const sql = `
      UPDATE backlink SET mtime=(SELECT omtime FROM event WHERE objid=?1) WHERE srctype=0 AND srcid=?1`;
    ctx.db.prepare(sql).run(rid);
  } else {
    ctx.db.prepare("UPDATE backlink SET mtime=? WHERE srctype=0 AND srcid=?").run(tableTime(tagTime), rid);
  }
}

const OVERRIDE_SQL = new Map<TagId, string>([
  [TAG.comment, "UPDATE event SET ecomment=(SELECT value FROM tag_ WHERE tagtype>0) WHERE objid=?1"],
  [TAG.user, "UPDATE event SET euser=(SELECT value FROM tag_ WHERE tagtype>0) WHERE objid=?1"],
  [
    TAG.date,
    `UPDATE event SET omtime=coalesce(omtime,mtime), mtime=(SELECT julianday(value) FROM tag_ WHERE tagtype>0)
      WHERE objid=?1`,
  ],
]);

const PLAIN_SQL = new Map<TagId, string>([
  [TAG.comment, "UPDATE event SET ecomment=NULL WHERE objid=?1"],
  [TAG.user, "UPDATE event SET euser=NULL WHERE objid=?1"],
  [TAG.date, "UPDATE event SET mtime=omtime, omtime=NULL WHERE objid=?1 AND omtime IS NOT NULL"],
]);

function settleEntry(ctx: LinkContext, rid: Rid, tag: TagId, isOverridden: boolean): void {
  if (!isOverridden) ctx.db.prepare(PLAIN_SQL.get(tag)!).run(rid);
  else {
    const row = "WITH tag_ AS (SELECT * FROM tagxref WHERE rid=?1 AND tagid=?2)";
    ctx.db.prepare(`${row} ${OVERRIDE_SQL.get(tag)!}`).run(rid, tag);
  }
}
