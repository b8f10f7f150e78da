/** What the parts of one broker share: its settings, its router, what it counts, and its open sessions. */
import { Authenticator, type BrokerAuth } from "./broker-auth.ts";
import { BufferPool } from "./broker-buffers.ts";
import { LOOP_PREFIX } from "./broker-leafnode-interest.ts";
import { BrokerPace } from "./broker-pace.ts";
import { BrokerRouter } from "./broker-router.ts";
import type { SocketNetwork, TlsSettings } from "./broker-socket.ts";
import type { SessionView } from "./broker-view.ts";
import type { Clock, Timer } from "./clock.ts";
import {
  NATS_AUTH_TIMEOUT_MS,
  NATS_CONNECTION_MAX_COUNT,
  NATS_CONTROL_LINE_MAX_BYTES,
  NATS_PAYLOAD_MAX_BYTES,
  NATS_PENDING_MAX_BYTES,
  NATS_PING_INTERVAL_MS,
  NATS_PING_OUT_MAX_COUNT,
  NATS_SUBSCRIPTION_MAX_COUNT,
} from "./limits.ts";
import type { Logger } from "./log.ts";
import type { ServerInfo } from "./nats-protocol.ts";
import { type Random, randomHex } from "./random.ts";

export interface BrokerDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly network: SocketNetwork;
  readonly log: Logger;
}

export interface BrokerLimits {
  readonly controlLineBytesMax: number;
  readonly payloadBytesMax: number;
  readonly pendingBytesMax: number;
  readonly connectionCountMax: number;
  readonly subscriptionCountMax: number;
  readonly pingIntervalMs: number;
  readonly pingOutMax: number;
  readonly authTimeoutMs: number;
}

const DEFAULT_LIMITS: BrokerLimits = {
  controlLineBytesMax: NATS_CONTROL_LINE_MAX_BYTES,
  payloadBytesMax: NATS_PAYLOAD_MAX_BYTES,
  pendingBytesMax: NATS_PENDING_MAX_BYTES,
  connectionCountMax: NATS_CONNECTION_MAX_COUNT,
  subscriptionCountMax: NATS_SUBSCRIPTION_MAX_COUNT,
  pingIntervalMs: NATS_PING_INTERVAL_MS,
  pingOutMax: NATS_PING_OUT_MAX_COUNT,
  authTimeoutMs: NATS_AUTH_TIMEOUT_MS,
};

/** Until two brokers that join have told each other what they want. */
const LEAF_SETTLE_MS = 500;

/** An open connection, of a client or a leafnode. */
export interface BrokerSession {
  readonly id: number;
  view(): SessionView;
  /** Tells the peer to go elsewhere soon (INFO with `ldm`). */
  lameDuck(): void;
  /** Closes if its credentials would not let it in now. */
  checkAgain(): void;
  /** Sends what waits, then closes. */
  close(): void;
  /** Closes at once. */
  terminate(): void;
}

/** A leafnode connection as another one to the same broker sees it. */
export interface JoinedLeaf {
  readonly kind: "hub-leaf" | "spoke-leaf";
  replace(): void;
}

export interface BrokerSettings {
  readonly name: string | undefined;
  readonly version: string;
  readonly auth: BrokerAuth | undefined;
  readonly tls: TlsSettings | undefined;
  readonly limits: Partial<BrokerLimits>;
}

export class BrokerState {
  readonly serverId: string;
  readonly serverName: string;
  readonly version: string;
  readonly limits: BrokerLimits;
  authenticator: Authenticator;
  /** When `allow` was last called. */
  configuredMs: number;
  readonly tls: TlsSettings | undefined;
  readonly router: BrokerRouter;
  readonly buffers = new BufferPool();
  readonly pace: BrokerPace;
  readonly sessions = new Map<number, BrokerSession>();
  /** Leafnodes that have joined, by the server id of the other side. */
  readonly leaves = new Map<string, JoinedLeaf>();
  /** The subject by which this broker recognises itself in a circle of leafnodes. */
  readonly loopSubject: string;
  readonly startedMs: number;
  readonly lameDuck = { on: false };
  totalConnections = 0;
  slowConsumers = 0;
  /** When a leafnode connection was last cut because of a loop (monotonic). */
  loopCutAtMs = Number.NEGATIVE_INFINITY;
  /** When a leafnode connection last got as far as exchanging interest (monotonic). */
  leafJoinedAtMs = Number.NEGATIVE_INFINITY;
  private lastId = 0;
  private readonly widenedListeners = new Set<() => void>();
  private widening: Timer | undefined;

  constructor(
    settings: BrokerSettings,
    readonly deps: BrokerDependencies,
  ) {
    this.serverId = `N${randomHex(deps.random, 16).toUpperCase()}`;
    this.loopSubject = `${LOOP_PREFIX}${randomHex(deps.random, 11)}`;
    this.serverName = settings.name ?? this.serverId;
    this.version = settings.version;
    this.limits = { ...DEFAULT_LIMITS, ...settings.limits };
    this.authenticator = new Authenticator(settings.auth);
    this.tls = settings.tls;
    this.router = new BrokerRouter(deps.random);
    this.pace = new BrokerPace(deps.clock);
    this.startedMs = deps.clock.now();
    this.configuredMs = this.startedMs;
  }

  /**
   * A leafnode connection exchanges interest from now on. One that began here brings this broker under another one:
   * when both know what the other side wants, whoever waits for that (`onWidened`) is told.
   */
  leafJoined(beganHere: boolean): void {
    const { clock } = this.deps;
    this.leafJoinedAtMs = clock.monotonic();
    if (!beganHere) return;
    this.widening ??= clock.after(LEAF_SETTLE_MS, () => {
      this.widening = undefined;
      for (const listener of this.widenedListeners) listener();
    });
  }

  /** Returns what ends it. */
  onWidened(listener: () => void): () => void {
    this.widenedListeners.add(listener);
    return () => void this.widenedListeners.delete(listener);
  }

  /**
   * Says who may connect from now on. Whoever is connected and may not any more is closed without a word, as by nats-server.
   *
   * @throws UsageError `nkey-syntax`, and nothing has changed
   */
  allow(auth: BrokerAuth): void {
    this.authenticator = new Authenticator(auth);
    this.configuredMs = this.deps.clock.now();
    for (const session of [...this.sessions.values()]) session.checkAgain();
  }

  stop(): void {
    this.widening?.cancel();
    this.widenedListeners.clear();
  }

  nextId(): number {
    return ++this.lastId;
  }

  /** The fields of INFO that are the same for everybody. */
  info(address: { host: string; port: number }): ServerInfo {
    return {
      server_id: this.serverId,
      server_name: this.serverName,
      version: this.version,
      proto: 1,
      host: address.host,
      port: address.port,
      headers: true,
      max_payload: this.limits.payloadBytesMax,
      ...(this.tls === undefined ? {} : { tls_required: true }),
      ...(this.lameDuck.on ? { ldm: true } : {}),
    };
  }

  newNonce(): string {
    return Buffer.from(this.deps.random.bytes(11)).toString("base64url");
  }
}
