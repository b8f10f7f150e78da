/**
 * What wiki pages, technotes, tickets and attachments have in common when they are made here: an artifact that is stored,
 * linked and sent on like one from elsewhere, and the kinds of text.
 */
import { formatArtifact } from "./artifact-format.ts";
import type { Artifact } from "./artifact-types.ts";
import { NameError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import type { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";
import { receiveAll } from "./repo-receive.ts";

/** Fossil's own markup is the default: its artifacts have no N card. */
export const FOSSIL_WIKI = "text/x-fossil-wiki";
const MIMETYPES: Readonly<Record<string, string>> = {
  fossil: FOSSIL_WIKI,
  markdown: "text/x-markdown",
  plain: "text/plain",
};

/** The whole name of a kind of text; `undefined` for one that no viewer shows. */
export function mimetypeOf(name: string): string | undefined {
  return Object.values(MIMETYPES).includes(name) ? name : MIMETYPES[name];
}

export interface MadeArtifact {
  readonly hash: Hash;
  readonly rid: Rid;
}

/**
 * Stores an artifact made here.
 *
 * @param blobs other content that it refers to, stored with it
 * @throws FormatError as `formatArtifact`
 */
export function addArtifact(
  repo: Repo,
  user: string,
  artifact: Artifact,
  blobs: readonly Uint8Array[] = [],
): MadeArtifact {
  const bytes = formatArtifact(artifact);
  let rid: Rid | undefined;
  receiveAll(repo, { user, onWrong: "throw" }, (batch) => {
    for (const blob of blobs) batch.add(blob, { isUnsent: true });
    rid = batch.add(bytes, { isUnsent: true });
  });
  return { hash: repo.content.hashOf(rid!), rid: rid! };
}

/** A text without white space at its end but one line feed, as it is exported. */
export function trimmedBody(body: Uint8Array): Uint8Array {
  const nul = body.indexOf(0);
  let end = nul < 0 ? body.length : nul;
  while (end > 0 && isSpace(body[end - 1]!)) end--;
  const made = new Uint8Array(end + 1);
  made.set(body.subarray(0, end));
  made[end] = 0x0a;
  return made;
}

const isSpace = (byte: number) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);

/** The one of `candidates` that `start` begins, or is. @throws NameError `unknown-id`, `ambiguous-id` */
export function uniqueStart(what: string, start: string, candidates: readonly string[]): string {
  if (candidates.includes(start)) return start;
  const [first, second] = candidates;
  if (first === undefined) throw new NameError("unknown-id", `there is no ${what} ${start}`);
  if (second === undefined) return first;
  const list = candidates.slice(0, 10).join(", ");
  throw new NameError("ambiguous-id", `${start} begins several ids: ${list}`, { hint: "give more digits" });
}
