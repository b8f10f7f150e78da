/**
 * Finds dead connections. Every interval without a byte from the peer a PING goes out; when more than the allowed
 * number is unanswered the connection is stale. What a PING takes to be answered is kept, for monitoring.
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
  /** When something last came from the peer, by the wall clock; 0 before. */
  heardAtMs = 0;
  private pingedAtMs: number | undefined;
  /** Of the last PING that was answered. */
  roundTripMs: number | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly options: HeartbeatOptions,
  ) {
    this.arm();
  }

  /** Something came from the peer. */
  alive(): void {
    this.heard = true;
    this.heardAtMs = this.clock.now();
  }

  pong(): void {
    this.out = 0;
    if (this.pingedAtMs !== undefined) this.roundTripMs = this.clock.monotonic() - this.pingedAtMs;
    this.pingedAtMs = undefined;
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
      this.pingedAtMs = this.clock.monotonic();
      this.options.ping();
    }
    this.arm();
  }
}
