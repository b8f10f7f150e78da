/**
 * The word that a peer has something new, published on `<prefix>.<project-code>.commit`. It is a hint: what it
 * says is believed only as far as a pull from the peer bears it out, and losing it loses nothing.
 *
 *     {"v":1,"rid":17,"uuid":"<hash>","peer_id":"<peer>","tips":["<hash>",…],"count":3,
 *      "artifacts":["<hash>",…],"reply":"<base64>","iroh":"<endpoint id>","http":"http://host/path"}
 *
 *     rid        of the newest of the news, in the announcer's repository; of no use elsewhere
 *     uuid       its hash
 *     peer_id    who answers on `<prefix>.<project-code>.sync.<peer_id>`
 *     tips       of the news, check-ins without a successor on their branch, newest first
 *     count      how many check-ins, wiki pages, tickets … are announced
 *     artifacts  everything that is new, files of check-ins too, when it is not too many: with these names a
 *                puller asks for all of it in its first message
 *     reply      what the announcer answers to whoever asks for these artifacts without a login, as a body of
 *                `application/x-fossil`, when it is small: a puller may take it for the first reply
 *     iroh,http  other ways to the announcer
 *
 * `v`, `rid`, `uuid` and `peer_id` are always written. The reference system writes the last three alone and drops
 * an announcement without `peer_id`; an absent `v` is 0, absent lists are empty, an absent `count` is 1, and unknown
 * fields are passed over. A version above ours is read as ours: later versions only add.
 */
import { utf8 } from "./bytes.ts";
import { FormatError } from "./errors.ts";
import { asHash, type Hash } from "./hash.ts";
import { JsonFields } from "./json-fields.ts";
import {
  ANNOUNCED_ARTIFACT_MAX_COUNT,
  ANNOUNCED_REPLY_MAX_BYTES,
  ANNOUNCED_TIP_MAX_COUNT,
  ANNOUNCEMENT_MAX_BYTES,
  HASH_MAX_DIGITS,
  PEER_ADDRESS_MAX_LENGTH,
} from "./limits.ts";
import { asEndpoint, asWebAddress } from "./peer-address.ts";
import { asPeerId, PEER_ID_MAX_LENGTH, type PeerId } from "./peer-id.ts";

export const ANNOUNCEMENT_VERSION = 1;

const BASE64_MAX_LENGTH = 4 * Math.ceil(ANNOUNCED_REPLY_MAX_BYTES / 3);

export interface Announcement {
  readonly version: number;
  readonly rid: number;
  readonly uuid: Hash;
  readonly peerId: PeerId;
  readonly tips: readonly Hash[];
  readonly count: number;
  /** Empty: not told. */
  readonly artifacts: readonly Hash[];
  readonly reply?: Uint8Array;
  readonly iroh: string | undefined;
  readonly http: string | undefined;
}

/** The bytes of an announcement. Lists are cut to what a reader accepts: tips short, too many artifacts to none. */
export function formatAnnouncement(announcement: Announcement): Uint8Array {
  const { version, rid, uuid, peerId, count, reply, iroh, http } = announcement;
  const tips = announcement.tips.slice(0, ANNOUNCED_TIP_MAX_COUNT);
  const artifacts =
    announcement.artifacts.length > ANNOUNCED_ARTIFACT_MAX_COUNT ? [] : announcement.artifacts;
  return utf8(
    JSON.stringify({
      v: version,
      rid,
      uuid,
      peer_id: peerId,
      tips,
      count,
      ...(artifacts.length > 0 && { artifacts }),
      ...(artifacts.length > 0 && reply !== undefined && { reply: Buffer.from(reply).toString("base64") }),
      ...(iroh !== undefined && { iroh }),
      ...(http !== undefined && { http }),
    }),
  );
}

/** @throws FormatError `json-syntax`, `json-field`, `hash-syntax`, `peer-id-syntax`, `peer-address`, `announced-reply`; LimitError `json-size`, `json-field-size` */
export function parseAnnouncement(bytes: Uint8Array): Announcement {
  const fields = JsonFields.parse(bytes, "an announcement", ANNOUNCEMENT_MAX_BYTES);
  const hashes = (name: string, maxCount: number): Hash[] =>
    (fields.texts(name, maxCount, HASH_MAX_DIGITS) ?? []).map(asHash);
  const reply = fields.convert("reply", BASE64_MAX_LENGTH, decodeBase64);
  return {
    version: fields.count("v") ?? 0,
    rid: fields.required("rid", fields.count("rid")),
    uuid: fields.required("uuid", fields.convert("uuid", HASH_MAX_DIGITS, asHash)),
    peerId: fields.required("peer_id", fields.convert("peer_id", PEER_ID_MAX_LENGTH, asPeerId)),
    tips: hashes("tips", ANNOUNCED_TIP_MAX_COUNT),
    count: fields.count("count") ?? 1,
    artifacts: hashes("artifacts", ANNOUNCED_ARTIFACT_MAX_COUNT),
    ...(reply !== undefined && { reply }),
    iroh: fields.convert("iroh", PEER_ADDRESS_MAX_LENGTH, asEndpoint),
    http: fields.convert("http", PEER_ADDRESS_MAX_LENGTH, asWebAddress),
  };
}

/** @throws FormatError `announced-reply` */
function decodeBase64(value: string): Uint8Array {
  if (/^[A-Za-z0-9+/]*={0,2}$/.test(value) && value.length % 4 === 0)
    return new Uint8Array(Buffer.from(value, "base64"));
  throw new FormatError("announced-reply", "the reply in an announcement is not base64");
}
