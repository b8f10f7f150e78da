/**
 * A connection to a NATS server as our agents need it, whichever server that is: the embedded broker
 * (`nats-link-local`) or another one (`nats-link-external`).
 *
 *     const stop = link.subscribe("fossil.CODE.sync", (message) => …, { queue: "sync-CODE" });
 *     link.publish(message.reply, payload, { headers: [["EdgeSync-Peer", peerId]] });
 *
 * Promises:
 * - A link never hears its own messages (`echo` is off), on whatever subscription.
 * - `publish` is at most once. Without a connection the message is dropped and `false` returned; what was
 *   handed over before a connection broke may be lost too. Whoever needs more acknowledges and repeats.
 * - Subscriptions survive reconnects. While the server is away their messages are lost: `reconnected` is the
 *   time to ask again what was missed.
 * - A message published with a reply subject where nobody listens brings a message of status 503 to that
 *   subject (`isNoResponders`).
 * - Callbacks run in the order in which messages came, and never within `publish` or `subscribe`. What a
 *   callback throws is logged and keeps nobody else from a message.
 * - `payload` of a message that came belongs to its receiver until the callback returns; copy what is kept.
 *   A published payload may be used again as soon as `publish` returns.
 * - `maxPayload` is the server's limit now, headers included. It may change at any time, both ways.
 */
import type { NatsHeaders } from "./nats-protocol.ts";

export interface LinkMessage {
  readonly subject: string;
  /** Where an answer goes; "" when none is wanted. */
  readonly reply: string;
  readonly payload: Uint8Array;
  readonly headers: NatsHeaders | undefined;
}

/** Names and values without CR and LF, names without a colon. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

export interface LinkPublishOptions {
  readonly reply?: string;
  readonly headers?: HeaderList;
}

export interface LinkSubscribeOptions {
  /** Members of a group share its messages: each goes to one of them. */
  readonly queue?: string;
}

export type LinkCallback = (message: LinkMessage) => void;

/**
 * `connected` comes once, `reconnected` after each `disconnected`; `maxPayloadChanged` whenever it has. `widened`: the
 * server has joined others, whose clients hear and are heard from now on.
 * `failed` tells why the server cannot be used for now, for logs; attempts go on.
 */
export type LinkEvent =
  | { readonly kind: "connected" | "reconnected"; readonly server: string }
  | { readonly kind: "disconnected" | "maxPayloadChanged" | "widened" }
  | { readonly kind: "failed"; readonly error: Error };

export interface NatsLink {
  /** The server as errors and logs name it, without a password. */
  readonly name: string;
  readonly isConnected: boolean;
  /** Largest message, headers included, in bytes. */
  readonly maxPayload: number;
  /**
   * @returns whether it was handed to a connection
   * @throws UsageError `nats-subject`; LimitError `nats-payload`; ProtocolError `nats-closed`
   */
  publish(subject: string, payload: Uint8Array, options?: LinkPublishOptions): boolean;
  /**
   * Calls `callback` for each message until the function that is returned is called.
   *
   * @throws UsageError `nats-subject`; ProtocolError `nats-closed`
   */
  subscribe(pattern: string, callback: LinkCallback, options?: LinkSubscribeOptions): () => void;
  /** A subject that nobody else uses, for answers. */
  newInbox(): string;
  /** Resolves when the server has seen everything done so far. @throws ProtocolError `nats-disconnected` */
  flush(): Promise<void>;
  /** Returns what ends it. */
  onEvent(listener: (event: LinkEvent) => void): () => void;
  /** Sends what waits, ends every subscription and the connection. */
  close(): Promise<void>;
}

/** Whether a message says that nobody listens where the request went. */
export function isNoResponders(message: LinkMessage): boolean {
  return message.headers?.status === 503 && message.payload.length === 0;
}

/** The first header of this name, in any case. */
export function headerOf(message: LinkMessage, name: string): string | undefined {
  const wanted = name.toLowerCase();
  return message.headers?.entries.find(([known]) => known.toLowerCase() === wanted)?.[1];
}
