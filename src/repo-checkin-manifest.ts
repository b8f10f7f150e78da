/**
 * What a check-in's manifest says, and whether it is written full or as a delta of a baseline. Pure.
 *
 * Tags, as stock's commit sets them:
 *   - a new branch: `*branch` with its name, `*sym-NAME`, `*bgcolor` if it has a colour; and the propagating
 *     `sym-` tags that the parent hands on are cancelled, so that the old branch's name ends here;
 *   - `+bgcolor` for a colour of this check-in alone, unless the branch gets one;
 *   - `+closed` on itself, or on leaves that are integrated by a merge;
 *   - `+sym-TAG` for each tag.
 *
 * Delta manifests list what differs from the baseline's files, and files that are gone without a hash. With
 * B F cards in the full form and D cards B and F in the delta, the delta pays, as the number of F cards of
 * the whole history goes, when D * D < 3 * B - 9 (Fossil `src/checkin.c`, which derives it).
 */
import type { CheckIn, CherrypickEntry, FileEntry, TagEntry } from "./artifact-types.ts";
import { compareUtf8 } from "./bytes.ts";
import type { Hash } from "./hash.ts";
import type { EpochMs } from "./julian.ts";

export interface NewBranch {
  readonly name: string;
  readonly color?: string;
  /** Names of the propagating `sym-` tags of the parent. */
  readonly inherited: readonly string[];
}

export interface ManifestParts {
  readonly comment: string;
  readonly date: EpochMs;
  /** Sorted, all with their hashes. */
  readonly files: readonly FileEntry[];
  readonly mimetype?: string;
  readonly parents: readonly Hash[];
  readonly cherrypicks: readonly CherrypickEntry[];
  readonly filesChecksum?: string;
  readonly branch?: NewBranch;
  readonly color?: string;
  /** Symbolic names of this check-in alone. */
  readonly tags: readonly string[];
  readonly closeSelf: boolean;
  readonly closeMerged: readonly Hash[];
  readonly user: string;
}

/** A full manifest. An empty comment becomes stock's `(no comment)`. */
export function fullManifest(parts: ManifestParts): CheckIn {
  const { mimetype, filesChecksum } = parts;
  return {
    type: "check-in",
    comment: parts.comment || "(no comment)",
    date: parts.date,
    files: parts.files,
    ...(mimetype !== undefined && { mimetype }),
    parents: parts.parents,
    cherrypicks: parts.cherrypicks.toSorted((a, b) => (cherrypickKey(a) < cherrypickKey(b) ? -1 : 1)),
    ...(filesChecksum !== undefined && { filesChecksum }),
    tags: tagsOf(parts),
    user: parts.user,
  };
}

/** The same check-in as a delta of `baseline`, whose files (sorted, a full manifest's) are given. */
export function deltaManifest(full: CheckIn, baseline: Hash, baseFiles: readonly FileEntry[]): CheckIn {
  return { ...full, baseline, files: differences(baseFiles, full.files) };
}

/** Whether the delta form makes for fewer cards in the long run. */
export function deltaPays(full: CheckIn, delta: CheckIn): boolean {
  const deltaCards = delta.files.length + 1;
  return deltaCards * deltaCards < full.files.length * 3 - 9;
}

function differences(base: readonly FileEntry[], files: readonly FileEntry[]): FileEntry[] {
  const found: FileEntry[] = [];
  let next = 0;
  for (const file of files) {
    let before = base[next];
    while (before !== undefined && compareUtf8(before.name, file.name) < 0) {
      found.push({ name: before.name, permission: "" });
      before = base[++next];
    }
    const isKept =
      before?.name === file.name &&
      before.hash === file.hash &&
      before.permission === file.permission &&
      file.priorName === undefined;
    if (!isKept) found.push(file);
    if (before?.name === file.name) next++;
  }
  for (const { name } of base.slice(next)) found.push({ name, permission: "" });
  return found;
}

function tagsOf({ branch, color, tags, closeSelf, closeMerged }: ManifestParts): TagEntry[] {
  const own = (action: TagEntry["action"], name: string, value?: string): TagEntry => {
    const tag = { action, name, target: undefined };
    return value === undefined ? tag : { ...tag, value };
  };
  const all: TagEntry[] = [];
  if (branch !== undefined) {
    if (branch.color) all.push(own("*", "bgcolor", branch.color));
    all.push(own("*", "branch", branch.name), own("*", `sym-${branch.name}`));
    for (const name of branch.inherited) if (name !== `sym-${branch.name}`) all.push(own("-", name));
  }
  if (color && !branch?.color) all.push(own("+", "bgcolor", color));
  if (closeSelf) all.push(own("+", "closed"));
  for (const target of new Set(closeMerged)) all.push({ action: "+", name: "closed", target });
  for (const name of new Set(tags)) all.push(own("+", `sym-${name}`));
  return all;
}

const cherrypickKey = ({ backout, from }: CherrypickEntry) => (backout ? "-" : "+") + from;
