/**
 * What counts as a repository (fossil-facts E): a SQLite database of at least 16,834 bytes and a multiple of
 * 512 bytes with the tables of `RECOGNITION_TABLES`, as stock requires, and with schema versions that we
 * know. Each way to fail that has its own error.
 *
 * Sizes say nothing while a journal or a WAL with something in it lies beside the file: then SQLite decides.
 */
import { accessSync, closeSync, constants, openSync, readSync, type Stats, statSync } from "node:fs";
import { readU32BE } from "./bytes.ts";
import type { Db } from "./db.ts";
import { RepoError } from "./errors.ts";
import {
  AUX_SCHEMA_MAX,
  AUX_SCHEMA_MIN,
  CONTENT_SCHEMA,
  DERIVED_TABLES,
  RECOGNITION_TABLES,
} from "./repo-schema.ts";

/** Stock takes nothing smaller for a repository. */
const REPOSITORY_MIN_BYTES = 16_834;

/**
 * What can be said about a file before SQLite sees it.
 *
 * @throws RepoError `repo-missing`, `repo-is-directory`, `repo-unreadable`, `repo-read-only`, `repo-empty`,
 *   `not-sqlite`, `repo-truncated`, `not-a-repository`
 */
export function checkFile(path: string, mode: "read" | "write"): void {
  const stats = stat(path);
  if (stats === undefined) {
    throw new RepoError("repo-missing", `${path} does not exist`, {
      hint: "check the name of the repository",
    });
  }
  if (stats.isDirectory()) {
    throw new RepoError("repo-is-directory", `${path} is a folder, not a repository`, {
      hint: "name the repository file itself",
    });
  }
  checkAccess(path, constants.R_OK);
  if (mode === "write") checkAccess(path, constants.W_OK);
  if (stats.size === 0) throw new RepoError("repo-empty", `${path} is empty, not a repository`);
  checkHeader(path, stats.size);
}

/**
 * Looks at the database header: magic at 0, page size at 16 (u16, 1 means 65536), page count at 28. The
 * count holds when the counters at 24 and 92 agree and nothing waits in a journal.
 */
function checkHeader(path: string, size: number): void {
  const header = readHeader(path);
  if (Buffer.from(header.subarray(0, 16)).toString("latin1") !== "SQLite format 3\0") {
    throw new RepoError("not-sqlite", `${path} is not a Fossil repository (not a SQLite database)`);
  }
  if (["-wal", "-journal"].some((suffix) => (stat(path + suffix)?.size ?? 0) > 0)) return;
  const pageSize = ((header[16]! << 8) | header[17]!) === 1 ? 65_536 : (header[16]! << 8) | header[17]!;
  const countHolds = readU32BE(header, 24) === readU32BE(header, 92);
  const expected = countHolds ? readU32BE(header, 28) * pageSize : 0;
  if (size < expected || size % 512 !== 0) {
    throw new RepoError("repo-truncated", `${path} is cut short: ${size} bytes of ${expected || "more"}`, {
      hint: "restore it from a peer or a backup",
      data: { path, size, expected },
    });
  }
  if (size < REPOSITORY_MIN_BYTES) throw notARepository(path, undefined);
}

function readHeader(path: string): Uint8Array {
  const header = new Uint8Array(100);
  try {
    const fd = openSync(path, "r");
    try {
      readSync(fd, header, 0, header.length, 0);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw fileError(path, cause);
  }
  return header;
}

/**
 * Whether an open database is a repository, of a schema that we know.
 *
 * @throws RepoError `not-a-repository`, `repo-schema-newer`, `repo-schema-outdated` (not with
 *   `anyDerivedSchema`)
 */
export function checkTables(db: Db, anyDerivedSchema: boolean): void {
  const names = new Set(
    db.prepare("SELECT lower(name) FROM sqlite_schema WHERE type='table'").values<[string]>().flat(),
  );
  if (!RECOGNITION_TABLES.every((table) => names.has(table))) {
    throw notARepository(
      db.path,
      names.has("vvar") && names.has("vfile")
        ? "this is the database of a checkout; name the repository it belongs to"
        : undefined,
    );
  }
  const setting = (name: string) =>
    db.prepare("SELECT value FROM config WHERE name=?").value<string | null>(name) ?? undefined;
  const content = setting("content-schema");
  if (content !== undefined && content !== CONTENT_SCHEMA) {
    throw newerSchema(db.path, "content-schema", content, CONTENT_SCHEMA);
  }
  const aux = setting("aux-schema");
  if (aux !== undefined && aux > AUX_SCHEMA_MAX)
    throw newerSchema(db.path, "aux-schema", aux, AUX_SCHEMA_MAX);
  if (anyDerivedSchema) return;
  const missing = DERIVED_TABLES.find((table) => !names.has(table));
  if (aux === undefined || aux < AUX_SCHEMA_MIN || missing !== undefined) {
    const why = missing === undefined ? `aux-schema is ${aux ?? "unset"}` : `there is no table ${missing}`;
    throw new RepoError("repo-schema-outdated", `the database schema of ${db.path} is out of date: ${why}`, {
      hint: "run: edgesync repo rebuild",
      data: { path: db.path },
    });
  }
}

function newerSchema(path: string, setting: string, found: string, known: string): RepoError {
  return new RepoError(
    "repo-schema-newer",
    `${path} has ${setting} ${found}, newer than the known ${known}`,
    {
      hint: "use a newer edgesync",
      data: { path, found, known },
    },
  );
}

function notARepository(path: string, hint: string | undefined): RepoError {
  return new RepoError("not-a-repository", `${path} is not a Fossil repository`, hint ? { hint } : {});
}

function stat(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    throw fileError(path, cause);
  }
}

function checkAccess(path: string, kind: number): void {
  try {
    accessSync(path, kind);
  } catch (cause) {
    if (kind === constants.R_OK) throw fileError(path, cause);
    throw new RepoError("repo-read-only", `${path} cannot be written`, {
      hint: "check the permissions of the file and its folder",
      cause,
    });
  }
}

/** An error of the file system about a repository file, in our terms. */
export function fileError(path: string, cause: unknown): RepoError {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === "EROFS") {
    return new RepoError("repo-read-only", `${path} cannot be written: the disk is read-only`, { cause });
  }
  if (code === "ENOSPC")
    return new RepoError("disk-full", `${path} cannot be made: the disk is full`, { cause });
  return new RepoError("repo-unreadable", `${path} cannot be opened: ${code ?? cause}`, {
    hint: "check the permissions of the file and its folder",
    cause,
  });
}
