/**
 * `edgesync repo ci`: a check-in straight from files, without a checkout. The files named, and all files
 * below the folders named, are added to those of the parent or replace them; names in the repository are
 * relative to the folder worked in (`-C`). Symbolic links are stored as such, and the executable bit is
 * kept.
 */
import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { isReservedName } from "./artifact-names.ts";
import { utf8 } from "./bytes.ts";
import { command, flag, option, positional, text } from "./cli-command.ts";
import { withRepository } from "./cli-repository.ts";
import { actingUser } from "./cli-user.ts";
import { RepoError, UsageError } from "./errors.ts";
import { formatDateTime } from "./julian.ts";
import { commit } from "./repo-checkin.ts";
import type { FileEdit } from "./repo-checkin-tree.ts";
import { resolveName } from "./repo-name.ts";

export const ciCommand = command({
  description: "checks files in, without a checkout",
  args: {
    files: positional({
      description: "files, or folders for all that is in them",
      required: true,
      repeat: true,
    }),
    message: option({ description: "what changed and why", valueHint: "TEXT", alias: ["m"] }, text),
    branch: option({ description: "the branch; a new one is made", valueHint: "NAME" }, text),
    tag: option({ description: "give the check-in this tag", valueHint: "NAME", repeat: true }, text),
    user: option({ description: "in whose name", valueHint: "LOGIN" }, text),
    parent: option(
      { description: "the check-in to build on; the branch's newest", valueHint: "VERSION" },
      text,
    ),
    private: flag({ description: "keep the check-in out of syncs" }),
    allowFork: flag({ description: "even when the parent has a child on this branch" }),
  },
  examples: [
    { line: 'edgesync repo ci -R p.fossil -m "Fix the parser" src/parser.ts', about: "one file" },
    {
      line: "edgesync repo ci -R p.fossil -C project -m Import --branch vendor .",
      about: "a folder, on a branch",
    },
  ],
  run: async (args, context) => {
    const { message, branch, parent, tag } = args;
    if (message === undefined || message.trim() === "") {
      throw new UsageError("missing-argument", "a check-in needs a message", { hint: "add -m TEXT" });
    }
    const edits = args.files.flatMap((file) => readEdits(context.globals.checkout, file));
    const made = await withRepository(context, "write", ({ repo, checkout }) => {
      if (checkout !== undefined) {
        throw new UsageError("in-checkout", "this is a checkout, which would not notice the check-in", {
          hint: "use fossil commit here, or work in a folder outside of it",
        });
      }
      return commit(repo, {
        edits,
        comment: message,
        user: actingUser(args.user, context.env, repo.config),
        ...(branch !== undefined && { branch }),
        ...(parent !== undefined && { parent: resolveName(repo, parent, { type: "ci" }) }),
        tags: tag,
        isPrivate: args.private,
        allow: { fork: args.allowFork },
      });
    });
    const { hash, date, branch: onBranch, isPrivate, isFork } = made;
    context.out.result(
      { hash, date: formatDateTime(date), branch: onBranch, isPrivate, isFork },
      () => `${hash}\n`,
    );
  },
});

function readEdits(folder: string, file: string): FileEdit[] {
  const path = resolve(folder, file);
  const name = relative(resolve(folder), path);
  if (name.split(sep)[0] === "..") {
    throw new UsageError("outside", `${file} is outside of the folder worked in`, {
      hint: "name that folder with -C",
    });
  }
  const stats = statOf(path, file);
  return stats.isDirectory() ? readFolder(path, name) : [readEdit(path, name, stats)];
}

function statOf(path: string, file: string): Stats {
  try {
    return lstatSync(path);
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

/** Everything below a folder but repositories and the databases of checkouts. */
function readFolder(path: string, name: string): FileEdit[] {
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
    const below = join(path, entry.name);
    const entryName = join(name, entry.name);
    if (isReservedName(entry.name) || /\.fossil(?:-wal|-shm|-journal)?$/.test(entry.name)) return [];
    if (entry.isDirectory()) return readFolder(below, entryName);
    if (!entry.isFile() && !entry.isSymbolicLink()) return [];
    return [readEdit(below, entryName, lstatSync(below))];
  });
}

function readEdit(path: string, systemName: string, stats: Stats): FileEdit {
  const name = systemName.split(sep).join("/");
  try {
    if (stats.isSymbolicLink()) return { name, content: utf8(readlinkSync(path)), permission: "l" };
    return { name, content: readFileSync(path), permission: stats.mode & 0o100 ? "x" : "" };
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function unreadable(file: string, cause: unknown): RepoError {
  const reason = (cause as NodeJS.ErrnoException).code === "ENOENT" ? "does not exist" : "cannot be read";
  return new RepoError("file-unreadable", `${file} ${reason}`, { cause });
}
