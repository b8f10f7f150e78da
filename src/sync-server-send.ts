/**
 * Sending artifacts to a peer that asked: `file` cards, as deltas where that saves much, and announcements
 * (`igot`) instead of content once the reply's budget is used up. Rules: fossil-facts B, C.
 */
import { createDelta } from "./delta-encode.ts";
import { algorithmOf, type Hash } from "./hash.ts";
import { ARTIFACT_MAX_BYTES } from "./limits.ts";
import type { Rid } from "./repo-content.ts";
import { earlierVersion } from "./repo-serve.ts";
import type { ServerExchange } from "./sync-server-exchange.ts";
import { TEXTS } from "./sync-server-texts.ts";
import { understandsPrivateIgot, understandsSha3 } from "./sync-version.ts";
import type { GimmeCard } from "./xfer-card.ts";
import { unpackBlob } from "./zlib.ts";

/** Smaller artifacts are sent whole, in bytes. */
const DELTA_MIN_BYTES = 100;
/** A delta has to save at least this much, in bytes. */
const DELTA_SAVING_MIN_BYTES = 50;

/** `stored`: as a delta if it is stored as one. `parent`: as a delta of an earlier version. */
export type DeltaChoice = "stored" | "parent";

export function handleGimme(x: ServerExchange, { hash }: GimmeCard): void {
  x.gimmeCount++;
  x.lackedByRemote.add(hash);
  if (!x.allows("gimme")) return;
  const rid = x.content.ridOf(hash);
  if (rid === undefined) return;
  if (x.content.isPrivate(rid) && !x.wantsPrivate) {
    // Better told than asked for again and again.
    if (understandsPrivateIgot(x.remote)) x.out.card({ type: "igot", hash, isPrivate: true });
    return;
  }
  sendArtifact(x, rid, x.isOldClone ? "stored" : "parent");
}

/** Sends one artifact unless the peer has it, may not have it, or it is not here. */
export function sendArtifact(x: ServerExchange, rid: Rid, choice: DeltaChoice): void {
  const { content, out } = x;
  const isPrivate = content.isPrivate(rid);
  if ((isPrivate && !x.wantsPrivate) || x.onRemote.has(rid)) return;
  const head = content.head(rid);
  if (head === undefined || head.size < 0) return;
  const { hash } = head;
  if (mayNotKnow(x, hash)) {
    out.card({ type: "error", text: TEXTS.sha3 });
    return;
  }
  if (x.isShunned(hash)) return;
  if (x.isOverBudget) {
    out.card({ type: "igot", hash, isPrivate });
    return;
  }
  const sent = chooseForm(x, rid, isPrivate, choice);
  if (sent === undefined) return;
  if (isPrivate) out.card({ type: "private" });
  out.card({ type: "file", hash, size: sent.content.length, ...sent });
  x.artifactsSent++;
  x.onRemote.add(rid);
}

/** Whether the peer is so old that it knows no SHA3. */
export function mayNotKnow(x: ServerExchange, hash: Hash): boolean {
  return algorithmOf(hash) === "sha3-256" && !understandsSha3(x.remote);
}

interface Form {
  readonly content: Uint8Array;
  readonly source?: Hash;
}

function chooseForm(x: ServerExchange, rid: Rid, isPrivate: boolean, choice: DeltaChoice): Form | undefined {
  const stored = choice === "stored" ? storedDelta(x, rid, isPrivate) : undefined;
  if (stored !== undefined) return stored;
  const content = x.content.get(rid);
  if (content === undefined) return undefined;
  const made = choice === "parent" ? parentDelta(x, rid, isPrivate, content) : undefined;
  return made ?? { content };
}

function storedDelta(x: ServerExchange, rid: Rid, isPrivate: boolean): Form | undefined {
  const stored = x.content.stored(rid);
  if (stored?.source === undefined) return undefined;
  const source = usableSource(x, stored.source, isPrivate);
  return source && { source, content: unpackBlob(stored.bytes, ARTIFACT_MAX_BYTES) };
}

function parentDelta(x: ServerExchange, rid: Rid, isPrivate: boolean, content: Uint8Array): Form | undefined {
  if (content.length <= DELTA_MIN_BYTES) return undefined;
  const parent = earlierVersion(x.repo.db, rid);
  if (parent === undefined || parent === rid) return undefined;
  const source = usableSource(x, parent, isPrivate);
  if (source === undefined) return undefined;
  const text = x.content.get(parent);
  if (text === undefined) return undefined;
  const delta = createDelta(text, content);
  return delta.length < content.length - DELTA_SAVING_MIN_BYTES ? { source, content: delta } : undefined;
}

/** The hash of a delta's source, if the peer may have it: a public artifact never rests on a private one. */
function usableSource(x: ServerExchange, source: Rid, isPrivate: boolean): Hash | undefined {
  if (!isPrivate && x.content.isPrivate(source)) return undefined;
  const hash = x.content.hashOf(source);
  return x.isShunned(hash) || mayNotKnow(x, hash) ? undefined : hash;
}
