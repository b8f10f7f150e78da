/**
 * A leaf's links to other leaves on iroh (`leaf-iroh-link`), by which presence, announcements and messages flow with no
 * other server.
 *
 * Peers that the leaf was told of are connected to, and again whenever the link is gone: after a wait that doubles from
 * `IROH_RETRY_MIN_MS` to `IROH_RETRY_MAX_MS`, shortened by chance to between half and all of it. A link that lasted
 * starts over with the shortest wait, and so does one whose peer is heard to be elsewhere.
 *
 * Peers that the leaf has only heard of, and that may connect to it, are met: connected to as well, so that they stay
 * linked when those are gone by whom they were heard; at most `IROH_MET_MAX_COUNT`. One that turns this leaf away, or was never
 * reached within `IROH_AVOID_MS`, or not for `IROH_MET_KEEP_MS`, is left alone for `IROH_AVOID_MAX_MS`.
 *
 * Two endpoints have one link. When each connects to the other at about the same time, the connection that the lower
 * id began stays, on both sides; otherwise the newer one: its peer has lost the older.
 */
import type { Broker } from "./broker.ts";
import type { LocalClient } from "./broker-local.ts";
import { EdgeSyncError } from "./errors.ts";
import { IROH_CLOSE, type IrohConnection, irohReason } from "./iroh-connection.ts";
import type { IrohEndpoint } from "./iroh-endpoint.ts";
import { type IrohRole, LEAFNODE_ALPN } from "./iroh-hello.ts";
import { LeafIrohLink, type LinkDependencies, linkSubject } from "./leaf-iroh-link.ts";
import {
  IROH_AVOID_MAX_MS,
  IROH_AVOID_MS,
  IROH_CONNECT_MS,
  IROH_MET_KEEP_MS,
  IROH_MET_MAX_COUNT,
  IROH_RETRY_MAX_MS,
  IROH_RETRY_MIN_MS,
  PRESENCE_PEER_MAX_COUNT,
} from "./limits.ts";
import { randomWait } from "./random.ts";

/** Connections made at the same time differ by less. */
const CROSSING_MS = 1_000;
const LASTED_MS = 10_000;
/** Errors that another attempt would end with as well. */
const FINAL = ["peer-refused", "iroh-roles"];

interface Taken {
  readonly link: LeafIrohLink;
  readonly since: number;
}

export class LeafIrohLinks {
  /** Called when there may be new peers behind a link. */
  onLinked: () => void = () => {};
  private readonly links = new Map<string, Taken>();
  /** Where peers that this leaf stays with are said to be now, by their ids. */
  private readonly heard = new Map<string, string>();
  /** What ends an attempt to connect to them, or the wait for the next. */
  private readonly attempts = new Map<string, () => void>();
  /** Peers that were met, and what ends that. */
  private readonly met = new Map<string, AbortController>();
  /** Until when (monotonic) peers are not met again. */
  private readonly leftAlone = new Map<string, number>();
  private readonly client: LocalClient;
  private readonly stopping = new AbortController();

  constructor(
    private readonly endpoint: IrohEndpoint,
    private readonly broker: Broker,
    private readonly role: IrohRole,
    private readonly deps: LinkDependencies & { readonly isRelayDown: () => boolean },
  ) {
    // So others know that this leaf is linked with them, by whatever way.
    this.client = broker.connect();
    this.client.subscribe(linkSubject(endpoint.id), () => {});
    this.stopping.signal.addEventListener("abort", () => {
      this.client.close();
      for (const { link } of this.links.values()) link.connection.close(IROH_CLOSE.done);
    });
  }

  /** A peer is said to be elsewhere than before. */
  hear(ticket: string): void {
    const id = this.endpoint.idOf(ticket);
    if (!this.heard.has(id) || this.heard.get(id) === ticket) return;
    this.heard.set(id, ticket);
    this.attempts.get(id)?.();
  }

  /** Attempts that wait for their time begin at once: there may be other ways than before. */
  hurry(): void {
    for (const begin of this.attempts.values()) begin();
  }

  /** Whether `meet` would do something. */
  mayMeet(id: string): boolean {
    if (id === this.endpoint.id || this.heard.has(id) || this.met.size >= IROH_MET_MAX_COUNT) return false;
    return (this.leftAlone.get(id) ?? 0) <= this.deps.clock.monotonic();
  }

  /** Has one more link to a peer that was heard of, and that may connect here, in reserve at least. */
  meet(ticket: string): void {
    const id = this.endpoint.idOf(ticket);
    if (!this.mayMeet(id)) return;
    const ending = new AbortController();
    this.met.set(id, ending);
    void this.stayWith(ticket, ending.signal).finally(() => {
      for (const known of [this.met, this.heard, this.attempts]) known.delete(id);
      if (this.leftAlone.size >= PRESENCE_PEER_MAX_COUNT) this.leftAlone.clear();
      this.leftAlone.set(id, this.deps.clock.monotonic() + IROH_AVOID_MAX_MS);
    });
  }

  /** Ends links with peers that were met and may not connect here any more. */
  async recheck(admit: (id: string) => Promise<boolean>): Promise<void> {
    for (const [id, ending] of [...this.met]) {
      if (await admit(id)) continue;
      ending.abort();
      this.links.get(id)?.link.connection.close(IROH_CLOSE.refused);
    }
  }

  /**
   * Connects to a peer, and stays connected.
   *
   * @param address id or ticket
   * @param whileMet of a peer that was only heard of: until when
   */
  async stayWith(address: string, whileMet?: AbortSignal): Promise<void> {
    const { clock, random, log } = this.deps;
    const signal = AbortSignal.any([this.stopping.signal, ...(whileMet === undefined ? [] : [whileMet])]);
    const id = this.endpoint.idOf(address);
    let waitMs = IROH_RETRY_MIN_MS;
    let told = "";
    let giveUpAt = clock.monotonic() + IROH_AVOID_MS;
    this.heard.set(id, address);
    while (!signal.aborted) {
      const began = clock.monotonic();
      if (whileMet !== undefined && began >= giveUpAt) return;
      const elsewhere = new AbortController();
      this.attempts.set(id, () => elsewhere.abort());
      const either = AbortSignal.any([signal, elsewhere.signal]);
      try {
        const taken = this.links.get(id);
        const how = { heard: this.heard.get(id), signal: either };
        if (taken !== undefined) await taken.link.connection.closed;
        else await this.link(await this.endpoint.connect(address, LEAFNODE_ALPN, how));
        giveUpAt = clock.monotonic() + IROH_MET_KEEP_MS;
      } catch (error) {
        const isFinal = error instanceof EdgeSyncError && FINAL.includes(error.code);
        if (whileMet !== undefined && isFinal) return;
        const reason = irohReason(error);
        // Then it may be this side that is not reached.
        const ownRelay = this.deps.isRelayDown() ? { ownRelay: "down" } : {};
        if (reason !== told && !either.aborted)
          log[whileMet === undefined ? "warn" : "debug"]("iroh peer not reached", {
            id,
            reason,
            ...ownRelay,
          });
        told = reason;
      }
      if (clock.monotonic() - began > LASTED_MS + IROH_CONNECT_MS) {
        waitMs = IROH_RETRY_MIN_MS;
        told = "";
      }
      await clock.sleep(randomWait(random, waitMs), either).catch(() => {});
      waitMs = Math.min(IROH_RETRY_MAX_MS, 2 * waitMs);
      if (!elsewhere.signal.aborted) continue;
      // Whoever lies about a peer does not make this one rush.
      waitMs = IROH_RETRY_MIN_MS;
      await clock.sleep(randomWait(random, waitMs), signal).catch(() => {});
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
    const { endpoint, broker, role, deps } = this;
    const onChange = () => this.onLinked();
    const link = new LeafIrohLink(connection, { broker, own: { role, id: endpoint.id }, onChange }, deps);
    if (!this.take(link)) {
      connection.close(IROH_CLOSE.replaced);
      await this.links.get(id)?.link.connection.closed;
      return;
    }
    try {
      await link.run();
      deps.log.info("iroh peer lost", { id, reason: await connection.closed });
    } finally {
      connection.close(IROH_CLOSE.done);
      if (this.links.get(id)?.link === link) this.links.delete(id);
    }
  }

  /** Whether this connection is to be the link; another one gives way to it. */
  private take(link: LeafIrohLink): boolean {
    const { remoteId: id, isOurs } = link.connection;
    const now = this.deps.clock.monotonic();
    const known = this.links.get(id);
    if (this.stopping.signal.aborted) return false;
    if (
      known?.link.connection.isOpen === true &&
      known.link.connection.isOurs !== isOurs &&
      now - known.since < CROSSING_MS
    ) {
      if (isOurs !== this.endpoint.id < id) return false;
    }
    this.links.set(id, { link, since: now });
    known?.link.connection.close(IROH_CLOSE.replaced);
    // It may have started anew, and what it was asked before is lost.
    if (!isOurs) this.endpoint.forget(id);
    return true;
  }
}
