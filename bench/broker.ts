/**
 * The embedded broker beside nats-server, each in a process of its own, measured in turn.
 *
 * Throughput: this process writes pre-built blocks of PUB lines on one connection and counts the bytes that a second
 * connection receives, for several sizes. Round trip: requests with the `nats` client, one at a time. The ratio of
 * the medians is what is compared; this process is the same for both.
 *
 *     bun bench/broker.ts [--rounds 5] [--megabytes 8] [--requests 500] [--json]
 */
import { connect as openSocket, type Socket } from "node:net";
import { connect } from "nats";
import { startNatsServer } from "../tests/interop/nats-server.ts";
import { alternate, median, numberOption, percentile, Report, timed } from "./harness.ts";

const ROUNDS = numberOption("rounds", 5);
const MESSAGE_BYTES_TOTAL = numberOption("megabytes", 8) * 1_000_000;
const REQUESTS = numberOption("requests", 500);
/** Least share of nats-server's throughput, by payload size. */
const SIZES: readonly (readonly [bytes: number, ratioMin: number | undefined])[] = [
  [16, undefined],
  [128, 0.6],
  [4096, undefined],
  [65536, 0.9],
];
const COUNT_MAX = 100_000;

if (process.argv.includes("--serve")) {
  const { testBroker } = await import("../tests/broker-harness.ts");
  process.stdout.write(`${testBroker().port}\n`);
} else {
  await run();
}

function client(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = openSocket({ port, host: "127.0.0.1", noDelay: true });
    socket.once("error", reject);
    socket.once("data", () => {
      socket.write('CONNECT {"verbose":false,"pedantic":false}\r\n');
      resolve(socket);
    });
  });
}

/** Waits for `bytes` more bytes. */
function received(socket: Socket, bytes: number): Promise<void> {
  return new Promise((resolve) => {
    let have = 0;
    const count = (chunk: Uint8Array) => {
      have += chunk.length;
      if (have < bytes) return;
      socket.off("data", count);
      resolve();
    };
    socket.on("data", count);
  });
}

/** Messages per second through the broker at `port`. */
async function throughput(port: number, size: number): Promise<number> {
  const count = Math.min(COUNT_MAX, Math.ceil(MESSAGE_BYTES_TOTAL / size));
  const [from, to] = await Promise.all([client(port), client(port)]);
  const ready = received(to, "PONG\r\n".length);
  to.write("SUB bench 1\r\nPING\r\n");
  await ready;
  const body = "x".repeat(size);
  const block = Buffer.from(`PUB bench ${size}\r\n${body}\r\n`.repeat(count));
  const all = received(to, `MSG bench 1 ${size}\r\n${body}\r\n`.length * count);
  const milliseconds = await timed(async () => {
    from.write(block);
    await all;
  });
  from.destroy();
  to.destroy();
  return (count / milliseconds) * 1000;
}

/** Median microseconds of a request and its answer. */
async function roundTrip(port: number): Promise<number> {
  const servers = `127.0.0.1:${port}`;
  const [asking, answering] = await Promise.all([connect({ servers }), connect({ servers })]);
  answering.subscribe("ask", { callback: (_error, message) => void message.respond(message.data) });
  await answering.flush();
  const samples: number[] = [];
  for (let i = 0; i < REQUESTS; i++)
    samples.push(await timed(() => asking.request("ask", "x", { timeout: 5000 })));
  await Promise.all([asking.close(), answering.close()]);
  return percentile(samples, 50) * 1000;
}

async function run(): Promise<void> {
  const report = new Report("broker");
  const server = await startNatsServer();
  const ours = Bun.spawn([process.execPath, import.meta.path, "--serve"], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const first = await ours.stdout.getReader().read();
  const port = Number(new TextDecoder().decode(first.value));
  for (const [size, ratioMin] of SIZES) {
    const samples = await alternate(ROUNDS, {
      theirs: () => throughput(server.port, size),
      ours: () => throughput(port, size),
    });
    const [theirs, own] = [median(samples.theirs), median(samples.ours)];
    report.add({ name: `nats-server, ${size} B`, value: theirs, unit: "msg/s", samples: samples.theirs });
    report.add({ name: `broker, ${size} B`, value: own, unit: "msg/s", samples: samples.ours });
    const limit = ratioMin === undefined ? {} : { limit: 1 / ratioMin };
    report.add({
      name: `time of the broker / of nats-server, ${size} B`,
      value: theirs / own,
      unit: "×",
      ...limit,
    });
  }
  const trips = await alternate(ROUNDS, {
    theirs: () => roundTrip(server.port),
    ours: () => roundTrip(port),
  });
  const [theirs, own] = [median(trips.theirs), median(trips.ours)];
  report.add({ name: "nats-server, round trip p50", value: theirs, unit: "µs", samples: trips.theirs });
  report.add({ name: "broker, round trip p50", value: own, unit: "µs", samples: trips.ours });
  report.add({ name: "round trip of the broker / of nats-server", value: own / theirs, unit: "×", limit: 1 });
  ours.kill();
  await Promise.all([ours.exited, server.stop()]);
  report.finish();
}
