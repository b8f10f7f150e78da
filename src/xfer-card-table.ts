/**
 * Every card of the sync protocol, in one table: its tokens, who sends it, its payload, its limits and
 * what it is for. Parsing (`xfer-parse.ts`), formatting (`xfer-format.ts`) and `docs/xfer-cards.md`
 * (`xfer-card-docs.ts`) all read this table and nothing else. Rules: fossil-facts C.
 *
 * How a line becomes a card: its first token, or `pragma` and the second, is the key of the table. The
 * rest fill `fields` in order; when there are fewer than fields, the optional ones are filled from left
 * to right as far as tokens go (`file HASH SIZE`, `file HASH SOURCE SIZE`). `more` says what becomes of
 * tokens past the last field. A line that does not fit is for its receiver an unknown card; with
 * `misfit: "fatal"` it is a malformed one, because a payload of unknown length follows it.
 */
import { ARTIFACT_MAX_BYTES, CONFIG_CARD_MAX_BYTES } from "./limits.ts";
import type { CardOf, CardType, KnownCard, Sender } from "./xfer-card.ts";
import { UV_FLAG } from "./xfer-card.ts";
import type { TokenKind } from "./xfer-token.ts";

export interface Field<C> {
  readonly name: Exclude<keyof C, "type" | "content"> & string;
  readonly kind: TokenKind;
  readonly optional?: true;
}

/** How the bytes after the line are delimited. */
export type PayloadRule =
  /** Exactly the bytes; the next card follows at once. */
  | "bare"
  /** A line feed follows unless the last byte of what was sent is one. */
  | "line-feed-if-missing"
  /** A line feed always follows. */
  | "line-feed";

export interface CardSpec<C> {
  readonly from: readonly Sender[];
  readonly fields: readonly Field<C>[];
  readonly more: "ignored" | "refused";
  readonly misfit: "unknown" | "ignored" | "fatal";
  readonly payload?: {
    readonly rule: PayloadRule;
    /** Bytes of the payload of this card, or `undefined` when it has none. */
    length(card: C): number | undefined;
    /** Largest payload, and largest size a card may declare for what its payload expands to. */
    readonly maxBytes: number;
  };
  readonly doc: string;
}

const CLIENT = ["client"] as const;
const SERVER = ["server"] as const;
const BOTH = ["client", "server"] as const;

/** Most cards: exactly these tokens, or else no card at all. */
const EXACT = { more: "refused", misfit: "unknown" } as const;
/** Pragmas: what does not fit is ignored like an unknown pragma. */
const PRAGMA = { more: "refused", misfit: "ignored" } as const;
const LOOSE_PRAGMA = { more: "ignored", misfit: "ignored" } as const;

const ARTIFACT = [
  { name: "hash", kind: "hash" },
  { name: "source", kind: "hash", optional: true },
  { name: "size", kind: "size" },
] as const;

const CODES = [
  { name: "serverCode", kind: "word" },
  { name: "projectCode", kind: "hash" },
] as const;

const VERSION = [
  { name: "version", kind: "number" },
  { name: "date", kind: "number", optional: true },
  { name: "time", kind: "number", optional: true },
] as const;

export const CARD_TABLE: { readonly [T in CardType]: CardSpec<CardOf<T>> } = {
  login: {
    from: CLIENT,
    ...EXACT,
    fields: [
      { name: "user", kind: "text" },
      { name: "nonce", kind: "word" },
      { name: "signature", kind: "word" },
    ],
    doc: "Who asks. NONCE is the hash of every byte after this line; SIGNATURE is SHA1(NONCE + secret).",
  },
  pull: {
    from: CLIENT,
    ...EXACT,
    fields: CODES,
    doc: "The client wants artifacts. SERVERCODE is ignored; PROJECTCODE must be the server's.",
  },
  push: {
    from: BOTH,
    ...EXACT,
    fields: CODES,
    doc: "From a client: it wants to send artifacts. From a server, in clone replies: which project this is.",
  },
  clone: {
    from: CLIENT,
    more: "ignored",
    misfit: "unknown",
    fields: [
      { name: "protocol", kind: "size-or-0", optional: true },
      { name: "sequence", kind: "size-or-0", optional: true },
    ],
    doc: "The client has nothing and wants everything, from SEQUENCE on.",
  },
  clone_seqno: {
    from: SERVER,
    ...EXACT,
    fields: [{ name: "sequence", kind: "size" }],
    doc: "The SEQUENCE to ask for next; 0 when the clone is complete.",
  },
  file: {
    from: BOTH,
    more: "refused",
    misfit: "fatal",
    fields: ARTIFACT,
    payload: { rule: "bare", length: (card) => card.size, maxBytes: ARTIFACT_MAX_BYTES },
    doc: "An artifact, whole, or as a delta against SOURCE. SIZE is the payload's.",
  },
  cfile: {
    from: BOTH,
    more: "refused",
    misfit: "fatal",
    fields: [...ARTIFACT, { name: "storedSize", kind: "size" }],
    payload: {
      rule: "line-feed-if-missing",
      length: (card) => card.storedSize,
      maxBytes: ARTIFACT_MAX_BYTES,
    },
    doc: "An artifact as it is stored: length prefix and zlib stream of the text or delta. SIZE is the artifact's.",
  },
  private: {
    from: BOTH,
    more: "ignored",
    misfit: "unknown",
    fields: [],
    doc: "The next file or cfile card is private.",
  },
  igot: {
    from: BOTH,
    more: "ignored",
    misfit: "unknown",
    fields: [
      { name: "hash", kind: "hash" },
      { name: "isPrivate", kind: "one", optional: true },
    ],
    doc: "The sender has this artifact; `1` says that it is private.",
  },
  gimme: {
    from: BOTH,
    ...EXACT,
    fields: [{ name: "hash", kind: "hash" }],
    doc: "The sender wants this artifact. From a client it counts only after `pull` or `clone`.",
  },
  reqconfig: {
    from: CLIENT,
    ...EXACT,
    fields: [{ name: "area", kind: "word" }],
    doc: "The client wants the configuration of an area such as `/all` or `/skin`.",
  },
  config: {
    from: BOTH,
    ...EXACT,
    fields: [
      { name: "table", kind: "word" },
      { name: "size", kind: "size" },
    ],
    payload: { rule: "line-feed", length: (card) => card.size, maxBytes: CONFIG_CARD_MAX_BYTES },
    doc: "One row of configuration: `MTIME 'key' column 'literal' …`.",
  },
  uvigot: {
    from: SERVER,
    ...EXACT,
    fields: [
      { name: "name", kind: "filename" },
      { name: "mtime", kind: "seconds" },
      { name: "hash", kind: "hash-or-dash" },
      { name: "size", kind: "size" },
    ],
    doc: "The server has this unversioned file; `-` says that it was deleted.",
  },
  uvgimme: {
    from: CLIENT,
    ...EXACT,
    fields: [{ name: "name", kind: "filename" }],
    doc: "The client wants this unversioned file.",
  },
  uvfile: {
    from: BOTH,
    more: "ignored",
    misfit: "fatal",
    fields: [
      { name: "name", kind: "filename" },
      { name: "mtime", kind: "seconds" },
      { name: "hash", kind: "hash-or-dash" },
      { name: "size", kind: "size" },
      { name: "flags", kind: "size" },
    ],
    payload: {
      rule: "bare",
      length: ({ size, flags }) =>
        size > 0 && (flags & (UV_FLAG.deleted | UV_FLAG.contentOmitted)) === 0 ? size : undefined,
      maxBytes: ARTIFACT_MAX_BYTES,
    },
    doc: "An unversioned file. FLAGS: 1 deleted, 4 content left out.",
  },
  cookie: {
    from: BOTH,
    ...EXACT,
    fields: [{ name: "value", kind: "word" }],
    doc: "From a server: to be sent back with the next request.",
  },
  message: {
    from: SERVER,
    ...EXACT,
    fields: [{ name: "text", kind: "text" }],
    doc: "To be shown to the user; nothing failed.",
  },
  error: {
    from: SERVER,
    ...EXACT,
    fields: [{ name: "text", kind: "text" }],
    doc: "Why the server refuses; the exchange ends.",
  },
  "pragma client-version": {
    from: CLIENT,
    ...LOOSE_PRAGMA,
    fields: VERSION,
    doc: "The client's version (22900 is 2.29), build date and time. With both, the server names its own.",
  },
  "pragma server-version": {
    from: SERVER,
    ...LOOSE_PRAGMA,
    fields: VERSION,
    doc: "The server's version; from 22700 20250727 110500 on, clients log in by cookie.",
  },
  "pragma send-private": {
    from: CLIENT,
    ...LOOSE_PRAGMA,
    fields: [],
    doc: "The client wants private artifacts too.",
  },
  "pragma send-catalog": {
    from: CLIENT,
    ...LOOSE_PRAGMA,
    fields: [],
    doc: "The client wants an igot for every artifact (`--verily`).",
  },
  "pragma edgesync-gimme-only": {
    from: CLIENT,
    ...LOOSE_PRAGMA,
    fields: [],
    doc: "Before `pull`: the client knows what there is, and wants no igot. Stock ignores it.",
  },
  "pragma req-links": {
    from: CLIENT,
    ...LOOSE_PRAGMA,
    fields: [],
    doc: "The client wants URLs of other repositories of the project.",
  },
  "pragma req-clusters": {
    from: CLIENT,
    ...LOOSE_PRAGMA,
    fields: [],
    doc: "The client wants an igot for every cluster.",
  },
  "pragma client-url": {
    from: CLIENT,
    ...PRAGMA,
    fields: [{ name: "url", kind: "word" }],
    doc: "Where the client itself can be reached.",
  },
  "pragma uv-hash": {
    from: CLIENT,
    ...LOOSE_PRAGMA,
    fields: [{ name: "hash", kind: "hash" }],
    doc: "Hash of the client's unversioned files; where it differs the server sends its catalog.",
  },
  "pragma uv-push-ok": {
    from: SERVER,
    ...LOOSE_PRAGMA,
    fields: [],
    doc: "The client may send unversioned files.",
  },
  "pragma uv-pull-only": {
    from: SERVER,
    ...LOOSE_PRAGMA,
    fields: [],
    doc: "The client may not send unversioned files.",
  },
  "pragma edgesync-whole": {
    from: BOTH,
    ...PRAGMA,
    fields: [{ name: "hash", kind: "hash" }],
    doc: "A gimme for an artifact as whole text, because the delta that came has a shunned source. Stock ignores it.",
  },
  "pragma ci-lock": {
    from: CLIENT,
    ...PRAGMA,
    fields: [
      { name: "checkIn", kind: "hash" },
      { name: "client", kind: "word" },
    ],
    doc: "The client is about to commit on this check-in.",
  },
  "pragma ci-unlock": {
    from: CLIENT,
    ...PRAGMA,
    fields: [{ name: "client", kind: "hash" }],
    doc: "The client gives up every lock it holds.",
  },
  "pragma ci-lock-fail": {
    from: SERVER,
    ...PRAGMA,
    fields: [
      { name: "user", kind: "text" },
      { name: "since", kind: "seconds" },
    ],
    doc: "Somebody else holds that lock.",
  },
  "pragma avoid-delta-manifests": {
    from: SERVER,
    ...LOOSE_PRAGMA,
    fields: [],
    doc: "Do not commit delta manifests.",
  },
  "pragma link": {
    from: SERVER,
    ...PRAGMA,
    fields: [
      { name: "url", kind: "text" },
      { name: "detail", kind: "text" },
      { name: "mtime", kind: "seconds" },
    ],
    doc: "Another repository of the project.",
  },
};

/** The table without its types, for code that treats every card alike. */
export type AnyCardSpec = CardSpec<KnownCard & Readonly<Record<string, never>>>;

export function specOf(type: string): AnyCardSpec | undefined {
  return SPECS.get(type);
}

const SPECS: ReadonlyMap<string, AnyCardSpec> = new Map(
  Object.entries(CARD_TABLE) as unknown as [string, AnyCardSpec][],
);
