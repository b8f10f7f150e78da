/** Whom a leaf links with that it has only heard of. The endpoint is a stand-in. */
import { expect, test } from "bun:test";
import { systemClock } from "../src/clock.ts";
import { ProtocolError } from "../src/errors.ts";
import type { IrohEndpoint } from "../src/iroh-endpoint.ts";
import { LeafIrohLinks } from "../src/leaf-iroh-links.ts";
import { IROH_AVOID_MAX_MS, IROH_AVOID_MS, IROH_MET_MAX_COUNT } from "../src/limits.ts";
import { silentLogger } from "../src/log.ts";
import { seededRandom } from "../src/random.ts";
import { testBroker } from "./broker-harness.ts";
import { Timeline } from "./sim/timeline.ts";

/** Links whose attempts to connect end as `connect` says. Tickets are ids. */
function links(connect: (id: string) => Promise<never>) {
  const time = new Timeline();
  const after = (delayMs: number, run: () => void) => time.after(delayMs, run);
  const clock = {
    ...systemClock,
    now: () => time.now,
    monotonic: () => time.now,
    after,
    sleep: (delayMs: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        const timer = after(delayMs, resolve);
        signal?.addEventListener("abort", () => {
          timer.cancel();
          reject(signal.reason);
        });
        if (signal?.aborted) reject(signal.reason);
      }),
  };
  const tried: string[] = [];
  const endpoint = {
    id: "self",
    idOf: (address: string) => address,
    connect: (id: string) => {
      tried.push(id);
      return connect(id);
    },
  } as unknown as IrohEndpoint;
  const deps = { clock, random: seededRandom(1n), log: silentLogger, isRelayDown: () => false };
  const broker = testBroker();
  const made = new LeafIrohLinks(endpoint, broker, "peer", deps);
  const end = async () => {
    made.stop();
    await broker.stop(0);
  };
  return { time, tried, made, end };
}

const names = Array.from({ length: IROH_MET_MAX_COUNT + 3 }, (_, i) => `peer${i}`);
const unreachable = async () => {
  throw new ProtocolError("peer-unreachable", "nobody is there");
};

test("so many peers are met and no more, until some are given up or may no longer connect", async () => {
  const { time, tried, made, end } = links(unreachable);
  made.meet("self");
  for (const name of names) made.meet(name);
  await time.runUntil(100);
  expect(tried).toEqual(names.slice(0, IROH_MET_MAX_COUNT));
  expect(made.mayMeet("peer8")).toBe(false);
  await made.recheck(async (id) => id !== "peer3");
  await time.runUntil(200);
  expect(["peer3", "peer8"].map((name) => made.mayMeet(name))).toEqual([false, true]);
  // None of them was ever reached.
  await time.runUntil(2 * IROH_AVOID_MS);
  expect(["peer0", "peer8"].map((name) => made.mayMeet(name))).toEqual([false, true]);
  const triedCount = tried.length;
  await time.runUntil(3 * IROH_AVOID_MS + IROH_AVOID_MAX_MS);
  expect(tried.length).toBe(triedCount);
  expect(made.mayMeet("peer0")).toBe(true);
  await end();
});

test("one that turns this leaf away is left alone; one that the leaf was told of is tried on and on", async () => {
  const { time, tried, made, end } = links(async () => {
    throw new ProtocolError("peer-refused", "it does not allow this endpoint");
  });
  void made.stayWith("told");
  made.meet("told");
  made.meet("heard");
  await time.runUntil(IROH_AVOID_MS);
  expect(tried.filter((id) => id === "heard")).toHaveLength(1);
  expect(tried.filter((id) => id === "told").length).toBeGreaterThan(3);
  const before = tried.length;
  made.hurry();
  await time.runUntil(time.now + 1_000);
  expect(tried.slice(before)).toContain("told");
  await end();
});
