/**
 * Links a check-in: plink, mlink, cherrypick, event, its comment's backlinks and its tags. Facts: Fossil
 * `src/manifest.c`, `www/fileformat.wiki`; fossil-facts E.
 *
 *     plink(pid, cid, isprim, mtime, baseid)   one row per parent, the first is primary; unknown parents
 *                                              are phantoms; mtime = D card; baseid = B card's artifact
 *     cherrypick(parentid, childid, isExclude) Q cards; isExclude = backed out; none for a parent that
 *                                              is not even known by hash
 *     event('ci', …)                           mtime = omtime = D card, but a tag `date` moves mtime;
 *                                              tags bgcolor, user, comment fill their own columns
 *     orphan(rid, baseline)                    instead of all that, while the baseline is missing
 *
 * Late arrivals. Rows of a child depend on its parents' content. When a check-in becomes available after
 * its children (or after those that cherry-picked it), their mlink rows are computed anew, so that tables
 * grown in any order equal rebuilt ones. A Q card whose artifact has no blob row waits in the table
 * `fx_cherrypick_wait(hash, childid)` until it has one.
 */
import type { CheckIn } from "./artifact-types.ts";
import type { Db } from "./db.ts";
import { type Hash, isHash } from "./hash.ts";
import { toJulian } from "./julian.ts";
import { extractBacklinks } from "./repo-backlink.ts";
import { NO_RID, type Rid } from "./repo-content.ts";
import { toTableJulian } from "./repo-julian.ts";
import type { LinkContext } from "./repo-link-context.ts";
import { isOrphan, type Manifest } from "./repo-manifest.ts";
import { linkFiles, recordOrphan } from "./repo-mlink.ts";
import { insertTag, propagateTags, TAG_TYPE, type TagType } from "./repo-tag.ts";
import { TAG } from "./repo-tag-name.ts";
import { textParameter } from "./repo-text.ts";

/**
 * Links check-in `rid`.
 *
 * @returns false when it is a delta manifest whose baseline is missing; it is linked when that arrives
 */
export function linkCheckIn(ctx: LinkContext, rid: Rid, checkIn: CheckIn): boolean {
  ctx.manifests.keep(rid, checkIn);
  const manifest = ctx.manifests.open(rid);
  if (manifest === undefined) return false;
  if (isOrphan(manifest)) {
    recordOrphan(ctx, rid, manifest.baseline);
    return false;
  }
  linkCherrypicks(ctx, rid, checkIn);
  const primary = linkParents(ctx, manifest, checkIn.parents);
  insertEvent(ctx, rid, checkIn);
  if (checkIn.baseline !== undefined && ctx.repo.config.get("seen-delta-manifest") !== "1") {
    ctx.repo.config.set("seen-delta-manifest", "1");
  }
  linkTags(ctx, rid, checkIn);
  if (primary !== undefined) propagateTags(ctx, primary);
  ctx.checkIns.add(rid);
  ctx.deferLeafCheck(rid);
  if (!ctx.isRebuild) relinkDependents(ctx, rid);
  return true;
}

/** `LinkHooks.reparent`: see there. */
export function reparent(ctx: LinkContext, rid: Rid, value: string): void {
  const parents = value.split(" ");
  if (!parents.every(isHash)) return;
  const manifest = ctx.manifests.open(rid);
  if (manifest === undefined) return;
  ctx.deferLeafCheck(rid);
  ctx.db.prepare("DELETE FROM plink WHERE cid=?").run(rid);
  ctx.db.prepare("DELETE FROM mlink WHERE mid=?").run(rid);
  if (isOrphan(manifest)) {
    recordOrphan(ctx, rid, manifest.baseline);
  } else {
    const primary = linkParents(ctx, manifest, parents);
    if (primary !== undefined) propagateTags(ctx, primary);
  }
  ctx.deferLeafCheck(rid);
}

/** Re-parents the check-ins of this batch that have a tag `parent`: linking them went by their P cards. */
export function reparentAgain(ctx: LinkContext): void {
  const rows = ctx.db
    .prepare("SELECT rid, value FROM tagxref WHERE tagid=? AND tagtype=1 AND value IS NOT NULL")
    .values<[Rid, string]>(TAG.parent);
  for (const [rid, value] of rows) if (ctx.checkIns.has(rid)) reparent(ctx, rid, value);
}

/** Fills plink and mlink. Returns the primary parent, if there is one. */
function linkParents(ctx: LinkContext, manifest: Manifest, parents: readonly Hash[]): Rid | undefined {
  const { rid, checkIn, baseRid } = manifest;
  const insert = ctx.db.prepare("INSERT OR IGNORE INTO plink(pid,cid,isprim,mtime,baseid) VALUES(?,?,?,?,?)");
  const mtime = toTableJulian(checkIn.date);
  let primary: Rid | undefined;
  for (const hash of parents) {
    const pid = ctx.ridOf(hash);
    insert.run(pid, rid, primary === undefined ? 1 : 0, mtime, baseRid ?? null);
    primary ??= pid;
  }
  if (!ctx.isRebuild) ctx.db.prepare("DELETE FROM mlink WHERE mid=?").run(rid);
  linkFiles(ctx, manifest, primary, parents.length);
  return primary === NO_RID ? undefined : primary;
}

const INSERT_EVENT = `
  REPLACE INTO event(type,mtime,objid,user,comment,bgcolor,euser,ecomment,omtime)
  VALUES('ci',
    coalesce((SELECT julianday(value) FROM tagxref WHERE tagid=4 AND rid=?1),?2), ?1,
    CAST(?3 AS TEXT), CAST(?4 AS TEXT),
    (SELECT value FROM tagxref WHERE tagid=1 AND rid=?1 AND tagtype>0),
    (SELECT value FROM tagxref WHERE tagid=3 AND rid=?1),
    (SELECT value FROM tagxref WHERE tagid=2 AND rid=?1), ?2)
  RETURNING CAST(coalesce(ecomment,comment) AS BLOB)`;

function insertEvent(ctx: LinkContext, rid: Rid, checkIn: CheckIn): void {
  const mtime = toTableJulian(checkIn.date);
  const [user, comment] = [textParameter(checkIn.user), textParameter(checkIn.comment)];
  const shown = ctx.db.prepare(INSERT_EVENT).value<Uint8Array | null>(rid, mtime, user, comment);
  if (shown)
    extractBacklinks(
      ctx,
      { type: "comment", id: rid, mtime: toJulian(checkIn.date) },
      shown,
      "wiki",
      "replace",
    );
}

const TAG_TYPES: Readonly<Record<string, TagType>> = {
  "-": TAG_TYPE.cancel,
  "+": TAG_TYPE.singleton,
  "*": TAG_TYPE.propagating,
};

function linkTags(ctx: LinkContext, rid: Rid, checkIn: CheckIn): void {
  for (const tag of checkIn.tags) {
    const target = tag.target === undefined ? rid : ctx.ridOf(tag.target);
    if (target === NO_RID) continue;
    insertTag(ctx, {
      name: tag.name,
      type: TAG_TYPES[tag.action]!,
      value: tag.value ?? null,
      source: rid,
      date: checkIn.date,
      target,
    });
  }
}

function linkCherrypicks(ctx: LinkContext, rid: Rid, checkIn: CheckIn): void {
  for (const { from, backout } of checkIn.cherrypicks) {
    const parent = ctx.content.ridOf(from);
    if (parent === undefined) waitForCherrypick(ctx.db, from, rid);
    else insertCherrypick(ctx.db, parent, rid, backout);
  }
}

function insertCherrypick(db: Db, parent: Rid, child: Rid, isExclude: boolean): void {
  db.prepare("REPLACE INTO cherrypick(parentid,childid,isExclude) VALUES(?,?,?)").run(
    parent,
    child,
    isExclude ? 1 : 0,
  );
}

function waitForCherrypick(db: Db, hash: Hash, child: Rid): void {
  db.exec(
    "CREATE TABLE IF NOT EXISTS fx_cherrypick_wait(" +
      "hash TEXT, childid INTEGER, PRIMARY KEY(hash,childid)) WITHOUT ROWID",
  );
  db.prepare("INSERT OR IGNORE INTO fx_cherrypick_wait(hash,childid) VALUES(?,?)").run(hash, child);
}

/** Links the Q cards whose artifacts have become known since. */
export function linkAwaitedCherrypicks(ctx: LinkContext): void {
  const { db } = ctx;
  const exists = db.prepare("SELECT 1 FROM sqlite_schema WHERE name='fx_cherrypick_wait'").value();
  if (exists === undefined) return;
  const known = db
    .prepare("SELECT w.childid, w.hash FROM fx_cherrypick_wait AS w JOIN blob ON blob.uuid=w.hash")
    .values<[Rid, Hash]>();
  const children = new Set<Rid>();
  for (const [child, hash] of known) {
    db.prepare("DELETE FROM fx_cherrypick_wait WHERE hash=? AND childid=?").run(hash, child);
    children.add(child);
  }
  for (const child of children) {
    const checkIn = ctx.manifests.checkIn(child);
    if (checkIn === undefined) continue;
    linkCherrypicks(ctx, child, checkIn);
    relink(ctx, child);
  }
}

/** Computes the mlink rows of those check-ins anew that had to do without the content of `rid`. */
function relinkDependents(ctx: LinkContext, rid: Rid): void {
  const children = ctx.db
    .prepare(
      "SELECT cid FROM plink WHERE pid=?1 UNION" +
        " SELECT childid FROM cherrypick WHERE parentid=?1 AND NOT isExclude",
    )
    .values<[Rid]>(rid);
  for (const [child] of children) relink(ctx, child);
}

function relink(ctx: LinkContext, rid: Rid): void {
  const manifest = ctx.manifests.open(rid);
  if (manifest === undefined || isOrphan(manifest)) return;
  const parents = ctx.db.prepare("SELECT pid FROM plink WHERE cid=? ORDER BY isprim DESC").values<[Rid]>(rid);
  ctx.db.prepare("DELETE FROM mlink WHERE mid=?").run(rid);
  linkFiles(ctx, manifest, parents[0]?.[0], parents.length);
}
