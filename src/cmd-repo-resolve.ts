/** `edgesync repo resolve`: the artifact that a name stands for. */
import { command, option, positional } from "./cli-command.ts";
import { withRepository } from "./cli-repository.ts";
import { choice } from "./cli-values.ts";
import { resolveName } from "./repo-name.ts";

const TYPES = { any: "*", ci: "ci", wiki: "w", ticket: "t", technote: "e", tag: "g", forum: "f" } as const;
const TYPE_NAMES = Object.keys(TYPES) as (keyof typeof TYPES)[];

export const resolveCommand = command({
  description: "prints the whole hash of the artifact that a name stands for",
  args: {
    name: positional({
      description: "tip, a branch, a tag, a date, 4 digits or more of a hash, root:BRANCH, …",
      required: true,
    }),
    type: option(
      {
        description: `only artifacts of this type: ${TYPE_NAMES.join(", ")}`,
        valueHint: "TYPE",
        alias: ["t"],
        default: "any",
      },
      choice(...TYPE_NAMES),
    ),
  },
  examples: [
    { line: "edgesync repo resolve trunk", about: "the newest check-in of a branch" },
    { line: "edgesync repo resolve 2026-01-31 --type ci", about: "the last check-in of that day or before" },
  ],
  run: async ({ name, type }, context) => {
    const hash = await withRepository(context, "read", ({ repo, checkout }) =>
      repo.content.hashOf(
        resolveName(repo, name, { type: TYPES[type], ...(checkout !== undefined && { checkout }) }),
      ),
    );
    context.out.result({ name, hash }, () => `${hash}\n`);
  },
});
