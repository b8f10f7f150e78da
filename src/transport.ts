/**
 * What carries a sync message to one peer and brings its answer back. A transport knows nothing of
 * artifacts, and the sync engine nothing of sockets. Every implementation passes the same contract suite
 * (`tests/transport-contract.ts`).
 *
 * Contract:
 * - one `exchange` is one request and one whole reply, or an error; nothing is retried in secret, for a
 *   request may have been carried out though its reply was lost;
 * - a reply that stops before its end is an error, never a short reply;
 * - exchanges on one transport may overlap, though a sync makes them one after the other;
 * - a failure is a `ProtocolError` or `TimeoutError` that names the peer (`peer-unreachable`,
 *   `peer-closed`, `peer-timeout`, `peer-status`, `peer-content-type`, `peer-redirect`, …) or a
 *   `LimitError` when the reply is larger than accepted;
 * - after `close`, an exchange fails with `transport-closed`.
 */
import type { Bytes } from "./bytes.ts";

export interface ExchangeOptions {
  /** A login in cookie form (fossil-facts D), for transports with `carriesCookie`. */
  readonly cookie?: string;
  /** Ends the exchange early; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called as the reply arrives, with the bytes of it so far, as they travel. */
  readonly onProgress?: (bytesReceived: number) => void;
  /** The caller has no more use for the message: its memory may be given back once it is packed. Default false. */
  readonly mayFree?: boolean;
}

export interface ExchangeReply {
  /** The reply, unframed. */
  readonly message: Uint8Array;
  /** Bytes as they travelled: bodies, without headers. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

export interface Transport {
  /** The peer as errors and logs name it: an address without a password. */
  readonly peer: string;
  /** Whether `ExchangeOptions.cookie` reaches the peer; a login must go into the message otherwise. */
  readonly carriesCookie: boolean;
  /** By which the peer's log names the exchanges of this transport, where the wire has room for it. */
  readonly traceId?: string | undefined;
  exchange(message: Bytes, options?: ExchangeOptions): Promise<ExchangeReply>;
  close(): Promise<void>;
}
