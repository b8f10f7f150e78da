/**
 * The calling half of the iroh wire, ALPN `/edgesync/xfer/1`: one exchange is one bidirectional stream.
 *
 *     caller:  request, end of stream
 *     callee:  reply, end of stream
 *
 * Both are messages in the framing `application/x-fossil` (`xfer-message`): compressed, or as they are where they begin
 * with a card. A stream that is reset is a failure; so a reply is whole or none.
 *
 * Failures name the peer: `peer-unreachable` when it cannot be found, `peer-refused` when it does not allow this endpoint
 * (then nothing was read of the request), `peer-closed` when the connection broke, `peer-failed` when the peer broke off,
 * `peer-timeout`, `peer-damaged`.
 */
import { type Bytes, concat } from "./bytes.ts";
import type { Clock, Timer } from "./clock.ts";
import { EdgeSyncError, FormatError, LimitError, ProtocolError, TimeoutError } from "./errors.ts";
import { IROH_CLOSE, type IrohConnection, irohReason } from "./iroh-connection.ts";
import { type IrohEndpoint, peerName } from "./iroh-endpoint.ts";
import type { IrohStream } from "./iroh-stream.ts";
import { IROH_DEAF_MS, IROH_IDLE_MS, IROH_REPLY_MS, MESSAGE_MAX_BYTES } from "./limits.ts";
import type { ExchangeOptions, ExchangeReply, Transport } from "./transport.ts";
import { CONTENT_TYPES, decodeMessageAside, encodeMessageAside } from "./xfer-message.ts";

export const XFER_ALPN = "/edgesync/xfer/1";

export interface IrohTransportOptions {
  readonly endpoint: IrohEndpoint;
  /** Id or ticket of the peer. */
  readonly address: string;
  readonly clock: Clock;
  /** How long a connection is waited for, which goes on being made; default: until that has failed. */
  readonly connectMs?: number;
  readonly idleTimeoutMs?: number;
  readonly replyTimeoutMs?: number;
  /** Largest reply as it travels. */
  readonly replyMaxBytes?: number;
  /** Whether the endpoint ends with the transport. */
  readonly ownsEndpoint?: boolean;
}

export class IrohTransport implements Transport {
  /** A login goes into the message: there is no header to carry a cookie. */
  readonly carriesCookie = false;
  readonly peer: string;
  private readonly closing = new AbortController();

  /** @throws UsageError `iroh-address` */
  constructor(private readonly options: IrohTransportOptions) {
    this.peer = peerName(options.endpoint.idOf(options.address));
  }

  async exchange(message: Bytes, { signal, onProgress }: ExchangeOptions = {}): Promise<ExchangeReply> {
    if (this.closing.signal.aborted) throw this.closed();
    signal?.throwIfAborted();
    const watch = new Watch(this.options.clock, this.peer);
    const onAbort = () => watch.fail(signal?.reason);
    const onClose = () => watch.fail(this.closed());
    signal?.addEventListener("abort", onAbort, { once: true });
    this.closing.signal.addEventListener("abort", onClose, { once: true });
    try {
      const { body } = await encodeMessageAside(message, "compressed");
      const reply = await this.carry(body, watch, onProgress);
      return { message: await this.decode(reply), bytesSent: body.length, bytesReceived: reply.length };
    } finally {
      watch.stop();
      signal?.removeEventListener("abort", onAbort);
      this.closing.signal.removeEventListener("abort", onClose);
    }
  }

  async close(): Promise<void> {
    this.closing.abort();
    if (this.options.ownsEndpoint === true) await this.options.endpoint.close();
  }

  private async carry(body: Bytes, watch: Watch, onProgress: ExchangeOptions["onProgress"]): Promise<Bytes> {
    const { idleTimeoutMs = IROH_IDLE_MS, replyTimeoutMs = IROH_REPLY_MS } = this.options;
    const { replyMaxBytes = MESSAGE_MAX_BYTES } = this.options;
    const { connection, stream } = await watch.until(this.open());
    const hearing = this.expectToHear(connection, watch);
    try {
      watch.expect(idleTimeoutMs);
      await watch.until(stream.write(body, () => watch.expect(idleTimeoutMs)));
      await watch.until(stream.finish());
      watch.expect(replyTimeoutMs);
      const parts: Bytes[] = [];
      let bytes = 0;
      for (;;) {
        const part = await watch.until(stream.read());
        if (part === undefined) return parts.length === 1 ? parts[0]! : concat(parts);
        watch.expect(idleTimeoutMs);
        parts.push(part);
        bytes += part.length;
        if (bytes > replyMaxBytes) {
          throw new LimitError(
            "reply-size",
            `the reply of ${this.peer} has more than ${replyMaxBytes} bytes`,
          );
        }
        onProgress?.(bytes);
      }
    } catch (error) {
      stream.abort();
      throw watch.error ?? this.failure(error, connection);
    } finally {
      hearing.cancel();
    }
  }

  /** A peer that is there acknowledges packets at once; one that has moved away under a connection never does. */
  private expectToHear(connection: IrohConnection, watch: Watch): Timer {
    const before = connection.receivedBytes;
    return this.options.clock.after(IROH_DEAF_MS, () => {
      if (!connection.isOpen || connection.receivedBytes !== before) return;
      watch.fail(new ProtocolError("peer-unreachable", `${this.peer} is not where it was`));
      connection.close(IROH_CLOSE.silent);
    });
  }

  /** A stream on a connection that is there; nothing of the request has been sent yet, so trying again is no repetition. */
  private async open(): Promise<{ connection: IrohConnection; stream: IrohStream }> {
    for (let isLast = false; ; isLast = true) {
      const connection = await this.reach();
      try {
        return { connection, stream: await connection.openStream() };
      } catch (error) {
        if (isLast || connection.isRefused) throw this.failure(error, connection);
      }
    }
  }

  private async reach(): Promise<IrohConnection> {
    const { endpoint, address, clock, connectMs } = this.options;
    const reaching = endpoint.reach(address, XFER_ALPN);
    if (connectMs === undefined) return reaching;
    const { promise: late, reject } = Promise.withResolvers<never>();
    const message = `${this.peer} did not answer within ${connectMs / 1000} s`;
    const timer = clock.after(connectMs, () => reject(new ProtocolError("peer-unreachable", message)));
    try {
      return await Promise.race([reaching, late]);
    } finally {
      timer.cancel();
    }
  }

  private async decode(body: Bytes): Promise<Uint8Array> {
    try {
      return (await decodeMessageAside(body, CONTENT_TYPES.compressed)).message;
    } catch (cause) {
      if (!(cause instanceof FormatError)) throw cause;
      throw new ProtocolError("peer-damaged", `the reply of ${this.peer} is damaged: ${cause.message}`, {
        cause,
      });
    }
  }

  private failure(error: unknown, connection: IrohConnection): unknown {
    if (error instanceof EdgeSyncError) return error;
    if (connection.isRefused) {
      return new ProtocolError("peer-refused", `${this.peer} does not allow this endpoint`, {
        hint: `there: edgesync peers allow ${this.options.endpoint.id}`,
      });
    }
    const reason = irohReason(error);
    if (connection.isOpen) return new ProtocolError("peer-failed", `${this.peer} broke off: ${reason}`);
    return new ProtocolError("peer-closed", `the connection to ${this.peer} broke: ${reason}`);
  }

  private closed(): ProtocolError {
    return new ProtocolError("transport-closed", `the connection to ${this.peer} is closed`);
  }
}

/** What ends an exchange before its time: silence, or a word from outside. */
class Watch {
  error: unknown;
  private timer: Timer | undefined;
  private readonly failed = Promise.withResolvers<never>();

  constructor(
    private readonly clock: Clock,
    private readonly peer: string,
  ) {
    this.failed.promise.catch(() => {});
  }

  /** Something must happen within this time. */
  expect(ms: number): void {
    this.timer?.cancel();
    this.timer = this.clock.after(ms, () =>
      this.fail(new TimeoutError("peer-timeout", `${this.peer} was silent for ${ms / 1000} s`)),
    );
  }

  fail(error: unknown): void {
    this.error ??= error;
    this.failed.reject(error);
  }

  until<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.failed.promise]);
  }

  stop(): void {
    this.timer?.cancel();
  }
}
