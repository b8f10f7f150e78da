/**
 * Sending artifacts to a peer that asked: `file` cards, as deltas where that saves much, and announcements
 * (`igot`) instead of content once the reply's budget is used up. Rules: fossil-facts B, C.
 */
import { algorithmOf, type Hash } from "./hash.ts";
import type { Rid } from "./repo-content.ts";
import { chooseForm } from "./sync-artifact-form.ts";
import type { ServerExchange } from "./sync-server-exchange.ts";
import { TEXTS } from "./sync-server-texts.ts";
import { understandsPrivateIgot, understandsSha3 } from "./sync-version.ts";
import type { GimmeCard, WholePragma } from "./xfer-card.ts";

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

/** As `gimme`, for a peer that has no use for a delta. */
export function handleWhole(x: ServerExchange, { hash }: WholePragma): void {
  x.gimmeCount++;
  if (!x.allows("pragma edgesync-whole")) return;
  const rid = x.content.ridOf(hash);
  if (rid !== undefined) sendArtifact(x, rid, "whole");
}

/** Sends one artifact unless the peer has it, may not have it, or it is not here. */
export function sendArtifact(x: ServerExchange, rid: Rid, choice: "stored" | "parent" | "whole"): void {
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
  const mayName = (source: Hash) => !mayNotKnow(x, source) && !x.isShunned(source);
  const sent = chooseForm(x.repo, rid, { isPrivate, choice, mayName });
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
