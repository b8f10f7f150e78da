/**
 * A proxy for datagrams (UDP) between real programs, in a process of its own so that it can run on another host or in a
 * network namespace:
 *
 *     bun tests/fault/datagram-proxy.ts LISTEN-HOST TARGET-HOST TARGET-PORT SEED
 *
 * Writes its port, then one line of counts (JSON) for each line of faults (JSON, `DatagramFaults`) that it reads: those hold from
 * then on. What is delayed may be overtaken. Each client has a socket of its own towards the target.
 */
import { createSocket, type Socket } from "node:dgram";
import { createInterface } from "node:readline";
import { randomBelow, seededRandom } from "../../src/random.ts";

/** Chances are for each datagram. */
export interface DatagramFaults {
  /** In milliseconds: at least, and by chance so much more. */
  readonly delayMs?: number;
  readonly jitterMs?: number;
  readonly loss?: number;
  readonly duplicate?: number;
  /** A bit is turned. */
  readonly flip?: number;
  /** Nothing passes. */
  readonly isCut?: boolean;
}

export interface DatagramCounts {
  readonly passed: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly flipped: number;
}

/** The proxy as a program that runs elsewhere. */
export class DatagramProxy implements AsyncDisposable {
  private constructor(
    private readonly child: Bun.Subprocess<"pipe", "pipe", "inherit">,
    private readonly lines: AsyncIterator<string>,
    readonly port: number,
  ) {}

  /** @param within the words of a program that starts it, as `ip netns exec` */
  static async start(
    within: readonly string[],
    listenHost: string,
    target: { readonly host: string; readonly port: number },
    seed = 1n,
  ): Promise<DatagramProxy> {
    const words = [
      process.execPath,
      import.meta.path,
      listenHost,
      target.host,
      String(target.port),
      String(seed),
    ];
    const child = Bun.spawn([...within, ...words], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = linesOf(child.stdout);
    const first = await lines.next();
    if (first.done) throw new Error("the proxy ended without saying its port");
    return new DatagramProxy(child, lines, Number(first.value));
  }

  /** Holds from now on. @returns what happened before */
  async set(faults: DatagramFaults): Promise<DatagramCounts> {
    this.child.stdin.write(`${JSON.stringify(faults)}\n`);
    this.child.stdin.flush();
    const line = await this.lines.next();
    if (line.done) throw new Error("the proxy has ended");
    return JSON.parse(line.value) as DatagramCounts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill();
    await this.child.exited;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const part of stream) {
    const lines = (rest + decoder.decode(part, { stream: true })).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

function run([listenHost, host, port, seed]: readonly string[]): void {
  const random = seededRandom(BigInt(seed!));
  const counts = { passed: 0, lost: 0, duplicated: 0, flipped: 0 };
  let faults: DatagramFaults = {};
  const pass = (bytes: Uint8Array, send: (bytes: Uint8Array) => void) => {
    if (faults.isCut || random.float() < (faults.loss ?? 0)) return void counts.lost++;
    const copy = new Uint8Array(bytes);
    if (copy.length > 0 && random.float() < (faults.flip ?? 0)) {
      counts.flipped++;
      copy[randomBelow(random, copy.length)]! ^= 1 << randomBelow(random, 8);
    }
    const later = () => {
      const delayMs = (faults.delayMs ?? 0) + (faults.jitterMs ?? 0) * random.float();
      if (delayMs === 0) send(copy);
      else setTimeout(send, delayMs, copy);
    };
    counts.passed++;
    later();
    if (random.float() >= (faults.duplicate ?? 0)) return;
    counts.duplicated++;
    later();
  };
  const upward = new Map<string, Socket>();
  const server = createSocket("udp4");
  server.on("message", (bytes, { address, port: from }) => {
    const key = `${address}:${from}`;
    let socket = upward.get(key);
    if (socket === undefined) {
      socket = createSocket("udp4");
      socket.on("message", (reply) => pass(reply, (copy) => server.send(copy, from, address)));
      // Nobody listens there any more, or not yet.
      socket.on("error", () => {});
      upward.set(key, socket);
    }
    const to = socket;
    pass(bytes, (copy) => to.send(copy, Number(port), host));
  });
  server.on("error", () => {});
  server.bind(0, listenHost, () => console.log(server.address().port));
  createInterface({ input: process.stdin })
    .on("line", (line) => {
      console.log(JSON.stringify(counts));
      faults = JSON.parse(line) as DatagramFaults;
    })
    .on("close", () => process.exit(0));
}

if (import.meta.main) run(process.argv.slice(2));
