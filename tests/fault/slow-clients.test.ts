/** Clients that send or read slowly, or not at all: they are cut off, hold little, and hinder nobody. */
import { afterEach, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { Hono } from "hono";
import { latin1, utf8 } from "../../src/bytes.ts";
import { type Clock, systemClock, type Timer } from "../../src/clock.ts";
import { type HttpServer, type HttpServerOptions, serveHttp } from "../../src/transport-http-server.ts";
import { CONTENT_TYPES } from "../../src/xfer-message.ts";

/** More than the kernel takes for a client that reads nothing. */
const LARGE_REPLY_BYTES = 40_000_000;
/** Bun waits this long for the head of a request. */
const HEAD_MS_MAX = 30_000;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** What is measured stands still until `pass`. Who only waits for something else to happen sleeps as ever. */
class HeldClock implements Clock {
  private time = 0;
  private readonly timers = new Set<{ at: number; callback: () => void }>();
  now = systemClock.now;
  sleep = systemClock.sleep;
  monotonic = () => this.time;

  after(delayMs: number, callback: () => void): Timer {
    const timer = { at: this.time + delayMs, callback };
    this.timers.add(timer);
    return { cancel: () => this.timers.delete(timer) };
  }

  pass(milliseconds: number): void {
    this.time += milliseconds;
    for (const timer of [...this.timers]) {
      if (timer.at <= this.time && this.timers.delete(timer)) timer.callback();
    }
  }
}

function serve(
  limits: HttpServerOptions["limits"],
  reply: (body: Uint8Array) => Uint8Array,
  clock: Clock = systemClock,
): HttpServer {
  const server = serveHttp({
    listen: { host: "127.0.0.1", port: 0 },
    clock,
    pages: new Hono(),
    limits: limits ?? {},
    exchange: async ({ body }) => ({
      status: 200,
      contentType: CONTENT_TYPES.raw,
      body: reply(body).slice(),
    }),
  });
  closers.push(() => server.stop());
  return server;
}

/** A client made of bytes. */
class RawClient {
  said = "";
  readonly closed: Promise<void>;
  readonly socket: Socket;

  constructor(server: HttpServer, isReading = true) {
    this.socket = connect(Number(new URL(server.url).port), "127.0.0.1");
    // Before the server, which waits for who is there.
    closers.unshift(() => this.socket.destroy());
    this.closed = new Promise((resolve) => this.socket.on("close", () => resolve()));
    this.socket.on("error", () => {});
    if (isReading) this.socket.on("data", (bytes) => (this.said += latin1(bytes as Buffer)));
    else this.socket.pause();
  }

  head(bodyBytes: number): void {
    const type = CONTENT_TYPES.raw;
    this.socket.write(
      `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: ${bodyBytes}\r\n\r\n`,
    );
  }

  /** Writes `part` again and again until the connection is closed or it has been written `times`. */
  async dribble(part: string, pauseMs: number, times = Number.POSITIVE_INFINITY): Promise<void> {
    let isOpen = true;
    void this.closed.then(() => {
      isOpen = false;
    });
    for (let i = 0; i < times && isOpen; i++) {
      this.socket.write(part);
      await Bun.sleep(pauseMs);
    }
  }
}

async function exchange(server: HttpServer, body: string): Promise<string> {
  const headers = { "Content-Type": CONTENT_TYPES.raw };
  return (await fetch(server.url, { method: "POST", headers, body, keepalive: false })).text();
}

test("a body that stops, or dribbles, ends with 408; one that is slow and comes is served", async () => {
  const clock = new HeldClock();
  const server = serve({ idleMs: 300, minBytesPerSecond: 5_000 }, (body) => body, clock);
  const [silent, dribbling, slow] = [new RawClient(server), new RawClient(server), new RawClient(server)];
  const open = new Set([silent, dribbling, slow]);
  for (const client of open) void client.closed.then(() => open.delete(client));
  const held = async (bytes: number) => {
    while (server.heldBodyBytes !== bytes) await Bun.sleep(1);
  };
  silent.head(100);
  silent.socket.write("abc");
  dribbling.head(1_000_000);
  slow.head(20_000);
  await held(3);
  /** Which have been answered after each 30 ms, in which one sends a byte and one a thousand. */
  const answered: string[] = [];
  for (let step = 1; step <= 20; step++) {
    const dribbled = open.has(dribbling) ? step : 0;
    if (open.has(dribbling)) dribbling.socket.write("x");
    slow.socket.write("y".repeat(1000));
    // What has come is taken before time goes on; a whole body is no longer held.
    if (step < 20) await held((open.has(silent) ? 3 : 0) + dribbled + step * 1000);
    else await slow.closed;
    expect(await exchange(server, `# ${step}\n`)).toBe(`# ${step}\n`);
    clock.pass(30);
    if (step === 10) await silent.closed;
    // A byte earned it a fraction of a millisecond.
    if (step === 11) await dribbling.closed;
    answered.push([silent, dribbling, slow].map(({ said }) => said.slice(9, 12) || "-").join(" "));
  }
  expect(answered).toEqual([
    ...Array.from({ length: 9 }, () => "- - -"),
    "408 - -",
    ...Array.from({ length: 9 }, () => "408 408 -"),
    "408 408 200",
  ]);
  expect(slow.said).toEndWith("y".repeat(20_000));
  expect(server.openCount).toBe(0);
});

test("what is held of bodies is bounded; one alone may be larger", async () => {
  const server = serve({ heldMaxBytes: 1000 }, (body) => utf8(`${body.length}`));
  expect(await exchange(server, "x".repeat(5000))).toBe("5000");
  const [first, second, third] = [new RawClient(server), new RawClient(server), new RawClient(server)];
  for (const client of [first, second]) {
    client.head(501);
    client.socket.write("x".repeat(500));
  }
  const held = async (bytes: number) => {
    while (server.heldBodyBytes !== bytes) await Bun.sleep(1);
  };
  await held(1000);
  third.head(1);
  third.socket.write("x");
  await third.closed;
  expect(third.said).toStartWith("HTTP/1.1 503 ");
  expect(third.said).toContain("the server has too much in hand; try again later");
  expect(server.refusedCounts.get("memory")).toBe(1);
  first.socket.destroy();
  await held(500);
  second.socket.write("x");
  await second.closed;
  expect(second.said).toEndWith("501");
  expect(server.heldBodyBytes).toBe(0);
});

test(
  "a head that never ends and a reply that nobody reads are cut off, while others are served",
  async () => {
    const large = new Uint8Array(LARGE_REPLY_BYTES);
    const server = serve({ replyIdleSeconds: 1 }, (body) => (body.length === 1 ? large : body));
    const deaf = new RawClient(server, false);
    deaf.head(1);
    deaf.socket.write("x");
    while (server.openCount !== 1) await Bun.sleep(1);
    const [dribbling, mute] = [new RawClient(server), new RawClient(server)];
    dribbling.socket.write("POST / HTTP/1.1\r\nX-Long: ");
    let isWaiting = true;
    const others = (async () => {
      let count = 0;
      for (; isWaiting; count++) {
        expect(await exchange(server, `# ${count}\n`)).toBe(`# ${count}\n`);
        await Bun.sleep(20);
      }
      return count;
    })();
    const deafGone = (async () => {
      // The server has dropped the reply; the client has not read a byte of it.
      while (server.openCount > 1) await Bun.sleep(20);
      while (server.openCount !== 0) await Bun.sleep(1);
    })();
    await Promise.all([deafGone, dribbling.dribble("a", 100), mute.closed]);
    isWaiting = false;
    expect(await others).toBeGreaterThan(0);
    expect([dribbling.said, mute.said]).toEqual(["", ""]);
  },
  HEAD_MS_MAX,
);
