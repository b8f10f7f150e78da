/**
 * The last announcement of each peer: how it is reached, if it tells nothing of itself otherwise, and what came with it.
 * The peer that was heard longest ago makes room for one more.
 */
import type { Announcement } from "./announcement.ts";
import { EdgeSyncError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import { ANNOUNCED_REPLY_INFLATED_MAX_BYTES, MESH_HEARD_MAX_COUNT } from "./limits.ts";
import type { NatsLink } from "./nats-link.ts";
import { unpackBlob } from "./zlib.ts";

interface Heard {
  readonly link: NatsLink;
  readonly http: string | undefined;
  readonly iroh: string | undefined;
  readonly artifacts: ReadonlySet<Hash>;
  /** What came with it to be taken for the peer's reply. */
  readonly reply: Uint8Array | undefined;
}

export class HeardPeers {
  private readonly heard = new Map<string, Heard>();

  /** @returns the peer that had to make room, if any */
  note(link: NatsLink, { peerId, http, iroh, artifacts, reply }: Announcement): string | undefined {
    this.heard.delete(peerId);
    const [oldest] = this.heard.keys();
    const isFull = this.heard.size >= MESH_HEARD_MAX_COUNT;
    if (isFull) this.heard.delete(oldest!);
    this.heard.set(peerId, { link, http, iroh, artifacts: new Set(artifacts), reply });
    return isFull ? oldest : undefined;
  }

  has(peer: string): boolean {
    return this.heard.has(peer);
  }

  /** The ways to a peer that it told of. */
  ways(peer: string): Pick<Heard, "link" | "http" | "iroh"> | undefined {
    return this.heard.get(peer);
  }

  /** The reply that came with the peer's last announcement, if it has all that is asked for; once. */
  takeReply(peer: string, hints: readonly Hash[]): Uint8Array | undefined {
    const heard = this.heard.get(peer);
    if (heard?.reply === undefined) return undefined;
    this.heard.set(peer, { ...heard, reply: undefined });
    if (!hints.every((hash) => heard.artifacts.has(hash))) return undefined;
    try {
      return unpackBlob(heard.reply, ANNOUNCED_REPLY_INFLATED_MAX_BYTES);
    } catch (error) {
      if (!(error instanceof EdgeSyncError)) throw error;
      return undefined;
    }
  }
}
