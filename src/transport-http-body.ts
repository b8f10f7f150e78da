/**
 * Reading the bodies of HTTP requests from strangers, of whom some send slowly, never end, or send much at once.
 *
 * - A body may have `maxBytes`, whatever its headers say.
 * - It may be silent for `idleMs`, and in all take `idleMs` and a second for each `minBytesPerSecond` of it.
 * - What is held of all bodies is at most `heldMaxBytes`, or one body.
 *
 * The HTTP server's own timer is turned off by the caller: it does not count bytes that come slower than 16 KB/s, and
 * would cut off a telephone line in the middle of an honest push.
 */
import { type Bytes, concat } from "./bytes.ts";
import type { Clock, Timer } from "./clock.ts";
import { LimitError, TimeoutError } from "./errors.ts";
import { HTTP_BODIES_MAX_BYTES, HTTP_BODY_MIN_BYTES_PER_SECOND, HTTP_IDLE_SECONDS } from "./limits.ts";

export interface BodyLimits {
  readonly idleMs?: number;
  readonly minBytesPerSecond?: number;
  /** Of all bodies together. */
  readonly heldMaxBytes?: number;
}

export class BodyReader {
  /** Bytes of bodies that have come, of requests that are not answered. */
  heldBytes = 0;
  private readonly idleMs: number;
  private readonly minBytesPerSecond: number;
  private readonly heldMaxBytes: number;

  constructor(
    private readonly clock: Clock,
    limits: BodyLimits,
    /** The error for a body that does not fit beside the others. */
    private readonly noRoom: () => LimitError,
  ) {
    this.idleMs = limits.idleMs ?? HTTP_IDLE_SECONDS * 1000;
    this.minBytesPerSecond = limits.minBytesPerSecond ?? HTTP_BODY_MIN_BYTES_PER_SECOND;
    this.heldMaxBytes = limits.heldMaxBytes ?? HTTP_BODIES_MAX_BYTES;
  }

  /**
   * The whole body. It counts as held until `release(body.length)`.
   *
   * @throws LimitError `http-body` when more than `maxBytes` come or are announced; what `noRoom` made
   * @throws TimeoutError `http-body-slow`
   */
  async read(request: Request, maxBytes: number): Promise<Bytes> {
    const tooLarge = (bytes: number) =>
      new LimitError("http-body", `a request of ${bytes} bytes is larger than the ${maxBytes} accepted`, {
        data: { bytes, maxBytes },
      });
    const announced = Number(request.headers.get("content-length") ?? 0);
    if (announced > maxBytes) throw tooLarge(announced);
    if (request.body === null) return concat([]);
    const reader = request.body.getReader();
    const started = this.clock.monotonic();
    const chunks: Uint8Array[] = [];
    let received = 0;
    try {
      for (;;) {
        const { done, value } = await this.inTime(reader.read(), started, received);
        if (done) return concat(chunks);
        if (received + value.length > maxBytes) throw tooLarge(received + value.length);
        if (this.heldBytes > received && this.heldBytes + value.length > this.heldMaxBytes) {
          throw this.noRoom();
        }
        received += value.length;
        this.heldBytes += value.length;
        chunks.push(value);
      }
    } catch (error) {
      this.release(received);
      reader.cancel().catch(() => {});
      throw error;
    }
  }

  release(bytes: number): void {
    this.heldBytes -= bytes;
  }

  private inTime<T>(part: Promise<T>, started: number, received: number): Promise<T> {
    const { clock, idleMs } = this;
    const allowedMs = idleMs + (received / this.minBytesPerSecond) * 1000;
    const leftMs = Math.min(idleMs, started + allowedMs - clock.monotonic());
    const late = Promise.withResolvers<never>();
    let timer: Timer | undefined;
    const expire = () =>
      late.reject(new TimeoutError("http-body-slow", "the request came too slowly to wait for its end"));
    if (leftMs <= 0) expire();
    else timer = clock.after(leftMs, expire);
    return Promise.race([part, late.promise]).finally(() => timer?.cancel());
  }
}
