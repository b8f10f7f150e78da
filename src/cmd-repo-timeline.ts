/** `edgesync repo timeline`: what happened, newest first. */
import { command, option, text } from "./cli-command.ts";
import { withRepository } from "./cli-repository.ts";
import { terminalWidth } from "./cli-terminal.ts";
import { choice, integer, moment } from "./cli-values.ts";
import { formatDateTime } from "./julian.ts";
import type { EventType } from "./repo-name.ts";
import { describeEntry, entryDay, type TimelineEntry, timeline } from "./repo-timeline.ts";

const TYPES = {
  all: undefined,
  ci: "ci",
  wiki: "w",
  ticket: "t",
  technote: "e",
  tag: "g",
  forum: "f",
} as const satisfies Record<string, EventType | undefined>;
const TYPE_NAMES = Object.keys(TYPES) as (keyof typeof TYPES)[];

/** Columns before the text of an entry: `HH:MM:SS `. */
const INDENT = " ".repeat(9);
const WIDTH_DEFAULT = 79;

export const timelineCommand = command({
  description: "lists what happened, newest first",
  args: {
    limit: option(
      { description: "how many entries; 0 for all", valueHint: "N", alias: ["n"], default: "20" },
      integer(0, 1_000_000_000),
    ),
    type: option(
      { description: `one of ${TYPE_NAMES.join(", ")}`, valueHint: "TYPE", alias: ["t"], default: "all" },
      choice(...TYPE_NAMES),
    ),
    branch: option({ description: "only of this branch or tag", valueHint: "NAME", alias: ["b"] }, text),
    file: option({ description: "only check-ins that changed this file or folder", valueHint: "NAME" }, text),
    by: option({ description: "only of this user", valueHint: "LOGIN" }, text),
    since: option({ description: "not before this date (UTC)", valueHint: "DATE" }, moment("first")),
    until: option({ description: "not after this date (UTC)", valueHint: "DATE" }, moment("last")),
    width: option(
      {
        description: `wrap at this many columns, 0 not at all; default the terminal's, else ${WIDTH_DEFAULT}`,
        valueHint: "N",
        alias: ["W"],
      },
      integer(0, 10_000),
    ),
  },
  examples: [
    { line: "edgesync repo timeline -n 5", about: "the five newest entries" },
    {
      line: "edgesync repo timeline --type ci --file src --since 2026-01-01",
      about: "of a folder, this year",
    },
  ],
  run: async (args, context) => {
    const { out } = context;
    const type = TYPES[args.type];
    const entries = await withRepository(context, "read", ({ repo }) =>
      timeline(repo, {
        ...(args.limit > 0 && { limit: args.limit }),
        ...(type !== undefined && { type }),
        ...(args.branch !== undefined && { branch: args.branch }),
        ...(args.file !== undefined && { file: args.file }),
        ...(args.by !== undefined && { user: args.by }),
        ...(args.since !== undefined && { since: args.since }),
        ...(args.until !== undefined && { until: args.until }),
      }),
    );
    const width = args.width ?? terminalWidth() ?? WIDTH_DEFAULT;
    let lastDay = "";
    for (const entry of entries) {
      const [day, time] = entryDay(entry);
      const heading = day === lastDay ? "" : `=== ${day} ===\n`;
      lastDay = day;
      out.item(toJson(entry), () => heading + wrap(`${time} ${describeEntry(entry)}`, width));
    }
  },
});

function toJson({ rid: _, date, branch, ...entry }: TimelineEntry) {
  return { ...entry, date: formatDateTime(date), branch: branch ?? null };
}

/** Breaks a text between words so that no line is longer than `width`; later lines are indented. */
function wrap(line: string, width: number): string {
  const words = line.split(/\s+/);
  if (width === 0) return `${words.join(" ")}\n`;
  const lines = [words.shift()!];
  for (const word of words) {
    const grown = `${lines.at(-1)} ${word}`;
    if (Bun.stringWidth(grown) <= width) lines[lines.length - 1] = grown;
    else lines.push(INDENT + word);
  }
  return `${lines.join("\n")}\n`;
}
