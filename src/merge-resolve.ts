/**
 * Ends conflicts: a version of the file is chosen, or its text merged again, or all versions are laid beside it for
 * somebody to make one of them. What a conflict knows is in `merge-conflict.ts`.
 */
import { EMPTY } from "./bytes.ts";
import { changeTree } from "./checkout-change.ts";
import { hasConflictMark } from "./checkout-conflict-mark.ts";
import type { Checkout } from "./checkout-db.ts";
import { diskFile, readDisk } from "./checkout-disk.ts";
import { RepoError } from "./errors.ts";
import { type Conflict, conflictOf, resolveConflict } from "./merge-conflict.ts";
import { writeSidecars } from "./merge-sidecar.ts";
import { mergeText } from "./merge-text.ts";

export const VERSIONS = ["ours", "theirs", "base"] as const;
/** `ours`: before the merge; `theirs`: what was merged in; `base`: what both come from. */
export type ConflictVersion = (typeof VERSIONS)[number];

/**
 * The content of a version; `undefined` where that has no such file.
 *
 * @throws RepoError `version-unknown` when it was not kept, `content-missing`
 */
export function versionContent(
  { repo }: Checkout,
  conflict: Conflict,
  version: ConflictVersion,
): Uint8Array | undefined {
  if (version !== "theirs" && !conflict.isKnown) throw unknownVersion(conflict, version);
  if (version === "ours") return conflict.ours;
  const hash = conflict[version];
  if (hash === undefined) return undefined;
  const content = repo.content.getByHash(hash);
  if (content !== undefined) return content;
  throw new RepoError("content-missing", `the content of artifact ${hash} is not in this repository`, {
    hint: "sync with a peer that has it",
    data: { hash },
  });
}

/**
 * The file becomes one of its versions, or goes where that has no such file, and its conflict is over. May be called
 * again with another version.
 *
 * @throws RepoError `no-conflict`, `version-unknown`, `content-missing`, and those of `TreeChange`
 */
export function pickVersion(checkout: Checkout, name: string, version: ConflictVersion): void {
  changeTree(checkout, (tree) => {
    const conflict = conflictOf(checkout, name);
    const content = versionContent(checkout, conflict, version);
    const { permission, theirPermission } = conflict;
    if (content === undefined) tree.remove(name);
    else tree.write(name, content, version === "theirs" ? theirPermission : permission);
    checkout.db
      .prepare("UPDATE vfile SET deleted=?, mtime=0 WHERE vid=? AND pathname=?")
      .run(content === undefined ? 1 : 0, checkout.vid, name);
    resolveConflict(checkout, name);
  });
}

/**
 * Merges the text of the versions once more, as if nobody had touched the file since.
 *
 * @returns how many conflicts are left in the text
 * @throws RepoError `no-conflict`, `version-unknown`, `content-missing`, `not-text`, and those of `TreeChange`
 */
export function mergeAgain(checkout: Checkout, name: string): number {
  return changeTree(checkout, (tree) => {
    const conflict = conflictOf(checkout, name);
    const [ours, theirs, base] = VERSIONS.map((version) => versionContent(checkout, conflict, version));
    const isText = conflict.permission !== "l" && conflict.theirPermission !== "l";
    const result =
      isText && ours !== undefined && theirs !== undefined
        ? mergeText(base ?? EMPTY, ours, theirs)
        : undefined;
    if (result === undefined) throw notText(name);
    tree.write(name, result.content, conflict.permission);
    checkout.db.prepare("UPDATE vfile SET mtime=0 WHERE vid=? AND pathname=?").run(checkout.vid, name);
    if (result.conflictCount === 0) resolveConflict(checkout, name);
    return result.conflictCount;
  });
}

/** Writes the versions beside the file, and returns the names. @throws as `pickVersion` */
export function extractVersions(checkout: Checkout, name: string): string[] {
  return changeTree(checkout, (tree) => {
    const conflict = conflictOf(checkout, name);
    const versions: Partial<Record<ConflictVersion, Uint8Array>> = {};
    for (const version of VERSIONS) {
      if (version !== "theirs" && !conflict.isKnown) continue;
      const content = versionContent(checkout, conflict, version);
      if (content !== undefined) versions[version] = content;
    }
    return writeSidecars(tree, name, versions);
  });
}

/**
 * The file is right as it is.
 *
 * @throws RepoError `no-conflict`, `still-marked` while its text has marks of a conflict
 */
export function markResolved(checkout: Checkout, name: string): void {
  checkout.write(() => {
    conflictOf(checkout, name);
    const path = `${checkout.root}/${name}`;
    if (diskFile(path, true)?.kind === "file" && hasConflictMark(readDisk(path, false))) {
      throw new RepoError("still-marked", `${JSON.stringify(name)} still has marks of a conflict in it`, {
        hint: "edit it, or choose a version with edgesync repo conflicts pick",
        data: { name },
      });
    }
    resolveConflict(checkout, name);
  });
}

function unknownVersion({ name }: Conflict, version: ConflictVersion): RepoError {
  return new RepoError(
    "version-unknown",
    `"${version}" of ${JSON.stringify(name)} was not kept by the merge`,
    {
      hint: "another program merged; undo that, and merge with edgesync repo merge",
      data: { name },
    },
  );
}

function notText(name: string): RepoError {
  return new RepoError("not-text", `the versions of ${JSON.stringify(name)} are not all text`, {
    hint: "choose one with edgesync repo conflicts pick",
    data: { name },
  });
}
