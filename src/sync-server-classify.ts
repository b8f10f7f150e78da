/**
 * Which connection a request is for. A guess from the message alone: `read` may still turn out to need a
 * write (an igot of something new, clusters that are due) and then throws `WriteNeeded` without effect.
 */
import { EdgeSyncError } from "./errors.ts";
import type { Card } from "./xfer-card.ts";
import { CardReader } from "./xfer-parse.ts";

const WRITING: ReadonlySet<Card["type"]> = new Set([
  "file",
  "cfile",
  "uvfile",
  "config",
  "pragma ci-lock",
] as const);

/** Reads no further than to the first card that writes. A damaged message is for the reader, which says so. */
export function classifyRequest(message: Uint8Array): "read" | "write" {
  try {
    for (const card of new CardReader(message, "client")) if (WRITING.has(card.type)) return "write";
  } catch (error) {
    if (!(error instanceof EdgeSyncError)) throw error;
  }
  return "read";
}
