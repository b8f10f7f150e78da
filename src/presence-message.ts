/**
 * What a peer tells of itself on `<prefix>.<project-code>.presence`.
 *
 *     {"v":1,"kind":"join","peer_id":"<peer>","name":"ann's laptop","version":"0.1.0","role":"peer",
 *      "transports":["nats","http"],"http":"http://host/path","iroh":"<endpoint id>",
 *      "artifacts":21332,"tips":["<hash>",…],"unclustered":"<hash>","uv":"<hash>","lag_ms":0,"every_ms":30000}
 *
 *     kind         join: here now, tell me of you; beat: still here; leave: going
 *     role         peer, hub, leaf or bridge
 *     transports   over which it answers
 *     artifacts    how many it has, content not yet here left out
 *     tips         its newest check-ins without a successor on their branch, newest first
 *     unclustered  SHA1 over the sorted hashes of all artifacts that no cluster names, each with a line feed:
 *                  differs when news was missed
 *     uv           the hash of the catalog of its unversioned files, as `pragma uv-hash` has it
 *     lag_ms       how long ago it heard of something that it has not got yet; 0 when there is nothing
 *     every_ms     until its next beat; a peer that missed three is gone
 *
 * A join carries a reply subject; those who hear it answer there with a beat of their own. `kind` and `peer_id`
 * are required, a text that is absent is empty, a count 0. Names and versions are shown to people: control characters
 * in them are refused.
 */
import { utf8 } from "./bytes.ts";
import { FormatError } from "./errors.ts";
import { asHash, type Hash } from "./hash.ts";
import { JsonFields } from "./json-fields.ts";
import {
  HASH_MAX_DIGITS,
  PEER_ADDRESS_MAX_LENGTH,
  PEER_NAME_MAX_LENGTH,
  PRESENCE_BEAT_MAX_MS,
  PRESENCE_BEAT_MIN_MS,
  PRESENCE_MAX_BYTES,
  PRESENCE_TIP_MAX_COUNT,
  PRESENCE_TRANSPORT_MAX_COUNT,
} from "./limits.ts";
import { asEndpoint, asWebAddress } from "./peer-address.ts";
import { asPeerId, PEER_ID_MAX_LENGTH, type PeerId } from "./peer-id.ts";

export const PRESENCE_VERSION = 1;

const KINDS = ["join", "beat", "leave"] as const;
export type PresenceKind = (typeof KINDS)[number];

export const PEER_ROLES = ["peer", "hub", "leaf", "bridge"] as const;
export type PeerRole = (typeof PEER_ROLES)[number];

/** What a peer tells of itself, whatever the occasion. */
export interface PeerFacts {
  readonly peerId: PeerId;
  readonly name: string;
  readonly version: string;
  readonly role: PeerRole;
  readonly transports: readonly string[];
  readonly http: string | undefined;
  readonly iroh: string | undefined;
  readonly artifactCount: number;
  readonly tips: readonly Hash[];
  readonly unclustered: Hash | undefined;
  readonly unversioned: Hash | undefined;
  readonly lagMs: number;
  /** Time from one beat to the next. */
  readonly everyMs: number;
}

export interface PresenceMessage extends PeerFacts {
  readonly kind: PresenceKind;
}

export function formatPresence(message: PresenceMessage): Uint8Array {
  const { kind, peerId, name, version, role, transports, http, iroh, artifactCount } = message;
  const { unclustered, unversioned } = message;
  const tips = message.tips.slice(0, PRESENCE_TIP_MAX_COUNT);
  return utf8(
    JSON.stringify({
      v: PRESENCE_VERSION,
      kind,
      peer_id: peerId,
      name,
      version,
      role,
      transports,
      ...(http !== undefined && { http }),
      ...(iroh !== undefined && { iroh }),
      artifacts: artifactCount,
      tips,
      ...(unclustered !== undefined && { unclustered }),
      ...(unversioned !== undefined && { uv: unversioned }),
      lag_ms: Math.round(message.lagMs),
      every_ms: message.everyMs,
    }),
  );
}

/** @throws FormatError `json-syntax`, `json-field`, `hash-syntax`, `peer-id-syntax`, `peer-address`; LimitError `json-size`, `json-field-size` */
export function parsePresence(bytes: Uint8Array): PresenceMessage {
  const fields = JsonFields.parse(bytes, "a presence message", PRESENCE_MAX_BYTES);
  const shown = (name: string): string => printable(name, fields.text(name, PEER_NAME_MAX_LENGTH) ?? "");
  const everyMs = fields.count("every_ms") ?? PRESENCE_BEAT_MAX_MS;
  return {
    kind: oneOf("kind", KINDS, fields.required("kind", fields.text("kind", PEER_NAME_MAX_LENGTH))),
    peerId: fields.required("peer_id", fields.convert("peer_id", PEER_ID_MAX_LENGTH, asPeerId)),
    name: shown("name"),
    version: shown("version"),
    role: oneOf("role", PEER_ROLES, fields.text("role", PEER_NAME_MAX_LENGTH) ?? "peer"),
    transports: (fields.texts("transports", PRESENCE_TRANSPORT_MAX_COUNT, PEER_NAME_MAX_LENGTH) ?? []).map(
      (item) => printable("transports", item),
    ),
    http: fields.convert("http", PEER_ADDRESS_MAX_LENGTH, asWebAddress),
    iroh: fields.convert("iroh", PEER_ADDRESS_MAX_LENGTH, asEndpoint),
    artifactCount: fields.count("artifacts") ?? 0,
    tips: (fields.texts("tips", PRESENCE_TIP_MAX_COUNT, HASH_MAX_DIGITS) ?? []).map(asHash),
    unclustered: fields.convert("unclustered", HASH_MAX_DIGITS, asHash),
    unversioned: fields.convert("uv", HASH_MAX_DIGITS, asHash),
    lagMs: fields.count("lag_ms") ?? 0,
    everyMs: Math.min(PRESENCE_BEAT_MAX_MS, Math.max(PRESENCE_BEAT_MIN_MS, everyMs)),
  };
}

function oneOf<T extends string>(name: string, known: readonly T[], value: string): T {
  if ((known as readonly string[]).includes(value)) return value as T;
  throw new FormatError(
    "json-field",
    `the field ${name} of a presence message is ${JSON.stringify(value)}, not ${known.join(", ")}`,
  );
}

function printable(name: string, value: string): string {
  if (!/\p{C}/u.test(value)) return value;
  throw new FormatError("json-field", `the field ${name} of a presence message has control characters`);
}
