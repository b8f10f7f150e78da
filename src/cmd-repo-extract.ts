/**
 * `edgesync repo extract`: files of a check-in into a folder, without a checkout. Nothing is written when one of the names may
 * not be written there, or when a file is in the way. Symbolic links are made where the setting `allow-symlinks` is on;
 * else a file with the path takes their place, as in a checkout.
 */
import { resolve } from "node:path";
import { SafeTree } from "./checkout-path.ts";
import { CheckoutSettings } from "./checkout-settings.ts";
import { command, flag, option, positional, text } from "./cli-command.ts";
import { withRepository } from "./cli-repository.ts";
import { NameError, RepoError } from "./errors.ts";
import { type CheckInFile, listFiles } from "./repo-files.ts";
import { resolveName } from "./repo-name.ts";
import { isAmong } from "./repo-tree-diff.ts";

export const extractCommand = command({
  description: "writes files of a check-in into a folder, without a checkout",
  args: {
    files: positional({ description: "files, and folders with all in them; everything", repeat: true }),
    version: option({ description: "the check-in; the checkout's, else tip", valueHint: "VERSION" }, text),
    output: option({ description: "the folder; the one worked in", valueHint: "DIR", alias: ["o"] }, text),
    force: flag({ description: "replace files that are there", alias: ["f"] }),
  },
  examples: [
    { line: "edgesync repo extract --version v1.0 -o /tmp/v1.0", about: "all files of a version" },
    { line: "edgesync repo extract src/main.c --version trunk", about: "one file, to where we are" },
  ],
  run: async (args, context) => {
    const { globals, env, out } = context;
    const written = await withRepository(context, "read", ({ repo, checkout }) => {
      const version = args.version ?? (checkout === undefined ? "tip" : "current");
      const checkIn = resolveName(repo, version, {
        type: "ci",
        ...(checkout !== undefined && { checkout }),
      });
      const paths = args.files.map((file) => file.replace(/^\.\/|\/+$/g, ""));
      const files = listFiles(repo, checkIn).filter(({ name }) => isAmong(name, paths));
      refuseUnknown(paths, files);
      const tree = new SafeTree(resolve(globals.checkout, args.output ?? "."));
      for (const { name } of files) {
        if (tree.stat(name) !== undefined && !args.force) {
          throw new RepoError("file-exists", `${JSON.stringify(name)} is there already`, {
            hint: "add --force to replace files",
          });
        }
      }
      const { allowsLinks } = new CheckoutSettings({ repo, root: tree.root, env });
      const progress = out.progress("extract");
      for (const [i, { name, rid, hash, permission }] of files.entries()) {
        const content = rid === undefined ? undefined : repo.content.get(rid);
        if (content === undefined) throw missing(hash);
        tree.write(name, content, permission === "l" && !allowsLinks ? "" : permission);
        progress.update({ doneCount: i + 1, totalCount: files.length, noun: "files" });
      }
      progress.end();
      return { folder: tree.root, files: files.map(({ name }) => name) };
    });
    out.result(written, () => written.files.map((name) => `${name}\n`).join(""));
  },
});

function refuseUnknown(paths: readonly string[], files: readonly CheckInFile[]): void {
  const unknown = paths.find((path) => !files.some(({ name }) => isAmong(name, [path])));
  if (unknown === undefined) return;
  throw new NameError("no-such-file", `the check-in has nothing named ${JSON.stringify(unknown)}`, {
    hint: "edgesync repo ls lists the files",
  });
}

function missing(hash: string): RepoError {
  return new RepoError("content-missing", `the content of artifact ${hash} is not in this repository`, {
    hint: "sync with a peer that has it",
  });
}
