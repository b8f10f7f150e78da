/**
 * Names of peers. A peer's id is the last part of the NATS subject it answers on, and how others tell it from
 * the rest: unique within a project, the same across restarts.
 *
 * Accepted from others: printable ASCII, a valid subject (`nats-subject`), at most `PEER_ID_MAX_LENGTH`; other
 * systems name peers after their server. Ours are one token: letters, digits, `_` and `-`.
 */
import { FormatError, UsageError } from "./errors.ts";
import { type Random, randomHex } from "./random.ts";

declare const peerId: unique symbol;
export type PeerId = string & { readonly [peerId]: true };

export const PEER_ID_MAX_LENGTH = 128;

/** Eight bytes: of a million peers two share an id with a chance of 1 in 36 million. */
const OWN_ID_BYTES = 8;

const FOREIGN = /^(?:[\x21-\x7e](?<![.*>]))+(?:\.(?:[\x21-\x7e](?<![.*>]))+)*$/;
const OWN = /^[A-Za-z0-9_-]{1,64}$/;

/** @throws FormatError `peer-id-syntax` */
export function asPeerId(value: string): PeerId {
  if (value.length <= PEER_ID_MAX_LENGTH && FOREIGN.test(value)) return value as PeerId;
  throw new FormatError("peer-id-syntax", `expected the id of a peer, got ${JSON.stringify(value)}`);
}

/** An id chosen by a user. @throws UsageError `peer-id-syntax` */
export function parsePeerId(value: string): PeerId {
  if (OWN.test(value)) return value as PeerId;
  throw new UsageError(
    "peer-id-syntax",
    `expected 1 to 64 letters, digits, "_" or "-" as the id of a peer, got ${JSON.stringify(value)}`,
  );
}

export function newPeerId(random: Random): PeerId {
  return randomHex(random, OWN_ID_BYTES) as PeerId;
}
