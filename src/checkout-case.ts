/**
 * File names where case does not count: the setting `case-sensitive`, off by default on Windows and macOS. Then a name
 * that is typed stands for the managed file that is written otherwise, such a file on disk is no unmanaged one, and no command may
 * bring about two managed files that would be one on disk.
 *
 * Source: Fossil `src/add.c`, `filenames_are_case_sensitive`. Stock writes one of two such files over the other.
 */
import type { Checkout } from "./checkout-db.ts";
import type { VfileRow } from "./checkout-vfile.ts";
import { RepoError } from "./errors.ts";

const COUNTS_BY_DEFAULT = process.platform !== "win32" && process.platform !== "darwin";

export function caseCounts({ settings }: Pick<Checkout, "settings">): boolean {
  return settings.isOn("case-sensitive", COUNTS_BY_DEFAULT);
}

/** How names are compared here. */
export function foldCase(checkout: Pick<Checkout, "settings">): (name: string) => string {
  return caseCounts(checkout) ? (name) => name : (name) => name.toLowerCase();
}

/** Pairs of names that are one where case does not count. */
export function caseClashes(rows: readonly Pick<VfileRow, "pathname" | "deleted">[]): [string, string][] {
  const seen = new Map<string, string>();
  const clashes: [string, string][] = [];
  for (const { pathname, deleted } of rows) {
    if (deleted !== 0) continue;
    const folded = pathname.toLowerCase();
    const other = seen.get(folded);
    if (other === undefined) seen.set(folded, pathname);
    else clashes.push([other, pathname]);
  }
  return clashes;
}

/** The managed name, or the folder of managed names, that a typed one stands for; itself when it stands for none. */
export function managedSpelling(checkout: Checkout, typed: string): string {
  if (typed === "" || caseCounts(checkout)) return typed;
  const folded = typed.toLowerCase();
  let spelling = typed;
  for (const name of namesOf(checkout)) {
    if (name === typed || name.startsWith(`${typed}/`)) return typed;
    if (name.toLowerCase() === folded || name.toLowerCase().startsWith(`${folded}/`)) {
      spelling = name.slice(0, typed.length);
    }
  }
  return spelling;
}

/**
 * What has to hold after a change of the checkout: no two names are one that were not so before.
 *
 * @returns call it when the change is made; @throws RepoError `case-clash` (data: names)
 */
export function guardCase(checkout: Checkout): () => void {
  if (caseCounts(checkout)) return () => {};
  const before = new Set(clashesIn(checkout).map(String));
  return () => {
    const clash = clashesIn(checkout).find((pair) => !before.has(String(pair)));
    if (clash === undefined) return;
    throw new RepoError("case-clash", `${clash[0]} and ${clash[1]} are one file here: case does not count`, {
      hint: "have one of them renamed, or turn the setting case-sensitive on where the disk tells them apart",
      data: { names: clash },
    });
  };
}

const clashesIn = (checkout: Checkout) => caseClashes(rowsOf(checkout));

function rowsOf({ db, vid }: Checkout): Pick<VfileRow, "pathname" | "deleted">[] {
  return db
    .prepare<{ pathname: string; deleted: number }>(
      "SELECT pathname, deleted FROM vfile WHERE vid=? ORDER BY pathname",
    )
    .all(vid);
}

const namesOf = (checkout: Checkout) => rowsOf(checkout).map(({ pathname }) => pathname);
