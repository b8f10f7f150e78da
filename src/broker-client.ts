/**
 * One client's connection: what each operation of `nats-protocol` does, and which -ERR it gets.
 *
 * Order of things, as in nats-server 2.9: the broker speaks first (INFO), then TLS if it is on, then CONNECT. Without
 * authentication CONNECT may be missing, and its fields have the defaults `verbose`, `pedantic`, `echo` = true.
 * A subject that may not be subscribed to gets -ERR and no subscription; a publish subject is looked at in pedantic
 * mode only, and delivered all the same. A second SUB with a sid in use is passed over. Malformed operations close
 * the connection: an unknown one and a limit with -ERR, wrong arguments in silence.
 */
import type { Credentials } from "./broker-auth.ts";
import { BrokerConnection } from "./broker-connection.ts";
import { readFields } from "./broker-fields.ts";
import { Heartbeat } from "./broker-heartbeat.ts";
import type { Subscriber, Subscription } from "./broker-router.ts";
import type { BrokerSocket, SocketEvents } from "./broker-socket.ts";
import type { BrokerSession, BrokerState } from "./broker-state.ts";
import { type SessionView, viewOf } from "./broker-view.ts";
import type { Timer } from "./clock.ts";
import { FormatError, LimitError } from "./errors.ts";
import { NatsParser } from "./nats-parser.ts";
import {
  errorLine,
  infoLine,
  messageLine,
  messageOf,
  NATS_ERROR,
  type NatsMessage,
  type NatsOperation,
  NO_RESPONDERS,
  withoutHeaders,
} from "./nats-protocol.ts";
import { isValidPattern, isValidSubject } from "./nats-subject.ts";

const DEFAULT_CONNECT = {
  verbose: true,
  pedantic: true,
  echo: true,
  headers: false,
  no_responders: false,
  protocol: 0,
  name: "",
  lang: "",
  version: "",
  account: "",
};
type ConnectFields = typeof DEFAULT_CONNECT;
type CredentialField = "user" | "pass" | "auth_token" | "nkey" | "sig";
const CREDENTIAL_FIELDS: readonly CredentialField[] = ["user", "pass", "auth_token", "nkey", "sig"];
/** The one account there is, by the name nats-server gives it. */
const GLOBAL_ACCOUNT = "$G";

/** A subscription with the line that its last message got: the next one is often about the same and as large. */
interface ClientSubscription extends Subscription {
  last?: { readonly subject: string; readonly bytes: number; readonly line: string } | undefined;
}

function lineFor(subscription: ClientSubscription, message: NatsMessage): string {
  if (message.reply !== "" || message.headerBytes > 0) return messageLine(message, subscription.sid);
  const { last } = subscription;
  const { subject } = message;
  const bytes = message.end - message.start;
  if (last !== undefined && last.bytes === bytes && last.subject === subject) return last.line;
  const line = messageLine(message, subscription.sid);
  subscription.last = { subject, bytes, line };
  return line;
}

export class BrokerClient implements Subscriber, BrokerSession, SocketEvents {
  readonly kind = "client";
  readonly isMuted = false;
  readonly id: number;
  private readonly connection: BrokerConnection;
  private readonly parser: NatsParser;
  private readonly heartbeat: Heartbeat;
  private readonly startedMs: number;
  private readonly subscriptions = new Map<string, ClientSubscription>();
  private readonly nonce: string | undefined;
  private authTimer: Timer | undefined;
  private authenticated: boolean;
  private credentials: Credentials = {};
  private fields: ConnectFields = DEFAULT_CONNECT;
  private inMessages = 0;
  private inBytes = 0;
  private readonly onOperation = (operation: NatsOperation): boolean => {
    this.perform(operation);
    return this.connection.isOpen;
  };

  constructor(
    private readonly state: BrokerState,
    private readonly address: { host: string; port: number },
    readonly socket: BrokerSocket,
  ) {
    const { limits, deps, authenticator } = state;
    this.id = state.nextId();
    this.startedMs = deps.clock.now();
    this.connection = new BrokerConnection(socket, {
      pendingBytesMax: limits.pendingBytesMax,
      buffers: state.buffers,
      pace: state.pace,
      clock: deps.clock,
      onSlow: () => this.slow(),
    });
    this.parser = new NatsParser({ ...limits, dialect: "client" });
    this.heartbeat = new Heartbeat(deps.clock, {
      intervalMs: limits.pingIntervalMs,
      outMax: limits.pingOutMax,
      ping: () => this.connection.line("PING\r\n"),
      stale: () => this.fail(NATS_ERROR.stale),
    });
    this.nonce = authenticator.needsNonce ? state.newNonce() : undefined;
    this.authenticated = !authenticator.required;
    state.totalConnections++;
    if (state.sessions.size >= limits.connectionCountMax) {
      this.fail(NATS_ERROR.connections);
      return;
    }
    state.sessions.set(this.id, this);
    this.sendInfo();
    this.connection.flush();
    if (authenticator.required || state.tls !== undefined) {
      this.authTimer = deps.clock.after(limits.authTimeoutMs, () => this.fail(NATS_ERROR.authTimeout));
    }
    if (state.tls !== undefined) this.secure();
  }

  get echo(): boolean {
    return this.fields.echo;
  }

  view(): SessionView {
    const { name, lang, version } = this.fields;
    const { id: cid, startedMs, inMessages, inBytes } = this;
    const subscriptions = [...this.subscriptions.values()];
    return viewOf(
      { cid, kind: "Client", name, lang, version, startedMs, inMessages, inBytes, subscriptions },
      this.connection,
      this.heartbeat,
      this.credentials,
    );
  }

  lameDuck(): void {
    if (this.fields.protocol > 0) this.sendInfo();
  }

  checkAgain(): void {
    if (this.authenticated && !this.isLetIn()) this.close();
  }

  close(): void {
    this.connection.close();
  }

  terminate(): void {
    this.connection.terminate();
  }

  deliver(message: NatsMessage, subscription: ClientSubscription): void {
    // A client that does not know headers gets the payload alone.
    const fit = message.headerBytes > 0 && !this.fields.headers ? withoutHeaders(message) : message;
    this.connection.message(lineFor(subscription, fit), fit.bytes, fit.start, fit.end);
    subscription.delivered++;
    if (subscription.max > 0 && subscription.delivered >= subscription.max) this.unsubscribe(subscription);
  }

  onData(chunk: Uint8Array): void {
    if (!this.connection.isOpen) return;
    this.heartbeat.alive();
    try {
      this.parser.feed(chunk, this.onOperation);
      if (this.state.pace.isCrowded) this.state.pace.hold(this.socket);
    } catch (error) {
      if (!(error instanceof FormatError || error instanceof LimitError)) throw error;
      this.state.deps.log.debug("NATS client closed", { cid: this.id, reason: error.message });
      const reply = error.data["reply"];
      if (this.authenticated && typeof reply === "string") this.connection.line(errorLine(reply));
      else if (!this.authenticated) this.connection.line(errorLine(NATS_ERROR.authorization));
      this.connection.close();
    }
  }

  onDrain(): void {
    this.connection.drained();
  }

  onClose(): void {
    this.connection.gone();
    this.heartbeat.stop();
    this.authTimer?.cancel();
    this.state.sessions.delete(this.id);
    for (const subscription of this.subscriptions.values()) this.state.router.remove(subscription);
    this.subscriptions.clear();
  }

  private secure(): void {
    this.socket.startTls(this.state.tls!).then(
      () => {
        if (!this.state.authenticator.required) this.authTimer?.cancel();
      },
      () => this.connection.terminate(),
    );
  }

  private sendInfo(): void {
    const { remoteAddress, remotePort } = this.socket;
    this.connection.line(
      infoLine({
        ...this.state.info(this.address),
        client_id: this.id,
        client_ip: remoteAddress,
        ...(this.state.authenticator.required ? { auth_required: true } : {}),
        ...(this.nonce === undefined ? {} : { nonce: this.nonce }),
      }),
    );
    this.state.deps.log.debug("NATS client", { cid: this.id, ip: remoteAddress, port: remotePort });
  }

  private slow(): void {
    this.state.slowConsumers++;
    this.state.deps.log.warn("NATS client closed: it reads too slowly", {
      cid: this.id,
      name: this.fields.name,
    });
  }

  private fail(text: string): void {
    this.connection.line(errorLine(text));
    this.connection.close();
  }

  private ok(): void {
    if (this.fields.verbose) this.connection.line("+OK\r\n");
  }

  private perform(operation: NatsOperation): void {
    if (!this.authenticated && operation.op !== "connect") {
      this.fail(NATS_ERROR.authorization);
      return;
    }
    switch (operation.op) {
      case "pub":
        this.publish(operation);
        return;
      case "sub":
        this.subscribe(operation.subject, operation.queue, operation.sid);
        return;
      case "unsub":
        this.limit(operation.sid, operation.max);
        return;
      case "connect":
        this.connect(operation.text);
        return;
      case "ping":
        this.connection.line("PONG\r\n");
        return;
      case "pong":
        this.heartbeat.pong();
        return;
      case "error":
        this.connection.close();
        return;
    }
  }

  private connect(text: string): void {
    const given = readConnect(text, this.fields);
    if (given === undefined) {
      this.connection.close();
      return;
    }
    this.fields = given.fields;
    if (!this.authenticated) {
      this.credentials = given.credentials;
      this.authenticated = this.isLetIn();
      if (!this.authenticated) {
        this.fail(NATS_ERROR.authorization);
        return;
      }
    }
    const { account, protocol, no_responders, headers } = this.fields;
    if (account !== "" && account !== GLOBAL_ACCOUNT) {
      this.fail(NATS_ERROR.authorization);
      return;
    }
    this.authTimer?.cancel();
    if (protocol !== 0 && protocol !== 1) {
      this.fail(NATS_ERROR.protocol);
      return;
    }
    if (no_responders && !headers) {
      this.fail(NATS_ERROR.noResponders);
      return;
    }
    this.ok();
  }

  private isLetIn(): boolean {
    return this.state.authenticator.accepts(this.credentials, this.nonce ?? "");
  }

  private publish(message: NatsMessage): void {
    // A server that said no to headers is the only one that need not refuse them.
    if (message.headerBytes > 0 && !this.fields.headers) {
      this.connection.close();
      return;
    }
    this.inMessages++;
    this.inBytes += message.end - message.start;
    if (this.fields.pedantic && !isValidSubject(message.subject)) {
      this.connection.line(errorLine(NATS_ERROR.publishSubject));
    }
    this.ok();
    const reached = this.state.router.publish(this, message);
    if (!reached && message.reply !== "" && this.fields.no_responders) this.answerNobody(message.reply);
  }

  private answerNobody(reply: string): void {
    const subscription = this.state.router.subscriptionOf(this, reply);
    if (subscription === undefined) return;
    this.deliver(messageOf(reply, "", NO_RESPONDERS, NO_RESPONDERS.length), subscription);
  }

  private subscribe(subject: string, queue: string, sid: string): void {
    if (!isValidPattern(subject)) {
      this.connection.line(errorLine(NATS_ERROR.subject));
      return;
    }
    if (!this.subscriptions.has(sid)) {
      if (this.subscriptions.size >= this.state.limits.subscriptionCountMax) {
        this.connection.line(errorLine(NATS_ERROR.subscriptions));
        return;
      }
      const counts = { weight: 1, max: 0, delivered: 0 };
      const subscription = { owner: this, subject, queue, sid, ...counts, last: undefined };
      this.subscriptions.set(sid, subscription);
      this.state.router.add(subscription);
    }
    this.ok();
  }

  private limit(sid: string, max: number): void {
    const subscription = this.subscriptions.get(sid);
    if (subscription !== undefined) {
      subscription.max = max;
      if (max === 0 || subscription.delivered >= max) this.unsubscribe(subscription);
    }
    this.ok();
  }

  private unsubscribe(subscription: Subscription): void {
    this.subscriptions.delete(subscription.sid);
    this.state.router.remove(subscription);
  }
}

interface Connect {
  readonly fields: ConnectFields;
  readonly credentials: Partial<Record<CredentialField, string>>;
}

/** The fields of CONNECT, those left out as `before`, or undefined when it is not JSON of the right types. */
function readConnect(text: string, before: ConnectFields): Connect | undefined {
  const given = readFields(text);
  if (given === undefined) return undefined;
  const fields: Record<string, unknown> = { ...before };
  for (const [name, value] of Object.entries(before)) {
    const own = given[name] ?? value;
    if (typeof own !== typeof value) return undefined;
    fields[name] = own;
  }
  const credentials: Partial<Record<CredentialField, string>> = {};
  for (const name of CREDENTIAL_FIELDS) {
    const own = given[name];
    if (own === undefined || own === null) continue;
    if (typeof own !== "string") return undefined;
    if (own !== "") credentials[name] = own;
  }
  return { fields: fields as ConnectFields, credentials };
}
