/**
 * A leaf's links to other leaves on iroh: connections on which the brokers of both are leafnodes of one another
 * (`iroh-hello`), so that presence, announcements and messages flow with no other server.
 *
 * Peers that the leaf was told of are connected to, and again whenever the link is gone: after a wait that doubles from
 * `IROH_RETRY_MIN_MS` to `IROH_RETRY_MAX_MS`, shortened by chance to between half and all of it. A link that lasted
 * starts over with the shortest wait; one that the brokers cut at once, because it would close a circle, does not.
 *
 * Two endpoints have one link. When each connects to the other at about the same time, the connection that the lower
 * id began stays, on both sides; otherwise the newer one: its peer has lost the older.
 */
import type { Broker } from "./broker.ts";
import type { Clock } from "./clock.ts";
import { ProtocolError, TimeoutError } from "./errors.ts";
import { IROH_CLOSE, type IrohConnection, irohReason } from "./iroh-connection.ts";
import { type IrohEndpoint, peerName } from "./iroh-endpoint.ts";
import { formatHello, type IrohRole, joins, LEAFNODE_ALPN, readHello } from "./iroh-hello.ts";
import { IrohSocket } from "./iroh-socket.ts";
import { IROH_CONNECT_MS, IROH_RETRY_MAX_MS, IROH_RETRY_MIN_MS } from "./limits.ts";
import type { Logger } from "./log.ts";
import type { Random } from "./random.ts";

/** Connections made at the same time differ by less. */
const CROSSING_MS = 1_000;
/** By then brokers that have met know what the other wants. */
const SETTLE_MS = 500;
/** A circle is found sooner. */
const LASTED_MS = 10_000;

interface Link {
  readonly connection: IrohConnection;
  readonly since: number;
}

export class LeafIrohLinks {
  /** Called when there may be new peers behind a link. */
  onLinked: () => void = () => {};
  private readonly links = new Map<string, Link>();
  private readonly stopping = new AbortController();

  constructor(
    private readonly endpoint: IrohEndpoint,
    private readonly broker: Broker,
    private readonly role: IrohRole,
    private readonly deps: { readonly clock: Clock; readonly random: Random; readonly log: Logger },
  ) {
    this.stopping.signal.addEventListener("abort", () => {
      for (const { connection } of this.links.values()) connection.close(IROH_CLOSE.done);
    });
  }

  /** Connects to a peer, and stays connected. @param address id or ticket */
  async stayWith(address: string): Promise<void> {
    const { clock, random, log } = this.deps;
    const { signal } = this.stopping;
    const id = this.endpoint.idOf(address);
    let waitMs = IROH_RETRY_MIN_MS;
    let told = "";
    while (!signal.aborted) {
      const began = clock.monotonic();
      try {
        const link = this.links.get(id);
        if (link !== undefined) await link.connection.closed;
        else await this.link(await this.endpoint.connect(address, LEAFNODE_ALPN));
      } catch (error) {
        const reason = irohReason(error);
        if (reason !== told && !signal.aborted) log.warn("iroh peer not reached", { id, reason });
        told = reason;
      }
      if (clock.monotonic() - began > LASTED_MS + IROH_CONNECT_MS) {
        waitMs = IROH_RETRY_MIN_MS;
        told = "";
      }
      await clock.sleep(waitMs * (0.5 + random.float() / 2), signal).catch(() => {});
      waitMs = Math.min(IROH_RETRY_MAX_MS, 2 * waitMs);
    }
  }

  /** A connection that an endpoint made to this one. */
  accept(connection: IrohConnection): void {
    this.link(connection).catch((error) => {
      this.deps.log.debug("iroh link failed", { id: connection.remoteId, reason: irohReason(error) });
    });
  }

  stop(): void {
    this.stopping.abort();
  }

  /** Resolves when the link is over. Rejects when it came to nothing. */
  private async link(connection: IrohConnection): Promise<void> {
    const { remoteId: id } = connection;
    const { log } = this.deps;
    if (!this.take(connection)) {
      connection.close(IROH_CLOSE.replaced);
      await this.links.get(id)?.connection.closed;
      return;
    }
    try {
      const isJoining = await this.begin(connection);
      log.info("iroh peer linked", { id, path: connection.path()?.kind, joins: isJoining });
      const timer = this.deps.clock.after(SETTLE_MS, () => this.onLinked());
      const reason = await connection.closed;
      timer.cancel();
      log.info("iroh peer lost", { id, reason });
    } finally {
      connection.close(IROH_CLOSE.done);
      if (this.links.get(id)?.connection === connection) this.links.delete(id);
    }
  }

  /** Whether this connection is to be the link; another one gives way to it. */
  private take(connection: IrohConnection): boolean {
    const { remoteId: id, isOurs } = connection;
    const now = this.deps.clock.monotonic();
    const known = this.links.get(id);
    if (this.stopping.signal.aborted) return false;
    if (
      known?.connection.isOpen === true &&
      known.connection.isOurs !== isOurs &&
      now - known.since < CROSSING_MS
    ) {
      if (isOurs !== this.endpoint.id < id) return false;
    }
    this.links.set(id, { connection, since: now });
    known?.connection.close(IROH_CLOSE.replaced);
    // It may have started anew, and what it was asked before is lost.
    if (!isOurs) this.endpoint.forget(id);
    return true;
  }

  /** Finds out who joins whom, and hands the stream to the broker. */
  private async begin(connection: IrohConnection): Promise<boolean> {
    const peer = peerName(connection.remoteId);
    let isLate = false;
    const timer = this.deps.clock.after(IROH_CONNECT_MS, () => {
      isLate = true;
      connection.close(IROH_CLOSE.done);
    });
    try {
      const { isOurs } = connection;
      const stream = isOurs ? await connection.openStream() : await connection.acceptStream();
      if (isOurs) await stream.write(formatHello(this.role));
      const { role, rest } = await readHello(stream);
      if (!isOurs) await stream.write(formatHello(this.role));
      const isJoining = joins({ role: this.role, id: this.endpoint.id }, { role, id: connection.remoteId });
      if (isJoining === undefined) {
        throw new ProtocolError("iroh-roles", `${peer} and this one are both of role leaf, which only join`);
      }
      const socket = new IrohSocket(connection, stream);
      socket.start(this.broker.leafOver(socket, isJoining), rest);
      return isJoining;
    } catch (error) {
      if (!isLate) throw this.refusal(connection) ?? error;
      throw new TimeoutError(
        "peer-timeout",
        `${peer} did not say what it is within ${IROH_CONNECT_MS / 1000} s`,
      );
    } finally {
      timer.cancel();
    }
  }

  private refusal(connection: IrohConnection): ProtocolError | undefined {
    if (!connection.isRefused) return undefined;
    const message = `${peerName(connection.remoteId)} does not allow this endpoint: there, edgesync peers allow ${this.endpoint.id}`;
    return new ProtocolError("peer-refused", message);
  }
}
