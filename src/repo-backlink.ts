/**
 * Table `backlink`: which text mentions which artifact or ticket (Fossil `src/backlink.c`).
 *
 *     target   lower-case hex as written, 4 to 64 digits: a prefix of a hash or of a ticket id
 *     srctype  0 check-in comment, 1 ticket, 2 wiki page, 3 technote (never filled), 4 forum post
 *     srcid    rid of the check-in, ticket change or post; for a wiki page the number of its tag
 *     mtime    of the text, Julian day
 *
 * A link counts when its target is such a hex string, or "/info/" and then one. What is a link depends on
 * the markup: `markup-wiki-links.ts`, `markup-markdown-links.ts`; other text has none.
 */
import { latin1 } from "./bytes.ts";
import { toJulian } from "./julian.ts";
import { markdownLinkTargets } from "./markup-markdown-links.ts";
import { wikiLinkTargets } from "./markup-wiki-links.ts";
import { readArtifact } from "./repo-artifact.ts";
import type { Rid } from "./repo-content.ts";
import { tableTime } from "./repo-julian.ts";
import type { LinkContext } from "./repo-link-context.ts";
import { findTagId } from "./repo-tag-name.ts";

const SOURCE_TYPES = { comment: 0, ticket: 1, wiki: 2, forum: 4 } as const;

/** Where a text stands. */
export interface BacklinkSource {
  readonly type: keyof typeof SOURCE_TYPES;
  /** What goes into `srcid`. */
  readonly id: number;
  /** Julian day, exact. */
  readonly mtime: number;
}

export type Markup = "wiki" | "markdown" | "plain";

/** The markup an N card (or a ticket's field `mimetype`) stands for. None means Fossil wiki. */
export function markupOf(mimetype: string | undefined): Markup {
  if (mimetype === undefined || mimetype.includes("wiki")) return "wiki";
  return mimetype.includes("markdown") ? "markdown" : "plain";
}

/**
 * Records the links in `text`.
 *
 * @param mode `replace` forgets those recorded before from the same source, `add` keeps them
 */
export function extractBacklinks(
  ctx: LinkContext,
  source: BacklinkSource,
  text: Uint8Array,
  markup: Markup,
  mode: "replace" | "add",
): void {
  const { db } = ctx;
  const type = SOURCE_TYPES[source.type];
  if (mode === "replace") {
    db.prepare("DELETE FROM backlink WHERE srctype=? AND srcid=?").run(type, source.id);
  }
  if (!text.includes(OPEN_BRACKET)) return;
  const insert = db.prepare("REPLACE INTO backlink(target,srctype,srcid,mtime) VALUES(?,?,?,?)");
  const mtime = tableTime(source.mtime);
  for (const written of linkTargets(ctx, latin1(text), markup)) {
    const target = backlinkTarget(written);
    if (target !== undefined) insert.run(target, type, source.id, mtime);
  }
}

const OPEN_BRACKET = 0x5b;

/** Records anew the links in the latest version of wiki page `title`. */
export function refreshWikiBacklinks(ctx: LinkContext, title: string): void {
  const tag = findTagId(ctx.db, `wiki-${title}`);
  if (tag === undefined) return;
  const rid = ctx.db
    .prepare("SELECT rid FROM tagxref WHERE tagid=? ORDER BY mtime DESC, rid DESC LIMIT 1")
    .value<Rid>(tag);
  const page = rid === undefined ? undefined : readArtifact(ctx.content, rid, "wiki");
  if (page === undefined) return;
  const source = { type: "wiki", id: tag, mtime: toJulian(page.date) } as const;
  extractBacklinks(ctx, source, page.body, markupOf(page.mimetype), "replace");
}

function linkTargets(ctx: LinkContext, text: string, markup: Markup): string[] {
  if (markup === "plain") return [];
  if (markup === "markdown") return markdownLinkTargets(text);
  return wikiLinkTargets(text, ctx.repo.config.isOn("wiki-use-html", false));
}

/** The target as recorded, or `undefined` if it is not one that counts. */
function backlinkTarget(written: string): string | undefined {
  const match = /^(?:\/info\/)?([0-9a-fA-F]{4,64})$/.exec(written);
  return match?.[1]?.toLowerCase();
}
