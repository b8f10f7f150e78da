/**
 * Files for a check-in without a checkout: those named, and everything below folders named but repositories and the databases
 * of checkouts. Symbolic links are taken as such, and the executable bit is kept.
 */
import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { isReservedName } from "./artifact-names.ts";
import { utf8 } from "./bytes.ts";
import { RepoError, UsageError } from "./errors.ts";
import type { FileEdit } from "./repo-checkin-tree.ts";

/**
 * @param folder names are relative to it
 * @throws UsageError `outside`; RepoError `file-unreadable`
 */
export function readEdits(folder: string, file: string): FileEdit[] {
  const path = resolve(folder, file);
  const name = relative(resolve(folder), path);
  if (name.split(sep)[0] === "..") {
    throw new UsageError("outside", `${file} is outside of the folder worked in`, {
      hint: "name that folder with -C",
    });
  }
  const stats = statOf(path, file);
  return stats.isDirectory() ? readFolder(path, name) : [readEdit(path, name, stats)];
}

function statOf(path: string, file: string): Stats {
  try {
    return lstatSync(path);
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

/** Everything below a folder but repositories and the databases of checkouts. */
function readFolder(path: string, name: string): FileEdit[] {
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
    const below = join(path, entry.name);
    const entryName = join(name, entry.name);
    if (isReservedName(entry.name) || /\.fossil(?:-wal|-shm|-journal)?$/.test(entry.name)) return [];
    if (entry.isDirectory()) return readFolder(below, entryName);
    if (!entry.isFile() && !entry.isSymbolicLink()) return [];
    return [readEdit(below, entryName, lstatSync(below))];
  });
}

function readEdit(path: string, systemName: string, stats: Stats): FileEdit {
  const name = systemName.split(sep).join("/");
  try {
    if (stats.isSymbolicLink()) return { name, content: utf8(readlinkSync(path)), permission: "l" };
    return { name, content: readFileSync(path), permission: stats.mode & 0o100 ? "x" : "" };
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function unreadable(file: string, cause: unknown): RepoError {
  const reason = (cause as NodeJS.ErrnoException).code === "ENOENT" ? "does not exist" : "cannot be read";
  return new RepoError("file-unreadable", `${file} ${reason}`, { cause });
}
