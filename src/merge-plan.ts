/**
 * What a merge does to each file of a checkout. With V, P and M as in `merge-ends.ts`:
 *
 *     execute   M changed the permission to execute, V did not
 *     update    M changed the content, V did not: M's is taken
 *     merge     both changed it, or both added it: merged as `merge-strategy.ts` says, with an empty ancestor if
 *               P has no such file
 *     remove    M no longer has it. What was changed in the working tree is lost, and that is a conflict
 *     rename    M renamed it, V did not
 *     add       M has it, neither P nor V do
 *
 * A file that V has no longer stays away, whatever M did to it. Order within a list is that of `merge-names.ts`.
 *
 * Source: Fossil `src/merge.c`.
 */
import type { Checkout } from "./checkout-db.ts";
import { refreshRows } from "./checkout-status.ts";
import { CHANGE, originalName, type VfileRow } from "./checkout-vfile.ts";
import { RepoError } from "./errors.ts";
import type { MergeEnds } from "./merge-ends.ts";
import { type CurrentFile, type MergeFile, matchNames, type NameRow } from "./merge-names.ts";
import { renamesBetween } from "./merge-renames.ts";
import type { Rid } from "./repo-content.ts";
import { type Blobs, listFiles } from "./repo-files.ts";

/** A file with what it is on each side that has it. */
export interface PlannedFile {
  /** In V, else in M. */
  readonly name: string;
  readonly current: CurrentFile | undefined;
  readonly pivot: MergeFile | undefined;
  readonly merged: MergeFile | undefined;
  /** Names as they were matched. */
  readonly names: NameRow;
}

/** A file that V has. */
export type PresentFile = PlannedFile & { readonly current: CurrentFile };
/** A file that V and M have. */
export type SharedFile = PresentFile & { readonly merged: MergeFile };

export interface MergePlan {
  readonly execute: readonly (PresentFile & { readonly isExecutable: boolean })[];
  readonly update: readonly SharedFile[];
  readonly merge: readonly SharedFile[];
  readonly remove: readonly PresentFile[];
  readonly rename: readonly { readonly file: PresentFile; readonly from: string; readonly to: string }[];
  readonly add: readonly (PlannedFile & { readonly merged: MergeFile })[];
  /** Names of all files that V manages. */
  readonly managed: ReadonlySet<string>;
}

/**
 * Within `Checkout.write`: looks at the working tree first.
 *
 * @param allowMissing leave out files of P and M whose content is not here
 * @throws RepoError `content-missing`, `not-a-file`
 */
export function planMerge(checkout: Checkout, ends: MergeEnds, allowMissing = false): MergePlan {
  const { repo, vid } = checkout;
  const { merged, pivot, namePivot, kind } = ends;
  // In the order of their rows, which is the order that stock goes by.
  const current = refreshRows(checkout, { requireFiles: true })
    .map(toCurrent)
    .sort((a, b) => a.id - b.id);
  const isPivotCurrent = pivot === vid;
  const known: Blobs = new Map();
  const sides = {
    pivot: isPivotCurrent
      ? current.map((file) => ({ ...file, name: file.originalName }))
      : filesOf(checkout, pivot, allowMissing, known),
    merged: filesOf(checkout, merged, allowMissing, known),
  };
  const rows = matchNames({
    renames: {
      v: renamesBetween(repo, namePivot, vid as Rid),
      p: renamesBetween(repo, namePivot, pivot),
      m: renamesBetween(repo, namePivot, merged, { backwards: kind === "backout" }),
    },
    current,
    ...sides,
    isPivotNamePivot: namePivot === pivot,
    isPivotAncestor: ends.isPivotAncestor,
  });
  const inPivot = byName(sides.pivot);
  const inMerged = byName(sides.merged);
  const files = rows.map((names): PlannedFile => {
    const { file, p, m } = names;
    const own = file !== undefined && file.rid > 0 && !file.isFromMerge ? file : undefined;
    return {
      name: names.v ?? names.m ?? names.p ?? "",
      current: file,
      pivot: isPivotCurrent ? own : p === undefined ? undefined : inPivot.get(p),
      merged: m === undefined ? undefined : inMerged.get(m),
      names,
    };
  });
  return sort(files, new Set(current.map(({ name }) => name)));
}

function sort(files: readonly PlannedFile[], managed: ReadonlySet<string>): MergePlan {
  const present = files.filter(isPresent);
  const shared = present.filter(isShared);
  const isChanged = ({ pivot, merged }: SharedFile) => merged.rid !== (pivot?.rid ?? 0);
  const isKept = ({ current, pivot }: SharedFile) =>
    current.rid === (pivot?.rid ?? 0) && current.chnged === 0;
  return {
    execute: present.flatMap((file) => {
      const { current, pivot, merged } = file;
      const isexe = merged?.isexe ?? current.isexe;
      const isTaken = pivot !== undefined && isexe !== pivot.isexe && current.isexe === pivot.isexe;
      return isTaken ? [{ ...file, isExecutable: isexe !== 0 }] : [];
    }),
    update: shared.filter((file) => file.pivot !== undefined && isChanged(file) && isKept(file)),
    merge: shared.filter((file) => isChanged(file) && !isKept(file)),
    remove: present.filter(({ pivot, merged }) => pivot !== undefined && merged === undefined),
    rename: shared.flatMap((file) => {
      const { v, p, m } = file.names;
      const isRenamed = file.pivot !== undefined && p !== undefined && p === v && m !== undefined && m !== p;
      return isRenamed ? [{ file, from: p, to: m }] : [];
    }),
    add: files.filter(isNew),
    managed,
  };
}

const isPresent = (file: PlannedFile): file is PresentFile => file.current !== undefined;
const isShared = (file: PresentFile): file is SharedFile => file.merged !== undefined;
const isNew = (file: PlannedFile): file is PlannedFile & { readonly merged: MergeFile } =>
  file.current === undefined && file.pivot === undefined && file.merged !== undefined;

function toCurrent(row: VfileRow): CurrentFile {
  const { id, rid, isexe, islink, chnged, pathname } = row;
  return {
    id,
    rid,
    isexe,
    islink,
    chnged,
    name: pathname,
    originalName: originalName(row),
    isFromMerge: chnged === CHANGE.addedByMerge || chnged === CHANGE.addedByIntegrate,
  };
}

function filesOf({ repo }: Checkout, checkIn: Rid, allowMissing: boolean, known: Blobs): MergeFile[] {
  return listFiles(repo, checkIn, known).flatMap(({ name, hash, permission, rid, size }) => {
    if (rid !== undefined && size !== undefined) {
      return [{ name, rid, hash, isexe: permission === "x" ? 1 : 0, islink: permission === "l" ? 1 : 0 }];
    }
    if (allowMissing || repo.content.isShunned(hash)) return [];
    throw new RepoError("content-missing", `the content of ${JSON.stringify(name)} (${hash}) is not here`, {
      hint: "sync with a peer that has it, or merge without such files with --force-missing",
      data: { name, hash },
    });
  });
}

const byName = (files: readonly MergeFile[]) => new Map(files.map((file) => [file.name, file]));
