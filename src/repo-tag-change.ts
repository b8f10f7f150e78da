/**
 * Tags set and cancelled by hand (Fossil `src/tag.c`), and their list. The name of a check-in's tag gets the prefix
 * `sym-`, which makes it a name for that check-in, unless it is meant raw; other artifacts' tags are raw always. The
 * prefixes `wiki-`, `tkt-` and `event-` belong to the artifacts that give rise to them.
 */
import type { TagAction } from "./artifact-types.ts";
import { NameError } from "./errors.ts";
import type { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";
import { addControl, type MadeControl, type Signature } from "./repo-control.ts";

export interface TagChange extends Signature {
  readonly action: TagAction;
  readonly name: string;
  readonly value?: string;
  readonly target: Rid;
  readonly isRaw?: boolean;
  readonly isDry?: boolean;
}

/** @throws NameError `tag-name` */
export function changeTag(repo: Repo, change: TagChange): MadeControl {
  const { action, name, value, target, isRaw = false, isDry = false } = change;
  if (name === "" || /^(?:wiki|tkt|event)-/.test(name)) {
    throw new NameError("tag-name", `a tag cannot be named ${JSON.stringify(name)}`, {
      hint: "the prefixes wiki-, tkt- and event- are reserved",
    });
  }
  const isCheckIn = repo.db.prepare("SELECT 1 FROM event WHERE objid=? AND type='ci'").value(target) === 1;
  const tag = {
    action,
    name: isCheckIn && !isRaw ? `sym-${name}` : name,
    target: repo.content.hashOf(target),
    ...(value && action !== "-" && { value }),
  };
  return addControl(repo, change, [tag], { isPrivate: repo.content.isPrivate(target), isDry });
}

export interface KnownTag {
  /** Raw. */
  readonly name: string;
  readonly value: string | undefined;
  /** Of one artifact: it was set and cancelled. */
  readonly isCancelled: boolean;
}

/** The tags of one artifact, or all that are used (without values), in order; cancelled ones if wished. */
export function tagsOf(repo: Repo, rid: Rid | undefined, withCancelled: boolean): KnownTag[] {
  const typeMin = withCancelled ? 0 : 1;
  const rows =
    rid === undefined
      ? repo.db
          .prepare(
            `SELECT tagname, NULL, 1 FROM tag WHERE EXISTS(
               SELECT 1 FROM tagxref x WHERE x.tagid=tag.tagid AND x.tagtype>=?)`,
          )
          .values<[string, null, number]>(typeMin)
      : repo.db
          .prepare(
            "SELECT tagname, value, tagtype>0 FROM tagxref JOIN tag USING(tagid) WHERE rid=? AND tagtype>=?",
          )
          .values<[string, string | null, number]>(rid, typeMin);
  return rows
    .map(([name, value, isSet]) => ({ name, value: value ?? undefined, isCancelled: isSet === 0 }))
    .sort((a, b) => compareNatural(a.name, b.name));
}

/** Digits by their number, letters without regard to case. */
function compareNatural(a: string, b: string): number {
  return a.toLowerCase().localeCompare(b.toLowerCase(), "en", { numeric: true });
}
