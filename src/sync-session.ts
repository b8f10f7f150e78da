/**
 * Carries a sync between an engine and a peer: asks the engine for a message, the transport for the reply,
 * until the engine has no more to say. One exchange at a time, each reply absorbed before the next request.
 *
 * The engine is an interface, for it may live in another thread than the socket: `SyncClient` serves here.
 */
import { faultPoint } from "./fault-point.ts";
import type { ClientRequest } from "./sync-request.ts";
import type { SyncTotals } from "./sync-totals.ts";
import type { Transport } from "./transport.ts";

/** What a session needs of an engine. Results may be promises, for an engine in a worker. */
export interface SyncEngine {
  readonly isDone: boolean;
  /** Loads what `absorb` needs for this reply. */
  load?(message: Uint8Array): Promise<void>;
  readonly totals: Readonly<SyncTotals>;
  readonly wantedCount: number;
  request(): ClientRequest | Promise<ClientRequest>;
  absorb(message: Uint8Array): void | Promise<void>;
}

/** How far a sync has come. Bytes as they travelled. */
export interface SyncProgress extends Readonly<SyncTotals> {
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Artifacts that are known of and not here yet. */
  readonly wanted: number;
}

export interface SessionOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: SyncProgress) => void;
}

/**
 * Runs a sync to its end.
 *
 * @returns totals of the whole sync
 * @throws what the engine and the transport throw; rounds absorbed before stay
 */
export async function runSync(
  engine: SyncEngine,
  transport: Transport,
  options: SessionOptions = {},
): Promise<SyncProgress> {
  let bytesSent = 0;
  let bytesReceived = 0;
  const progress = (received: number): SyncProgress => ({
    ...engine.totals,
    bytesSent,
    bytesReceived: received,
    wanted: engine.wantedCount,
  });
  while (!engine.isDone) {
    options.signal?.throwIfAborted();
    faultPoint("sync-request");
    const { message, cookie } = await engine.request();
    const before = bytesReceived;
    const reply = await transport.exchange(message, {
      mayFree: true,
      ...(cookie !== undefined && { cookie }),
      ...(options.signal !== undefined && { signal: options.signal }),
      onProgress: (received) => options.onProgress?.(progress(before + received)),
    });
    collectAfter(reply.message);
    bytesSent += reply.bytesSent;
    bytesReceived += reply.bytesReceived;
    await engine.load?.(reply.message);
    await engine.absorb(reply.message);
    options.onProgress?.(progress(bytesReceived));
  }
  return progress(bytesReceived);
}

const COLLECT_FROM_BYTES = 16_000_000;

/** What a large message was made of lies outside of the heap, which therefore looks small to the collector. */
function collectAfter(message: Uint8Array): void {
  if (message.length > COLLECT_FROM_BYTES) Bun.gc(true);
}
