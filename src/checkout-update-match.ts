/**
 * Which file of the checkout is which of the target of an update: those of the same name, and of changed files also
 * those that were renamed on the way (Fossil `src/update.c`).
 */

import { compareUtf8 } from "./bytes.ts";
import { isWithin } from "./checkout-add.ts";
import type { TrackedFile } from "./checkout-status.ts";
import type { VfileRow } from "./checkout-vfile.ts";
import { renamesBetween } from "./merge-renames.ts";
import type { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";

/** A file of the checkout, of the target, or of both. */
export interface UpdatePair {
  /** Name here; in the target when it is not here. */
  readonly name: string;
  /** Name in the target. */
  readonly newName: string;
  readonly current: TrackedFile | undefined;
  readonly next: VfileRow | undefined;
}

/**
 * Pairs in order of the bytes of their names.
 *
 * @param names files, or folders with what is in them; everything when there are none
 */
export function matchFiles(
  repo: Repo,
  before: Rid | undefined,
  target: Rid,
  files: readonly TrackedFile[],
  rows: readonly VfileRow[],
  names: readonly string[],
): UpdatePair[] {
  const byName = new Map(rows.map((row) => [row.pathname, row]));
  const renamed = new Map<string, string>();
  if (before !== undefined && before !== target && files.some(({ chnged }) => chnged !== 0)) {
    for (const { from, to } of renamesBetween(repo, before, target, { backwards: true }))
      renamed.set(from, to);
  }
  const pairs: UpdatePair[] = files.map((current) => {
    const name = current.pathname;
    const newName = (current.chnged === 0 ? undefined : renamed.get(name)) ?? name;
    return { name, newName, current, next: byName.get(newName) };
  });
  const taken = new Set(pairs.map(({ newName }) => newName));
  for (const next of rows) {
    const name = next.pathname;
    if (!taken.has(name)) pairs.push({ name, newName: name, current: undefined, next });
  }
  return pairs
    .filter(({ name }) => names.length === 0 || names.some((wanted) => isWithin(name, wanted)))
    .sort((a, b) => compareUtf8(a.name, b.name));
}
