/** What a broker does about circles of leafnodes, in simulated time. */
import { expect, test } from "bun:test";
import { LoopWatch } from "../src/broker-leafnode-loop.ts";
import { bunNetwork } from "../src/broker-socket-bun.ts";
import { BrokerState } from "../src/broker-state.ts";
import { systemClock } from "../src/clock.ts";
import { silentLogger } from "../src/log.ts";
import { seededRandom } from "../src/random.ts";
import { Timeline } from "./sim/timeline.ts";

/** A broker that leafnodes joined at time 0, and the watch of one of their connections. */
function watched(seed: bigint) {
  const time = new Timeline();
  const clock = {
    ...systemClock,
    now: () => time.now,
    monotonic: () => time.now,
    after: (delayMs: number, run: () => void) => time.after(delayMs, run),
  };
  const deps = { clock, random: seededRandom(seed), network: bunNetwork, log: silentLogger };
  const settings = { name: undefined, version: "1", auth: undefined, tls: undefined, limits: {} };
  const state = new BrokerState(settings, deps);
  state.leafJoinedAtMs = 0;
  const seen: string[] = [];
  const loops = new LoopWatch(state, {
    tell: (subject) => void seen.push(`tell ${subject} at ${Math.round(time.now)}`),
    cut: (text) => void seen.push(`cut at ${Math.round(time.now)}: ${text.slice(0, 13)}`),
  });
  return { time, state, loops, seen };
}

test("a new circle: silence, then one word, then the end", async () => {
  const moments = new Set<string>();
  for (const seed of [1n, 2n, 3n, 4n, 5n]) {
    const { time, loops, seen } = watched(seed);
    loops.found("$LDS.x");
    expect(loops.isMuted).toBe(true);
    await time.runUntil(49);
    expect(seen).toEqual([]);
    await time.runUntil(1_000);
    expect(seen).toEqual([expect.stringMatching(/^tell \$LDS\.x at \d+$/)]);
    moments.add(seen[0]!);
    expect(loops.isMuted).toBe(true);
    await time.runUntil(3_000);
    expect(seen[1]).toMatch(/^cut at \d+: Loop detected$/);
  }
  expect(moments.size).toBe(5);
});

test("a circle that another one cut first: nothing is told, and messages pass again", async () => {
  const { time, loops, seen } = watched(1n);
  loops.found("$LDS.x");
  loops.found("$LDS.y");
  await time.runUntil(40);
  expect(loops.gone("$LDS.x")).toBe(true);
  expect(loops.isMuted).toBe(true);
  expect(loops.gone("$LDS.y")).toBe(true);
  expect(loops.isMuted).toBe(false);
  await time.runUntil(10_000);
  expect(seen).toEqual([]);
  expect(loops.gone("$LDS.x")).toBe(false);
});

test("what looks like a circle long after joining may be late news: messages pass, and the wait is longer", async () => {
  const { time, loops, seen } = watched(1n);
  await time.runUntil(5_000);
  loops.found("$LDS.x");
  expect(loops.isMuted).toBe(false);
  await time.runUntil(7_000);
  expect(seen).toEqual([]);
  await time.runUntil(8_100);
  expect(seen).toHaveLength(1);
  expect(loops.gone("$LDS.x")).toBe(false);
  await time.runUntil(20_000);
  expect(seen).toHaveLength(1);
});

test("who hears of itself cuts one connection, and another only if that was not enough", async () => {
  const { time, state, loops, seen } = watched(1n);
  const other = new LoopWatch(state, { tell: () => {}, cut: () => void seen.push(`other at ${time.now}`) });
  loops.heard();
  expect(seen).toEqual(["cut at 0: Loop detected"]);
  other.heard();
  await time.runUntil(1_000);
  other.unheard();
  await time.runUntil(5_000);
  expect(seen).toHaveLength(1);
  loops.heard();
  other.heard();
  await time.runUntil(9_000);
  expect(seen.slice(1)).toEqual(["cut at 5000: Loop detected", "other at 7000"]);
});

test("nothing happens after the connection is over", async () => {
  const { time, state, loops, seen } = watched(1n);
  state.loopCutAtMs = 0;
  loops.found("$LDS.x");
  loops.heard();
  loops.stop();
  await time.runUntil(10_000);
  expect(seen).toEqual([]);
});
