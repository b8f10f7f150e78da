/**
 * One request over NATS and its reply, as the calling side goes through it:
 *
 *     asked      the request is out, whole, or its announcement (`begin`)
 *     sending    the peer takes chunks (`ack`); its messages say where they go
 *     waiting    the request is with the peer
 *     receiving  the reply comes in chunks
 *
 * A peer that knows nothing of chunks answers an announcement with something without our headers; the request is then
 * made whole, if the server lets it through. A connection that breaks while one NATS message is all there was to wait
 * for ends the exchange, since that message may be lost; chunks are sent again and go on where they were.
 */
import { type Bytes, EMPTY } from "./bytes.ts";
import type { Clock, Timer } from "./clock.ts";
import { EdgeSyncError, FormatError, LimitError, ProtocolError, TimeoutError } from "./errors.ts";
import {
  NATS_CHUNK_MAX_BYTES,
  NATS_PLAIN_MESSAGE_MAX_BYTES,
  NATS_WHOLE_MESSAGE_MAX_BYTES,
  NATS_WINDOW_MAX_BYTES,
} from "./limits.ts";
import {
  type DataPart,
  formatAccepts,
  formatPart,
  HEADER_ROOM_BYTES,
  type Part,
  parseAccepts,
  parsePart,
  SYNC_HEADER,
  SYNC_VERSION,
} from "./nats-chunk.ts";
import { ChunkReceiver } from "./nats-chunk-receive.ts";
import { inMemory } from "./nats-chunk-send.ts";
import { type HeaderList, headerOf, isNoResponders, type LinkMessage, type NatsLink } from "./nats-link.ts";
import type { ExchangeReply } from "./transport.ts";
import { PartSender } from "./transport-nats-parts.ts";
import { CONTENT_TYPES, decodeMessage } from "./xfer-message.ts";
import { packBlobAside } from "./zlib.ts";

export interface NatsExchangeOptions {
  readonly link: NatsLink;
  readonly clock: Clock;
  /** The peer as errors name it. */
  readonly peer: string;
  readonly subject: string;
  readonly ownPeerId: string;
  readonly idleMs: number;
  readonly replyMaxBytes: number;
  /** What is known of the peer; undefined before its first answer. */
  readonly knowsChunks: boolean | undefined;
  readonly trace: HeaderList;
  readonly message: Bytes;
  readonly signal: AbortSignal;
  readonly onProgress: ((bytesReceived: number) => void) | undefined;
}

export interface NatsExchangeReply extends ExchangeReply {
  /** Who answered, if it says. */
  readonly peerId: string | undefined;
  readonly knowsChunks: boolean;
}

/** The request reached nobody but its sender. */
export class WasOwnRequest extends ProtocolError {
  override name = "WasOwnRequest";

  constructor(peer: string) {
    super("nats-self", `nobody but this peer answers at ${peer}`);
  }
}

/** Nobody listens: how long until that is final, for a peer whose connection may come back. */
const GONE_MS = 6_000;

/** @throws see `transport-nats`; the signal's reason when aborted */
export function exchangeOverNats(options: NatsExchangeOptions): Promise<NatsExchangeReply> {
  return new Promise((resolve, reject) => new Exchange(options, resolve, reject).start());
}

class Exchange {
  private phase: "asked" | "sending" | "waiting" | "receiving" = "asked";
  private readonly inbox: string;
  private readonly headers: HeaderList;
  private readonly stops: (() => void)[] = [];
  /** Where the peer listens for this exchange. */
  private flow: string | undefined;
  private sender: PartSender | undefined;
  private receiver: ChunkReceiver | undefined;
  private answeredBy: string | undefined;
  private isAnnounced = false;
  private bytesSent = 0;
  private bytesReceived = 0;
  private lastSignMs: number;
  private goneSinceMs: number | undefined;
  private timer: Timer;
  private ended = false;

  constructor(
    private readonly options: NatsExchangeOptions,
    private readonly resolve: (reply: NatsExchangeReply) => void,
    private readonly reject: (error: unknown) => void,
  ) {
    const { link, clock, ownPeerId, trace, idleMs } = options;
    this.inbox = link.newInbox();
    this.headers = [
      [SYNC_HEADER.version, SYNC_VERSION],
      [SYNC_HEADER.peer, ownPeerId],
      [SYNC_HEADER.accepts, formatAccepts(link.maxPayload)],
      ...trace,
    ];
    this.lastSignMs = clock.monotonic();
    this.timer = clock.after(idleMs, this.check);
  }

  start(): void {
    const { link, signal } = this.options;
    const onAbort = () => this.fail(signal.reason);
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener("abort", onAbort, { once: true });
    this.stops.push(() => signal.removeEventListener("abort", onAbort));
    this.guard(() => {
      if (!link.isConnected)
        throw new ProtocolError("peer-unreachable", `there is no connection to ${link.name}`);
      this.stops.push(
        link.subscribe(this.inbox, (message) => this.guard(() => this.receive(message))),
        link.onEvent(({ kind }) => {
          if (kind === "disconnected") this.connectionLost();
          if (kind === "reconnected" && this.phase === "receiving") this.acknowledge();
        }),
      );
      const { message, knowsChunks } = this.options;
      const isLarge =
        message.length > Math.min(NATS_WHOLE_MESSAGE_MAX_BYTES, link.maxPayload - HEADER_ROOM_BYTES);
      if (isLarge && knowsChunks !== false) this.announce();
      else void this.sendWhole();
    });
  }

  private announce(): void {
    this.isAnnounced = true;
    const { message } = this.options;
    this.publish(this.options.subject, EMPTY, { kind: "begin", total: message.length });
  }

  private async sendWhole(): Promise<void> {
    const { link, message, subject } = this.options;
    this.isAnnounced = false;
    const body = await packBlobAside(message);
    if (this.ended) return;
    this.guard(() => {
      const limit = link.maxPayload - HEADER_ROOM_BYTES;
      if (message.length > NATS_PLAIN_MESSAGE_MAX_BYTES || body.length > limit) {
        throw new ProtocolError(
          "peer-request-size",
          `a request of ${body.length} bytes is larger than the ${limit} that ${this.options.peer} can be sent`,
          { hint: "raise max_payload of the NATS server, or sync with this peer in another way" },
        );
      }
      this.publish(subject, body);
    });
  }

  private receive(message: LinkMessage): void {
    if (isNoResponders(message)) {
      this.nobodyListens();
      return;
    }
    this.goneSinceMs = undefined;
    this.lastSignMs = this.options.clock.monotonic();
    this.answeredBy = headerOf(message, SYNC_HEADER.peer) ?? this.answeredBy;
    if (headerOf(message, SYNC_HEADER.version) === undefined) {
      this.receivePlain(message);
      return;
    }
    const code = headerOf(message, SYNC_HEADER.error);
    if (code !== undefined && isOfTheWire(code)) throw this.refusal(code, message);
    if (message.reply !== "") this.flow = message.reply;
    const value = headerOf(message, SYNC_HEADER.part);
    if (value === undefined) {
      this.receiveWhole(message);
      return;
    }
    this.receivePart(parsePart(value), message);
  }

  private receivePart(part: Part, message: LinkMessage): void {
    if (part.kind === "ack") {
      this.acknowledged(part, message);
      return;
    }
    if (part.kind === "begin") {
      if (this.phase !== "receiving") {
        this.receiver = new ChunkReceiver(part.total, this.options.replyMaxBytes);
        this.phase = "receiving";
        this.sender?.stop();
      }
      this.acknowledge();
      return;
    }
    if (part.kind === "data") {
      this.receiveData(part, message);
      return;
    }
    if (part.kind === "cancel")
      throw new ProtocolError("peer-closed", `${this.options.peer} ended the exchange`);
  }

  private acknowledged(part: Extract<Part, { kind: "ack" }>, message: LinkMessage): void {
    if (!this.isAnnounced) return;
    if (this.phase === "sending") {
      this.sender?.ack(part);
      return;
    }
    if (this.phase !== "asked") return;
    this.phase = "sending";
    const { link, clock, idleMs, message: request } = this.options;
    this.sender = new PartSender({
      link,
      clock,
      idleMs,
      message: inMemory(request),
      to: message.reply,
      reply: this.inbox,
      headers: this.headers,
      peerMaxPayload: parseAccepts(headerOf(message, SYNC_HEADER.accepts)) ?? NATS_CHUNK_MAX_BYTES,
      begins: false,
      onDone: () => {
        this.phase = "waiting";
      },
      onFail: (error) => this.fail(error),
    });
    this.sender.ack(part);
  }

  private receiveData(part: DataPart, { payload }: LinkMessage): void {
    const { receiver } = this;
    if (receiver === undefined) return;
    if (receiver.accept(part, payload)) {
      this.bytesReceived += payload.length;
      this.options.onProgress?.(this.bytesReceived);
    }
    this.acknowledge();
    if (receiver.isDone) this.finish(receiver.take(), true);
  }

  private acknowledge(): void {
    if (this.receiver === undefined || this.flow === undefined) return;
    this.publish(this.flow, EMPTY, {
      kind: "ack",
      offset: this.receiver.received,
      window: NATS_WINDOW_MAX_BYTES,
    });
  }

  /** An answer of a peer that does not speak this protocol of ours. */
  private receivePlain(message: LinkMessage): void {
    if (this.isAnnounced) {
      if (this.phase === "asked") void this.sendWhole();
      return;
    }
    if (message.payload.length === 0) {
      throw new ProtocolError("peer-failed", `${this.options.peer} could not answer, and does not say why`);
    }
    this.receiveWhole(message);
  }

  private receiveWhole(message: LinkMessage): void {
    const { payload } = message;
    this.bytesReceived += payload.length;
    this.options.onProgress?.(this.bytesReceived);
    const contentType = headerOf(message, SYNC_HEADER.contentType) ?? CONTENT_TYPES.compressed;
    const decoded = decodeMessage(payload, contentType, { messageMaxBytes: this.options.replyMaxBytes });
    const accepts = parseAccepts(headerOf(message, SYNC_HEADER.accepts));
    // Raw messages are not copied by decoding, and the payload is the link's.
    const reply =
      decoded.message.buffer === payload.buffer ? new Uint8Array(decoded.message) : decoded.message;
    this.finish(reply, accepts !== undefined);
  }

  private finish(message: Uint8Array, knowsChunks: boolean): void {
    const bytesSent = this.bytesSent + (this.sender?.bytesSent ?? 0);
    this.end();
    this.resolve({
      message,
      bytesSent,
      bytesReceived: this.bytesReceived,
      peerId: this.answeredBy,
      knowsChunks,
    });
  }

  private publish(subject: string, payload: Uint8Array, part?: Part): void {
    const { link } = this.options;
    const headers: HeaderList =
      part === undefined ? this.headers : [...this.headers, [SYNC_HEADER.part, formatPart(part)]];
    if (link.publish(subject, payload, { reply: this.inbox, headers })) this.bytesSent += payload.length;
  }

  private nobodyListens(): void {
    const { clock, peer } = this.options;
    if (this.phase === "asked") {
      const hint = "check the project code, and that a peer is up";
      throw new ProtocolError("peer-unreachable", `nobody answers at ${peer}`, { hint });
    }
    this.goneSinceMs ??= clock.monotonic();
    if (clock.monotonic() - this.goneSinceMs >= GONE_MS)
      throw new ProtocolError("peer-closed", `${peer} has gone`);
  }

  /** What is only one NATS message may be lost; chunks are sent again. */
  private connectionLost(): void {
    if (this.phase === "sending" || this.phase === "receiving") return;
    const { link, peer } = this.options;
    const what = `the connection to ${link.name} broke before the answer of ${peer} was whole`;
    this.fail(new ProtocolError("peer-closed", what));
  }

  private refusal(code: string, message: LinkMessage): Error {
    const { peer } = this.options;
    if (code === "nats-self") return new WasOwnRequest(peer);
    const text = headerOf(message, SYNC_HEADER.errorText) ?? code;
    return new ProtocolError("peer-failed", `${peer} could not answer: ${text}`, { data: { code } });
  }

  private readonly check = (): void => {
    const { clock, idleMs, peer } = this.options;
    const silentMs = clock.monotonic() - this.lastSignMs;
    if (silentMs < idleMs) {
      this.timer = clock.after(idleMs - silentMs, this.check);
      return;
    }
    this.fail(new TimeoutError("peer-timeout", `${peer} was silent for ${idleMs / 1000} s`));
  };

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
    if (this.flow !== undefined) this.cancel(this.flow);
    this.end();
    this.reject(this.explain(error));
  }

  private cancel(flow: string): void {
    try {
      this.publish(flow, EMPTY, { kind: "cancel" });
    } catch {
      // The peer will notice by itself that nobody listens.
    }
  }

  private end(): void {
    this.ended = true;
    this.timer.cancel();
    this.sender?.stop();
    for (const stop of this.stops) stop();
  }

  private explain(error: unknown): unknown {
    const { peer, signal } = this.options;
    if (error === signal.reason && signal.aborted) return error;
    if (error instanceof FormatError || (error instanceof EdgeSyncError && error.code === "nats-hash")) {
      const what = `${peer} sent a reply that cannot be read: ${error.message}`;
      return new ProtocolError("peer-damaged", what, { cause: error });
    }
    if (error instanceof LimitError) {
      const what = `${peer} sent a reply larger than accepted: ${error.message}`;
      return new LimitError("peer-reply-size", what, { cause: error });
    }
    return error;
  }
}

/** Failures of the exchange itself. What a repository refuses comes as a message for the engine. */
function isOfTheWire(code: string): boolean {
  return code === "internal" || code.startsWith("nats-");
}
