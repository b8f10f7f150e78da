/** `edgesync repo verify`: expands and hashes every artifact, and checks the rows around them. */
import { command } from "./cli-command.ts";
import { findRepository } from "./cli-repository.ts";
import { EXIT } from "./errors.ts";
import { type Executor, inlineExecutor, workerExecutor } from "./executor.ts";
import { createVerifyJobs, type VerifyJobs, verifyRepository } from "./repo-verify.ts";

/** Below this, starting threads takes longer than they save. */
const THREADS_FROM_BYTES = 10_000_000;
const THREAD_MAX_COUNT = 8;

export const verifyCommand = command({
  description: "checks every artifact against its hash, and the tables that hold them",
  examples: [
    { line: "edgesync repo verify -R project.fossil", about: "exit code 1 when something is wrong" },
  ],
  run: async (_args, { globals, out, clock, random }) => {
    const path = findRepository(globals);
    const progress = out.progress("verifying");
    const threadCount = Math.min(navigator.hardwareConcurrency, THREAD_MAX_COUNT);
    const executor: Executor<VerifyJobs> =
      Bun.file(path).size < THREADS_FROM_BYTES
        ? inlineExecutor(createVerifyJobs({ clock, random }))
        : workerExecutor(new URL("./repo-verify-worker.ts", import.meta.url), threadCount);
    const report = await verifyRepository(executor, path, {
      parallelCount: threadCount,
      onProgress: ({ artifactCount, artifactTotal, byteCount }) =>
        progress.update({ doneCount: artifactCount, totalCount: artifactTotal, doneBytes: byteCount }),
    }).finally(() => {
      progress.end();
      return executor.close();
    });
    const { artifactCount, byteCount, phantomCount, waitingCount, problems } = report;
    const problemRows = problems.map(({ code, hash, message }) => ({ code, hash: hash ?? null, message }));
    out.result({ artifactCount, byteCount, phantomCount, waitingCount, problems: problemRows }, () => {
      const missing = phantomCount === 0 ? "" : `, ${phantomCount} missing (${waitingCount} wait for them)`;
      const lines = problems.map(({ message }) => `${message}\n`).join("");
      return `${lines}${artifactCount} artifacts, ${byteCount} bytes${missing}: ${problems.length} problems\n`;
    });
    return problems.length === 0 ? EXIT.done : EXIT.failed;
  },
});
