/**
 * The files of a check-in: names, contents, and when each came to be as it is.
 *
 * A full manifest lists every file; a delta manifest adds to, replaces or deletes from those of its baseline
 * (`repo-manifest.ts`). A file dates from the earliest ancestor, merges included, that holds the same content
 * as new (Fossil `src/browse.c`, file ages; so `fossil ls -v -r` prints it).
 */
import { encodeText, escapeText } from "./artifact-escape.ts";
import { isReservedName } from "./artifact-names.ts";
import type { CheckIn, FileEntry, FilePermission } from "./artifact-types.ts";
import { NameError, RepoError } from "./errors.ts";
import { type Hash, isHash } from "./hash.ts";
import { type EpochMs, fromJulian } from "./julian.ts";
import type { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";
import { filesOf, isOrphan, type Manifest, ManifestFinder, Manifests } from "./repo-manifest.ts";

/** First byte of a manifest that lists what differs from another. */
const DELTA_MANIFEST = 0x42;

/** One file of a check-in. */
export interface CheckInFile {
  /** Path from the top of the tree, with `/`. */
  readonly name: string;
  readonly hash: Hash;
  readonly permission: FilePermission;
  readonly rid: Rid | undefined;
  /** In bytes; `undefined` while the content is missing. */
  readonly size: number | undefined;
}

export interface FileOrigin {
  readonly checkIn: Rid;
  readonly date: EpochMs;
}

/** Rid and size of contents, by their hashes. */
export type Blobs = Map<Hash, { readonly rid: Rid; readonly size: number | undefined }>;

/**
 * Every file of a check-in, in order of the bytes of the names.
 *
 * @param known what was found for other check-ins, which have most contents in common; is added to
 * @throws NameError `not-a-checkin`; RepoError `content-missing` when its manifest or baseline is not here
 */
export function listFiles(repo: Repo, checkIn: Rid, known: Blobs = new Map()): CheckInFile[] {
  const entries = filesInText(repo, checkIn) ?? [...filesOf(openManifest(repo, checkIn))];
  findBlobs(repo, entries, known);
  return entries.map(({ name, hash, permission }) => {
    const blob = known.get(hash!);
    return { name, hash: hash!, permission, rid: blob?.rid, size: blob?.size };
  });
}

/** Rid and size of the files' contents, in one look: a check-in may have very many. */
function findBlobs({ db }: Repo, entries: readonly FileEntry[], known: Blobs): void {
  const unknown = entries.map(({ hash }) => hash!).filter((hash) => !known.has(hash));
  const hashes = JSON.stringify([...new Set(unknown)]);
  const rows = db
    .prepare("SELECT uuid, rid, size FROM blob WHERE uuid IN (SELECT value FROM json_each(?))")
    .values<[Hash, Rid, number]>(hashes);
  for (const [hash, rid, size] of rows) known.set(hash, { rid, size: size < 0 ? undefined : size });
}

/**
 * One file of a check-in by its exact name; `undefined` when the check-in has no such file.
 *
 * @throws as `listFiles`
 */
export function findFile(repo: Repo, checkIn: Rid, name: string): CheckInFile | undefined {
  const entry = findInText(repo, checkIn, name) ?? new ManifestFinder(openManifest(repo, checkIn)).find(name);
  return entry && toFile(repo, entry);
}

/** A full manifest. Only of what is known to be a check-in: its text has no lines but cards, and those were found to be right. */
function fullText({ db, content }: Repo, checkIn: Rid): Buffer | undefined {
  const isCheckIn = db.prepare("SELECT 1 FROM event WHERE objid=? AND type='ci'").value(checkIn) === 1;
  const bytes = isCheckIn ? content.get(checkIn) : undefined;
  if (bytes === undefined || bytes[0] === DELTA_MANIFEST) return undefined;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** An F card whose name is nothing but ASCII without escapes. */
const PLAIN_FILE = /^F ([!-[\]-~]+) ([0-9a-f]{64}|[0-9a-f]{40})(?: ([xlw]?)(?: .*)?)?$/;

/** All files of a full manifest by its text, in a fraction of the parser's time; rare forms are left to that. */
function filesInText(repo: Repo, checkIn: Rid): FileEntry[] | undefined {
  const text = fullText(repo, checkIn)?.toString("latin1");
  if (text === undefined) return undefined;
  const files: FileEntry[] = [];
  let at = text.indexOf("\nF ") + 1;
  if (at === 0) return undefined;
  while (text.startsWith("F ", at)) {
    const end = text.indexOf("\n", at);
    const [, name, hash = "", permission = ""] = PLAIN_FILE.exec(text.slice(at, end)) ?? [];
    if (name === undefined || !isHash(hash) || isReservedName(name)) return undefined;
    files.push({ name, hash, permission: permission === "w" ? "" : (permission as FilePermission) });
    at = end + 1;
  }
  return files;
}

/** The entry of a file in a full manifest without reading the others, which may be thousands. */
function findInText(repo: Repo, checkIn: Rid, name: string): FileEntry | undefined {
  const text = name.includes("\0") ? undefined : fullText(repo, checkIn);
  if (text === undefined) return undefined;
  const at = text.indexOf(encodeText(`\nF ${escapeText(name)} `));
  const line = at < 0 ? "" : text.toString("latin1", at + 1, text.indexOf("\n", at + 1));
  const [, , hash = "", permission = "", ...prior] = line.split(" ");
  // Rare forms are left to the parser.
  if (!isHash(hash) || !/^[xl]?$/.test(permission) || prior.length > 0) return undefined;
  return { name, hash, permission: permission as FilePermission };
}

/**
 * The content of one file of a check-in. Of a symbolic link it is the target's path.
 *
 * @throws NameError `no-such-file`; RepoError `content-missing`; else as `listFiles`
 */
export function readFile(repo: Repo, checkIn: Rid, name: string): Uint8Array {
  const file = findFile(repo, checkIn, name);
  if (file === undefined) {
    const version = repo.content.hashOf(checkIn).slice(0, 10);
    throw new NameError("no-such-file", `check-in ${version} has no file ${JSON.stringify(name)}`);
  }
  const content = file.rid === undefined ? undefined : repo.content.get(file.rid);
  if (content === undefined) throw missing(file.hash);
  return content;
}

/** For each file of a check-in, by name, the check-in that brought its content. */
export function fileOrigins(
  repo: Repo,
  checkIn: Rid,
  files: readonly CheckInFile[],
): Map<string, FileOrigin> {
  const ancestors = new Set<Rid>(
    repo.db
      .prepare(
        `WITH RECURSIVE ancestor(rid) AS (VALUES(?) UNION SELECT p.pid FROM ancestor a JOIN plink p ON p.cid=a.rid)
         SELECT rid FROM ancestor`,
      )
      .values<[Rid]>(checkIn)
      .flat(),
  );
  const holders = repo.db.prepare(
    `SELECT m.mid, e.mtime FROM mlink m JOIN event e ON e.objid=m.mid
     WHERE m.fid=? AND m.fid!=m.pid ORDER BY e.mtime`,
  );
  const origins = new Map<string, FileOrigin>();
  for (const { name, rid } of files) {
    if (rid === undefined) continue;
    for (const [mid, mtime] of holders.values<[Rid, number]>(rid)) {
      if (!ancestors.has(mid)) continue;
      origins.set(name, { checkIn: mid, date: fromJulian(mtime) });
      break;
    }
  }
  return origins;
}

/** A file that one of two check-ins has, or both in different versions. */
export interface FileDifference {
  readonly name: string;
  readonly from: CheckInFile | undefined;
  readonly to: CheckInFile | undefined;
}

/**
 * The files whose content two check-ins do not have in common; a file with the same content and another permission is
 * none. First those of `to` in order of their names, then those that only `from` has. Costs the two manifests and what
 * differs.
 *
 * @throws as `listFiles`
 */
export function differingFiles(repo: Repo, from: Rid, to: Rid): FileDifference[] {
  const manifests = new Manifests(repo.content);
  const first = openManifest(repo, from, manifests);
  const before = new Map<string, FileEntry>();
  for (const file of filesOf(first)) before.set(file.name, file);
  const found: FileDifference[] = [];
  for (const file of filesOf(openManifest(repo, to, manifests, first.checkIn))) {
    const old = before.get(file.name);
    before.delete(file.name);
    if (old?.hash === file.hash) continue;
    found.push({ name: file.name, from: old && toFile(repo, old), to: toFile(repo, file) });
  }
  for (const file of before.values())
    found.push({ name: file.name, from: toFile(repo, file), to: undefined });
  return found;
}

/** @param relative a relative of the check-in that `manifests` has read, which makes it quicker to read */
function openManifest(
  repo: Repo,
  checkIn: Rid,
  manifests = new Manifests(repo.content),
  relative?: CheckIn,
): Manifest {
  const opened = manifests.open(checkIn, relative);
  if (opened === undefined) {
    const hash = repo.content.hashOf(checkIn);
    if (!repo.content.isAvailable(checkIn)) throw missing(hash);
    throw new NameError("not-a-checkin", `${hash} is not a check-in`);
  }
  if (isOrphan(opened)) throw missing(repo.content.hashOf(opened.baseline));
  return opened;
}

function toFile(repo: Repo, { name, hash, permission }: FileEntry): CheckInFile {
  const rid = repo.content.ridOf(hash!);
  const size = rid === undefined ? -1 : repo.content.size(rid);
  return { name, hash: hash!, permission, rid, size: size < 0 ? undefined : size };
}

function missing(hash: Hash): RepoError {
  return new RepoError("content-missing", `the content of artifact ${hash} is not in this repository`, {
    hint: "sync with a peer that has it",
    data: { hash },
  });
}
