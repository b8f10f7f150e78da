/** A link to the embedded broker of this process: no socket, no protocol. See `nats-link`. */
import type { Broker } from "./broker.ts";
import type { LocalClient } from "./broker-local.ts";
import { EMPTY } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";
import type {
  LinkCallback,
  LinkEvent,
  LinkMessage,
  LinkPublishOptions,
  LinkSubscribeOptions,
  NatsLink,
} from "./nats-link.ts";
import { subjectMatches } from "./nats-subject.ts";
import { type Random, randomHex } from "./random.ts";

export interface LocalLinkOptions {
  readonly broker: Broker;
  /** Largest message of the broker, in bytes. */
  readonly maxPayload: number;
  readonly random: Random;
}

interface Listening {
  readonly pattern: string;
  readonly callback: LinkCallback;
}

export class LocalLink implements NatsLink {
  readonly name = "the embedded broker";
  readonly maxPayload: number;
  private readonly client: LocalClient;
  private readonly random: Random;
  private readonly listening = new Set<Listening>();
  private closed = false;

  constructor({ broker, maxPayload, random }: LocalLinkOptions) {
    this.client = broker.connect({ echo: false });
    this.maxPayload = maxPayload;
    this.random = random;
  }

  get isConnected(): boolean {
    return !this.closed;
  }

  publish(subject: string, payload: Uint8Array, options: LinkPublishOptions = {}): boolean {
    this.checkOpen();
    const { reply = "" } = options;
    const reached = this.client.publish(subject, payload, options);
    if (!reached && reply !== "") queueMicrotask(() => this.tellNobodyListens(reply));
    return true;
  }

  subscribe(pattern: string, callback: LinkCallback, options: LinkSubscribeOptions = {}): () => void {
    this.checkOpen();
    const stop = this.client.subscribe(pattern, callback, options);
    const entry: Listening = { pattern, callback };
    this.listening.add(entry);
    return () => {
      this.listening.delete(entry);
      stop();
    };
  }

  newInbox(): string {
    return `_INBOX.${randomHex(this.random, 11)}`;
  }

  async flush(): Promise<void> {}

  /** Nothing ever happens to a connection within a process, only to the server. */
  onEvent(listener: (event: LinkEvent) => void): () => void {
    return this.client.onWidened(() => listener({ kind: "widened" }));
  }

  async close(): Promise<void> {
    this.closed = true;
    this.listening.clear();
    this.client.close();
  }

  /** A client without echo would not hear it from the broker. */
  private tellNobodyListens(reply: string): void {
    const message: LinkMessage = {
      subject: reply,
      reply: "",
      payload: EMPTY,
      headers: { status: 503, entries: [] },
    };
    for (const { pattern, callback } of [...this.listening]) {
      if (subjectMatches(pattern, reply)) callback(message);
    }
  }

  private checkOpen(): void {
    if (this.closed) throw new ProtocolError("nats-closed", `the connection to ${this.name} is closed`);
  }
}
