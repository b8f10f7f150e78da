/**
 * The answering half of the NATS wire (docs/nats-sync.md): takes requests from subjects, hands them on, sends the
 * replies. It carries bytes and knows nothing of artifacts.
 *
 * - At most `NATS_SERVED_MAX_COUNT` requests are handed on at a time, `NATS_WAITING_MAX_COUNT` wait their turn, and
 *   what comes in chunks is bounded by `NATS_INCOMING_MAX_BYTES` altogether; what is beyond is refused at once.
 * - A request is always answered: what goes wrong comes back as a message with an error card, and as headers.
 * - A requester that asked here itself (its own peer id) is told so, and asks elsewhere.
 */
import type { Bytes } from "./bytes.ts";
import type { Clock } from "./clock.ts";
import { EdgeSyncError, LimitError } from "./errors.ts";
import {
  NATS_DRAIN_MS,
  NATS_IDLE_MS,
  NATS_INCOMING_MAX_BYTES,
  NATS_SERVED_MAX_COUNT,
  NATS_WAITING_MAX_COUNT,
} from "./limits.ts";
import type { Logger } from "./log.ts";
import {
  formatAccepts,
  HEADER_ROOM_BYTES,
  isPeerId,
  parseAccepts,
  parsePart,
  SYNC_HEADER,
  SYNC_VERSION,
} from "./nats-chunk.ts";
import { type HeaderList, headerOf, isNoResponders, type LinkMessage, type NatsLink } from "./nats-link.ts";
import { parseTraceparent, TRACE_HEADER } from "./nats-trace.ts";
import {
  type NatsReply,
  type NatsRequest,
  NatsServerSession,
  type SessionHost,
} from "./transport-nats-session.ts";

export type { NatsReply, NatsRequest } from "./transport-nats-session.ts";

import { encodeMessage } from "./xfer-message.ts";

export interface NatsServerOptions {
  readonly link: NatsLink;
  readonly clock: Clock;
  readonly log: Logger;
  /** Where requests come in: the one all peers share with its queue group, and this peer's own. */
  readonly subjects: readonly { readonly subject: string; readonly queue?: string }[];
  readonly peerId: string;
  readonly answer: (request: NatsRequest) => Promise<NatsReply>;
  /** The message, with an error card, that tells of an error. */
  readonly errorMessage: (error: unknown) => Bytes;
  readonly idleMs?: number;
  readonly servedMaxCount?: number;
  readonly waitingMaxCount?: number;
}

export class NatsServer implements SessionHost {
  readonly flowBase: string;
  readonly idleMs: number;
  private readonly sessions = new Map<string, NatsServerSession>();
  private readonly waiting: NatsServerSession[] = [];
  private readonly stops: (() => void)[] = [];
  private servedCount = 0;
  private incomingBytes = 0;
  private lastFlow = 0;
  private onIdle: (() => void) | undefined;

  constructor(readonly options: NatsServerOptions) {
    const { link, subjects, idleMs = NATS_IDLE_MS } = options;
    this.idleMs = idleMs;
    this.flowBase = link.newInbox();
    this.stops.push(link.subscribe(`${this.flowBase}.*`, (message) => this.flow(message)));
    for (const { subject, queue } of subjects) {
      const group = queue === undefined ? {} : { queue };
      this.stops.push(link.subscribe(subject, (message) => this.accept(message), group));
    }
  }

  /** Exchanges under way. */
  get activeCount(): number {
    return this.sessions.size;
  }

  /** Takes no more requests, goes on with those under way for a while, then drops them. */
  async stop(): Promise<void> {
    const [endFlow, ...endSubjects] = this.stops;
    for (const end of endSubjects) end();
    if (this.sessions.size > 0) {
      const idle = new Promise<void>((resolve) => {
        this.onIdle = resolve;
      });
      await Promise.race([idle, this.options.clock.sleep(NATS_DRAIN_MS)]);
    }
    for (const session of [...this.sessions.values()]) session.end();
    endFlow?.();
  }

  /** Headers of everything that is sent. */
  headers(): HeaderList {
    return [
      [SYNC_HEADER.version, SYNC_VERSION],
      [SYNC_HEADER.peer, this.options.peerId],
      [SYNC_HEADER.accepts, formatAccepts(this.options.link.maxPayload)],
    ];
  }

  /** Sends a message that tells of an error. */
  refuse(subject: string, error: unknown): void {
    const code = error instanceof EdgeSyncError ? error.code : "internal";
    const text = error instanceof EdgeSyncError ? error.message : "internal error";
    const { link, errorMessage, log } = this.options;
    log.debug("exchange over NATS refused", { code, reason: String(error) });
    const { body, contentType } = encodeMessage(errorMessage(error), "compressed");
    link.publish(subject, body, {
      headers: [
        ...this.headers(),
        [SYNC_HEADER.contentType, contentType],
        [SYNC_HEADER.error, code],
        [SYNC_HEADER.errorText, text.replace(/[\r\n]+/g, " ").slice(0, ERROR_TEXT_LENGTH)],
      ],
    });
  }

  reserve(bytes: number): void {
    if (this.incomingBytes + bytes > NATS_INCOMING_MAX_BYTES) throw busy();
    this.incomingBytes += bytes;
  }

  release(bytes: number): void {
    this.incomingBytes -= bytes;
  }

  enqueue(session: NatsServerSession): void {
    const { servedMaxCount = NATS_SERVED_MAX_COUNT, waitingMaxCount = NATS_WAITING_MAX_COUNT } = this.options;
    if (this.servedCount < servedMaxCount) void this.serve(session);
    else if (this.waiting.length < waitingMaxCount) this.waiting.push(session);
    else throw busy();
  }

  /** A session has ended. */
  forget(session: NatsServerSession): void {
    this.sessions.delete(session.flow);
    const at = this.waiting.indexOf(session);
    if (at >= 0) this.waiting.splice(at, 1);
    if (this.sessions.size === 0) this.onIdle?.();
  }

  private async serve(session: NatsServerSession): Promise<void> {
    this.servedCount++;
    try {
      await session.serve();
    } finally {
      this.servedCount--;
      const next = this.waiting.shift();
      if (next !== undefined) void this.serve(next);
    }
  }

  private accept(message: LinkMessage): void {
    const { reply } = message;
    // Nobody waits for an answer: not a request.
    if (reply === "") return;
    try {
      const peerId = headerOf(message, SYNC_HEADER.peer);
      if (peerId === this.options.peerId)
        throw new EdgeSyncError("nats-self", "this request came back to its sender");
      const value = headerOf(message, SYNC_HEADER.part);
      const part = value === undefined ? undefined : parsePart(value);
      if (part !== undefined && part.kind !== "begin") return;
      const isOurs = headerOf(message, SYNC_HEADER.version) !== undefined;
      const accepts = isOurs ? parseAccepts(headerOf(message, SYNC_HEADER.accepts)) : undefined;
      const flow = `${this.flowBase}.${++this.lastFlow}`;
      const session = new NatsServerSession(this, {
        inbox: reply,
        flow,
        peerMaxPayload: accepts,
        peerId: peerId !== undefined && isPeerId(peerId) ? peerId : undefined,
        contentType: headerOf(message, SYNC_HEADER.contentType),
        traceId: parseTraceparent(headerOf(message, TRACE_HEADER)),
      });
      this.sessions.set(flow, session);
      session.start(part?.total, message.payload);
    } catch (error) {
      this.refuse(reply, error);
    }
  }

  private flow(message: LinkMessage): void {
    const session = this.sessions.get(message.subject);
    if (session !== undefined) session.receive(message);
    // Whoever sends to an exchange that has ended is told, unless it is word from the server itself.
    else if (message.reply !== "" && !isNoResponders(message)) {
      this.options.link.publish(message.reply, new Uint8Array(0), {
        headers: [...this.headers(), [SYNC_HEADER.part, "cancel"]],
      });
    }
  }
}

const ERROR_TEXT_LENGTH = HEADER_ROOM_BYTES / 4;

function busy(): LimitError {
  return new LimitError("nats-busy", "this peer answers as many requests as it can; try again later");
}
