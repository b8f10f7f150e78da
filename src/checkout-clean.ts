/**
 * Removes unmanaged files, and folders in which there is nothing. Removed files are saved for undo, but large
 * ones, which stay unless forced; those of `clean-glob` are not saved. Those of `keep-glob` and `ignore-glob`
 * stay.
 *
 * Source: Fossil `src/checkin.c`.
 */
import { rmdirSync } from "node:fs";
import { changeTree } from "./checkout-change.ts";
import type { Checkout, UndoRecorder } from "./checkout-db.ts";
import type { GlobList } from "./checkout-glob.ts";
import { emptyFolders, type ScanOptions, unmanagedFiles } from "./checkout-scan.ts";

export interface CleanOptions extends ScanOptions {
  readonly keep?: GlobList;
  /** Removed without being saved. */
  readonly unsaved?: GlobList;
  /** What is too large to be saved, too. */
  readonly force?: boolean;
  /** Empty folders, too. */
  readonly folders?: boolean;
  /** No files. */
  readonly foldersOnly?: boolean;
  /** Begins to record for undo; nothing is recorded without it, and nothing counts as too large. */
  readonly beginUndo?: () => UndoRecorder;
  /** Says what would be removed. */
  readonly dryRun?: boolean;
}

export interface Cleaned {
  readonly removed: readonly string[];
  readonly folders: readonly string[];
  /** Too large for undo. */
  readonly left: readonly string[];
}

/** Larger files are not saved for undo, as in stock. */
const SAVED_MAX_BYTES = 10 * 1024 * 1024;

/** @throws RepoError `file-unwritable` */
export function clean(checkout: Checkout, options: CleanOptions): Cleaned {
  const isKept = (name: string) => options.keep?.matches(name) ?? false;
  const files = options.foldersOnly ? [] : unmanagedFiles(checkout, options).filter((name) => !isKept(name));
  if (options.dryRun) return { removed: files, folders: foldersToRemove(checkout, options), left: [] };
  const { removed, left } = changeTree(checkout, (tree) => {
    const undo = files.length > 0 ? options.beginUndo?.() : undefined;
    const [gone, kept]: [string[], string[]] = [[], []];
    for (const name of files) {
      const isSaved = undo !== undefined && !(options.unsaved?.matches(name) ?? false);
      const isLarge = isSaved && (tree.stat(name)?.size ?? 0) > SAVED_MAX_BYTES;
      if (isLarge && !options.force) {
        kept.push(name);
        continue;
      }
      if (isSaved && !isLarge) undo.save(name);
      if (tree.remove(name)) gone.push(name);
    }
    return { removed: gone, left: kept };
  });
  const folders = foldersToRemove(checkout, options);
  for (const folder of folders) removeFolder(`${checkout.root}/${folder}`);
  return { removed, folders, left };
}

function foldersToRemove(checkout: Checkout, options: CleanOptions): string[] {
  if (!options.folders && !options.foldersOnly) return [];
  const always = new Set(checkout.settings.emptyFolders());
  return emptyFolders(checkout, options).filter(
    (name) => !always.has(name) && !(options.keep?.matches(name) ?? false),
  );
}

function removeFolder(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Something has come into it.
  }
}
