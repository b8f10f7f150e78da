/** `edgesync repo shun`: artifacts that a repository is to be rid of. */
import { command, group, option, positional, text } from "./cli-command.ts";
import { columns } from "./cli-output.ts";
import { withRepository } from "./cli-repository.ts";
import { actingUser } from "./cli-user.ts";
import { EXIT, NameError, UsageError } from "./errors.ts";
import { type Hash, isHash } from "./hash.ts";
import { formatDateTime } from "./julian.ts";
import { release } from "./release.ts";
import { rebuildRepository } from "./repo-rebuild.ts";
import { shun, shunList, unshun } from "./repo-shun.ts";

export const shunCommand = group({
  description: "shuns artifacts: they are neither taken nor sent, and their content can be removed",
  examples: [
    { line: "edgesync repo shun add 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", about: "shun spam" },
    { line: "edgesync repo shun purge", about: "remove the content of all that is shunned" },
  ],
  subCommands: {
    ls: () => lsCommand,
    add: () => addCommand,
    rm: () => rmCommand,
    purge: () => purgeCommand,
  },
});

const hashesArg = positional({
  description: "whole hashes: 40 or 64 hex digits each",
  required: true,
  repeat: true,
});

const lsCommand = command({
  description: "lists the shunned artifacts",
  examples: [{ line: "edgesync repo shun ls", about: "hash, date, whether it is still here, and why" }],
  run: async (_args, context) => {
    const list = await withRepository(context, "read", ({ repo }) => shunList(repo));
    const shown = list.map(({ hash, mtime, comment, isHere }) => ({
      hash,
      date: mtime === undefined ? null : formatDateTime(mtime * 1000),
      comment: comment ?? null,
      isHere,
    }));
    context.out.result(shown, () =>
      columns(
        shown.map(({ hash, date, comment, isHere }) => [
          hash,
          date ?? "",
          isHere ? "here" : "gone",
          comment ?? "",
        ]),
      ),
    );
  },
});

const addCommand = command({
  description: "shuns artifacts, whether they are here or not; their content stays until a purge",
  args: {
    hashes: hashesArg,
    comment: option({ description: "why", valueHint: "TEXT" }, text),
  },
  examples: [
    {
      line: 'edgesync repo shun add 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b --comment "spam"',
      about: "peers that pull the area shun of the configuration shun it too",
    },
  ],
  run: async ({ hashes, comment }, context) => {
    const all = hashes.map(wholeHash);
    const added = await withRepository(context, "write", ({ repo }) =>
      repo.db.write(() => all.map((hash) => ({ hash, isNew: shun(repo, hash, comment) }))),
    );
    for (const { hash, isNew } of added) if (!isNew) context.out.note(`${hash} was shunned already`);
    context.out.result(added, () => "");
  },
});

const rmCommand = command({
  description: "takes artifacts off the list; their content has to come from a peer",
  args: { hashes: hashesArg },
  examples: [
    { line: "edgesync repo shun rm 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", about: "it is welcome again" },
  ],
  run: async ({ hashes }, context) => {
    await withRepository(context, "write", ({ repo }) =>
      repo.db.write(() => {
        for (const hash of hashes.map(wholeHash)) {
          if (!unshun(repo, hash)) throw new NameError("not-shunned", `${hash} is not shunned`);
        }
      }),
    );
    context.out.result({ hashes }, () => "");
  },
});

const purgeCommand = command({
  description: "removes the content of shunned artifacts, and rebuilds",
  args: {
    user: option(
      { description: "in whose name, should a missing tag have to be made", valueHint: "LOGIN" },
      text,
    ),
  },
  examples: [{ line: "edgesync repo shun purge", about: "as fossil rebuild does" }],
  run: async ({ user }, context) => {
    const progress = context.out.progress("rebuilding");
    try {
      const purged = await withRepository(context, "write", ({ repo }) => {
        const before = shunList(repo).filter(({ isHere }) => isHere);
        rebuildRepository(repo, {
          user: () => actingUser(user, context.env, repo.config),
          version: `edgesync ${release.version}`,
          onProgress: ({ artifactCount, artifactTotal }) =>
            progress.update({ doneCount: artifactCount, totalCount: artifactTotal }),
        });
        return before.map(({ hash }) => hash);
      });
      context.out.result({ purged }, () => `${purged.length} artifacts removed\n`);
      return EXIT.done;
    } finally {
      progress.end();
    }
  },
});

/** @throws UsageError `not-a-hash` */
function wholeHash(text: string): Hash {
  const hash = text.toLowerCase();
  if (isHash(hash)) return hash;
  throw new UsageError("not-a-hash", `${JSON.stringify(text)} is no whole hash of 40 or 64 hex digits`, {
    hint: "an artifact is shunned by its whole hash: see edgesync repo info and timeline --json",
  });
}
