/** `edgesync repo status`, `changes` and `extras`: what is not committed in a checkout. */
import type { Checkout } from "./checkout-db.ts";
import { GlobList } from "./checkout-glob.ts";
import { unmanagedFiles } from "./checkout-scan.ts";
import { changesOf, describeAll, type FileChange, refreshChanged } from "./checkout-status.ts";
import { userDatabase } from "./checkout-user-db.ts";
import { pendingMerges } from "./checkout-vfile.ts";
import { changeJson, changeLine, mergeJson, mergeLine } from "./cli-changes.ts";
import { shownName, treeNames, withCheckout } from "./cli-checkout.ts";
import { checkInFacts, describeCheckIn, labelled, warnOfForks } from "./cli-checkout-info.ts";
import { command, flag, option, positional, text } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";

const paths = positional({ description: "only these files, or what is in these folders", repeat: true });
const hash = flag({ description: "read every file, whatever its time says" });

export const statusCommand = command({
  description: "says what a checkout is of, and what has changed in it",
  args: { paths, hash },
  examples: [
    { line: "edgesync repo status", about: "what a commit would take" },
    { line: "edgesync repo status src --json", about: "below one folder, for a program" },
  ],
  run: async (args, context) => {
    await withCheckout(context, "read", (checkout) => {
      const { root, repo, checkIn } = checkout;
      const changes = within(
        checkout,
        context,
        args.paths,
        changesOf(checkout, refreshChanged(checkout, args)),
      );
      const merges = pendingMerges(checkout);
      const settingsFile = userDatabase(context.env);
      const facts = checkIn === undefined ? null : checkInFacts(repo, checkIn);
      context.out.result(
        {
          root,
          repository: repo.path,
          checkIn: facts,
          changes: changes.map(changeJson),
          merges: merges.map(mergeJson),
        },
        () =>
          [
            labelled("repository:", repo.path),
            labelled("local-root:", `${root}/`),
            settingsFile === undefined ? "" : labelled("config-db:", settingsFile),
            facts === null ? "" : describeCheckIn("checkout:", facts, true),
            ...changes.map((change) => changeLine(checkout, context, change)),
            ...merges.map(mergeLine),
          ].join(""),
      );
      if (checkIn !== undefined) warnOfForks(repo, checkIn, context);
    });
  },
});

export const changesCommand = command({
  description: "lists the files of a checkout that have changed",
  args: {
    paths,
    hash,
    all: flag({ description: "unchanged ones too" }),
    extra: flag({ description: "unmanaged ones too" }),
  },
  examples: [
    { line: "edgesync repo changes", about: "one line for each, with what has changed" },
    { line: "edgesync repo changes --extra", about: "and what is not managed yet" },
  ],
  run: async (args, context) => {
    await withCheckout(context, "read", (checkout) => {
      const all = args.all
        ? describeAll(checkout, args)
        : changesOf(checkout, refreshChanged(checkout, args));
      const changes = within(checkout, context, args.paths, all);
      const merges = pendingMerges(checkout);
      const extras = args.extra ? findExtras(checkout, context, args.paths) : [];
      const entries = [
        ...changes.map((change) => ({
          name: change.name,
          json: changeJson(change),
          text: changeLine(checkout, context, change),
        })),
        ...extras.map((name) => ({
          name,
          json: { kind: "EXTRA", name },
          text: `${"EXTRA".padEnd(10)} ${shownName(checkout, context, name)}\n`,
        })),
      ].sort((a, b) => (a.name < b.name ? -1 : 1));
      for (const { json, text: shown } of entries) context.out.item(json, () => shown);
      for (const merge of merges) context.out.item(mergeJson(merge), () => mergeLine(merge));
    });
  },
});

export const extrasCommand = command({
  description: "lists the files of a checkout that are not managed",
  args: {
    paths,
    dotfiles: flag({ description: "names that begin with a dot too" }),
    ignore: option(
      { description: "leave out what matches; the setting ignore-glob", valueHint: "GLOBS" },
      text,
    ),
    temp: flag({ description: "only what merges have left behind" }),
  },
  examples: [
    { line: "edgesync repo extras", about: "what add could take" },
    { line: "edgesync repo extras --dotfiles --ignore '*.o,*.a'", about: "with patterns of its own" },
  ],
  run: async (args, context) => {
    await withCheckout(context, "read", (checkout) => {
      for (const name of findExtras(checkout, context, args.paths, args)) {
        context.out.item(name, () => `${shownName(checkout, context, name)}\n`);
      }
    });
  },
});

interface ExtraOptions {
  readonly dotfiles?: boolean;
  readonly ignore?: string | undefined;
  readonly temp?: boolean;
}

function findExtras(
  checkout: Checkout,
  context: CliContext,
  typed: readonly string[],
  options: ExtraOptions = {},
): string[] {
  const { settings } = checkout;
  return unmanagedFiles(checkout, {
    dotfiles: options.dotfiles || settings.isOn("dotfiles", false),
    ignore: [options.ignore === undefined ? settings.globs("ignore-glob") : new GlobList(options.ignore)],
    temporary: options.temp ?? false,
    ...(typed.length > 0 && { within: treeNames(checkout, context, typed) }),
  });
}

type NamedChange = Omit<FileChange, "file">;

/** Those of the changes that are of files named, or below folders named. */
function within(
  checkout: Checkout,
  context: CliContext,
  typed: readonly string[],
  changes: readonly NamedChange[],
): readonly NamedChange[] {
  if (typed.length === 0) return changes;
  const names = treeNames(checkout, context, typed);
  return changes.filter((change) =>
    names.some((name) => name === "" || change.name === name || change.name.startsWith(`${name}/`)),
  );
}
