/**
 * Tags on artifacts: table `tagxref`, and what tags change elsewhere (Fossil `src/tag.c`).
 *
 * A T card adds a row (rid, tagid) to `tagxref`:
 *
 *     tagtype  0 cancelled, 1 on this artifact only, 2 propagates to primary descendants
 *     srcid    the artifact that carries the T card; 0 in rows that propagation made
 *     origid   the artifact the propagated row came from; the tagged one itself in direct rows
 *     value    text or NULL
 *     mtime    D card of the carrier, Julian day
 *
 * Invariants:
 *   - one row per artifact and tag. A row gives way only to a later one (a tie keeps what is there),
 *     except that a direct row never gives way to a propagated one;
 *   - propagation follows primary `plink` rows downwards, through artifacts without a row of that tag and
 *     those whose row is propagated and older. Every other row stops it, with all that lies below;
 *   - a cancelling or a singleton row removes older propagated rows below it in the same way, and puts
 *     nothing in their place.
 *
 * Side effects: `bgcolor`, `comment` and `user` override the columns of the artifact's `event` row (bgcolor
 * wherever it propagates), and a cancellation takes the override back; `date` moves the event and keeps
 * its first time in `omtime`; `comment` replaces the check-in's backlinks; `branch` may change which
 * check-ins are leaves; `parent` gives a check-in other parents; `private` keeps the artifact from being
 * sent. Every other tag (closed, hidden, sym-…) is read where it matters.
 *
 * An artifact has one primary parent, so the descendants form a tree and each is decided by its own row:
 * the order of the walk makes no difference, and a stack of pending artifacts will do. A cycle, which only
 * a `parent` tag can make, ends at the first row already written.
 */
import { encodeText } from "./artifact-escape.ts";
import type { TagAction } from "./artifact-types.ts";
import { type EpochMs, toJulian } from "./julian.ts";
import { extractBacklinks } from "./repo-backlink.ts";
import type { Rid } from "./repo-content.ts";
import type { LinkContext } from "./repo-link-context.ts";
import { TAG, type TagId, tagIdOf } from "./repo-tag-name.ts";
import { textParameter } from "./repo-text.ts";

export const TAG_TYPE = { cancel: 0, singleton: 1, propagating: 2 } as const;
export type TagType = (typeof TAG_TYPE)[keyof typeof TAG_TYPE];

const TYPES: Readonly<Record<TagAction, TagType>> = { "-": 0, "+": 1, "*": 2 };

/** What a T card's prefix stands for in the table. */
export function tagTypeOf(action: TagAction): TagType {
  return TYPES[action];
}

export interface TagInsertion {
  /** Without action prefix. */
  readonly name: string;
  readonly type: TagType;
  readonly value: string | null;
  /** The artifact that carries the tag. */
  readonly source: Rid;
  /** D card of the carrier. */
  readonly date: EpochMs;
  /** The artifact the tag applies to. It may be a phantom. */
  readonly target: Rid;
}

/** What one walk down the primary children applies. */
interface Propagation {
  readonly tag: TagId;
  /** `true`: hand the tag on. `false`: remove it. */
  readonly give: boolean;
  readonly origin: Rid;
  readonly mtime: number;
}

/**
 * Puts a tag on `target`, unless a row at least as new is there already, with all that follows from it.
 *
 * @returns the tag's number
 */
export function insertTag(ctx: LinkContext, insertion: TagInsertion): TagId {
  const { db } = ctx;
  const { type, value, source, target } = insertion;
  const tag = tagIdOf(db, insertion.name);
  const mtime = toJulian(insertion.date);
  const newer = db
    .prepare("SELECT 1 FROM tagxref WHERE tagid=? AND rid=? AND mtime>=?")
    .value<number>(tag, target, mtime);
  if (newer !== undefined) return tag;
  db.prepare(INSERT_SQL).run(tag, type, source, target, textParameter(value ?? undefined), mtime);
  applyEffects(ctx, tag, insertion, mtime);
  propagate(ctx, target, { tag, give: type === TAG_TYPE.propagating, origin: target, mtime });
  return tag;
}

/** Hands every tag of `parent` on to its primary children. Call it when `parent` has gained a child. */
export function propagateTags(ctx: LinkContext, parent: Rid): void {
  const rows = ctx.db.prepare(TAGS_SQL).values<[TagId, number, Rid, number]>(parent);
  for (const [tag, type, origin, mtime] of rows) {
    propagate(ctx, parent, { tag, give: type === TAG_TYPE.propagating, origin, mtime });
  }
}

const TAGS_SQL = "SELECT tagid, tagtype, origid, mtime FROM tagxref WHERE rid=?";

const INSERT_SQL = `
REPLACE INTO tagxref(tagid,tagtype,srcid,origid,rid,value,mtime)
VALUES(?1,?2,?3,?4,?4,CAST(?5 AS TEXT),?6)`;

function applyEffects(ctx: LinkContext, tag: TagId, insertion: TagInsertion, mtime: number): void {
  const { db } = ctx;
  const { target, type } = insertion;
  const value = type === TAG_TYPE.cancel ? null : insertion.value;
  const parameter = textParameter(value ?? undefined);
  if (tag === TAG.comment || tag === TAG.user || tag === TAG.date) ctx.amended.add(target);
  switch (tag) {
    case TAG.branch:
      ctx.deferLeafCheck(target);
      break;
    case TAG.bgcolor:
      db.prepare("UPDATE event SET bgcolor=CAST(? AS TEXT) WHERE objid=?").run(parameter, target);
      break;
    case TAG.user:
      db.prepare("UPDATE event SET euser=CAST(? AS TEXT) WHERE objid=?").run(parameter, target);
      break;
    case TAG.comment:
      db.prepare("UPDATE event SET ecomment=CAST(? AS TEXT) WHERE objid=?").run(parameter, target);
      if (value !== null) {
        const source = { type: "comment", id: target, mtime } as const;
        extractBacklinks(ctx, source, encodeText(value), "wiki", "replace");
      }
      break;
    case TAG.date:
      db.prepare(DATE_SQL).run(parameter, target);
      break;
    case TAG.private:
      if (!ctx.content.isPrivate(target)) ctx.content.makePrivate(target);
      break;
    case TAG.parent:
      if (type === TAG_TYPE.singleton && value !== null) ctx.hooks.reparent(ctx, target, value);
      break;
  }
}

const DATE_SQL = `
UPDATE event SET mtime=julianday(CAST(? AS TEXT)), omtime=coalesce(omtime,mtime) WHERE objid=?`;

/** The primary children of ?4 that lie open. A subquery, for a join costs four times as much here. */
const CHILDREN_SQL = `
SELECT cid FROM plink
 WHERE pid=?4 AND isprim
   AND coalesce((SELECT srcid=0 AND x.mtime<?1 FROM tagxref AS x WHERE x.rid=cid AND x.tagid=?3), ?2)`;

/** The value is copied from row to row, since not every text that SQLite holds survives as a string here. */
const GIVE_SQL = `
REPLACE INTO tagxref(tagid,tagtype,srcid,origid,value,mtime,rid)
SELECT tagid,2,0,?1,value,?2,?3 FROM tagxref WHERE tagid=?4 AND rid=?5`;

const GIVE_COLOR_SQL = `
UPDATE event SET bgcolor=(SELECT value FROM tagxref WHERE tagid=?1 AND rid=?2) WHERE objid=?2`;

/** Takes `step` from `from`, where it has been applied, to all that lies open below. */
function propagate(ctx: LinkContext, from: Rid, step: Propagation): void {
  const children = ctx.db.prepare(CHILDREN_SQL);
  const pending: Rid[] = [from];
  for (let parent = pending.pop(); parent !== undefined; parent = pending.pop()) {
    for (const [child] of children.values<[Rid]>(step.mtime, step.give ? 1 : 0, step.tag, parent)) {
      pending.push(child);
      apply(ctx, parent, child, step);
    }
  }
}

function apply(ctx: LinkContext, parent: Rid, child: Rid, step: Propagation): void {
  const { db } = ctx;
  const { tag, give, origin, mtime } = step;
  if (give) db.prepare(GIVE_SQL).run(origin, mtime, child, tag, parent);
  else db.prepare("DELETE FROM tagxref WHERE tagid=? AND rid=?").run(tag, child);
  if (tag === TAG.bgcolor) db.prepare(GIVE_COLOR_SQL).run(tag, child);
  if (tag === TAG.branch) ctx.deferLeafCheck(child);
}
