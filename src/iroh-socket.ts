/**
 * A stream of an iroh connection as a socket of the broker (`broker-socket`). The connection outlives it. Up to
 * `IROH_CHUNK_BYTES` wait for QUIC to take them; more is not taken.
 */
import type { BrokerSocket, SocketEvents } from "./broker-socket.ts";
import { concat } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";
import type { IrohConnection } from "./iroh-connection.ts";
import type { IrohStream } from "./iroh-stream.ts";
import { IROH_CHUNK_BYTES } from "./limits.ts";

export class IrohSocket implements BrokerSocket {
  readonly remoteAddress: string;
  readonly remotePort = 0;
  /** Resolves when it is over, and the broker knows. */
  readonly closed: Promise<void>;
  private readonly over = Promise.withResolvers<void>();
  private events: SocketEvents | undefined;
  private waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private isWriting = false;
  private isBlocked = false;
  private isEnding = false;
  private isClosed = false;
  private resumed = Promise.withResolvers<void>();

  constructor(
    { remoteId }: IrohConnection,
    private readonly stream: IrohStream,
  ) {
    this.remoteAddress = `iroh:${remoteId}`;
    this.closed = this.over.promise;
    this.resumed.resolve();
  }

  /** @param first bytes of the peer that have come already */
  start(events: SocketEvents, first: Uint8Array): void {
    this.events = events;
    if (this.isClosed) this.tellClosed();
    else void this.read(events, first);
  }

  write(bytes: Uint8Array): number {
    if (this.isClosed) return bytes.length;
    const count = Math.min(bytes.length, IROH_CHUNK_BYTES - this.waitingBytes);
    this.isBlocked = count < bytes.length;
    if (count === 0) return 0;
    // The broker's buffers are used again. (`slice` of a `Buffer` copies nothing.)
    this.waiting.push(new Uint8Array(bytes.subarray(0, count)));
    this.waitingBytes += count;
    if (!this.isWriting) void this.send();
    return count;
  }

  pause(): void {
    this.resumed = Promise.withResolvers<void>();
  }

  resume(): void {
    this.resumed.resolve();
  }

  end(): void {
    if (this.isEnding || this.isClosed) return;
    this.isEnding = true;
    if (!this.isWriting) void this.send();
  }

  terminate(): void {
    this.stream.abort();
    this.close();
  }

  startTls(): Promise<void> {
    return Promise.reject(
      new ProtocolError("nats-tls", "QUIC is secret already: the peer asks for TLS in it"),
    );
  }

  private async send(): Promise<void> {
    this.isWriting = true;
    try {
      while (this.waitingBytes > 0) {
        const bytes = this.waiting.length === 1 ? this.waiting[0]! : concat(this.waiting);
        this.waiting = [];
        await this.stream.write(bytes);
        this.waitingBytes -= bytes.length;
        if (!this.isBlocked || this.isClosed) continue;
        this.isBlocked = false;
        this.events?.onDrain();
      }
      // The peer ends its side when it has read to the end, and so do we.
      if (this.isEnding) await this.stream.finish();
    } catch {
      this.close();
    } finally {
      this.isWriting = false;
    }
  }

  private async read(events: SocketEvents, first: Uint8Array): Promise<void> {
    try {
      if (first.length > 0) events.onData(first);
      for (;;) {
        const bytes = await this.stream.read();
        await this.resumed.promise;
        if (bytes === undefined || this.isClosed) break;
        events.onData(bytes);
      }
      if (!this.isEnding) await this.stream.finish();
    } catch {
      // The connection is over.
    }
    this.close();
  }

  private close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.resumed.resolve();
    this.tellClosed();
  }

  private tellClosed(): void {
    if (this.events === undefined) return;
    this.events.onClose();
    this.over.resolve();
  }
}
