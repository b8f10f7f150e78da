/**
 * The calling half of the HTTP wire: one POST per exchange, each on a connection of its own, as stock's
 * client does (fossil-facts A).
 *
 * - Redirects 301, 302, 307 and 308 are followed with the POST preserved, a trailing `/xfer` stripped, at
 *   most `HTTP_REDIRECT_MAX_COUNT` in a row; later exchanges start where they led.
 * - A URL's user and password are the Fossil login, not sent as HTTP credentials.
 * - A reply is read up to `replyMaxBytes`; silence for `idleTimeoutMs` ends it.
 * - A page of HTML, an error status, or a body that ends early is an error that names the peer.
 */
import { type Bytes, freeLarge } from "./bytes.ts";
import type { Clock, Timer } from "./clock.ts";
import { EdgeSyncError, FormatError, LimitError, ProtocolError, TimeoutError } from "./errors.ts";
import { HTTP_IDLE_SECONDS, HTTP_REDIRECT_MAX_COUNT, MESSAGE_MAX_BYTES } from "./limits.ts";
import type { ExchangeOptions, ExchangeReply, Transport } from "./transport.ts";
import { decodeMessageAside, encodeMessageAside, framingOf } from "./xfer-message.ts";

export interface HttpTransportOptions {
  readonly clock: Clock;
  /** Longest silence while connecting, waiting for a reply, or reading it. */
  readonly idleTimeoutMs?: number;
  readonly replyMaxBytes?: number;
  /** PEM certificates to trust besides the system's. */
  readonly ca?: string;
  /** Proxy URL; the caller reads the environment. */
  readonly proxy?: string;
  readonly userAgent?: string;
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 307, 308]);

export class HttpTransport implements Transport {
  readonly carriesCookie = true;
  private current: URL;
  private closed = false;

  /** @param url http or https; user, password, query and fragment are dropped */
  constructor(
    url: URL,
    private readonly options: HttpTransportOptions,
  ) {
    this.current = bare(url);
  }

  get peer(): string {
    return this.current.href;
  }

  async exchange(message: Bytes, options: ExchangeOptions = {}): Promise<ExchangeReply> {
    if (this.closed) throw new ProtocolError("transport-closed", `the connection to ${this.peer} is closed`);
    const { contentType, body } = await encodeMessageAside(message, "compressed");
    if (options.mayFree && body.buffer !== message.buffer) freeLarge(message);
    let bytesSent = 0;
    for (let hop = 0; hop <= HTTP_REDIRECT_MAX_COUNT; hop++) {
      const watch = new Watchdog(this.options, options.signal);
      try {
        const response = await this.post(body, contentType, options.cookie, watch);
        bytesSent += body.length;
        if (REDIRECTS.has(response.status)) {
          await response.body?.cancel();
          this.current = this.redirected(response);
          continue;
        }
        const received = await this.read(response, watch, options.onProgress);
        const decoded = await decodeMessageAside(received, response.headers.get("content-type") ?? "");
        const bytesReceived = received.length;
        if (decoded.message.buffer !== received.buffer) freeLarge(received);
        return { message: decoded.message, bytesSent, bytesReceived };
      } catch (error) {
        throw this.explain(error, watch);
      } finally {
        watch.stop();
      }
    }
    throw new ProtocolError(
      "peer-redirect",
      `${this.peer} redirects more than ${HTTP_REDIRECT_MAX_COUNT} times`,
    );
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  private post(
    body: Bytes,
    contentType: string,
    cookie: string | undefined,
    watch: Watchdog,
  ): Promise<Response> {
    const { ca, proxy, userAgent } = this.options;
    return fetch(this.current, {
      method: "POST",
      body: body.length < STREAM_FROM_BYTES ? body : pieces(body),
      headers: {
        "Content-Type": contentType,
        // Of a stream it has to be said: older servers take no chunks.
        "Content-Length": `${body.length}`,
        Connection: "close",
        ...(userAgent === undefined ? {} : { "User-Agent": userAgent }),
        ...(cookie === undefined ? {} : { Cookie: cookie }),
      },
      redirect: "manual",
      decompress: false,
      keepalive: false,
      signal: watch.signal,
      ...(ca === undefined ? {} : { tls: { ca } }),
      ...(proxy === undefined ? {} : { proxy }),
    });
  }

  private redirected(response: Response): URL {
    const location = response.headers.get("location") ?? "";
    const next = URL.parse(location, this.current.href);
    if (next === null || !/^https?:$/.test(next.protocol)) {
      throw new ProtocolError(
        "peer-redirect",
        `${this.peer} redirects to ${JSON.stringify(location)}, not a web address`,
      );
    }
    if (this.current.protocol === "https:" && next.protocol === "http:") {
      throw new ProtocolError("peer-redirect", `${this.peer} redirects from https to ${next.href}`, {
        hint: "use the http address itself if an unencrypted connection is what you want",
      });
    }
    next.pathname = next.pathname.replace(/\/xfer$/, "") || "/";
    return bare(next);
  }

  private async read(
    response: Response,
    watch: Watchdog,
    onProgress: ((bytesReceived: number) => void) | undefined,
  ): Promise<Bytes> {
    const maxBytes = this.options.replyMaxBytes ?? MESSAGE_MAX_BYTES;
    const contentType = response.headers.get("content-type") ?? "";
    const isSync = framingOf(contentType) !== undefined;
    const declared = Number(response.headers.get("content-length") ?? 0);
    const collected = new Collected(
      Math.max(0, Math.min(declared, maxBytes, COLLECTED_AHEAD_MAX_BYTES) || 0),
    );
    let received = 0;
    let uncollected = 0;
    for await (const chunk of response.body ?? []) {
      watch.alive();
      received += chunk.length;
      uncollected += chunk.length;
      if (uncollected > COLLECT_EVERY_BYTES) {
        uncollected = 0;
        Bun.gc(true);
      }
      if (received > maxBytes) {
        throw new LimitError("peer-reply-size", `${this.peer} answered with more than ${maxBytes} bytes`);
      }
      // Of anything but a sync message only the beginning is of use, for the error.
      if (isSync || received <= PREVIEW_BYTES) collected.add(chunk);
      onProgress?.(received);
    }
    const body = collected.finish();
    if (isSync && response.status === 200) return body;
    const preview = summary(body);
    if (response.status !== 200) {
      throw new ProtocolError(
        "peer-status",
        `${this.peer} answered with HTTP status ${response.status}${preview}`,
        {
          data: { status: response.status },
        },
      );
    }
    throw new ProtocolError(
      "peer-content-type",
      `${this.peer} answered with ${contentType || "no content type"}${preview}`,
      {
        hint: "check that the address is that of a Fossil or EdgeSync repository",
        data: { contentType },
      },
    );
  }

  private explain(error: unknown, watch: Watchdog): unknown {
    if (watch.expired) {
      const seconds = watch.timeoutMs / 1000;
      return new TimeoutError("peer-timeout", `${this.peer} was silent for ${seconds} s`, { cause: error });
    }
    if (error instanceof FormatError) {
      const message = `${this.peer} sent a reply that cannot be read: ${error.message}`;
      return new ProtocolError("peer-damaged", message, { cause: error });
    }
    if (error instanceof EdgeSyncError || watch.signal.aborted) return error;
    const { code = "", message } = error as { code?: string; message: string };
    if (code === "ECONNRESET") {
      return new ProtocolError(
        "peer-closed",
        `${this.peer} closed the connection before its answer was whole`,
        {
          cause: error,
        },
      );
    }
    return new ProtocolError("peer-unreachable", `cannot reach ${this.peer}: ${reasonOf(code, message)}`, {
      cause: error,
      data: { reason: code },
    });
  }
}

/** Bodies of this size are handed to the runtime piece by piece: it copies what it is to send. */
const STREAM_FROM_BYTES = 1_000_000;
const PIECE_BYTES = 262_144;

/** Of the runtime's streams only this kind waits until what it was given has been sent. */
function pieces(body: Bytes): ReadableStream {
  return new ReadableStream({
    type: "direct",
    async pull(controller) {
      for (let at = 0; at < body.length; at += PIECE_BYTES) {
        controller.write(body.subarray(at, at + PIECE_BYTES));
        await controller.flush();
      }
      controller.close();
    },
  });
}

const PREVIEW_BYTES = 65_536;

/** Pieces of a reply that have been copied are garbage; outside the heap it is collected late, if not asked for. */
const COLLECT_EVERY_BYTES = 16_000_000;

/** Memory taken at a server's word that so much is to come. */
const COLLECTED_AHEAD_MAX_BYTES = 256_000_000;

/** What arrives, in one buffer: of a size as declared, or growing. */
class Collected {
  private buffer: Bytes;
  private length = 0;

  constructor(sizeExpected: number) {
    this.buffer = new Uint8Array(sizeExpected);
  }

  add(chunk: Uint8Array): void {
    const end = this.length + chunk.length;
    if (end > this.buffer.length) this.resize(Math.max(end, this.buffer.length * 2, PREVIEW_BYTES));
    this.buffer.set(chunk, this.length);
    this.length = end;
  }

  finish(): Bytes {
    if (this.length < this.buffer.length) this.resize(this.length);
    return this.buffer;
  }

  private resize(size: number): void {
    this.buffer = new Uint8Array(this.buffer.buffer.transfer(size));
  }
}

/** The words of an HTML or text answer, shortened, for an error message. */
function summary(body: Uint8Array): string {
  const words = new TextDecoder()
    .decode(body)
    .replace(/<(script|style)[\s\S]*?<\/\1>/gi, " ")
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim();
  return words === "" ? "" : `: ${words.length > 120 ? `${words.slice(0, 117)}…` : words}`;
}

function reasonOf(code: string, message: string): string {
  if (code === "ConnectionRefused" || code === "ECONNREFUSED") return "connection refused";
  if (code === "ENOTFOUND" || /resolve/i.test(message)) return "no such host";
  return message;
}

function bare(url: URL): URL {
  const copy = new URL(url.href);
  copy.username = "";
  copy.password = "";
  copy.search = "";
  copy.hash = "";
  return copy;
}

/** Aborts an exchange that has been silent too long, or that its caller gave up. */
class Watchdog {
  readonly timeoutMs: number;
  expired = false;
  private readonly controller = new AbortController();
  private timer: Timer;
  private lastSign: number;

  constructor(
    private readonly options: HttpTransportOptions,
    private readonly outer: AbortSignal | undefined,
  ) {
    this.timeoutMs = options.idleTimeoutMs ?? HTTP_IDLE_SECONDS * 1000;
    this.lastSign = options.clock.monotonic();
    this.timer = options.clock.after(this.timeoutMs, this.check);
    if (outer?.aborted) this.onAbort();
    outer?.addEventListener("abort", this.onAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Something arrived. Cheap: the timer is only moved when it fires. */
  alive(): void {
    this.lastSign = this.options.clock.monotonic();
  }

  stop(): void {
    this.timer.cancel();
    this.outer?.removeEventListener("abort", this.onAbort);
  }

  private readonly check = (): void => {
    const silentMs = this.options.clock.monotonic() - this.lastSign;
    if (silentMs < this.timeoutMs) {
      this.timer = this.options.clock.after(this.timeoutMs - silentMs, this.check);
      return;
    }
    this.expired = true;
    this.controller.abort(new Error("silent for too long"));
  };

  private readonly onAbort = (): void => this.controller.abort(this.outer?.reason);
}
