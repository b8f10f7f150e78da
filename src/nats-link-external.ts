/**
 * A link to a NATS server over the network, through the public client. See `nats-link`.
 *
 *     nats://[USER:PASSWORD@|TOKEN@]HOST[:PORT]      port 4222
 *     tls://…                                        the same, never without TLS
 *
 * The link exists at once and connects in the background, to any of its servers, and again for ever: after a
 * refusal, a restart, a server gone silent, a disconnect as a slow consumer. What was subscribed meanwhile is
 * subscribed when there is a connection. The client is loaded when the first link is made: it costs start-up time.
 */
import type { NatsConnection, Status, Subscription } from "nats";
import type { Clock } from "./clock.ts";
import { LimitError, ProtocolError, TimeoutError, UsageError } from "./errors.ts";
import { NATS_EXTERNAL_PING_MS, NATS_PAYLOAD_MAX_BYTES, NATS_RECONNECT_MAX_MS } from "./limits.ts";
import type { Logger } from "./log.ts";
import type {
  LinkCallback,
  LinkEvent,
  LinkPublishOptions,
  LinkSubscribeOptions,
  NatsLink,
} from "./nats-link.ts";
import type { NatsHeaders } from "./nats-protocol.ts";
import { isValidPattern, isValidSubject } from "./nats-subject.ts";
import { type Random, randomHex } from "./random.ts";

/** Who connects, and what is shown and trusted for it. */
export interface NatsLogin {
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  /** Seed of an nkey. */
  readonly nkeySeed?: string;
  /** Contents of a creds file: a JWT and the seed of its user. */
  readonly creds?: string;
  /** PEM texts. `ca` is trusted besides nothing else; `cert` and `key` are shown to the server. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

export interface ExternalNatsOptions extends NatsLogin {
  /** At least one; see the header. */
  readonly servers: readonly string[];
  /**
   * Asked before each connection: its answer counts more than the fields above, and files may have changed. What it throws is
   * a failure to connect.
   */
  readonly login?: () => NatsLogin;
  /** How the server's monitoring names this connection. */
  readonly connectionName: string;
  /** Two of these without an answer end the connection. Default `NATS_EXTERNAL_PING_MS`. */
  readonly pingMs?: number;
}

export interface ExternalNatsDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

interface Listening {
  readonly pattern: string;
  readonly callback: LinkCallback;
  readonly queue: string | undefined;
  live: Subscription | undefined;
}

type Client = typeof import("nats");

const RECONNECT_MIN_MS = 250;

export class ExternalLink implements NatsLink {
  readonly name: string;
  private readonly servers: readonly ServerAddress[];
  private readonly listening = new Set<Listening>();
  private readonly listeners = new Set<(event: LinkEvent) => void>();
  private client: Client | undefined;
  private connection: NatsConnection | undefined;
  private up = false;
  private hasConnected = false;
  private readonly closing = new AbortController();
  private closed = false;
  private failures = 0;
  private knownMaxPayload = NATS_PAYLOAD_MAX_BYTES;

  /** @throws UsageError `nats-url`, `nats-credentials` */
  constructor(
    private readonly options: ExternalNatsOptions,
    private readonly deps: ExternalNatsDependencies,
  ) {
    this.servers = options.servers.map(parseServer);
    if (this.servers.length === 0) throw new UsageError("nats-url", "expected the address of a NATS server");
    this.name = this.servers.map(({ shown }) => shown).join(",");
    void this.run();
  }

  get isConnected(): boolean {
    return this.up && !this.closed;
  }

  get maxPayload(): number {
    return this.connection?.info?.max_payload ?? this.knownMaxPayload;
  }

  publish(subject: string, payload: Uint8Array, options: LinkPublishOptions = {}): boolean {
    this.checkOpen();
    const { reply, headers: list } = options;
    if (!isValidSubject(subject) || (reply !== undefined && !isValidSubject(reply)))
      throw badSubject(subject);
    const { connection, client } = this;
    if (!this.up || connection === undefined || client === undefined) return false;
    const headers = list && client.headers();
    for (const [name, value] of list ?? []) headers?.append(name, value);
    this.noticeMaxPayload();
    const limit = this.knownMaxPayload;
    // The size of the headers as the client writes them: a line each, and the first and the last.
    const head = (list ?? []).reduce((sum, [name, value]) => sum + Buffer.byteLength(name + value) + 4, 14);
    const size = payload.length + (list === undefined ? 0 : head);
    if (size > limit) {
      throw new LimitError("nats-payload", `a message of ${size} bytes exceeds the ${limit} of ${this.name}`);
    }
    // The client keeps what it is given until the socket takes it; the caller's buffer is the caller's.
    connection.publish(subject, new Uint8Array(payload), {
      ...(headers && { headers }),
      ...(reply && { reply }),
    });
    return true;
  }

  subscribe(pattern: string, callback: LinkCallback, { queue }: LinkSubscribeOptions = {}): () => void {
    this.checkOpen();
    if (!isValidPattern(pattern)) throw badSubject(pattern);
    const entry: Listening = { pattern, callback, queue, live: undefined };
    this.listening.add(entry);
    if (this.connection !== undefined) this.subscribeNow(entry, this.connection);
    return () => {
      this.listening.delete(entry);
      if (!this.closed) entry.live?.unsubscribe();
    };
  }

  newInbox(): string {
    return `_INBOX.${randomHex(this.deps.random, 11)}`;
  }

  async flush(): Promise<void> {
    this.checkOpen();
    const { connection } = this;
    const lost = () => new ProtocolError("nats-disconnected", `there is no connection to ${this.name}`);
    if (!this.up || connection === undefined) throw lost();
    const flushed = connection.flush().then(
      () => true,
      () => false,
    );
    // On a connection that breaks meanwhile it never ends.
    const broken = connection.closed().then(() => false);
    if (!(await Promise.race([flushed, broken]))) throw lost();
  }

  /**
   * Resolves once connected, for those who cannot wait for ever.
   *
   * @throws ProtocolError `nats-unreachable` when every server has failed once; TimeoutError of the same code
   */
  connected(timeoutMs: number): Promise<void> {
    if (this.isConnected) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        timer.cancel();
        stop();
        settle();
      };
      const why = `cannot connect to ${this.name}`;
      const stop = this.onEvent((event) => {
        if (event.kind === "connected") finish(resolve);
        if (event.kind !== "failed") return;
        const { error: cause } = event;
        finish(() => reject(new ProtocolError("nats-unreachable", `${why}: ${cause.message}`, { cause })));
      });
      const timer = this.deps.clock.after(timeoutMs, () =>
        finish(() => reject(new TimeoutError("nats-unreachable", `${why} within ${timeoutMs / 1000} s`))),
      );
    });
  }

  onEvent(listener: (event: LinkEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    const wasUp = this.up;
    this.closed = true;
    this.up = false;
    this.closing.abort();
    this.listening.clear();
    this.listeners.clear();
    const { connection } = this;
    if (connection === undefined) return;
    // Draining a connection that breaks meanwhile never ends.
    const drained = wasUp ? connection.drain().catch(() => {}) : undefined;
    const enough = new AbortController();
    const timeout = this.deps.clock.sleep(DRAIN_MS, enough.signal).catch(() => {});
    await Promise.race([drained, connection.closed(), timeout]);
    enough.abort();
    await connection.close();
  }

  /**
   * Connects, again and again: the client's own reconnecting forgets servers that were away at first. Every server is
   * tried each time, in an order by chance.
   */
  private async run(): Promise<void> {
    this.client = await import("nats");
    while (!this.closed) {
      try {
        const connection = await this.client.connect(this.settings(this.client));
        if (this.closed) return await connection.close();
        this.takeUp(connection);
        try {
          for await (const status of connection.status()) this.notice(status);
        } finally {
          this.letGo();
        }
      } catch (cause) {
        this.failures++;
        this.tell({ kind: "failed", error: toError(cause) });
      }
      await this.deps.clock.sleep(this.delayMs(), this.closing.signal).catch(() => {});
    }
  }

  private takeUp(connection: NatsConnection): void {
    const isFirst = !this.hasConnected;
    this.connection = connection;
    if (isFirst) this.knownMaxPayload = connection.info?.max_payload ?? this.knownMaxPayload;
    else this.noticeMaxPayload();
    for (const entry of this.listening) this.subscribeNow(entry, connection);
    this.up = true;
    this.hasConnected = true;
    this.failures = 0;
    const server = connection.getServer();
    this.tell({ kind: isFirst ? "connected" : "reconnected", server });
  }

  private letGo(): void {
    this.setDown();
    this.connection = undefined;
    for (const entry of this.listening) entry.live = undefined;
  }

  private settings(client: Client): Parameters<Client["connect"]>[0] {
    const options = { ...this.options, ...this.options.login?.() };
    const { tls, connectionName } = options;
    const { user, password, token } = { ...this.servers[0], ...given(options) };
    const bytes = (text: string) => new TextEncoder().encode(text);
    return {
      servers: this.servers.map(({ address }) => address),
      name: connectionName,
      noEcho: true,
      reconnect: false,
      pingInterval: options.pingMs ?? NATS_EXTERNAL_PING_MS,
      timeout: CONNECT_TIMEOUT_MS,
      ...(user !== undefined && { user, pass: password }),
      ...(token !== undefined && { token }),
      ...(options.nkeySeed !== undefined && {
        authenticator: client.nkeyAuthenticator(bytes(options.nkeySeed.trim())),
      }),
      ...(options.creds !== undefined && { authenticator: client.credsAuthenticator(bytes(options.creds)) }),
      ...((tls !== undefined || this.servers.some(({ needsTls }) => needsTls)) && { tls: { ...tls } }),
    };
  }

  private notice(status: Status): void {
    if (this.closed) return;
    if (status.type === "disconnect") this.setDown();
    else if (status.type === "error") this.tell({ kind: "failed", error: status.error });
    else this.noticeMaxPayload();
  }

  private setDown(): void {
    if (!this.up) return;
    this.up = false;
    this.tell({ kind: "disconnected" });
  }

  /** The client tells nobody when INFO changes, so it is looked at whenever something happens. */
  private noticeMaxPayload(): void {
    const now = this.connection?.info?.max_payload ?? this.knownMaxPayload;
    if (now === this.knownMaxPayload) return;
    this.knownMaxPayload = now;
    this.tell({ kind: "maxPayloadChanged" });
  }

  private subscribeNow(entry: Listening, connection: NatsConnection): void {
    entry.live = connection.subscribe(entry.pattern, {
      ...(entry.queue !== undefined && { queue: entry.queue }),
      callback: (error, { subject, reply, data, headers }) => {
        if (error !== null) return this.tell({ kind: "failed", error });
        // What escapes from here would end the client's reading.
        try {
          entry.callback({
            subject,
            reply: reply ?? "",
            payload: data,
            headers: headers === undefined ? undefined : toHeaders(headers),
          });
        } catch (cause) {
          this.deps.log.error("a NATS subscriber failed", { subject, error: String(cause) });
        }
      },
    });
  }

  private tell(event: LinkEvent): void {
    for (const listener of [...this.listeners]) listener(event);
  }

  /** Doubles with each failure; jittered, so that the peers of a server do not come back all at once. */
  private delayMs(): number {
    const base = Math.min(NATS_RECONNECT_MAX_MS, RECONNECT_MIN_MS * 2 ** Math.min(this.failures, 16));
    return base / 2 + this.deps.random.float() * base;
  }

  private checkOpen(): void {
    if (this.closed) throw new ProtocolError("nats-closed", `the connection to ${this.name} is closed`);
  }
}

const CONNECT_TIMEOUT_MS = 10_000;
/** Longest time for what waits to leave when a link is closed. */
const DRAIN_MS = 2_000;

interface ServerAddress {
  /** As the client takes it. */
  readonly address: string;
  readonly shown: string;
  readonly needsTls: boolean;
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
}

/** @throws UsageError `nats-url` */
function parseServer(written: string): ServerAddress {
  const match = /^(?:(nats|tls):\/\/)?(?:([^/@]*)@)?(\[[0-9a-f:.]+\]|[^/:@\s]+)(?::(\d{1,5}))?\/?$/i.exec(
    written,
  );
  const port = Number(match?.[4] ?? 4222);
  if (match === null || port > 65_535) {
    throw new UsageError(
      "nats-url",
      `${written.replace(/\/\/[^@]*@/, "//")} is not the address of a NATS server`,
      {
        hint: /^wss?:/i.test(written)
          ? "WebSocket cannot be used: name the port for clients, nats://HOST[:PORT] or tls://HOST[:PORT]"
          : "expected nats://HOST[:PORT] or tls://HOST[:PORT]",
      },
    );
  }
  const scheme = (match[1] ?? "nats").toLowerCase();
  const address = `${match[3]}:${port}`;
  const [user, password] = (match[2] ?? "").split(":", 2).map(decodeURIComponent);
  const login = password === undefined ? { token: user! } : { user: user!, password };
  return {
    address,
    shown: `${scheme}://${address}`,
    needsTls: scheme === "tls",
    ...(user !== "" && login),
  };
}

function given({ user, password, token }: ExternalNatsOptions): Partial<ServerAddress> {
  return {
    ...(user !== undefined && { user }),
    ...(password !== undefined && { password }),
    ...(token !== undefined && { token }),
  };
}

function toHeaders(headers: Iterable<[string, string[]]> & { readonly code: number }): NatsHeaders {
  const entries: (readonly [string, string])[] = [];
  for (const [name, values] of headers) for (const value of values) entries.push([name, value]);
  return { status: headers.code, entries };
}

function toError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause));
}

function badSubject(subject: string): UsageError {
  return new UsageError("nats-subject", `expected a NATS subject, got ${JSON.stringify(subject)}`);
}
