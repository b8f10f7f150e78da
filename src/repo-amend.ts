/**
 * What a check-in says of itself, changed afterwards by tags in one control artifact (Fossil `src/info.c`). The check-in
 * itself stays as it is. A tag is left out where it would change nothing; a comment is always set.
 *
 *   comment, user, date   `+comment`, `+user`, `+date`, the date as it was written
 *   branch                `*branch` and `*sym-NAME`; the propagating names that were there are cancelled
 *   colour                `+bgcolor`, or `*bgcolor` for what follows as well; an empty one cancels it
 *   closing, hiding       `+closed` on a leaf, else `*closed`; `*hidden`
 */
import type { TagAction, TagEntry } from "./artifact-types.ts";
import { formatDateTime, fromJulian } from "./julian.ts";
import type { Repo } from "./repo.ts";
import { hasChildOnBranch } from "./repo-checkin-rules.ts";
import type { Rid } from "./repo-content.ts";
import { addControl, type MadeControl, type Signature } from "./repo-control.ts";

export interface Amendments {
  readonly comment?: string;
  readonly author?: string;
  /** A date that SQLite understands, kept as it is. */
  readonly date?: string;
  readonly branch?: string;
  readonly color?: string;
  /** The colour is handed on to what follows. */
  readonly propagateColor?: boolean;
  readonly tags?: readonly string[];
  readonly cancel?: readonly string[];
  readonly close?: boolean;
  readonly hide?: boolean;
}

/** @returns the control artifact; `undefined` when there is nothing to change */
export function amend(
  repo: Repo,
  checkIn: Rid,
  amendments: Amendments,
  by: Signature,
  isDry = false,
): MadeControl | undefined {
  return repo.db.write(() => {
    const tags = amendingTags(repo, checkIn, amendments);
    if (tags.length === 0) return undefined;
    return addControl(repo, by, tags, { isPrivate: repo.content.isPrivate(checkIn), isDry });
  });
}

function amendingTags(repo: Repo, rid: Rid, amendments: Amendments): TagEntry[] {
  const { comment, author, date, branch, tags = [], cancel = [], close, hide } = amendments;
  const target = repo.content.hashOf(rid);
  const { user, mtime, color } = repo.db
    .prepare<{ user: string | null; mtime: number; color: string | null }>(
      "SELECT coalesce(euser, user) AS user, mtime, bgcolor AS color FROM event WHERE objid=?",
    )
    .get(rid)!;
  const set = new Map<string, number>(
    repo.db
      .prepare("SELECT tagname, tagtype FROM tagxref JOIN tag USING(tagid) WHERE rid=? AND tagtype>0")
      .values<[string, number]>(rid),
  );
  const all = new Map<string, TagEntry>();
  const put = (action: TagAction, name: string, value?: string) =>
    all.set(name, { action, name, target, ...(value !== undefined && { value }) });

  putColor(amendments, color ?? "", set.get("bgcolor") === 2, put);
  if (comment !== undefined) put("+", "comment", comment);
  if (date && date !== formatDateTime(fromJulian(mtime))) put("+", "date", date);
  if (author && author !== user) put("+", "user", author);
  for (const tag of tags) put("+", `sym-${tag}`);
  for (const tag of cancel) if (set.has(`sym-${tag}`)) put("-", `sym-${tag}`);
  if (hide && !set.has("hidden")) put("*", "hidden");
  if (close && !set.has("closed")) put(hasChildOnBranch(repo, rid) ? "*" : "+", "closed");
  if (branch) {
    for (const [name, type] of set) if (type === 2 && name.startsWith("sym-")) put("-", name);
    put("*", "branch", branch);
    put("*", `sym-${branch}`);
  }
  return [...all.values()];
}

function putColor(
  { color, propagateColor = false }: Amendments,
  before: string,
  isPropagated: boolean,
  put: (action: TagAction, name: string, value?: string) => void,
): void {
  if (color === undefined) return;
  if (color === "") {
    if (before !== "") put("-", "bgcolor");
  } else if (propagateColor !== isPropagated || color !== before) {
    const isBareHex = /^(?:[0-9a-f]{3}|[0-9a-f]{6})$/i.test(color);
    put(propagateColor ? "*" : "+", "bgcolor", isBareHex ? `#${color}` : color);
  }
}
