/**
 * Files attached to wiki pages, tickets and technotes (Fossil `src/attach.c`). A file that reads as an artifact is stored
 * compressed, with `.gz` at the end of its name, so that nobody takes it for one.
 */
import { parseArtifact } from "./artifact-parse.ts";
import { FormatError, LimitError, NameError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import { type EpochMs, fromJulian } from "./julian.ts";
import type { Repo } from "./repo.ts";
import type { Signature } from "./repo-control.ts";
import { addArtifact, type MadeArtifact } from "./repo-document.ts";
import { textParameter } from "./repo-text.ts";
import { packBlob } from "./zlib.ts";

export interface AttachedFile {
  readonly name: string;
  /** Of the content. */
  readonly hash: Hash;
  readonly date: EpochMs;
  readonly user: string | undefined;
  readonly comment: string;
}

/** Files attached to a page (its title), a ticket or a technote (the whole id), in order of their names. */
export function attachmentsOf(repo: Repo, target: string): AttachedFile[] {
  return repo.db
    .prepare(
      `SELECT filename, src, mtime, user, comment FROM attachment
       WHERE target=CAST(? AS TEXT) AND isLatest AND src<>'' ORDER BY filename`,
    )
    .values<[string, Hash, number, string | null, string | null]>(textParameter(target))
    .map(([name, hash, mtime, user, comment]) => ({
      name,
      hash,
      date: fromJulian(mtime),
      user: user ?? undefined,
      comment: comment ?? "",
    }));
}

export interface AttachRequest extends Signature {
  /** Title of a page, id of a ticket or technote. */
  readonly target: string;
  /** The file's name, without folders. */
  readonly name: string;
  readonly content: Uint8Array;
  readonly comment?: string;
}

export interface MadeAttachment extends MadeArtifact {
  /** As stored. */
  readonly name: string;
  /** Of the file's content. */
  readonly source: Hash;
}

/** Attaches a file, in place of one of the same name. */
export function attach(repo: Repo, request: AttachRequest): MadeAttachment {
  const { target, user } = request;
  const comment = request.comment?.trim();
  const isArtifact = readsAsArtifact(request.content);
  const content = isArtifact ? packBlob(request.content) : request.content;
  const name = `${request.name || "unknown"}${isArtifact ? ".gz" : ""}`;
  return repo.db.write(() => {
    const source = repo.content.nameOf(content);
    const made = addArtifact(
      repo,
      user,
      {
        type: "attachment",
        name,
        target,
        source,
        ...(comment && { comment }),
        date: request.date ?? repo.clock.now(),
        user,
      },
      [content],
    );
    return { ...made, name, source };
  });
}

/** Takes an attached file away. @throws NameError `no-such-attachment` */
export function detach(
  repo: Repo,
  { target, name, user, date }: Signature & { readonly target: string; readonly name: string },
): MadeArtifact {
  return repo.db.write(() => {
    if (!attachmentsOf(repo, target).some((file) => file.name === name)) {
      throw new NameError("no-such-attachment", `${target} has no attachment ${JSON.stringify(name)}`);
    }
    return addArtifact(repo, user, {
      type: "attachment",
      name,
      target,
      date: date ?? repo.clock.now(),
      user,
    });
  });
}

function readsAsArtifact(content: Uint8Array): boolean {
  try {
    parseArtifact(content);
    return true;
  } catch (error) {
    if (error instanceof FormatError || error instanceof LimitError) return false;
    throw error;
  }
}
