/** `edgesync repo add`, `rm`, `addremove` and `rename`: which files a checkout manages. */
import {
  type AddOptions,
  type AddResult,
  addFiles,
  addRemove,
  removeFiles,
  renameFiles,
} from "./checkout-add.ts";
import type { Checkout } from "./checkout-db.ts";
import { GlobList } from "./checkout-glob.ts";
import { newName, treeNames, withCheckout } from "./cli-checkout.ts";
import { command, flag, option, positional, text } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { UsageError } from "./errors.ts";

const SCAN_ARGS = {
  dotfiles: flag({ description: "names that begin with a dot too" }),
  ignore: option(
    { description: "leave out what matches; the setting ignore-glob", valueHint: "GLOBS" },
    text,
  ),
  clean: option({ description: "leave out what matches; the setting clean-glob", valueHint: "GLOBS" }, text),
};

const HARD_ARGS = {
  hard: flag({ description: "the files on disk too; the setting mv-rm-files" }),
  soft: flag({ description: "leave the files on disk alone" }),
};

export const addCommand = command({
  description: "puts files under management with the next commit",
  args: {
    files: positional({
      description: "files, or folders for all that is in them",
      required: true,
      repeat: true,
    }),
    force: flag({ description: "files named, even when they match ignore-glob", alias: ["f"] }),
    allowReserved: flag({ description: "names that Windows has no files for" }),
    ...SCAN_ARGS,
  },
  examples: [
    { line: "edgesync repo add src/parser.ts docs", about: "a file and a folder" },
    { line: "edgesync repo add .", about: "everything that is not managed yet" },
  ],
  run: async (args, context) => {
    await withCheckout(context, "read", (checkout) => {
      const { force, allowReserved } = args;
      const options = { ...scanOptions(checkout, args), force, allowReserved };
      const result = addFiles(checkout, treeNames(checkout, context, args.files), options);
      warn(result, context);
      context.out.result({ added: result.added, skipped: result.skipped }, () => addedText(result));
    });
  },
});

export const addremoveCommand = command({
  description: "adds what is not managed and removes what is gone, all over the checkout",
  args: SCAN_ARGS,
  examples: [{ line: "edgesync repo addremove", about: "before a commit of whatever is there" }],
  run: async (args, context) => {
    await withCheckout(context, "read", (checkout) => {
      const result = addRemove(checkout, scanOptions(checkout, args));
      warn(result, context);
      const { added, removed } = result;
      context.out.result({ added, removed }, () =>
        [
          addedText({ ...result, skipped: [] }),
          ...removed.map((name) => `DELETED  ${name}\n`),
          `added ${added.length} files, deleted ${removed.length} files\n`,
        ].join(""),
      );
    });
  },
});

export const rmCommand = command({
  description: "takes files out of management with the next commit",
  args: {
    files: positional({ description: "managed files, or folders", required: true, repeat: true }),
    ...HARD_ARGS,
  },
  examples: [{ line: "edgesync repo rm --hard old.c", about: "and deletes it on disk" }],
  run: async (args, context) => {
    await withCheckout(context, "read", (checkout) => {
      const hard = isHard(checkout, args);
      const removed = removeFiles(checkout, treeNames(checkout, context, args.files), hard);
      context.out.result({ removed, hard }, () => removed.map((name) => `DELETED ${name}\n`).join(""));
    });
  },
});

export const renameCommand = command({
  description: "renames a file, or moves files and folders into a folder, with the next commit",
  args: {
    names: positional({
      description: "what to rename or move, and last the new name or the folder",
      required: true,
      repeat: true,
    }),
    ...HARD_ARGS,
  },
  examples: [
    { line: "edgesync repo rename old.c new.c", about: "after the file itself was renamed" },
    { line: "edgesync repo rename --hard a.c b.c src", about: "moves both, on disk too" },
  ],
  run: async (args, context) => {
    if (args.names.length < 2) {
      throw new UsageError("missing-argument", "expected an old and a new name", {
        hint: "edgesync repo rename OLD NEW, or OLD... FOLDER",
      });
    }
    await withCheckout(context, "read", (checkout) => {
      const sources = treeNames(checkout, context, args.names.slice(0, -1));
      const target = newName(checkout, context, args.names.at(-1)!);
      const renamed = renameFiles(checkout, sources, target, isHard(checkout, args));
      context.out.result(
        renamed.map(({ from, to }) => ({ from, to })),
        () => renamed.map(({ from, to }) => `RENAME ${from} ${to}\n`).join(""),
      );
    });
  },
});

interface ScanValues {
  readonly dotfiles: boolean;
  readonly ignore: string | undefined;
  readonly clean: string | undefined;
}

function scanOptions({ settings }: Checkout, { dotfiles, ignore, clean }: ScanValues): AddOptions {
  const globs = (given: string | undefined, setting: string) =>
    given === undefined ? settings.globs(setting) : new GlobList(given);
  return {
    dotfiles: dotfiles || settings.isOn("dotfiles", false),
    ignore: [globs(ignore, "ignore-glob"), globs(clean, "clean-glob")],
  };
}

function isHard({ settings }: Checkout, { hard, soft }: { hard: boolean; soft: boolean }): boolean {
  return !soft && (hard || settings.isOn("mv-rm-files", false));
}

function addedText({ added, skipped }: AddResult): string {
  return [...added.map((name) => `ADDED  ${name}\n`), ...skipped.map(({ name }) => `SKIP   ${name}\n`)].join(
    "",
  );
}

function warn({ skipped, clashes }: AddResult, { out }: CliContext): void {
  for (const { name, why } of skipped) out.note(`${name} left out: ${why}`);
  for (const [one, other] of clashes) {
    out.note(`WARNING: ${one} and ${other} are one file where case does not count`);
  }
}
