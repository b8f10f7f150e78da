/**
 * Files of a working tree as stock sees them. With the setting `allow-symlinks` a link is a file whose
 * content is the path it points to; without it, it is what it points to. Times are whole seconds since 1970,
 * rounded down. Reading only: files are changed by `checkout-tree.ts`.
 *
 * Source: Fossil `src/file.c`.
 */
import {
  closeSync,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  readSync,
  type Stats,
  statSync,
} from "node:fs";
import type { FilePermission } from "./artifact-types.ts";
import { utf8 } from "./bytes.ts";
import { LimitError, RepoError } from "./errors.ts";
import { algorithmOf, type Hash, hashMatches } from "./hash.ts";
import { ARTIFACT_MAX_BYTES } from "./limits.ts";

export interface DiskFile {
  /** `other`: a folder, a device, a socket. */
  readonly kind: "file" | "link" | "other";
  readonly isFolder: boolean;
  /** In bytes; of a link: of the path it points to. */
  readonly size: number;
  readonly mtimeS: number;
  readonly permission: FilePermission;
}

/** Larger files are hashed piece by piece. */
const PIECE_BYTES = 1 << 20;
const QUIET = { throwIfNoEntry: false } as const;

/** The state of `path`; `undefined` when nothing is there. */
export function diskFile(path: string, allowLinks: boolean): DiskFile | undefined {
  const stats = statsOf(path, allowLinks);
  return stats && describe(stats);
}

/**
 * The content of a file; of a link, with `allowLinks`, the path it points to.
 *
 * @param seen what `diskFile` has just said of it, which spares a look
 * @throws RepoError `file-unreadable`; LimitError `artifact-size`
 */
export function readDisk(path: string, allowLinks: boolean, seen?: DiskFile): Uint8Array {
  try {
    const { kind, size } = seen ?? diskFile(path, allowLinks) ?? { kind: "file", size: 0 };
    if (kind === "link") return new Uint8Array(readlinkSync(path, { encoding: "buffer" }));
    if (size > ARTIFACT_MAX_BYTES) throw tooLarge(path, size);
    return readFileSync(path);
  } catch (cause) {
    throw cause instanceof LimitError ? cause : unreadable(path, cause);
  }
}

/** Whether the content of a file is what `hash` names. Any size, in constant memory.
 *
 * @throws RepoError `file-unreadable`
 */
export function diskMatches(path: string, hash: Hash, allowLinks: boolean): boolean {
  try {
    const stats = statsOf(path, allowLinks);
    if (stats === undefined) return false;
    if (stats.isSymbolicLink()) return hashMatches(utf8(readlinkSync(path)), hash);
    if (stats.size <= PIECE_BYTES) return hashMatches(readFileSync(path), hash);
    return hashPieces(path, hash) === hash;
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function hashPieces(path: string, hash: Hash): string {
  const hasher = new Bun.CryptoHasher(algorithmOf(hash));
  const piece = new Uint8Array(PIECE_BYTES);
  const descriptor = openSync(path, "r");
  try {
    for (let count = readSync(descriptor, piece); count > 0; count = readSync(descriptor, piece)) {
      hasher.update(piece.subarray(0, count));
    }
    return hasher.digest("hex");
  } finally {
    closeSync(descriptor);
  }
}

function statsOf(path: string, allowLinks: boolean): Stats | undefined {
  try {
    return allowLinks ? lstatSync(path, QUIET) : statSync(path, QUIET);
  } catch {
    return undefined; // Below a file, a loop of links, a folder that may not be searched.
  }
}

function describe(stats: Stats): DiskFile {
  const isLink = stats.isSymbolicLink();
  const kind = isLink ? "link" : stats.isFile() ? "file" : "other";
  return {
    kind,
    isFolder: stats.isDirectory(),
    size: stats.size,
    mtimeS: Math.floor(stats.mtimeMs / 1000),
    permission: isLink ? "l" : kind === "file" && stats.mode & 0o100 ? "x" : "",
  };
}

function tooLarge(path: string, size: number): LimitError {
  return new LimitError(
    "artifact-size",
    `${path} has ${size} bytes, the largest artifact has ${ARTIFACT_MAX_BYTES}`,
    { data: { path, size } },
  );
}

function unreadable(path: string, cause: unknown): RepoError {
  const code = (cause as NodeJS.ErrnoException).code ?? "an error";
  return new RepoError("file-unreadable", `${path} cannot be read (${code})`, { cause, data: { path } });
}
