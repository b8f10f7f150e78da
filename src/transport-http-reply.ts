/**
 * Replies on their way out of the HTTP server, until their clients have taken them.
 *
 * A reply in memory is copied by the server and then there until the slowest client has it all. One that does not fit
 * beside the others waits, in order, until they have left, though no longer than `HTTP_UNSENT_WAIT_MS`: a slow client
 * must not stop the rest. A reply in a file takes no memory and does not wait; it is released when it has left.
 *
 * The server does not say when a reply has left; it can be asked whether a request is still open.
 */
import type { Server } from "bun";
import type { Bytes } from "./bytes.ts";
import type { Clock, Timer } from "./clock.ts";
import { HTTP_IDLE_SECONDS, HTTP_UNSENT_MAX_BYTES, HTTP_UNSENT_WAIT_MS } from "./limits.ts";

/** A body in a file that is open in this process. The kernel sends it. Linux only. */
export interface HttpFile {
  readonly fd: number;
  /** In bytes. */
  readonly length: number;
}

export interface HttpExchangeReply {
  readonly status: number;
  readonly contentType: string;
  readonly body: Bytes | HttpFile;
  /** Called once, when the body is not looked at again. */
  readonly release?: () => void;
}

/** Between two looks at what has left. */
const LOOK_MS = 5;
const LOOK_AT_FILES_MS = 100;
/** Smaller replies in memory are not counted. */
const COUNTED_FROM_BYTES = 65_536;

export class UnsentReplies {
  /** Bytes in memory, by request. */
  private readonly inMemory = new Map<Request, number>();
  /** What to do when a file has left, by request. */
  private readonly inFiles = new Map<Request, () => void>();
  private turn: Promise<void> = Promise.resolve();
  private timer: Timer | undefined;

  constructor(
    private readonly server: () => Server<undefined>,
    private readonly clock: Clock,
    /** A client that takes nothing for this long is cut off. */
    private readonly idleSeconds = HTTP_IDLE_SECONDS,
  ) {}

  /** The response to a request, once there is room for it. */
  async respond(request: Request, reply: HttpExchangeReply): Promise<Response> {
    const { body, status, contentType, release } = reply;
    const headers = { "Content-Type": contentType, Connection: "close" };
    if (body instanceof Uint8Array) {
      if (body.length >= COUNTED_FROM_BYTES) await this.admit(request, body.length);
      this.server().timeout(request, this.idleSeconds);
      const response = new Response(body, { status, headers });
      release?.(); // A response copies its body.
      return response;
    }
    if (release !== undefined) this.inFiles.set(request, release);
    this.lookAtFilesLater();
    this.server().timeout(request, this.idleSeconds);
    // The disposition keeps the server from making one of the file's name.
    const all = { ...headers, "Content-Disposition": "inline" };
    return new Response(Bun.file(`/proc/self/fd/${body.fd}`), { status, headers: all });
  }

  /** Forgets everything: the sockets are closed. */
  close(): void {
    this.timer?.cancel();
    for (const release of this.inFiles.values()) release();
    this.inFiles.clear();
    this.inMemory.clear();
  }

  private admit(request: Request, bytes: number): Promise<void> {
    const before = this.turn;
    const until = this.clock.monotonic() + HTTP_UNSENT_WAIT_MS;
    this.turn = (async () => {
      await before;
      while (!this.fits(bytes) && this.clock.monotonic() < until) await this.clock.sleep(LOOK_MS);
      this.inMemory.set(request, bytes);
    })();
    return this.turn;
  }

  private fits(bytes: number): boolean {
    let others = 0;
    for (const [request, size] of this.inMemory) {
      if (this.isOpen(request)) others += size;
      else this.inMemory.delete(request);
    }
    return others === 0 || others + bytes <= HTTP_UNSENT_MAX_BYTES;
  }

  private lookAtFilesLater(): void {
    this.timer ??= this.clock.after(LOOK_AT_FILES_MS, () => {
      this.timer = undefined;
      for (const [request, release] of this.inFiles) {
        if (this.isOpen(request)) continue;
        this.inFiles.delete(request);
        release();
      }
      if (this.inFiles.size > 0) this.lookAtFilesLater();
    });
  }

  /** The server forgets the address of a request when it is done with it. */
  private isOpen(request: Request): boolean {
    return this.server().requestIP(request) !== null;
  }
}
