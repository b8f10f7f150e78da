/**
 * Opens the checkout that a command works in: the one at or above the folder worked in (`-C`). With `-R` its
 * repository must be that one.
 *
 * An interrupt from the terminal never cuts a change of the tree in the middle: changes run without a break in this
 * thread, and the signal is heard before or after. The command then ends as an interrupted one does.
 */
import { realpathSync } from "node:fs";
import { basename, relative, sep } from "node:path";
import { managedSpelling } from "./checkout-case.ts";
import { Checkout } from "./checkout-db.ts";
import { vfileRow } from "./checkout-vfile.ts";
import type { CliContext } from "./cli-context.ts";
import { isSameFile, nameBelow } from "./cli-place.ts";
import { holdSignals } from "./cli-signals.ts";
import { RepoError } from "./errors.ts";

/** @throws RepoError `no-checkout`, `other-repository`, and those of `Checkout.open` */
export async function withCheckout<T>(
  { globals, clock, random, env, out }: CliContext,
  mode: "read" | "write",
  use: (checkout: Checkout) => T | Promise<T>,
): Promise<T> {
  const checkout = Checkout.open(globals.checkout, { mode, clock, random, env });
  const release = holdSignals(out);
  try {
    const asked = globals.repository;
    if (asked !== undefined && !isSameFile(asked, checkout.repo.path)) {
      throw new RepoError(
        "other-repository",
        `the checkout ${checkout.root} is one of ${checkout.repo.path}`,
        {
          hint: "leave out -R, or name a checkout of that repository with -C",
        },
      );
    }
    return await use(checkout);
  } finally {
    release();
    checkout.close();
  }
}

/**
 * Names of files as they are in check-ins, from names as they were typed, which are relative to the folder
 * worked in. The top itself is the empty name.
 *
 * @throws UsageError `outside`
 */
export function treeNames(checkout: Checkout, { globals }: CliContext, typed: readonly string[]): string[] {
  return typed.map((name) => managedSpelling(checkout, nameBelow(checkout.root, globals.checkout, name)));
}

/** The name that a file is to get: as `treeNames`, but where a managed file has it already it is spelled as it was typed. */
export function newName(checkout: Checkout, context: CliContext, typed: string): string {
  const [name = ""] = treeNames(checkout, context, [typed]);
  if (vfileRow(checkout, checkout.vid, name) === undefined) return name;
  const last = basename(typed);
  return name.slice(0, name.length - last.length) + last;
}

/** How a file's name is shown: relative to the folder worked in, unless the setting `relative-paths` is off. */
export function shownName(checkout: Checkout, context: CliContext, name: string): string {
  return namesShown(checkout, context)(name);
}

/** As `shownName`, of many names. */
export function namesShown(checkout: Checkout, { globals }: CliContext): (name: string) => string {
  if (!checkout.settings.isOn("relative-paths", true)) return (name) => name;
  const here = realpathSync(globals.checkout);
  return (name) => relative(here, `${checkout.root}/${name}`).split(sep).join("/") || ".";
}
