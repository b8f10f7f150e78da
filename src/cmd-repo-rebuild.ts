/** `edgesync repo rebuild`: computes every derived table anew from the artifacts. */
import { command, option, text } from "./cli-command.ts";
import { findRepository } from "./cli-repository.ts";
import { actingUser } from "./cli-user.ts";
import { EXIT } from "./errors.ts";
import { workerExecutor } from "./executor.ts";
import { release } from "./release.ts";
import { Repo } from "./repo.ts";
import { type RebuildOptions, type RebuildReport, rebuildRepository } from "./repo-rebuild.ts";
import { type ReadAheadJobs, rebuildReadingAhead } from "./repo-rebuild-threads.ts";

/** Below this, starting a thread takes longer than it saves. */
const THREAD_FROM_BYTES = 10_000_000;
/** Little is expanded twice. */
const CACHE_BYTES = 8_000_000;

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
    const cacheBytes = CACHE_BYTES;
    const repo = Repo.open(path, { mode: "write", clock, random, anyDerivedSchema: true, cacheBytes });
    const progress = out.progress("rebuilding");
    try {
      const report = await rebuild(path, repo, {
        user: () => actingUser(args.user, env, repo.config),
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

async function rebuild(path: string, repo: Repo, options: RebuildOptions): Promise<RebuildReport> {
  if (Bun.file(path).size < THREAD_FROM_BYTES || navigator.hardwareConcurrency < 2) {
    return rebuildRepository(repo, options);
  }
  const reader = workerExecutor<ReadAheadJobs>(new URL("./repo-rebuild-worker.ts", import.meta.url), 1);
  try {
    return await rebuildReadingAhead(reader, path, repo, options);
  } finally {
    await reader.close();
  }
}
