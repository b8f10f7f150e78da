/**
 * The two ends of a delta's target, found without making it: mostly the ends of the source, or quoted. Whether an
 * artifact looks like a manifest, and how large it is, can so be told along a chain of deltas at the cost of
 * reading them.
 *
 * `Ends.bytes` is all of a content of at most `2 × ENDS_BYTES` bytes; of a longer one, its first `ENDS_BYTES` bytes
 * and its last, one after the other.
 */
import { asBuffer, DeltaReader } from "./delta.ts";
import { type PieceSink, readSize, walkCommands } from "./delta-decode.ts";
import { ARTIFACT_MAX_BYTES } from "./limits.ts";

/** More than any question about the ends needs, so that small edits close to an end move no answer out of sight. */
export const ENDS_BYTES = 128;

export interface Ends {
  /** Of the whole content, in bytes. */
  readonly size: number;
  readonly bytes: Uint8Array;
}

export function endsOf(content: Uint8Array): Ends {
  const size = content.length;
  if (size <= 2 * ENDS_BYTES) return { size, bytes: content.slice() };
  const bytes = new Uint8Array(2 * ENDS_BYTES);
  bytes.set(content.subarray(0, ENDS_BYTES));
  bytes.set(content.subarray(size - ENDS_BYTES), ENDS_BYTES);
  return { size, bytes };
}

/**
 * The ends of what `delta` makes of a source with the ends `source`; `undefined` when they come from the midst of
 * it. The delta is checked as far as it would be by applying it.
 *
 * @throws FormatError, LimitError as `applyDelta`
 */
export function endsAfter(source: Ends, delta: Uint8Array, sizeMax = ARTIFACT_MAX_BYTES): Ends | undefined {
  const reader = new DeltaReader(asBuffer(delta));
  const size = readSize(reader, sizeMax);
  const sink = new EndsSink(source, reader.bytes, size);
  walkCommands(reader, size, source.size, sink);
  return sink.isKnown ? { size, bytes: sink.bytes } : undefined;
}

class EndsSink implements PieceSink {
  readonly bytes: Uint8Array;
  isKnown = true;
  /** Of the target, what lies from `headEnd` on and before `tailStart` does not matter. */
  private readonly headEnd: number;
  private readonly tailStart: number;

  constructor(
    private readonly source: Ends,
    private readonly delta: Buffer,
    private readonly size: number,
  ) {
    this.bytes = new Uint8Array(Math.min(size, 2 * ENDS_BYTES));
    this.headEnd = Math.min(size, ENDS_BYTES);
    this.tailStart = Math.max(this.headEnd, size - ENDS_BYTES);
  }

  copied(offset: number, count: number, at: number): void {
    this.each(count, at, (i) => {
      const place = placeOf(offset + i, this.source.size);
      if (place < 0) this.isKnown = false;
      return this.source.bytes[place] ?? 0;
    });
  }

  quoted(offset: number, count: number, at: number): void {
    this.each(count, at, (i) => this.delta[offset + i]!);
  }

  private each(count: number, at: number, byte: (i: number) => number): void {
    for (let i = 0; i < Math.min(count, this.headEnd - at); i++) {
      this.bytes[placeOf(at + i, this.size)] = byte(i);
    }
    for (let i = Math.max(0, this.tailStart - at); i < count; i++) {
      this.bytes[placeOf(at + i, this.size)] = byte(i);
    }
  }
}

/** Where the byte at `at` of a content of `size` bytes is in its ends; -1 in the midst. */
function placeOf(at: number, size: number): number {
  if (size <= 2 * ENDS_BYTES || at < ENDS_BYTES) return at;
  return at >= size - ENDS_BYTES ? at - size + 2 * ENDS_BYTES : -1;
}
