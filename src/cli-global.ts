/** The options that every command has, and those that only long-running ones have. */
import { type Args, flag, option, text, type Values } from "./cli-command.ts";
import type { GlobalValues } from "./cli-context.ts";

export const GLOBAL_ARGS = {
  repository: option(
    {
      description: "the repository; else the open checkout's, else the only *.fossil here",
      valueHint: "FILE",
      alias: ["R", "repo"],
    },
    text,
  ),
  checkout: option(
    {
      description: "the folder to work in: a checkout, or where the repository is",
      valueHint: "DIR",
      alias: ["C"],
      default: ".",
    },
    text,
  ),
  json: flag({ description: "results as JSON" }),
  verbose: flag({ description: "say more on stderr", alias: ["v"] }),
  quiet: flag({ description: "errors only on stderr", alias: ["q"] }),
  color: flag({ description: "use colours, as with NO_COLOR set", default: "true" }),
  help: flag({ description: "what the command does, with an example", alias: ["h"] }),
} satisfies Args;

export const DAEMON_ARGS = {
  config: option({ description: "read options from this TOML file", valueHint: "FILE" }, text),
} satisfies Args;

/** Picks the values a command is given through its context. */
export function globalValues(values: Values<typeof GLOBAL_ARGS>): GlobalValues {
  const { help: _, ...rest } = values;
  return rest;
}
