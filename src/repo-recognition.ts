/**
 * What counts as a repository (fossil-facts E): a SQLite database of at least 16,834 bytes and a multiple of
 * 512 bytes with the tables of `RECOGNITION_TABLES`, as stock requires, and with schema versions that we
 * know. Each way to fail that has its own error.
 *
 * Sizes say nothing while a journal or a WAL with something in it lies beside the file: then SQLite decides.
 *
 * Nothing here opens the file by itself. POSIX drops all locks that a process holds on a file as soon as the
 * process closes any descriptor of it: a second look at the header of a repository that is open in another
 * thread would take the locks of that connection away, and the next stock `fossil` to close the file would
 * believe itself alone and delete the WAL under us, with every commit that follows.
 */
import { accessSync, constants, type Stats, statSync } from "node:fs";
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
 * @throws RepoError `repo-missing`, `repo-is-directory`, `repo-unreadable`, `repo-read-only`, `repo-empty`
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
}

/**
 * Whether the file is as long as its database.
 *
 * Others may write meanwhile. What the database says comes first: if there is nothing in a WAL afterwards, all of it
 * has been moved into the file by then, which is looked at last. A file that was made smaller in between is seen
 * to be whole when looked at again.
 *
 * @throws RepoError `repo-truncated`, `not-a-repository`
 */
export function checkSize(db: Db): void {
  const { path } = db;
  for (let attempt = 1; ; attempt++) {
    const expected = db.once(
      "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
      (statement) => statement.value<number>() ?? 0,
    );
    if (["-wal", "-journal"].some((suffix) => (stat(path + suffix)?.size ?? 0) > 0)) return;
    const size = stat(path)?.size ?? 0;
    const isWhole = size >= expected && size % 512 === 0;
    if (isWhole && size < REPOSITORY_MIN_BYTES) throw notARepository(path, undefined);
    if (isWhole) return;
    if (attempt === SIZE_LOOKS_COUNT) throw truncated(path);
  }
}

const SIZE_LOOKS_COUNT = 3;

/** SQLite found at once that the file does not hold what its first page says. */
export function truncated(path: string): RepoError {
  const size = stat(path)?.size ?? 0;
  return new RepoError("repo-truncated", `${path} is cut short or damaged: it has ${size} bytes`, {
    hint: "restore it from a peer or a backup",
    data: { path, size },
  });
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
