/**
 * Looks after the iroh endpoint of a leaf.
 *
 * Connections, every `IROH_HEALTH_MS`. An idle peer is heard every 5 s. One that was silent for `IROH_SILENT_MS` is ended: its path is dead,
 * or this machine slept; whoever wants it connects again.
 *
 * Network, as often. When the addresses of this machine are others than before, what waits to connect need not wait. Where new ones
 * took the place of old ones, connections that others made are ended: in QUIC only the side that connected can move, and
 * the other goes on sending to where this one was.
 *
 * Relay, every `IROH_ENDPOINT_LOOK_MS`. Where the endpoint has no connection to its relay, the relay's `/ping` is asked. No answer: the relay is `down`,
 * and peers are not reached over it through no fault of theirs. An answer: it is the endpoint that hangs (`wedged`).
 *
 * Rebinding, looked at as often as the relay. The endpoint begins anew, with its key but at another port, when the addon has closed it; when it is wedged; or when
 * there are peers to be linked with and not one connection is there: after `IROH_REBIND_MS`, and twice as long each time that
 * did not help. An endpoint that only waits for others has no such sign.
 */
import type { Clock, Timer } from "./clock.ts";
import type { IrohConnection } from "./iroh-connection.ts";
import { IROH_CLOSE, irohReason } from "./iroh-connection.ts";
import type { IrohEndpoint } from "./iroh-endpoint.ts";
import {
  IROH_ENDPOINT_LOOK_MS,
  IROH_HEALTH_MS,
  IROH_REBIND_MAX_MS,
  IROH_REBIND_MS,
  IROH_SILENT_MS,
} from "./limits.ts";
import type { Logger } from "./log.ts";

const ONLINE_WAIT_MS = 2_000;

export type RelayState = "unknown" | "up" | "down" | "wedged";

export interface HealthOptions {
  readonly endpoint: Pick<
    IrohEndpoint,
    "connections" | "hasRelay" | "relayUrl" | "isDead" | "isOnline" | "rebind"
  >;
  /** Whether there are peers that this leaf connects to. */
  readonly hasPeers: () => boolean;
  /** Whether the relay answers. */
  readonly ping: (url: string) => Promise<boolean>;
  /** The addresses of this machine. */
  readonly addresses: () => ReadonlySet<string>;
  readonly onNetworkChange: () => void;
}

export class LeafIrohHealth {
  relay: RelayState = "unknown";
  private readonly heard = new WeakMap<IrohConnection, { bytes: number; at: number }>();
  private timer: Timer | undefined;
  private stopped = false;
  private addresses: ReadonlySet<string>;
  /** What they were when connections that others made were ended last. */
  private home: ReadonlySet<string>;
  private endpointLookAt: number;
  /** Since when all is well, as far as it is seen. */
  private wellAt: number;
  private patienceMs = IROH_REBIND_MS;

  constructor(
    private readonly options: HealthOptions,
    private readonly deps: { readonly clock: Clock; readonly log: Logger },
  ) {
    this.wellAt = deps.clock.monotonic();
    this.endpointLookAt = this.wellAt + IROH_ENDPOINT_LOOK_MS;
    this.addresses = this.home = options.addresses();
    this.lookLater();
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  private lookLater(): void {
    if (this.stopped) return;
    this.timer = this.deps.clock.after(IROH_HEALTH_MS, () => {
      this.look()
        .catch((error) => this.deps.log.warn("iroh endpoint not rebound", { reason: irohReason(error) }))
        .finally(() => this.lookLater());
    });
  }

  private async look(): Promise<void> {
    const isHeard = this.endSilent();
    this.lookAtNetwork();
    const now = this.deps.clock.monotonic();
    if (now < this.endpointLookAt) return;
    this.endpointLookAt = now + IROH_ENDPOINT_LOOK_MS;
    await this.lookAtEndpoint(isHeard);
  }

  private async lookAtEndpoint(isHeard: boolean): Promise<void> {
    const { endpoint, hasPeers } = this.options;
    const { clock } = this.deps;
    if (endpoint.hasRelay) await this.lookAtRelay();
    if (this.stopped) return;
    const isAlone = hasPeers() && !isHeard && this.relay !== "down";
    if (!isAlone && this.relay !== "wedged") {
      this.wellAt = clock.monotonic();
      if (isHeard || this.relay === "up") this.patienceMs = IROH_REBIND_MS;
    }
    if (endpoint.isDead) await this.rebind("the addon has closed it");
    else if (clock.monotonic() - this.wellAt >= this.patienceMs) {
      await this.rebind(this.relay === "wedged" ? "it has lost its relay" : "no peer is reached");
    }
  }

  /** @returns whether a connection is left */
  private endSilent(): boolean {
    const now = this.deps.clock.monotonic();
    let isHeard = false;
    for (const connection of this.options.endpoint.connections) {
      const bytes = connection.receivedBytes;
      const before = this.heard.get(connection);
      if (before === undefined || before.bytes !== bytes) this.heard.set(connection, { bytes, at: now });
      else if (now - before.at >= IROH_SILENT_MS) {
        this.deps.log.info("iroh connection silent", { id: connection.remoteId });
        connection.close(IROH_CLOSE.silent);
        continue;
      }
      isHeard = true;
    }
    return isHeard;
  }

  private lookAtNetwork(): void {
    const { endpoint, addresses, onNetworkChange } = this.options;
    const before = this.addresses;
    const now = addresses();
    this.addresses = now;
    if (now.symmetricDifference(before).size === 0) return;
    this.deps.log.info("network changed", { addresses: [...now].join(" ") });
    // A cable that is out for a while takes addresses away, and brings them back.
    if (!now.isSubsetOf(this.home) && !this.home.isSubsetOf(now)) {
      this.home = now;
      for (const connection of endpoint.connections)
        if (!connection.isOurs) connection.close(IROH_CLOSE.moved);
    }
    onNetworkChange();
  }

  private async lookAtRelay(): Promise<void> {
    const { endpoint, ping } = this.options;
    const { log } = this.deps;
    const before = this.relay;
    if (await endpoint.isOnline(ONLINE_WAIT_MS)) this.relay = "up";
    else {
      const { relayUrl } = endpoint;
      this.relay = relayUrl !== undefined && (await ping(relayUrl)) ? "wedged" : "down";
    }
    const { relay } = this;
    if (relay === before) return;
    const fields = { relay: endpoint.relayUrl };
    if (relay === "up") log.info("iroh relay reached", fields);
    else if (relay === "down") log.warn("iroh relay of this leaf is down", fields);
    else log.warn("iroh endpoint has lost its relay, which answers", fields);
  }

  private async rebind(reason: string): Promise<void> {
    const { clock, log } = this.deps;
    log.warn("iroh endpoint begins anew", { reason });
    this.wellAt = clock.monotonic();
    this.patienceMs = Math.min(IROH_REBIND_MAX_MS, 2 * this.patienceMs);
    await this.options.endpoint.rebind();
  }
}
