/**
 * `edgesync repo config`: the settings of a repository. What holds is a file of the tree for some (`.fossil-settings/NAME`), else
 * the repository's row, else what the user set for all repositories; `set` changes the repository's.
 */
import { findCheckout } from "./checkout-place.ts";
import { CheckoutSettings, type FoundSetting, VERSIONED_SETTINGS } from "./checkout-settings.ts";
import { command, flag, group, positional } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { columns } from "./cli-output.ts";
import { worksInCheckout } from "./cli-place.ts";
import { withRepository } from "./cli-repository.ts";
import { suggest } from "./cli-suggest.ts";
import { NameError, UsageError } from "./errors.ts";
import type { Repo } from "./repo.ts";
import { SETTING_NAMES } from "./repo-setting-names.ts";

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
  examples: [{ line: "edgesync repo config ls", about: "name, source and value of each" }],
  run: async (_args, context) => {
    const entries = await withRepository(context, "read", ({ repo }) => {
      const found = new Map<string, FoundSetting & { readonly mtime?: number | undefined }>();
      for (const entry of repo.config.list()) found.set(entry.name, { ...entry, source: "local" });
      for (const entry of settingsHere(repo, context).beyondRepository()) {
        if (entry.source !== "local") found.set(entry.name, entry);
      }
      return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    });
    context.out.result(
      entries.map(({ name, value, source, mtime }) => ({ name, value, source, mtime: mtime ?? null })),
      () => columns(entries.map(({ name, source, value }) => [name, `(${source})`, oneLine(value)])),
    );
  },
});

const oneLine = (value: string) => value.replaceAll("\n", "\\n");

const getCommand = command({
  description: "prints the value of one setting, as it holds here: of the tree, the repository or the user",
  args: { name: positional({ description: "the setting", required: true }) },
  examples: [{ line: "edgesync repo config get project-code", about: "its value alone" }],
  run: async ({ name }, context) => {
    const found = await withRepository(context, "read", ({ repo }) => settingsHere(repo, context).find(name));
    if (found === undefined) throw unset(name);
    context.out.result({ ...found }, () => `${found.value}\n`);
  },
});

/** Of the checkout worked in, when it is one of the repository. */
function settingsHere(repo: Repo, context: CliContext): CheckoutSettings {
  const root = worksInCheckout(context) ? findCheckout(context.globals.checkout)?.root : undefined;
  return new CheckoutSettings({ repo, env: context.env, ...(root !== undefined && { root }) });
}

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
      if (value !== undefined) warnOfTypo(repo, name, context);
      if (value === undefined) repo.config.unset(name);
      else repo.config.set(name, value);
      if (!VERSIONED_SETTINGS.has(name)) return;
      if (settingsHere(repo, context).find(name)?.source !== "versioned") return;
      context.out.note(`WARNING: here the file .fossil-settings/${name} holds instead`);
    });
    context.out.result({ name, value: value ?? null }, () => "");
  },
});

/** Any name may be set, so one that is nearly a known one is only pointed out. */
function warnOfTypo({ config }: Repo, name: string, { out }: CliContext): void {
  if (SETTING_NAMES.includes(name) || config.get(name) !== undefined) return;
  const near = suggest(name, SETTING_NAMES);
  if (near !== undefined) out.note(`WARNING: no setting ${name} is known; did you mean ${near}?`);
}

function unset(name: string): NameError {
  const near = SETTING_NAMES.includes(name) ? undefined : suggest(name, SETTING_NAMES);
  return new NameError(
    "unset",
    `${name} is not set`,
    near === undefined ? {} : { hint: `did you mean ${near}?` },
  );
}
