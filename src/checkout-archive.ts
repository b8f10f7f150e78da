/**
 * What goes into an archive of a check-in: folders before what is in them, `manifest` files where the setting `manifest` of
 * the check-in or the repository asks for them, then every file in order of its name.
 *
 * Below one folder on top, by default the project's name, the check-in's time and the first digits of its hash.
 *
 * Source: Fossil `src/zip.c`, `src/tar.c`.
 */
import { encodeText } from "./artifact-escape.ts";
import type { FilePermission } from "./artifact-types.ts";
import { EMPTY, text } from "./bytes.ts";
import type { GlobList } from "./checkout-glob.ts";
import { manifestFileContent, manifestFiles } from "./checkout-manifest-files.ts";
import { versionedValue } from "./checkout-settings.ts";
import { RepoError } from "./errors.ts";
import { type EpochMs, formatDateTime, fromJulian } from "./julian.ts";
import type { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";
import { type CheckInFile, findFile, listFiles } from "./repo-files.ts";

/** One entry; its content is read when it is asked for. */
export interface ArchiveEntry {
  /** Without a `/` at the end. */
  readonly name: string;
  readonly kind: "file" | "folder" | "link";
  /** Permission bits. */
  readonly mode: number;
  readonly read: () => Uint8Array;
}

export interface ArchiveRequest {
  readonly checkIn: Rid;
  /** The folder on top; none when empty. */
  readonly top: string;
  /** Only files that match, if given; and none that `exclude` matches. */
  readonly include?: GlobList;
  readonly exclude?: GlobList;
}

/** When the check-in was made: the time of every entry. */
export function archiveTime(repo: Repo, checkIn: Rid): EpochMs {
  const mtime = repo.db.prepare("SELECT mtime FROM event WHERE objid=? AND type='ci'").value<number>(checkIn);
  return fromJulian(mtime ?? 0);
}

/** `project-20260131120000-1a2b3c4d5e`: lower case, and `_` for what could trouble a file system. */
export function archiveName(repo: Repo, checkIn: Rid): string {
  const project = repo.config.get("short-project-name") || (repo.config.get("project-name") ?? "unnamed");
  const digits = formatDateTime(archiveTime(repo, checkIn)).replace(/\D/g, "");
  const hash = repo.content.hashOf(checkIn).slice(0, 10);
  const bytes = encodeText(`${project}-${digits}-${hash}`);
  return Array.from(bytes, (byte) => {
    const char = String.fromCharCode(byte);
    return /[A-Za-z0-9_-]/.test(char) ? char.toLowerCase() : "_";
  }).join("");
}

const MODES: Readonly<Record<FilePermission, number>> = { "": 0o644, x: 0o755, l: 0o755 };

/** @throws as `listFiles`; reading: RepoError `content-missing` */
export function* archiveEntries(repo: Repo, request: ArchiveRequest): Generator<ArchiveEntry> {
  const { checkIn, top, include, exclude } = request;
  const isWanted = (name: string) =>
    (include === undefined || include.matches(name)) && exclude?.matches(name) !== true;
  const folders = new Set<string>();
  const prefix = top === "" ? "" : `${top}/`;
  function* foldersOf(path: string): Generator<ArchiveEntry> {
    for (let end = path.indexOf("/"); end >= 0; end = path.indexOf("/", end + 1)) {
      const name = path.slice(0, end);
      if (folders.has(name)) continue;
      folders.add(name);
      yield { name, kind: "folder", mode: 0o755, read: () => EMPTY };
    }
  }
  for (const name of manifestFiles(manifestSetting(repo, checkIn))) {
    if (!isWanted(name)) continue;
    yield* foldersOf(prefix + name);
    const read = () => manifestFileContent(name, repo, checkIn);
    yield { name: prefix + name, kind: "file", mode: 0o644, read };
  }
  for (const file of listFiles(repo, checkIn)) {
    if (!isWanted(file.name)) continue;
    const name = prefix + file.name;
    yield* foldersOf(name);
    const kind = file.permission === "l" ? "link" : "file";
    yield { name, kind, mode: MODES[file.permission], read: () => contentOf(repo, file) };
  }
}

function manifestSetting(repo: Repo, checkIn: Rid): string | undefined {
  const versioned = findFile(repo, checkIn, ".fossil-settings/manifest");
  return versioned ? versionedValue(text(contentOf(repo, versioned))) : repo.config.get("manifest");
}

function contentOf(repo: Repo, { rid, hash }: CheckInFile): Uint8Array {
  const bytes = rid === undefined ? undefined : repo.content.get(rid);
  if (bytes !== undefined) return bytes;
  throw new RepoError("content-missing", `the content of artifact ${hash} is not in this repository`, {
    hint: "sync with a peer that has it",
  });
}
