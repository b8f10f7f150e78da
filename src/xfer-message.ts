/**
 * How a message travels as a body. Three framings, told apart by content type (fossil-facts A):
 *
 *     application/x-fossil               4-byte big-endian length of the message, then a zlib stream
 *     application/x-fossil-uncompressed  the message itself (replies to `clone 3 N`)
 *     application/x-fossil-debug         the message itself (`--httptrace`)
 *
 * A client told not to compress sends the message itself and still says `application/x-fossil`: that
 * is recognized by what the body starts with. A zlib stream starts with two bytes that make a multiple
 * of 31, the low half of the first being 8; a message starts with a card, a lower-case letter, which as
 * the first byte of a length would declare more than any message may have.
 *
 * Every size is checked before memory is taken for it, and inflation stops at the declared length.
 */
import type { Bytes } from "./bytes.ts";
import { readU32BE } from "./bytes.ts";
import { FormatError, LimitError } from "./errors.ts";
import { MESSAGE_INFLATED_MAX_BYTES, MESSAGE_MAX_BYTES } from "./limits.ts";
import { inflate, inflateAside, packBlob, packBlobAside, type ZlibLevel } from "./zlib.ts";

/** Messages from this size on take so long that a thread which serves I/O leaves them to another. */
const ASIDE_FROM_BYTES = 65_536;

export type Framing = "compressed" | "raw" | "debug";

export const CONTENT_TYPES: Readonly<Record<Framing, string>> = {
  compressed: "application/x-fossil",
  raw: "application/x-fossil-uncompressed",
  debug: "application/x-fossil-debug",
};

export interface MessageLimits {
  /** Largest body, as it arrives. */
  readonly bodyMaxBytes?: number;
  /** Largest message. */
  readonly messageMaxBytes?: number;
}

export interface DecodedMessage {
  /** What the sender calls it, which is how a reply is framed; the body itself may be raw all the same. */
  readonly framing: Framing;
  readonly message: Uint8Array;
}

/** The framing that a content type names, parameters and case aside; `undefined` for other types. */
export function framingOf(contentType: string): Framing | undefined {
  const type = contentType.split(";", 1)[0]!.trim().toLowerCase();
  return (Object.keys(CONTENT_TYPES) as Framing[]).find((framing) => CONTENT_TYPES[framing] === type);
}

/**
 * The message in a body. Raw bodies are not copied.
 *
 * @throws FormatError `xfer-content-type`, `xfer-zlib`, `xfer-declared-size`
 * @throws LimitError `xfer-body-size`, `xfer-message-size`
 */
export function decodeMessage(
  body: Uint8Array,
  contentType: string,
  limits: MessageLimits = {},
): DecodedMessage {
  const { framing, message, stream, declared } = readBody(body, contentType, limits);
  if (message !== undefined) return { framing, message };
  try {
    return { framing, message: within(declared, inflate(stream, declared)) };
  } catch (cause) {
    throw bodyError(cause, declared);
  }
}

/** `decodeMessage` that inflates what is large in a thread of the runtime. Rejects with the same. */
export async function decodeMessageAside(
  body: Uint8Array,
  contentType: string,
  limits: MessageLimits = {},
): Promise<DecodedMessage> {
  const { framing, message, stream, declared } = readBody(body, contentType, limits);
  if (message !== undefined) return { framing, message };
  const isSmall = Math.max(declared, stream.length) < ASIDE_FROM_BYTES;
  try {
    const inflated = isSmall ? inflate(stream, declared) : await inflateAside(stream, declared, declared);
    return { framing, message: within(declared, inflated) };
  } catch (cause) {
    throw bodyError(cause, declared);
  }
}

/** A body that is a message itself, or the stream in which one is, and how large it says it is. */
type Body =
  | {
      readonly framing: Framing;
      readonly message: Uint8Array;
      readonly stream?: never;
      readonly declared?: never;
    }
  | {
      readonly framing: Framing;
      readonly message?: never;
      readonly stream: Uint8Array;
      readonly declared: number;
    };

function readBody(body: Uint8Array, contentType: string, limits: MessageLimits): Body {
  const { bodyMaxBytes = MESSAGE_MAX_BYTES, messageMaxBytes = MESSAGE_INFLATED_MAX_BYTES } = limits;
  const framing = framingOf(contentType);
  if (framing === undefined) {
    throw new FormatError(
      "xfer-content-type",
      `expected a content type of application/x-fossil, got ${JSON.stringify(contentType)}`,
    );
  }
  checkSize("xfer-body-size", "a message's body", body.length, bodyMaxBytes);
  if (framing !== "compressed" || !looksCompressed(body)) {
    checkSize("xfer-message-size", "a message", body.length, messageMaxBytes);
    return { framing, message: body };
  }
  const declared = readU32BE(body);
  checkSize("xfer-message-size", "a compressed message", declared, messageMaxBytes);
  return { framing, stream: body.subarray(4), declared };
}

export interface EncodedMessage {
  readonly contentType: string;
  readonly body: Bytes;
}

export function encodeMessage(message: Bytes, framing: Framing, level: ZlibLevel = 6): EncodedMessage {
  const body = framing === "compressed" ? packBlob(message, level) : message;
  return { contentType: CONTENT_TYPES[framing], body };
}

/** `encodeMessage` that deflates what is large in a thread of the runtime. */
export async function encodeMessageAside(message: Bytes, framing: Framing): Promise<EncodedMessage> {
  if (framing !== "compressed" || message.length < ASIDE_FROM_BYTES) return encodeMessage(message, framing);
  return { contentType: CONTENT_TYPES[framing], body: await packBlobAside(message) };
}

function looksCompressed(body: Uint8Array): boolean {
  if (body.length < 6) return false;
  const [first, cmf, flags] = [body[0]!, body[4]!, body[5]!];
  const isLetter = first >= 0x61 && first <= 0x7a;
  return !isLetter && (cmf & 0x0f) === 8 && cmf <= 0x78 && ((cmf << 8) | flags) % 31 === 0;
}

/** @throws FormatError `xfer-declared-size` */
function within(declared: number, message: Uint8Array): Uint8Array {
  if (message.length <= declared) return message;
  throw new FormatError(
    "xfer-declared-size",
    `a compressed message declares ${declared} bytes and has ${message.length}`,
  );
}

function bodyError(cause: unknown, declared: number): unknown {
  if (cause instanceof LimitError) {
    const message = `a compressed message declares ${declared} bytes and has more`;
    return new FormatError("xfer-declared-size", message, { cause });
  }
  if (!(cause instanceof FormatError) || cause.code !== "zlib-data") return cause;
  return new FormatError("xfer-zlib", "a compressed message is damaged or cut short", { cause });
}

function checkSize(code: string, what: string, size: number, max: number): void {
  if (size > max) throw new LimitError(code, `${what} has ${size} bytes, more than ${max}`);
}
