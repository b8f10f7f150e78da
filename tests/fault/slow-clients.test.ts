/** Clients that send or read slowly, or not at all: they are cut off, hold little, and hinder nobody. */
import { afterEach, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { Hono } from "hono";
import { latin1, utf8 } from "../../src/bytes.ts";
import { systemClock } from "../../src/clock.ts";
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

function serve(limits: HttpServerOptions["limits"], reply: (body: Uint8Array) => Uint8Array): HttpServer {
  const server = serveHttp({
    listen: { host: "127.0.0.1", port: 0 },
    clock: systemClock,
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
  const server = serve({ idleMs: 300, minBytesPerSecond: 5_000 }, (body) => body);
  const [silent, dribbling, slow] = [new RawClient(server), new RawClient(server), new RawClient(server)];
  silent.head(100);
  silent.socket.write("abc");
  dribbling.head(1_000_000);
  slow.head(20_000);
  const others = (async () => {
    for (let i = 0; i < 20; i++) expect(await exchange(server, `# ${i}\n`)).toBe(`# ${i}\n`);
  })();
  await Promise.all([
    silent.closed,
    dribbling.dribble("x", 20),
    // Twice as long as a body may be silent.
    slow.dribble("y".repeat(1000), 30, 20),
    others,
  ]);
  await slow.closed;
  expect(silent.said).toStartWith("HTTP/1.1 408 ");
  expect(dribbling.said).toStartWith("HTTP/1.1 408 ");
  expect(slow.said).toStartWith("HTTP/1.1 200 ");
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
