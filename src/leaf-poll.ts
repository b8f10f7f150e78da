/**
 * Anti-entropy: a sync with each peer now and then, whatever has been heard of it. News travels otherwise; this
 * heals what got lost. The first comes at once; the next after the interval, give or take a quarter, so
 * that leaves that were started together do not ask together. After a failure the next attempt comes soon,
 * then half as often each time (`SYNC_RETRY_MIN_MS` to `SYNC_RETRY_MAX_MS`), anywhere in the second half of the wait.
 */
import type { Clock } from "./clock.ts";
import type { LeafSync, SyncWish } from "./leaf-sync.ts";
import { SYNC_RETRY_MAX_MS, SYNC_RETRY_MIN_MS } from "./limits.ts";
import type { Random } from "./random.ts";

export interface PollOptions {
  readonly intervalMs: number;
  readonly push: boolean;
  readonly pull: boolean;
}

/** Parts of the interval by which a poll may come early or late, in all. */
const JITTER = 0.5;

export class LeafPoll {
  private readonly polled = new Map<string, AbortController>();

  constructor(
    private readonly sync: LeafSync,
    private readonly options: PollOptions,
    private readonly deps: { readonly clock: Clock; readonly random: Random },
  ) {}

  /** Polls a peer that `sync` knows, from now on. */
  add(name: string): void {
    if (this.polled.has(name)) return;
    const controller = new AbortController();
    this.polled.set(name, controller);
    // It ends when it is aborted in its sleep, or `sync` has forgotten the peer.
    this.poll(name, controller.signal).catch(() => {});
  }

  remove(name: string): void {
    this.polled.get(name)?.abort();
    this.polled.delete(name);
  }

  stop(): void {
    for (const name of [...this.polled.keys()]) this.remove(name);
  }

  private async poll(name: string, signal: AbortSignal): Promise<void> {
    const { push, pull } = this.options;
    const wish: SyncWish = { push, pull, why: "poll" };
    while (!signal.aborted) {
      await this.sync.request(name, wish);
      await this.deps.clock.sleep(this.delayMs(this.sync.peer(name)?.failuresInRow ?? 0), signal);
    }
  }

  private delayMs(failuresInRow: number): number {
    const { random } = this.deps;
    const { intervalMs } = this.options;
    if (failuresInRow === 0) return intervalMs * (1 - JITTER / 2 + JITTER * random.float());
    const first = Math.min(SYNC_RETRY_MIN_MS, intervalMs);
    const waitMs = Math.min(first * 2 ** Math.min(failuresInRow - 1, 30), SYNC_RETRY_MAX_MS);
    return waitMs * (0.5 + random.float() / 2);
  }
}
