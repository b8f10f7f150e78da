/**
 * Control artifacts made here: tags set on artifacts that are there already. One artifact holds any number of tags; it
 * is private when what it tags is.
 */
import { formatArtifact } from "./artifact-format.ts";
import type { TagEntry } from "./artifact-types.ts";
import type { Hash } from "./hash.ts";
import type { EpochMs } from "./julian.ts";
import type { Repo } from "./repo.ts";
import { ReceiveBatch } from "./repo-receive.ts";

/** Who sets tags, and when: the clock's time unless given. */
export interface Signature {
  readonly user: string;
  readonly date?: EpochMs;
}

export interface MadeControl {
  readonly hash: Hash;
  readonly bytes: Uint8Array;
}

/** Stores a control artifact that sets `tags`, each of which names its target. */
export function addControl(
  repo: Repo,
  { user, date }: Signature,
  tags: readonly TagEntry[],
  { isPrivate = false, isDry = false }: { readonly isPrivate?: boolean; readonly isDry?: boolean } = {},
): MadeControl {
  const bytes = formatArtifact({ type: "control", date: date ?? repo.clock.now(), tags, user });
  if (!isDry) {
    repo.db.write(() => {
      const batch = new ReceiveBatch(repo, { user, onWrong: "throw" });
      batch.add(bytes, { isPrivate, isUnsent: true });
      batch.finish();
    });
  }
  return { hash: repo.content.nameOf(bytes), bytes };
}
