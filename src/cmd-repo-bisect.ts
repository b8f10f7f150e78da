/** `edgesync repo bisect`: finds the check-in that broke something by testing the middle of what is left. */
import {
  BISECT_OPTIONS,
  type BisectEntry,
  type BisectOption,
  type BisectVerdict,
  bisectLog,
  bisectOption,
  bisectWay,
  isBounded,
  isComplete,
  isOptionOn,
  judge,
  nextToTest,
  resetBisect,
  setBisectOption,
  takeBack,
} from "./checkout-bisect.ts";
import type { Checkout } from "./checkout-db.ts";
import { UndoLog } from "./checkout-undo.ts";
import { updateTo } from "./checkout-update.ts";
import { withCheckout } from "./cli-checkout.ts";
import { badValue, type CliCommand, command, flag, group, positional } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { EXIT, type ExitCode, RepoError, UsageError } from "./errors.ts";
import type { Rid } from "./repo-content.ts";
import { resolveName } from "./repo-name.ts";

/** Exit status of a test command that cannot tell. */
const SKIP_STATUS = 125;

function verdictCommand(verdict: BisectVerdict, description: string, about: string): CliCommand {
  return command({
    description,
    args: { version: positional({ description: "the check-in; the one that is checked out" }) },
    examples: [{ line: `edgesync repo bisect ${verdict}`, about }],
    run: async ({ version }, context) =>
      withCheckout(context, "read", (checkout) => judgeAndGoOn(checkout, verdict, version, context)),
  });
}

function judgeAndGoOn(
  checkout: Checkout,
  verdict: BisectVerdict,
  version: string | undefined,
  context: CliContext,
): ExitCode {
  judge(checkout, verdict, versionOf(checkout, version));
  if (isOptionOn(checkout, "auto-next") && isBounded(checkout)) return goOn(checkout, context);
  context.out.result({ complete: false, log: bisectLog(checkout, "said") }, () => "");
  return EXIT.done;
}

/** @throws RepoError `nothing-checked-out`; those of `resolveName` */
function versionOf({ repo, checkIn }: Checkout, version: string | undefined): Rid {
  if (version !== undefined) {
    return resolveName(repo, version, { type: "ci", ...(checkIn !== undefined && { checkout: checkIn }) });
  }
  if (checkIn !== undefined) return checkIn;
  throw new RepoError("nothing-checked-out", "nothing is checked out here", { hint: "name a version" });
}

/** Checks out what is to be tested next, or says that the search is over. */
function goOn(checkout: Checkout, { out }: CliContext): ExitCode {
  const { rid, span, stepsRemaining } = nextToTest(checkout);
  const steps =
    rid === undefined
      ? []
      : updateTo(checkout, rid, {
          names: [],
          beginUndo: () => UndoLog.begin(checkout, `update ${checkout.repo.content.hashOf(rid)}`),
        });
  const display = bisectOption(checkout, "display");
  const next = rid === undefined ? null : checkout.repo.content.hashOf(rid);
  out.result(
    { complete: rid === undefined, next, span, stepsRemaining, log: bisectLog(checkout, "date") },
    () =>
      [
        ...steps.map(({ op, name }) => `${op} ${name}\n`),
        rid === undefined ? "bisect complete\n" : `span: ${span}  steps-remaining: ${stepsRemaining}\n`,
        shown(checkout, display),
      ].join(""),
  );
  return steps.some(({ op, conflict }) => op === "CONFLICT" || conflict !== undefined)
    ? EXIT.conflicts
    : EXIT.done;
}

function shown(checkout: Checkout, display: string): string {
  if (display === "none" || display === "") return "";
  if ("status".startsWith(display)) return way(bisectWay(checkout), false);
  const order = "log".startsWith(display) ? "said" : "date";
  return bisectLog(checkout, order).map(logLine).join("");
}

function logLine({ number, verdict, date, hash, isCurrent }: BisectEntry): string {
  const mark = isCurrent && verdict !== "current" ? " CURRENT" : "";
  return `${String(number).padStart(3)} ${verdict!.toUpperCase().padEnd(7)} ${date} ${hash.slice(0, 16)}${mark}\n`;
}

function way(entries: readonly BisectEntry[], all: boolean): string {
  const isMarked = ({ verdict, isCurrent, isNext }: BisectEntry) =>
    verdict !== undefined || isCurrent || isNext;
  const isShown = (i: number) =>
    [i - 1, i, i + 1].some((at) => entries[at] !== undefined && isMarked(entries[at]));
  const lines: string[] = [];
  let hidden = 0;
  const tell = () => {
    if (hidden > 0) lines.push(`  ... ${hidden} other check-ins omitted\n`);
    hidden = 0;
  };
  for (const [i, entry] of entries.entries()) {
    if (!all && !isShown(i)) {
      hidden++;
      continue;
    }
    tell();
    const marks = [
      ...(entry.verdict === undefined ? [] : [entry.verdict.toUpperCase()]),
      ...(entry.isCurrent ? ["CURRENT"] : []),
      ...(entry.isNext ? ["NEXT"] : []),
    ];
    lines.push(`${[entry.date, entry.hash.slice(0, 10), ...marks].join(" ")}\n`);
  }
  tell();
  return lines.join("");
}

const next = command({
  description: "checks out the middle of what is left to be tested",
  examples: [{ line: "edgesync repo bisect next", about: "where auto-next is off" }],
  run: async (_, context) => withCheckout(context, "read", (checkout) => goOn(checkout, context)),
});

const run = command({
  description: "tests with a command until the search is over",
  args: {
    command: positional({ description: "for sh: exit status 0 good, 125 skip, else bad", required: true }),
  },
  examples: [
    { line: 'edgesync repo bisect run "make && ./test"', about: "once a good and a bad one are known" },
  ],
  run: async ({ command: line }, context) => {
    const { out, globals } = context;
    if (!(await withCheckout(context, "read", isBounded))) {
      throw new UsageError("bisect-open", "a good and a bad version must be known first", {
        hint: "say edgesync repo bisect good VERSION, and bad VERSION",
      });
    }
    // The command may use the checkout itself, so ours is closed while it runs.
    while (!(await withCheckout(context, "read", isComplete))) {
      out.flush();
      const { exitCode, signalCode } = Bun.spawnSync(["/bin/sh", "-c", line], {
        cwd: globals.checkout,
        stdio: ["inherit", out.json ? "ignore" : "inherit", "inherit"],
      });
      if (wasStopped(exitCode, signalCode)) {
        throw new RepoError("interrupted", "the command was interrupted: nothing is said of this version", {
          hint: "go on with edgesync repo bisect run",
        });
      }
      const verdict = exitCode === 0 ? "good" : exitCode === SKIP_STATUS ? "skip" : "bad";
      out.note(`bisect ${verdict}`);
      const code = await withCheckout(context, "read", (checkout) => {
        judge(checkout, verdict, versionOf(checkout, undefined));
        return goOn(checkout, context);
      });
      if (code !== EXIT.done) return code;
    }
    return EXIT.done;
  },
});

/** By the user, and not by what it tests: a program that crashes is bad. A shell tells of its child's end in its status. */
function wasStopped(exitCode: number | null, signal: NodeJS.Signals | number | undefined): boolean {
  return signal === "SIGINT" || signal === "SIGTERM" || exitCode === 130 || exitCode === 143;
}

const undo = command({
  description: "takes the last good, bad or skip back",
  examples: [{ line: "edgesync repo bisect undo", about: "after a mistake" }],
  run: async (_, context) =>
    withCheckout(context, "read", (checkout) => {
      takeBack(checkout);
      if (isBounded(checkout)) return goOn(checkout, context);
      context.out.result({ complete: false, log: bisectLog(checkout, "said") }, () => "");
      return EXIT.done;
    }),
});

const reset = command({
  description: "forgets the search",
  examples: [
    { line: "edgesync repo bisect reset", about: "before another one; the checkout stays where it is" },
  ],
  run: async (_, context) => {
    await withCheckout(context, "read", resetBisect);
    return undefined;
  },
});

function listing(name: string, description: string): CliCommand {
  return command({
    description,
    args: { all: flag({ description: "every check-in between the known ones", alias: ["a"] }) },
    examples: [{ line: `edgesync repo bisect ${name} --all`, about: "the whole way from bad to good" }],
    run: async ({ all }, context) => {
      await withCheckout(context, "read", (checkout) => {
        const entries = bisectWay(checkout);
        context.out.result(entries, () => way(entries, all));
      });
      return undefined;
    },
  });
}

function logging(name: string, description: string, order: "said" | "date"): CliCommand {
  return command({
    description,
    examples: [{ line: `edgesync repo bisect ${name}`, about: "what is known" }],
    run: async (_, context) => {
      await withCheckout(context, "read", (checkout) => {
        const entries = bisectLog(checkout, order);
        context.out.result(entries, () => entries.map(logLine).join(""));
      });
      return undefined;
    },
  });
}

const options = command({
  description: "shows or sets options of bisect in this checkout",
  args: {
    name: positional({ description: "one option" }),
    value: positional({ description: "its new value" }),
  },
  examples: [{ line: "edgesync repo bisect options direct-only off", about: "follow merges too" }],
  run: async ({ name, value }, context) => {
    await withCheckout(context, "read", (checkout) => {
      const all = Object.keys(BISECT_OPTIONS) as BisectOption[];
      if (name === undefined) {
        const values = all.map((option) => ({ name: option, value: bisectOption(checkout, option) }));
        context.out.result(values, () =>
          values
            .map(
              (one) =>
                `  ${one.name.padEnd(15)}  ${one.value.padEnd(6)}  ${BISECT_OPTIONS[one.name].about}\n`,
            )
            .join(""),
        );
        return;
      }
      const option = all.find((known) => known.startsWith(name)) ?? badValue(all.join(", "), name);
      if (value !== undefined) setBisectOption(checkout, option, value);
      const now = bisectOption(checkout, option);
      context.out.result({ name: option, value: now }, () => `${now}\n`);
    });
    return undefined;
  },
});

const good = verdictCommand("good", "says that a version works", "what is checked out works");
const bad = verdictCommand("bad", "says that a version does not work", "what is checked out does not work");
const skip = verdictCommand("skip", "leaves a version out", "what is checked out cannot be tested");
const log = logging("log", "lists what was said, in that order", "said");
const chart = logging("chart", "lists what was said, the newest check-in first", "date");
const ls = listing("ls", "lists the check-ins between the known ones");
const status = listing("status", "says how far the search is");

export const bisectCommand = group({
  description: "finds the check-in that broke something",
  examples: [
    { line: "edgesync repo bisect good release-1.0", about: "it worked there" },
    { line: "edgesync repo bisect bad", about: "it does not here: the middle is checked out, to be tested" },
  ],
  subCommands: {
    good: () => good,
    bad: () => bad,
    skip: () => skip,
    next: () => next,
    run: () => run,
    ls: () => ls,
    status: () => status,
    log: () => log,
    chart: () => chart,
    undo: () => undo,
    reset: () => reset,
    options: () => options,
  },
});
