/** What a leaf does about an iroh endpoint that hangs, in simulated time. */
import { expect, test } from "bun:test";
import { systemClock } from "../src/clock.ts";
import type { IrohConnection } from "../src/iroh-connection.ts";
import { type HealthOptions, LeafIrohHealth } from "../src/leaf-iroh-health.ts";
import { createLogger } from "../src/log.ts";
import { Timeline } from "./sim/timeline.ts";

/** An endpoint as a test wants it, and what became of it. */
function looked(options: { hasRelay?: boolean; hasPeers?: boolean } = {}) {
  const time = new Timeline();
  const clock = {
    ...systemClock,
    now: () => time.now,
    monotonic: () => time.now,
    after: (delayMs: number, run: () => void) => time.after(delayMs, run),
  };
  const said: string[] = [];
  const log = createLogger("debug", (_level, message) => void said.push(`${time.now / 1000} ${message}`));
  const state = {
    connections: [] as { bytes: number; isOpen: boolean; isOurs?: boolean }[],
    isOnline: true,
    isPinged: true,
    isDead: false,
    rebindsAt: [] as number[],
    addresses: ["10.0.0.1"],
    changesAt: [] as number[],
  };
  const connection = (one: { bytes: number; isOpen: boolean }) =>
    Object.defineProperties(one, {
      remoteId: { value: "peer" },
      receivedBytes: { get: () => one.bytes },
      close: {
        value: () => {
          one.isOpen = false;
        },
      },
    }) as unknown as IrohConnection;
  const made = new Map<object, IrohConnection>();
  const endpoint: HealthOptions["endpoint"] = {
    get connections() {
      const open = state.connections.filter(({ isOpen }) => isOpen);
      return open.map((one) => made.get(one) ?? made.set(one, connection(one)).get(one)!);
    },
    hasRelay: options.hasRelay ?? false,
    relayUrl: "https://relay.example",
    get isDead() {
      return state.isDead;
    },
    isOnline: async () => state.isOnline,
    rebind: async () => void state.rebindsAt.push(time.now / 1000),
  };
  const ping = async () => state.isPinged;
  const hasPeers = () => options.hasPeers ?? false;
  const addresses = () => new Set(state.addresses);
  const onNetworkChange = () => void state.changesAt.push(time.now / 1000);
  const health = new LeafIrohHealth({ endpoint, hasPeers, ping, addresses, onNetworkChange }, { clock, log });
  return { time, state, said, health };
}

test("a connection that falls silent is ended, one that is heard is not", async () => {
  const { time, state, said } = looked();
  const [idle, dead] = [
    { bytes: 1, isOpen: true },
    { bytes: 1, isOpen: true },
  ];
  state.connections = [idle, dead];
  for (let at = 5_000; at <= 30_000; at += 5_000) {
    idle.bytes++;
    await time.runUntil(at);
    expect(dead.isOpen).toBe(at < 12_000);
  }
  expect(idle.isOpen).toBe(true);
  expect(said).toEqual(["12 iroh connection silent"]);
});

test("other addresses: what waits is told, and connections that others made are ended when this machine has moved", async () => {
  const { time, state } = looked();
  const [ours, theirs] = [
    { bytes: 1, isOpen: true, isOurs: true },
    { bytes: 1, isOpen: true, isOurs: false },
  ];
  state.connections = [ours, theirs];
  // A cable is out for a while, and there is one more.
  await time.runUntil(500);
  state.addresses = [];
  await time.runUntil(1_500);
  state.addresses = ["10.0.0.1"];
  await time.runUntil(2_500);
  state.addresses = ["10.0.0.1", "10.0.0.3"];
  await time.runUntil(3_500);
  expect(theirs.isOpen).toBe(true);
  state.addresses = ["10.0.0.2"];
  await time.runUntil(9_000);
  expect(state.changesAt).toEqual([1, 2, 3, 4]);
  expect([ours.isOpen, theirs.isOpen]).toEqual([true, false]);
});

test("without a connection to any peer it begins anew, less and less often", async () => {
  const { time, state } = looked({ hasPeers: true });
  await time.runUntil(600_000);
  expect(state.rebindsAt).toEqual([60, 180, 420]);
  await time.runUntil(10_000_000);
  const [before, last] = state.rebindsAt.slice(-2);
  expect(last! - before!).toBe(900);
});

test("one that only waits for others stays as it is, until the addon closes it", async () => {
  const { time, state } = looked();
  await time.runUntil(600_000);
  expect(state.rebindsAt).toEqual([]);
  state.isDead = true;
  await time.runUntil(605_000);
  expect(state.rebindsAt).toEqual([605]);
});

test("a relay that is down is no reason to begin anew; one that answers while the endpoint hangs is", async () => {
  const { time, state, said, health } = looked({ hasRelay: true, hasPeers: true });
  expect(health.relay).toBe("unknown");
  state.isOnline = false;
  state.isPinged = false;
  await time.runUntil(300_000);
  expect(health.relay).toBe("down");
  state.isPinged = true;
  await time.runUntil(365_000);
  expect(health.relay).toBe("wedged");
  expect(state.rebindsAt).toEqual([360]);
  state.isOnline = true;
  state.connections = [{ bytes: 1, isOpen: true }];
  await time.runUntil(370_000);
  expect(health.relay).toBe("up");
  expect(said).toEqual([
    "5 iroh relay of this leaf is down",
    "305 iroh endpoint has lost its relay, which answers",
    "360 iroh endpoint begins anew",
    "370 iroh relay reached",
  ]);
  health.stop();
  state.isOnline = false;
  await time.runUntil(1_000_000);
  expect(health.relay).toBe("up");
});
