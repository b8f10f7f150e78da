/**
 * Keeps publishers from outrunning readers. While much waits for a connection, whoever publishes to it is not read from,
 * until the reader has caught up. Never for long: one that stands still must not stop the others, and is closed in
 * the end by its own limit (see `broker-connection`). nats-server stalls publishers in the same way.
 */
import type { BrokerSocket } from "./broker-socket.ts";
import type { Clock, Timer } from "./clock.ts";

const HOLD_MS_MAX = 20;

export class BrokerPace {
  /** Set by a connection when much waits for it; whoever has just published looks, and clears it. */
  isCrowded = false;
  private readonly held = new Map<BrokerSocket, Timer>();

  constructor(private readonly clock: Clock) {}

  /** Reads from `publisher` no more until readers have caught up. */
  hold(publisher: BrokerSocket): void {
    this.isCrowded = false;
    if (this.held.has(publisher)) return;
    publisher.pause();
    this.held.set(
      publisher,
      this.clock.after(HOLD_MS_MAX, () => this.release(publisher)),
    );
  }

  /** A reader has caught up. */
  relieved(): void {
    for (const publisher of [...this.held.keys()]) this.release(publisher);
  }

  private release(publisher: BrokerSocket): void {
    this.held.get(publisher)?.cancel();
    if (this.held.delete(publisher)) publisher.resume();
  }
}
