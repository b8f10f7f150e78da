/**
 * What a sync client sends besides its questions: artifacts that the peer asked for or that were made here,
 * within the upload budget, and `igot` for what the peer may not know of. Rules: fossil-facts B.
 */
import { type Bytes, free } from "./bytes.ts";
import type { Hash } from "./hash.ts";
import { UPLOAD_BUDGET_BYTES } from "./limits.ts";
import type { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";
import { allOffers, clusterOffers, privateOffers, unclusteredOffers, unsentRids } from "./repo-serve.ts";
import { chooseForm } from "./sync-artifact-form.ts";
import type { MessageWriter } from "./xfer-format.ts";

/** Copies of this size, which nothing else holds, are given back at once. */
const FREE_FROM_BYTES = 16_000_000;

/** What is asked for more often than this is not sent again. */
const SENT_MAX_COUNT = 2;

export interface SendOptions {
  readonly requested: readonly Hash[];
  /** How often each artifact was sent in earlier rounds. */
  readonly timesSent: ReadonlyMap<Rid, number>;
  readonly withPrivate: boolean;
}

/**
 * Appends `file` cards: what the peer asked for first, then what was made here and not sent yet. Stops at
 * the upload budget, checked before each card; of what is left the peer is told by `igot` and asks again.
 *
 * @returns what was sent
 */
export function writeArtifacts(repo: Repo, out: MessageWriter, options: SendOptions): Rid[] {
  const { content } = repo;
  const budget = repo.config.integer("max-upload", UPLOAD_BUDGET_BYTES);
  const asked = options.requested.map((hash) => content.ridOf(hash)).filter((rid) => rid !== undefined);
  const sent = new Set<Rid>();
  for (const rid of [...asked, ...unsentRids(repo.db)]) {
    const timesSent = options.timesSent.get(rid) ?? 0;
    if (sent.has(rid) || timesSent >= SENT_MAX_COUNT) continue;
    const isPrivate = content.isPrivate(rid);
    if (isPrivate && !options.withPrivate) continue;
    const head = content.head(rid);
    if (head === undefined || head.size < 0 || content.isShunned(head.hash)) continue;
    if (out.byteLength >= budget) {
      out.card({ type: "igot", hash: head.hash, isPrivate });
      continue;
    }
    // A delta may have been of no use to the peer.
    const form = chooseForm(repo, rid, { isPrivate, choice: timesSent === 0 ? "parent" : "whole" });
    if (form === undefined) continue;
    if (isPrivate) out.card({ type: "private" });
    out.card({ type: "file", hash: head.hash, size: form.content.length, ...form });
    if (form.content.length >= FREE_FROM_BYTES && content.cached(head.hash) === undefined)
      free(form.content as Bytes);
    sent.add(rid);
  }
  return [...sent];
}

export interface OfferOptions {
  readonly onRemote: ReadonlySet<Rid>;
  /** Everything, not only what is in no cluster. */
  readonly isCatalog: boolean;
  /** Clusters that are in clusters themselves, too. */
  readonly withClusters: boolean;
  readonly withPrivate: boolean;
}

/** Appends `igot` for what the peer may lack. */
export function writeOffers(repo: Repo, out: MessageWriter, options: OfferOptions): void {
  const offers = options.isCatalog ? allOffers(repo.db) : unclusteredOffers(repo.db);
  for (const { rid, hash } of offers) {
    if (!options.onRemote.has(rid)) out.card({ type: "igot", hash, isPrivate: false });
  }
  if (options.withPrivate) {
    for (const { hash } of privateOffers(repo.db)) out.card({ type: "igot", hash, isPrivate: true });
  }
  if (!options.withClusters) return;
  for (const { rid, hash } of clusterOffers(repo.db)) {
    if (!options.onRemote.has(rid)) out.card({ type: "igot", hash, isPrivate: false });
  }
}
