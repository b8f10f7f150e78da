/**
 * A wire within one process: the peer is a function that answers a message. For repositories on this machine,
 * for tests and for the simulator. Messages travel as they are, without framing or compression.
 */
import type { Bytes } from "./bytes.ts";
import { EdgeSyncError, ProtocolError } from "./errors.ts";
import type { ExchangeOptions, ExchangeReply, Transport } from "./transport.ts";

/** The peer. What it throws fails the exchange. */
export type Answer = (message: Bytes) => Uint8Array | Promise<Uint8Array>;

export class MemoryTransport implements Transport {
  /** A login goes into the message: there is no header to carry a cookie. */
  readonly carriesCookie = false;
  private closed = false;

  /** @param peer as errors name it */
  constructor(
    readonly peer: string,
    private readonly answer: Answer,
  ) {}

  async exchange(message: Bytes, { signal, onProgress }: ExchangeOptions = {}): Promise<ExchangeReply> {
    if (this.closed) throw new ProtocolError("transport-closed", `the connection to ${this.peer} is closed`);
    signal?.throwIfAborted();
    const reply = await untilAborted(this.ask(message), signal);
    onProgress?.(reply.length);
    return { message: reply, bytesSent: message.length, bytesReceived: reply.length };
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  private async ask(message: Bytes): Promise<Uint8Array> {
    try {
      return await this.answer(message);
    } catch (cause) {
      const why = cause instanceof EdgeSyncError ? cause.message : "internal error";
      throw new ProtocolError("peer-failed", `${this.peer} could not answer: ${why}`, { cause });
    }
  }
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onAbort = () => reject(signal.reason);
  // The peer may have been the one to abort it.
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  return promise;
}
