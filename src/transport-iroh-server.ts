/**
 * The answering half of the iroh wire (`transport-iroh`): reads requests from streams, hands them on, writes the
 * replies. It carries bytes and knows nothing of artifacts.
 *
 * `IROH_STREAM_MAX_COUNT` exchanges of a connection may be under way; `IROH_SERVED_MAX_COUNT` in all are answered at a
 * time, the others wait with their request. Requests received or waiting have `IROH_INCOMING_MAX_BYTES` together; one
 * that is more is broken off, as is one whose sender falls silent.
 */
import { type Bytes, concat } from "./bytes.ts";
import type { Clock } from "./clock.ts";
import { EdgeSyncError, LimitError, TimeoutError } from "./errors.ts";
import { type IrohConnection, irohReason } from "./iroh-connection.ts";
import type { IrohStream } from "./iroh-stream.ts";
import {
  IROH_CHUNK_BYTES,
  IROH_IDLE_MS,
  IROH_INCOMING_MAX_BYTES,
  IROH_SERVED_MAX_COUNT,
  IROH_STREAM_MAX_COUNT,
  MESSAGE_MAX_BYTES,
} from "./limits.ts";
import type { Logger } from "./log.ts";
import type { ChunkSource } from "./nats-chunk-send.ts";

export interface IrohRequest {
  /** In the framing `application/x-fossil`. */
  readonly body: Bytes;
  /** Who asks: proved. */
  readonly remoteId: string;
}

export interface IrohReply {
  /** In the same framing. */
  readonly body: Bytes | ChunkSource;
  /** Called once, when the body is not looked at again. */
  readonly release?: () => void;
}

export interface IrohServerOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** What it throws breaks the exchange off. */
  readonly answer: (request: IrohRequest) => Promise<IrohReply>;
  readonly idleMs?: number;
  readonly requestMaxBytes?: number;
  readonly incomingMaxBytes?: number;
}

export class IrohServer {
  private readonly streams = new Set<IrohStream>();
  private readonly waiting: (() => void)[] = [];
  private servedCount = 0;
  private incomingBytes = 0;
  private stopped = false;

  constructor(private readonly options: IrohServerOptions) {}

  /** Exchanges under way. */
  get activeCount(): number {
    return this.streams.size;
  }

  /** Answers what comes on a connection, until it is over. */
  async serve(connection: IrohConnection): Promise<void> {
    connection.limitStreams(IROH_STREAM_MAX_COUNT);
    const active = new Set<Promise<void>>();
    while (!this.stopped) {
      // QUIC lets the peer begin another when the last byte of a reply has left, which is before the exchange is over here.
      if (active.size >= IROH_STREAM_MAX_COUNT) await Promise.race(active);
      let stream: IrohStream;
      try {
        stream = await connection.acceptStream();
      } catch {
        return;
      }
      this.streams.add(stream);
      const done: Promise<void> = this.exchange(stream, connection.remoteId).finally(() => {
        this.streams.delete(stream);
        active.delete(done);
      });
      active.add(done);
    }
  }

  /** Breaks off what is under way. */
  stop(): void {
    this.stopped = true;
    for (const stream of this.streams) stream.abort();
    for (const go of this.waiting.splice(0)) go();
  }

  private async exchange(stream: IrohStream, remoteId: string): Promise<void> {
    const held = { bytes: 0 };
    try {
      const body = await this.receive(stream, held);
      await this.turn();
      try {
        await this.answer(stream, { body, remoteId });
      } finally {
        const next = this.waiting.shift();
        if (next === undefined) this.servedCount--;
        else next();
      }
    } catch (error) {
      stream.abort();
      const reason = error instanceof EdgeSyncError ? error.message : irohReason(error);
      this.options.log.debug("exchange over iroh broken off", { id: remoteId, reason });
    } finally {
      this.incomingBytes -= held.bytes;
    }
  }

  private async receive(stream: IrohStream, held: { bytes: number }): Promise<Bytes> {
    const { requestMaxBytes = MESSAGE_MAX_BYTES, incomingMaxBytes = IROH_INCOMING_MAX_BYTES } = this.options;
    const parts: Bytes[] = [];
    for (;;) {
      const part = await this.within(stream.read());
      if (part === undefined) return parts.length === 1 ? parts[0]! : concat(parts);
      if (held.bytes + part.length > requestMaxBytes) {
        throw new LimitError("request-size", `a request has more than ${requestMaxBytes} bytes`);
      }
      if (this.incomingBytes + part.length > incomingMaxBytes) {
        throw new LimitError("iroh-busy", "this peer receives as many requests as it can");
      }
      held.bytes += part.length;
      this.incomingBytes += part.length;
      parts.push(part);
    }
  }

  /** Waits for a place among those that are served, which the one before hands on. */
  private async turn(): Promise<void> {
    if (this.servedCount < IROH_SERVED_MAX_COUNT) this.servedCount++;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    if (this.stopped) throw new EdgeSyncError("leaf-stopping", "this leaf is stopping");
  }

  private async answer(stream: IrohStream, request: IrohRequest): Promise<void> {
    const { body, release } = await this.options.answer(request);
    try {
      if (body instanceof Uint8Array) {
        for (let at = 0; at < body.length; at += IROH_CHUNK_BYTES) {
          await this.within(stream.write(body.subarray(at, at + IROH_CHUNK_BYTES)));
        }
      } else {
        for (let at = 0; at < body.length; at += IROH_CHUNK_BYTES) {
          await this.within(stream.write(body.read(at, Math.min(body.length, at + IROH_CHUNK_BYTES))));
        }
      }
      await stream.finish();
    } finally {
      release?.();
    }
  }

  private async within<T>(work: Promise<T>): Promise<T> {
    const { clock, idleMs = IROH_IDLE_MS } = this.options;
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = clock.after(idleMs, () =>
      reject(new TimeoutError("peer-timeout", `an iroh peer was silent for ${idleMs / 1000} s`)),
    );
    try {
      return await Promise.race([work, promise]);
    } finally {
      timer.cancel();
    }
  }
}
