import { afterEach, expect, test } from "bun:test";
import type { IrohConnection } from "../src/iroh-connection.ts";
import { IrohSocket } from "../src/iroh-socket.ts";
import { IROH_CHUNK_BYTES } from "../src/limits.ts";
import { until } from "./interop/nats-server.ts";
import { endpoint } from "./iroh-harness.ts";
import { noise } from "./transport-contract.ts";

const ALPN = "/test/1";
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** What a socket's events told, and what they wait for. */
class Heard {
  readonly chunks: Uint8Array[] = [];
  drainCount = 0;
  readonly closed = Promise.withResolvers<void>();
  private closeCount = 0;
  onDrained = () => {};
  onChunk = () => {};

  onData(chunk: Uint8Array): void {
    this.chunks.push(chunk);
    this.onChunk();
  }

  onDrain(): void {
    this.drainCount++;
    this.onDrained();
  }

  onClose(): void {
    expect(++this.closeCount).toBe(1);
    this.closed.resolve();
  }

  get bytes(): Uint8Array {
    return Buffer.concat(this.chunks);
  }
}

async function sockets() {
  const accepted = Promise.withResolvers<IrohConnection>();
  const [to, from] = await Promise.all([
    endpoint({ admit: () => true, accept: { [ALPN]: accepted.resolve } }),
    endpoint(),
  ]);
  closers.push(
    () => to.close(),
    () => from.close(),
  );
  const connection = await from.connect(to.ticket(), ALPN);
  const stream = await connection.openStream();
  await stream.write(Uint8Array.of(1));
  const other = await accepted.promise;
  const otherStream = await other.acceptStream();
  const [near, far] = [new IrohSocket(connection, stream), new IrohSocket(other, otherStream)];
  const [atNear, atFar] = [new Heard(), new Heard()];
  near.start(atNear, new Uint8Array(0));
  far.start(atFar, Uint8Array.of(0));
  return { near, far, atNear, atFar, connection, other };
}

test("bytes arrive in order, as fast as they are taken, and before the end", async () => {
  const { near, atNear, far, atFar } = await sockets();
  const sent = noise(3_000_000);
  let at = 0;
  const send = () => {
    at += near.write(sent.subarray(at));
    if (at === sent.length) near.end();
  };
  atNear.onDrained = send;
  send();
  expect(at).toBe(IROH_CHUNK_BYTES);
  expect(near.write(sent)).toBe(0);
  await Promise.all([atNear.closed.promise, atFar.closed.promise]);
  expect(atNear.drainCount).toBeGreaterThan(1);
  expect(Buffer.compare(atFar.bytes, Buffer.concat([Uint8Array.of(0, 1), sent]))).toBe(0);
  expect(far.write(sent)).toBe(sent.length);
});

test("a buffer may be used again once it is written", async () => {
  const { near, atFar } = await sockets();
  const buffer = Buffer.alloc(1_000, 7);
  // The first goes at once, the second waits.
  near.write(buffer);
  near.write(buffer);
  buffer.fill(9);
  near.end();
  await atFar.closed.promise;
  expect(Buffer.compare(atFar.bytes.subarray(2), Buffer.alloc(2_000, 7))).toBe(0);
});

test("nothing is read while it is paused", async () => {
  const { near, far, atFar, connection, other } = await sockets();
  const first = Promise.withResolvers<void>();
  atFar.onChunk = () => {
    if (atFar.bytes.length >= 2) first.resolve();
  };
  await first.promise;
  far.pause();
  const before = other.receivedBytes;
  near.write(noise(1_000));
  near.write(noise(2_000));
  await until(() => other.receivedBytes >= before + 3_000, "all to have come");
  // What is sent later on a stream of its own is read.
  const beside = await connection.openStream();
  await beside.write(Uint8Array.of(1));
  await (await other.acceptStream()).read();
  expect(atFar.bytes.length).toBe(2);
  const rest = Promise.withResolvers<void>();
  atFar.onChunk = () => {
    if (atFar.bytes.length === 3_002) rest.resolve();
  };
  far.resume();
  await rest.promise;
});

test("both learn of it when one ends at once", async () => {
  const { near, atNear, atFar } = await sockets();
  near.terminate();
  await Promise.all([atNear.closed.promise, atFar.closed.promise]);
});
