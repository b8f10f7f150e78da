/**
 * The calling half of the NATS wire: a request on `<prefix>.<project-code>.sync`, or on that of one peer,
 * `….sync.<peer-id>`, and its reply on an inbox of its own. docs/nats-sync.md is its specification.
 *
 * - A message that fits is one NATS message: 4-byte big-endian length and a zlib stream, as every peer understands.
 *   A larger one goes in chunks, where the peer says that it knows them (`transport-nats-exchange`).
 * - On the shared subject any peer may answer. The first one that tells its name gets the requests that follow: a
 *   sync is a conversation with one peer.
 * - A failure names the peer: `peer-unreachable` when nobody listens or there is no server, `peer-closed` when the
 *   connection broke in between, `peer-timeout`, `peer-failed` when the peer says so, `peer-damaged`,
 *   `peer-request-size` when the request is too large for a peer that knows no chunks.
 */
import type { Bytes } from "./bytes.ts";
import type { Clock } from "./clock.ts";
import { ProtocolError } from "./errors.ts";
import { MESSAGE_INFLATED_MAX_BYTES, NATS_IDLE_MS } from "./limits.ts";
import { isPeerId } from "./nats-chunk.ts";
import type { NatsLink } from "./nats-link.ts";
import { formatTraceparent, TRACE_HEADER } from "./nats-trace.ts";
import type { ExchangeOptions, ExchangeReply, Transport } from "./transport.ts";
import { exchangeOverNats, type NatsExchangeReply, WasOwnRequest } from "./transport-nats-exchange.ts";

export interface NatsTransportOptions {
  readonly link: NatsLink;
  readonly clock: Clock;
  /** See `syncSubject`. */
  readonly subject: string;
  /** The peer to ask; any when absent. */
  readonly peerId?: string;
  /** Who asks. */
  readonly ownPeerId: string;
  /** Longest silence of the peer. */
  readonly idleTimeoutMs?: number;
  readonly replyMaxBytes?: number;
  /** See `nats-trace`: 32 hex digits. */
  readonly traceId?: string;
  /** Whether the link ends with the transport. */
  readonly ownsLink?: boolean;
}

/** Times that a request on the shared subject is repeated because it came back to its sender. */
const OWN_REQUEST_MAX_COUNT = 8;

/** Where a project's peers answer. */
export function syncSubject(prefix: string, projectCode: string): string {
  return `${prefix}.${projectCode}.sync`;
}

export class NatsTransport implements Transport {
  /** A login goes into the message: there is no header to carry a cookie. */
  readonly carriesCookie = false;
  private readonly closing = new AbortController();
  private answeredBy: string | undefined;
  private knowsChunks: boolean | undefined;
  private requestCount = 0;

  constructor(private readonly options: NatsTransportOptions) {}

  get peer(): string {
    const { link, subject } = this.options;
    return `${link.name}/${subject}${this.peerId === undefined ? "" : `.${this.peerId}`}`;
  }

  get traceId(): string | undefined {
    return this.options.traceId;
  }

  async exchange(message: Bytes, options: ExchangeOptions = {}): Promise<ExchangeReply> {
    if (this.closing.signal.aborted) throw this.closed();
    options.signal?.throwIfAborted();
    const abort = new AbortController();
    const onAbort = () => abort.abort(options.signal?.reason);
    const onClose = () => abort.abort(this.closed());
    options.signal?.addEventListener("abort", onAbort, { once: true });
    this.closing.signal.addEventListener("abort", onClose, { once: true });
    try {
      const reply = await this.ask(message, { ...options, signal: abort.signal });
      if (reply.peerId !== undefined && isPeerId(reply.peerId)) this.answeredBy = reply.peerId;
      this.knowsChunks = reply.knowsChunks;
      return reply;
    } finally {
      options.signal?.removeEventListener("abort", onAbort);
      this.closing.signal.removeEventListener("abort", onClose);
    }
  }

  async close(): Promise<void> {
    this.closing.abort();
    if (this.options.ownsLink === true) await this.options.link.close();
  }

  private get peerId(): string | undefined {
    return this.options.peerId ?? this.answeredBy;
  }

  private async ask(
    message: Bytes,
    options: ExchangeOptions & { readonly signal: AbortSignal },
  ): Promise<NatsExchangeReply> {
    const { link, clock, subject, ownPeerId, traceId } = this.options;
    const { idleTimeoutMs = NATS_IDLE_MS, replyMaxBytes = MESSAGE_INFLATED_MAX_BYTES } = this.options;
    for (let count = 0; ; count++) {
      const { peerId } = this;
      try {
        return await exchangeOverNats({
          link,
          clock,
          peer: this.peer,
          subject: peerId === undefined ? subject : `${subject}.${peerId}`,
          ownPeerId,
          idleMs: idleTimeoutMs,
          replyMaxBytes,
          knowsChunks: this.knowsChunks,
          trace:
            traceId === undefined ? [] : [[TRACE_HEADER, formatTraceparent(traceId, ++this.requestCount)]],
          message,
          signal: options.signal,
          onProgress: options.onProgress,
        });
      } catch (error) {
        // It was not carried out, so it may be asked again; the server chooses among the members of the group.
        if (error instanceof WasOwnRequest && peerId === undefined && count < OWN_REQUEST_MAX_COUNT) continue;
        throw error;
      }
    }
  }

  private closed(): ProtocolError {
    return new ProtocolError("transport-closed", `the connection to ${this.peer} is closed`);
  }
}
