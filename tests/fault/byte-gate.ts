/**
 * A TCP proxy that counts, and can stop letting bytes through at an exact one: for killing a program in the
 * middle of an exchange, at a place that a seed chooses.
 */

import type { AddressInfo } from "node:net";
import { connect as connectTo, createServer, type Server, type Socket } from "node:net";

/** `down`: from the server to the client. */
export type Direction = "down" | "up";

export interface Counts {
  down: number;
  up: number;
}

/** What happens when so many bytes have passed in a direction: `action`, and nothing passes any more if it `shuts`. */
export interface Stop {
  readonly shuts: boolean;
  readonly direction: Direction;
  readonly bytes: number;
  readonly action: () => void;
}

export class ByteGate {
  /** Since it was last armed. */
  passed: Counts = { down: 0, up: 0 };
  /** Of each connection since then, in the order in which they were made. */
  connections: Counts[] = [];
  private stop: Stop | undefined;
  private isShut = false;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly port: number,
  ) {}

  /** Stands in for the server at `target` (`http://127.0.0.1:PORT`). */
  static async start(target: string): Promise<ByteGate> {
    const server = createServer();
    const gate = new ByteGate(server, Number(new URL(target).port));
    server.on("connection", (client) => gate.accept(client));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return gate;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Counts from zero again, and lets everything through up to `stop`. */
  arm(stop?: Stop): void {
    this.passed = { down: 0, up: 0 };
    this.connections = [];
    this.stop = stop;
    this.isShut = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private accept(client: Socket): void {
    const counts: Counts = { down: 0, up: 0 };
    this.connections.push(counts);
    const server = connectTo(this.port, "127.0.0.1");
    this.join(client, server, "up", counts);
    this.join(server, client, "down", counts);
  }

  private join(from: Socket, to: Socket, direction: Direction, counts: Counts): void {
    this.sockets.add(from);
    from.on("data", (chunk) => {
      const part = this.admitted(chunk as Buffer, direction);
      counts[direction] += part.length;
      if (part.length > 0) to.write(part);
      if (this.isShut) for (const socket of [from, to]) socket.destroy();
    });
    from.on("end", () => to.end());
    from.on("error", () => to.destroy());
    from.on("close", () => {
      this.sockets.delete(from);
      to.destroySoon();
    });
  }

  /** As much of a chunk as may pass. */
  private admitted(chunk: Buffer, direction: Direction): Buffer {
    if (this.isShut) return chunk.subarray(0, 0);
    const { stop } = this;
    const before = this.passed[direction];
    const isReached =
      stop?.direction === direction && before < stop.bytes && before + chunk.length >= stop.bytes;
    const part = isReached && stop.shuts ? chunk.subarray(0, stop.bytes - before) : chunk;
    this.passed[direction] += part.length;
    if (isReached) {
      this.isShut = stop.shuts;
      stop.action();
    }
    return part;
  }
}
