/**
 * Links a version of a wiki page (Fossil `src/manifest.c`):
 *
 *     tag wiki-TITLE on the version itself, value = length of its text in bytes
 *     event of type w; comment = "-" (no text), "+" (first version) or ":" (later one), and the title
 *
 * The page's backlinks are those of its latest version and wait for the end of the batch; the prior version
 * is stored as a delta of this one.
 */
import type { WikiPage } from "./artifact-types.ts";
import type { Rid } from "./repo-content.ts";
import { putEvent } from "./repo-event.ts";
import type { LinkContext } from "./repo-link-context.ts";
import { deltifyVersions, linkVersions } from "./repo-link-versions.ts";
import { insertTag, TAG_TYPE } from "./repo-tag.ts";

export function linkWiki(ctx: LinkContext, rid: Rid, page: WikiPage): void {
  const prior = linkVersions(ctx, rid, page);
  const length = textLength(page.body);
  insertTag(ctx, {
    name: `wiki-${page.title}`,
    type: TAG_TYPE.singleton,
    value: String(length),
    source: rid,
    date: page.date,
    target: rid,
  });
  deltifyVersions(ctx, rid, prior);
  ctx.deferWikiBacklinks(page.title);
  ctx.deferAttachments(page.title);
  const sign = length === 0 ? "-" : prior === undefined ? "+" : ":";
  const comment = sign + page.title;
  putEvent(ctx.db, { type: "w", date: page.date, rid, user: page.user, comment });
}

/** Length in bytes of a W card's text from its first character that is not white space to the first NUL. */
export function textLength(body: Uint8Array): number {
  const start = body.findIndex((byte) => byte !== 0x20 && !(byte >= 0x09 && byte <= 0x0d));
  if (start < 0) return 0;
  const nul = body.indexOf(0, start);
  return (nul < 0 ? body.length : nul) - start;
}
