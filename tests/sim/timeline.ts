/**
 * Simulated time: a queue of events, each run at its own moment, one at a time. After an event everything it
 * has set going in microtasks runs to its end before the next event comes, so a run has one order only.
 *
 * Nothing below a simulation may use real timers or real I/O that completes later.
 */
import { AsyncResource } from "node:async_hooks";
import type { Clock, Timer } from "../../src/clock.ts";
import type { EpochMs } from "../../src/julian.ts";

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

const GRAIN_MS = 0.001;

export class Timeline {
  /** Simulated milliseconds since the beginning. */
  now = 0;
  private order = 0;
  /** A binary heap by time, then by order of asking. */
  private readonly heap: Event[] = [];

  after(delayMs: number, run: () => void): Timer {
    // Who set the timer is who runs: see `whose` in simulation.ts.
    const bound = AsyncResource.bind(run);
    // As real ones, timers have a grain: what is left of a wait by rounding would never pass.
    const at = this.now + (delayMs > 0 ? Math.max(GRAIN_MS, delayMs) : 0);
    const event: Event = { at, order: this.order++, run: bound, cancelled: false };
    this.push(event);
    return {
      cancel: () => {
        event.cancelled = true;
      },
    };
  }

  /** Runs events until `end`, which then is the time, or until `isOver` says so after an event. */
  async runUntil(end: number, isOver: () => boolean = () => false): Promise<void> {
    await settle();
    while (this.heap.length > 0 && this.heap[0]!.at <= end) {
      const event = this.pop();
      if (event.cancelled) continue;
      this.now = event.at;
      event.run();
      await settle();
      if (isOver()) return;
    }
    this.now = Math.max(this.now, end);
  }

  private push(event: Event): void {
    const { heap } = this;
    let i = heap.push(event) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(heap[i]!, heap[parent]!)) break;
      [heap[i], heap[parent]] = [heap[parent]!, heap[i]!];
      i = parent;
    }
  }

  private pop(): Event {
    const { heap } = this;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    heap[0] = last;
    for (let i = 0; ; ) {
      const [left, right] = [2 * i + 1, 2 * i + 2];
      let least = i;
      if (left < heap.length && isBefore(heap[left]!, heap[least]!)) least = left;
      if (right < heap.length && isBefore(heap[right]!, heap[least]!)) least = right;
      if (least === i) return first;
      [heap[i], heap[least]] = [heap[least]!, heap[i]!];
      i = least;
    }
  }
}

const isBefore = (a: Event, b: Event) => a.at < b.at || (a.at === b.at && a.order < b.order);

/** Lets every microtask run, and those that they start. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A machine's own clock: it may drift, and be set. Timers go by true time. */
export class NodeClock implements Clock {
  private offsetMs = 0;

  /** @param drift 0.001: fast by a thousandth */
  constructor(
    private readonly timeline: Timeline,
    private readonly start: EpochMs,
    private readonly drift: number,
  ) {}

  now(): EpochMs {
    return Math.floor(this.start + this.timeline.now * (1 + this.drift) + this.offsetMs);
  }

  /** Sets the wall clock forward or back. */
  jump(byMs: number): void {
    this.offsetMs += byMs;
  }

  monotonic(): number {
    return this.timeline.now;
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.timeline.after(delayMs, callback);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        timer.cancel();
        reject(signal?.reason);
      };
      const timer = this.timeline.after(delayMs, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }
}
