/**
 * A TCP proxy between real programs that does what networks do: delay, jitter, a narrow line, resets, bytes that turn, a
 * partition in which nothing passes and nothing is closed, connections of which one end is gone and the other not told. Chance comes from a seed.
 */
import type { AddressInfo } from "node:net";
import { connect as connectTo, createServer, type Server, type Socket } from "node:net";
import { type Random, randomBelow, seededRandom } from "../../src/random.ts";

export interface LineFaults {
  /** Each way, in milliseconds: at least, and by chance so much more. */
  readonly delayMs?: number;
  readonly jitterMs?: number;
  /** Each way and for each connection. */
  readonly bytesPerSecond?: number;
  /** Per chunk: the connection is reset. */
  readonly reset?: number;
  /** Per chunk: a bit is turned. */
  readonly flip?: number;
}

export class FaultProxy implements AsyncDisposable {
  faults: LineFaults = {};
  /** Nothing passes, and nobody is told. */
  isCut = false;
  readonly counts = { connections: 0, resets: 0, flips: 0 };
  private readonly sockets = new Set<Socket>();
  /** Of clients whose server has forgotten them. */
  private readonly halfOpen = new Set<Socket>();
  private readonly serverOf = new Map<Socket, Socket>();

  private constructor(
    private readonly server: Server,
    private readonly target: number,
    private readonly random: Random,
  ) {}

  static async start(targetPort: number, seed = 1n): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true });
    const proxy = new FaultProxy(server, targetPort, seededRandom(seed));
    server.on("connection", (client) => proxy.accept(client));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Ends every connection as a crash of the machine between would. */
  resetAll(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  /** Ends every connection for the server alone: clients are not told, and what they send goes nowhere. */
  forgetAll(): void {
    for (const [client, server] of this.serverOf) {
      this.halfOpen.add(client);
      server.resetAndDestroy();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private accept(client: Socket): void {
    this.counts.connections++;
    const server = connectTo({ port: this.target, host: "127.0.0.1", allowHalfOpen: true });
    this.serverOf.set(client, server);
    client.on("close", () => this.serverOf.delete(client));
    this.join(client, server);
    this.join(server, client);
  }

  private join(from: Socket, to: Socket): void {
    this.sockets.add(from);
    /** When the line is free again; nothing overtakes. */
    let freeAt = 0;
    let last: Promise<unknown> = Promise.resolve();
    const later = (bytes: number, run: () => unknown): void => {
      const { delayMs = 0, jitterMs = 0, bytesPerSecond } = this.faults;
      const now = performance.now();
      const sendingMs = bytesPerSecond === undefined ? 0 : (bytes / bytesPerSecond) * 1000;
      freeAt = Math.max(freeAt, now + delayMs + jitterMs * this.random.float()) + sendingMs;
      const arrival = freeAt;
      last = last
        .then(() => new Promise((resolve) => setTimeout(resolve, Math.max(0, arrival - performance.now()))))
        .then(run);
    };
    const pass = async (run: () => void): Promise<void> => {
      while (this.isCut) await new Promise((resolve) => setTimeout(resolve, 20));
      run();
    };
    from.on("data", (chunk) => {
      const bytes = Buffer.from(chunk as Buffer);
      if (this.random.float() < (this.faults.reset ?? 0)) {
        this.counts.resets++;
        for (const socket of [from, to]) socket.resetAndDestroy();
        return;
      }
      if (this.random.float() < (this.faults.flip ?? 0)) {
        this.counts.flips++;
        bytes[randomBelow(this.random, bytes.length)]! ^= 1 << randomBelow(this.random, 8);
      }
      // Read at once and kept: what waits unread in a socket is lost when its other end closes.
      later(bytes.length, () => pass(() => void (to.destroyed || to.write(bytes))));
    });
    from.on("end", () => later(0, () => pass(() => to.end())));
    from.on("error", () => {});
    from.on("close", () => {
      this.sockets.delete(from);
      if (!this.isCut && !from.readableEnded && !this.halfOpen.has(to)) to.destroy();
    });
  }
}
