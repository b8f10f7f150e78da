/** How entries of the timeline are printed: a heading for each day, a time and one wrapped text for each entry. */
import { option } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { terminalWidth } from "./cli-terminal.ts";
import { integer } from "./cli-values.ts";
import { formatDateTime } from "./julian.ts";
import type { Rid } from "./repo-content.ts";
import { describeEntry, entryDay, type TimelineEntry } from "./repo-timeline.ts";

/** Columns before the text of an entry: `HH:MM:SS `. */
const INDENT = 9;
const WIDTH_DEFAULT = 79;

export const widthArg = option(
  {
    description: `wrap at this many columns, 0 not at all; default the terminal's, else ${WIDTH_DEFAULT}`,
    valueHint: "N",
    alias: ["W"],
  },
  integer(0, 10_000),
);

/**
 * Prints entries in the order given, as a stream.
 *
 * @param current the check-in of the checkout worked in
 */
export function printEntries(
  entries: readonly TimelineEntry[],
  width: number | undefined,
  { out }: CliContext,
  current?: Rid,
): void {
  const columns = widthOf(width);
  let lastDay = "";
  for (const entry of entries) {
    const [day, time] = entryDay(entry);
    const heading = day === lastDay ? "" : `=== ${day} ===\n`;
    lastDay = day;
    out.item(
      toJson(entry),
      () => heading + wrap(`${time} ${describeEntry(entry, current)}`, columns, INDENT),
    );
  }
}

/** Where to wrap: where asked, else at the terminal's edge. */
export function widthOf(asked: number | undefined): number {
  return asked ?? terminalWidth() ?? WIDTH_DEFAULT;
}

function toJson({ rid: _, date, branch, ...entry }: TimelineEntry) {
  return { ...entry, date: formatDateTime(date), branch: branch ?? null };
}

/** Breaks a text between words so that no line is longer than `width` (0: any); later lines are indented. */
export function wrap(line: string, width: number, indent: number): string {
  const words = line.split(/\s+/);
  if (width === 0) return `${words.join(" ")}\n`;
  const lines = [words.shift()!];
  for (const word of words) {
    const grown = `${lines.at(-1)} ${word}`;
    if (Bun.stringWidth(grown) <= width) lines[lines.length - 1] = grown;
    else lines.push(" ".repeat(indent) + word);
  }
  return `${lines.join("\n")}\n`;
}
