/** Brokers for tests: on the loopback, with the real clock and a seeded random. */
import { type Broker, type BrokerOptions, startBroker } from "../src/broker.ts";
import { bunNetwork } from "../src/broker-socket-bun.ts";
import { systemClock } from "../src/clock.ts";
import { type Logger, silentLogger } from "../src/log.ts";
import { seededRandom } from "../src/random.ts";

export const LOOPBACK = { host: "127.0.0.1", port: 0 } as const;

let seed = 1n;

export function testBroker(options: Partial<BrokerOptions> = {}, log: Logger = silentLogger): Broker {
  const deps = { clock: systemClock, random: seededRandom(seed++), network: bunNetwork, log };
  return startBroker({ listen: LOOPBACK, ...options }, deps);
}
