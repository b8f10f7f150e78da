/**
 * Receiving artifacts, and hearing of them. Everything received in a request is one batch in the request's
 * transaction; content that is not what its name says throws, and with it the whole request is undone.
 *
 * Private artifacts need the right `x`. Without it a `private` card is answered with an error and the card
 * it announces is left out; stock would store that artifact as a public one (fossil-facts G15).
 * Rules: fossil-facts C, D.
 */
import { ARTIFACT_MAX_BYTES } from "./limits.ts";
import { NO_RID, type Rid } from "./repo-content.ts";
import { type Incoming, SHUNNED_SOURCE } from "./repo-receive.ts";
import type { ServerExchange } from "./sync-server-exchange.ts";
import { TEXTS } from "./sync-server-texts.ts";
import type { CfileCard, FileCard, IgotCard } from "./xfer-card.ts";
import { unpackBlob } from "./zlib.ts";

export function handlePrivate(x: ServerExchange): void {
  x.nextIsPrivate = true;
  if (!x.allows("private")) x.out.card({ type: "error", text: TEXTS.noPrivate });
}

export function handleFile(x: ServerExchange, card: FileCard): void {
  if (!x.allows("file")) {
    x.fail(TEXTS.noWrite);
    return;
  }
  const { hash, source, content } = card;
  receive(x, source === undefined ? { hash, content } : { hash, source, delta: content });
}

export function handleCfile(x: ServerExchange, card: CfileCard): void {
  if (!x.allows("cfile")) {
    x.fail(TEXTS.noWrite);
    return;
  }
  const { hash, source } = card;
  const content = unpackBlob(card.content, ARTIFACT_MAX_BYTES);
  receive(x, source === undefined ? { hash, content } : { hash, source, delta: content });
}

export function handleIgot(x: ServerExchange, card: IgotCard): void {
  if (!x.allows("igot")) return;
  const rid = card.isPrivate ? hearOfPrivate(x, card) : hearOfPublic(x, card);
  if (rid !== undefined) x.onRemote.add(rid);
}

function receive(x: ServerExchange, incoming: Incoming): void {
  const isPrivate = x.nextIsPrivate;
  x.nextIsPrivate = false;
  if (isPrivate && !x.allows("private")) return;
  const batch = x.receiver();
  const rid = batch.receive(incoming, { isPrivate });
  if (rid === undefined && batch.refusals.at(-1)?.error.code === SHUNNED_SOURCE) {
    // A stock client that was asked again would send the same delta again, for ever: it knows no such pragma.
    x.out.card({ type: "pragma edgesync-whole", hash: incoming.hash });
  }
  x.artifactsReceived++;
  // What waits for the source of its delta is offered back, as in stock, if the source comes in this request.
  const waits = rid !== undefined && "delta" in incoming && !x.content.isAvailable(rid);
  if (rid !== undefined && !waits) x.onRemote.add(rid);
}

/** What the peer holds for public is public here too. */
function hearOfPublic(x: ServerExchange, { hash }: IgotCard): Rid | undefined {
  const known = x.content.ridOf(hash);
  if (known === undefined) return awaitArtifact(x, { hash, isPrivate: false });
  if (x.content.isPrivate(known)) x.forWriting().content.publish(known);
  return known;
}

/**
 * Of a peer that may not send it, a private artifact is not awaited: a phantom of it becomes private, so
 * that it is no longer asked for. What is here and public stays public.
 */
function hearOfPrivate(x: ServerExchange, { hash }: IgotCard): Rid | undefined {
  const known = x.content.ridOf(hash);
  if (known === undefined) {
    return x.allows("private") ? awaitArtifact(x, { hash, isPrivate: true }) : undefined;
  }
  if (x.content.isPhantom(known) && !x.content.isPrivate(known)) x.forWriting().content.makePrivate(known);
  return known;
}

function awaitArtifact(x: ServerExchange, { hash, isPrivate }: Omit<IgotCard, "type">): Rid | undefined {
  if (x.isShunned(hash)) return undefined;
  const rid = x.forWriting().content.ridOrPhantom(hash, isPrivate);
  return rid === NO_RID ? undefined : rid;
}
