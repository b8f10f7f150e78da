/** `edgesync repo descendants`: the leaves that grew from a check-in. */
import { command, positional } from "./cli-command.ts";
import { withRepository } from "./cli-repository.ts";
import { printEntries, widthArg } from "./cli-timeline.ts";
import { leafDescendants } from "./repo-descendants.ts";
import { resolveName } from "./repo-name.ts";

export const descendantsCommand = command({
  description: "lists the leaves that grew from a check-in, newest first",
  args: {
    version: positional({ description: "the check-in; the checkout's, else tip" }),
    width: widthArg,
  },
  examples: [{ line: "edgesync repo descendants root:feature", about: "what became of it" }],
  run: async ({ version, width }, context) => {
    const entries = await withRepository(context, "read", ({ repo, checkout }) => {
      const options = { type: "ci", ...(checkout !== undefined && { checkout }) } as const;
      const name = version ?? (checkout === undefined ? "tip" : "current");
      return leafDescendants(repo, resolveName(repo, name, options));
    });
    printEntries(entries, width, context);
  },
});
