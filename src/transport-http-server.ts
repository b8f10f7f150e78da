/**
 * The listening half of the HTTP wire: `Bun.serve` with the habits that stock Fossil clients need and the
 * bounds that strangers need. It carries bytes and knows nothing of artifacts.
 *
 * Rules, all from fossil-facts A and G:
 * - any POST whose type starts with `application/x-fossil` is an exchange, whatever its path;
 * - a reply is one buffer, so that Content-Length is sent and never chunked (trap 1);
 * - `Connection: close` on every reply to an exchange, for stock waits for the end of the socket (trap 2);
 * - no Content-Encoding on replies (trap 6);
 * - a request body is read up to `bodyMaxBytes` whatever its headers claim, then refused with 413.
 */
import type { Server } from "bun";
import { Hono } from "hono";
import { type Bytes, concat } from "./bytes.ts";
import type { Clock } from "./clock.ts";
import { LimitError } from "./errors.ts";
import { HTTP_DRAIN_MS, HTTP_IDLE_SECONDS, MESSAGE_MAX_BYTES } from "./limits.ts";
import { type ListenAddress, listenFailure } from "./listen-address.ts";
import { type HttpExchangeReply, UnsentReplies } from "./transport-http-reply.ts";

/** One request of a sync client, whole. */
export interface HttpExchange {
  /** Decoded URL path, starting with `/`. The query string is dropped, as stock does. */
  readonly path: string;
  readonly contentType: string;
  /** The `Cookie` header: newer clients log in through it (fossil-facts D). */
  readonly cookie: string | undefined;
  /** Address of the peer, without port. */
  readonly address: string;
  readonly body: Bytes;
}

export interface HttpServerOptions {
  readonly listen: ListenAddress;
  readonly exchange: (request: HttpExchange) => Promise<HttpExchangeReply>;
  /** Routes for everything that is not an exchange: pages, health, metrics. */
  readonly pages: Hono;
  readonly bodyMaxBytes?: number;
  /** PEM texts: TLS instead of plain HTTP. */
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly clock: Clock;
}

export interface HttpServer {
  /** Where it listens, with the port that was chosen when 0 was asked for. */
  readonly url: string;
  /** Exchanges that have been accepted and not yet answered. */
  readonly activeCount: number;
  /** Refuses new connections, waits for exchanges under way, then closes every socket. */
  stop(): Promise<void>;
}

type Env = { Bindings: { server: Server<undefined> } };

/** @throws EdgeSyncError `address-in-use`, `address-unavailable` */
export function serveHttp(options: HttpServerOptions): HttpServer {
  const bodyMaxBytes = options.bodyMaxBytes ?? MESSAGE_MAX_BYTES;
  let activeCount = 0;
  let onIdle: (() => void) | undefined;
  const unsent = new UnsentReplies(() => server, options.clock);

  const app = new Hono<Env>();
  app.post("*", async (context, next) => {
    const contentType = context.req.header("content-type") ?? "";
    if (!/^application\/x-fossil/i.test(contentType)) return next();
    const { server } = context.env;
    activeCount++;
    // The time an exchange may take is bounded by its own limits, not by silence on the socket.
    const raw = context.req.raw;
    try {
      const body = await readBody(raw, bodyMaxBytes);
      server.timeout(raw, 0);
      const reply = await options.exchange({
        path: decodePath(context.req.path),
        contentType,
        cookie: context.req.header("cookie"),
        address: server.requestIP(raw)?.address ?? "",
        body,
      });
      return await unsent.respond(raw, reply);
    } catch (error) {
      if (error instanceof LimitError) return closing(413, error.message);
      if (raw.signal.aborted) return closing(400, "the request ended before its body did");
      throw error;
    } finally {
      if (--activeCount === 0) onIdle?.();
    }
  });
  app.route("/", options.pages);

  const server = listen(options, app);
  return {
    url: server.url.href,
    get activeCount() {
      return activeCount;
    },
    async stop() {
      const stopped = server.stop(false);
      if (activeCount > 0) {
        await new Promise<void>((resolve) => {
          onIdle = resolve;
        });
      }
      // Replies are buffers already handed to the sockets: let them leave, but wait for no idle browser.
      await Promise.race([stopped, options.clock.sleep(HTTP_DRAIN_MS)]);
      await server.stop(true);
      unsent.close();
    },
  };
}

function listen({ listen: address, tls }: HttpServerOptions, app: Hono<Env>): Server<undefined> {
  try {
    return Bun.serve({
      hostname: address.host,
      port: address.port,
      ...(tls && { tls: { key: tls.key, cert: tls.cert } }),
      idleTimeout: HTTP_IDLE_SECONDS,
      // Bodies are bounded by `readBody`; this only has to be out of its way.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      fetch: (request, server) => app.fetch(request, { server }),
    });
  } catch (cause) {
    throw listenFailure(address, cause);
  }
}

/** @throws LimitError `http-body` when more than `maxBytes` come or are announced */
async function readBody(request: Request, maxBytes: number): Promise<Bytes> {
  const tooLarge = (bytes: number) =>
    new LimitError("http-body", `a request of ${bytes} bytes is larger than the ${maxBytes} accepted`, {
      data: { bytes, maxBytes },
    });
  const announced = Number(request.headers.get("content-length") ?? 0);
  if (announced > maxBytes) throw tooLarge(announced);
  const chunks: Uint8Array[] = [];
  let received = 0;
  for await (const chunk of request.body ?? []) {
    received += chunk.length;
    if (received > maxBytes) throw tooLarge(received);
    chunks.push(chunk);
  }
  return concat(chunks);
}

function closing(status: number, message: string): Response {
  return new Response(`${message}\n`, {
    status,
    headers: { "Content-Type": "text/plain; charset=utf-8", Connection: "close" },
  });
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
