/**
 * The listening half of the HTTP wire: `Bun.serve` with the habits that stock Fossil clients need and the
 * bounds that strangers need. It carries bytes and knows nothing of artifacts.
 *
 * Rules, all from fossil-facts A and G:
 * - any POST whose type starts with `application/x-fossil` is an exchange, whatever its path;
 * - a reply is one buffer, so that Content-Length is sent and never chunked (trap 1);
 * - `Connection: close` on every reply to an exchange, for stock waits for the end of the socket (trap 2);
 * - no Content-Encoding on replies (trap 6);
 * - a request body is read up to `bodyMaxBytes` whatever its headers claim, then refused with 413;
 * - too many exchanges at the same time are turned away with a reply of `refuse`, before much of their body is read;
 *   a page counts as an exchange, and gets status 503.
 *
 * Whom the server waits for, and how long: the head of a request has the 10 seconds that Bun gives it; its body is
 * `transport-http-body.ts`; a reply of which the client takes nothing for `HTTP_IDLE_SECONDS` is cut off by Bun.
 */
import type { Server } from "bun";
import { type Context, Hono } from "hono";
import { type Bytes, concat } from "./bytes.ts";
import type { Clock } from "./clock.ts";
import { LimitError, TimeoutError } from "./errors.ts";
import {
  HTTP_DRAIN_MS,
  HTTP_IDLE_SECONDS,
  HTTP_REFUSED_BODY_MAX_BYTES,
  HTTP_REFUSED_BODY_MS,
  MESSAGE_MAX_BYTES,
} from "./limits.ts";
import { isLoopback, type ListenAddress, listenFailure } from "./listen-address.ts";
import {
  Admission,
  type AdmissionLimits,
  isRefusal,
  type Refusal,
  type Visit,
} from "./transport-http-admission.ts";
import { type BodyLimits, BodyReader } from "./transport-http-body.ts";
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
  readonly exchange: (request: HttpExchange, visit: Visit) => Promise<HttpExchangeReply>;
  /**
   * Answers an exchange that is turned away, whose body is left out if it is too long or too slow. Without it such an
   * exchange gets status 503.
   */
  readonly refuse?: (request: HttpExchange, why: LimitError) => Promise<HttpExchangeReply>;
  /** Routes for everything that is not an exchange: pages, health, metrics. */
  readonly pages: Hono;
  /** Paths that are answered however many are served; every other page is a visit as an exchange is one. */
  readonly uncounted?: readonly string[];
  /** Paths for clients on this machine alone, which come through no proxy. */
  readonly localOnly?: readonly string[];
  readonly bodyMaxBytes?: number;
  readonly limits?: AdmissionLimits & BodyLimits & { readonly replyIdleSeconds?: number };
  /** The last address of `X-Forwarded-For` is the client's: a proxy that this listener alone is for writes it. */
  readonly trustProxy?: boolean;
  /** PEM texts: TLS instead of plain HTTP. */
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly clock: Clock;
}

export interface HttpServer {
  /** Where it listens, with the port that was chosen when 0 was asked for. */
  readonly url: string;
  /** Exchanges that have been accepted and not yet answered. */
  readonly activeCount: number;
  /** Exchanges accepted whose reply has not left yet. */
  readonly openCount: number;
  /** Bytes of the bodies of exchanges that are not answered. */
  readonly heldBodyBytes: number;
  /** Exchanges turned away so far. */
  readonly refusedCounts: ReadonlyMap<Refusal, number>;
  /** Refuses new connections, waits for exchanges under way, then closes every socket. */
  stop(): Promise<void>;
}

type Env = { Bindings: { server: Server<undefined> } };

/** @throws EdgeSyncError `address-in-use`, `address-unavailable` */
export function serveHttp(options: HttpServerOptions): HttpServer {
  const bodyMaxBytes = options.bodyMaxBytes ?? MESSAGE_MAX_BYTES;
  let activeCount = 0;
  let onIdle: (() => void) | undefined;
  const unsent = new UnsentReplies(() => server, options.clock, options.limits?.replyIdleSeconds);
  const admission = new Admission(options.limits);
  const noRoom = () => admission.refused("memory", "the server has too much in hand; try again later");
  const bodies = new BodyReader(options.clock, options.limits ?? {}, noRoom);
  const refusedBodies = new BodyReader(options.clock, { idleMs: HTTP_REFUSED_BODY_MS }, noRoom);

  /** What can be had of the body of a request that is turned away: its client may show no reply before it has sent all. */
  const bodyOfRefused = async (raw: Request): Promise<Bytes> => {
    if (raw.bodyUsed) return concat([]);
    try {
      const body = await refusedBodies.read(raw, HTTP_REFUSED_BODY_MAX_BYTES);
      refusedBodies.release(body.length);
      return body;
    } catch (error) {
      if (error instanceof LimitError || error instanceof TimeoutError) return concat([]);
      throw error;
    }
  };

  const addressOf = ({ env, req }: Context<Env>): string => {
    const forwarded = options.trustProxy ? req.header("x-forwarded-for") : undefined;
    return forwarded?.split(",").at(-1)?.trim() || (env.server.requestIP(req.raw)?.address ?? "");
  };

  const app = new Hono<Env>();
  app.post("*", async (context, next) => {
    const contentType = context.req.header("content-type") ?? "";
    if (!/^application\/x-fossil/i.test(contentType)) return next();
    const { server } = context.env;
    const raw = context.req.raw;
    const about = {
      path: decodePath(context.req.path),
      contentType,
      cookie: context.req.header("cookie"),
      address: addressOf(context),
    };
    activeCount++;
    // The time an exchange may take is bounded by its own limits, not by silence on the socket.
    server.timeout(raw, 0);
    let visit: Visit | undefined;
    let body: Bytes | undefined;
    let heldBytes = 0;
    try {
      visit = admission.enter(about.address, () => server.requestIP(raw) !== null);
      body = await bodies.read(raw, bodyMaxBytes);
      heldBytes = body.length;
      return await unsent.respond(raw, await options.exchange({ ...about, body }, visit));
    } catch (error) {
      if (isRefusal(error)) {
        if (options.refuse === undefined) return closing(503, error.message);
        body ??= await bodyOfRefused(raw);
        return await unsent.respond(raw, await options.refuse({ ...about, body }, error));
      }
      if (error instanceof LimitError) return closing(413, error.message);
      if (error instanceof TimeoutError) return closing(408, error.message);
      if (raw.signal.aborted) return closing(400, "the request ended before its body did");
      throw error;
    } finally {
      visit?.answered();
      bodies.release(heldBytes);
      if (--activeCount === 0) onIdle?.();
    }
  });
  app.use("*", async (context, next) => {
    const { server } = context.env;
    const { path, raw } = context.req;
    const address = addressOf(context);
    const isForwarded = context.req.header("x-forwarded-for") !== undefined;
    if (options.localOnly?.includes(path) && (isForwarded || !isLoopbackClient(address))) {
      return closing(403, "only for clients on the server's own machine");
    }
    if (options.uncounted?.includes(path)) return next();
    let visit: Visit | undefined;
    try {
      visit = admission.enter(address, () => server.requestIP(raw) !== null);
      return await next();
    } catch (error) {
      if (isRefusal(error)) return closing(503, error.message);
      throw error;
    } finally {
      visit?.answered();
    }
  });
  app.route("/", options.pages);

  const server = listen(options, app);
  return {
    url: server.url.href,
    get activeCount() {
      return activeCount;
    },
    get openCount() {
      return admission.openCount;
    },
    get heldBodyBytes() {
      return bodies.heldBytes;
    },
    refusedCounts: admission.refusedCounts,
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

/** As the system names it: an IPv4 client of a socket for both may have its address in IPv6 form. */
const isLoopbackClient = (address: string): boolean =>
  isLoopback({ host: address.replace(/^::ffff:/i, ""), port: 0 });

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
