/**
 * The files that the setting `manifest` keeps at the top of a checkout: `manifest` (the check-in's artifact),
 * `manifest.uuid` (its name and a line feed), `manifest.tags` (its branch and tags). The setting is on (the
 * first two), off, or letters: `r` manifest, `u` manifest.uuid, `t` manifest.tags. Such files are not
 * managed; those that the setting does not name are removed unless they are.
 *
 * `manifest` has a comment at its end, so that it is not taken for the artifact when it is added by mistake.
 *
 * Source: Fossil `src/checkout.c`.
 */
import { concat, EMPTY, utf8 } from "./bytes.ts";
import type { Checkout } from "./checkout-db.ts";
import type { TreeChange } from "./checkout-tree.ts";
import type { Repo } from "./repo.ts";
import { branchOf } from "./repo-branch.ts";
import type { Rid } from "./repo-content.ts";

const COMMENT = "# Remove this line to create a well-formed Fossil manifest.\n";

const NAMES = { r: "manifest", u: "manifest.uuid", t: "manifest.tags" } as const;

/** Names of the files that a value of the setting asks for. */
export function manifestFiles(setting: string | undefined): string[] {
  if (setting === undefined || /^(?:off|no|false|0)$/i.test(setting)) return [];
  if (/^(?:on|yes|true|[1-9]\d*)$/i.test(setting)) return [NAMES.r, NAMES.u];
  return Object.entries(NAMES)
    .filter(([letter]) => setting.includes(letter))
    .map(([, name]) => name);
}

/** Writes the files for check-in `rid`, and removes those that are not asked for. */
export function writeManifestFiles(checkout: Checkout, rid: Rid, tree: TreeChange): void {
  const { db, settings } = checkout;
  const wanted = manifestFiles(settings.get("manifest"));
  const isManaged = db.prepare("SELECT 1 FROM vfile WHERE pathname=?");
  for (const name of Object.values(NAMES)) {
    if (wanted.includes(name)) tree.write(name, contentOf(name, checkout, rid), "");
    else if (isManaged.value(name) === undefined) tree.remove(name);
  }
}

function contentOf(name: string, { repo }: Checkout, rid: Rid): Uint8Array {
  const content = manifestFileContent(name, repo, rid);
  return name === NAMES.r ? concat([content, utf8(COMMENT)]) : content;
}

/** One of the files as it is in an archive: `manifest` without the comment. */
export function manifestFileContent(name: string, repo: Repo, rid: Rid): Uint8Array {
  if (name === NAMES.r) return repo.content.get(rid) ?? EMPTY;
  if (name === NAMES.u) return utf8(`${repo.content.hashOf(rid)}\n`);
  const tags = repo.db
    .prepare(
      `SELECT substr(tagname,5) FROM tagxref JOIN tag USING(tagid)
       WHERE rid=? AND tagtype>0 AND tagname GLOB 'sym-*'`,
    )
    .values<[string]>(rid)
    .flat();
  return utf8([`branch ${branchOf(repo, rid)}`, ...tags.map((tag) => `tag ${tag}`)].join("\n").concat("\n"));
}
