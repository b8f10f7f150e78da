/**
 * The embedded broker beside nats-server: each broker, the publisher and the subscribers in processes of their own, the
 * two brokers in turn, medians compared.
 *
 * Throughput: blocks of PUB lines made beforehand, of several sizes and to several subscribers, from the first byte
 * written to the last one received; then the same with the `nats` client. A ratio is ours over nats-server's: above 1
 * ours is faster. Beside it the processor time (user and system) that each broker took for a message. Round trip:
 * requests with the `nats` client, one at a time. Memory: what 1,000 idle connections add.
 *
 *     bun bench/broker.ts [--rounds 5] [--megabytes 16] [--requests 1000] [--idle 1000] [--json]
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { startNatsServer } from "../tests/interop/nats-server.ts";
import { type Answer, messageBytes, type Order } from "./broker-party.ts";
import { alternate, median, numberOption, percentile, Report, timed } from "./harness.ts";

const ROUNDS = numberOption("rounds", 5);
const BYTES_TOTAL = numberOption("megabytes", 16) * 1_000_000;
const REQUESTS = numberOption("requests", 1000);
const IDLE = numberOption("idle", 1000);
const COUNT_MAX = 200_000;
/** Deliveries of all subscribers together are bounded, too: below what makes a slow consumer of any of them. */
const DELIVERED_BYTES_MAX = 4 * BYTES_TOTAL;
const TICK_MS = 10;

const CASES: readonly { size: number; fan: number; floor?: number }[] = [
  { size: 16, fan: 1 },
  { size: 128, fan: 1, floor: 0.6 },
  { size: 4096, fan: 1 },
  { size: 65_536, fan: 1, floor: 0.9 },
  { size: 128, fan: 10 },
  { size: 128, fan: 100 },
];
const CLIENT_FLOOR = 0.9;

if (process.argv.includes("--serve")) {
  const { testBroker } = await import("../tests/broker-harness.ts");
  process.stdout.write(`${testBroker().port}\n`);
} else {
  await run();
}

interface Server {
  readonly port: number;
  readonly pid: number;
}

/** A process that follows orders. */
class Party {
  private waiting: ((answer: Answer) => void) | undefined;
  private readonly child = Bun.spawn([process.execPath, join(import.meta.dirname, "broker-party.ts")], {
    stdio: ["ignore", "inherit", "inherit"],
    ipc: (answer: Answer) => this.waiting?.(answer),
  });

  /** The next word it says. */
  heard(): Promise<Answer> {
    return new Promise((resolve) => {
      this.waiting = resolve;
    });
  }

  order(order: Order): void {
    this.child.send(order);
  }

  ask(order: Order): Promise<Answer> {
    const answer = this.heard();
    this.order(order);
    return answer;
  }

  async end(): Promise<void> {
    this.child.kill();
    await this.child.exited;
  }
}

/** User and system time of a process so far, in milliseconds. */
function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024;
}

async function run(): Promise<void> {
  const report = new Report("broker");
  const theirs = await startNatsServer();
  const ours = Bun.spawn([process.execPath, import.meta.path, "--serve"], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const first = await ours.stdout.getReader().read();
  const own: Server = { port: Number(new TextDecoder().decode(first.value)), pid: ours.pid };
  const [publisher, subscriber] = [new Party(), new Party()];
  const rest = () => Promise.all([publisher.ask({ do: "rest" }), subscriber.ask({ do: "rest" })]);

  /** Messages per second, and microseconds of the broker's processor time for each. */
  const flow = async (
    server: Server,
    count: number,
    subscribe: Order,
    publish: Order,
  ): Promise<{ rate: number; processorUs: number }> => {
    await subscriber.ask(subscribe);
    await publisher.ask(publish);
    const before = processorMs(server.pid);
    const milliseconds = await timed(async () => {
      const done = subscriber.heard();
      publisher.order({ do: "go" });
      await done;
    });
    const processorUs = ((processorMs(server.pid) - before) * 1000) / count;
    await rest();
    return { rate: (count / milliseconds) * 1000, processorUs };
  };

  const compare = async (
    name: string,
    floor: number | undefined,
    one: (server: Server) => Promise<{ rate: number; processorUs: number }>,
  ): Promise<void> => {
    const processor = { theirs: [] as number[], ours: [] as number[] };
    const measure = (which: "theirs" | "ours", server: Server) => async () => {
      const { rate, processorUs } = await one(server);
      processor[which].push(processorUs);
      return rate;
    };
    const samples = await alternate(ROUNDS, {
      theirs: measure("theirs", theirs),
      ours: measure("ours", own),
    });
    const [rate, ownRate] = [median(samples.theirs), median(samples.ours)];
    report.add({ name: `nats-server, ${name}`, value: rate, unit: "msg/s", samples: samples.theirs });
    report.add({ name: `broker, ${name}`, value: ownRate, unit: "msg/s", samples: samples.ours });
    report.add({
      name: `broker / nats-server, ${name}`,
      value: ownRate / rate,
      unit: "×",
      ...(floor !== undefined && { floor }),
    });
    const [cpu, ownCpu] = [median(processor.theirs), median(processor.ours)];
    report.note(
      `processor time of a message: nats-server ${cpu.toFixed(2)} µs, broker ${ownCpu.toFixed(2)} µs`,
    );
  };

  for (const { size, fan, floor } of CASES) {
    const each = messageBytes(size);
    const count = Math.min(
      COUNT_MAX,
      Math.ceil(BYTES_TOTAL / each),
      Math.ceil(DELIVERED_BYTES_MAX / (each * fan)),
    );
    await compare(`${size} B, 1→${fan}`, floor, ({ port, pid }) =>
      flow(
        { port, pid },
        count,
        { do: "count", port, fan, bytes: each * count },
        { do: "block", port, size, count },
      ),
    );
  }
  const clientCount = Math.min(COUNT_MAX, Math.ceil(BYTES_TOTAL / messageBytes(128)));
  await compare("128 B, nats client", CLIENT_FLOOR, ({ port, pid }) =>
    flow(
      { port, pid },
      clientCount,
      { do: "client-count", port, count: clientCount },
      { do: "client-block", port, size: 128, count: clientCount },
    ),
  );

  const trip = (server: Server) => async () => {
    await subscriber.ask({ do: "answer", port: server.port });
    const { samples = [] } = await publisher.ask({ do: "ask", port: server.port, count: REQUESTS });
    await rest();
    return percentile(samples, 50);
  };
  const trips = await alternate(ROUNDS, { theirs: trip(theirs), ours: trip(own) });
  const [trip50, ownTrip50] = [median(trips.theirs), median(trips.ours)];
  report.add({ name: "nats-server, round trip p50", value: trip50, unit: "µs", samples: trips.theirs });
  report.add({ name: "broker, round trip p50", value: ownTrip50, unit: "µs", samples: trips.ours });
  report.add({ name: "round trip: broker / nats-server", value: ownTrip50 / trip50, unit: "×", limit: 1 });

  for (const [name, server] of [
    ["nats-server", theirs],
    ["broker", own],
  ] as const) {
    const before = residentBytes(server.pid);
    await subscriber.ask({ do: "idle", port: server.port, count: IDLE });
    const added = (residentBytes(server.pid) - before) / 1024;
    report.add({ name: `${name}, ${IDLE} idle connections add`, value: added / 1024, unit: "MiB" });
    report.note(`${name}: ${(before / 2 ** 20).toFixed(0)} MiB before them`);
    await rest();
  }
  ours.kill();
  await Promise.all([publisher.end(), subscriber.end(), ours.exited, theirs.stop()]);
  report.finish();
}
