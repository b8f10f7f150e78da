/**
 * An endpoint of iroh: it finds and is found by the other endpoints, whose public keys are their names.
 *
 * Addresses. An endpoint is written as its id (64 hex digits, or base32) or as a ticket (`endpoint…`), which holds an
 * id and where it was at the time. By the id alone it is found only with the `default` relays, which come with a
 * directory.
 *
 * Admission. Who connects has proved its id when the handshake is over; `admit` then decides, before anything it
 * sends is read. While `IROH_CONNECTION_MAX_COUNT` connections are open or being made, others are refused.
 *
 * Connections made here for exchanges are kept and used again (`reach`). An endpoint that came to nothing begins anew
 * (`rebind`).
 */
import type { Connection, Endpoint, Incoming } from "@number0/iroh";
import { latin1, utf8 } from "./bytes.ts";
import type { Clock } from "./clock.ts";
import { EdgeSyncError, ProtocolError } from "./errors.ts";
import { type Iroh, loadIroh } from "./iroh-addon.ts";
import { mergeEndpoints, parseEndpoint } from "./iroh-address.ts";
import { IROH_CLOSE, IrohConnection, irohReason } from "./iroh-connection.ts";
import { IROH_CONNECT_MS, IROH_CONNECTION_MAX_COUNT } from "./limits.ts";
import type { Logger } from "./log.ts";

/** `default`: public relays and directory. `disabled`: only addresses that tickets name. Else a relay of one's own. */
export type IrohRelay = "default" | "disabled" | { readonly url: string; readonly token?: string };

export interface IrohEndpointOptions {
  /** 32 bytes (`iroh-key`). */
  readonly secretKey: Uint8Array;
  readonly relay: IrohRelay;
  /** Default: all interfaces. */
  readonly host?: string;
  /** Any other is taken when it is in use; default: any. */
  readonly port?: number;
  readonly connectionMaxCount?: number;
  /** Whether an endpoint may connect here; absent: none may. */
  readonly admit?: (id: string) => Promise<boolean> | boolean;
  /** Connections of endpoints that may, by ALPN. */
  readonly accept?: Readonly<Record<string, (connection: IrohConnection) => void>>;
}

export class IrohEndpoint {
  readonly id: string;
  private readonly open = new Set<IrohConnection>();
  private readonly reached = new Map<string, Promise<IrohConnection>>();
  /** Of `reached`, those that were. */
  private readonly inUse = new Map<string, IrohConnection>();
  private handshakeCount = 0;
  private closed = false;
  private rebinding: Promise<void> | undefined;
  private becomingOnline: Promise<boolean> | undefined;

  private constructor(
    private readonly iroh: Iroh,
    private endpoint: Endpoint,
    private readonly options: IrohEndpointOptions,
    private readonly deps: { readonly clock: Clock; readonly log: Logger },
  ) {
    this.id = endpoint.id().toString();
    this.acceptAll(endpoint);
  }

  /** @throws EdgeSyncError `no-iroh`, `iroh-endpoint` */
  static async start(
    options: IrohEndpointOptions,
    deps: { readonly clock: Clock; readonly log: Logger },
  ): Promise<IrohEndpoint> {
    const iroh = await loadIroh();
    try {
      return new IrohEndpoint(iroh, await bind(iroh, options), options, deps);
    } catch (error) {
      throw new EdgeSyncError("iroh-endpoint", `no iroh endpoint can be opened: ${irohReason(error)}`);
    }
  }

  /** The relay over which others may reach this endpoint, as far as it is known; undefined without relays. */
  get relayUrl(): string | undefined {
    const { relay } = this.options;
    if (typeof relay === "object") return relay.url;
    return relay === "disabled" ? undefined : (this.endpoint.addr().relayUrl() ?? undefined);
  }

  get hasRelay(): boolean {
    return this.options.relay !== "disabled";
  }

  /** Whether the addon has closed it, unasked. */
  get isDead(): boolean {
    return !this.closed && this.rebinding === undefined && this.endpoint.isClosed();
  }

  /** Whether a connection to a relay is there, or comes about within this time. */
  async isOnline(waitMs: number): Promise<boolean> {
    const { endpoint } = this;
    // One that waits is enough.
    this.becomingOnline ??= endpoint
      .online()
      .then(
        () => endpoint === this.endpoint,
        () => false,
      )
      .finally(() => {
        this.becomingOnline = undefined;
      });
    return Promise.race([this.becomingOnline, this.deps.clock.sleep(waitMs).then(() => false)]);
  }

  /** Begins anew with the same key. The port is another: the addon keeps those it had. Connections that are open end. */
  rebind(): Promise<void> {
    if (this.closed) return Promise.resolve();
    this.rebinding ??= this.bindAgain().finally(() => {
      this.rebinding = undefined;
    });
    return this.rebinding;
  }

  /** Those that are open. */
  get connections(): readonly IrohConnection[] {
    return [...this.open];
  }

  /** Where this endpoint is now, for others to find it. */
  ticket(): string {
    return this.iroh.EndpointTicket.fromAddr(this.endpoint.addr()).toString();
  }

  /** The id in an id or ticket. @throws UsageError `iroh-address` */
  idOf(address: string): string {
    return parseEndpoint(this.iroh, address).id().toString();
  }

  /**
   * Connects anew.
   *
   * @param how `heard`: a ticket of the same endpoint that somebody else told of; `signal`: when to give up, besides
   *   after `IROH_CONNECT_MS`
   * @throws UsageError `iroh-address`; ProtocolError `peer-unreachable`, `transport-closed`
   */
  async connect(
    address: string,
    alpn: string,
    { heard = address, signal }: { heard?: string | undefined; signal?: AbortSignal } = {},
  ): Promise<IrohConnection> {
    const to = mergeEndpoints(this.iroh, parseEndpoint(this.iroh, address), parseEndpoint(this.iroh, heard));
    const peer = peerName(to.id().toString());
    if (this.closed) throw new ProtocolError("transport-closed", "this endpoint is closed");
    const connecting = this.endpoint.connect(to, [...utf8(alpn)]);
    let isLate = false;
    const { promise: late, reject } = Promise.withResolvers<never>();
    const giveUp = (why: string) => {
      isLate = true;
      reject(new ProtocolError("peer-unreachable", `${peer} ${why}`));
    };
    const onAbort = () => giveUp("was not waited for");
    const timer = this.deps.clock.after(IROH_CONNECT_MS, () =>
      giveUp(`did not answer within ${IROH_CONNECT_MS / 1000} s`),
    );
    signal?.addEventListener("abort", onAbort, { once: true });
    connecting.then(
      (connection) => isLate && connection.close(IROH_CLOSE.done.code, []),
      () => {},
    );
    try {
      return this.keep(await Promise.race([connecting, late]), true);
    } catch (error) {
      if (error instanceof EdgeSyncError) throw error;
      throw new ProtocolError("peer-unreachable", `${peer} cannot be reached: ${irohReason(error)}`);
    } finally {
      timer.cancel();
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** The connection that was made before, or a new one. @throws as `connect` */
  async reach(address: string, alpn: string): Promise<IrohConnection> {
    const key = `${alpn} ${this.idOf(address)}`;
    const known = this.reached.get(key);
    if (known !== undefined) {
      const connection = await known.catch(() => undefined);
      if (connection?.isOpen === true) return connection;
      if (this.reached.get(key) !== known) return this.reach(address, alpn);
    }
    const connecting = this.connect(address, alpn);
    this.reached.set(key, connecting);
    const forget = () => {
      if (this.reached.get(key) !== connecting) return;
      this.reached.delete(key);
      this.inUse.delete(key);
    };
    connecting.then((connection) => {
      if (this.reached.get(key) === connecting) this.inUse.set(key, connection);
      void connection.closed.then(forget);
    }, forget);
    return connecting;
  }

  /** Whether a connection is there that `reach` would give. */
  isReached(id: string, alpn: string): boolean {
    return this.inUse.get(`${alpn} ${id}`)?.isOpen === true;
  }

  /** What was reached of an endpoint is not used again: it has started anew. */
  forget(id: string): void {
    for (const [key, connecting] of this.reached) {
      if (!key.endsWith(` ${id}`)) continue;
      this.reached.delete(key);
      this.inUse.delete(key);
      connecting.then((connection) => connection.close(IROH_CLOSE.replaced)).catch(() => {});
    }
  }

  /** Ends connections of endpoints that `admit` no longer lets in. */
  async recheck(): Promise<void> {
    for (const connection of [...this.open]) {
      if (!connection.isOurs && !(await this.isAdmitted(connection.remoteId)))
        connection.close(IROH_CLOSE.refused);
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.rebinding?.catch(() => {});
    for (const connection of this.open) connection.close(IROH_CLOSE.done);
    await this.endpoint.close();
  }

  private keep(connection: Connection, isOurs: boolean): IrohConnection {
    const kept = new IrohConnection(connection, isOurs);
    this.open.add(kept);
    void kept.closed.then(() => this.open.delete(kept));
    return kept;
  }

  private async bindAgain(): Promise<void> {
    for (const connection of this.open) connection.close(IROH_CLOSE.done);
    await this.endpoint.close().catch(() => {});
    const endpoint = await bind(this.iroh, this.options);
    this.endpoint = endpoint;
    this.becomingOnline = undefined;
    if (this.closed) await endpoint.close();
    else this.acceptAll(endpoint);
  }

  private acceptAll(endpoint: Endpoint): void {
    if (this.options.accept === undefined) return;
    this.acceptFrom(endpoint).catch((error) => {
      this.deps.log.warn("iroh endpoint takes no more connections", { reason: irohReason(error) });
    });
  }

  private async acceptFrom(endpoint: Endpoint): Promise<void> {
    const { connectionMaxCount = IROH_CONNECTION_MAX_COUNT } = this.options;
    for (;;) {
      const incoming = await endpoint.acceptNext();
      if (incoming === null) return;
      if (this.handshakeCount + this.open.size >= connectionMaxCount) {
        incoming.refuse().catch(() => {});
        continue;
      }
      this.handshakeCount++;
      void this.handshake(incoming)
        .catch((error) => this.deps.log.debug("iroh connection failed", { reason: irohReason(error) }))
        .finally(() => this.handshakeCount--);
    }
  }

  private async handshake(incoming: Incoming): Promise<void> {
    const accepting = await incoming.accept();
    const connection = await accepting.connect();
    const kept = this.keep(connection, false);
    if (!(await this.isAdmitted(kept.remoteId))) {
      this.deps.log.warn("iroh endpoint not allowed", { id: kept.remoteId });
      kept.close(IROH_CLOSE.refused);
      return;
    }
    const alpn = latin1(Uint8Array.from(connection.alpn()));
    this.options.accept?.[alpn]?.(kept);
  }

  private async isAdmitted(id: string): Promise<boolean> {
    return (await this.options.admit?.(id)) === true;
  }
}

/** An endpoint as errors and logs name it. */
export function peerName(id: string): string {
  return `iroh:${id.slice(0, 10)}`;
}

/** On any other port when that of `options` is in use. */
async function bind(iroh: Iroh, options: IrohEndpointOptions): Promise<Endpoint> {
  const { port } = options;
  if (port !== undefined) {
    try {
      return await bindAt(iroh, options, port);
    } catch {
      // In use, most likely; if not, what follows fails, too.
    }
  }
  return bindAt(iroh, options, 0);
}

async function bindAt(iroh: Iroh, options: IrohEndpointOptions, port: number): Promise<Endpoint> {
  const { secretKey, relay, host = "0.0.0.0", accept = {} } = options;
  const builder = iroh.Endpoint.builder();
  if (relay === "default") iroh.presetN0(builder);
  else iroh.presetMinimal(builder);
  if (relay === "disabled") builder.relayMode(iroh.RelayMode.disabled());
  else if (relay !== "default") {
    const map = iroh.RelayMap.empty();
    map.insert({ url: relay.url, ...(relay.token !== undefined && { authToken: relay.token }) });
    builder.relayMode(iroh.RelayMode.custom(map));
  }
  builder.secretKey([...secretKey]);
  builder.alpns(Object.keys(accept).map((alpn) => [...utf8(alpn)]));
  builder.bindAddr(`${host}:${port}`);
  return builder.bind();
}
