/**
 * The timeline: what happened in a repository, newest first, out of the `event` table (Fossil
 * `src/timeline.c`).
 *
 * `event` holds one row per check-in, wiki edit, ticket change, technote, tag change and forum post. Its
 * `comment` and `user` may be overridden by `ecomment` and `euser`, which tags set; the override counts.
 * The comment of a wiki edit is `+`, `:` or `-` (added, edited, deleted) and the page's name.
 */
import type { Hash } from "./hash.ts";
import { type EpochMs, formatDateTime, fromJulian, toJulian } from "./julian.ts";
import { commentText } from "./markup-comment-text.ts";
import type { Repo } from "./repo.ts";
import { mainBranch } from "./repo-branch.ts";
import type { Rid } from "./repo-content.ts";
import type { EventType } from "./repo-name.ts";

export interface TimelineQuery {
  /** Most entries to return; all when absent. */
  readonly limit?: number;
  /** Entries to skip first. */
  readonly offset?: number;
  readonly order?: "newest-first" | "oldest-first";
  readonly type?: EventType;
  /**
   * What belongs to the branch of this name: its check-ins, tag changes that concern them, its wiki page. Also
   * what bears a tag of this name without being on another branch.
   */
  readonly branch?: string;
  /** Check-ins that changed this file, or any file in the folder of this name. */
  readonly file?: string;
  readonly user?: string;
  /** Not before, not after; both inclusive. */
  readonly since?: EpochMs;
  readonly until?: EpochMs;
}

export interface TimelineEntry {
  readonly rid: Rid;
  readonly hash: Hash;
  readonly type: EventType;
  readonly date: EpochMs;
  /** `?` when nobody is named. */
  readonly user: string;
  /** As written: wiki or Markdown markup, line breaks. */
  readonly comment: string;
  /** Value of the branch tag; only check-ins have one. */
  readonly branch: string | undefined;
  /** Symbolic tags, the branch's name among them, sorted. */
  readonly tags: readonly string[];
  /** Parents and primary children: more than one parent is a merge, more than one child a branch or fork. */
  readonly parentCount: number;
  readonly childCount: number;
  /** Two or more primary children continue the same branch. */
  readonly isFork: boolean;
  /** A check-in nothing on its branch follows. */
  readonly isLeaf: boolean;
  readonly isClosed: boolean;
  readonly isPrivate: boolean;
}

const COLUMNS = `
  b.rid, b.uuid, e.type, e.mtime,
  coalesce(e.euser, e.user, '?'),
  coalesce(e.ecomment, e.comment, ''),
  (SELECT value FROM tagxref WHERE rid=b.rid AND tagid=8 AND tagtype>0),
  (SELECT count(*) FROM plink WHERE cid=b.rid),
  (SELECT count(*) FROM plink WHERE pid=b.rid AND isprim),
  EXISTS(SELECT 1 FROM leaf WHERE rid=b.rid),
  EXISTS(SELECT 1 FROM tagxref WHERE rid=b.rid AND tagid=9 AND tagtype>0),
  EXISTS(SELECT 1 FROM private WHERE rid=b.rid)
  FROM event e CROSS JOIN blob b ON b.rid=e.objid`;

type Columns = [
  rid: Rid,
  hash: Hash,
  type: EventType,
  mtime: number,
  user: string,
  comment: string,
  branch: string | null,
  parents: number,
  children: number,
  leaf: number,
  closed: number,
  isPrivate: number,
];

/** Each condition holds when its parameter is NULL. `0` follows `/`: names in a folder are a range. */
const CONDITIONS = `
  WHERE e.mtime>=coalesce(?1,-1e999) AND e.mtime<=coalesce(?2,1e999)
    AND (?3 IS NULL OR e.type=?3)
    AND (?4 IS NULL OR coalesce(e.euser, e.user, '?')=?4)
    AND (?5 IS NULL OR (
      e.objid IN (
        SELECT x.rid FROM tag t JOIN tagxref x USING(tagid) WHERE t.tagname='sym-'||?5 AND x.tagtype>0
        UNION
        SELECT srcid FROM tagxref WHERE origid IN (
          SELECT x.rid FROM tag t JOIN tagxref x USING(tagid) WHERE t.tagname='sym-'||?5)
        UNION
        SELECT objid FROM event WHERE type='w' AND substr(comment,2)='branch/'||?5)
      AND coalesce((SELECT value FROM tagxref WHERE rid=e.objid AND tagid=8 AND tagtype>0),?5)=?5))
    AND (?6 IS NULL OR EXISTS(
      SELECT 1 FROM mlink m WHERE m.mid=e.objid AND m.fnid IN (
        SELECT fnid FROM filename WHERE name=?6 OR (name>?6||'/' AND name<?6||'0'))))`;

const NEWEST_FIRST = `SELECT ${COLUMNS} ${CONDITIONS} ORDER BY e.mtime DESC LIMIT ?7 OFFSET ?8`;
const OLDEST_FIRST = `SELECT ${COLUMNS} ${CONDITIONS} ORDER BY e.mtime LIMIT ?7 OFFSET ?8`;

/** The entries that match every condition of `query`. */
export function timeline(repo: Repo, query: TimelineQuery = {}): TimelineEntry[] {
  const { since, until, type, user, branch, file, limit, offset } = query;
  const rows = repo.db
    .prepare(query.order === "oldest-first" ? OLDEST_FIRST : NEWEST_FIRST)
    .values<Columns>(
      since === undefined ? null : toJulian(since),
      until === undefined ? null : toJulian(until),
      type ?? null,
      user ?? null,
      branch ?? null,
      file?.replace(/\/+$/, "") ?? null,
      limit ?? -1,
      offset ?? 0,
    );
  return rows.map((row) => toEntry(repo, row));
}

/** The entry of one artifact; `undefined` when it has none. */
export function timelineEntry(repo: Repo, rid: Rid): TimelineEntry | undefined {
  const [row] = repo.db.prepare(`SELECT ${COLUMNS} WHERE e.objid=?`).values<Columns>(rid);
  return row && toEntry(repo, row);
}

function toEntry(repo: Repo, row: Columns): TimelineEntry {
  const [rid, hash, type, mtime, user, comment, branch, parents, children, leaf, closed, isPrivate] = row;
  return {
    rid,
    hash,
    type,
    date: fromJulian(mtime),
    user,
    comment,
    branch: branch ?? undefined,
    tags: symbolicTags(repo, rid),
    parentCount: parents,
    childCount: children,
    isFork: children > 1 && sameBranchChildren(repo, rid) > 1,
    isLeaf: leaf === 1,
    isClosed: closed === 1,
    isPrivate: isPrivate === 1,
  };
}

/** Names of the symbolic tags (`sym-…`) that are set on an artifact, sorted. */
export function symbolicTags(repo: Repo, rid: Rid): string[] {
  const rows = repo.db
    .prepare(
      `SELECT substr(t.tagname,5) FROM tagxref x JOIN tag t USING(tagid)
       WHERE x.rid=? AND x.tagtype>0 AND t.tagname GLOB 'sym-*' ORDER BY t.tagname`,
    )
    .values<[string]>(rid);
  return rows.map(([name]) => name);
}

function sameBranchChildren(repo: Repo, rid: Rid): number {
  const main = mainBranch(repo);
  return repo.db
    .prepare(
      `SELECT count(*) FROM plink p WHERE p.pid=?1 AND p.isprim
         AND coalesce((SELECT value FROM tagxref WHERE tagid=8 AND rid=p.pid), ?2)
            =coalesce((SELECT value FROM tagxref WHERE tagid=8 AND rid=p.cid), ?2)`,
    )
    .value<number>(rid, main)!;
}

/**
 * What an entry says in one line, after its date: as `fossil timeline` of 2.29 writes it.
 *
 * @param current the check-in that is checked out where the user works
 */
export function describeEntry(entry: TimelineEntry, current?: Rid): string {
  const { hash, type, comment, user, tags } = entry;
  const name = `[${hash.slice(0, 10)}]`;
  if (type === "w" && /^[+:-]/.test(comment)) {
    const verb = { "+": "Add", ":": "Edit to", "-": "Delete" }[comment[0] as "+" | ":" | "-"];
    return `${name} ${verb} wiki page "${comment.slice(1)}" (user: ${user})`;
  }
  const marks = [
    entry.parentCount > 1 && "*MERGE*",
    entry.childCount > 1 && (entry.isFork ? "*FORK*" : "*BRANCH*"),
    entry.rid === current && "*CURRENT*",
    entry.isPrivate && "*UNPUBLISHED*",
  ].filter((mark) => mark !== false);
  const suffix = tags.length > 0 ? ` tags: ${tags.join(", ")}` : "";
  return [name, ...marks, `${commentText(comment)} (user: ${user}${suffix})`].join(" ");
}

/** The date of an entry as the timeline prints it: `YYYY-MM-DD` and `HH:MM:SS`, UTC. */
export function entryDay(entry: TimelineEntry): readonly [day: string, time: string] {
  const date = formatDateTime(entry.date);
  return [date.slice(0, 10), date.slice(11)];
}
