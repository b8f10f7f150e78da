/**
 * Applies deltas. The format is described in `delta.ts`.
 *
 * Accepted is what stock Fossil accepts: anything after the final `;` is ignored, a copy of no bytes is
 * legal (it copies nothing) if its offset is inside the source, and the checksum is not compared unless
 * asked for, because stock does not (fossil-facts G26): the artifact's hash protects the result.
 *
 * Deltas come from outside, and a dozen bytes can declare a gigabyte. Memory for the target is taken
 * only for a declared size up to the limit, and beyond the size of source and delta together (which the
 * caller already holds) only after a first walk over the commands has shown that they produce it.
 */
import type { Bytes } from "./bytes.ts";
import {
  asBuffer,
  COPY,
  COPY_END,
  DeltaReader,
  deltaChecksum,
  FINISH,
  LITERAL,
  readHeader,
} from "./delta.ts";
import { FormatError, LimitError } from "./errors.ts";
import { ARTIFACT_MAX_BYTES } from "./limits.ts";

/** Up to this length a loop beats a call to copy bytes. */
const LOOP_MAX_BYTES = 16;

export interface ApplyOptions {
  /** Also compare the checksum at the end of the delta; stock does not. */
  readonly verifyChecksum?: boolean;
  /** Holds the target if it is large enough; the target is then a view of it. Must not overlap the source. */
  readonly memory?: Uint8Array;
}

/**
 * The target that `delta` makes of `source`, in memory of its own unless memory is given.
 *
 * @param sizeMax largest accepted target, in bytes
 * @throws LimitError `delta-size` when a larger target is declared
 * @throws FormatError `delta-header`, `delta-command`, `delta-range` (a copy outside the source, a literal
 *   outside the delta), `delta-length` (commands produce more or less than declared), `delta-end` (no `;`),
 *   `delta-checksum` (only when asked to verify)
 */
export function applyDelta(
  source: Uint8Array,
  delta: Uint8Array,
  sizeMax: number = ARTIFACT_MAX_BYTES,
  options: ApplyOptions = {},
): Bytes {
  const reader = new DeltaReader(asBuffer(delta));
  const size = readSize(reader, sizeMax);
  const commandsAt = reader.at;
  if (size > source.length + delta.length) {
    walkCommands(reader, size, source.length, undefined);
    reader.at = commandsAt;
  }
  // Uninitialized: a walk that ends without an error has written every byte.
  const { memory } = options;
  const fits = memory !== undefined && memory.length >= size;
  const target = fits ? asBuffer(memory.subarray(0, size)) : Buffer.allocUnsafeSlow(size);
  const checksum = walkCommands(
    reader,
    size,
    source.length,
    new Copier(asBuffer(source), reader.bytes, target),
  );
  if (options.verifyChecksum === true) {
    const actual = deltaChecksum(target);
    if (actual !== checksum) {
      throw new FormatError(
        "delta-checksum",
        `delta ends with checksum ${checksum}, its output has ${actual}`,
        { hint: "The delta belongs to another source." },
      );
    }
  }
  return new Uint8Array(target.buffer as ArrayBuffer, target.byteOffset, size);
}

/**
 * The first line.
 *
 * @throws FormatError `delta-header`; LimitError `delta-size`
 */
export function readSize(reader: DeltaReader, sizeMax: number): number {
  const size = readHeader(reader);
  if (size <= sizeMax) return size;
  throw new LimitError("delta-size", `delta declares an output of ${size} bytes, more than ${sizeMax}`);
}

/** Told of the pieces that make the target, in order: `count` bytes that go to `at`. None is out of range. */
export interface PieceSink {
  copied(offset: number, count: number, at: number): void;
  /** `offset`: in the delta. */
  quoted(offset: number, count: number, at: number): void;
}

/**
 * Runs the commands up to the final `;`. Returns the checksum there. The pieces make exactly `size` bytes.
 *
 * @throws FormatError as `applyDelta`
 */
export function walkCommands(
  reader: DeltaReader,
  size: number,
  sourceSize: number,
  sink: PieceSink | undefined,
): number {
  const delta = reader.bytes;
  const end = delta.length;
  let written = 0;
  while (reader.at < end) {
    const count = reader.number();
    if (reader.at >= end) break;
    const command = delta[reader.at++]!;
    if (command === FINISH) {
      if (written !== size) {
        throw new FormatError("delta-length", `delta declares ${size} bytes of output but makes ${written}`);
      }
      return count;
    }
    let offset: number;
    let available: number;
    if (command === COPY) {
      offset = reader.number();
      available = sourceSize;
      if (!reader.take(COPY_END)) throw badCommand(reader, "a copy ends with a comma");
    } else if (command === LITERAL) {
      offset = reader.at;
      available = end;
      reader.at += count;
    } else {
      throw badCommand(reader, "a command is a copy (@), a literal (:) or the end (;)");
    }
    if (offset + count > available) throw outOfRange(command, offset, count, available);
    if (count > size - written) {
      throw new FormatError("delta-length", `delta declares ${size} bytes of output but makes more`);
    }
    if (command === COPY) sink?.copied(offset, count, written);
    else sink?.quoted(offset, count, written);
    written += count;
  }
  throw new FormatError("delta-end", `delta of ${end} bytes ends without a checksum and semicolon`);
}

class Copier implements PieceSink {
  constructor(
    private readonly source: Buffer,
    private readonly delta: Buffer,
    private readonly target: Buffer,
  ) {}

  copied(offset: number, count: number, at: number): void {
    copyBytes(this.source, offset, this.target, at, count);
  }

  quoted(offset: number, count: number, at: number): void {
    copyBytes(this.delta, offset, this.target, at, count);
  }
}

function copyBytes(from: Buffer, offset: number, target: Buffer, at: number, count: number): void {
  if (count > LOOP_MAX_BYTES) from.copy(target, at, offset, offset + count);
  else for (let i = 0; i < count; i++) target[at + i] = from[offset + i]!;
}

function badCommand(reader: DeltaReader, expected: string): FormatError {
  return new FormatError("delta-command", `in a delta, ${expected}; byte ${reader.at} is something else`);
}

function outOfRange(command: number, offset: number, count: number, length: number): FormatError {
  const what = command === COPY ? "copies from its source" : "quotes from itself";
  return new FormatError(
    "delta-range",
    `delta ${what} bytes ${offset} to ${offset + count}, but there are only ${length}`,
    { hint: "The delta is damaged or belongs to another source." },
  );
}
