/**
 * Where a command works, told without opening a checkout: whether in one, and what names typed there stand for. For commands that need
 * the repository alone, and should not load what checkouts are made of.
 */
import { existsSync, realpathSync } from "node:fs";
import { relative, resolve, sep } from "node:path";
import { findCheckout, openDatabase, repositoryOf } from "./checkout-place.ts";
import type { CliContext } from "./cli-context.ts";
import { UsageError } from "./errors.ts";

/** Whether the folder worked in is in a checkout: of the repository asked for with `-R`, or of any without. */
export function worksInCheckout({ globals }: CliContext): boolean {
  const place = findCheckout(globals.checkout);
  if (place === undefined || globals.repository === undefined) return place !== undefined;
  const db = openDatabase(place, "read");
  try {
    return isSameFile(globals.repository, repositoryOf(place, db));
  } finally {
    db.close();
  }
}

/**
 * The name of a file in check-ins, for commands that need no checkout: in one of the repository it is typed relative to the folder
 * worked in, as stock has it; elsewhere as it is in the repository.
 *
 * @throws UsageError `outside`
 */
export function repositoryName(context: CliContext, typed: string): string {
  if (!worksInCheckout(context)) return typed;
  const folder = context.globals.checkout;
  return nameBelow(findCheckout(folder)!.root, folder, typed);
}

/**
 * The name of a file below `root`, from one that is relative to `folder`.
 *
 * @throws UsageError `outside`
 */
export function nameBelow(root: string, folder: string, typed: string): string {
  const path = relative(root, withRealFolder(resolve(folder, typed)));
  if (path.split(sep)[0] === ".." || resolve(path) === path) {
    throw new UsageError("outside", `${typed} is outside of the checkout ${root}`);
  }
  return path.split(sep).join("/");
}

/** Links above the last part are followed, that itself is not. */
function withRealFolder(path: string): string {
  const parts = path.split(sep);
  for (let count = parts.length - 1; count > 0; count--) {
    const folder = parts.slice(0, count).join(sep) || sep;
    if (existsSync(folder)) return [realpathSync(folder).replace(/\/$/, ""), ...parts.slice(count)].join(sep);
  }
  return path;
}

/** Whether both exist and are one file. */
export function isSameFile(a: string, b: string): boolean {
  return existsSync(a) && existsSync(b) && realpathSync(a) === realpathSync(b);
}
