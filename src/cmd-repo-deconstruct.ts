/** `edgesync repo deconstruct` and `reconstruct`: a repository as a folder of artifacts, and back. */
import { resolve } from "node:path";
import { badValue, command, flag, option, positional, text } from "./cli-command.ts";
import { columns } from "./cli-output.ts";
import { withRepository } from "./cli-repository.ts";
import { actingUser } from "./cli-user.ts";
import { integer } from "./cli-values.ts";
import { release } from "./release.ts";
import { Repo } from "./repo.ts";
import { deconstruct, reconstruct } from "./repo-deconstruct.ts";
import { rebuildRepository } from "./repo-rebuild.ts";

const PREFIX_MAX = 9;

export const deconstructCommand = command({
  description: "writes each artifact into a file of its own",
  args: {
    folder: positional({ description: "where to; it is made", required: true }),
    prefixlength: option(
      { description: "digits of the hash that name a folder", valueHint: "N", alias: ["L"], default: "2" },
      integer(0, PREFIX_MAX),
    ),
    private: flag({ description: "private artifacts, too" }),
    keepPrivate: flag({ description: "and a list of them, .private", alias: ["P"] }),
    keepRid1: flag({ description: "note in .rid1 which artifact came first", alias: ["K"] }),
  },
  examples: [{ line: "edgesync repo deconstruct artifacts -R project.fossil", about: "artifacts/1a/2b3c…" }],
  run: async (args, context) => {
    const { globals, out } = context;
    const folder = resolve(globals.checkout, args.folder);
    const progress = out.progress("deconstruct");
    const count = await withRepository(context, "read", ({ repo }) =>
      deconstruct(repo, folder, {
        prefixLength: args.prefixlength,
        withPrivate: args.private,
        listPrivate: args.keepPrivate,
        nameFirst: args.keepRid1,
        onProgress: (doneCount, totalCount) => progress.update({ doneCount, totalCount }),
      }),
    );
    progress.end();
    out.result({ folder, artifactCount: count }, () => `${count} artifacts\n`);
  },
});

const projectCode = (value: string) =>
  /^[0-9a-f]{40}$/.test(value) ? value : badValue("40 digits, 0 to 9 and a to f", value);

export const reconstructCommand = command({
  description: "makes a repository from files that hold artifacts",
  args: {
    file: positional({ description: "the repository to make", required: true }),
    folder: positional({ description: "where the artifacts are", required: true }),
    keepPrivate: flag({ description: "what .private lists is private", alias: ["P"] }),
    keepRid1: flag({ description: "what .rid1 names comes first", alias: ["K"] }),
    projectCode: option(
      { description: "the project's code; a new one unless given", valueHint: "CODE" },
      projectCode,
    ),
    user: option(
      { description: "login of its administrator; else $USER", valueHint: "NAME", alias: ["A"] },
      text,
    ),
  },
  examples: [{ line: "edgesync repo reconstruct new.fossil artifacts", about: "what deconstruct wrote" }],
  run: async (args, { globals, out, env, clock, random }) => {
    const user = actingUser(args.user, env);
    const progress = out.progress("reconstruct");
    let artifactCount = 0;
    const initialize = (made: Repo) => {
      artifactCount = reconstruct(made, resolve(globals.checkout, args.folder), {
        readPrivate: args.keepPrivate,
        readFirst: args.keepRid1,
        onProgress: (doneCount) => progress.update({ doneCount, noun: "artifacts" }),
      });
      rebuildRepository(made, { user: () => user, version: `edgesync ${release.version}` });
    };
    const code = args.projectCode === undefined ? {} : { projectCode: args.projectCode };
    const repo = Repo.create(args.file, { clock, random, user, initialize, ...code });
    try {
      progress.end();
      const made = repo.config.get("project-code")!;
      out.result({ repository: args.file, projectCode: made, user, artifactCount }, () =>
        columns([
          ["repository", args.file],
          ["project-code", made],
          ["administrator", user],
          ["artifacts", String(artifactCount)],
        ]),
      );
    } finally {
      repo.close();
    }
  },
});
