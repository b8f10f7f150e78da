/**
 * What the iroh wire costs beside the addon itself: `bun bench/iroh.ts [--mb N] [--total MB] [--json]`. How long news takes:
 * `bench/latency.ts --over iroh`.
 *
 * Bulk: a reply of N MB that does not compress over one exchange, against the same bytes written to and read from a bare stream of
 * the addon in the same pieces. Bound: at least 0.9 of its rate. Round trip: an exchange of a few bytes, against a bare
 * stream opened, written, ended and read. Then replies of 1 GB in all, one after the other: memory must not grow between the
 * first quarter and the last by more than two replies, and heartbeats, a message each way on a link between the same endpoints, be
 * answered within a second. Both ends are in this process, on loopback, without relays; runs alternate.
 */
import { systemClock } from "../src/clock.ts";
import { loadIroh } from "../src/iroh-addon.ts";
import { IrohEndpoint } from "../src/iroh-endpoint.ts";
import { LEAFNODE_ALPN } from "../src/iroh-hello.ts";
import { startLeafBroker } from "../src/leaf-broker.ts";
import { LeafIrohLinks } from "../src/leaf-iroh-links.ts";
import { IROH_CHUNK_BYTES } from "../src/limits.ts";
import { silentLogger } from "../src/log.ts";
import { systemRandom } from "../src/random.ts";
import { IrohTransport, XFER_ALPN } from "../src/transport-iroh.ts";
import { IrohServer } from "../src/transport-iroh-server.ts";
import { median, numberOption, Report } from "./harness.ts";

const BARE_ALPN = "/bare/1";
const BULK_RATE_FLOOR = 0.9;
const RUNS = 5;
const ROUND_TRIPS = 100;
const HEARTBEAT_MS_MAX = 1000;
const HEARTBEAT_EVERY_MS = 100;
const REQUEST = new TextEncoder().encode("small");

const megabytes = numberOption("mb", 32);
const totalMegabytes = numberOption("total", 1000);
const deps = { clock: systemClock, log: silentLogger };
// A letter first: the message travels as it is.
const large = systemRandom.bytes(megabytes * 1_000_000) as Uint8Array<ArrayBuffer>;
large[0] = 0x66;
const small = large.slice(0, 100);
let isLarge = false;

const server = new IrohServer({
  ...deps,
  answer: async () => ({ body: isLarge ? large : small }),
});
const to = await IrohEndpoint.start(
  {
    secretKey: systemRandom.bytes(32),
    relay: "disabled",
    host: "127.0.0.1",
    admit: () => true,
    accept: {
      [XFER_ALPN]: (connection) => void server.serve(connection),
      [LEAFNODE_ALPN]: (connection) => links.to.accept(connection),
    },
  },
  deps,
);
const from = await IrohEndpoint.start(
  { secretKey: systemRandom.bytes(32), relay: "disabled", host: "127.0.0.1" },
  deps,
);
const transport = new IrohTransport({ endpoint: from, address: to.ticket(), clock: systemClock });
const linkDeps = { ...deps, random: systemRandom, isRelayDown: () => false };
const brokers = { to: startLeafBroker({}, linkDeps), from: startLeafBroker({}, linkDeps) };
const links = {
  to: new LeafIrohLinks(to, brokers.to.broker, "peer", linkDeps),
  from: new LeafIrohLinks(from, brokers.from.broker, "peer", linkDeps),
};
const bare = await bareConnection();

/** Two endpoints of the addon alone, and a function that has one send `bytes` to the other. */
async function bareConnection() {
  const { Endpoint, EndpointTicket, RelayMode, presetMinimal } = await loadIroh();
  const alpn = [...new TextEncoder().encode(BARE_ALPN)];
  const bind = () => {
    const builder = Endpoint.builder();
    presetMinimal(builder);
    builder.relayMode(RelayMode.disabled());
    builder.alpns([alpn]);
    builder.bindAddr("127.0.0.1:0");
    return builder.bind();
  };
  const [near, far] = [await bind(), await bind()];
  const ticket = EndpointTicket.fromAddr(far.addr());
  const [mine, theirs] = await Promise.all([
    near.connect(ticket.endpointAddr(), alpn),
    far.acceptNext().then(async (incoming) => (await incoming!.accept()).connect()),
  ]);
  const numbers: number[][] = [];
  for (let at = 0; at < large.length; at += IROH_CHUNK_BYTES) {
    numbers.push([...large.subarray(at, at + IROH_CHUNK_BYTES)]);
  }
  void (async () => {
    for (;;) {
      const { send, recv } = await theirs.acceptBi();
      void (async () => {
        while ((await recv.read(IROH_CHUNK_BYTES)).length > 0);
        const pieces = isLarge ? numbers : [numbers[0]!.slice(0, small.length)];
        for (const piece of pieces) await send.writeAll(piece);
        await send.finish();
      })();
    }
  })().catch(() => {});
  return {
    async exchange() {
      const { send, recv } = await mine.openBi();
      await send.writeAll([...REQUEST]);
      await send.finish();
      let bytes = 0;
      for (;;) {
        const part = await recv.read(IROH_CHUNK_BYTES);
        if (part.length === 0) return bytes;
        bytes += part.length;
      }
    },
    close: () => Promise.all([near.close(), far.close()]),
  };
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

const ours = () => transport.exchange(REQUEST);
const floor = () => bare.exchange();
const bulk: number[] = [];
const bulkBare: number[] = [];
const trip: number[] = [];
const tripBare: number[] = [];
await ours();
await floor();
for (let run = 0; run < RUNS; run++) {
  isLarge = true;
  bulk.push(megabytes / (await seconds(ours)));
  bulkBare.push(megabytes / (await seconds(floor)));
  isLarge = false;
  for (let i = 0; i < ROUND_TRIPS; i++) {
    trip.push(1000 * (await seconds(ours)));
    tripBare.push(1000 * (await seconds(floor)));
  }
}

const report = new Report("iroh");
report.add({ name: `bulk, ${megabytes} MB`, value: median(bulk), unit: "MB/s", samples: bulk });
report.add({ name: "bulk, bare stream", value: median(bulkBare), unit: "MB/s", samples: bulkBare });
report.add({
  name: "bulk, of a bare stream",
  value: median(bulk.map((rate, i) => rate / bulkBare[i]!)),
  unit: "times",
  floor: BULK_RATE_FLOOR,
});
report.add({ name: "round trip, p50", value: median(trip), unit: "ms" });
report.add({ name: "round trip, bare stream, p50", value: median(tripBare), unit: "ms" });

/** Of messages there and back while large exchanges go on, in milliseconds. */
const beats: number[] = [];
const heart = brokers.from.link();
const answering = brokers.to.link();
const inbox = heart.newInbox();
let onBeat = () => {};
heart.subscribe(inbox, () => onBeat());
answering.subscribe("bench.beat", ({ reply }) => void answering.publish(reply, REQUEST));
void links.from.stayWith(to.ticket());

function beat(): Promise<void> {
  return new Promise((resolve) => {
    onBeat = resolve;
    heart.publish("bench.beat", REQUEST, { reply: inbox });
  });
}

const linked = brokers.from.broker.beyond("bench.beat");
while (!linked.isWanted) await Bun.sleep(20);
linked.stop();
const rss: number[] = [];
isLarge = true;
await beat();
let isOver = false;
const beating = (async () => {
  while (!isOver) {
    beats.push(1000 * (await seconds(beat)));
    await Bun.sleep(HEARTBEAT_EVERY_MS);
  }
})();
const transfers = Math.max(8, Math.round(totalMegabytes / megabytes));
for (let i = 0; i < transfers; i++) {
  await ours();
  rss.push(process.memoryUsage.rss() / 1_000_000);
}
isOver = true;
await beating;
const quarter = Math.ceil(transfers / 4);
const growth = Math.max(...rss.slice(-quarter)) - Math.max(...rss.slice(0, quarter));
report.add({
  name: `memory over ${transfers * megabytes} MB: last quarter beside the first`,
  value: growth,
  unit: "MB",
  limit: 2 * megabytes,
});
report.add({ name: "heartbeat meanwhile, p50", value: median(beats), unit: "ms" });
report.add({
  name: "heartbeat meanwhile, the slowest",
  value: Math.max(...beats),
  unit: "ms",
  limit: HEARTBEAT_MS_MAX,
});
await transport.close();
for (const one of Object.values(links)) one.stop();
await Promise.all([brokers.to.stop(), brokers.from.stop(), to.close(), from.close(), bare.close()]);
report.finish();
