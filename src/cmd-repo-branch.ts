/** `edgesync repo branch`: branches, listed, begun, closed and opened again. */
import { CheckoutSettings } from "./checkout-settings.ts";
import { command, type Example, flag, group, option, positional, text } from "./cli-command.ts";
import { withRepository } from "./cli-repository.ts";
import { SIGNATURE_ARGS, signature, signerFor } from "./cli-signature.ts";
import { EXIT } from "./errors.ts";
import { formatDateTime } from "./julian.ts";
import { branchOf } from "./repo-branch.ts";
import { branches, changeClosed, newBranch } from "./repo-branch-change.ts";
import { resolveName } from "./repo-name.ts";

export const branchCommand = group({
  description: "lists, begins, closes and reopens branches",
  examples: [{ line: "edgesync repo branch new feature trunk", about: "begin a branch" }],
  subCommands: {
    ls: () => lsCommand,
    new: () => newCommand,
    close: () => closeCommand,
    reopen: () => reopenCommand,
  },
});

const lsCommand = command({
  description: "lists the open branches; * marks the checkout's, # private ones",
  args: {
    glob: positional({ description: "only names that match, with * and ?" }),
    all: flag({ description: "closed ones too", alias: ["a"] }),
    closed: flag({ description: "only closed ones", alias: ["c"] }),
    private: flag({ description: "only private ones", alias: ["p"] }),
    recent: flag({ description: "the most recently changed first", alias: ["t"] }),
    reverse: flag({ description: "the other way round", alias: ["r"] }),
  },
  examples: [
    { line: "edgesync repo branch ls", about: "open ones" },
    { line: "edgesync repo branch ls -at 'release-*'", about: "all of a kind, newest first" },
  ],
  run: async (args, context) => {
    const shown = await withRepository(context, "read", ({ repo, checkout }) => {
      const current = checkout === undefined ? undefined : branchOf(repo, checkout);
      const glob = new Bun.Glob(args.glob ?? "**");
      const chosen = branches(repo).filter(
        ({ name, isClosed, isPrivate }) =>
          (args.all || isClosed === args.closed) &&
          (!args.private || isPrivate) &&
          (args.glob === undefined || glob.match(name)),
      );
      if (args.recent) chosen.sort((a, b) => b.date - a.date);
      if (args.reverse) chosen.reverse();
      return chosen.map((branch) => ({ ...branch, isCurrent: branch.name === current }));
    });
    context.out.result(
      shown.map(({ date, ...branch }) => ({ ...branch, date: formatDateTime(date) })),
      () =>
        shown
          .map(({ name, isPrivate, isCurrent }) => {
            const mark = isPrivate && !args.private ? "#" : " ";
            return `${mark}${isCurrent ? "* " : "  "}${name}\n`;
          })
          .join(""),
    );
  },
});

const newCommand = command({
  description: "begins a branch at a check-in",
  args: {
    name: positional({ description: "its name", required: true }),
    basis: positional({ description: "the check-in it grows from", required: true }),
    bgcolor: option({ description: "background in timelines", valueHint: "COLOR" }, text),
    private: flag({ description: "keep the branch out of syncs" }),
    sign: flag({ description: "sign the manifest where the setting clearsign says so", default: "true" }),
    ...SIGNATURE_ARGS,
  },
  examples: [
    { line: "edgesync repo branch new feature trunk", about: "prints the hash of its first check-in" },
  ],
  run: async (args, context) => {
    const { name, basis, bgcolor: color, private: isPrivate } = args;
    const hash = await withRepository(context, "write", async ({ repo, checkout }) => {
      const sign = args.sign ? await signerFor(new CheckoutSettings({ repo, env: context.env })) : undefined;
      return newBranch(repo, {
        ...signature(args, repo, context),
        name,
        basis: resolveName(repo, basis, { type: "ci", ...(checkout !== undefined && { checkout }) }),
        isPrivate,
        ...(sign !== undefined && { sign }),
        ...(color !== undefined && { color }),
      });
    });
    context.out.result({ name, hash }, () => `New branch: ${hash}\n`);
  },
});

const closeCommand = changing(true, "closes leaves: nothing can be committed on top of them", {
  line: "edgesync repo branch close feature",
  about: "the branch is no longer listed",
});

const reopenCommand = changing(false, "opens closed leaves again", {
  line: "edgesync repo branch reopen feature",
  about: "by cancelling the tag closed",
});

function changing(close: boolean, description: string, example: Example) {
  return command({
    description,
    args: {
      names: positional({ description: "branches, or leaves", required: true, repeat: true }),
      ...SIGNATURE_ARGS,
    },
    examples: [example],
    run: async (args, context) => {
      const { control, changed, skipped } = await withRepository(context, "write", ({ repo }) => {
        const leaves = args.names.map((name) => resolveName(repo, name, { type: "ci" }));
        return changeClosed(repo, leaves, close, signature(args, repo, context));
      });
      for (const { hash, why } of skipped) context.out.note(`${hash.slice(0, 10)} left out: ${why}`);
      context.out.result({ control: control?.hash ?? null, changed, skipped }, () =>
        control === undefined ? "" : `Saved new control artifact ${control.hash}.\n`,
      );
      return control === undefined ? EXIT.failed : EXIT.done;
    },
  });
}
