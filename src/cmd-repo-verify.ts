/** `edgesync repo verify`: expands and hashes every artifact, and checks the rows around them. */
import { command } from "./cli-command.ts";
import { findRepository } from "./cli-repository.ts";
import { EXIT } from "./errors.ts";
import { inlineExecutor } from "./executor.ts";
import { createVerifyJobs, verifyRepository } from "./repo-verify.ts";

export const verifyCommand = command({
  description: "checks every artifact against its hash, and the tables that hold them",
  examples: [
    { line: "edgesync repo verify -R project.fossil", about: "exit code 1 when something is wrong" },
  ],
  run: async (_args, { globals, out, clock, random }) => {
    const path = findRepository(globals);
    const progress = out.progress("verifying");
    const executor = inlineExecutor(createVerifyJobs({ clock, random }));
    const report = await verifyRepository(executor, path, {
      onProgress: ({ artifactCount, artifactTotal, byteCount }) =>
        progress.update({ doneCount: artifactCount, totalCount: artifactTotal, doneBytes: byteCount }),
    }).finally(() => progress.end());
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
