/**
 * Links an attachment (Fossil `src/manifest.c`, `src/attach.c`). Its target is named in one of four ways: a
 * ticket's id, a wiki page's title, a technote's id, a forum post's hash.
 *
 *     attachment  a row per attachment artifact; src NULL = removes the file; isLatest = the newest of the
 *                 same target and file name
 *     event       the type and comment go by what the target is; type a when that is not known
 *
 * A target may arrive after the attachment. A ticket or a technote then has the entry retold.
 */
import type { Attachment } from "./artifact-types.ts";
import { NameError } from "./errors.ts";
import type { Config } from "./repo-config.ts";
import type { Rid } from "./repo-content.ts";
import { putEvent, type TimelineEvent } from "./repo-event.ts";
import { toTableJulian } from "./repo-julian.ts";
import type { LinkContext } from "./repo-link-context.ts";
import { html, link, reference } from "./repo-link-text.ts";
import { findName } from "./repo-name.ts";
import { findTagId } from "./repo-tag-name.ts";
import { textParameter } from "./repo-text.ts";

type TargetType = "ticket" | "wiki" | "technote" | "forum" | "unknown";

const EVENT_TYPES: Readonly<Record<TargetType, TimelineEvent["type"]>> = {
  ticket: "t",
  wiki: "w",
  technote: "e",
  forum: "f",
  unknown: "a",
};

/** Longer targets are not looked up. */
const TARGET_MAX_BYTES = 64;

const INSERT_SQL = `
REPLACE INTO attachment(attachid,mtime,src,target,filename,comment,user)
VALUES(?,?,?,CAST(? AS TEXT),CAST(? AS TEXT),CAST(? AS TEXT),CAST(? AS TEXT))`;

const LATEST_SQL = `
UPDATE attachment
   SET isLatest = (mtime=(SELECT max(mtime) FROM attachment
                           WHERE target=CAST(?1 AS TEXT) AND filename=CAST(?2 AS TEXT)))
 WHERE target=CAST(?1 AS TEXT) AND filename=CAST(?2 AS TEXT)`;

export function linkAttachment(ctx: LinkContext, rid: Rid, attachment: Attachment): void {
  const { db } = ctx;
  const { date, target, source, user } = attachment;
  const name = attachment.name.slice(attachment.name.lastIndexOf("/") + 1);
  const [toward, file] = [textParameter(target), textParameter(name)];
  const [about, by] = [textParameter(attachment.comment ?? ""), textParameter(user)];
  db.prepare(INSERT_SQL).run(rid, toTableJulian(date), source ?? null, toward, file, about, by);
  db.prepare(LATEST_SQL).run(toward, file);
  const type = targetType(ctx, target);
  const comment = describe(ctx.repo.config, type, { source, name, target });
  putEvent(db, { type: EVENT_TYPES[type], date, rid, user, comment });
}

function targetType(ctx: LinkContext, target: string): TargetType {
  if (new TextEncoder().encode(target).length > TARGET_MAX_BYTES) return "unknown";
  if (isForumPost(ctx, target)) return "forum";
  if (findTagId(ctx.db, `tkt-${target}`) !== undefined) return "ticket";
  if (findTagId(ctx.db, `wiki-${target}`) !== undefined) return "wiki";
  if (findTagId(ctx.db, `event-${target}`) !== undefined) return "technote";
  return "unknown";
}

function isForumPost(ctx: LinkContext, target: string): boolean {
  try {
    return findName(ctx.repo, target, { type: "f" }) !== undefined;
  } catch (error) {
    if (error instanceof NameError) return false;
    throw error;
  }
}

interface Told {
  readonly source: string | undefined;
  readonly name: string;
  readonly target: string;
}

function describe(config: Config, type: TargetType, { source, name, target }: Told): string {
  const file = html(name);
  const added =
    source === undefined ? undefined : `Add attachment [/artifact/${link(config, source)}|${file}] to`;
  const removed = `Delete attachment "${file}" from`;
  switch (type) {
    case "ticket":
      return `${added ?? removed} ticket [${reference(config, target)}]`;
    case "wiki":
      return `${added ?? removed} wiki page [${html(target)}]`;
    case "forum":
      return `${added ?? removed} forum post [/forumpost/${reference(config, target)}]`;
    case "technote": {
      // So stock words it, when the technote was there first.
      const removedLink = `Delete attachment "/artifact/${link(config, name)}|${file}" from`;
      return `${added ?? removedLink} tech note [/technote/${reference(config, target)}]`;
    }
    case "unknown":
      // In stock the bracket of a removal stays open.
      return `${added ?? removed} [/artifact/${link(config, target)}|${html(target)}${added ? "]" : ""}`;
  }
}

/** Tells the attachments of a ticket or technote on the timeline as what they are, now that it is here. */
export function retellAttachments(ctx: LinkContext, id: string, type: "ticket" | "technote"): void {
  const rows = ctx.db
    .prepare("SELECT attachid, src, filename FROM attachment WHERE target=?")
    .values<[Rid, string | null, string]>(id);
  const update = ctx.db.prepare("UPDATE event SET comment=CAST(? AS TEXT), type=? WHERE objid=?");
  const { config } = ctx.repo;
  for (const [rid, source, name] of rows) {
    const comment =
      source === null && type === "technote"
        ? `Delete attachment "${html(name)}" from tech note [/technote/${reference(config, id)}]`
        : describe(config, type, { source: source ?? undefined, name, target: id });
    update.run(textParameter(comment), EVENT_TYPES[type], rid);
  }
}
