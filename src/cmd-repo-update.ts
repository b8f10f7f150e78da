/** `edgesync repo update`: another check-in, with what was changed merged in. */
import type { Checkout } from "./checkout-db.ts";
import { updateTarget } from "./checkout-target.ts";
import { UndoLog } from "./checkout-undo.ts";
import { type UpdateStep, updateTo } from "./checkout-update.ts";
import { pendingMerges } from "./checkout-vfile.ts";
import { AUTOSYNC_ARGS, pullBefore } from "./cli-autosync.ts";
import { shownName, treeNames, withCheckout } from "./cli-checkout.ts";
import {
  type CheckInFacts,
  checkInFacts,
  describeCheckIn,
  labelled,
  warnOfForks,
} from "./cli-checkout-info.ts";
import { command, flag, positional } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { EXIT, NameError } from "./errors.ts";
import type { Rid } from "./repo-content.ts";
import { resolveName } from "./repo-name.ts";

export const updateCommand = command({
  description: "goes to another version and keeps what is not committed",
  args: {
    version: positional({ description: "where to; the newest on the branch of what is checked out" }),
    files: positional({ description: "take over only these files, as changes", repeat: true }),
    latest: flag({ description: "the newest of what grew from here, on any branch" }),
    dryRun: flag({ description: "say what would be done", alias: ["n"] }),
    forceMissing: flag({ description: "leave out files whose content is not here" }),
    setmtime: flag({ description: "give files the times of their check-ins" }),
    ...AUTOSYNC_ARGS,
  },
  examples: [
    { line: "edgesync repo update", about: "to what has come in on this branch" },
    { line: "edgesync repo update release-1.0 --dry-run", about: "what going there would change" },
    { line: "edgesync repo update trunk src/parser.ts", about: "one file as it is there" },
  ],
  run: async (args, context) => {
    const { files, dryRun, forceMissing, setmtime: setTimes } = args;
    return withCheckout(context, "write", async (checkout) => {
      const { repo, checkIn, settings } = checkout;
      if (!dryRun) await pullBefore({ repo, settings, command: "update" }, args, context);
      const target = targetOf(checkout, args);
      const before = checkIn === undefined ? null : checkInFacts(repo, checkIn);
      const steps = updateTo(checkout, target, {
        names: treeNames(checkout, context, files),
        forceMissing,
        setTimes,
        dryRun,
        beginUndo: () => UndoLog.begin(checkout, ["update", args.version, ...files].join(" ").trim()),
      });
      const facts = checkInFacts(repo, target);
      context.out.result({ steps, from: before, to: facts }, () =>
        [
          ...steps.map((step) => line(checkout, context, step)),
          `${"-".repeat(79)}\n`,
          summary(steps, before, facts),
        ].join(""),
      );
      return warn(checkout, target, steps, dryRun, context);
    });
  },
});

function targetOf(
  checkout: Checkout,
  { version, latest }: { version?: string | undefined; latest: boolean },
): Rid {
  const { repo, checkIn } = checkout;
  if (version !== undefined && version !== "current" && version !== "latest") {
    return resolveName(repo, version, { type: "ci", ...(checkIn !== undefined && { checkout: checkIn }) });
  }
  if (checkIn !== undefined) return updateTarget(repo, checkIn, latest || version === "latest");
  throw new NameError("name-unknown", "nothing is checked out here, so there is nowhere to update to", {
    hint: "name a version",
  });
}

function line(checkout: Checkout, context: CliContext, step: UpdateStep): string {
  const { op, newName, conflict, copy } = step;
  const name = shownName(checkout, context, step.name);
  const names = newName === undefined ? name : `${name} -> ${shownName(checkout, context, newName)}`;
  const why = conflict === undefined ? "" : ` - ${conflict}`;
  const saved =
    copy === undefined ? "" : `, original copy backed up as ${shownName(checkout, context, copy)}`;
  return `${op} ${names}${why}${saved}\n`;
}

function summary(steps: readonly UpdateStep[], before: CheckInFacts | null, facts: CheckInFacts): string {
  if (steps.length === 0) {
    return describeCheckIn("checkout:", facts, false) + labelled("changes:", "None. Already up-to-date.");
  }
  const from =
    before === null ? "" : labelled("updated-from:", `${before.hash.slice(0, 40)} ${before.date ?? ""} UTC`);
  const count = `${steps.length} file${steps.length > 1 ? "s" : ""} modified.`;
  return from + describeCheckIn("updated-to:", facts, false) + labelled("changes:", count);
}

function warn(
  checkout: Checkout,
  target: Rid,
  steps: readonly UpdateStep[],
  dryRun: boolean,
  context: CliContext,
): typeof EXIT.conflicts | undefined {
  const { out } = context;
  if (dryRun) {
    out.note("this was a dry run: no files were changed");
    return undefined;
  }
  for (const { kind, hash } of pendingMerges(checkout)) {
    out.note(`uncommitted ${kind === "merge" ? "" : `${kind} `}merge against ${hash.slice(0, 10)}`);
  }
  warnOfForks(checkout.repo, target, context);
  const conflicts = steps.filter(({ op }) => op === "CONFLICT").length;
  if (conflicts === 0) return undefined;
  out.note(`WARNING: ${conflicts} merge conflict${conflicts === 1 ? "" : "s"}`);
  return EXIT.conflicts;
}
