/**
 * Unversioned files over the wire. The client sends the hash of its catalog; where it differs from ours we
 * send the catalog (`uvigot`), and say whether files may be sent (`uv-push-ok`, `uv-pull-only`). The client
 * asks for what is newer here (`uvgimme`) and sends what is newer there (`uvfile`).
 *
 * A client never hears of a file unless it may pull, and writes none without the right `y`. A file whose
 * content was left out changes nothing but a time: what is here is never replaced by nothing.
 *
 * Computing the catalog's hash reads every row, so it is kept; a reader hands the request on to who can.
 * Rules: fossil-facts C, D, G31, G32.
 */
import { EMPTY } from "./bytes.ts";
import { type Hash, hashMatches } from "./hash.ts";
import type { UnversionedEntry, UnversionedRelation } from "./repo-unversioned.ts";
import { ExchangeRefused, type ServerExchange } from "./sync-server-exchange.ts";
import { mayNotKnow } from "./sync-server-send.ts";
import { TEXTS } from "./sync-server-texts.ts";
import { UV_FLAG, type UvfileCard, type UvgimmeCard, type UvHashPragma } from "./xfer-card.ts";
import { isSimplePath } from "./xfer-token.ts";

export function handleUvHash(x: ServerExchange, { hash }: UvHashPragma): void {
  if (!x.allows("pragma uv-hash")) return;
  if (!x.isCatalogOfFilesSent) {
    const files = x.unversioned;
    if (!files.isCatalogHashKept && !x.isReadOnly) x.forWriting();
    if (files.catalogHash() !== hash) {
      x.out.card({ type: x.allows("uvfile") ? "pragma uv-push-ok" : "pragma uv-pull-only" });
      sendCatalog(x, files.entries());
    }
  }
  x.isCatalogOfFilesSent = true;
}

/** With the setting `uv-sync`, a clone brings the catalog unasked. */
export function offerFilesOnClone(x: ServerExchange): void {
  if (x.isCatalogOfFilesSent || !x.repo.config.isOn("uv-sync", false)) return;
  x.out.card({ type: "pragma uv-pull-only" });
  sendCatalog(x, x.unversioned.entries());
  x.isCatalogOfFilesSent = true;
}

export function handleUvgimme(x: ServerExchange, { name }: UvgimmeCard): void {
  if (!x.allows("uvgimme")) return;
  const entry = x.unversioned.entry(name);
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
    sendFile(x, { ...entry, hash }, x.unversioned.content(name));
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
  const relation = files.compare(name, mtime, hash);
  if (relation !== "unknown" && relation !== "newer" && relation !== "touched") return;
  if (!isWhole(card, relation)) return;
  const { rcvid } = x.receiver();
  if (hash === undefined) files.remove(name, mtime, rcvid);
  else if (relation === "touched") files.touch(name, mtime);
  else files.put({ name, mtime, hash, size }, content ?? EMPTY, rcvid);
  x.artifactsReceived++;
}

/** Whether the card says all that it takes to act on it. */
function isWhole({ hash, size, flags, content }: UvfileCard, relation: UnversionedRelation): boolean {
  if (hash === undefined || content !== undefined || relation === "touched") return true;
  return size === 0 && flags === 0 && hashMatches(EMPTY, hash);
}

function sendCatalog(x: ServerExchange, entries: Iterable<UnversionedEntry>): void {
  for (const { name, mtime, hash, size } of entries) {
    if (canTravel(name))
      x.out.card({ type: "uvigot", name, mtime, size, ...(hash !== undefined && { hash }) });
  }
}

/** Stock keeps files of any name when they are uploaded on a page; a card has no way of saying white space. */
function canTravel(name: string): boolean {
  return isSimplePath(name) && !/[ \t-\r]/.test(name);
}

function sendFile(
  x: ServerExchange,
  { name, mtime, hash, size }: UnversionedEntry & { readonly hash: Hash },
  content: Uint8Array | undefined,
): void {
  const card = { type: "uvfile", name, mtime, hash } as const;
  if (content === undefined) x.out.card({ ...card, size, flags: UV_FLAG.contentOmitted });
  else if (content.length === 0) x.out.card({ ...card, size: 0, flags: 0 });
  else x.out.card({ ...card, size: content.length, flags: 0, content });
  x.artifactsSent++;
}
