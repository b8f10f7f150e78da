/** Brokers that join one another as leafnodes over TCP: in a circle, and what each knows of the others. */
import { afterEach, expect, test } from "bun:test";
import type { Broker } from "../src/broker.ts";
import { text, utf8 } from "../src/bytes.ts";
import { LOOPBACK, testBroker } from "./broker-harness.ts";
import { until } from "./interop/nats-server.ts";

const brokers: Broker[] = [];

afterEach(() => Promise.all(brokers.splice(0).map((broker) => broker.stop())));

function broker(...joined: readonly Broker[]): Broker {
  const leafRemotes = joined.map(({ leafPort }) => ({ host: "127.0.0.1", port: leafPort! }));
  const made = testBroker({ leafListen: LOOPBACK, leafRemotes });
  brokers.push(made);
  return made;
}

test("a circle of three is cut at one place: all hear all, once, and go on doing so", async () => {
  const first = broker();
  const second = broker(first);
  const third = broker(second);
  first.joinLeaf({ host: "127.0.0.1", port: third.leafPort! });
  const clients = brokers.map((one) => one.connect({ echo: false }));
  const heard = clients.map(() => [] as string[]);
  clients.forEach((client, i) => {
    client.subscribe("news", ({ payload }) => heard[i]!.push(text(payload)));
  });
  // The cut is made within a moment of the joining; what is said meanwhile may be lost, but comes to nobody twice.
  let round = 0;
  const isTold = async () => {
    round++;
    clients.forEach((client, i) => {
      client.publish("news", utf8(`${round} from ${i}`));
    });
    await Bun.sleep(50);
    return heard.every((list) => list.filter((one) => one.startsWith(`${round} `)).length === 2);
  };
  await until(isTold, "all to hear all");
  for (let i = 0; i < 20; i++) expect(await isTold()).toBe(true);
  for (const list of heard) expect(new Set(list).size).toBe(list.length);
});

test("what somebody beyond a leafnode wants", async () => {
  const near = broker();
  const far = broker(near);
  const beyond = near.beyond("own.far");
  let goneCount = 0;
  beyond.onGone = () => goneCount++;
  const [here, there] = [near.connect(), far.connect()];
  // Neither one in this process nor a pattern that fits counts.
  here.subscribe("own.far", () => {});
  there.subscribe("own.>", () => {});
  there.subscribe("own.far", () => {}, { queue: "q" });
  const barrier = near.beyond("barrier");
  there.subscribe("barrier", () => {});
  await until(() => barrier.isWanted, "interest to arrive");
  expect(beyond.isWanted).toBe(false);
  const stop = there.subscribe("own.far", () => {});
  await until(() => beyond.isWanted, "interest to arrive");
  expect(near.beyond("own.far").isWanted).toBe(true);
  stop();
  await until(() => goneCount === 1, "interest to go");
  expect(beyond.isWanted).toBe(false);
  beyond.stop();
  there.subscribe("own.far", () => {});
  there.subscribe("barrier2", () => {});
  await until(() => near.beyond("barrier2").isWanted, "interest to arrive");
  expect(beyond.isWanted).toBe(false);
});
