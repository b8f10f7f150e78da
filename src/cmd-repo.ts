/** `edgesync repo …`: everything that is done to one repository file. Each command is loaded on its own. */
import { group } from "./cli-command.ts";

export const repoCommand = group({
  description: "works on one repository file",
  examples: [
    { line: "edgesync repo new project.fossil", about: "make a repository" },
    { line: "edgesync repo info -R project.fossil", about: "see what is in it" },
  ],
  subCommands: {
    new: async () => (await import("./cmd-repo-new.ts")).newCommand,
    info: async () => (await import("./cmd-repo-info.ts")).infoCommand,
  },
});
