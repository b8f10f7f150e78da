/**
 * Links a version of a technote (Fossil `src/manifest.c`, where it is called an event):
 *
 *     tag event-ID on the version itself, value = length of its text in bytes; the version's own T cards
 *     event of type e, only for the latest version: mtime = E card, comment = C card, tagid = the tag
 *
 * A version that has predecessors replaces their entries on the timeline; one that comes after a later
 * version was linked has none. Earlier versions are stored as deltas of later ones.
 */
import type { Technote } from "./artifact-types.ts";
import type { Rid } from "./repo-content.ts";
import { toTableJulian } from "./repo-julian.ts";
import { retellAttachments } from "./repo-link-attachment.ts";
import type { LinkContext } from "./repo-link-context.ts";
import { deltifyVersions, linkVersions } from "./repo-link-versions.ts";
import { textLength } from "./repo-link-wiki.ts";
import { insertTag, TAG_TYPE, tagTypeOf } from "./repo-tag.ts";
import { TAG, type TagId } from "./repo-tag-name.ts";
import { textParameter } from "./repo-text.ts";

export function linkTechnote(ctx: LinkContext, rid: Rid, note: Technote): void {
  const { db } = ctx;
  for (const { name, action, value = null } of note.tags) {
    insertTag(ctx, { name, type: tagTypeOf(action), value, source: rid, date: note.date, target: rid });
  }
  const prior = linkVersions(ctx, rid, note);
  const tag = insertTag(ctx, {
    name: `event-${note.technoteId}`,
    type: TAG_TYPE.singleton,
    value: String(textLength(note.body)),
    source: rid,
    date: note.date,
    target: rid,
  });
  const later = db
    .prepare("SELECT rid FROM tagxref WHERE tagid=? AND mtime>=? AND rid<>? ORDER BY mtime LIMIT 1")
    .value<Rid>(tag, toTableJulian(note.date), rid);
  deltifyVersions(ctx, rid, prior);
  if (later !== undefined) ctx.deferDeltify(rid, later);
  else {
    if (prior !== undefined) db.prepare(FORGET_SQL).run(tag);
    putTechnote(ctx, rid, note, tag);
  }
  retellAttachments(ctx, note.technoteId, "technote");
  ctx.deferAttachments(note.technoteId);
}

const FORGET_SQL = `
DELETE FROM event WHERE type='e' AND tagid=?1 AND objid IN (SELECT rid FROM tagxref WHERE tagid=?1)`;

const PUT_SQL = `
REPLACE INTO event(type,mtime,objid,tagid,user,comment,bgcolor)
VALUES('e',?1,?2,?3,CAST(?4 AS TEXT),CAST(?5 AS TEXT),
  (SELECT value FROM tagxref WHERE tagid=?6 AND rid=?2))`;

function putTechnote(ctx: LinkContext, rid: Rid, note: Technote, tag: TagId): void {
  const [user, comment] = [textParameter(note.user), textParameter(note.comment)];
  ctx.db.prepare(PUT_SQL).run(toTableJulian(note.eventDate), rid, tag, user, comment, TAG.bgcolor);
}
