/**
 * The embedded broker: a NATS server inside this process.
 *
 *     const broker = startBroker({ listen: { host: "127.0.0.1", port: 0 } }, deps);
 *     const local = broker.connect();
 *     local.subscribe("greet.*", (message) => local.publish(message.reply, payload));
 *     await broker.stop();
 *
 * It speaks the client protocol with any NATS client and the leafnode protocol with nats-server and its like. It has one account, no JetStream and no clusters: for those
 * a real nats-server is the answer.
 */

import type { BrokerAuth } from "./broker-auth.ts";
import { BrokerBeyond } from "./broker-beyond.ts";
import { BrokerClient } from "./broker-client.ts";
import { LeafSession } from "./broker-leafnode.ts";
import { LeafJoiner, type LeafRemote } from "./broker-leafnode-join.ts";
import { LocalClient, type LocalClientOptions } from "./broker-local.ts";
import { startMonitor } from "./broker-monitor.ts";
import type { BrokerSocket, SocketEvents, SocketListener, TlsSettings } from "./broker-socket.ts";
import { type BrokerDependencies, type BrokerLimits, BrokerState } from "./broker-state.ts";

export type { BrokerDependencies, BrokerLimits } from "./broker-state.ts";

export interface BrokerOptions {
  readonly name?: string;
  /** Shown to clients; they look at it to know what a server can do. */
  readonly version?: string;
  /** Where clients connect; absent: only this process does. Port 0: any free one. */
  readonly listen?: { readonly host: string; readonly port: number };
  /** Where leafnodes join. */
  readonly leafListen?: { readonly host: string; readonly port: number };
  /** Servers to join as a leafnode. */
  readonly leafRemotes?: readonly LeafRemote[];
  /** Where `/varz` and the like are served over HTTP. */
  readonly monitor?: { readonly host: string; readonly port: number };
  readonly auth?: BrokerAuth;
  readonly tls?: TlsSettings;
  readonly limits?: Partial<BrokerLimits>;
}

export interface Broker {
  readonly serverId: string;
  /** Port of the clients' listener; undefined without one. */
  readonly port: number | undefined;
  readonly monitorPort: number | undefined;
  readonly leafPort: number | undefined;
  /** A client in this process. */
  connect(options?: LocalClientOptions): LocalClient;
  /** Joins another server as a leafnode, now and whenever the connection ends. Returns what stops further attempts. */
  joinLeaf(remote: LeafRemote): () => void;
  /**
   * A leafnode connection over a socket that has proved who is at its other end, and is secret. Both sides tell each other
   * of everything, so that what one joins is one with what the other has joined. Returns where its events go.
   *
   * @param isJoining whether this side is the one that joins
   */
  leafOver(socket: BrokerSocket, isJoining: boolean): SocketEvents;
  /** Says who may connect from now on, and closes those who may not any more. @throws UsageError `nkey-syntax` */
  allow(auth: BrokerAuth): void;
  /** Watches whether somebody beyond a leafnode wants `subject`, to be stopped by the caller. */
  beyond(subject: string): BrokerBeyond;
  /**
   * Lets clients go one by one: accepts no more, tells those connected to look for another server, then closes them
   * spread evenly over `durationMs`, and stops.
   */
  lameDuck(durationMs: number): Promise<void>;
  /** Accepts no more, tells clients to look for another server, sends what waits (for at most `drainMs`), closes everything. */
  stop(drainMs?: number): Promise<void>;
}

type Address = { readonly host: string; readonly port: number };

const DRAIN_STEP_MS = 5;
const DRAIN_MS = 1_000;
/** The version whose protocol this is; clients compare it with what they need. */
const PROTOCOL_VERSION = "2.9.10";

/** @throws EdgeSyncError `address-in-use`, `address-unavailable`; UsageError `nkey-syntax` */
export function startBroker(options: BrokerOptions, deps: BrokerDependencies): Broker {
  const { name, version = PROTOCOL_VERSION, auth, tls, limits = {} } = options;
  const state = new BrokerState({ name, version, auth, tls, limits }, deps);
  const listeners: SocketListener[] = [];
  const listen = (
    address: Address,
    accept: (at: Address, socket: BrokerSocket) => SocketEvents,
  ): SocketListener => {
    const { host } = address;
    const listener = deps.network.listen(address, (socket) => accept({ host, port: listener.port }, socket));
    listeners.push(listener);
    return listener;
  };
  const joiners: LeafJoiner[] = [];
  const closeListeners = () => {
    for (const listener of listeners) listener.close();
    for (const joiner of joiners) joiner.close();
  };
  let clients: SocketListener | undefined;
  let leaves: SocketListener | undefined;
  let monitor: ReturnType<typeof startMonitor> | undefined;
  try {
    clients = options.listen && listen(options.listen, (at, socket) => new BrokerClient(state, at, socket));
    leaves =
      options.leafListen &&
      listen(
        options.leafListen,
        (address, socket) => new LeafSession(state, socket, { kind: "hub-leaf", address }),
      );
    monitor = options.monitor && startMonitor(options.monitor, state, { clients, leaves });
  } catch (error) {
    closeListeners();
    throw error;
  }
  const joinLeaf = (remote: LeafRemote): (() => void) => {
    const joiner = new LeafJoiner(state, remote);
    joiners.push(joiner);
    return () => joiner.close();
  };
  for (const remote of options.leafRemotes ?? []) joinLeaf(remote);
  const { clock } = deps;
  const tellLeaving = () => {
    if (state.lameDuck.on) return;
    state.lameDuck.on = true;
    for (const session of state.sessions.values()) session.lameDuck();
  };
  const stop = async (drainMs = DRAIN_MS): Promise<void> => {
    closeListeners();
    state.stop();
    monitor?.close();
    tellLeaving();
    for (const session of state.sessions.values()) session.close();
    const deadline = clock.monotonic() + drainMs;
    while (state.sessions.size > 0 && clock.monotonic() < deadline) await clock.sleep(DRAIN_STEP_MS);
    for (const session of state.sessions.values()) session.terminate();
  };
  return {
    serverId: state.serverId,
    port: clients?.port,
    leafPort: leaves?.port,
    monitorPort: monitor?.port,
    connect: (settings = {}) => new LocalClient(state, settings),
    joinLeaf,
    leafOver(socket, isJoining) {
      const address = { host: socket.remoteAddress, port: socket.remotePort };
      if (!isJoining) return new LeafSession(state, socket, { kind: "hub-leaf", address, isTrusted: true });
      const plain = { credentials: {}, tls: {}, needsTls: false, onEnd() {} };
      return new LeafSession(state, socket, { kind: "spoke-leaf", ...plain, tellsAll: true });
    },
    allow: (who) => state.allow(who),
    beyond: (subject) => new BrokerBeyond(state.router, subject),
    async lameDuck(durationMs) {
      closeListeners();
      tellLeaving();
      const leaving = [...state.sessions.values()];
      for (const session of leaving) {
        await clock.sleep(durationMs / leaving.length);
        session.close();
      }
      await stop();
    },
    stop,
  };
}
