/** `edgesync repo private`: private artifacts, listed, made public, or taken away for good. */
import { command, flag, group, option, positional, text } from "./cli-command.ts";
import { withRepository } from "./cli-repository.ts";
import { actingUser } from "./cli-user.ts";
import { UsageError } from "./errors.ts";
import { formatDateTime } from "./julian.ts";
import { release } from "./release.ts";
import { branchOf } from "./repo-branch.ts";
import { resolveName } from "./repo-name.ts";
import { privateArtifacts, publish, scrubPrivate, scrubSecrets } from "./repo-private.ts";

export const privateCommand = group({
  description: "lists, publishes and removes private artifacts",
  examples: [{ line: "edgesync repo private publish my-branch", about: "the next sync sends it" }],
  subCommands: { ls: () => lsCommand, publish: () => publishCommand, scrub: () => scrubCommand },
});

const lsCommand = command({
  description: "lists private check-ins",
  args: { all: flag({ description: "all artifacts, not only check-ins", alias: ["a"] }) },
  examples: [{ line: "edgesync repo private ls --all", about: "files and tags too" }],
  run: async ({ all }, context) => {
    const artifacts = await withRepository(context, "read", ({ repo }) => privateArtifacts(repo, all));
    const shown = artifacts.map(({ date, type, user, comment, ...rest }) => ({
      ...rest,
      type: type ?? null,
      date: date === undefined ? null : formatDateTime(date),
      user: user ?? null,
      comment: comment ?? null,
    }));
    context.out.result(shown, () =>
      shown
        .map(({ hash, date, user, comment, size }) =>
          date === null
            ? `${hash.slice(0, 10)} ${size} bytes\n`
            : `${hash.slice(0, 10)} ${date} ${user ?? ""}: ${comment ?? ""}\n`,
        )
        .join(""),
    );
  },
});

const publishCommand = command({
  description: "makes private artifacts public, with the files and tags of check-ins",
  args: {
    names: positional({
      description: "check-ins or other artifacts; a branch stands for all that follows its first check-in",
      required: true,
      repeat: true,
    }),
    only: flag({ description: "these artifacts alone, without files and tags" }),
  },
  examples: [{ line: "edgesync repo private publish my-branch", about: "a whole branch" }],
  run: async ({ names, only }, context) => {
    const hashes = await withRepository(context, "write", ({ repo, checkout }) => {
      const targets = names.map((name) => {
        const rid = resolveName(repo, name, { ...(checkout !== undefined && { checkout }) });
        return { rid, isBranch: branchOf(repo, rid) === name };
      });
      return publish(repo, targets, only);
    });
    context.out.result({ published: hashes }, () => `${hashes.length} artifacts published\n`);
  },
});

const scrubCommand = command({
  description: "removes private artifacts for good, so that the file can be given away",
  args: {
    force: flag({ description: "yes, really: there is no way back", alias: ["f"] }),
    secrets: flag({ description: "also passwords, and addresses of remotes and peers" }),
    user: option(
      { description: "in whose name, should a missing tag have to be made", valueHint: "LOGIN" },
      text,
    ),
  },
  examples: [
    {
      line: "edgesync repo private scrub --force --secrets -R copy.fossil",
      about: "on a copy, before it is handed out",
    },
  ],
  run: async (args, context) => {
    if (!args.force) {
      throw new UsageError("not-forced", "this removes private artifacts for good", {
        hint: "add --force if that is what you want",
      });
    }
    const removed = await withRepository(context, "write", ({ repo }) => {
      const count = scrubPrivate(repo, {
        user: () => actingUser(args.user, context.env, repo.config),
        version: `edgesync ${release.version}`,
      });
      if (args.secrets) scrubSecrets(repo);
      return count;
    });
    context.out.result({ removed, secrets: args.secrets }, () => `${removed} artifacts removed\n`);
  },
});
