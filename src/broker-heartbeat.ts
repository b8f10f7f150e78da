/**
 * Finds dead connections. Every interval without a byte from the peer a PING goes out; when more than the allowed
 * number is unanswered the connection is stale.
 */
import type { Clock, Timer } from "./clock.ts";

export interface HeartbeatOptions {
  readonly intervalMs: number;
  readonly outMax: number;
  readonly ping: () => void;
  readonly stale: () => void;
}

export class Heartbeat {
  private timer: Timer | undefined;
  private out = 0;
  private heard = false;

  constructor(
    private readonly clock: Clock,
    private readonly options: HeartbeatOptions,
  ) {
    this.arm();
  }

  /** Something came from the peer. */
  alive(): void {
    this.heard = true;
  }

  pong(): void {
    this.out = 0;
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private arm(): void {
    this.timer = this.clock.after(this.options.intervalMs, () => this.tick());
  }

  private tick(): void {
    if (this.heard) {
      this.heard = false;
    } else {
      this.out++;
      if (this.out > this.options.outMax) {
        this.options.stale();
        return;
      }
      this.options.ping();
    }
    this.arm();
  }
}
