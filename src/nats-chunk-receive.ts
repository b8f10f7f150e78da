/**
 * A message on its way in, in chunks. Pure. See `nats-chunk`.
 *
 * Chunks are taken in order; one that is already here, or beyond a gap, is passed over, and the acknowledgement that
 * follows tells its sender where to go on. Memory grows with what has come, not with what was announced, and ends at
 * the announced size. The hash is compared before the message is given out.
 */
import { type Bytes, free } from "./bytes.ts";
import { FormatError, HashMismatchError, LimitError } from "./errors.ts";
import { NATS_CHUNK_MAX_BYTES } from "./limits.ts";
import type { DataPart } from "./nats-chunk.ts";
import { inflate } from "./zlib.ts";

const FIRST_BYTES = 1_048_576;
/**
 * What a message of this size came in is collected at once: NATS messages live outside of the heap, which looks small to
 * the collector, and whoever takes the message needs memory for it in turn.
 */
const COLLECT_FROM_BYTES = 16_000_000;

export class ChunkReceiver {
  private buffer: Bytes;
  private receivedTo = 0;
  private readonly hasher = new Bun.CryptoHasher("sha256");
  private done = false;

  /** @throws FormatError `nats-total`; LimitError `nats-message-size` */
  constructor(
    readonly total: number,
    bytesMax: number,
  ) {
    if (total === 0) throw new FormatError("nats-total", "an empty message does not come in chunks");
    if (total > bytesMax) {
      throw new LimitError(
        "nats-message-size",
        `a message of ${total} bytes is larger than the ${bytesMax} accepted`,
      );
    }
    this.buffer = new Uint8Array(Math.min(total, FIRST_BYTES));
  }

  /** Bytes here: where the next chunk begins. */
  get received(): number {
    return this.receivedTo;
  }

  get isDone(): boolean {
    return this.done;
  }

  /**
   * @returns whether the chunk was the next one
   * @throws FormatError `nats-chunk`, `zlib-data`; LimitError `zlib-size`; HashMismatchError `nats-hash`
   */
  accept({ offset, length, isPacked, hash }: DataPart, payload: Uint8Array): boolean {
    if (this.done || offset !== this.receivedTo) return false;
    const end = offset + length;
    if (length === 0 || length > NATS_CHUNK_MAX_BYTES || end > this.total) {
      throw wrong(`a chunk of ${length} bytes at ${offset} of ${this.total}`);
    }
    if ((hash !== undefined) !== (end === this.total))
      throw wrong("a hash belongs to the last chunk, and only there");
    const bytes = isPacked ? inflate(payload, length) : payload;
    if (bytes.length !== length) throw wrong(`a chunk declares ${length} bytes and has ${bytes.length}`);
    this.grow(end);
    this.buffer.set(bytes, offset);
    this.hasher.update(bytes);
    this.receivedTo = end;
    if (hash !== undefined && this.hasher.digest("hex") !== hash) {
      throw new HashMismatchError("nats-hash", "a message that came in chunks is not the one that was sent");
    }
    this.done = end === this.total;
    return true;
  }

  /** The message. Only when it is done. */
  take(): Bytes {
    if (!this.done) throw new Error("the message is not whole");
    const message = this.buffer;
    this.buffer = new Uint8Array(0);
    if (message.length >= COLLECT_FROM_BYTES) Bun.gc(true);
    return message;
  }

  private grow(size: number): void {
    if (size <= this.buffer.length) return;
    const larger = new Uint8Array(Math.min(this.total, Math.max(size, this.buffer.length * 2)));
    larger.set(this.buffer.subarray(0, this.receivedTo));
    free(this.buffer);
    this.buffer = larger;
  }
}

function wrong(message: string): FormatError {
  return new FormatError("nats-chunk", message);
}
