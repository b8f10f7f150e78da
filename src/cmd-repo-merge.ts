/** `edgesync repo merge`: takes changes of another check-in into the working tree, to be committed there. */
import type { Checkout } from "./checkout-db.ts";
import { AUTOSYNC_ARGS, pullBefore } from "./cli-autosync.ts";
import { namesShown, withCheckout } from "./cli-checkout.ts";
import { checkInFacts } from "./cli-checkout-info.ts";
import { badValue, command, flag, option, positional, text } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { widthOf, wrap } from "./cli-timeline.ts";
import { EXIT, type ExitCode, UsageError } from "./errors.ts";
import { type MergeEvent, type MergeOptions, type MergeResult, mergeInto } from "./merge-apply.ts";
import { findFork, type MergeKind } from "./merge-ends.ts";
import { MERGE_STRATEGIES, type MergeStrategy } from "./merge-strategy.ts";
import type { Rid } from "./repo-content.ts";
import { resolveName } from "./repo-name.ts";

export function parseStrategy(name: string): MergeStrategy {
  return MERGE_STRATEGIES.find((known) => known === name) ?? badValue(MERGE_STRATEGIES.join(", "), name);
}

export const mergeCommand = command({
  description: "takes the changes of another version into the working tree",
  args: {
    versions: positional({
      description: "what to merge, one after the other; a fork of the branch unless given",
      repeat: true,
    }),
    strategy: option(
      {
        description: "how files changed on both sides are merged: three-way, last-writer, binary or fork",
        valueHint: "NAME",
      },
      parseStrategy,
    ),
    dryRun: flag({ description: "say what would be done", alias: ["n"] }),
    cherrypick: flag({ description: "only the changes that the version itself made" }),
    backout: flag({ description: "take back the changes that the version itself made" }),
    integrate: flag({ description: "close the merged branch with the commit" }),
    baseline: option(
      { description: "take changes since this version, not since the common ancestor", valueHint: "VERSION" },
      text,
    ),
    binary: option(
      { description: "never merge files that match; the setting binary-glob", valueHint: "GLOBS" },
      text,
    ),
    keepMergeFiles: flag({ description: "leave all versions beside a file that conflicts", alias: ["K"] }),
    force: flag({ description: "even into a closed leaf, or where nothing is to be merged", alias: ["f"] }),
    forceMissing: flag({ description: "leave out files whose content is not here" }),
    noundo: flag({ description: "do not record for undo" }),
    ...AUTOSYNC_ARGS,
  },
  examples: [
    { line: "edgesync repo merge feature", about: "then test, and commit" },
    { line: "edgesync repo merge --cherrypick 1f2e3d4c", about: "one change only" },
    { line: "edgesync repo merge release --strategy fork --dry-run", about: "what would conflict" },
  ],
  run: async (args, context) =>
    withCheckout(context, "write", async (checkout) => {
      const { versions, baseline, dryRun, noundo } = args;
      const { repo, settings } = checkout;
      const kind = kindOf(args);
      if (versions.length === 0 && kind !== "merge") {
        throw new UsageError(
          "merge-options",
          "a fork is merged whole: name a version with --cherrypick, --backout or --integrate",
        );
      }
      if (!dryRun) await pullBefore({ repo, settings, command: "merge" }, args, context);
      const resolve = (name: string) => resolveName(repo, name, named(checkout));
      const targets = versions.length > 0 ? versions.map(resolve) : [fork(checkout, context)];
      const from = baseline === undefined ? undefined : resolve(baseline);
      const results: (MergeResult | undefined)[] = [];
      for (const version of targets) {
        const request = { kind, version, force: args.force, ...(from !== undefined && { baseline: from }) };
        const options: MergeOptions = {
          strategy: args.strategy,
          binary: args.binary,
          dryRun,
          forceMissing: args.forceMissing,
          keepFiles: args.keepMergeFiles,
          ...(!noundo && { commandLine: commandLineOf(kind, versions) }),
        };
        const result = mergeInto(checkout, request, options);
        results.push(result);
        if (result !== undefined && conflicts(result).length > 0) break;
      }
      return report(checkout, context, results, { dryRun, left: versions.slice(results.length) });
    }),
});

const named = ({ checkIn }: Checkout) =>
  ({ type: "ci", ...(checkIn !== undefined && { checkout: checkIn }) }) as const;

function kindOf(args: Record<"cherrypick" | "backout" | "integrate", boolean>): MergeKind {
  const chosen = (["cherrypick", "backout", "integrate"] as const).filter((kind) => args[kind]);
  if (chosen.length > 1) {
    throw new UsageError("merge-options", `--${chosen.join(" and --")} exclude each other`);
  }
  return chosen[0] ?? "merge";
}

function commandLineOf(kind: MergeKind, versions: readonly string[]): string {
  return ["merge", ...(kind === "merge" ? [] : [`--${kind}`]), ...versions].join(" ");
}

function fork(checkout: Checkout, { out }: CliContext): Rid {
  const rid = findFork(checkout);
  const { hash, date, user, comment } = checkInFacts(checkout.repo, rid);
  const width = widthOf(undefined);
  out.note(
    wrap(`Merging fork [${hash.slice(0, 10)}] at ${date} by ${user}: "${comment}"`, width, 0).trimEnd(),
  );
  return rid;
}

const conflicts = ({ events }: MergeResult) => events.filter(({ conflict }) => conflict !== undefined);

function report(
  checkout: Checkout,
  context: CliContext,
  results: readonly (MergeResult | undefined)[],
  { dryRun, left }: { readonly dryRun: boolean; readonly left: readonly string[] },
): ExitCode {
  const { out } = context;
  const { content } = checkout.repo;
  const done = results.filter((result) => result !== undefined);
  const failed = done.flatMap(conflicts);
  const merges = done.map(({ ends, events }) => ({
    kind: ends.kind,
    merged: content.hashOf(ends.merged),
    pivot: content.hashOf(ends.pivot),
    files: events,
  }));
  for (const { ends } of done) if (ends.note !== undefined) out.note(ends.note);
  const shown = namesShown(checkout, context);
  out.result({ dryRun, merges, conflicts: failed.length, notAttempted: left }, () =>
    results
      .map((result) =>
        result === undefined
          ? "Merge skipped because it is a no-op.  Use --force to override.\n"
          : result.events.map((event) => describe(event, shown)).join(""),
      )
      .join(""),
  );
  for (const { what, name } of failed) {
    if (what === "DELETE") out.note(`WARNING: local edits lost for ${name}; see edgesync repo conflicts`);
  }
  if (failed.length > 0) out.note(`WARNING: ${failed.length} merge conflicts`);
  if (left.length > 0) out.note(`not merged, because of these conflicts: ${left.join(" ")}`);
  const overwritten = done.flatMap(({ events }) => events).filter(({ backup }) => backup !== undefined);
  if (overwritten.length > 0) out.note(`WARNING: ${overwritten.length} unmanaged files were overwritten`);
  if (dryRun) out.note("this was a dry run: no files were changed");
  return failed.length > 0 ? EXIT.conflicts : EXIT.done;
}

function describe(event: MergeEvent, shown: (name: string) => string): string {
  const name = shown(event.name);
  const { what, to, conflict, conflictCount = 0, backup } = event;
  if (what === "RENAME") return `RENAME ${name} -> ${shown(to!)}\n`;
  if (backup !== undefined) {
    return `ADDED ${name} (overwrites an unmanaged file), original copy backed up locally\n`;
  }
  const line = `${what} ${name}\n`;
  switch (conflict) {
    case "text":
      return `${line}***** ${conflictCount} merge conflict${conflictCount > 1 ? "s" : ""} in ${name}\n`;
    case "binary":
      return `${line}***** Cannot merge binary file ${name}\n`;
    case "link":
      return `${line}***** Cannot merge symlink ${name}\n`;
    case "fork":
      return `${line}***** All versions of ${name} are kept\n`;
    default:
      return line;
  }
}
