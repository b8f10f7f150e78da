/** `edgesync repo revert` and `clean`: managed files as they were, and unmanaged ones away. */
import { clean } from "./checkout-clean.ts";
import type { Checkout } from "./checkout-db.ts";
import { GlobList } from "./checkout-glob.ts";
import { revert } from "./checkout-revert.ts";
import { UndoLog } from "./checkout-undo.ts";
import { shownName, treeNames, withCheckout } from "./cli-checkout.ts";
import { command, flag, option, positional, text } from "./cli-command.ts";
import { EXIT } from "./errors.ts";
import { resolveName } from "./repo-name.ts";

export const revertCommand = command({
  description: "puts files back as they were committed",
  args: {
    files: positional({ description: "files or folders; everything, merges too", repeat: true }),
    version: option({ description: "as they are in this version", valueHint: "VERSION", alias: ["r"] }, text),
    undo: flag({ description: "keep what is lost for the undo command", default: "true" }),
  },
  examples: [
    { line: "edgesync repo revert src/parser.ts", about: "one file; undo takes that back" },
    { line: "edgesync repo revert", about: "everything that is not committed" },
    { line: "edgesync repo revert -r prev src/parser.ts", about: "as it was one check-in ago" },
  ],
  run: async ({ files, version, undo }, context) => {
    await withCheckout(context, "read", (checkout) => {
      const { repo, checkIn } = checkout;
      const from =
        version === undefined
          ? undefined
          : resolveName(repo, version, { type: "ci", ...(checkIn !== undefined && { checkout: checkIn }) });
      const reverted = revert(checkout, {
        names: treeNames(checkout, context, files),
        ...(from !== undefined && { from }),
        ...(undo && { beginUndo: () => UndoLog.begin(checkout, ["revert", ...files].join(" ")) }),
      });
      context.out.result(
        reverted.map(({ what, name }) => ({ what, name })),
        () => reverted.map(({ what, name }) => `${what.padEnd(8)} ${name}\n`).join(""),
      );
    });
  },
});

export const cleanCommand = command({
  description: "removes files that are not managed",
  args: {
    paths: positional({ description: "only these files, or what is in these folders", repeat: true }),
    dryRun: flag({ description: "say what would be removed", alias: ["n"] }),
    force: flag({ description: "files too large for undo, too", alias: ["f"] }),
    emptydirs: flag({ description: "folders in which nothing is, too", alias: ["d"] }),
    dirsonly: flag({ description: "only folders in which nothing is" }),
    dotfiles: flag({ description: "names that begin with a dot, too" }),
    verily: flag({ description: "everything, kept and ignored files too, and not for undo", alias: ["x"] }),
    temp: flag({ description: "only what merges have left behind" }),
    undo: flag({ description: "keep what is removed for the undo command", default: "true" }),
    clean: option(
      { description: "do not keep these for undo; the setting clean-glob", valueHint: "GLOBS" },
      text,
    ),
    ignore: option({ description: "leave these; the setting ignore-glob", valueHint: "GLOBS" }, text),
    keep: option({ description: "leave these; the setting keep-glob", valueHint: "GLOBS" }, text),
  },
  examples: [
    { line: "edgesync repo clean --dry-run", about: "what would go" },
    { line: "edgesync repo clean --emptydirs build", about: "one folder, with folders left empty" },
  ],
  run: async (args, context) => {
    return withCheckout(context, "read", (checkout) => {
      const isUndoable = args.undo && !args.verily;
      const result = clean(checkout, {
        ...cleanOptions(checkout, args),
        ...(args.paths.length > 0 && { within: treeNames(checkout, context, args.paths) }),
        ...(isUndoable && { beginUndo: () => UndoLog.begin(checkout, ["clean", ...args.paths].join(" ")) }),
      });
      const { removed, folders, left } = result;
      const shown = (name: string) => shownName(checkout, context, name);
      context.out.result({ removed, folders, left }, () =>
        [
          ...removed.map((name) => `Removed unmanaged file: ${shown(name)}\n`),
          ...folders.map((name) => `Removed unmanaged directory: ${shown(name)}\n`),
        ].join(""),
      );
      for (const name of left)
        context.out.note(`${shown(name)} is too large for undo: remove it with --force`);
      return left.length > 0 ? EXIT.failed : undefined;
    });
  },
});

interface CleanValues {
  readonly dryRun: boolean;
  readonly force: boolean;
  readonly emptydirs: boolean;
  readonly dirsonly: boolean;
  readonly dotfiles: boolean;
  readonly verily: boolean;
  readonly temp: boolean;
  readonly clean: string | undefined;
  readonly ignore: string | undefined;
  readonly keep: string | undefined;
}

function cleanOptions({ settings }: Checkout, args: CleanValues) {
  const globs = (given: string | undefined, setting: string) => {
    if (given !== undefined || args.verily) return new GlobList(given);
    return settings.globs(setting);
  };
  return {
    dryRun: args.dryRun,
    force: args.force || args.verily,
    folders: args.emptydirs || args.verily,
    foldersOnly: args.dirsonly,
    temporary: args.temp,
    dotfiles: args.dotfiles || args.verily || settings.isOn("dotfiles", false),
    ignore: [globs(args.ignore, "ignore-glob")],
    keep: globs(args.keep, "keep-glob"),
    unsaved: globs(args.clean, "clean-glob"),
  };
}
