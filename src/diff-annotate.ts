/**
 * Which check-in each line of a file comes from. The versions of the file are those of its name along the line of first
 * parents; going back from the newest, a line belongs to the version after which it is no longer there. A carriage return at
 * the end of a line does not count.
 *
 * Source: Fossil `src/diff.c`, `annotate_file`.
 */
import { EMPTY } from "./bytes.ts";
import { type DiffOptions, LINE_KEYS, splitLines } from "./diff-text.ts";
import { LineOwners } from "./diff-versions.ts";
import { NameError, RepoError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import { type EpochMs, fromJulian } from "./julian.ts";
import type { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";
import { shortestPath } from "./repo-path.ts";

export interface AnnotatedVersion {
  readonly checkIn: Hash;
  /** Of the file; absent where the check-in deleted it. */
  readonly hash: Hash | undefined;
  readonly date: EpochMs;
  readonly user: string;
}

export interface AnnotatedLine {
  /** Raw. */
  readonly text: string;
  /** Index of its version; `undefined` when it is older than all that were looked at. */
  readonly version: number | undefined;
}

export interface Annotation {
  /** Those looked at, the newest first. */
  readonly versions: readonly AnnotatedVersion[];
  readonly lines: readonly AnnotatedLine[];
}

export interface AnnotateOptions extends Pick<DiffOptions, "ignore"> {
  /** Versions looked at; all unless given. */
  readonly limit?: number;
  /** Where the way ends that is looked along; the root unless given. */
  readonly origin?: Rid;
}

interface Row extends AnnotatedVersion {
  readonly rid: Rid;
}

/** @throws NameError `no-such-file`, `no-path`; RepoError `binary`, `content-missing` */
export function annotate(repo: Repo, checkIn: Rid, name: string, options: AnnotateOptions = {}): Annotation {
  const { origin } = options;
  const all =
    origin === undefined ? versionsOf(repo, checkIn, name) : versionsTowards(repo, checkIn, origin, name);
  const [newest] = all;
  if (newest?.hash === undefined) {
    const hash = repo.content.hashOf(checkIn).slice(0, 10);
    throw new NameError("no-such-file", `check-in ${hash} has no file ${JSON.stringify(name)}`, {
      hint: "edgesync repo ls lists the files",
    });
  }
  const rows = options.limit === undefined ? all : all.slice(0, options.limit);
  const lines = splitLines(contentOf(repo, newest), true);
  if (lines === undefined) throw new RepoError("binary", `${JSON.stringify(name)} is no text`);
  const found = new LineOwners(lines, LINE_KEYS[options.ignore ?? "nothing"]);
  for (const [i, row] of rows.slice(1).entries()) {
    if (found.openCount === 0) break;
    found.compare(contentOf(repo, row), i);
  }
  const { owners } = found;
  const isWhole = rows.length === all.length && origin === undefined;
  return {
    versions: rows,
    lines: lines.map((text, i) => ({
      text,
      version: owners[i] === -1 ? (isWhole ? rows.length - 1 : undefined) : owners[i]!,
    })),
  };
}

type VersionRow = [Rid, Rid, Hash | null, Hash, number, string | null];

function versionsOf(repo: Repo, checkIn: Rid, name: string): Row[] {
  const ancestors = repo.db
    .prepare(
      `WITH RECURSIVE ancestor(rid) AS (
         VALUES(?1) UNION SELECT p.pid FROM ancestor a JOIN plink p ON p.cid=a.rid AND p.isprim)
       SELECT rid FROM ancestor`,
    )
    .values<[Rid]>(checkIn)
    .map(([rid]) => rid);
  return versionsAlong(repo, ancestors, name);
}

/** @throws NameError `no-path` */
function versionsTowards(repo: Repo, checkIn: Rid, origin: Rid, name: string): Row[] {
  const path = shortestPath(repo, checkIn, origin, true);
  if (path !== undefined) return versionsAlong(repo, path, name);
  const short = (rid: Rid) => repo.content.hashOf(rid).slice(0, 10);
  throw new NameError("no-path", `no way of first parents leads from ${short(checkIn)} to ${short(origin)}`);
}

/** The versions of a file on a way of check-ins, in its order. Joined here: SQLite would go the whole way for each version. */
function versionsAlong(repo: Repo, checkIns: readonly Rid[], name: string): Row[] {
  const places = new Map(checkIns.map((rid, i) => [rid, i]));
  return repo.db
    .prepare(
      `SELECT DISTINCT m.mid, m.fid, f.uuid, b.uuid, e.mtime, coalesce(e.euser, e.user)
       FROM filename n JOIN mlink m ON m.fnid=n.fnid
       JOIN event e ON e.objid=m.mid JOIN blob b ON b.rid=m.mid LEFT JOIN blob f ON f.rid=m.fid
       WHERE n.name=? AND m.mid<>m.pid`,
    )
    .values<VersionRow>(name)
    .filter(([checkIn]) => places.has(checkIn))
    .sort(([a], [b]) => places.get(a)! - places.get(b)!)
    .map(toRow);
}

function toRow([, rid, hash, checkIn, mtime, user]: VersionRow): Row {
  return { rid, hash: hash ?? undefined, checkIn, date: fromJulian(mtime), user: user ?? "" };
}

function contentOf(repo: Repo, { rid, hash }: Row): Uint8Array {
  if (hash === undefined) return EMPTY;
  const content = repo.content.get(rid);
  if (content !== undefined) return content;
  throw new RepoError("content-missing", `the content of artifact ${hash} is not in this repository`, {
    hint: "sync with a peer that has it",
  });
}
