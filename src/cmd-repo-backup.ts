/** `edgesync repo backup`: a copy of the repository as of one moment. */
import { statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { command, flag, positional } from "./cli-command.ts";
import { findRepository, withRepository } from "./cli-repository.ts";
import { backUp } from "./repo-backup.ts";

export const backupCommand = command({
  description: "copies the repository into a new file, even while it is in use",
  args: {
    file: positional({ description: "the file to make, or the folder to make it in", required: true }),
    overwrite: flag({ description: "replace a file that is there already" }),
  },
  examples: [{ line: "edgesync repo backup /mnt/backup/project.fossil", about: "as of now" }],
  run: async ({ file: place, overwrite }, context) => {
    const asked = resolve(context.globals.checkout, place);
    const isFolder = statSync(asked, { throwIfNoEntry: false })?.isDirectory() ?? false;
    const file = isFolder ? join(asked, basename(findRepository(context.globals))) : asked;
    await withRepository(context, "read", ({ repo }) => backUp(repo, file, overwrite));
    context.out.result({ file, size: statSync(file).size }, () => "");
  },
});
