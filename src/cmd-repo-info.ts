/** `edgesync repo info`: what a repository is and how much it holds. */
import { statSync } from "node:fs";
import { command } from "./cli-command.ts";
import { columns, formatBytes } from "./cli-output.ts";
import { withRepository } from "./cli-repository.ts";
import type { Repo } from "./repo.ts";
import { summarize } from "./repo-summary.ts";

export const infoCommand = command({
  description: "says what a repository is and how much it holds",
  examples: [{ line: "edgesync repo info -R project.fossil", about: "of the named repository" }],
  run: async (_args, context) => {
    const facts = await withRepository(context, "read", ({ repo }) => readFacts(repo));
    context.out.result(facts, () =>
      columns([
        ["repository", facts.repository],
        ["project-name", facts.projectName],
        ["project-code", facts.projectCode],
        ["hash-policy", facts.hashPolicy],
        [
          "artifacts",
          `${facts.artifactCount}${facts.phantomCount > 0 ? `, ${facts.phantomCount} missing` : ""}`,
        ],
        ["check-ins", String(facts.checkInCount)],
        ["last check-in", facts.lastCheckIn === null ? "none" : `${facts.lastCheckIn} UTC`],
        ["size", formatBytes(facts.fileBytes)],
      ]),
    );
  },
});

function readFacts(repo: Repo) {
  const { projectName, projectCode, checkInCount, lastCheckIn } = summarize(repo);
  const [artifactCount, phantomCount] = repo.db
    .prepare("SELECT count(*) FILTER (WHERE size>=0), count(*) FILTER (WHERE size<0) FROM blob")
    .values<[number, number]>()[0]!;
  return {
    repository: repo.path,
    projectName,
    projectCode,
    hashPolicy: repo.config.hashPolicy(),
    artifactCount,
    phantomCount,
    checkInCount,
    lastCheckIn: lastCheckIn ?? null,
    fileBytes: statSync(repo.path).size,
  };
}
