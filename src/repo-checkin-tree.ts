/**
 * The files of a check-in to be: those of its parent after some edits. Pure.
 *
 * Edits name files and apply in order, each to the result of those before it:
 *   - put: adds a file or changes one. What it leaves out stays as it is: content, permission. With a
 *     `priorName` the file of that name moves here, and the F card says so when the parent had it;
 *   - removal: the file goes.
 *
 * With `wholeTree` the edits start from no files and so list all of them; a put may still say which file
 * of the parent it was.
 *
 * Names are simple relative paths in UTF-8 without backslashes (what Windows takes for separators), not
 * those of a checkout's own database, and none is a folder of another. Files that stay as they are in the
 * parent are not judged: old manifests may hold odd names.
 */
import { isReservedName, isSimplePath } from "./artifact-names.ts";
import type { FileEntry, FilePermission } from "./artifact-types.ts";
import { compareUtf8 } from "./bytes.ts";
import { NameError } from "./errors.ts";
import type { Hash } from "./hash.ts";

export interface FilePut {
  readonly name: string;
  /** Of a symbolic link: the target's path. Left out: as the file (or `priorName`) has it. */
  readonly content?: Uint8Array;
  /** Left out: as the file (or `priorName`) has it, else ordinary. */
  readonly permission?: FilePermission;
  /** The file's name before. */
  readonly priorName?: string;
}

export interface FileRemoval {
  readonly name: string;
  readonly remove: true;
}

export type FileEdit = FilePut | FileRemoval;

/** A file of the new check-in: known by hash, or new content still to be stored, which may be read as late as then. */
export interface PlannedFile {
  readonly name: string;
  readonly source:
    | { readonly hash: Hash }
    | { readonly content: Uint8Array }
    | { readonly read: () => Uint8Array };
  readonly permission: FilePermission;
  /** Its name in the parent, when that was another. */
  readonly priorName?: string;
}

/**
 * The new files in order of the bytes of their names.
 *
 * @param parent files of the primary parent, all with their hashes
 * @throws NameError `no-such-file` for an edit of a file that is not there, `file-name`, `file-exists` for a
 *   rename onto another file, `file-folder-clash`
 */
export function planTree(
  parent: readonly FileEntry[],
  edits: readonly FileEdit[],
  wholeTree: boolean,
): PlannedFile[] {
  const before = new Map(parent.map((entry) => [entry.name, planned(entry)]));
  const files = new Map(wholeTree ? [] : before);
  for (const edit of edits) {
    if ("remove" in edit) {
      if (!files.delete(edit.name)) throw noSuchFile(edit.name);
    } else {
      put(files, wholeTree ? before : files, before, edit);
    }
  }
  checkFolders(files);
  return [...files.values()].sort((a, b) => compareUtf8(a.name, b.name));
}

function planned({ name, hash, permission }: FileEntry): PlannedFile {
  return { name, source: { hash: hash! }, permission };
}

/** @param current where the file's content, permission and former names are looked up */
function put(
  files: Map<string, PlannedFile>,
  current: ReadonlyMap<string, PlannedFile>,
  parent: ReadonlyMap<string, PlannedFile>,
  edit: FilePut,
): void {
  const { name, priorName = name } = edit;
  const old = current.get(priorName);
  if (old === undefined && (edit.content === undefined || priorName !== name)) throw noSuchFile(priorName);
  if (priorName !== name) {
    if (files.has(name)) {
      throw new NameError(
        "file-exists",
        `${show(priorName)} cannot become ${show(name)}: that exists already`,
      );
    }
    files.delete(priorName);
  }
  if (!current.has(name)) checkName(name);
  const source = edit.content === undefined ? old!.source : { content: edit.content };
  const permission = edit.permission ?? old?.permission ?? "";
  // Renamed twice, or renamed after it was added: what counts is the name in the parent.
  const origin =
    old === undefined ? undefined : (old.priorName ?? (parent.has(priorName) ? priorName : undefined));
  const file = { name, source, permission };
  files.set(name, origin === undefined || origin === name ? file : { ...file, priorName: origin });
}

function checkName(name: string): void {
  const isGood = isSimplePath(name) && name.isWellFormed() && !/[\\\0]/.test(name);
  if (isGood && !isReservedName(name)) return;
  throw new NameError("file-name", `${show(name)} cannot be the name of a file in a check-in`, {
    hint: isGood
      ? "this name belongs to the database of a checkout"
      : "use a relative path with / between its parts and no . or .. among them",
  });
}

/**
 * `a` and `a/b` cannot both be checked out.
 *
 * @throws NameError `file-folder-clash`
 */
export function checkFolders(files: ReadonlyMap<string, unknown>): void {
  for (const name of files.keys()) {
    for (let at = name.lastIndexOf("/"); at > 0; at = name.lastIndexOf("/", at - 1)) {
      const folder = name.slice(0, at);
      if (!files.has(folder)) continue;
      throw new NameError("file-folder-clash", `${show(folder)} is a file, so ${show(name)} cannot be in it`);
    }
  }
}

function noSuchFile(name: string): NameError {
  return new NameError("no-such-file", `there is no file ${show(name)} in the parent check-in`);
}

const show = (name: string) => JSON.stringify(name);
