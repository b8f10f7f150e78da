/**
 * The sending side of a connection. What one tick writes is gathered in one borrowed buffer and goes to the socket in one
 * call at the end of the tick, or as soon as it is large. What the socket does not take waits and goes on at `drain`. When more than the
 * limit waits, the reader is too slow: the connection is closed at once and `onSlow` says so, as nats-server does; before that
 * those who publish to it are slowed down (`broker-pace`).
 */
import type { BufferPool } from "./broker-buffers.ts";
import type { BrokerPace } from "./broker-pace.ts";
import type { BrokerSocket } from "./broker-socket.ts";
import type { Clock } from "./clock.ts";

/** Stands for no buffer. */
const NONE = Buffer.alloc(0);
/** The room that a tick begins with is that of the last one, within this. */
const ROOM_BYTES_MAX = 1_048_576;
const CR = 13;
const LF = 10;
/** More than this waits only for readers that are slower than those who publish to them. */
const CROWDED_BYTES_MAX = 1_048_576;
/** So much is sent at once, in the middle of a tick: the reader may begin, and memory stays small. */
const FLUSH_BYTES = 65_536;
/** Up to here a loop is faster than a call that copies. */
const LOOP_BYTES_MAX = 16;
/** Copying between arrays without making a view of the part; writing without looking the encoding up. */
const { copy, latin1Write } = Buffer.prototype as unknown as {
  copy(this: Uint8Array, to: Uint8Array, at: number, start: number, end: number): number;
  latin1Write(this: Uint8Array, text: string, at: number): number;
};

export interface ConnectionOptions {
  readonly pendingBytesMax: number;
  readonly buffers: BufferPool;
  readonly pace: BrokerPace;
  readonly clock: Clock;
  readonly onSlow: () => void;
}

export class BrokerConnection {
  private buffer: Buffer = NONE;
  private roomBytes = 0;
  private start = 0;
  private end = 0;
  private scheduled = false;
  private blocked = false;
  private state: "open" | "ending" | "closed" = "open";
  private readonly crowdedBytes: number;
  private isCrowded = false;
  outMessages = 0;
  outBytes = 0;
  /** When something was last written to the socket, or the connection began. */
  wroteAtMs: number;

  constructor(
    readonly socket: BrokerSocket,
    private readonly options: ConnectionOptions,
  ) {
    this.crowdedBytes = Math.min(CROWDED_BYTES_MAX, options.pendingBytesMax / 2);
    this.wroteAtMs = options.clock.now();
  }

  /** Bytes that the socket has not taken yet. */
  get pendingBytes(): number {
    return this.end - this.start;
  }

  get isOpen(): boolean {
    return this.state === "open";
  }

  /** Writes a line of the protocol; `line` is a wire string with its CRLF. */
  line(line: string): void {
    if (!this.reserve(line.length)) return;
    this.end += latin1Write.call(this.buffer, line, this.end);
    this.schedule();
  }

  /** Writes the line of a message, the bytes from `start` to `end` that are its body, and CRLF. */
  message(line: string, bytes: Uint8Array, start: number, end: number): void {
    const bodyBytes = end - start;
    if (!this.reserve(line.length + bodyBytes + 2)) return;
    const { buffer } = this;
    let at = this.end;
    at += latin1Write.call(buffer, line, at);
    if (bodyBytes <= LOOP_BYTES_MAX) for (let i = start; i < end; i++) buffer[at++] = bytes[i]!;
    else at += copy.call(bytes, buffer, at, start, end);
    buffer[at] = CR;
    buffer[at + 1] = LF;
    this.end = at + 2;
    this.outMessages++;
    this.outBytes += bodyBytes;
    if (this.pendingBytes < FLUSH_BYTES) {
      this.schedule();
      return;
    }
    if (!this.blocked) this.flush();
    if (this.pendingBytes > this.crowdedBytes) {
      this.options.pace.isCrowded = true;
      this.isCrowded = true;
    }
  }

  /** Sends what is gathered now, without waiting for the end of the tick. */
  flush(): void {
    this.scheduled = false;
    if (this.blocked || this.state === "closed") return;
    if (this.pendingBytes > 0) {
      this.wroteAtMs = this.options.clock.now();
      const taken = this.socket.write(this.buffer.subarray(this.start, this.end));
      // Writing may have found the socket closed, and the buffer given back.
      this.start = Math.min(this.start + taken, this.end);
    }
    if (this.isCrowded && this.pendingBytes < this.crowdedBytes / 2) {
      this.isCrowded = false;
      this.options.pace.relieved();
    }
    this.blocked = this.pendingBytes > 0;
    if (this.blocked) return;
    this.giveBack();
    if (this.state === "ending") {
      this.state = "closed";
      this.socket.end();
    }
  }

  drained(): void {
    this.blocked = false;
    this.flush();
  }

  /** Closes after everything gathered has been sent. */
  close(): void {
    if (this.state !== "open") return;
    this.state = "ending";
    this.flush();
  }

  /** Closes at once. */
  terminate(): void {
    this.state = "closed";
    this.giveBack();
    this.socket.terminate();
  }

  /** Notes that the socket is gone. */
  gone(): void {
    this.state = "closed";
    this.giveBack();
  }

  /** Nothing waits: the buffer is for others. */
  private giveBack(): void {
    if (this.buffer === NONE) return;
    this.roomBytes = Math.min(this.end, ROOM_BYTES_MAX);
    this.options.buffers.give(this.buffer);
    this.buffer = NONE;
    this.start = 0;
    this.end = 0;
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    queueMicrotask(() => this.flush());
  }

  /** Makes room for `count` bytes. Returns false when the connection takes no more. */
  private reserve(count: number): boolean {
    if (this.state !== "open") return false;
    const pending = this.pendingBytes;
    if (pending + count > this.options.pendingBytesMax) {
      // What one tick gathered may still fit into the socket.
      this.flush();
      if (this.pendingBytes > 0 && this.pendingBytes + count > this.options.pendingBytesMax) {
        this.terminate();
        this.options.onSlow();
        return false;
      }
    }
    if (this.end + count <= this.buffer.length) return true;
    // Twice the room, so that what waits is moved rarely however much of it there is.
    const wanted = 2 * (this.pendingBytes + count);
    const { buffer, start, end } = this;
    const larger =
      wanted > buffer.length ? this.options.buffers.take(Math.max(wanted, this.roomBytes)) : buffer;
    buffer.copy(larger, 0, start, end);
    this.end = end - start;
    this.start = 0;
    this.buffer = larger;
    if (larger !== buffer && buffer !== NONE) this.options.buffers.give(buffer);
    return true;
  }
}
