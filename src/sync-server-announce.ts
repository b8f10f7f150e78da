/**
 * What a server says unasked at the end of a reply: `igot` for what it has, `gimme` for what it lacks.
 * Rules: fossil-facts B, F.
 */
import { createClusters } from "./repo-cluster.ts";
import {
  allOffers,
  clusterOffers,
  type Offer,
  privateOffers,
  unclusteredCount,
  unclusteredOffers,
  wantedHashes,
} from "./repo-serve.ts";
import type { ServerExchange } from "./sync-server-exchange.ts";

/** Artifacts asked for in one reply. */
const GIMME_MAX_COUNT = 500;
/** A pull that finds this many artifacts in no cluster makes clusters. */
const CLUSTER_MIN_COUNT = 100;

/** @throws WriteNeeded when clusters are due and the repository was opened for reading */
export function checkClustersDue(x: ServerExchange): void {
  if (areClustersDue(x)) x.forWriting();
}

function areClustersDue(x: ServerExchange): boolean {
  return x.wantsOffers && !x.isReadOnly && unclusteredCount(x.repo.db) >= CLUSTER_MIN_COUNT;
}

/** The end of every reply but its last line. */
export function announce(x: ServerExchange): void {
  if (x.isPush) askForPhantoms(x);
  if (x.isOldClone && x.gimmeCount === 0) {
    for (const { hash } of allOffers(x.repo.db)) x.out.card({ type: "igot", hash, isPrivate: false });
    offerPrivate(x);
  } else if (x.isPull && x.wantsOffers) {
    if (areClustersDue(x)) createClusters(x.forWriting());
    offer(x, x.wantsCatalog ? allOffers(x.repo.db) : unclusteredOffers(x.repo.db));
    offerPrivate(x);
  }
}

/** `pragma req-clusters`. */
export function handleReqClusters(x: ServerExchange): void {
  if (!x.allows("pragma req-clusters")) return;
  const offers = [...clusterOffers(x.repo.db)].filter(({ rid }) => !x.onRemote.has(rid));
  if (offers.length === 0) return;
  x.out.comment(" sending-clusters");
  offer(x, offers);
  x.out.comment(" end-of-clusters");
}

function askForPhantoms(x: ServerExchange): void {
  let count = 0;
  for (const hash of wantedHashes(x.repo.db, x.wantsPrivate)) {
    if (x.lackedByRemote.has(hash)) continue;
    if (++count > GIMME_MAX_COUNT) break;
    x.out.card({ type: "gimme", hash });
  }
}

/** Offers what the peer is not known to have. */
function offer(x: ServerExchange, offers: Iterable<Offer>): void {
  for (const { rid, hash } of offers) {
    if (!x.onRemote.has(rid)) x.out.card({ type: "igot", hash, isPrivate: false });
  }
}

function offerPrivate(x: ServerExchange): void {
  if (!x.wantsPrivate) return;
  for (const { hash } of privateOffers(x.repo.db)) x.out.card({ type: "igot", hash, isPrivate: true });
}
