/**
 * Time as a dependency. Production uses `systemClock`; a simulator passes its own. No other module
 * may read the time: `tests/architecture.test.ts` fails the build on `Date.now` and SQL's `'now'`.
 */
import type { EpochMs } from "./julian.ts";

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall-clock time. May jump either way. */
  now(): EpochMs;
  /** Milliseconds, never decreasing, from an arbitrary start. For measuring durations. */
  monotonic(): number;
  /** Runs `callback` once after `delayMs`. The timer keeps the process alive until it fires or is cancelled. */
  after(delayMs: number, callback: () => void): Timer;
  /** Resolves after `delayMs`, or rejects with `signal.reason` when aborted first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, callback) {
    const handle = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
  sleep(delayMs, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        clearTimeout(handle);
        reject(signal?.reason);
      };
      const handle = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, delayMs);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  },
};
