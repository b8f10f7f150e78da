/** What a server does about each card: one small handler per card, found by the card's type. */
import { handleReqClusters } from "./sync-server-announce.ts";
import { handleClone } from "./sync-server-clone.ts";
import { handleConfig, handleReqconfig } from "./sync-server-config.ts";
import type { ServerExchange } from "./sync-server-exchange.ts";
import {
  handleClientVersion,
  handleLogin,
  handlePull,
  handlePush,
  handleSendPrivate,
} from "./sync-server-intent.ts";
import { handleCiLock, handleCiUnlock } from "./sync-server-lock.ts";
import { handleCfile, handleFile, handleIgot, handlePrivate } from "./sync-server-receive.ts";
import { handleGimme, handleWhole } from "./sync-server-send.ts";
import { TEXTS } from "./sync-server-texts.ts";
import { handleUvfile, handleUvgimme, handleUvHash } from "./sync-server-uv.ts";
import type { Card } from "./xfer-card.ts";

type Handler<T extends Card["type"]> = (
  x: ServerExchange,
  card: Extract<Card, { type: T }>,
  /** The bytes of the message after the card's line. */
  rest: Uint8Array,
) => void;

const HANDLERS: { readonly [T in Card["type"]]?: Handler<T> } = {
  login: handleLogin,
  pull: handlePull,
  push: handlePush,
  clone: handleClone,
  file: handleFile,
  cfile: handleCfile,
  private: handlePrivate,
  igot: handleIgot,
  gimme: handleGimme,
  reqconfig: handleReqconfig,
  config: handleConfig,
  uvgimme: handleUvgimme,
  uvfile: handleUvfile,
  "pragma uv-hash": handleUvHash,
  "pragma client-version": handleClientVersion,
  "pragma send-private": handleSendPrivate,
  "pragma edgesync-gimme-only": (x) => {
    x.wantsOffers = false;
  },
  "pragma send-catalog": (x) => {
    x.wantsCatalog = true;
  },
  "pragma req-clusters": handleReqClusters,
  "pragma edgesync-whole": handleWhole,
  "pragma ci-lock": handleCiLock,
  "pragma ci-unlock": handleCiUnlock,
  malformed: (x, { keyword }) => {
    x.fail(keyword !== "uvfile" && !x.allows(keyword) ? TEXTS.noWrite : TEXTS.malformed(keyword));
  },
  unknown: (x, { line }) => {
    // Stock forgets what it has said so far, and goes on.
    x.out.clear();
    x.out.card({ type: "error", text: TEXTS.badCommand(line) });
  },
};

/** Acts on one card. Cards without a handler have no effect: comments, cookies, what only informs. */
export function handleCard(x: ServerExchange, card: Card, rest: Uint8Array): void {
  x.seen.add(card.type);
  const handler = HANDLERS[card.type] as Handler<Card["type"]> | undefined;
  handler?.(x, card as never, rest);
}
