/** `edgesync repo config`: the settings kept in a repository. */
import { command, flag, group, positional } from "./cli-command.ts";
import { columns } from "./cli-output.ts";
import { withRepository } from "./cli-repository.ts";
import { NameError, UsageError } from "./errors.ts";

/** What makes the repository what it is: a change would cut it off from its peers or from stock. */
const FIXED = new Set(["project-code", "server-code", "content-schema", "aux-schema"]);

export const configCommand = group({
  description: "lists, reads, changes and exchanges the settings of a repository",
  examples: [{ line: "edgesync repo config set project-name Apollo", about: "name the project" }],
  subCommands: {
    ls: () => lsCommand,
    get: () => getCommand,
    set: () => setCommand,
    pull: async () => (await import("./cmd-repo-config-exchange.ts")).pullCommand,
    push: async () => (await import("./cmd-repo-config-exchange.ts")).pushCommand,
    sync: async () => (await import("./cmd-repo-config-exchange.ts")).syncCommand,
  },
});

const lsCommand = command({
  description: "lists all settings",
  examples: [{ line: "edgesync repo config ls", about: "name and value of each" }],
  run: async (_args, context) => {
    const entries = await withRepository(context, "read", ({ repo }) => repo.config.list());
    context.out.result(
      entries.map(({ name, value, mtime }) => ({ name, value, mtime: mtime ?? null })),
      () => columns(entries.map(({ name, value }) => [name, value.replaceAll("\n", "\\n")])),
    );
  },
});

const getCommand = command({
  description: "prints the value of one setting",
  args: { name: positional({ description: "the setting", required: true }) },
  examples: [{ line: "edgesync repo config get project-code", about: "its value alone" }],
  run: async ({ name }, context) => {
    const value = await withRepository(context, "read", ({ repo }) => repo.config.get(name));
    if (value === undefined) throw new NameError("unset", `${name} is not set`);
    context.out.result({ name, value }, () => `${value}\n`);
  },
});

const setCommand = command({
  description: "changes or removes one setting",
  args: {
    name: positional({ description: "the setting", required: true }),
    value: positional({ description: "its new value" }),
    unset: flag({ description: "remove it instead" }),
  },
  examples: [
    { line: "edgesync repo config set autosync off", about: "change a setting" },
    { line: "edgesync repo config set autosync --unset", about: "back to its default" },
  ],
  run: async ({ name, value, unset }, context) => {
    if (unset === (value !== undefined))
      throw new UsageError("missing-argument", "give either VALUE or --unset");
    if (FIXED.has(name)) throw new UsageError("fixed-setting", `${name} cannot be changed`);
    await withRepository(context, "write", ({ repo }) => {
      if (value === undefined) repo.config.unset(name);
      else repo.config.set(name, value);
    });
    context.out.result({ name, value: value ?? null }, () => "");
  },
});
