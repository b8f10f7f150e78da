/**
 * A client of the broker inside its own process: no socket, no protocol, the same routing. Messages reach callbacks
 * in a microtask after the publish, in order, so that a callback may publish and subscribe freely.
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

type Callback = (message: LocalMessage) => void;

export class LocalClient implements Subscriber {
  readonly kind = "client";
  readonly id: number;
  private readonly callbacks = new Map<Subscription, Callback>();
  private queue: [NatsMessage, Subscription][] = [];
  private readonly inbox: string;
  private lastSid = 0;

  constructor(
    private readonly state: BrokerState,
    readonly echo: boolean,
  ) {
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
    this.callbacks.set(subscription, callback);
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

  /** Ends every subscription. */
  close(): void {
    for (const subscription of this.callbacks.keys()) this.state.router.remove(subscription);
    this.callbacks.clear();
  }

  deliver(message: NatsMessage, subscription: Subscription): void {
    if (subscription.max > 0 && subscription.delivered >= subscription.max) return;
    subscription.delivered++;
    if (subscription.delivered === subscription.max) this.state.router.remove(subscription);
    this.queue.push([message, subscription]);
    if (this.queue.length === 1) queueMicrotask(() => this.callBack());
  }

  private callBack(): void {
    const batch = this.queue;
    this.queue = [];
    for (const [message, subscription] of batch) {
      const callback = this.callbacks.get(subscription);
      if (callback === undefined) continue;
      if (subscription.delivered === subscription.max && !this.hasWaiting(batch, message, subscription)) {
        this.callbacks.delete(subscription);
      }
      try {
        callback(readMessage(message));
      } catch (error) {
        // A broken subscriber must not keep others from their messages.
        this.state.deps.log.error("a NATS subscriber failed", {
          subject: subscription.subject,
          error: String(error),
        });
      }
    }
  }

  /** Whether messages for `subscription` come after `message`, in this batch or the next. */
  private hasWaiting(
    batch: [NatsMessage, Subscription][],
    message: NatsMessage,
    subscription: Subscription,
  ): boolean {
    const at = batch.findIndex(([known, to]) => known === message && to === subscription);
    return [...batch.slice(at + 1), ...this.queue].some(([, to]) => to === subscription);
  }

  private end(subscription: Subscription): void {
    this.callbacks.delete(subscription);
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
