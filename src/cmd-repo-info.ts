/** `edgesync repo info`: what a repository is and how much it holds. */
import { command } from "./cli-command.ts";
import { columns } from "./cli-output.ts";
import { withRepository } from "./cli-repository.ts";

export const infoCommand = command({
  description: "says what a repository is and how much it holds",
  examples: [{ line: "edgesync repo info -R project.fossil", about: "of the named repository" }],
  run: async (_args, context) => {
    const facts = await withRepository(context, "read", (repo) => ({
      repository: repo.path,
      projectName: repo.config.get("project-name") ?? null,
      projectCode: repo.config.get("project-code") ?? null,
    }));
    context.out.result(facts, () =>
      columns(Object.entries(facts).map(([name, value]) => [name, `${value ?? ""}`])),
    );
  },
});
