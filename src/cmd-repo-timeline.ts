/** `edgesync repo timeline`: what happened, newest first. */
import { command, option, text } from "./cli-command.ts";
import { repositoryName } from "./cli-place.ts";
import { withRepository } from "./cli-repository.ts";
import { printEntries, widthArg } from "./cli-timeline.ts";
import { choice, integer, moment } from "./cli-values.ts";
import type { EventType } from "./repo-name.ts";
import { timeline } from "./repo-timeline.ts";

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
    width: widthArg,
  },
  examples: [
    { line: "edgesync repo timeline -n 5", about: "the five newest entries" },
    {
      line: "edgesync repo timeline --type ci --file src --since 2026-01-01",
      about: "of a folder, this year",
    },
  ],
  run: async (args, context) => {
    const type = TYPES[args.type];
    const file = args.file === undefined ? undefined : repositoryName(context, args.file);
    const { entries, checkout } = await withRepository(context, "read", ({ repo, checkout }) => ({
      checkout,
      entries: timeline(repo, {
        ...(args.limit > 0 && { limit: args.limit }),
        ...(type !== undefined && { type }),
        ...(args.branch !== undefined && { branch: args.branch }),
        ...(file !== undefined && file !== "" && { file }),
        ...(args.by !== undefined && { user: args.by }),
        ...(args.since !== undefined && { since: args.since }),
        ...(args.until !== undefined && { until: args.until }),
      }),
    }));
    printEntries(entries, args.width, context, checkout);
  },
});
