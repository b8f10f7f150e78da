/** When a broker tries again to join a server that is not there, in simulated time. */
import { expect, test } from "bun:test";
import { startBroker } from "../src/broker.ts";
import { systemClock } from "../src/clock.ts";
import { silentLogger } from "../src/log.ts";
import { seededRandom } from "../src/random.ts";
import { Timeline } from "./sim/timeline.ts";

/** How long a broker waits between its attempts, in milliseconds. */
async function waits(seed: bigint, count: number): Promise<number[]> {
  const time = new Timeline();
  const clock = {
    ...systemClock,
    now: () => time.now,
    monotonic: () => time.now,
    after: (delayMs: number, run: () => void) => time.after(delayMs, run),
  };
  const attempts: number[] = [];
  const network = {
    listen: () => {
      throw new Error("nothing listens here");
    },
    connect: () => {
      attempts.push(time.now);
      return Promise.reject(new Error("connection refused"));
    },
  };
  const deps = { clock, random: seededRandom(seed), network, log: silentLogger };
  const broker = startBroker({ leafRemotes: [{ host: "hub", port: 7422 }] }, deps);
  await time.runUntil(Number.MAX_SAFE_INTEGER, () => attempts.length > count);
  await broker.stop(0);
  return attempts.slice(1).map((at, i) => at - attempts[i]!);
}

test("soon at first, then ever more seldom up to a bound, and each at its own moments", async () => {
  const all = await Promise.all([1n, 2n, 3n, 4n].map((seed) => waits(seed, 12)));
  for (const one of all) {
    for (const [i, waitMs] of one.entries()) {
      const mostMs = Math.min(30_000, 500 * 2 ** i);
      expect(waitMs).toBeGreaterThanOrEqual(mostMs / 2 - 1);
      expect(waitMs).toBeLessThanOrEqual(mostMs + 1);
    }
  }
  // What breaks for all at once does not bring them back all at once.
  for (const i of [5, 11]) {
    const moments = all.map((one) => one[i]!);
    expect(Math.max(...moments) - Math.min(...moments)).toBeGreaterThan(moments[0]! / 20);
  }
});
