import { afterEach, describe, expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import type { Socket } from "bun";
import { Hono } from "hono";
import { utf8 } from "../src/bytes.ts";
import { systemClock } from "../src/clock.ts";
import { HttpTransport } from "../src/transport-http.ts";
import { type HttpServer, serveHttp } from "../src/transport-http-server.ts";
import { CONTENT_TYPES, decodeMessage, encodeMessage } from "../src/xfer-message.ts";
import { TempDir } from "./temp-dir.ts";
import { failure, noise, type Serve, transportContract } from "./transport-contract.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

function serveMessages(serve: Serve, bodyMaxBytes?: number): HttpServer {
  const server = serveHttp({
    listen: LOOPBACK,
    clock: systemClock,
    pages: new Hono(),
    ...(bodyMaxBytes === undefined ? {} : { bodyMaxBytes }),
    async exchange({ body, contentType }) {
      try {
        const { message } = decodeMessage(body, contentType);
        return { status: 200, ...encodeMessage(await serve(message), "compressed") };
      } catch (error) {
        return { status: 500, contentType: "text/plain", body: utf8(String(error)) };
      }
    },
  });
  closers.push(() => server.stop());
  return server;
}

const to = (url: string, options = {}) =>
  new HttpTransport(new URL(url), { clock: systemClock, idleTimeoutMs: 5_000, ...options });

transportContract("http", async (serve) => {
  const server = serveMessages(serve);
  return { transport: to(server.url), close: async () => {} };
});

/** A peer that writes `bytes` to whoever connects and sends something, then ends. */
function rawPeer(bytes: string, end = true): string {
  const listener = Bun.listen({
    hostname: LOOPBACK.host,
    port: 0,
    socket: {
      data(socket) {
        socket.write(bytes);
        if (end) socket.end();
      },
    },
  });
  closers.push(() => listener.stop(true));
  return `http://127.0.0.1:${listener.port}/`;
}

describe("http client", () => {
  test.each([
    [
      "a body that ends early",
      "HTTP/1.0 200 OK\r\nContent-Type: application/x-fossil\r\nContent-Length: 99\r\n\r\nx",
      "peer-closed",
    ],
    ["no answer at all", "", "peer-closed"],
    [
      "a page of HTML",
      "HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<h1>Hello</h1>",
      "peer-content-type",
    ],
    [
      "an error status",
      "HTTP/1.0 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nGone",
      "peer-status",
    ],
    [
      "a redirect to nowhere",
      "HTTP/1.0 302 Found\r\nLocation: ftp://x/\r\nContent-Length: 0\r\n\r\n",
      "peer-redirect",
    ],
    [
      "a damaged body",
      "HTTP/1.0 200 OK\r\nContent-Type: application/x-fossil\r\nContent-Length: 7\r\n\r\n\0\0\0\x09x\x01\x01",
      "peer-damaged",
    ],
  ])("says so of %s", async (_, answer, code) => {
    expect((await failure(to(rawPeer(answer)).exchange(utf8("ping")))).code).toBe(code);
  });

  test("shows the words of an error page, without its markup", async () => {
    const page = "<style>x{}</style><h1>No such <i>project</i></h1>";
    const peer = rawPeer(
      `HTTP/1.0 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: ${page.length}\r\n\r\n${page}`,
    );
    const { message } = await failure(to(peer).exchange(utf8("ping")));
    expect(message).toEndWith("HTTP status 404: No such project");
  });

  test("gives up on a silent peer", async () => {
    const error = await failure(
      to(rawPeer("HTTP/1.0 200 OK\r\n", false), { idleTimeoutMs: 50 }).exchange(utf8("ping")),
    );
    expect(error.code).toBe("peer-timeout");
  });

  test("says that nobody listens", async () => {
    const server = serveMessages((message) => message.slice());
    await server.stop();
    const error = await failure(to(server.url).exchange(utf8("ping")));
    expect([error.code, error.message]).toEqual([
      "peer-unreachable",
      `cannot reach ${server.url}: connection refused`,
    ]);
  });

  test("follows redirects with the POST preserved, and remembers where they led", async () => {
    const server = serveMessages((message) => message.slice());
    const hop = `HTTP/1.0 302 Found\r\nLocation: ${server.url}repo/xfer\r\nContent-Length: 0\r\n\r\n`;
    const transport = to(rawPeer(hop));
    expect((await transport.exchange(utf8("hello"))).message).toEqual(utf8("hello"));
    expect(transport.peer).toBe(`${server.url}repo`);
  });

  test("stops following redirects in a circle", async () => {
    let url = "";
    const listener = Bun.serve({
      hostname: LOOPBACK.host,
      port: 0,
      fetch: () => Response.redirect(url, 307),
    });
    closers.push(() => listener.stop(true));
    url = listener.url.href;
    expect((await failure(to(url).exchange(utf8("x")))).code).toBe("peer-redirect");
  });

  test("stops reading an answer larger than accepted", async () => {
    const server = serveMessages(() => noise(100_000));
    const error = await failure(to(server.url, { replyMaxBytes: 50_000 }).exchange(utf8("x")));
    expect(error.code).toBe("peer-reply-size");
  });

  test("sends no password with the address", () => {
    expect(to("http://user:secret@127.0.0.1:1/x?y#z").peer).toBe("http://127.0.0.1:1/x");
  });
});

describe("http server", () => {
  const post = (url: string, body: Uint8Array<ArrayBuffer> | string, headers: Record<string, string> = {}) =>
    fetch(url, { method: "POST", body, headers: { "Content-Type": CONTENT_TYPES.raw, ...headers } });

  test("closes the connection after an exchange and announces the length", async () => {
    const server = serveMessages((message) => message.slice());
    const reply = await post(`${server.url}any/path`, "# nothing\n");
    expect(reply.headers.get("connection")).toBe("close");
    expect(Number(reply.headers.get("content-length"))).toBe((await reply.arrayBuffer()).byteLength);
    expect(reply.headers.get("content-encoding")).toBeNull();
  });

  test("accepts a body at its limit and refuses one byte more", async () => {
    const server = serveMessages(() => utf8("fine"), 1000);
    expect((await post(server.url, noise(1000))).status).toBe(200);
    const refused = await post(server.url, noise(1001));
    expect([refused.status, await refused.text()]).toEqual([
      413,
      "a request of 1001 bytes is larger than the 1000 accepted\n",
    ]);
  });

  test("names the address that is in use", async () => {
    const server = serveMessages(() => utf8("fine"));
    const listen = { host: LOOPBACK.host, port: Number(new URL(server.url).port) };
    const second = () =>
      serveHttp({
        listen,
        clock: systemClock,
        pages: new Hono(),
        exchange: () => Promise.reject(new Error("unused")),
      });
    expect(second).toThrow(`cannot listen on 127.0.0.1:${listen.port}: the address is in use`);
  });

  test("answers what is under way before it stops", async () => {
    let release: (() => void) | undefined;
    const started = Promise.withResolvers<void>();
    const server = serveMessages(async (message) => {
      started.resolve();
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return message.slice();
    });
    const exchange = to(server.url).exchange(utf8("slow"));
    await started.promise;
    const stopped = server.stop();
    release?.();
    expect((await exchange).message).toEqual(utf8("slow"));
    await stopped;
  });
});

describe.skipIf(process.platform !== "linux")("replies in files", () => {
  test("arrive whole, with their length, and are released once a slow client has them", async () => {
    using dir = new TempDir("http-file");
    const content = noise(8_000_000);
    const fd = openSync(dir.write("reply", content), "r");
    let releaseCount = 0;
    const server = serveHttp({
      listen: LOOPBACK,
      clock: systemClock,
      pages: new Hono(),
      exchange: async () => ({
        status: 200,
        contentType: CONTENT_TYPES.raw,
        body: { fd, length: content.length },
        release: () => releaseCount++,
      }),
    });
    closers.push(() => server.stop());
    const parts: Buffer[] = [];
    const closed = Promise.withResolvers<void>();
    const paused = Promise.withResolvers<Socket<undefined>>();
    await Bun.connect({
      hostname: LOOPBACK.host,
      port: Number(new URL(server.url).port),
      socket: {
        open(socket) {
          const head = `POST / HTTP/1.0\r\nContent-Type: ${CONTENT_TYPES.compressed}\r\nContent-Length: 0\r\n\r\n`;
          socket.write(head);
        },
        data(socket, chunk) {
          if (parts.length === 0) {
            socket.pause();
            paused.resolve(socket as never);
          }
          parts.push(Buffer.from(chunk));
        },
        close: () => closed.resolve(),
      },
    });
    const socket = await paused.promise;
    await Bun.sleep(300);
    expect(releaseCount).toBe(0);
    socket.resume();
    await closed.promise;
    const received = Buffer.concat(parts);
    const headEnd = received.indexOf("\r\n\r\n");
    const head = received.toString("latin1", 0, headEnd).toLowerCase();
    expect(head).toContain(`content-length: ${content.length}`);
    expect(head).toContain("connection: close");
    expect(head).not.toContain("transfer-encoding");
    expect(head).not.toContain("filename");
    expect(received.subarray(headEnd + 4).equals(content)).toBe(true);
    while (releaseCount === 0) await Bun.sleep(20);
    expect(releaseCount).toBe(1);
    closeSync(fd);
  });
});
