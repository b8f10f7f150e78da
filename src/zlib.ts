/**
 * Compression behind one door. Stored blobs and xfer bodies share one shape: a 4-byte big-endian length
 * of what is inside, then a zlib stream (RFC 1950). The declared length is a claim: it is checked
 * against a limit before anything is allocated, and inflation stops at that limit whatever was claimed.
 *
 * The runtime has two doors to zlib: `Bun`, which costs little per call, and `node:zlib`, which can be told a limit and
 * to work in the background, and takes a third of a short command's time to load. It is loaded when it is needed.
 */
import { type Bytes, readU32BE } from "./bytes.ts";
import { type EdgeSyncError, FormatError, LimitError } from "./errors.ts";

/** Deflate makes at most this many bytes of one (RFC 1951: 258 bytes in two bits, less block overhead). */
const EXPANSION_MAX_RATIO = 1032;

/** Up to this length a stream is inflated by the call that costs least but cannot be told a limit. */
const SMALL_STREAM_BYTES = 16_384;

/**
 * Memory for the result of one call is taken in pieces of the expected size, within these bounds; of a stream that is
 * larger itself, up to twice as much. Pieces are there twice when they are joined.
 */
const [PIECE_MIN_BYTES, PIECE_MAX_BYTES] = [16_384, 64_000_000];

/** Up to this length a stream is inflated whatever it may come to, which is then seen. */
const TINY_STREAM_BYTES = 1_024;

/** Up to this length content is deflated by the call that costs least. */
const SMALL_CONTENT_BYTES = 16_384;

/** How much of what is deflated aside comes at a time. */
const PACKED_PIECE_BYTES = 262_144;

/** From this length on, the result is made in one piece, however small it may become. */
const LARGE_CONTENT_BYTES = 1_000_000;

/** The two bytes before deflated data: deflate with a window of 32 KB, and how hard was tried (RFC 1950). */
const ZLIB_HEADERS: readonly number[] = [
  0, 0x7801, 0x785e, 0x785e, 0x785e, 0x785e, 0x789c, 0x78da, 0x78da, 0x78da,
];

const nodeZlib = () => process.getBuiltinModule("node:zlib");

/** Level 6 is zlib's default and what stock writes; 1 suits bytes that travel once. */
export type ZlibLevel = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

export function deflate(content: Uint8Array, level: ZlibLevel = 6): Uint8Array {
  if (content.length > SMALL_CONTENT_BYTES) return nodeZlib().deflateSync(content, room(content, level));
  const deflated = Bun.deflateSync(content as Bytes, { level, library: "zlib" });
  const stream = new Uint8Array(deflated.length + 6);
  const view = new DataView(stream.buffer);
  view.setUint16(0, ZLIB_HEADERS[level]!);
  stream.set(deflated, 2);
  view.setUint32(deflated.length + 2, Bun.hash.adler32(content as Bytes));
  return stream;
}

/** A deflated stream without header and checksum, as ZIP archives hold it. */
export function deflateRaw(content: Uint8Array, level: ZlibLevel = 6): Uint8Array {
  if (content.length > SMALL_CONTENT_BYTES) return nodeZlib().deflateRawSync(content, room(content, level));
  return Bun.deflateSync(content as Bytes, { level, library: "zlib" });
}

function room({ length }: Uint8Array, level: ZlibLevel): { level: ZlibLevel; chunkSize?: number } {
  if (length <= LARGE_CONTENT_BYTES) return { level };
  return { level, chunkSize: deflatedMaxBytes(length) };
}

/** What does not compress grows by five bytes for every 16 KB, and a prefix is to fit in, too. */
function deflatedMaxBytes(length: number): number {
  return length + Math.ceil(length / 2_000) + 64;
}

/**
 * @param sizeMax largest accepted result, in bytes
 * @param sizeExpected what the result is likely to come to: then it is made in one piece
 * @throws FormatError `zlib-data` when `stream` is not one whole zlib stream
 * @throws LimitError `zlib-size` when it inflates to more than `sizeMax`
 */
export function inflate(stream: Uint8Array, sizeMax: number, sizeExpected = 0): Uint8Array {
  try {
    const isHarmless = stream.length <= TINY_STREAM_BYTES || stream.length * EXPANSION_MAX_RATIO <= sizeMax;
    if (stream.length <= SMALL_STREAM_BYTES && isHarmless) {
      const content = Bun.inflateSync(stream as Bytes, { windowBits: 15 });
      if (content.length > sizeMax) throw tooLarge(sizeMax);
      return content;
    }
    return nodeZlib().inflateSync(stream, bounds(stream, sizeMax, sizeExpected));
  } catch (cause) {
    throw inflateError(cause, sizeMax);
  }
}

/** `inflate` in a thread of the runtime, for what takes too long on one that serves I/O. */
export function inflateAside(stream: Uint8Array, sizeMax: number, sizeExpected = 0): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    nodeZlib().inflate(stream, bounds(stream, sizeMax, sizeExpected), (error, content) => {
      if (error === null) resolve(content);
      else reject(inflateError(error, sizeMax));
    });
  });
}

function bounds(stream: Uint8Array, sizeMax: number, sizeExpected: number) {
  // One byte more, or a piece that is just full would be followed by an empty one.
  const likely = Math.min(sizeExpected, stream.length * EXPANSION_MAX_RATIO) + 1;
  const most = Math.max(PIECE_MAX_BYTES, 2 * stream.length);
  const chunkSize = Math.min(Math.max(likely, PIECE_MIN_BYTES), most);
  return { maxOutputLength: Math.max(1, sizeMax), chunkSize };
}

function inflateError(cause: unknown, sizeMax: number): EdgeSyncError {
  if (cause instanceof LimitError) return cause;
  if ((cause as { code?: string }).code === "ERR_BUFFER_TOO_LARGE") return tooLarge(sizeMax, cause);
  return new FormatError("zlib-data", "not a whole zlib stream", { cause });
}

function tooLarge(sizeMax: number, cause?: unknown): LimitError {
  return new LimitError("zlib-size", `compressed data inflates to more than ${sizeMax} bytes`, { cause });
}

/** `content` as stored in `blob.content` and sent as `application/x-fossil`: length prefix and zlib stream. */
export function packBlob(content: Uint8Array, level: ZlibLevel = 6): Bytes {
  return withLength(content.length, deflate(content, level));
}

/** `packBlob`, in a thread of the runtime where it takes too long for one that serves I/O. */
export async function packBlobAside(content: Uint8Array, level: ZlibLevel = 6): Promise<Bytes> {
  if (content.length <= SMALL_CONTENT_BYTES) return packBlob(content, level);
  // Piece by piece into one buffer, for what the runtime gives back as a whole it has copied; and a buffer
  // for the worst case: memory that nothing is written to costs nothing.
  const packed = new Uint8Array(4 + deflatedMaxBytes(content.length));
  let length = 4;
  new DataView(packed.buffer).setUint32(0, content.length);
  const stream = nodeZlib().createDeflate({ level, chunkSize: PACKED_PIECE_BYTES });
  stream.on("data", (piece: Uint8Array) => {
    packed.set(piece, length);
    length += piece.length;
  });
  await new Promise((resolve, reject) => {
    stream.on("end", resolve).on("error", reject);
    stream.end(content);
  });
  return length > packed.length / 2 ? packed.subarray(0, length) : packed.slice(0, length);
}

/** A stream that nobody else has, after the length of what is in it. In place where there is room, as in a large one. */
function withLength(length: number, stream: Uint8Array): Bytes {
  const size = stream.length + 4;
  const hasRoom =
    stream.length > LARGE_CONTENT_BYTES &&
    stream.byteOffset === 0 &&
    stream.buffer.byteLength >= size &&
    stream.buffer.byteLength <= 2 * size;
  const packed = new Uint8Array((hasRoom ? stream.buffer : new ArrayBuffer(size)) as ArrayBuffer, 0, size);
  packed.set(stream, 4);
  new DataView(packed.buffer).setUint32(0, length);
  return packed;
}

/**
 * The inverse of `packBlob`. Stock tolerates a prefix that claims too much, never one that claims too
 * little (fossil-facts E); so do we. Nothing at all is an empty artifact.
 *
 * @throws FormatError `zlib-data`, `blob-size`; LimitError `zlib-size`
 */
export function unpackBlob(packed: Uint8Array, sizeMax: number): Uint8Array {
  if (packed.length === 0) return packed;
  if (packed.length < 5)
    throw new FormatError("zlib-data", `${packed.length} bytes are too few for compressed data`);
  const claimed = readU32BE(packed);
  if (claimed > sizeMax) {
    throw new LimitError("zlib-size", `compressed data declares ${claimed} bytes, more than ${sizeMax}`);
  }
  const stream = packed.subarray(4);
  // What a short stream can come to is little, and the quicker call takes it; a long one stops at what was claimed.
  const stopsAt = stream.length <= SMALL_STREAM_BYTES ? sizeMax : claimed;
  let content: Uint8Array | undefined;
  try {
    content = inflate(stream, stopsAt, claimed);
  } catch (error) {
    if (stopsAt === sizeMax || !(error instanceof LimitError)) throw error;
  }
  if (content === undefined || content.length > claimed) {
    throw new FormatError("blob-size", `declared ${claimed} bytes, inflated to more`);
  }
  return content;
}
