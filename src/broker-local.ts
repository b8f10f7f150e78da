/**
 * A client of the broker inside its own process: no socket, no protocol, the same routing. Messages reach callbacks
 * in a microtask after the publish, in order, so that a callback may publish and subscribe freely. What waits until
 * then is bounded in bytes.
 */
import type { Subscriber, Subscription } from "./broker-router.ts";
import type { BrokerState } from "./broker-state.ts";
import { EMPTY } from "./bytes.ts";
import { LimitError, ProtocolError, TimeoutError, UsageError } from "./errors.ts";
import {
  formatHeaders,
  messageOf,
  type NatsHeaders,
  type NatsMessage,
  parseHeaders,
} from "./nats-protocol.ts";
import { fromWire, isValidPattern, isValidSubject, toWire } from "./nats-subject.ts";
import { randomHex } from "./random.ts";

export interface LocalMessage {
  readonly subject: string;
  /** Where an answer goes; "" when none is wanted. */
  readonly reply: string;
  readonly payload: Uint8Array;
  readonly headers: NatsHeaders | undefined;
}

export interface PublishOptions {
  readonly reply?: string;
  readonly headers?: Iterable<readonly [name: string, value: string]>;
}

export interface SubscribeOptions {
  readonly queue?: string;
  /** Ends after this many messages. */
  readonly max?: number;
}

export interface RequestOptions {
  readonly timeoutMs: number;
  readonly headers?: Iterable<readonly [name: string, value: string]>;
}

export interface LocalClientOptions {
  /** Whether it hears its own messages; so it is by default. */
  readonly echo?: boolean;
  /** Most bytes of messages that wait for their callbacks; what comes on top is dropped. Default: as for sockets. */
  readonly pendingBytesMax?: number;
}

type Callback = (message: LocalMessage) => void;

export class LocalClient implements Subscriber {
  readonly kind = "client";
  readonly isMuted = false;
  readonly id: number;
  readonly echo: boolean;
  private readonly listeners = new Map<Subscription, { readonly callback: Callback; called: number }>();
  private queue: [NatsMessage, Subscription][] = [];
  private readonly inbox: string;
  private lastSid = 0;
  private readonly pendingBytesMax: number;
  private pendingBytes = 0;
  private isDropping = false;

  constructor(
    private readonly state: BrokerState,
    { echo = true, pendingBytesMax = state.limits.pendingBytesMax }: LocalClientOptions,
  ) {
    this.echo = echo;
    this.pendingBytesMax = pendingBytesMax;
    this.id = state.nextId();
    this.inbox = `_INBOX.${randomHex(state.deps.random, 11)}`;
  }

  /**
   * @returns whether anybody listens
   * @throws UsageError `nats-subject`; LimitError `nats-payload`
   */
  publish(subject: string, payload: Uint8Array, options: PublishOptions = {}): boolean {
    const { reply = "", headers } = options;
    const wire = toWire(subject);
    if (!isValidSubject(wire) || (reply !== "" && !isValidSubject(toWire(reply)))) throw badSubject(subject);
    const head = headers === undefined ? EMPTY : formatHeaders(headers);
    const size = head.length + payload.length;
    const limit = this.state.limits.payloadBytesMax;
    if (size > limit) throw new LimitError("nats-payload", `a payload of ${size} bytes exceeds ${limit}`);
    // The caller may use its buffer again; what is queued must stay.
    const body = Buffer.concat([head, payload]);
    return this.state.router.publish(this, messageOf(wire, toWire(reply), body, head.length));
  }

  /**
   * Calls `callback` for each message. Returns what ends the subscription.
   *
   * @throws UsageError `nats-subject`
   */
  subscribe(pattern: string, callback: Callback, options: SubscribeOptions = {}): () => void {
    const subject = toWire(pattern);
    if (!isValidPattern(subject)) throw badSubject(pattern);
    const { queue = "", max = 0 } = options;
    const sid = String(++this.lastSid);
    const subscription = { owner: this, subject, queue: toWire(queue), sid, weight: 1, max, delivered: 0 };
    this.listeners.set(subscription, { callback, called: 0 });
    this.state.router.add(subscription);
    return () => this.end(subscription);
  }

  /**
   * Publishes and resolves with the first answer.
   *
   * @throws ProtocolError `nats-no-responders` when nobody listens; TimeoutError `nats-request-timeout`
   */
  request(subject: string, payload: Uint8Array, options: RequestOptions): Promise<LocalMessage> {
    return new Promise((resolve, reject) => {
      const reply = `${this.inbox}.${this.lastSid + 1}`;
      const finish = (settle: () => void) => {
        timer.cancel();
        stop();
        settle();
      };
      const nobody = () =>
        reject(new ProtocolError("nats-no-responders", `nobody answers on ${JSON.stringify(subject)}`));
      const stop = this.subscribe(reply, (message) =>
        finish(() => (message.headers?.status === 503 ? nobody() : resolve(message))),
      );
      const timer = this.state.deps.clock.after(options.timeoutMs, () =>
        finish(() =>
          reject(
            new TimeoutError("nats-request-timeout", `no answer on ${subject} in ${options.timeoutMs} ms`),
          ),
        ),
      );
      try {
        const { headers } = options;
        const reached = this.publish(
          subject,
          payload,
          headers === undefined ? { reply } : { reply, headers },
        );
        if (!reached) finish(nobody);
      } catch (error) {
        finish(() => reject(error));
      }
    });
  }

  /** Tells when messages reach others who could not be reached before: this broker has joined another one. Returns what ends it. */
  onWidened(listener: () => void): () => void {
    return this.state.onWidened(listener);
  }

  /** Ends every subscription. */
  close(): void {
    for (const subscription of this.listeners.keys()) this.state.router.remove(subscription);
    this.listeners.clear();
  }

  deliver(message: NatsMessage, subscription: Subscription): void {
    const bytes = message.end - message.start;
    if (this.pendingBytes + bytes > this.pendingBytesMax) {
      this.drop(subscription);
      return;
    }
    if (subscription.max > 0 && subscription.delivered >= subscription.max) return;
    subscription.delivered++;
    if (subscription.delivered === subscription.max) this.state.router.remove(subscription);
    this.pendingBytes += bytes;
    this.queue.push([message, subscription]);
    if (this.queue.length === 1) queueMicrotask(() => this.callBack());
  }

  private drop({ subject }: Subscription): void {
    if (!this.isDropping) {
      this.state.slowConsumers++;
      this.state.deps.log.warn("NATS messages to this process dropped: too many wait", { subject });
    }
    this.isDropping = true;
  }

  private callBack(): void {
    const batch = this.queue;
    this.queue = [];
    this.pendingBytes = 0;
    this.isDropping = false;
    for (const [message, subscription] of batch) {
      const listener = this.listeners.get(subscription);
      if (listener === undefined) continue;
      if (++listener.called === subscription.max) this.listeners.delete(subscription);
      try {
        listener.callback(readMessage(message));
      } catch (error) {
        // A broken subscriber must not keep others from their messages.
        this.state.deps.log.error("a NATS subscriber failed", {
          subject: subscription.subject,
          error: String(error),
        });
      }
    }
  }

  private end(subscription: Subscription): void {
    this.listeners.delete(subscription);
    this.state.router.remove(subscription);
  }
}

function readMessage({ subject, reply, headerBytes, bytes, start, end }: NatsMessage): LocalMessage {
  const payloadStart = start + headerBytes;
  return {
    subject: fromWire(subject),
    reply: fromWire(reply),
    payload: bytes.subarray(payloadStart, end),
    headers: headerBytes === 0 ? undefined : parseHeaders(bytes.subarray(start, payloadStart)),
  };
}

function badSubject(subject: string): UsageError {
  return new UsageError("nats-subject", `expected a NATS subject, got ${JSON.stringify(subject)}`);
}
