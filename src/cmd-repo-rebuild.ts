/** `edgesync repo rebuild`: computes every derived table anew from the artifacts. */
import { command, option, text } from "./cli-command.ts";
import { findRepository } from "./cli-repository.ts";
import { actingUser } from "./cli-user.ts";
import { EXIT } from "./errors.ts";
import { release } from "./release.ts";
import { Repo } from "./repo.ts";
import { rebuildRepository } from "./repo-rebuild.ts";

export const rebuildCommand = command({
  description: "computes every derived table anew from the artifacts",
  args: {
    user: option(
      { description: "in whose name, should a missing tag have to be made", valueHint: "LOGIN" },
      text,
    ),
  },
  examples: [
    { line: "edgesync repo rebuild -R project.fossil", about: "after damage, or for another schema" },
  ],
  run: async (args, { globals, out, env, clock, random }) => {
    const path = findRepository(globals);
    const repo = Repo.open(path, { mode: "write", clock, random, anyDerivedSchema: true });
    const progress = out.progress("rebuilding");
    try {
      const report = rebuildRepository(repo, {
        user: actingUser(args.user, env, repo.config),
        version: `edgesync ${release.version}`,
        onProgress: ({ artifactCount, artifactTotal }) =>
          progress.update({ doneCount: artifactCount, totalCount: artifactTotal }),
      });
      const { artifactCount, linkedCount } = report;
      const damaged = report.damaged.map(({ hash, error }) => ({ hash, problem: error.message }));
      out.result({ artifactCount, linkedCount, damaged }, () => {
        const lines = damaged.map(({ hash, problem }) => `${hash}: ${problem}\n`).join("");
        return `${lines}${artifactCount} artifacts, ${linkedCount} linked, ${damaged.length} damaged\n`;
      });
      return damaged.length === 0 ? EXIT.done : EXIT.failed;
    } finally {
      progress.end();
      repo.close();
    }
  },
});
