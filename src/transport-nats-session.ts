/** One exchange as the answering side goes through it: receiving, waiting for its turn, being served, replying. */
import { type Bytes, EMPTY } from "./bytes.ts";
import type { Clock, Timer } from "./clock.ts";
import { EdgeSyncError, LimitError, TimeoutError } from "./errors.ts";
import {
  MESSAGE_INFLATED_MAX_BYTES,
  NATS_ALIVE_MS,
  NATS_PLAIN_MESSAGE_MAX_BYTES,
  NATS_WHOLE_MESSAGE_MAX_BYTES,
  NATS_WINDOW_MAX_BYTES,
} from "./limits.ts";
import type { Logger } from "./log.ts";
import { formatPart, HEADER_ROOM_BYTES, type Part, parsePart, SYNC_HEADER } from "./nats-chunk.ts";
import { ChunkReceiver } from "./nats-chunk-receive.ts";
import { type ChunkSource, inMemory } from "./nats-chunk-send.ts";
import { type HeaderList, headerOf, isNoResponders, type LinkMessage, type NatsLink } from "./nats-link.ts";
import { PartSender } from "./transport-nats-parts.ts";
import { CONTENT_TYPES, decodeMessage, framingOf } from "./xfer-message.ts";
import { packBlob } from "./zlib.ts";

export interface NatsRequest {
  readonly contentType: string;
  readonly body: Bytes;
  /** Who asks, if it says; not verified. */
  readonly peerId: string | undefined;
  /**
   * The largest body that can be sent back, for a peer that knows no chunks; it has to be compressed then. Undefined:
   * a message of any size, which is best not compressed yet.
   */
  readonly replyMaxBytes: number | undefined;
  /** See `nats-trace`. */
  readonly traceId: string | undefined;
}

export interface NatsReply {
  readonly contentType: string;
  /** Of a peer that knows chunks it may also be a source of the message itself. */
  readonly body: Bytes | ChunkSource;
  /** Called once, when the body is not looked at again. */
  readonly release?: () => void;
  /** Code of the failure that the message tells of. */
  readonly errorCode?: string;
}

/** What sessions need of the server they belong to. */
export interface SessionHost {
  readonly options: {
    readonly link: NatsLink;
    readonly clock: Clock;
    readonly log: Logger;
    readonly answer: (request: NatsRequest) => Promise<NatsReply>;
  };
  readonly idleMs: number;
  headers(): HeaderList;
  refuse(subject: string, error: unknown): void;
  /** Makes room for a message that comes in chunks. @throws LimitError `nats-busy` */
  reserve(bytes: number): void;
  release(bytes: number): void;
  /** Has a request answered when it is its turn. @throws LimitError `nats-busy` */
  enqueue(session: NatsServerSession): void;
  forget(session: NatsServerSession): void;
}

export interface SessionFacts {
  /** Where the requester listens. */
  readonly inbox: string;
  /** Where this side does. */
  readonly flow: string;
  /** The largest NATS message the requester can receive; undefined when it knows no chunks. */
  readonly peerMaxPayload: number | undefined;
  readonly peerId: string | undefined;
  readonly contentType: string | undefined;
  readonly traceId: string | undefined;
}

/** How long nobody may listen where the reply goes until the exchange ends: a connection may come back. */
const GONE_MS = 10_000;

export class NatsServerSession {
  readonly flow: string;
  private receiver: ChunkReceiver | undefined;
  private sender: PartSender | undefined;
  private release: (() => void) | undefined;
  private body: Bytes | undefined;
  private contentType: string;
  private timer: Timer | undefined;
  private lastSignMs: number;
  private goneSinceMs: number | undefined;
  /** Whether the last thing that was sent met nobody. */
  private isUnheard = false;
  private ended = false;

  constructor(
    private readonly server: SessionHost,
    private readonly facts: SessionFacts,
  ) {
    this.flow = facts.flow;
    this.contentType = facts.contentType ?? CONTENT_TYPES.compressed;
    this.lastSignMs = server.options.clock.monotonic();
  }

  /** @param total of a request that comes in chunks; else `payload` is all of it */
  start(total: number | undefined, payload: Uint8Array): void {
    this.guard(() => {
      if (this.facts.peerMaxPayload !== undefined) this.watch();
      if (total === undefined) {
        // The slice of a Buffer would share its memory, which is moved to another thread.
        this.body = new Uint8Array(payload);
        this.server.enqueue(this);
        return;
      }
      const receiver = new ChunkReceiver(total, MESSAGE_INFLATED_MAX_BYTES);
      this.server.reserve(total);
      this.receiver = receiver;
      this.acknowledge();
    });
  }

  /** Something came for this exchange. */
  receive(message: LinkMessage): void {
    this.guard(() => {
      if (isNoResponders(message)) {
        this.isUnheard = true;
        this.goneSinceMs ??= this.server.options.clock.monotonic();
        return;
      }
      this.lastSignMs = this.server.options.clock.monotonic();
      this.isUnheard = false;
      const part = parsePart(headerOf(message, SYNC_HEADER.part) ?? "");
      if (part.kind === "cancel") this.end();
      else if (part.kind === "ack") this.sender?.ack(part);
      else if (part.kind === "data" && this.receiver !== undefined) {
        this.receiver.accept(part, message.payload);
        this.acknowledge();
        if (this.receiver.isDone && this.body === undefined) this.received(this.receiver);
      }
    });
  }

  /** Has the request answered, and sends the reply. */
  async serve(): Promise<void> {
    const { body } = this;
    if (this.ended || body === undefined) return;
    const { answer, link } = this.server.options;
    const { peerId, traceId, peerMaxPayload } = this.facts;
    const replyMaxBytes = peerMaxPayload === undefined ? link.maxPayload - HEADER_ROOM_BYTES : undefined;
    try {
      const reply = await answer({ contentType: this.contentType, body, peerId, traceId, replyMaxBytes });
      this.release = reply.release;
      this.guard(() => this.reply(reply));
      if (this.ended) this.releaseReply();
    } catch (error) {
      this.fail(error);
    }
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.timer?.cancel();
    this.sender?.stop();
    this.releaseReply();
    if (this.receiver !== undefined) this.server.release(this.receiver.total);
    this.server.forget(this);
  }

  private releaseReply(): void {
    const { release } = this;
    this.release = undefined;
    release?.();
  }

  private received(receiver: ChunkReceiver): void {
    this.body = receiver.take();
    this.contentType = CONTENT_TYPES.raw;
    this.server.enqueue(this);
  }

  private reply(reply: NatsReply): void {
    const { peerMaxPayload } = this.facts;
    const { link } = this.server.options;
    const limit = Math.min(link.maxPayload, peerMaxPayload ?? link.maxPayload) - HEADER_ROOM_BYTES;
    const { body } = reply;
    const isInMemory = body instanceof Uint8Array;
    const isSmall = isInMemory || body.length <= NATS_WHOLE_MESSAGE_MAX_BYTES;
    const framed = {
      contentType: reply.contentType,
      body: isInMemory ? body : isSmall ? body.read(0, body.length) : EMPTY,
    };
    const whole = peerMaxPayload === undefined ? plain(framed, limit) : smallest(framed);
    if (isSmall && whole.body.length <= limit) {
      this.publish(whole.body, [[SYNC_HEADER.contentType, whole.contentType], ...errorHeader(reply)]);
      this.end();
      return;
    }
    const { inbox: to, flow } = this.facts;
    this.sender = new PartSender({
      link,
      clock: this.server.options.clock,
      idleMs: this.server.idleMs,
      message: isInMemory ? inMemory(decodeMessage(body, reply.contentType).message) : body,
      to,
      reply: flow,
      headers: this.server.headers(),
      peerMaxPayload: peerMaxPayload ?? link.maxPayload,
      begins: true,
      onDone: () => this.end(),
      onFail: () => this.end(),
    });
  }

  private acknowledge(): void {
    if (this.receiver === undefined) return;
    this.part({ kind: "ack", offset: this.receiver.received, window: NATS_WINDOW_MAX_BYTES });
  }

  private part(part: Part): void {
    this.publish(EMPTY, [[SYNC_HEADER.part, formatPart(part)]], this.flow);
  }

  private publish(payload: Uint8Array, headers: HeaderList, reply?: string): void {
    this.server.options.link.publish(this.facts.inbox, payload, {
      headers: [...this.server.headers(), ...headers],
      ...(reply !== undefined && { reply }),
    });
  }

  /** Tells the requester that it is being served, and notices when it has gone. */
  private watch(): void {
    const { clock } = this.server.options;
    this.timer = clock.after(NATS_ALIVE_MS, () =>
      this.guard(() => {
        const now = clock.monotonic();
        if (!this.isUnheard) this.goneSinceMs = undefined;
        const isReceiving = this.receiver !== undefined && this.body === undefined;
        if (isReceiving && now - this.lastSignMs >= this.server.idleMs) {
          throw new TimeoutError("nats-request-timeout", "the request did not arrive as a whole");
        }
        if (this.goneSinceMs !== undefined && now - this.goneSinceMs >= GONE_MS) {
          this.end();
          return;
        }
        this.watch();
        this.isUnheard = false;
        if (this.body !== undefined && this.sender === undefined) this.part({ kind: "wait" });
      }),
    );
  }

  private guard(run: () => void): void {
    if (this.ended) return;
    try {
      run();
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    if (this.ended) return;
    const { log } = this.server.options;
    if (!(error instanceof EdgeSyncError))
      log.error("an exchange over NATS failed", { error: String(error) });
    try {
      this.server.refuse(this.facts.inbox, error);
    } catch (again) {
      log.debug("a requester could not be told", { error: String(again) });
    }
    this.end();
  }
}

interface Framed {
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** A reply as every peer understands it. @throws LimitError `nats-reply-size` */
function plain({ contentType, body }: Framed, limit: number): Framed {
  const isPacked = framingOf(contentType) === "compressed";
  const packed = isPacked ? body : packBlob(body, 1);
  const isTooLarge = !isPacked && body.length > NATS_PLAIN_MESSAGE_MAX_BYTES;
  if (packed.length > limit || isTooLarge) {
    throw new LimitError(
      "nats-reply-size",
      `the reply has ${packed.length} bytes and only ${limit} can be sent; raise max_payload of the NATS server`,
    );
  }
  return { contentType: CONTENT_TYPES.compressed, body: packed };
}

/** A reply compressed if that takes no time and makes it smaller. */
function smallest({ contentType, body }: Framed): Framed {
  if (framingOf(contentType) !== "raw" || body.length > NATS_WHOLE_MESSAGE_MAX_BYTES)
    return { contentType, body };
  const packed = packBlob(body, 1);
  if (packed.length >= body.length) return { contentType, body };
  return { contentType: CONTENT_TYPES.compressed, body: packed };
}

function errorHeader({ errorCode }: NatsReply): HeaderList {
  return errorCode === undefined ? [] : [[SYNC_HEADER.error, errorCode]];
}
