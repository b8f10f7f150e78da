/**
 * Which check-in each line of a file comes from. The versions of the file are those of its name along the line of first
 * parents; going back from the newest, a line belongs to the version after which it is no longer there. A carriage return at
 * the end of a line does not count.
 *
 * Source: Fossil `src/diff.c`, `annotate_file`.
 */
import { MatchTarget } from "./diff-match.ts";
import { type DiffOptions, LINE_KEYS, splitLines } from "./diff-text.ts";
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
  const lines = linesOf(repo, newest);
  if (lines === undefined) throw new RepoError("binary", `${JSON.stringify(name)} is no text`);
  const owner = new Int32Array(lines.length).fill(-1);
  let openCount = lines.length;
  const target = new MatchTarget(lines, LINE_KEYS[options.ignore ?? "nothing"]);
  for (const [i, row] of rows.slice(1).entries()) {
    if (openCount === 0) break;
    const older = linesOf(repo, row);
    if (older === undefined) continue;
    let at = 0;
    for (const { copied, inserted } of target.editsFrom(older)) {
      at += copied;
      for (const end = at + inserted; at < end; at++) {
        if (owner[at] !== -1) continue;
        owner[at] = i;
        openCount--;
      }
    }
  }
  const isWhole = rows.length === all.length && origin === undefined;
  return {
    versions: rows,
    lines: lines.map((text, i) => ({
      text,
      version: owner[i] === -1 ? (isWhole ? rows.length - 1 : undefined) : owner[i]!,
    })),
  };
}

type VersionRow = [Rid, Hash | null, Hash, number, string | null, number];

/** The versions of a file among the rows `ancestor(rid, generation)`. */
const VERSIONS_SQL = `
  SELECT DISTINCT m.fid, f.uuid, b.uuid, e.mtime, coalesce(e.euser, e.user), a.generation
  FROM filename n JOIN mlink m ON m.fnid=n.fnid JOIN ancestor a ON a.rid=m.mid
  JOIN event e ON e.objid=m.mid JOIN blob b ON b.rid=m.mid LEFT JOIN blob f ON f.rid=m.fid
  WHERE n.name=?2 AND m.mid<>m.pid ORDER BY a.generation`;

function versionsOf(repo: Repo, checkIn: Rid, name: string): Row[] {
  return repo.db
    .prepare(
      `WITH RECURSIVE ancestor(rid, generation) AS (
         VALUES(?1, 1) UNION ALL
         SELECT p.pid, a.generation+1 FROM ancestor a JOIN plink p ON p.cid=a.rid AND p.isprim)
       ${VERSIONS_SQL}`,
    )
    .values<VersionRow>(checkIn, name)
    .map(toRow);
}

/** @throws NameError `no-path` */
function versionsTowards(repo: Repo, checkIn: Rid, origin: Rid, name: string): Row[] {
  const path = shortestPath(repo, checkIn, origin, true);
  if (path === undefined) {
    const short = (rid: Rid) => repo.content.hashOf(rid).slice(0, 10);
    throw new NameError(
      "no-path",
      `no way of first parents leads from ${short(checkIn)} to ${short(origin)}`,
    );
  }
  return repo.db
    .prepare(`WITH ancestor(rid, generation) AS (SELECT value, key FROM json_each(?1)) ${VERSIONS_SQL}`)
    .values<VersionRow>(JSON.stringify(path), name)
    .map(toRow);
}

function toRow([rid, hash, checkIn, mtime, user]: VersionRow): Row {
  return { rid, hash: hash ?? undefined, checkIn, date: fromJulian(mtime), user: user ?? "" };
}

function linesOf(repo: Repo, { rid, hash }: Row): string[] | undefined {
  if (hash === undefined) return [];
  const content = repo.content.get(rid);
  if (content !== undefined) return splitLines(content, true);
  throw new RepoError("content-missing", `the content of artifact ${hash} is not in this repository`, {
    hint: "sync with a peer that has it",
  });
}
