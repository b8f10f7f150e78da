/**
 * Puts managed files back as a check-in has them, by default the one that is checked out. A file that was added
 * is managed no longer and stays; one that a merge added goes; a renamed one gets its old name back. Without
 * names everything is put back and merges that are not committed are forgotten.
 *
 * Each file that changes is saved for undo before. Source: Fossil `src/update.c`.
 */
import { isWithin } from "./checkout-add.ts";
import { changeTree } from "./checkout-change.ts";
import type { Checkout, UndoRecorder } from "./checkout-db.ts";
import { refresh } from "./checkout-status.ts";
import type { TreeChange } from "./checkout-tree.ts";
import { originalName, type VfileRow, vfileRows } from "./checkout-vfile.ts";
import { RepoError, UsageError } from "./errors.ts";
import type { Rid } from "./repo-content.ts";
import { type CheckInFile, listFiles } from "./repo-files.ts";

export interface RevertOptions {
  /** Names of files or folders; everything when there are none. */
  readonly names: readonly string[];
  /** The check-in to take files from; only for files that are named. */
  readonly from?: Rid;
  /** Begins to record for undo; nothing is recorded, and what was is forgotten, without it. */
  readonly beginUndo?: () => UndoRecorder;
}

export interface Reverted {
  readonly what: "REVERT" | "DELETE" | "UNMANAGE";
  readonly name: string;
}

/** @throws UsageError `revert-folder`; RepoError `content-missing`, and those of `TreeChange` */
export function revert(checkout: Checkout, { names, from, beginUndo }: RevertOptions): Reverted[] {
  return changeTree(checkout, (tree) => {
    const undo = beginUndo?.();
    if (undo === undefined) checkout.dropUndo();
    const all = names.length === 0 || names.includes("");
    if (all && from !== undefined) throw onlyFiles();
    const wanted = all ? changedNames(checkout, "") : names.flatMap((name) => meant(checkout, name, from));
    if (all) checkout.db.prepare("DELETE FROM vmerge").run();
    const rows = vfileRows(checkout, checkout.vid);
    const originals = rows
      .filter((row) => originalName(row) !== row.pathname && wanted.includes(row.pathname))
      .map(originalName);
    const source = filesByName(checkout, from);
    const current = from === undefined ? source : filesByName(checkout, undefined);
    const reverted: Reverted[] = [];
    for (const name of new Set([...wanted, ...originals])) {
      const file = source.get(name);
      if (file === undefined) reverted.push({ what: takeOut(checkout, name, tree, undo), name });
      else {
        undo?.save(name);
        putBack(checkout, file, current.get(name), tree);
        reverted.push({ what: "REVERT", name });
      }
    }
    tree.removeEmptyFolders(
      reverted.filter(({ what }) => what === "DELETE").map(({ name }) => name),
      new Set(),
    );
    return reverted;
  });
}

function filesByName({ repo, checkIn }: Checkout, from: Rid | undefined): ReadonlyMap<string, CheckInFile> {
  const version = from ?? checkIn;
  return new Map(version === undefined ? [] : listFiles(repo, version).map((file) => [file.name, file]));
}

/** Names of changed files that are `within` or were. */
function changedNames(checkout: Checkout, within: string): string[] {
  return refresh(checkout)
    .filter(
      (row) => row.chnged !== 0 || row.deleted !== 0 || row.rid === 0 || originalName(row) !== row.pathname,
    )
    .filter((row) => isWithin(row.pathname, within) || isWithin(originalName(row), within))
    .map(({ pathname }) => pathname);
}

/** The files that a name stands for: of a folder the changed ones. */
function meant(checkout: Checkout, name: string, from: Rid | undefined): string[] {
  const rows = vfileRows(checkout, checkout.vid);
  const isFolder = rows.some(
    (row) => row.pathname.startsWith(`${name}/`) || originalName(row).startsWith(`${name}/`),
  );
  if (isFolder && from !== undefined) throw onlyFiles();
  if (isFolder) return changedNames(checkout, name);
  return [name, ...rows.filter(({ origname }) => origname === name).map(({ pathname }) => pathname)];
}

function putBack(
  checkout: Checkout,
  file: CheckInFile,
  current: CheckInFile | undefined,
  tree: TreeChange,
): void {
  const content = file.rid === undefined ? undefined : checkout.repo.content.get(file.rid);
  if (content === undefined) {
    throw new RepoError("content-missing", `the content of ${JSON.stringify(file.name)} is not here`, {
      hint: "sync with a peer that has it",
    });
  }
  const mtime = tree.write(file.name, content, file.permission);
  const isChanged = current !== undefined && current.hash !== file.hash;
  checkout.db
    .prepare(
      `UPDATE vfile SET mtime=?, chnged=?, deleted=0, isexe=?, islink=?, mrid=rid, mhash=NULL
       WHERE pathname=?5 OR origname=?5`,
    )
    .run(
      mtime,
      isChanged ? 1 : 0,
      file.permission === "x" ? 1 : 0,
      file.permission === "l" ? 1 : 0,
      file.name,
    );
}

/** What the check-in does not have is forgotten, and removed unless it was added by hand. */
function takeOut(
  { db }: Checkout,
  name: string,
  tree: TreeChange,
  undo: UndoRecorder | undefined,
): "DELETE" | "UNMANAGE" {
  const row = db
    .prepare<Pick<VfileRow, "rid"> & Record<string, never>>(
      "SELECT rid FROM vfile WHERE pathname=?1 OR origname=?1",
    )
    .get(name);
  const isOurs = (row?.rid ?? 0) !== 0;
  if (isOurs) {
    undo?.save(name);
    tree.remove(name);
  }
  db.prepare(
    `UPDATE OR REPLACE vfile SET pathname=origname, origname=NULL
     WHERE pathname=? AND origname!=pathname`,
  ).run(name);
  db.prepare("DELETE FROM vfile WHERE pathname=?").run(name);
  return isOurs ? "DELETE" : "UNMANAGE";
}

function onlyFiles(): UsageError {
  return new UsageError("revert-folder", "only single files can be put back as another version has them", {
    hint: "name the files, or use edgesync repo update VERSION",
  });
}
