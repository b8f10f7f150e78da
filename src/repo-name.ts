/**
 * From the name of a version to its artifact. Grammar and order of attempts (Fossil
 * `www/checkin_names.wiki`, `src/name.c`; the forms are compared with stock in the tests):
 *
 *      1. tip                            the newest check-in
 *      2. current, prev, previous, parent, next
 *                                        relative to a checkout; `parent` is ours
 *      3. date:TIME, utc:TIME            the newest artifact not after TIME, or nothing
 *         TIME with punctuation          likewise, but a miss goes on to 4
 *      4. tag:NAME                       the newest artifact with the tag NAME, whatever else NAME could be
 *      5. root:NAME, start:NAME, merge-in:NAME
 *                                        of the branch that NAME is on: what it grew from, its first
 *                                        check-in, the youngest ancestor on the branch it grew from
 *      6. NAME:TIME                      the newest with the tag NAME not after TIME, or nothing
 *      7. HASH, [HASH]                   4 digits or more of an artifact name, any case
 *      8. NAME                           as tag:NAME (of type `w`: the newest edit of that wiki page)
 *      9. TIME without punctuation
 *     10. rid:NUMBER
 *     11. what ends in one or two of . _ ) > ! ? ,  is tried again without them
 *
 * TIME is YYYY-MM-DD with optional HH:MM, :SS, fraction and zone, or YYYYMMDD with optional HHMM and SS and
 * an optional z; see `repo-name-time.ts`. Times are UTC. Where several artifacts have the same time, the
 * one with the largest rid is the newest.
 *
 * A type narrows the search: `ci` check-ins, `w` wiki, `t` tickets, `e` technotes, `g` tags, `f` forum, `*`
 * anything. Forms 1 and 2 exist for `ci` and `*` only.
 */
import type { SqlValue } from "./db.ts";
import { NameError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import { type EpochMs, formatDateTime, fromJulian, toJulian } from "./julian.ts";
import type { Repo } from "./repo.ts";
import { branchMergeIn, branchRoot, branchStart } from "./repo-branch.ts";
import type { Rid } from "./repo-content.ts";
import { endOfTime, isCompactTime, isPunctuatedTime } from "./repo-name-time.ts";

/** `event.type`: check-in, wiki, ticket, technote, tag ("g"), forum. */
export type EventType = "ci" | "w" | "t" | "e" | "g" | "f";

export interface NameOptions {
  readonly type?: EventType | "*";
  /** The check-in of an open checkout, for `current` and the names relative to it. */
  readonly checkout?: Rid;
}

/** One of the artifacts that an ambiguous name could mean. */
export interface NameCandidate {
  readonly rid: Rid;
  readonly hash: Hash;
  /** Type and date of its timeline entry, if it has one. */
  readonly type: EventType | undefined;
  readonly date: EpochMs | undefined;
}

/** How many candidates an error lists. */
const CANDIDATES_MAX_COUNT = 20;

const RELATIVE_NAMES: ReadonlySet<string> = new Set(["current", "prev", "previous", "parent", "next"]);

/**
 * The artifact that `name` stands for.
 *
 * @throws NameError `name-unknown`; `name-ambiguous` (data: candidates)
 */
export function resolveName(repo: Repo, name: string, options: NameOptions = {}): Rid {
  const rid = findName(repo, name, options);
  if (rid !== undefined) return rid;
  throw new NameError("name-unknown", `there is no version ${JSON.stringify(name)}`, {
    hint:
      RELATIVE_NAMES.has(name) && options.checkout === undefined
        ? `${name} is relative to a checkout, and none is open here`
        : "name a branch, a tag, tip, a date, or 4 digits or more of a hash",
  });
}

/**
 * As `resolveName`, but `undefined` for a name that stands for nothing.
 *
 * @throws NameError `name-ambiguous` (data: candidates)
 */
export function findName(repo: Repo, name: string, options: NameOptions = {}): Rid | undefined {
  return new Resolver(repo, options.type ?? "*", options.checkout).find(name);
}

class Resolver {
  constructor(
    private readonly repo: Repo,
    private readonly type: EventType | "*",
    private readonly checkout: Rid | undefined,
  ) {}

  find(name: string): Rid | undefined {
    if (name === "") return undefined;
    const colon = name.indexOf(":");
    const prefix = colon < 0 ? "" : name.slice(0, colon);
    const rest = name.slice(colon + 1);
    const special = this.special(name);
    if (special !== undefined) return special;
    if (prefix === "date" || prefix === "utc") return this.atTime(rest);
    if (isPunctuatedTime(name)) {
      const found = this.atTime(name);
      if (found !== undefined) return found;
    }
    if (prefix === "tag") return this.withTag(rest);
    if (prefix === "root" || prefix === "start" || prefix === "merge-in") return this.ofBranch(prefix, rest);
    const time = rest.replace(/utc$/i, "z");
    if (colon >= 0 && (isPunctuatedTime(time) || isCompactTime(time))) return this.withTagAt(prefix, time);
    return (
      this.byHash(name) ??
      (this.type === "w" ? this.wikiPage(name) : this.withTag(name)) ??
      (isCompactTime(name) ? this.atTime(name) : undefined) ??
      (prefix === "rid" ? this.byRid(rest) : this.withoutPunctuation(name))
    );
  }

  private special(name: string): Rid | undefined {
    if (this.type !== "*" && this.type !== "ci") return undefined;
    if (name === "tip")
      return this.rid("SELECT objid FROM event WHERE type='ci' ORDER BY mtime DESC LIMIT 1");
    if (this.checkout === undefined) return undefined;
    switch (name) {
      case "current":
        return this.checkout;
      case "prev":
      case "previous":
      case "parent":
        return this.rid("SELECT pid FROM plink WHERE cid=? AND isprim", this.checkout);
      case "next":
        return this.rid(
          "SELECT cid FROM plink WHERE pid=? ORDER BY isprim DESC, mtime DESC LIMIT 1",
          this.checkout,
        );
      default:
        return undefined;
    }
  }

  private atTime(time: string): Rid | undefined {
    const end = endOfTime(time);
    if (end === undefined) return undefined;
    return this.rid(
      "SELECT objid FROM event WHERE mtime<=? AND type GLOB ? ORDER BY mtime DESC LIMIT 1",
      toJulian(end),
      this.type,
    );
  }

  private withTag(tag: string): Rid | undefined {
    // A tag that most check-ins have is found soonest among the newest events, a rare one by its index.
    const recent = this.rid(
      `SELECT objid FROM (SELECT objid, type, mtime FROM event ORDER BY mtime DESC LIMIT 30) AS e
       WHERE type GLOB ?1 AND EXISTS(
         SELECT 1 FROM tagxref x JOIN tag t USING(tagid)
         WHERE x.rid=e.objid AND x.tagtype>0 AND t.tagname='sym-'||?2)
       ORDER BY mtime DESC LIMIT 1`,
      this.type,
      tag,
    );
    return recent ?? this.newestTagged(`sym-${tag}`, Number.MAX_VALUE);
  }

  private withTagAt(tag: string, time: string): Rid | undefined {
    const end = endOfTime(time);
    return end === undefined ? undefined : this.newestTagged(`sym-${tag}`, toJulian(end));
  }

  private wikiPage(title: string): Rid | undefined {
    return this.newestTagged(`wiki-${title}`, Number.MAX_VALUE);
  }

  private newestTagged(tagName: string, julianMax: number): Rid | undefined {
    return this.rid(
      `SELECT e.objid FROM tag t CROSS JOIN tagxref x ON x.tagid=t.tagid CROSS JOIN event e ON e.objid=x.rid
       WHERE t.tagname=? AND x.tagtype>0 AND e.mtime<=? AND e.type GLOB ?
       ORDER BY e.mtime DESC, e.objid DESC LIMIT 1`,
      tagName,
      julianMax,
      this.type,
    );
  }

  private ofBranch(which: "root" | "start" | "merge-in", name: string): Rid | undefined {
    const rid = this.find(name);
    if (rid === undefined) return undefined;
    switch (which) {
      case "root":
        return branchRoot(this.repo, rid);
      case "start":
        return branchStart(this.repo, rid);
      case "merge-in":
        return branchMergeIn(this.repo, rid);
    }
  }

  private byHash(name: string): Rid | undefined {
    const digits = /^\[?([0-9a-f]{4,64})\]?$/i.exec(name)?.[1]?.toLowerCase();
    if (digits === undefined) return undefined;
    // The rids that begin with these digits, as a range of the index: "g" follows "f".
    const rows = this.repo.db
      .prepare(
        `SELECT b.rid, b.uuid, e.type, e.mtime FROM blob b LEFT JOIN event e ON e.objid=b.rid
         WHERE b.uuid>=?1 AND b.uuid<?1||'g' AND (?2='*' OR e.type=?2)
         ORDER BY b.uuid LIMIT ?3`,
      )
      .values<[Rid, Hash, EventType | null, number | null]>(digits, this.type, CANDIDATES_MAX_COUNT + 1);
    if (rows.length > 1) throw ambiguous(name, rows.map(toCandidate));
    return rows[0]?.[0];
  }

  private byRid(digits: string): Rid | undefined {
    if (!/^\d{1,10}$/.test(digits)) return undefined;
    return this.rid(
      `SELECT b.rid FROM blob b LEFT JOIN event e ON e.objid=b.rid
       WHERE b.rid=?1 AND (?2='*' OR e.type=?2)`,
      Number(digits),
      this.type,
    );
  }

  /** A name taken out of running text may have caught the punctuation after it. */
  private withoutPunctuation(name: string): Rid | undefined {
    const stem = /^(.*[^._)>!?,])[._)>!?,]{1,2}$/s.exec(name)?.[1];
    return stem === undefined || stem.length < 4 ? undefined : this.find(stem);
  }

  private rid(sql: string, ...params: SqlValue[]): Rid | undefined {
    return this.repo.db.prepare(sql).value<Rid>(...params);
  }
}

function toCandidate(row: [Rid, Hash, EventType | null, number | null]): NameCandidate {
  const [rid, hash, type, mtime] = row;
  return { rid, hash, type: type ?? undefined, date: mtime === null ? undefined : fromJulian(mtime) };
}

const TYPE_NOUNS: Readonly<Record<EventType, string>> = {
  ci: "check-in",
  w: "wiki edit",
  t: "ticket change",
  e: "technote",
  g: "tag change",
  f: "forum post",
};

function ambiguous(name: string, all: readonly NameCandidate[]): NameError {
  const candidates = all.slice(0, CANDIDATES_MAX_COUNT);
  const list = candidates.map(({ hash, type, date }) => {
    const about = type === undefined ? "file" : TYPE_NOUNS[type];
    return `${hash.slice(0, 16)} (${about}${date === undefined ? "" : ` of ${formatDateTime(date)}`})`;
  });
  if (all.length > candidates.length) list.push("…");
  const count = all.length > candidates.length ? `more than ${candidates.length}` : String(candidates.length);
  return new NameError("name-ambiguous", `${name} is ambiguous: ${count} artifacts begin so`, {
    hint: `name one of ${list.join(", ")}`,
    data: { candidates },
  });
}
