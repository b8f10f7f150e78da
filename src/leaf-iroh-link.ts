/**
 * One link of a leaf to another on iroh, over one connection. While it is in use, it is a bidirectional stream on which the
 * brokers of both are leafnodes of one another (`iroh-hello`).
 *
 * In reserve. A leaf wants a subject of its own, `$EDGESYNC.iroh.<id>`, which leafnodes pass on like any other. While a
 * peer's is wanted beyond this broker, the peer is linked by another way, and one more would close a circle, round which
 * messages go twice: then the connection stays without a stream. The side that connected watches, and begins a stream when the
 * other way is gone; after `APART_MS_MIN` to `APART_MS_MAX`, left to chance, since links elsewhere wait for the
 * same. Links that begin at the same moment may close a circle all the same: the brokers cut it
 * (`broker-leafnode-loop`), the stream ends, and the link is in reserve.
 */
import type { Broker } from "./broker.ts";
import type { Clock } from "./clock.ts";
import { ProtocolError, TimeoutError } from "./errors.ts";
import { IROH_CLOSE, type IrohConnection } from "./iroh-connection.ts";
import { peerName } from "./iroh-endpoint.ts";
import { formatHello, type IrohRole, joins, readHello } from "./iroh-hello.ts";
import { IrohSocket } from "./iroh-socket.ts";
import type { IrohStream } from "./iroh-stream.ts";
import { IROH_CONNECT_MS, IROH_RETRY_MAX_MS, IROH_RETRY_MIN_MS } from "./limits.ts";
import type { Logger } from "./log.ts";
import { type Random, randomWait } from "./random.ts";

const APART_MS_MIN = 50;
const APART_MS_MAX = 1_000;
/** By then brokers that have met, or parted, know what the others want. */
const SETTLE_MS = 500;
/** A circle is found sooner. */
const LASTED_MS = 10_000;

/** What a leaf wants so that others know how it is linked. */
export const linkSubject = (id: string) => `$EDGESYNC.iroh.${id}`;

export interface LinkSurroundings {
  readonly broker: Broker;
  readonly own: { readonly role: IrohRole; readonly id: string };
  /** Called when there may be other peers behind the link than before. */
  readonly onChange: () => void;
}

export interface LinkDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export class LeafIrohLink {
  /** Whether messages cross it now. */
  isUsed = false;
  private readonly peer: string;

  constructor(
    readonly connection: IrohConnection,
    private readonly around: LinkSurroundings,
    private readonly deps: LinkDependencies,
  ) {
    this.peer = peerName(connection.remoteId);
  }

  /** Resolves when the connection is over. Rejects when the peer does not begin as a link does. */
  async run(): Promise<void> {
    const { connection, deps } = this;
    let waitMs = IROH_RETRY_MIN_MS;
    while (connection.isOpen) {
      if (connection.isOurs) await this.apart();
      const stream = await this.nextStream();
      if (stream === undefined) break;
      const began = deps.clock.monotonic();
      await this.use(stream);
      if (deps.clock.monotonic() - began > LASTED_MS) waitMs = IROH_RETRY_MIN_MS;
      if (connection.isOurs) await this.wait(randomWait(deps.random, waitMs));
      waitMs = Math.min(IROH_RETRY_MAX_MS, 2 * waitMs);
    }
    const refusal = this.refusal();
    if (refusal !== undefined) throw refusal;
  }

  private async nextStream(): Promise<IrohStream | undefined> {
    const { connection } = this;
    try {
      return await (connection.isOurs ? connection.openStream() : connection.acceptStream());
    } catch (error) {
      if (connection.isOpen) throw error;
      return undefined;
    }
  }

  /** Resolves when the peer is not linked by another way, or the connection is over. */
  private async apart(): Promise<void> {
    const { connection, around, deps } = this;
    const { remoteId: id } = connection;
    const beyond = around.broker.beyond(linkSubject(id));
    try {
      if (beyond.isWanted) deps.log.info("iroh link in reserve: the peer is linked by another way", { id });
      while (beyond.isWanted && connection.isOpen) {
        const gone = new Promise<void>((resolve) => {
          beyond.onGone = resolve;
        });
        await Promise.race([gone, connection.closed]);
        await this.wait(APART_MS_MIN + deps.random.float() * (APART_MS_MAX - APART_MS_MIN));
      }
    } finally {
      beyond.stop();
    }
  }

  /** The brokers share what they know, until the stream ends. */
  private async use(stream: IrohStream): Promise<void> {
    const { connection, around } = this;
    const { clock, log } = this.deps;
    const { remoteId: id } = connection;
    const { isJoining, rest } = await this.meet(stream);
    const socket = new IrohSocket(connection, stream);
    socket.start(around.broker.leafOver(socket, isJoining), rest);
    this.isUsed = true;
    log.info("iroh peer linked", { id, path: connection.path()?.kind, joins: isJoining });
    clock.after(SETTLE_MS, around.onChange);
    await socket.closed;
    this.isUsed = false;
    clock.after(SETTLE_MS, around.onChange);
  }

  /** Finds out who joins whom. */
  private async meet(stream: IrohStream) {
    const { connection, around, peer } = this;
    const { role: ownRole } = around.own;
    let isLate = false;
    const timer = this.deps.clock.after(IROH_CONNECT_MS, () => {
      isLate = true;
      connection.close(IROH_CLOSE.done);
    });
    try {
      if (connection.isOurs) await stream.write(formatHello(ownRole));
      const { role, rest } = await readHello(stream);
      if (!connection.isOurs) await stream.write(formatHello(ownRole));
      const isJoining = joins(around.own, { role, id: connection.remoteId });
      if (isJoining !== undefined) return { isJoining, rest };
      throw new ProtocolError("iroh-roles", `${peer} and this one are both of role leaf, which only join`);
    } catch (error) {
      if (!isLate) throw this.refusal() ?? error;
      const seconds = IROH_CONNECT_MS / 1000;
      throw new TimeoutError("peer-timeout", `${peer} did not say what it is within ${seconds} s`);
    } finally {
      timer.cancel();
    }
  }

  private refusal(): ProtocolError | undefined {
    if (!this.connection.isRefused) return undefined;
    const allow = `there, edgesync peers allow ${this.around.own.id}`;
    return new ProtocolError("peer-refused", `${this.peer} does not allow this endpoint: ${allow}`);
  }

  /** Ends early with the connection. */
  private async wait(ms: number): Promise<void> {
    const ending = new AbortController();
    const waiting = this.deps.clock.sleep(ms, ending.signal).catch(() => {});
    await Promise.race([waiting, this.connection.closed]);
    ending.abort();
  }
}
