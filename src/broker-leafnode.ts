/**
 * A leafnode connection: two brokers that share interest and messages, each keeping its own clients. One side joined
 * ("solicited"), the other accepted; after the handshake they speak the same lines (`nats-protocol`, leafnodes).
 *
 *     accepting: INFO {info_on_connect, nonce, …}      then TLS if it says tls_required
 *     joining:   CONNECT {server_id, name, headers, version, user, pass | nkey, sig}
 *     accepting: INFO {connect_info: true, …}          then both: LS+ for every interest, and PING, PONG
 *
 * Interest. Each side tells the other what it wants, once for all its clients: `LS+ subject` when the first wants it and
 * `LS-` when the last stops; for a queue group `LS+ subject queue n` at each change of n, its members. The accepting
 * side tells everything it knows except what came from this connection. The joining side leaves out what it
 * learned from other servers that it joined.
 *
 * Circles: see `broker-leafnode-loop`. Two connections
 * between the same two brokers: a newer accepted one replaces the older; where each joined the other, the one
 * that the lower server id began stays. Source: nats-server 2.9's behaviour, recorded from its connections.
 */

import type { Credentials } from "./broker-auth.ts";
import { BrokerConnection } from "./broker-connection.ts";
import { type Fields, leafCredentials, readFields, stringField } from "./broker-fields.ts";
import { Heartbeat } from "./broker-heartbeat.ts";
import { LeafInterest, LOOP_PREFIX } from "./broker-leafnode-interest.ts";
import { LoopWatch } from "./broker-leafnode-loop.ts";
import { connectLine, type LeafOrigin } from "./broker-leafnode-origin.ts";
import type { Subscriber, Subscription } from "./broker-router.ts";
import type { BrokerSocket, SocketEvents } from "./broker-socket.ts";
import type { BrokerSession, BrokerState } from "./broker-state.ts";
import { type SessionView, viewOf } from "./broker-view.ts";
import type { Timer } from "./clock.ts";
import { FormatError, LimitError } from "./errors.ts";
import { NATS_LEAF_CONTROL_LINE_MAX_BYTES } from "./limits.ts";
import { NatsParser } from "./nats-parser.ts";
import {
  errorLine,
  infoLine,
  leafMessageLine,
  NATS_ERROR,
  type NatsMessage,
  type NatsOperation,
  withoutHeaders,
} from "./nats-protocol.ts";
import { isValidPattern } from "./nats-subject.ts";

const WRONG_PORT = "this is the port of NATS clients, not of leafnodes";

export class LeafSession implements Subscriber, BrokerSession, SocketEvents {
  readonly echo = false;
  readonly id: number;
  readonly kind: LeafOrigin["kind"];
  private readonly isTrusted: boolean;
  private readonly connection: BrokerConnection;
  private readonly parser: NatsParser;
  private readonly heartbeat: Heartbeat;
  private readonly startedMs: number;
  private readonly nonce: string;
  private readonly handshakeTimer: Timer;
  /** What the other side wants, by subject and queue. */
  private readonly wanted = new Map<string, Subscription>();
  private readonly interest: LeafInterest;
  private phase: "handshake" | "confirm" | "joined" = "handshake";
  private peer = {
    serverId: "",
    name: "",
    version: "",
    headers: false,
    payloadBytesMax: Number.POSITIVE_INFINITY,
  };
  private reason = "";
  /** By which the other side recognises itself: the first such subject that it tells. */
  private peerLoop: string | undefined;
  private readonly loops: LoopWatch;
  private credentials: Credentials = {};
  private inMessages = 0;
  private inBytes = 0;
  private readonly onOperation = (operation: NatsOperation): boolean => {
    this.perform(operation);
    return this.connection.isOpen;
  };

  constructor(
    private readonly state: BrokerState,
    private readonly socket: BrokerSocket,
    private readonly origin: LeafOrigin,
  ) {
    const { limits, deps } = state;
    this.id = state.nextId();
    this.kind = origin.kind === "spoke-leaf" && origin.tellsAll === true ? "hub-leaf" : origin.kind;
    this.isTrusted = origin.kind === "hub-leaf" && origin.isTrusted === true;
    this.startedMs = deps.clock.now();
    this.connection = new BrokerConnection(socket, {
      pendingBytesMax: limits.pendingBytesMax,
      buffers: state.buffers,
      pace: state.pace,
      clock: deps.clock,
      onSlow: () => {
        state.slowConsumers++;
      },
    });
    const write = (line: string) => this.connection.line(line);
    this.loops = new LoopWatch(state, {
      cut: (text) => this.fail(text),
      tell: (subject) => write(`LS+ ${subject}\r\n`),
    });
    const wants = (subject: string) => this.kind === "hub-leaf" && this.wanted.has(`${subject} `);
    this.interest = new LeafInterest(state.router, this, { write, wants, loops: this.loops });
    this.parser = new NatsParser({
      dialect: "leaf",
      controlLineBytesMax: NATS_LEAF_CONTROL_LINE_MAX_BYTES,
      payloadBytesMax: limits.payloadBytesMax,
    });
    this.heartbeat = new Heartbeat(deps.clock, {
      intervalMs: limits.pingIntervalMs,
      outMax: limits.pingOutMax,
      ping: () => this.connection.line("PING\r\n"),
      stale: () => this.fail(NATS_ERROR.stale),
    });
    this.nonce = state.newNonce();
    this.handshakeTimer = deps.clock.after(limits.authTimeoutMs, () => this.fail(NATS_ERROR.authTimeout));
    state.totalConnections++;
    if (origin.kind === "hub-leaf" && state.sessions.size >= limits.connectionCountMax) {
      this.fail(NATS_ERROR.connections);
      return;
    }
    state.sessions.set(this.id, this);
    if (origin.kind === "spoke-leaf") return;
    this.sendInfo(origin.address, { nonce: this.nonce });
    this.connection.flush();
    if (state.tls !== undefined && !this.isTrusted)
      this.socket.startTls(state.tls).catch(() => this.terminate());
  }

  /** Whether no message may cross it now. */
  get isMuted(): boolean {
    return this.loops.isMuted;
  }

  view(): SessionView {
    const { name, version } = this.peer;
    const { id: cid, startedMs, inMessages, inBytes } = this;
    const subscriptions = [...this.wanted.values()];
    return viewOf(
      { cid, kind: "Leafnode", name, lang: "", version, startedMs, inMessages, inBytes, subscriptions },
      this.connection,
      this.heartbeat,
      this.credentials,
    );
  }

  lameDuck(): void {
    if (this.origin.kind === "hub-leaf") this.sendInfo(this.origin.address, { connect_info: true });
  }

  checkAgain(): void {
    if (this.phase !== "handshake" && !this.isLetIn()) this.end("its credentials count no more");
  }

  close(): void {
    this.connection.close();
  }

  terminate(): void {
    this.connection.terminate();
  }

  deliver(message: NatsMessage, _subscription: Subscription, queues: readonly string[]): void {
    const fit = message.headerBytes > 0 && !this.peer.headers ? withoutHeaders(message) : message;
    const bytes = fit.end - fit.start;
    if (bytes > this.peer.payloadBytesMax) {
      this.state.deps.log.warn("NATS message too large for a leafnode", { subject: fit.subject, bytes });
      return;
    }
    this.connection.message(leafMessageLine(fit, queues), fit.bytes, fit.start, fit.end);
  }

  onData(chunk: Uint8Array): void {
    if (!this.connection.isOpen) return;
    this.heartbeat.alive();
    try {
      this.parser.feed(chunk, this.onOperation);
      if (this.state.pace.isCrowded) this.state.pace.hold(this.socket);
    } catch (error) {
      if (!(error instanceof FormatError || error instanceof LimitError)) throw error;
      const reply = error.data["reply"];
      if (this.phase === "handshake") this.fail(NATS_ERROR.authorization);
      else if (typeof reply === "string") this.fail(reply);
      else this.end(error.message);
    }
  }

  onDrain(): void {
    this.connection.drained();
  }

  onClose(): void {
    this.connection.gone();
    this.heartbeat.stop();
    this.handshakeTimer.cancel();
    const { state, origin } = this;
    state.sessions.delete(this.id);
    if (state.leaves.get(this.peer.serverId) === this) state.leaves.delete(this.peer.serverId);
    this.forget();
    state.deps.log.info("NATS leafnode left", { name: this.peer.name, reason: this.reason });
    if (origin.kind === "spoke-leaf") origin.onEnd(this.reason, this.phase === "joined", this.peerLoop);
  }

  /** Ends the exchange of interest and messages; the connection may take a while to go. */
  private forget(): void {
    this.loops.stop();
    this.interest.stop();
    for (const subscription of this.wanted.values()) this.state.router.remove(subscription);
    this.wanted.clear();
  }

  private sendInfo(
    address: { host: string; port: number },
    more: { nonce?: string; connect_info?: boolean },
  ): void {
    this.connection.line(
      infoLine({
        ...this.state.info(address),
        ...(this.isTrusted ? { tls_required: false } : {}),
        auth_required: true,
        client_id: this.id,
        info_on_connect: true,
        leafnode_urls: [],
        ...(more.connect_info === true ? { remote_account: "$G" } : {}),
        ...more,
      }),
    );
  }

  private fail(text: string): void {
    this.connection.line(errorLine(text));
    this.end(text);
  }

  private end(reason: string): void {
    this.reason ||= reason;
    this.state.deps.log.warn("NATS leafnode closed", { name: this.peer.name, reason: this.reason });
    this.connection.close();
  }

  private perform(operation: NatsOperation): void {
    if (operation.op === "error") {
      this.end(operation.text);
    } else if (operation.op === "info") {
      this.hearInfo(readFields(operation.text));
    } else if (operation.op === "connect") {
      this.hearConnect(readFields(operation.text));
    } else if (this.phase === "handshake") {
      this.fail(NATS_ERROR.authorization);
    } else if (operation.op === "pub") {
      this.inMessages++;
      this.inBytes += operation.end - operation.start;
      this.state.router.publish(this, operation, operation.queues);
    } else if (operation.op === "leaf-sub") {
      this.want(operation.subject, operation.queue, operation.weight);
    } else if (operation.op === "leaf-unsub") {
      this.unwant(operation.subject, operation.queue);
    } else if (operation.op === "ping") {
      this.connection.line("PONG\r\n");
    } else if (operation.op === "pong") {
      this.heartbeat.pong();
    }
  }

  private hearConnect(fields: Fields | undefined): void {
    if (fields === undefined) {
      this.end("a CONNECT that is not JSON");
    } else if (this.origin.kind === "spoke-leaf" || this.phase !== "handshake") {
      this.fail(NATS_ERROR.operation);
    } else if (stringField(fields, "lang") !== "") {
      this.fail(NATS_ERROR.leafPort);
    } else {
      this.credentials = leafCredentials(fields);
      if (!this.isLetIn()) {
        this.fail(NATS_ERROR.authorization);
        return;
      }
      this.meet(fields, stringField(fields, "name"), this.origin);
    }
  }

  /** Whoever joined this broker must be known to it. */
  private isLetIn(): boolean {
    if (this.origin.kind === "spoke-leaf" || this.isTrusted) return true;
    return this.state.authenticator.accepts(this.credentials, this.nonce);
  }

  private hearInfo(fields: Fields | undefined): void {
    const { origin } = this;
    if (origin.kind === "hub-leaf" || this.phase === "joined") return;
    if (fields === undefined) {
      this.end("an INFO that is not JSON");
    } else if (this.phase === "confirm") {
      if (fields["connect_info"] === true) this.join();
    } else if (fields["info_on_connect"] !== true && fields["leafnode_urls"] === undefined) {
      this.end(WRONG_PORT);
    } else {
      const limit = fields["max_payload"];
      if (typeof limit === "number" && limit > 0) this.peer.payloadBytesMax = limit;
      if (fields["tls_required"] !== true && !origin.needsTls) {
        this.answerInfo(fields, origin);
        return;
      }
      this.socket.startTls(origin.tls).then(
        () => this.answerInfo(fields, origin),
        (error: Error) => {
          this.reason = error.message;
          this.terminate();
        },
      );
    }
  }

  private answerInfo(fields: Fields, origin: LeafOrigin & { kind: "spoke-leaf" }): void {
    this.connection.line(connectLine(origin, this.state, fields));
    this.meet(fields, stringField(fields, "server_name"), origin);
  }

  /** The peer has said who it is. */
  private meet(fields: Fields, name: string, origin: LeafOrigin): void {
    const serverId = stringField(fields, "server_id");
    const headers = fields["headers"] === true;
    this.peer = { ...this.peer, serverId, name, headers, version: stringField(fields, "version") };
    const other = this.state.leaves.get(serverId);
    if (serverId !== "" && other !== undefined) {
      // Where each joined the other, the one that the lower id began stays.
      const beganHere = this.kind === "spoke-leaf";
      const staysNew = other.kind === this.kind || beganHere === this.state.serverId < serverId;
      if (!staysNew) {
        this.fail(NATS_ERROR.duplicateLeaf);
        return;
      }
      other.replace();
    }
    if (serverId !== "") this.state.leaves.set(serverId, this);
    if (origin.kind === "spoke-leaf" && fields["info_on_connect"] === true) {
      this.phase = "confirm";
      return;
    }
    if (origin.kind === "hub-leaf") this.sendInfo(origin.address, { connect_info: true });
    this.join();
  }

  /** Ends this connection because another one to the same broker takes its place. */
  replace(): void {
    this.fail(NATS_ERROR.duplicateLeaf);
    // What it wanted must not look like a circle to the one that comes.
    this.forget();
  }

  private join(): void {
    this.phase = "joined";
    this.state.leafJoined(this.origin.kind === "spoke-leaf");
    this.handshakeTimer.cancel();
    this.connection.line(`LS+ ${this.state.loopSubject}\r\n`);
    this.interest.start();
    this.state.deps.log.info("NATS leafnode joined", { name: this.peer.name, kind: this.kind });
  }

  private want(subject: string, queue: string, weight: number): void {
    if (subject === this.state.loopSubject) {
      this.loops.heard();
      return;
    }
    if (subject.startsWith(LOOP_PREFIX)) this.peerLoop ??= subject;
    if (!isValidPattern(subject)) {
      this.fail(NATS_ERROR.subject);
      return;
    }
    const key = `${subject} ${queue}`;
    const known = this.wanted.get(key);
    if (known !== undefined) {
      if (known.weight !== weight) this.state.router.setWeight(known, weight);
      return;
    }
    if (this.wanted.size >= this.state.limits.subscriptionCountMax) {
      this.fail(NATS_ERROR.subscriptions);
      return;
    }
    const subscription = { owner: this, subject, queue, sid: key, weight, max: 0, delivered: 0 };
    this.wanted.set(key, subscription);
    this.state.router.add(subscription);
  }

  private unwant(subject: string, queue: string): void {
    if (subject === this.state.loopSubject) this.loops.unheard();
    const key = `${subject} ${queue}`;
    const known = this.wanted.get(key);
    if (known === undefined) return;
    this.wanted.delete(key);
    this.interest.unwanted(subject);
    this.state.router.remove(known);
  }
}
