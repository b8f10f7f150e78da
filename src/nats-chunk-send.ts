/**
 * A message on its way out in chunks: which chunk is next, and what its receiver has. Pure; timers and subjects are
 * its driver's. See `nats-chunk`.
 *
 * Chunks go in order from the last acknowledged byte to the end of the window. `rewind` starts again after what was
 * acknowledged, for when chunks were lost; their size may then be another. Each chunk is compressed if that makes it
 * smaller; after one that it did not, the next are not tried for a while.
 */
import { FormatError } from "./errors.ts";
import { NATS_WINDOW_MAX_BYTES } from "./limits.ts";
import type { DataPart } from "./nats-chunk.ts";
import { deflate } from "./zlib.ts";

/** Chunks sent as they are after one that compression did not make smaller. */
const RAW_RUN_COUNT = 15;

export interface Chunk {
  readonly part: DataPart;
  readonly payload: Uint8Array;
}

/** A message to be sent: in memory, or read as it is needed. */
export interface ChunkSource {
  /** In bytes. */
  readonly length: number;
  /** Bytes of the message; not kept beyond the next call. */
  read(from: number, to: number): Uint8Array;
}

export function inMemory(message: Uint8Array): ChunkSource {
  return { length: message.length, read: (from, to) => message.subarray(from, to) };
}

export class ChunkSender {
  private readonly hasher = new Bun.CryptoHasher("sha256");
  private hash: string | undefined;
  private hashedTo = 0;
  private sentTo = 0;
  private ackedTo = 0;
  private window = 0;
  private rawRun = 0;

  /** @param message not empty; not to be changed until it is sent */
  constructor(private readonly message: ChunkSource) {}

  get total(): number {
    return this.message.length;
  }

  /** Bytes the receiver has. */
  get acked(): number {
    return this.ackedTo;
  }

  get isDone(): boolean {
    return this.ackedTo === this.message.length;
  }

  /** The next chunk of at most `bytesMax`; undefined while the window is full, and at the end. */
  next(bytesMax: number): Chunk | undefined {
    const offset = this.sentTo;
    const end = Math.min(offset + bytesMax, this.message.length, this.ackedTo + this.window);
    if (end <= offset) return undefined;
    const bytes = this.message.read(offset, end);
    this.sentTo = end;
    const hash = this.hashOf(bytes, end);
    const packed = this.pack(bytes);
    const part: DataPart = {
      kind: "data",
      offset,
      length: bytes.length,
      isPacked: packed !== undefined,
      hash,
    };
    return { part, payload: packed ?? bytes };
  }

  /**
   * Takes an acknowledgement. An old one changes nothing.
   *
   * @returns whether the receiver has more than was known
   * @throws FormatError `nats-ack` when it acknowledges what was never sent
   */
  ack(offset: number, window: number): boolean {
    if (offset > this.hashedTo) {
      throw new FormatError("nats-ack", `${offset} bytes were acknowledged and ${this.hashedTo} sent`);
    }
    if (offset < this.ackedTo) return false;
    const isNews = offset > this.ackedTo;
    this.ackedTo = offset;
    this.sentTo = Math.max(this.sentTo, offset);
    this.window = Math.min(window, NATS_WINDOW_MAX_BYTES);
    return isNews;
  }

  rewind(): void {
    this.sentTo = this.ackedTo;
  }

  /** The hash of the whole, when `bytes` ends where it does. */
  private hashOf(bytes: Uint8Array, end: number): string | undefined {
    if (end > this.hashedTo) {
      this.hasher.update(bytes.subarray(bytes.length - (end - this.hashedTo)));
      this.hashedTo = end;
    }
    if (end < this.message.length) return undefined;
    this.hash ??= this.hasher.digest("hex");
    return this.hash;
  }

  private pack(bytes: Uint8Array): Uint8Array | undefined {
    if (this.rawRun > 0) {
      this.rawRun--;
      return undefined;
    }
    const packed = deflate(bytes, 1);
    if (packed.length < bytes.length - bytes.length / 16) return packed;
    this.rawRun = RAW_RUN_COUNT;
    return undefined;
  }
}
