/**
 * What a bridge has to know of a message that it passes on: whether somebody logs in with it, what it is for, and
 * which artifacts it brings. Content is passed over, not unpacked.
 */
import type { Bytes } from "./bytes.ts";
import type { Hash } from "./hash.ts";
import { ANNOUNCED_ARTIFACT_MAX_COUNT } from "./limits.ts";
import { type Credentials, signedRequest } from "./sync-request.ts";
import type { Operation } from "./sync-server.ts";
import { CardReader } from "./xfer-parse.ts";

export interface RequestSummary {
  readonly operation: Operation;
  readonly hasLogin: boolean;
  readonly artifactCount: number;
  /** The last `ANNOUNCED_ARTIFACT_MAX_COUNT` of them, without those that are private. */
  readonly artifacts: readonly Hash[];
}

/** @throws FormatError, LimitError: what cannot be read is not passed on */
export function summarizeRequest(message: Uint8Array): RequestSummary {
  const seen = new Set<string>();
  const artifacts: Hash[] = [];
  let artifactCount = 0;
  let isPrivate = false;
  for (const card of new CardReader(message, "client")) {
    seen.add(card.type);
    if (card.type === "file" || card.type === "cfile") {
      artifactCount++;
      if (!isPrivate) artifacts.push(card.hash);
      if (artifacts.length > ANNOUNCED_ARTIFACT_MAX_COUNT) artifacts.shift();
    }
    isPrivate = card.type === "private";
  }
  return { operation: operationOf(seen), hasLogin: seen.has("login"), artifactCount, artifacts };
}

function operationOf(seen: ReadonlySet<string>): Operation {
  if (seen.has("clone")) return "clone";
  if (seen.has("pull")) return seen.has("push") ? "sync" : "pull";
  if (seen.has("push")) return "push";
  if (["pragma uv-hash", "uvfile", "uvgimme"].some((type) => seen.has(type))) return "uv";
  return seen.has("config") || seen.has("reqconfig") ? "config" : "ping";
}

/** The message with the bridge's login, unless somebody else's is in it. */
export function withLogin(
  message: Uint8Array,
  { hasLogin }: RequestSummary,
  login: Credentials | undefined,
  projectCode: string,
): Bytes {
  const body = new Uint8Array(message);
  return hasLogin ? body : signedRequest(body, login, projectCode, false).message;
}

export interface ReplySummary {
  readonly error: string | undefined;
  readonly artifactCount: number;
  /** What the server offers: all that no cluster names, and clusters. */
  readonly offers: readonly Hash[];
}

/** @throws FormatError, LimitError */
export function summarizeReply(message: Uint8Array): ReplySummary {
  let error: string | undefined;
  let artifactCount = 0;
  const offers: Hash[] = [];
  for (const card of new CardReader(message, "server")) {
    if (card.type === "error") error ??= card.text;
    else if (card.type === "igot" && !card.isPrivate) offers.push(card.hash);
    else if (card.type === "file" || card.type === "cfile") artifactCount++;
  }
  return { error, artifactCount, offers };
}
