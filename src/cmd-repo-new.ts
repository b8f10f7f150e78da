/** `edgesync repo new`: makes a repository with an empty first check-in, as stock does. */
import { command, option, positional, text } from "./cli-command.ts";
import { columns } from "./cli-output.ts";
import { actingUser } from "./cli-user.ts";
import { Repo } from "./repo.ts";
import { addInitialCheckIn } from "./repo-checkin.ts";

export const newCommand = command({
  description: "makes a new repository with an empty first check-in",
  args: {
    file: positional({ description: "the file to make", required: true }),
    user: option(
      { description: "login of its administrator; else $USER", valueHint: "NAME", alias: ["A"] },
      text,
    ),
    projectName: option({ description: "name of the project", valueHint: "NAME" }, text),
  },
  examples: [
    { line: "edgesync repo new project.fossil", about: "you become its administrator" },
    { line: "edgesync repo new p.fossil --user ann --project-name Apollo", about: "with a name" },
  ],
  run: async (args, { clock, random, out, env }) => {
    const user = actingUser(args.user, env);
    const projectName = args.projectName === undefined ? {} : { projectName: args.projectName };
    const initialize = (repo: Repo) => addInitialCheckIn(repo, user);
    const repo = Repo.create(args.file, { clock, random, user, initialize, ...projectName });
    try {
      const projectCode = repo.config.get("project-code")!;
      out.result({ repository: args.file, projectCode, user }, () =>
        columns([
          ["repository", args.file],
          ["project-code", projectCode],
          ["administrator", user],
        ]),
      );
    } finally {
      repo.close();
    }
  },
});
