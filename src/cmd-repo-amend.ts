/** `edgesync repo amend`: changes what a check-in says of itself. */
import { text as decode } from "./bytes.ts";
import { command, flag, option, type Parser, positional, text } from "./cli-command.ts";
import { withRepository } from "./cli-repository.ts";
import { SIGNATURE_ARGS, signature } from "./cli-signature.ts";
import { moment } from "./cli-values.ts";
import { UsageError } from "./errors.ts";
import { amend } from "./repo-amend.ts";
import { resolveName } from "./repo-name.ts";

/** A date that is kept as it was written. */
const dateText: Parser<string> = (value) => {
  moment("first")(value);
  return value;
};

export const amendCommand = command({
  description:
    "changes comment, author, date, branch, colour or tags of a check-in, which itself stays as it is",
  args: {
    version: positional({ description: "the check-in", required: true }),
    message: option({ description: "its comment", valueHint: "TEXT", alias: ["m", "comment"] }, text),
    author: option({ description: "its user", valueHint: "LOGIN" }, text),
    date: option({ description: "its date (UTC)", valueHint: "DATE" }, dateText),
    branch: option(
      { description: "move it, and what follows on its branch, to this branch", valueHint: "NAME" },
      text,
    ),
    bgcolor: option({ description: "background in timelines; '' for none", valueHint: "COLOR" }, text),
    branchcolor: option({ description: "the same, handed on to what follows", valueHint: "COLOR" }, text),
    tag: option({ description: "give it this tag", valueHint: "NAME", repeat: true }, text),
    cancel: option({ description: "take this tag off", valueHint: "NAME", repeat: true }, text),
    close: flag({ description: "close it to further check-ins" }),
    hide: flag({ description: "hide it, and what follows, from timelines" }),
    dryRun: flag({ description: "print the artifact instead of storing it", alias: ["n"] }),
    ...SIGNATURE_ARGS,
  },
  examples: [
    { line: 'edgesync repo amend tip -m "Fix the parser"', about: "another comment" },
    { line: "edgesync repo amend 1a2b3c4d --branch aside --close", about: "put it aside" },
  ],
  run: async (args, context) => {
    const { version, message, author, date, branch, bgcolor, branchcolor, tag, cancel, close, hide } = args;
    if (message?.trim() === "")
      throw new UsageError("bad-value", "the comment of a check-in cannot be empty");
    const color = branchcolor ?? bgcolor;
    const made = await withRepository(context, "write", ({ repo, checkout }) =>
      amend(
        repo,
        resolveName(repo, version, { type: "ci", ...(checkout !== undefined && { checkout }) }),
        {
          ...(message !== undefined && { comment: message }),
          ...(author !== undefined && { author }),
          ...(date !== undefined && { date }),
          ...(branch !== undefined && { branch }),
          ...(color !== undefined && { color, propagateColor: branchcolor !== undefined }),
          tags: tag,
          cancel,
          close,
          hide,
        },
        signature(args, repo, context),
        args.dryRun,
      ),
    );
    if (made === undefined) context.out.note("nothing to change");
    const artifact = made === undefined ? "" : decode(made.bytes);
    const value = { control: made?.hash ?? null, artifact, isStored: made !== undefined && !args.dryRun };
    context.out.result(value, () => (args.dryRun ? artifact : made === undefined ? "" : `${made.hash}\n`));
  },
});
