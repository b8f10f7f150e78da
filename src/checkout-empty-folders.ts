/**
 * Folders of the setting `empty-dirs`: every checkout has them, with files in them or not (Fossil
 * `src/update.c`).
 */
import type { Checkout } from "./checkout-db.ts";
import { pathProblem } from "./checkout-path.ts";
import type { TreeChange } from "./checkout-tree.ts";
import { RepoError } from "./errors.ts";

/** Makes those that are missing. What is unsafe, or has a file in its place, is left out.
 *
 * @returns their names, without a slash at the end
 */
export function makeEmptyFolders({ settings }: Checkout, tree: TreeChange): ReadonlySet<string> {
  const names = settings.emptyFolders().map((name) => name.replace(/\/+$/, ""));
  for (const name of names) {
    if (pathProblem(name) !== undefined) continue;
    try {
      if (tree.stat(name) === undefined) tree.makeFolder(name);
    } catch (error) {
      if (!(error instanceof RepoError) || error.code !== "unsafe-path") throw error;
    }
  }
  return new Set(names);
}
