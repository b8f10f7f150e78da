/** `edgesync repo tag`: tags, listed, set and cancelled. */
import { text as decode } from "./bytes.ts";
import { command, flag, group, positional } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { withRepository } from "./cli-repository.ts";
import { SIGNATURE_ARGS, signature } from "./cli-signature.ts";
import type { MadeControl } from "./repo-control.ts";
import { resolveName } from "./repo-name.ts";
import { changeTag, tagsOf } from "./repo-tag-change.ts";

export const tagCommand = group({
  description: "lists, sets and cancels tags",
  examples: [{ line: "edgesync repo tag add v1.0 trunk", about: "name a version" }],
  subCommands: {
    ls: () => lsCommand,
    add: () => addCommand,
    cancel: () => cancelCommand,
  },
});

const nameArg = positional({ description: "the tag", required: true });
const versionArg = positional({ description: "the artifact", required: true });
const CHANGE_ARGS = {
  raw: flag({ description: "the name as it is: not as a name for a check-in" }),
  dryRun: flag({ description: "print the artifact instead of storing it", alias: ["n"] }),
  ...SIGNATURE_ARGS,
};

const lsCommand = command({
  description: "lists the names that tags give to check-ins, or the tags of one artifact",
  args: {
    version: positional({ description: "the artifact" }),
    raw: flag({ description: "all tags, with their prefixes; cancelled ones too" }),
  },
  examples: [
    { line: "edgesync repo tag ls", about: "all names" },
    { line: "edgesync repo tag ls trunk --raw", about: "of one check-in, with all that is kept as tags" },
  ],
  run: async ({ version, raw }, context) => {
    const shown = await withRepository(context, "read", ({ repo, checkout }) => {
      const rid =
        version === undefined
          ? undefined
          : resolveName(repo, version, { ...(checkout !== undefined && { checkout }) });
      return tagsOf(repo, rid, raw)
        .filter(({ name }) => raw || version !== undefined || name.startsWith("sym-"))
        .map(({ name, value, isCancelled }) => ({
          name: raw ? name : name.replace(/^(?:sym|wiki|tkt|event)-/, ""),
          value: value ?? null,
          isCancelled,
        }));
    });
    context.out.result(shown, () =>
      shown.map(({ name, value }) => `${value ? `${name}=${value}` : name}\n`).join(""),
    );
  },
});

const addCommand = command({
  description: "sets a tag on an artifact; on a check-in it is a name for it",
  args: {
    name: nameArg,
    version: versionArg,
    value: positional({ description: "the tag's value" }),
    propagate: flag({ description: "descendants get it too" }),
    ...CHANGE_ARGS,
  },
  examples: [
    { line: "edgesync repo tag add v1.0 trunk", about: "name a version" },
    { line: "edgesync repo tag add --raw --propagate bgcolor trunk '#c0ffc0'", about: "a property" },
  ],
  run: async (args, context) => {
    const { name, version, value, propagate, raw: isRaw, dryRun: isDry } = args;
    const made = await withRepository(context, "write", ({ repo, checkout }) =>
      changeTag(repo, {
        ...signature(args, repo, context),
        action: propagate ? "*" : "+",
        name,
        ...(value !== undefined && { value }),
        target: resolveName(repo, version, { ...(checkout !== undefined && { checkout }) }),
        isRaw,
        isDry,
      }),
    );
    tell(made, isDry, context);
  },
});

const cancelCommand = command({
  description: "takes a tag off an artifact, and off descendants that have it from there",
  args: { name: nameArg, version: versionArg, ...CHANGE_ARGS },
  examples: [{ line: "edgesync repo tag cancel v1.0 trunk", about: "no longer a name for it" }],
  run: async (args, context) => {
    const { name, version, raw: isRaw, dryRun: isDry } = args;
    const made = await withRepository(context, "write", ({ repo, checkout }) => {
      const target = resolveName(repo, version, { ...(checkout !== undefined && { checkout }) });
      return changeTag(repo, { ...signature(args, repo, context), action: "-", name, target, isRaw, isDry });
    });
    tell(made, isDry, context);
  },
});

function tell({ hash, bytes }: MadeControl, isDry: boolean, { out }: CliContext): void {
  const artifact = decode(bytes);
  out.result({ control: hash, artifact, isStored: !isDry }, () => (isDry ? artifact : ""));
}
