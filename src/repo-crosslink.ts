/**
 * Crosslinking: artifacts into rows of the derived tables. `beginLinkBatch` once, `crosslink` for each
 * artifact as its content becomes available, `endLinkBatch` once, all in one write transaction. What the
 * end of a batch does, and in which order, is told in `repo-link-context.ts`.
 */
import { looksLikeArtifact, type ParseOptions, parseArtifact } from "./artifact-parse.ts";
import type { Artifact, ArtifactType } from "./artifact-types.ts";
import { compareUtf8 } from "./bytes.ts";
import { FormatError, LimitError } from "./errors.ts";
import type { Repo } from "./repo.ts";
import { settleAmended } from "./repo-amended.ts";
import { refreshWikiBacklinks } from "./repo-backlink.ts";
import type { Rid } from "./repo-content.ts";
import { checkLeaves, rebuildLeaves } from "./repo-leaf.ts";
import { linkAttachment, tellAttachments } from "./repo-link-attachment.ts";
import { linkAwaitedCherrypicks, linkCheckIn, reparent, reparentAgain } from "./repo-link-checkin.ts";
import { linkCluster } from "./repo-link-cluster.ts";
import { LinkContext, type LinkOptions } from "./repo-link-context.ts";
import { linkControl } from "./repo-link-control.ts";
import { linkForumPost } from "./repo-link-forum.ts";
import { linkTechnote } from "./repo-link-technote.ts";
import { linkTicket, rebuildTicket } from "./repo-link-ticket.ts";
import { linkWiki } from "./repo-link-wiki.ts";
import { applyTimeFudges } from "./repo-time-fudge.ts";

/** @param options see `LinkOptions` */
export function beginLinkBatch(repo: Repo, options: Omit<LinkOptions, "hooks"> = {}): LinkContext {
  if (!repo.db.inTransaction) throw new Error("crosslinking needs a write transaction");
  return new LinkContext(repo, { ...options, hooks: { reparent } });
}

/**
 * Links artifact `rid`, whose expanded content is `bytes`.
 *
 * @param isChecked its Z card is known to be right
 * @returns its type; `undefined` when it is an ordinary file
 */
export function crosslink(
  ctx: LinkContext,
  rid: Rid,
  bytes: Uint8Array,
  isChecked = false,
): ArtifactType | undefined {
  const { manifests } = ctx;
  const artifact = manifests.kept(rid) ?? parseIfArtifact(bytes, { memo: manifests.memo, isChecked });
  if (artifact !== undefined) link(ctx, rid, artifact);
  return artifact?.type;
}

/** Applies what the linkers deferred. The context is of no use after that. */
export function endLinkBatch(ctx: LinkContext): void {
  if (!ctx.isRebuild) linkAwaitedCherrypicks(ctx);
  reparentAgain(ctx);
  for (const id of [...ctx.tickets].sort(compareUtf8)) rebuildTicket(ctx, id);
  for (const title of [...ctx.wikiPages].sort(compareUtf8)) refreshWikiBacklinks(ctx, title);
  applyTimeFudges(ctx);
  if (ctx.isRebuild) rebuildLeaves(ctx.db);
  else checkLeaves(ctx.db, ctx.leafChecks);
  for (const [rid, sources] of ctx.deltifications) {
    for (const source of sources) if (ctx.content.deltify(rid, [source])) break;
  }
  for (const target of ctx.attachmentTargets) tellAttachments(ctx, target);
  if (!ctx.isRebuild) settleAmended(ctx);
}

/** The artifact that `bytes` are, or `undefined` when they are an ordinary file. */
export function parseIfArtifact(bytes: Uint8Array, options?: ParseOptions): Artifact | undefined {
  if (!looksLikeArtifact(bytes)) return undefined;
  try {
    return parseArtifact(bytes, options);
  } catch (error) {
    if (error instanceof FormatError || error instanceof LimitError) return undefined;
    throw error;
  }
}

function link(ctx: LinkContext, rid: Rid, artifact: Artifact): void {
  switch (artifact.type) {
    case "check-in":
      linkCheckIn(ctx, rid, artifact);
      break;
    case "cluster":
      linkCluster(ctx, rid, artifact);
      break;
    case "control":
      linkControl(ctx, rid, artifact);
      break;
    case "wiki":
      linkWiki(ctx, rid, artifact);
      break;
    case "ticket":
      linkTicket(ctx, rid, artifact);
      break;
    case "attachment":
      linkAttachment(ctx, rid, artifact);
      break;
    case "technote":
      linkTechnote(ctx, rid, artifact);
      break;
    case "forum":
      linkForumPost(ctx, rid, artifact);
      break;
  }
}
