/**
 * What a process holds of the world, and loses with its life: after that no timer of it runs, no job of it ends, and
 * nobody waits for it in vain, for nothing of it goes on.
 */
import type { Clock, Timer } from "../../src/clock.ts";
import type { Executor, Jobs } from "../../src/executor.ts";
import type { EpochMs } from "../../src/julian.ts";

/** Thrown by a fault point: the process is gone. */
export class Crash extends Error {
  constructor() {
    super("the process died");
  }
}

export interface Life {
  isUp: boolean;
}

export class MortalClock implements Clock {
  constructor(
    private readonly inner: Clock,
    private readonly life: Life,
  ) {}

  now(): EpochMs {
    return this.inner.now();
  }

  monotonic(): number {
    return this.inner.monotonic();
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.inner.after(delayMs, () => {
      if (!this.life.isUp) return;
      try {
        callback();
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
      }
    });
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return this.whileAlive(this.inner.sleep(delayMs, signal));
  }

  private async whileAlive<T>(promise: Promise<T>): Promise<T> {
    const settled = await promise.then(
      (value) => () => value,
      (error: unknown) => () => {
        throw error;
      },
    );
    return this.life.isUp ? settled() : new Promise<never>(() => {});
  }
}

export function mortalExecutor<J extends Jobs>(inner: Executor<J>, life: Life): Executor<J> {
  const never = () => new Promise<never>(() => {});
  return {
    async run(job, input, transfer) {
      if (!life.isUp) return never();
      try {
        const result = await inner.run(job, input, transfer);
        return life.isUp ? result : never();
      } catch (error) {
        if (!life.isUp) return never();
        throw error;
      }
    },
    runOnAll: (job, input) => (life.isUp ? inner.runOnAll(job, input) : never()),
    get pendingCount() {
      return inner.pendingCount;
    },
    close: () => inner.close(),
  };
}
