/**
 * Unversioned files over the wire. The client sends the hash of its catalog; where it differs from ours we
 * send the catalog (`uvigot`), and say whether files may be sent (`uv-push-ok`, `uv-pull-only`). The client
 * asks for what is newer here (`uvgimme`) and sends what is newer there (`uvfile`).
 *
 * A client never hears of a file unless it may pull, and writes none without the right `y`.
 * Rules: fossil-facts C, D, G31, G32.
 */
import { hashMatches } from "./hash.ts";
import { ExchangeRefused, type ServerExchange } from "./sync-server-exchange.ts";
import { mayNotKnow } from "./sync-server-send.ts";
import type { UnversionedEntry } from "./sync-server-stores.ts";
import { TEXTS } from "./sync-server-texts.ts";
import { UV_FLAG, type UvfileCard, type UvgimmeCard, type UvHashPragma } from "./xfer-card.ts";

export function handleUvHash(x: ServerExchange, { hash }: UvHashPragma): void {
  const files = x.unversioned;
  if (files === undefined || !x.allows("pragma uv-hash")) return;
  if (!x.isCatalogOfFilesSent && files.catalogHash() !== hash) {
    x.out.card({ type: x.allows("uvfile") ? "pragma uv-push-ok" : "pragma uv-pull-only" });
    sendCatalog(x, files.entries());
  }
  x.isCatalogOfFilesSent = true;
}

/** With the setting `uv-sync`, a clone brings the catalog unasked. */
export function offerFilesOnClone(x: ServerExchange): void {
  if (x.unversioned === undefined || x.isCatalogOfFilesSent || !x.repo.config.isOn("uv-sync", false)) return;
  x.out.card({ type: "pragma uv-pull-only" });
  sendCatalog(x, x.unversioned.entries());
  x.isCatalogOfFilesSent = true;
}

export function handleUvgimme(x: ServerExchange, { name }: UvgimmeCard): void {
  const files = x.unversioned;
  if (files === undefined || !x.allows("uvgimme")) return;
  const entry = files.entry(name);
  if (entry === undefined) return;
  const { mtime, hash } = entry;
  if (hash !== undefined && mayNotKnow(x, hash)) {
    x.out.card({ type: "error", text: TEXTS.sha3 });
  } else if (hash === undefined) {
    x.out.card({ type: "uvfile", name, mtime, size: 0, flags: UV_FLAG.deleted });
  } else if (x.isOverBudget) {
    // The client asks again in its next request.
    sendCatalog(x, [entry]);
  } else {
    sendFile(x, { ...entry, hash }, files.content(name));
  }
}

export function handleUvfile(x: ServerExchange, card: UvfileCard): void {
  const { name, mtime, hash, size, content } = card;
  if (content !== undefined && (hash === undefined || !hashMatches(content, hash))) {
    throw new ExchangeRefused("uv-hash-mismatch", TEXTS.uvHash);
  }
  if (!x.allows("uvfile")) {
    x.fail(TEXTS.noUnversioned);
    return;
  }
  const files = x.unversioned;
  if (files === undefined) return;
  const relation = files.compare(name, mtime, hash);
  if (relation === "same" || relation === "older") return;
  const rcvid = x.receiver().rcvid;
  if (hash === undefined) files.remove(name, mtime, rcvid);
  else if (relation === "touched") files.touch(name, mtime);
  else files.put({ name, mtime, hash, size }, size === 0 ? new Uint8Array(0) : content, rcvid);
  x.artifactsReceived++;
}

function sendCatalog(x: ServerExchange, entries: Iterable<UnversionedEntry>): void {
  for (const { name, mtime, hash, size } of entries) {
    x.out.card({ type: "uvigot", name, mtime, size, ...(hash !== undefined && { hash }) });
  }
}

function sendFile(
  x: ServerExchange,
  { name, mtime, hash, size }: UnversionedEntry & { readonly hash: NonNullable<UnversionedEntry["hash"]> },
  content: Uint8Array | undefined,
): void {
  const card = { type: "uvfile", name, mtime, hash } as const;
  if (content === undefined) x.out.card({ ...card, size, flags: UV_FLAG.contentOmitted });
  else if (content.length === 0) x.out.card({ ...card, size: 0, flags: 0 });
  else x.out.card({ ...card, size: content.length, flags: 0, content });
  x.artifactsSent++;
}
