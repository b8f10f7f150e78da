/**
 * The headers of a sync exchange over NATS, and the chunks in which large messages travel. docs/nats-sync.md
 * describes the exchange as a whole; this is its grammar. All values are ASCII.
 *
 *     EdgeSync-Version: 1
 *     EdgeSync-Peer: PEER                 who sends this: 1 to 64 of A-Z a-z 0-9 "_" "-"
 *     EdgeSync-Accepts: chunks SIZE       the sender knows chunks; SIZE is the largest NATS message it can receive
 *     EdgeSync-Part: PART                 absent: the payload is a whole message
 *     EdgeSync-Error: CODE                the message tells of a failure; its payload is one with an error card
 *     EdgeSync-Error-Text: TEXT
 *     Content-Type: TYPE                  of a whole message, application/x-fossil when absent
 *
 *     PART = "begin" TOTAL                a message of TOTAL bytes follows in chunks
 *          | "data" OFFSET LENGTH ("raw" | "zlib") [HASH]
 *          | "ack" OFFSET WINDOW          everything before OFFSET is here; send up to OFFSET + WINDOW
 *          | "wait"                       the request is here, its answer takes time
 *          | "cancel"                     the exchange has ended for its sender
 *
 * Numbers are decimal without leading zeros, at most 10 digits; fields are parted by one space. The payload of `data` is
 * LENGTH bytes of the message from OFFSET on, as they are or as a zlib stream; offsets and lengths count the message
 * before compression. The last chunk carries HASH, the SHA-256 of the whole message in lower-case hex, no other does.
 */
import { FormatError } from "./errors.ts";
import { NATS_CHUNK_MAX_BYTES } from "./limits.ts";

export const SYNC_HEADER = {
  version: "EdgeSync-Version",
  peer: "EdgeSync-Peer",
  accepts: "EdgeSync-Accepts",
  part: "EdgeSync-Part",
  error: "EdgeSync-Error",
  errorText: "EdgeSync-Error-Text",
  contentType: "Content-Type",
} as const;

export const SYNC_VERSION = "1";

/** Room for the headers of a message, in bytes; those of this protocol take about 300. */
export const HEADER_ROOM_BYTES = 1_024;

export interface DataPart {
  readonly kind: "data";
  readonly offset: number;
  readonly length: number;
  readonly isPacked: boolean;
  /** Of the last chunk. */
  readonly hash: string | undefined;
}

export type Part =
  | { readonly kind: "begin"; readonly total: number }
  | DataPart
  | { readonly kind: "ack"; readonly offset: number; readonly window: number }
  | { readonly kind: "wait" | "cancel" };

const NUMBER = "(0|[1-9][0-9]{0,9})";
const BEGIN = new RegExp(`^begin ${NUMBER}$`);
const DATA = new RegExp(`^data ${NUMBER} ${NUMBER} (raw|zlib)(?: ([0-9a-f]{64}))?$`);
const ACK = new RegExp(`^ack ${NUMBER} ${NUMBER}$`);
const ACCEPTS = new RegExp(`^chunks ${NUMBER}$`);

export function formatPart(part: Part): string {
  switch (part.kind) {
    case "begin":
      return `begin ${part.total}`;
    case "data": {
      const form = part.isPacked ? "zlib" : "raw";
      return `data ${part.offset} ${part.length} ${form}${part.hash === undefined ? "" : ` ${part.hash}`}`;
    }
    case "ack":
      return `ack ${part.offset} ${part.window}`;
    default:
      return part.kind;
  }
}

/** @throws FormatError `nats-part` */
export function parsePart(value: string): Part {
  if (value === "wait" || value === "cancel") return { kind: value };
  const begin = BEGIN.exec(value);
  if (begin !== null) return { kind: "begin", total: Number(begin[1]) };
  const ack = ACK.exec(value);
  if (ack !== null) return { kind: "ack", offset: Number(ack[1]), window: Number(ack[2]) };
  const data = DATA.exec(value);
  if (data === null) {
    throw new FormatError(
      "nats-part",
      `expected a part of a message, got ${JSON.stringify(value.slice(0, 100))}`,
    );
  }
  const [, offset, length, form, hash] = data;
  return { kind: "data", offset: Number(offset), length: Number(length), isPacked: form === "zlib", hash };
}

/** The largest NATS message of a peer that knows chunks; undefined for one that does not. */
export function parseAccepts(value: string | undefined): number | undefined {
  const match = value === undefined ? null : ACCEPTS.exec(value);
  return match === null ? undefined : Number(match[1]);
}

export function formatAccepts(maxPayload: number): string {
  return `chunks ${maxPayload}`;
}

/** Whether a peer may be called so: its name is a token of a subject, and stands in logs. */
export function isPeerId(value: string): boolean {
  return /^[A-Za-z0-9_-]{1,64}$/.test(value);
}

/** Bytes of a message in one chunk, where both sides' NATS messages are as large as given. */
export function chunkBytes(maxPayload: number, peerMaxPayload: number): number {
  const room = Math.min(maxPayload, peerMaxPayload) - HEADER_ROOM_BYTES;
  return Math.max(1, Math.min(NATS_CHUNK_MAX_BYTES, room));
}
