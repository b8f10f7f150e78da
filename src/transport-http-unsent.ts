/**
 * Replies that were handed to the HTTP server and have not left its sockets. Each is in memory until its client has
 * taken it all, so that ten clients with a large page each would need ten times its size. A reply that does not fit
 * beside the others waits, in order, until they have left, though no longer than `HTTP_UNSENT_WAIT_MS`.
 *
 * The server does not say when a reply has left; it can be asked whether a request is still open.
 */
import type { Clock } from "./clock.ts";
import { HTTP_UNSENT_MAX_BYTES, HTTP_UNSENT_WAIT_MS } from "./limits.ts";

/** Between two looks at what has left, while a reply waits. */
const LOOK_MS = 5;
/** Smaller replies are not counted. */
const COUNTED_FROM_BYTES = 65_536;

export class UnsentReplies {
  private readonly replies = new Map<Request, number>();
  private turn: Promise<void> = Promise.resolve();

  constructor(
    private readonly isOpen: (request: Request) => boolean,
    private readonly clock: Clock,
  ) {}

  /** Resolves when the reply to `request`, of `bytes`, may be handed over; it counts from then on. */
  admit(request: Request, bytes: number): Promise<void> {
    if (bytes < COUNTED_FROM_BYTES) return Promise.resolve();
    const before = this.turn;
    const until = this.clock.monotonic() + HTTP_UNSENT_WAIT_MS;
    this.turn = (async () => {
      await before;
      while (!this.fits(bytes) && this.clock.monotonic() < until) await this.clock.sleep(LOOK_MS);
      this.replies.set(request, bytes);
    })();
    return this.turn;
  }

  /** What has not left is at most this. */
  get bytes(): number {
    let sum = 0;
    for (const [request, bytes] of this.replies) {
      if (this.isOpen(request)) sum += bytes;
      else this.replies.delete(request);
    }
    return sum;
  }

  private fits(bytes: number): boolean {
    const { bytes: others } = this;
    return others === 0 || others + bytes <= HTTP_UNSENT_MAX_BYTES;
  }
}
