/**
 * Links an attachment (Fossil `src/manifest.c`, `src/attach.c`). Its target is named in one of four ways: a
 * ticket's id, a wiki page's title, a technote's id, a forum post's hash.
 *
 *     attachment  a row per attachment artifact; src NULL = removes the file; isLatest = the newest of the
 *                 same target and file name
 *     event       the type and comment go by what the target is; type a when that is not known
 *
 * A target may arrive after the attachment. A ticket or a technote that does has the entry retold. For the
 * others it stays as it is told when the attachment is linked; and since a rebuild links in another order
 * (`repo-rebuild-place.ts`: not least because a page is stored as deltas of its latest version), the entry
 * is told again at the end of each batch that touches attachment or target, by what comes first in a
 * rebuild. Rules of 2.29; 2.21 takes any target that is no ticket and no technote for a wiki page.
 */
import { decodeRaw, encodeText } from "./artifact-escape.ts";
import type { Attachment } from "./artifact-types.ts";
import { latin1 } from "./bytes.ts";
import { NameError } from "./errors.ts";
import type { Config } from "./repo-config.ts";
import type { Rid } from "./repo-content.ts";
import { putEvent, type TimelineEvent } from "./repo-event.ts";
import { toTableJulian } from "./repo-julian.ts";
import type { LinkContext } from "./repo-link-context.ts";
import { html, link, reference } from "./repo-link-text.ts";
import { findName } from "./repo-name.ts";
import { RebuildPlaces } from "./repo-rebuild-place.ts";
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
  ctx.amended.add(rid);
  const { db } = ctx;
  const { date, target, source, user } = attachment;
  const name = attachment.name.slice(attachment.name.lastIndexOf("/") + 1);
  const [toward, file] = [textParameter(target), textParameter(name)];
  const [about, by] = [textParameter(attachment.comment ?? ""), textParameter(user)];
  db.prepare(INSERT_SQL).run(rid, toTableJulian(date), source ?? null, toward, file, about, by);
  db.prepare(LATEST_SQL).run(toward, file);
  const type = targetTypes(ctx, target)[0]?.type ?? "unknown";
  const comment = describe(ctx.repo.config, type, { source, name, target });
  putEvent(db, { type: EVENT_TYPES[type], date, rid, user, comment });
  ctx.deferAttachments(target);
}

/** One of the things that `target` names, and the artifacts that make it known. */
interface Meaning {
  readonly type: TargetType;
  readonly makers: () => Rid[];
}

/** All that `target` names now; the first one counts. */
function targetTypes(ctx: LinkContext, target: string): Meaning[] {
  if (encodeText(target).length > TARGET_MAX_BYTES) return [];
  const meanings: Meaning[] = [];
  const post = findForumPost(ctx, target);
  if (post !== undefined) meanings.push({ type: "forum", makers: () => [post] });
  for (const [type, prefix] of TAG_PREFIXES) {
    const tag = findTagId(ctx.db, prefix + target);
    if (tag === undefined) continue;
    const makers = () => {
      const rows = ctx.db.prepare("SELECT srcid FROM tagxref WHERE tagid=? AND srcid>0").values<[Rid]>(tag);
      return rows.map(([rid]) => rid);
    };
    meanings.push({ type, makers });
  }
  return meanings;
}

const TAG_PREFIXES = [
  ["ticket", "tkt-"],
  ["wiki", "wiki-"],
  ["technote", "event-"],
] as const;

function findForumPost(ctx: LinkContext, target: string): Rid | undefined {
  const hasForum = ctx.db.prepare("SELECT 1 FROM sqlite_schema WHERE name='forumpost'").value();
  if (hasForum === undefined) return undefined;
  try {
    return findName(ctx.repo, target, { type: "f" });
  } catch (error) {
    if (error instanceof NameError) return undefined;
    throw error;
  }
}

/** Tells the attachments to `target` on the timeline as a rebuild would. */
export function tellAttachments(ctx: LinkContext, target: string): void {
  const attachments = attachmentsTo(ctx, target);
  if (attachments.length === 0) return;
  const places = new RebuildPlaces(ctx.content);
  const meanings = targetTypes(ctx, target).map(({ type, makers }) => ({
    type,
    places: makers().map((rid) => places.of(rid)),
  }));
  // A ticket's or technote's artifact that is linked after the attachment has the last word.
  const retellers = meanings.filter(({ type }) => type === "ticket" || type === "technote");
  for (const { rid, ...told } of attachments) {
    const place = places.of(rid);
    const reteller = retellers.find((meaning) => meaning.places.some((other) => other > place));
    const first = meanings.find((meaning) => meaning.places.some((other) => other < place));
    if (reteller !== undefined) setEntry(ctx, rid, reteller.type, told, "later");
    else setEntry(ctx, rid, first?.type ?? "unknown", told, "earlier");
  }
}

interface Told {
  readonly source: string | undefined;
  readonly name: string;
  readonly target: string;
}

function describe(
  config: Config,
  type: TargetType,
  { source, name, target }: Told,
  targetCame: "earlier" | "later" = "earlier",
): string {
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
      const asLink = `Delete attachment "/artifact/${link(config, name)}|${file}" from`;
      const gone = targetCame === "earlier" ? asLink : removed;
      return `${added ?? gone} tech note [/technote/${reference(config, target)}]`;
    }
    case "unknown":
      // In stock the bracket of a removal stays open.
      return `${added ?? removed} [/artifact/${link(config, target)}|${html(target)}${added ? "]" : ""}`;
  }
}

/** Tells the attachments of a ticket or technote on the timeline as what they are, now that it is here. */
export function retellAttachments(ctx: LinkContext, id: string, type: "ticket" | "technote"): void {
  for (const { rid, ...told } of attachmentsTo(ctx, id)) setEntry(ctx, rid, type, told, "later");
}

function attachmentsTo(ctx: LinkContext, target: string): (Told & { readonly rid: Rid })[] {
  return ctx.db
    .prepare("SELECT attachid, src, CAST(filename AS BLOB) FROM attachment WHERE target=CAST(? AS TEXT)")
    .values<[Rid, string | null, Uint8Array]>(textParameter(target))
    .map(([rid, source, name]) => ({
      rid,
      source: source ?? undefined,
      name: decodeRaw(latin1(name)),
      target,
    }));
}

/** @param targetCame whether the target was linked before the attachment or after it: the words differ */
function setEntry(
  ctx: LinkContext,
  rid: Rid,
  type: TargetType,
  told: Told,
  targetCame: "earlier" | "later",
): void {
  const comment = describe(ctx.repo.config, type, told, targetCame);
  ctx.db
    .prepare("UPDATE event SET comment=CAST(? AS TEXT), type=? WHERE objid=?")
    .run(textParameter(comment), EVENT_TYPES[type], rid);
}
