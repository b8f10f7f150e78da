/**
 * Buffers that connections gather their output in. A connection borrows one while something waits to be sent and
 * gives it back when all of it is gone: an idle connection holds none, and the few in use are warm.
 *
 * Sizes are powers of two. What is given back is kept for the next up to a bound in all; the rest is garbage.
 */
const BYTES_MIN_LOG2 = 12;
const BYTES_KEPT_EACH_MAX = 4_194_304;
const BYTES_KEPT_MAX = 16_777_216;

export class BufferPool {
  /** By the logarithm of the size. */
  private readonly free: Buffer[][] = [];
  private keptBytes = 0;

  /** A buffer of at least `bytes` bytes, its content undefined. */
  take(bytes: number): Buffer {
    const log2 = Math.max(BYTES_MIN_LOG2, Math.ceil(Math.log2(bytes)));
    const kept = this.free[log2]?.pop();
    if (kept === undefined) return Buffer.allocUnsafeSlow(2 ** log2);
    this.keptBytes -= kept.length;
    return kept;
  }

  /** Takes back a buffer that came from `take`; its holder must not touch it again. */
  give(buffer: Buffer): void {
    const { length } = buffer;
    if (length > BYTES_KEPT_EACH_MAX || this.keptBytes + length > BYTES_KEPT_MAX) return;
    const log2 = Math.log2(length);
    this.free[log2] ??= [];
    this.free[log2].push(buffer);
    this.keptBytes += length;
  }
}
