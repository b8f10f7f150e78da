/**
 * Which files a checkout manages: adding, removing and renaming them. The change counts from the next
 * check-in on; the files themselves stay as they are, but with `hard` removed and renamed ones follow.
 *
 * A file that was removed and not yet committed becomes managed again by adding it. An added one is forgotten
 * by removing it. Names are judged as for check-ins (`repo-checkin-tree.ts`) and for writing
 * (`checkout-path.ts`): what could not be checked out is not added.
 *
 * Source: Fossil `src/add.c`.
 */
import { basename } from "node:path/posix";
import { caseClashes, foldCase } from "./checkout-case.ts";
import { changeTree } from "./checkout-change.ts";
import type { Checkout } from "./checkout-db.ts";
import { diskFile } from "./checkout-disk.ts";
import type { GlobList } from "./checkout-glob.ts";
import { pathProblem } from "./checkout-path.ts";
import { isUtf8Name, type ScanOptions, unmanagedFiles } from "./checkout-scan.ts";
import { TreeChange } from "./checkout-tree.ts";
import { vfileRow, vfileRows } from "./checkout-vfile.ts";
import { NameError } from "./errors.ts";

export interface AddOptions extends ScanOptions {
  /** Files named are added even when they match `ignore`. */
  readonly force?: boolean;
  /** Names that Windows has no files for. */
  readonly allowReserved?: boolean;
}

export interface AddResult {
  readonly added: readonly string[];
  /** Managed already, or not to be added, with the reason. */
  readonly skipped: readonly { readonly name: string; readonly why: string }[];
  /** Pairs of managed names that differ in case only. */
  readonly clashes: readonly (readonly [string, string])[];
}

/**
 * Adds files, and what is in folders.
 *
 * @throws NameError `no-such-file`, `reserved-name`
 */
export function addFiles(checkout: Checkout, names: readonly string[], options: AddOptions = {}): AddResult {
  const { root, settings } = checkout;
  const folders: string[] = [];
  const files: string[] = [];
  for (const name of names) {
    const disk = diskFile(name === "" ? root : `${root}/${name}`, settings.allowsLinks);
    if (disk === undefined) throw new NameError("no-such-file", `there is no file ${JSON.stringify(name)}`);
    (disk.isFolder ? folders : files).push(name);
  }
  const ignored = files.filter((name) => !options.force && isIgnored(name, options.ignore ?? []));
  const found = folders.length === 0 ? [] : unmanagedFiles(checkout, { ...options, within: folders });
  const wanted = [...new Set([...found, ...files.filter((name) => !ignored.includes(name))])].sort();
  if (!options.allowReserved) refuseReserved(wanted);
  return checkout.write(() => {
    const result = wanted.map((name) => ({ name, why: addFile(checkout, name) }));
    return {
      added: result.filter(({ why }) => why === undefined).map(({ name }) => name),
      skipped: [
        ...result.flatMap(({ name, why }) => (why === undefined ? [] : [{ name, why }])),
        ...ignored.map((name) => ({ name, why: "it matches ignore-glob (add it with --force)" })),
      ],
      clashes: caseClashes(vfileRows(checkout, checkout.vid)),
    };
  });
}

const isIgnored = (name: string, ignore: readonly GlobList[]) => ignore.some((globs) => globs.matches(name));

/** @throws NameError `reserved-name` */
function refuseReserved(names: readonly string[]): void {
  const reserved = names.find(
    (name) => pathProblem(name, "win32") !== undefined && pathProblem(name, "linux") === undefined,
  );
  if (reserved === undefined) return;
  throw new NameError("reserved-name", `${JSON.stringify(reserved)} cannot be checked out on Windows`, {
    hint: "rename it, or add it all the same with --allow-reserved",
  });
}

/** @returns why the file was not added */
function addFile(checkout: Checkout, name: string): string | undefined {
  const { db, root, settings, vid } = checkout;
  const problem = pathProblem(name, "linux") ?? (/\\/.test(name) ? "it has a backslash" : undefined);
  if (problem !== undefined) return problem;
  if (!isUtf8Name(root, name)) return "its name is not UTF-8";
  const row = vfileRow(checkout, vid, name);
  if (row !== undefined) {
    if (row.deleted === 0) return "it is managed already";
    db.prepare("UPDATE vfile SET deleted=0 WHERE id=?").run(row.id);
    return undefined;
  }
  try {
    new TreeChange(root, settings.allowsLinks).path(name);
  } catch {
    return "it is below a link";
  }
  const permission = diskFile(`${root}/${name}`, settings.allowsLinks)?.permission;
  db.prepare(
    "INSERT INTO vfile(vid,deleted,rid,mrid,pathname,isexe,islink,mhash) VALUES(?,0,0,0,?,?,?,NULL)",
  ).run(vid, name, permission === "x" ? 1 : 0, permission === "l" ? 1 : 0);
  return undefined;
}

/**
 * Removes files, and those below folders.
 *
 * @param hard the files on disk too
 * @returns their names
 * @throws NameError `not-managed`; RepoError of `TreeChange.remove`
 */
export function removeFiles(checkout: Checkout, names: readonly string[], hard: boolean): string[] {
  const rows = vfileRows(checkout, checkout.vid).filter(({ deleted }) => deleted === 0);
  const removed = new Set<string>();
  for (const name of names) {
    const meant = rows.filter(({ pathname }) => isWithin(pathname, name));
    if (meant.length === 0) throw notManaged(name);
    for (const { pathname } of meant) removed.add(pathname);
  }
  changeTree(checkout, (tree) => {
    markRemoved(checkout, removed);
    if (hard) for (const name of removed) tree.remove(name);
    if (hard) tree.removeEmptyFolders(removed, new Set());
  });
  return [...removed].sort();
}

function markRemoved({ db }: Checkout, names: Iterable<string>): void {
  for (const name of names) db.prepare("UPDATE vfile SET deleted=1 WHERE pathname=?").run(name);
  db.prepare("DELETE FROM vfile WHERE rid=0 AND deleted").run();
}

/** Adds every unmanaged file, and removes those that are gone from disk. */
export function addRemove(checkout: Checkout, options: AddOptions = {}): AddResult & { removed: string[] } {
  return checkout.write(() => {
    const { root, settings } = checkout;
    const added = addFiles(checkout, [""], { ...options, allowReserved: true });
    const removed = vfileRows(checkout, checkout.vid)
      .filter(({ deleted }) => deleted === 0)
      .map(({ pathname }) => pathname)
      .filter((name) => (diskFile(`${root}/${name}`, settings.allowsLinks)?.kind ?? "other") === "other");
    for (const name of removed) checkout.db.prepare("UPDATE vfile SET deleted=1 WHERE pathname=?").run(name);
    return { ...added, removed };
  });
}

export interface Renaming {
  readonly from: string;
  readonly to: string;
}

/**
 * Renames a file, or moves files and folders into a folder.
 *
 * @param hard the files on disk too
 * @throws NameError `not-managed`, `file-exists`, `file-name`; UsageError is the caller's; RepoError of `TreeChange`
 */
export function renameFiles(
  checkout: Checkout,
  sources: readonly string[],
  target: string,
  hard: boolean,
): Renaming[] {
  const plan = planRenames(checkout, sources, target);
  const fold = foldCase(checkout);
  const isSameHere = (a: string, b: string) => a !== b && fold(a) === fold(b);
  changeTree(checkout, (tree) => {
    const { db, vid } = checkout;
    db.prepare("UPDATE vfile SET origname=pathname WHERE origname IS NULL").run();
    for (const { from, to } of plan) {
      checkTarget(checkout, from, to);
      // Where only the case changes, the file found at the new name may be the one to be renamed.
      if (hard && !isSameHere(from, to) && tree.stat(to) !== undefined) throw exists(from, to, "on disk");
      db.prepare("UPDATE vfile SET pathname=? WHERE pathname=? AND vid=?").run(to, from, vid);
      if (hard) tree.move(from, to);
    }
    if (hard)
      tree.removeEmptyFolders(
        plan.map(({ from }) => from),
        new Set(),
      );
    checkout.dropUndo();
  });
  return plan;
}

function planRenames(checkout: Checkout, sources: readonly string[], target: string): Renaming[] {
  const { root, settings, vid } = checkout;
  const kindOf = (name: string) => diskFile(name === "" ? root : `${root}/${name}`, settings.allowsLinks);
  const names = vfileRows(checkout, vid).map(({ pathname }) => pathname);
  const isIntoFolder = kindOf(target)?.isFolder ?? false;
  if (sources.length > 1 && !isIntoFolder) {
    throw new NameError("not-a-folder", `${JSON.stringify(target)} is no folder to move several files into`);
  }
  const below = target === "" ? "" : `${target}/`;
  return sources.flatMap((source) => {
    const meant = names.filter((name) => isWithin(name, source));
    if (meant.length === 0) throw notManaged(source);
    return meant.map((from) => {
      if (from === source) return { from, to: isIntoFolder ? below + basename(from) : target };
      const tail = from.slice(source.length + 1);
      return { from, to: below + (isIntoFolder ? `${basename(source)}/${tail}` : tail) };
    });
  });
}

function checkTarget(checkout: Checkout, from: string, to: string): void {
  const problem = pathProblem(to, "linux") ?? (/\\/.test(to) ? "it has a backslash" : undefined);
  if (problem !== undefined) {
    throw new NameError("file-name", `${JSON.stringify(to)} cannot be the name of a file: ${problem}`);
  }
  const row = vfileRow(checkout, checkout.vid, to);
  if (row !== undefined) throw exists(from, to, row.deleted ? "and its removal is not committed" : "");
}

function exists(from: string, to: string, where: string): NameError {
  return new NameError(
    "file-exists",
    `${JSON.stringify(from)} cannot become ${JSON.stringify(to)}: that exists ${where}`.trimEnd(),
  );
}

function notManaged(name: string): NameError {
  return new NameError("not-managed", `${JSON.stringify(name)} is not a managed file`, {
    hint: "edgesync repo ls lists the managed ones",
  });
}

/** Whether a file is the one named or below the folder named; the top is the empty name. */
export function isWithin(file: string, name: string): boolean {
  return name === "" || file === name || file.startsWith(`${name}/`);
}
