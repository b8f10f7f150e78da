/**
 * The structural artifacts of a Fossil repository as values. One field per card; the card's letter is
 * named beside it. Rules: Fossil `www/fileformat.wiki`, corrected by what the binaries do
 * (fossil-facts F). Parsing is `artifact-parse.ts`, writing is `artifact-format.ts`.
 *
 * Names, comments and other text are ordinary strings, already unescaped and decoded from UTF-8; bytes
 * that are not UTF-8 are kept as lone surrogates (`artifact-escape.ts`). Order is always by bytes. An
 * optional field is absent when its card is absent. Hashes are lower-case: Fossil's parser also takes
 * upper-case digits in a card, which can only mean the artifact of the lower-case name.
 */
import type { Hash } from "./hash.ts";
import type { EpochMs } from "./julian.ts";

/** `x` executable, `l` symbolic link (the artifact is the target path, no newline). */
export type FilePermission = "" | "x" | "l";

/**
 * F card: one file of a check-in. In a delta manifest an absent `hash` deletes the baseline's file. F cards of
 * reserved names (a checkout's database) are left out, as in Fossil.
 */
export interface FileEntry {
  readonly name: string;
  readonly hash?: Hash;
  readonly permission: FilePermission;
  /** The file's name in the primary parent, when it was renamed. */
  readonly priorName?: string;
}

/** `+` adds a singleton, `*` adds a propagating tag, `-` cancels. */
export type TagAction = "+" | "*" | "-";

/** T card. `target` is `undefined` for `*` in the artifact: the artifact itself. */
export interface TagEntry {
  readonly action: TagAction;
  /** Without its action prefix, for example `sym-trunk`, `branch`, `closed`, `bgcolor`. */
  readonly name: string;
  readonly target: Hash | undefined;
  readonly value?: string;
}

/** Q card: `backout` is the `-` form. */
export interface CherrypickEntry {
  readonly backout: boolean;
  readonly from: Hash;
  readonly through?: Hash;
}

interface Signable {
  /** The artifact was wrapped in a PGP clear-signature or an SSH signature. Signatures are not verified here. */
  readonly signed?: boolean;
}

export interface CheckIn extends Signable {
  readonly type: "check-in";
  /** B card: this is a delta manifest against that baseline. */
  readonly baseline?: Hash;
  readonly comment?: string;
  readonly date: EpochMs;
  readonly files: readonly FileEntry[];
  /** N card: MIME type of the comment. */
  readonly mimetype?: string;
  /** P card: the primary parent first, then merge parents. Absent for an initial check-in. */
  readonly parents: readonly Hash[];
  readonly cherrypicks: readonly CherrypickEntry[];
  /** R card: MD5 over all files. */
  readonly filesChecksum?: string;
  readonly tags: readonly TagEntry[];
  readonly user?: string;
}

export interface Cluster {
  readonly type: "cluster";
  /** M cards, sorted, unique. */
  readonly members: readonly Hash[];
}

/** Tags on other artifacts ("control artifact"). Every tag has a target. */
export interface Control extends Signable {
  readonly type: "control";
  readonly date: EpochMs;
  readonly tags: readonly TagEntry[];
  readonly user: string;
}

export interface WikiPage extends Signable {
  readonly type: "wiki";
  /** C card: comment on the edit (2.x and later). */
  readonly comment?: string;
  readonly date: EpochMs;
  /** L card: the page's name. */
  readonly title: string;
  readonly mimetype?: string;
  readonly parents: readonly Hash[];
  readonly user: string;
  /** W card, as bytes: text of any encoding. */
  readonly body: Uint8Array;
}

/** J card. `append` is the `+` form: append to the field instead of replacing it. */
export interface TicketField {
  /** Not escaped in the card: no spaces. */
  readonly name: string;
  readonly append: boolean;
  /** Empty when the card has no value. */
  readonly value: string;
}

export interface TicketChange extends Signable {
  readonly type: "ticket";
  readonly date: EpochMs;
  readonly fields: readonly TicketField[];
  /** K card: 40 hex digits, verbatim. */
  readonly ticketId: string;
  readonly user: string;
}

export interface Attachment extends Signable {
  readonly type: "attachment";
  /** Of the attached file, without folders. */
  readonly name: string;
  /** Wiki page name, ticket id, technote id, verbatim. */
  readonly target: string;
  /** Absent: the attachment is removed. */
  readonly source?: Hash;
  readonly comment?: string;
  readonly date: EpochMs;
  readonly mimetype?: string;
  readonly user?: string;
}

/** E card: an "event" in the table's name, a technote in documents. */
export interface Technote extends Signable {
  readonly type: "technote";
  readonly comment?: string;
  readonly date: EpochMs;
  /** E card: when it happened, and its id of 40 (or 64) hex digits, verbatim. */
  readonly eventDate: EpochMs;
  readonly technoteId: string;
  readonly mimetype?: string;
  readonly parents: readonly Hash[];
  readonly tags: readonly TagEntry[];
  readonly user?: string;
  readonly body: Uint8Array;
}

export interface ForumPost extends Signable {
  readonly type: "forum";
  readonly date: EpochMs;
  /** G card: the thread's first post; absent in the first post itself. */
  readonly threadRoot?: Hash;
  /** H card: only in a thread's first post. */
  readonly title?: string;
  /** I card: the post this one answers. */
  readonly inReplyTo?: Hash;
  readonly mimetype?: string;
  /** P card: the post this one edits; at most one. */
  readonly parents: readonly Hash[];
  readonly user: string;
  readonly body: Uint8Array;
}

export type Artifact =
  | CheckIn
  | Cluster
  | Control
  | WikiPage
  | TicketChange
  | Attachment
  | Technote
  | ForumPost;

export type ArtifactType = Artifact["type"];
