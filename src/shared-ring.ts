/**
 * A stream of bytes from one thread to another through memory that they share, without either returning to its
 * event loop: for synchronous work on both sides, such as a database transaction that is fed by another thread.
 *
 * One thread writes, one reads. Each waits while the ring is full or empty (`Atomics.wait`), so its capacity bounds
 * how far the writer runs ahead. The writer begins when the reader says so (`begin`): what the writer reads must
 * not be older than what the reader has locked.
 *
 * Layout: four 32-bit integers, then the bytes.
 *
 *     0  written   bytes written so far, modulo 2^32        set by the writer
 *     1  read      bytes read so far, modulo 2^32           set by the reader
 *     2  writer    0 at work, 1 has ended, 2 has failed     set by the writer
 *     3  reader    0 not yet ready, 1 ready, 2 gone         set by the reader
 */
import { RING_SILENCE_MAX_MS } from "./limits.ts";

const [WRITTEN, READ, WRITER, READER] = [0, 1, 2, 3];
const HEADER_BYTES = 16;

const WRITER_ENDED = 1;
const WRITER_FAILED = 2;
const READER_READY = 1;
const READER_GONE = 2;

const WAIT_MS = 1_000;

/**
 * Memory for a ring of `capacityBytes` or more, to be handed to both threads. The capacity is a power of two, so
 * that places stay what they are when the counts wrap around.
 */
export function createRing(capacityBytes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(HEADER_BYTES + 2 ** Math.ceil(Math.log2(capacityBytes)));
}

/** The other side gave up, or there is no other side any more. */
export class RingClosedError extends Error {
  override readonly name = "RingClosedError";
}

abstract class RingEnd {
  protected readonly state: Int32Array;
  protected readonly bytes: Uint8Array;

  constructor(memory: SharedArrayBuffer) {
    this.state = new Int32Array(memory, 0, HEADER_BYTES / 4);
    this.bytes = new Uint8Array(memory, HEADER_BYTES);
  }

  /** Bytes that were written and not read. */
  protected get used(): number {
    return (Atomics.load(this.state, WRITTEN!) - Atomics.load(this.state, READ!)) | 0;
  }

  protected set(index: number, value: number): void {
    Atomics.store(this.state, index, value);
    Atomics.notify(this.state, index);
  }

  /** Where the `count`th byte lies; counts are unsigned. */
  protected offsetOf(count: number): number {
    return (count >>> 0) & (this.bytes.length - 1);
  }
}

export class RingWriter extends RingEnd {
  /**
   * Waits for the reader's `begin`.
   *
   * @throws RingClosedError when the reader does not want it after all, or is silent for too long
   */
  awaitReader(): void {
    for (let waited = 0; ; waited += WAIT_MS) {
      const reader = Atomics.load(this.state, READER!);
      if (reader === READER_READY) return;
      if (reader === READER_GONE || waited > RING_SILENCE_MAX_MS) throw new RingClosedError("not wanted");
      Atomics.wait(this.state, READER!, reader, WAIT_MS);
    }
  }

  /** @throws RingClosedError as soon as the reader is gone */
  write(content: Uint8Array): void {
    const { bytes, state } = this;
    let written = Atomics.load(state, WRITTEN!);
    for (let from = 0; from < content.length; ) {
      const free = this.awaitRoom();
      const at = this.offsetOf(written);
      const length = Math.min(free, content.length - from, bytes.length - at);
      bytes.set(content.subarray(from, from + length), at);
      from += length;
      written = (written + length) | 0;
      this.set(WRITTEN!, written);
    }
  }

  /** All was written. */
  end(): void {
    this.finish(WRITER_ENDED);
  }

  /** The writer cannot go on. */
  fail(): void {
    this.finish(WRITER_FAILED);
  }

  private finish(how: number): void {
    Atomics.store(this.state, WRITER!, how);
    // The reader waits for bytes, not for this.
    Atomics.notify(this.state, WRITTEN!);
  }

  private awaitRoom(): number {
    for (let waited = 0; ; waited += WAIT_MS) {
      if (Atomics.load(this.state, READER!) === READER_GONE) throw new RingClosedError("the reader is gone");
      const read = Atomics.load(this.state, READ!);
      const free = this.bytes.length - this.used;
      if (free > 0) return free;
      if (waited > RING_SILENCE_MAX_MS) throw new RingClosedError("the reader is silent");
      Atomics.wait(this.state, READ!, read, WAIT_MS);
    }
  }
}

export class RingReader extends RingEnd {
  /** Lets the writer begin. */
  begin(): void {
    this.set(READER!, READER_READY);
  }

  /** Wants no more. */
  leave(): void {
    this.set(READER!, READER_GONE);
    Atomics.notify(this.state, READ!);
  }

  /**
   * Fills `into` with the bytes that come next.
   *
   * @returns false when the writer ended before the first of them
   * @throws RingClosedError when the writer failed, ended within, or is silent for too long
   */
  read(into: Uint8Array): boolean {
    const { bytes, state } = this;
    let read = Atomics.load(state, READ!);
    for (let to = 0; to < into.length; ) {
      const used = this.awaitBytes();
      if (used === 0 && to === 0) return false;
      if (used === 0) throw new RingClosedError("the writer ended too soon");
      const at = this.offsetOf(read);
      const length = Math.min(used, into.length - to, bytes.length - at);
      into.set(bytes.subarray(at, at + length), to);
      to += length;
      read = (read + length) | 0;
      this.set(READ!, read);
    }
    return true;
  }

  /** @returns 0 when the writer has ended */
  private awaitBytes(): number {
    for (let waited = 0; ; waited += WAIT_MS) {
      // In this order: what was written before the end is seen after it.
      const writer = Atomics.load(this.state, WRITER!);
      const written = Atomics.load(this.state, WRITTEN!);
      const { used } = this;
      if (used > 0) return used;
      if (writer === WRITER_ENDED) return 0;
      if (writer === WRITER_FAILED) throw new RingClosedError("the writer failed");
      if (waited > RING_SILENCE_MAX_MS) throw new RingClosedError("the writer is silent");
      Atomics.wait(this.state, WRITTEN!, written, WAIT_MS);
    }
  }
}
