/**
 * Finds files of a working tree that are not managed. Folders that are checkouts of their own are left out,
 * and so are names that begin with a dot unless they are asked for, names that match a pattern (a folder's
 * with all below it), and what Fossil itself keeps in a checkout: its database, the repository, the files of
 * the setting `manifest`. A link counts as a file, never as the folder it points to. Names that are not UTF-8 are found as they can
 * be shown; nothing can be done with them (stock, too, adds none).
 *
 * Source: Fossil `src/vfile.c`, `src/add.c`.
 */
import { type Dirent, lstatSync, readdirSync } from "node:fs";
import { relative, sep } from "node:path";
import { isReservedName } from "./artifact-names.ts";
import { compareUtf8 } from "./bytes.ts";
import { foldCase } from "./checkout-case.ts";
import type { Checkout } from "./checkout-db.ts";
import type { GlobList } from "./checkout-glob.ts";
import { manifestFiles } from "./checkout-manifest-files.ts";
import { checkoutAt } from "./checkout-place.ts";

export interface ScanOptions {
  /** Names that begin with a dot too. */
  readonly dotfiles?: boolean;
  /** What matches one of these is left out. */
  readonly ignore?: readonly GlobList[];
  /** Only what merges leave behind: `*-baseline`, `*-merge`, `*-original`, `*-output`, `ci-comment-….txt`. */
  readonly temporary?: boolean;
  /** Folders or files to look at, by name; everything unless given. */
  readonly within?: readonly string[];
}

const TEMPORARY = /(?:-(?:baseline|merge|original|output)(?:-\d*)?|(?:^|\/)ci-comment-.{12}\.txt)$/;

/** Names of unmanaged files, in order of their bytes. */
export function unmanagedFiles(checkout: Checkout, options: ScanOptions = {}): string[] {
  const fold = foldCase(checkout);
  const managed = managedNames(checkout, fold);
  const own = ownNames(checkout);
  const found = new Set<string>();
  const isLeftOut = (name: string) => (options.ignore ?? []).some((globs) => globs.matches(name));
  const take = (name: string) => {
    if (managed.has(fold(name)) || own.has(name) || isReservedName(name)) return;
    if (!options.temporary || TEMPORARY.test(name)) found.add(name);
  };
  const walk = (folder: string) => {
    for (const entry of readFolder(checkout.root, folder)) {
      if (entry.name.startsWith(".") && !options.dotfiles) continue;
      const name = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (isLeftOut(name)) continue;
      if (entry.isDirectory()) {
        if (!isLeftOut(`${name}/`) && checkoutAt(`${checkout.root}/${name}`) === undefined) walk(name);
        // Not listed, for it cannot be named: it is found itself, so that nobody misses what is in it.
        if (!isUtf8Name(checkout.root, name)) take(name);
      } else if (entry.isFile() || entry.isSymbolicLink()) take(name);
    }
  };
  for (const start of options.within ?? [""]) {
    if (start === "" || isFolder(checkout.root, start)) walk(start);
    else take(start);
  }
  return [...found].sort(compareUtf8);
}

/** Whether a name read from a folder is the one on disk. One that is not UTF-8 was read with U+FFFD in places. */
export function isUtf8Name(root: string, name: string): boolean {
  return !name.includes("\ufffd") || lstatSync(`${root}/${name}`, { throwIfNoEntry: false }) !== undefined;
}

/** Folders in which there is nothing, deepest first. */
export function emptyFolders(checkout: Checkout, options: ScanOptions = {}): string[] {
  const found: string[] = [];
  const isLeftOut = (name: string) => (options.ignore ?? []).some((globs) => globs.matches(name));
  const isEmpty = (folder: string): boolean => {
    let isEmptyHere = true;
    for (const entry of readFolder(checkout.root, folder)) {
      const name = folder === "" ? entry.name : `${folder}/${entry.name}`;
      const isLooked = entry.isDirectory() && (options.dotfiles || !entry.name.startsWith("."));
      const isOurs = isLooked && !isLeftOut(name) && checkoutAt(`${checkout.root}/${name}`) === undefined;
      if (isOurs && isEmpty(name)) found.push(name);
      else isEmptyHere = false;
    }
    return isEmptyHere;
  };
  isEmpty("");
  return found;
}

/** Names below the top that are the checkout's own: the repository's, its journals', the manifest's. */
function ownNames(checkout: Checkout): ReadonlySet<string> {
  const names = new Set<string>(manifestFiles(checkout.settings.get("manifest")));
  const repository = relative(checkout.root, checkout.repo.path).split(sep).join("/");
  if (!repository.startsWith("../")) {
    for (const ending of ["", "-journal", "-wal", "-shm"]) names.add(repository + ending);
  }
  return names;
}

function managedNames({ db }: Checkout, fold: (name: string) => string): ReadonlySet<string> {
  return new Set(db.prepare("SELECT pathname FROM vfile").values<[string]>().flat().map(fold));
}

function readFolder(root: string, folder: string): Dirent[] {
  try {
    return readdirSync(folder === "" ? root : `${root}/${folder}`, { withFileTypes: true });
  } catch {
    return []; // A folder that may not be read, or has gone meanwhile.
  }
}

function isFolder(root: string, name: string): boolean {
  try {
    readdirSync(`${root}/${name}`);
    return true;
  } catch {
    return false;
  }
}
