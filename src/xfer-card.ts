/**
 * The cards of Fossil's sync protocol as values. A message is a sequence of lines; each line is a card: a
 * keyword, tokens parted by white space, and for some cards a payload of bytes right after the line.
 * Which card has which tokens, who sends it, and what its payload looks like is in `xfer-card-table.ts`.
 * Source: Fossil `www/sync.wiki`, corrected by what the binaries do (fossil-facts C).
 *
 * Text fields are unescaped here; on the wire white space in them is written `\s`, `\n` and so on.
 * Payloads of parsed cards are views of the message, never copies.
 */
import type { Hash } from "./hash.ts";

/** Bits of a uvfile card's flags. */
export const UV_FLAG = { deleted: 1, contentOmitted: 4 } as const;

// Credentials and intent.
export interface LoginCard {
  readonly type: "login";
  readonly user: string;
  /** Hash (SHA1 or SHA3-256, hex) of every byte of the message after the login line. */
  readonly nonce: string;
  readonly signature: string;
}
export interface PullCard {
  readonly type: "pull";
  /** Ignored by every server. */
  readonly serverCode: string;
  readonly projectCode: string;
}
export interface PushCard {
  readonly type: "push";
  readonly serverCode: string;
  readonly projectCode: string;
}
export interface CloneCard {
  readonly type: "clone";
  /** Absent: the oldest form, answered with igot cards. 2: pages of file cards. 3: pages of cfile cards. */
  readonly protocol?: number;
  /** Where the page starts; 1 in the first request, then what the last `clone_seqno` said. */
  readonly sequence?: number;
}
export interface CloneSeqnoCard {
  readonly type: "clone_seqno";
  /** 0: the clone is complete. */
  readonly sequence: number;
}

// Artifacts.
export interface FileCard {
  readonly type: "file";
  readonly hash: Hash;
  /** Present: `content` is a delta against this artifact. */
  readonly source?: Hash;
  readonly size: number;
  readonly content: Uint8Array;
}
export interface CfileCard {
  readonly type: "cfile";
  readonly hash: Hash;
  /** Present: what is compressed is a delta against this artifact. */
  readonly source?: Hash;
  /** Bytes of the artifact, expanded. */
  readonly size: number;
  /** Bytes of the payload. */
  readonly storedSize: number;
  /** The blob as stored: 4-byte length and zlib stream. */
  readonly content: Uint8Array;
}
export interface PrivateCard {
  readonly type: "private";
}
export interface IgotCard {
  readonly type: "igot";
  readonly hash: Hash;
  readonly isPrivate: boolean;
}
export interface GimmeCard {
  readonly type: "gimme";
  readonly hash: Hash;
}

// Configuration.
export interface ReqconfigCard {
  readonly type: "reqconfig";
  /** `/all`, `/user`, `/skin` …; a name without the slash is an ancient form that servers ignore. */
  readonly area: string;
}
export interface ConfigCard {
  readonly type: "config";
  /** The table, with its slash: `/config`, `/user`, `/shun`, `/reportfmt`, `/concealed`, `/subscriber`. */
  readonly table: string;
  readonly size: number;
  readonly content: Uint8Array;
}

// Unversioned files. Times are seconds since 1970; no hash means that the file was deleted.
export interface UvigotCard {
  readonly type: "uvigot";
  readonly name: string;
  readonly mtime: number;
  readonly hash?: Hash;
  readonly size: number;
}
export interface UvgimmeCard {
  readonly type: "uvgimme";
  readonly name: string;
}
export interface UvfileCard {
  readonly type: "uvfile";
  readonly name: string;
  readonly mtime: number;
  readonly hash?: Hash;
  readonly size: number;
  readonly flags: number;
  /** Absent when the file is empty, deleted, or its content was left out (see `UV_FLAG`). */
  readonly content?: Uint8Array;
}

// Things said.
export interface CookieCard {
  readonly type: "cookie";
  readonly value: string;
}
export interface MessageCard {
  readonly type: "message";
  readonly text: string;
}
export interface ErrorCard {
  readonly type: "error";
  readonly text: string;
}

// Pragmas: hints that a peer may ignore.
export interface VersionPragma {
  readonly type: "pragma client-version" | "pragma server-version";
  /** 22900 is version 2.29. */
  readonly version: number;
  /** YYYYMMDD of the build. */
  readonly date?: number;
  /** HHMMSS of the build. */
  readonly time?: number;
}
export interface PlainPragma {
  readonly type:
    | "pragma send-private"
    | "pragma send-catalog"
    | "pragma edgesync-gimme-only"
    | "pragma req-links"
    | "pragma req-clusters"
    | "pragma uv-push-ok"
    | "pragma uv-pull-only"
    | "pragma avoid-delta-manifests";
}
export interface ClientUrlPragma {
  readonly type: "pragma client-url";
  readonly url: string;
}
export interface UvHashPragma {
  readonly type: "pragma uv-hash";
  readonly hash: Hash;
}
export interface WholePragma {
  readonly type: "pragma edgesync-whole";
  readonly hash: Hash;
}
export interface CiLockPragma {
  readonly type: "pragma ci-lock";
  readonly checkIn: Hash;
  readonly client: string;
}
export interface CiUnlockPragma {
  readonly type: "pragma ci-unlock";
  readonly client: Hash;
}
export interface CiLockFailPragma {
  readonly type: "pragma ci-lock-fail";
  readonly user: string;
  /** Seconds since 1970 when the lock was taken. */
  readonly since: number;
}
export interface LinkPragma {
  readonly type: "pragma link";
  readonly url: string;
  /** A JSON object. */
  readonly detail: string;
  readonly mtime: number;
}

/** Everything that a peer may send, by its type: the keyword, for pragmas with the pragma's name. */
export type KnownCard =
  | LoginCard
  | PullCard
  | PushCard
  | CloneCard
  | CloneSeqnoCard
  | FileCard
  | CfileCard
  | PrivateCard
  | IgotCard
  | GimmeCard
  | ReqconfigCard
  | ConfigCard
  | UvigotCard
  | UvgimmeCard
  | UvfileCard
  | CookieCard
  | MessageCard
  | ErrorCard
  | VersionPragma
  | PlainPragma
  | ClientUrlPragma
  | UvHashPragma
  | WholePragma
  | CiLockPragma
  | CiUnlockPragma
  | CiLockFailPragma
  | LinkPragma;

export type CardType = KnownCard["type"];
export type CardOf<T extends CardType> = KnownCard extends infer C
  ? C extends { readonly type: infer U }
    ? T extends U
      ? Omit<C, "type"> & { readonly type: T }
      : never
    : never
  : never;

/** A line that starts with `#`. */
export interface CommentCard {
  readonly type: "comment";
  /** Without the `#` and the end of line. */
  readonly text: string;
}
/** A pragma that nobody here knows, or one with the wrong tokens: to be ignored. */
export interface UnknownPragma {
  readonly type: "unknown-pragma";
  readonly name: string;
}
/** A line that is no card for its receiver: a wrong keyword, direction or token, or nothing at all. */
export interface UnknownCard {
  readonly type: "unknown";
  /** The whole line as it came, with its line feed. Empty but for white space: a blank line. */
  readonly line: string;
  readonly isBlank: boolean;
}
/** A card with a payload whose length cannot be told: nothing after it can be read. */
export interface MalformedCard {
  readonly type: "malformed";
  readonly keyword: "file" | "cfile" | "uvfile";
}

/** What a parser yields. */
export type Card = KnownCard | CommentCard | UnknownPragma | UnknownCard | MalformedCard;

/** Who speaks: a client sends requests, a server replies. */
export type Sender = "client" | "server";
