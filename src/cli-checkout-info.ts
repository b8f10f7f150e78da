/**
 * What `open`, `status`, `update` and `info` of stock say of a check-in: its name and date, its parents and
 * children, its tags, its comment. Labels take 14 columns; the comment is wrapped.
 */
import { forksOf } from "./checkout-forks.ts";
import type { CliContext } from "./cli-context.ts";
import { widthOf, wrap } from "./cli-timeline.ts";
import { formatDateTime, fromJulian } from "./julian.ts";
import type { Repo } from "./repo.ts";
import { branchOf } from "./repo-branch.ts";
import type { Rid } from "./repo-content.ts";
import { symbolicTags } from "./repo-timeline.ts";

const LABEL_WIDTH = 14;

export type CheckInFacts = {
  readonly hash: string;
  /** `YYYY-MM-DD HH:MM:SS`, UTC. */
  readonly date: string | null;
  readonly parents: readonly Relative[];
  readonly children: readonly Relative[];
  readonly tags: readonly string[];
  readonly comment: string;
  readonly user: string;
};

type Relative = {
  readonly hash: string;
  readonly date: string | null;
  readonly isPrimary: boolean;
};

export function checkInFacts(repo: Repo, rid: Rid): CheckInFacts {
  const [row] = repo.db
    .prepare("SELECT mtime, coalesce(ecomment,comment,''), coalesce(euser,user,'?') FROM event WHERE objid=?")
    .values<[number, string, string]>(rid);
  return {
    hash: repo.content.hashOf(rid),
    date: row === undefined ? null : formatDateTime(fromJulian(row[0])),
    parents: relatives(
      repo,
      "SELECT pid, isprim FROM plink WHERE cid=? ORDER BY isprim DESC, mtime DESC",
      rid,
    ),
    children: relatives(
      repo,
      "SELECT cid, isprim FROM plink WHERE pid=? ORDER BY isprim DESC, mtime DESC",
      rid,
    ),
    tags: symbolicTags(repo, rid),
    comment: row?.[1] ?? "",
    user: row?.[2] ?? "?",
  };
}

function relatives({ db, content }: Repo, sql: string, rid: Rid): Relative[] {
  const date = db.prepare("SELECT mtime FROM event WHERE objid=?");
  return db
    .prepare(sql)
    .values<[Rid, number]>(rid)
    .map(([other, isPrimary]) => {
      const mtime = date.value<number>(other);
      return {
        hash: content.hashOf(other),
        date: mtime === undefined ? null : formatDateTime(fromJulian(mtime)),
        isPrimary: isPrimary === 1,
      };
    });
}

/** @param withFamily parents and children too */
export function describeCheckIn(label: string, facts: CheckInFacts, withFamily: boolean): string {
  const line = (name: string, { hash, date }: { readonly hash: string; readonly date: string | null }) =>
    labelled(name, `${hash.slice(0, 40)} ${date === null ? "" : `${date} UTC`}`);
  const family = withFamily
    ? [
        ...facts.parents.map((parent) => line(parent.isPrimary ? "parent:" : "merged-from:", parent)),
        ...facts.children.map((child) => line(child.isPrimary ? "child:" : "merged-into:", child)),
      ]
    : [];
  const tags = facts.tags.length > 0 ? [labelled("tags:", facts.tags.join(", "))] : [];
  const comment = wrap(`${facts.comment} (user: ${facts.user})`, commentWidth(), LABEL_WIDTH);
  return [line(label, facts), ...family, ...tags, `${"comment:".padEnd(LABEL_WIDTH)}${comment}`].join("");
}

/** Says on stderr that the branch of a check-in has several open leaves, if it has. */
export function warnOfForks(repo: Repo, rid: Rid, { out }: CliContext): void {
  const forks = forksOf(repo, rid);
  if (forks.length === 0) return;
  out.note(`WARNING: multiple open leaf check-ins on ${branchOf(repo, rid)}:`);
  for (const [i, leaf] of forks.entries()) {
    const mark = leaf.rid === rid ? " (current)" : "";
    out.note(`  (${i + 1}) ${leaf.date} [${leaf.hash.slice(0, 10)}]${mark}`);
  }
}

export function labelled(label: string, text: string): string {
  return `${label.padEnd(LABEL_WIDTH - 1)} ${text}\n`;
}

function commentWidth(): number {
  const width = widthOf(undefined);
  return width === 0 ? 0 : Math.max(20, width - LABEL_WIDTH);
}
