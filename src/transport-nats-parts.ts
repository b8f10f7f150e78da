/**
 * Sends one message in chunks to a subject, driven by what comes back: announces it, keeps the window full, sends again
 * what was not acknowledged in time, and ends when all of it was, or after `idleMs` without an acknowledgement. The
 * same for requests and replies (`nats-chunk`). Little is made at a time, so that the event loop stays free.
 */
import { EMPTY } from "./bytes.ts";
import type { Clock, Timer } from "./clock.ts";
import { LimitError, TimeoutError } from "./errors.ts";
import { NATS_CHUNK_MAX_BYTES, NATS_RESEND_MS } from "./limits.ts";
import { chunkBytes, formatPart, type Part, SYNC_HEADER } from "./nats-chunk.ts";
import { ChunkSender, type ChunkSource } from "./nats-chunk-send.ts";
import type { HeaderList, NatsLink } from "./nats-link.ts";

export interface PartSenderOptions {
  readonly link: NatsLink;
  readonly clock: Clock;
  readonly message: ChunkSource;
  /** Where the chunks go. */
  readonly to: string;
  /** Where acknowledgements come, and word that nobody listens. */
  readonly reply: string;
  /** Of every part. */
  readonly headers: HeaderList;
  /** The largest NATS message that the receiver can take. */
  readonly peerMaxPayload: number;
  readonly idleMs: number;
  /** Whether to announce the message; a request in chunks has been announced where its reply subject was learned. */
  readonly begins: boolean;
  readonly onDone: () => void;
  readonly onFail: (error: unknown) => void;
}

export class PartSender {
  /** Payload bytes handed to the link. */
  bytesSent = 0;
  private readonly sender: ChunkSender;
  private readonly stopEvents: () => void;
  private turn: Timer | undefined;
  private watch: Timer;
  private lastNewsMs: number;
  private isBegun: boolean;
  private ended = false;

  constructor(private readonly options: PartSenderOptions) {
    const { clock, link, message, begins } = options;
    this.sender = new ChunkSender(message);
    this.isBegun = !begins;
    this.lastNewsMs = clock.monotonic();
    this.watch = clock.after(NATS_RESEND_MS, this.check);
    this.stopEvents = link.onEvent(({ kind }) => {
      if (kind === "reconnected") this.sendAgain();
    });
    if (begins) this.publish({ kind: "begin", total: message.length }, EMPTY);
  }

  /** Takes an acknowledgement. */
  ack(part: Extract<Part, { kind: "ack" }>): void {
    if (this.ended) return;
    try {
      const isNews = this.sender.ack(part.offset, part.window) || !this.isBegun;
      this.isBegun = true;
      if (isNews) this.lastNewsMs = this.options.clock.monotonic();
    } catch (error) {
      this.fail(error);
      return;
    }
    if (this.sender.isDone) {
      this.stop();
      this.options.onDone();
      return;
    }
    this.pump();
  }

  stop(): void {
    this.ended = true;
    this.turn?.cancel();
    this.watch.cancel();
    this.stopEvents();
  }

  private fail(error: unknown): void {
    this.stop();
    this.options.onFail(error);
  }

  private pump(): void {
    this.turn ??= this.options.clock.after(0, () => {
      this.turn = undefined;
      try {
        this.sendSome();
      } catch (error) {
        this.fail(error);
      }
    });
  }

  /** As much as one large chunk, then the event loop has its turn. */
  private sendSome(): void {
    const { link, peerMaxPayload } = this.options;
    for (let left = NATS_CHUNK_MAX_BYTES; left > 0; ) {
      const chunk = this.sender.next(chunkBytes(link.maxPayload, peerMaxPayload));
      if (chunk === undefined || !this.publish(chunk.part, chunk.payload)) return;
      left -= chunk.part.length;
    }
    this.pump();
  }

  /** Whether the link took it. What it did not take is sent again when there is a connection. */
  private publish(part: Part, payload: Uint8Array): boolean {
    const { link, to, reply, headers } = this.options;
    try {
      const isSent = link.publish(to, payload, {
        reply,
        headers: [...headers, [SYNC_HEADER.part, formatPart(part)]],
      });
      if (isSent) this.bytesSent += payload.length;
      return isSent;
    } catch (error) {
      // The server has come to accept less: the chunk is made again, smaller, when the watch looks.
      if (!(error instanceof LimitError)) this.fail(error);
      return false;
    }
  }

  private readonly check = (): void => {
    const { clock, idleMs } = this.options;
    const silentMs = clock.monotonic() - this.lastNewsMs;
    if (silentMs >= idleMs) {
      const seconds = idleMs / 1000;
      this.fail(
        new TimeoutError("nats-unacknowledged", `no part of a message was received for ${seconds} s`),
      );
      return;
    }
    this.watch = clock.after(NATS_RESEND_MS, this.check);
    if (silentMs >= NATS_RESEND_MS) this.sendAgain();
  };

  private sendAgain(): void {
    if (this.ended) return;
    if (!this.isBegun) {
      this.publish({ kind: "begin", total: this.sender.total }, EMPTY);
      return;
    }
    this.sender.rewind();
    this.pump();
  }
}
