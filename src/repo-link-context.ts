/**
 * What the linkers of one batch share. Crosslinking turns an artifact into rows of the derived tables
 * (event, mlink, plink, tagxref …). Each artifact type has a linker, a function
 *
 *     link…(ctx: LinkContext, rid: Rid, artifact: X): void
 *
 * called once per artifact by the dispatcher in `repo-crosslink.ts`, inside a write transaction, when the
 * artifact's content is available (and, for a delta manifest, its baseline's too).
 *
 * Some effects depend on artifacts that may arrive later in the same batch, so a linker does not apply
 * them but leaves a note here; the end of the batch applies them, in this order (Fossil `src/manifest.c`,
 * the end of a crosslink batch):
 *
 *   1. every singleton tag named `parent` re-parents its check-in again (all of the repository's, not
 *      only the batch's);
 *   2. tickets, in order of id, then the backlinks of wiki pages, in order of title (bytewise);
 *   3. times: a check-in that is not older than its child, by less than two seconds, moves to 25 ms
 *      before it (`repo-time-fudge.ts`);
 *   4. the leaf table, for every check-in named by `deferLeafCheck` (`repo-leaf.ts`);
 *   5. storage: older versions become deltas of newer ones, as noted by `deferDeltify`;
 *   6. what depends on storage: timeline entries of attachments to what `deferAttachments` named
 *      (`repo-link-attachment.ts`), effects of the tags comment, user and date (`repo-amended.ts`).
 *
 * Where the other modules plug in:
 *   - `repo-tag.ts` offers `insertTag(ctx, { name, type, value, source, date, target })`: `type` is 0
 *     (cancel), 1 (singleton) or 2 (propagating), `source` the rid of the artifact that carries the
 *     tag, `target` the rid it applies to, `value` a string or null; and `propagateTags(ctx, parent)`,
 *     which hands every tag of `parent` on to its primary children;
 *   - `repo-tag.ts` calls `deferLeafCheck(rid)` whenever the tag `branch` is set on or cancelled at
 *     `rid`, propagation included, and `hooks.reparent(ctx, rid, value)` for a singleton tag `parent`
 *     (a hook, because the check-in linker in turn calls `insertTag` and `propagateTags`);
 *   - `repo-link-ticket.ts` calls `deferTicket(id)`; the end of the batch calls its
 *     `rebuildTicket(ctx, id)`;
 *   - `repo-link-wiki.ts` calls `deferWikiBacklinks(title)`; the end of the batch calls
 *     `refreshWikiBacklinks(ctx, title)` of `repo-backlink.ts`;
 *   - where stock stores a prior version as a delta of the next (wiki pages, technotes), the linker
 *     calls `deferDeltify(prior, next)`.
 *
 * Times in tables are Julian days, in two forms (`repo-julian.ts` tells why): tagxref and the ticket tables
 * hold `toJulian(date)`; event, plink, attachment, forumpost and backlink hold `toTableJulian(date)`.
 * `extractBacklinks` takes the exact one and stores the other.
 */
import { latin1, utf8 } from "./bytes.ts";
import type { Db } from "./db.ts";
import type { Hash } from "./hash.ts";
import { RID_CACHE_COUNT } from "./limits.ts";
import type { Repo } from "./repo.ts";
import type { Content, Rid } from "./repo-content.ts";
import { Filenames } from "./repo-filename.ts";
import { type ExpandedAhead, Manifests } from "./repo-manifest.ts";

/** Calls that would close an import cycle if they were imports. `repo-crosslink.ts` supplies them. */
export interface LinkHooks {
  /**
   * Gives check-in `rid` the parents listed in `value` (hashes separated by single spaces, the primary
   * first) and computes its plink and mlink rows anew. Does nothing when `value` is not such a list, or
   * when `rid` is not an available check-in.
   */
  reparent(ctx: LinkContext, rid: Rid, value: string): void;
}

/** A child that is younger than its parent by less than the fudge window, or older. Julian days. */
export interface TimeFudge {
  readonly parentMtime: number;
  readonly child: Rid;
  readonly childMtime: number;
}

export interface LinkOptions {
  readonly hooks: LinkHooks;
  /**
   * Every artifact is being linked anew, into empty tables, all content being here from the start: what
   * waits for late arrivals is left out, and the stored form of artifacts is not touched. Default false.
   */
  readonly isRebuild?: boolean;
  /** Where check-ins may be had that are linked soon. */
  readonly ahead?: ExpandedAhead | undefined;
}

export class LinkContext {
  readonly repo: Repo;
  readonly db: Db;
  readonly content: Content;
  readonly hooks: LinkHooks;

  /** Ids (K cards) of tickets whose rows are to be computed anew. */
  readonly tickets = new Set<string>();
  /** Titles of wiki pages whose backlinks are to be computed anew. */
  readonly wikiPages = new Set<string>();
  /** Check-ins whose leaf status may have changed. */
  readonly leafChecks = new Set<Rid>();
  /** By parent; of several children the last one seen counts, as in stock. */
  readonly timeFudges = new Map<Rid, TimeFudge>();
  /** Artifacts that may be stored as deltas, each with the sources proposed for it, in that order. */
  readonly deltifications = new Map<Rid, Set<Rid>>();
  /** Check-ins linked in this batch. */
  readonly checkIns = new Set<Rid>();
  /** Artifacts, check-ins apart, that may have met a tag comment, user or date in this batch. */
  readonly amended = new Set<Rid>();
  /** Wiki titles, technote ids and post hashes whose attachments are to be told anew on the timeline. */
  readonly attachmentTargets = new Set<string>();

  readonly manifests: Manifests;
  readonly filenames: Filenames;
  readonly isRebuild: boolean;

  private readonly rids = new Map<Hash, Rid>();
  private readonly published = new Set<Rid>();

  constructor(repo: Repo, options: LinkOptions) {
    this.repo = repo;
    this.db = repo.db;
    this.content = repo.content;
    this.hooks = options.hooks;
    this.isRebuild = options.isRebuild ?? false;
    this.manifests = new Manifests(repo.content, options.ahead);
    this.filenames = new Filenames(repo.db);
  }

  /** The rid of `hash`; a public phantom is made for a hash never seen. A shunned one has `NO_RID`. */
  ridOf(hash: Hash): Rid {
    const kept = this.rids.get(hash);
    if (kept !== undefined) return kept;
    const rid = this.content.ridOrPhantom(hash, false);
    if (this.rids.size >= RID_CACHE_COUNT) this.rids.clear();
    // A copy: `hash` may be a slice that keeps the text of a whole manifest alive.
    this.rids.set(latin1(utf8(hash)) as Hash, rid);
    return rid;
  }

  /** Makes `rid` public, once in a batch. */
  publish(rid: Rid): void {
    if (this.published.has(rid)) return;
    if (this.published.size >= RID_CACHE_COUNT) this.published.clear();
    this.content.publish(rid);
    this.published.add(rid);
  }

  deferTicket(id: string): void {
    this.tickets.add(id);
  }

  deferWikiBacklinks(title: string): void {
    this.wikiPages.add(title);
  }

  /** Names a target that attachments may have, when it or an attachment to it has been linked. */
  deferAttachments(target: string): void {
    if (!this.isRebuild) this.attachmentTargets.add(target);
  }

  /** Has the leaf status of check-in `rid` and of its parents looked at when the batch ends. */
  deferLeafCheck(rid: Rid): void {
    if (this.isRebuild) return; // All are looked at in the end.
    this.leafChecks.add(rid);
    const parents = this.db.prepare("SELECT pid FROM plink WHERE cid=? AND pid>0").values<[Rid]>(rid);
    for (const [parent] of parents) this.leafChecks.add(parent);
  }

  deferTimeFudge(parent: Rid, fudge: TimeFudge): void {
    this.timeFudges.set(parent, fudge);
  }

  /**
   * Proposes to store `rid`, if it is stored in full, as a delta of `source`. The first proposal that saves
   * enough counts.
   */
  deferDeltify(rid: Rid, source: Rid): void {
    if (this.isRebuild) return;
    const sources = this.deltifications.get(rid);
    if (sources === undefined) this.deltifications.set(rid, new Set([source]));
    else sources.add(source);
  }
}
