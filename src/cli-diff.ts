/** Options that say how a difference is shown, and the printing of one. Of check-ins and of checkouts alike. */
import { type Args, flag, option, type Values } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { integer } from "./cli-values.ts";
import {
  briefLine,
  Counts,
  type FilePair,
  fileReport,
  type ReportOptions,
  unifiedReport,
} from "./diff-report.ts";
import { CONTEXT_LINES } from "./diff-text.ts";

const LINES_MAX = 1_000_000_000;

export const DIFF_ARGS = {
  unified: option(
    {
      description: "lines around each change; -1 for all",
      valueHint: "N",
      alias: ["U", "c", "context"],
      default: String(CONTEXT_LINES),
    },
    integer(-1, LINES_MAX),
  ),
  stat: flag({ description: "only how many lines of each file", alias: ["s", "numstat"] }),
  brief: flag({ description: "only names" }),
  newFile: flag({ description: "also the text of files added or deleted", alias: ["N"] }),
  ignoreAllSpace: flag({ description: "blanks do not count", alias: ["w"] }),
  ignoreTrailingSpace: flag({ description: "blanks at the ends of lines do not count", alias: ["Z"] }),
  stripTrailingCr: flag({ description: "carriage returns at the ends of lines do not count" }),
  invert: flag({ description: "the other way round" }),
} satisfies Args;

function reportOptions(args: Values<typeof DIFF_ARGS>): ReportOptions {
  return {
    context: args.unified < 0 ? LINES_MAX : args.unified,
    verbose: args.newFile,
    stripCr: args.stripTrailingCr,
    ...(args.ignoreTrailingSpace && { ignore: "trailing-space" }),
    ...(args.ignoreAllSpace && { ignore: "all-space" }),
  };
}

/** Prints how files differ, as they come. */
export function printDiff(
  pairs: Iterable<FilePair>,
  args: Values<typeof DIFF_ARGS>,
  { out }: Pick<CliContext, "out">,
): void {
  const options = reportOptions(args);
  const print = (text: string) => out.bytes(Buffer.from(text, "latin1"));
  const isStat = args.stat && !out.json;
  const counts = new Counts();
  if (isStat && !args.brief) print(Counts.heading);
  for (const given of pairs) {
    const { from, to } = given;
    const isInverted = args.invert && from !== undefined && to !== undefined;
    const pair = isInverted ? { ...given, from: to, to: from } : given;
    if (out.json) out.item(fileReport(pair, options), () => "");
    else if (isStat) {
      const line = counts.line(pair, options);
      if (!args.brief) print(line);
    } else print(args.brief ? briefLine(pair) : unifiedReport(pair, options));
  }
  if (isStat) print(counts.total());
}
