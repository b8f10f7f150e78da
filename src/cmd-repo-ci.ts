/**
 * `edgesync repo ci`: a check-in of a checkout's changes, or, outside of one, straight from files. Then the files
 * named, and all files below the folders named, are added to those of the parent or replace them; names in the
 * repository are relative to the folder worked in (`-C`). Symbolic links are stored as such, and the executable
 * bit is kept.
 */
import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { isReservedName } from "./artifact-names.ts";
import { text as decode, utf8 } from "./bytes.ts";
import { commitCheckout } from "./checkout-commit.ts";
import type { Checkout } from "./checkout-db.ts";
import { AUTOSYNC_ARGS, lockClient, type PulledBefore, pullBefore, pushAfter } from "./cli-autosync.ts";
import { treeNames, withCheckout, worksInCheckout } from "./cli-checkout.ts";
import { warnOfForks } from "./cli-checkout-info.ts";
import { command, flag, option, positional, text, type Values } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { withRepository } from "./cli-repository.ts";
import { SIGNATURE_ARGS, signature } from "./cli-signature.ts";
import { EXIT, type ExitCode, RepoError, UsageError } from "./errors.ts";
import { formatDateTime } from "./julian.ts";
import type { Repo } from "./repo.ts";
import { type CheckInResult, commit } from "./repo-checkin.ts";
import type { CheckInRequest } from "./repo-checkin-place.ts";
import type { FileEdit } from "./repo-checkin-tree.ts";
import { resolveName } from "./repo-name.ts";

const ARGS = {
  files: positional({
    description: "files, or folders for all that is in them; in a checkout: all changes",
    repeat: true,
  }),
  message: option({ description: "what changed and why", valueHint: "TEXT", alias: ["m"] }, text),
  messageFile: option({ description: "the message is in this file", valueHint: "FILE", alias: ["M"] }, text),
  branch: option({ description: "the branch; a new one is made", valueHint: "NAME", alias: ["b"] }, text),
  branchColor: option({ description: "background of the new branch in timelines", valueHint: "COLOR" }, text),
  bgcolor: option({ description: "background of this check-in in timelines", valueHint: "COLOR" }, text),
  tag: option({ description: "give the check-in this tag", valueHint: "NAME", repeat: true }, text),
  ...SIGNATURE_ARGS,
  parent: option(
    {
      description: "outside of a checkout: the check-in to build on; the branch's newest",
      valueHint: "VERSION",
    },
    text,
  ),
  private: flag({ description: "keep the check-in out of syncs" }),
  close: flag({ description: "close the branch with this check-in" }),
  integrate: flag({ description: "close the branches that are merged in" }),
  delta: flag({ description: "write a delta manifest, whatever its size" }),
  baseline: flag({ description: "write a full manifest, whatever its size" }),
  hash: flag({ description: "read every file, whatever its time says" }),
  warnings: flag({ description: "refuse binary data, odd line ends and the like", default: "true" }),
  allowConflict: flag({ description: "even with unresolved merge conflicts" }),
  allowEmpty: flag({ description: "even when nothing has changed" }),
  allowFork: flag({ description: "even when the parent has a child on this branch" }),
  allowOlder: flag({ description: "even when the parent is younger" }),
  overrideLock: flag({ description: "even while somebody else commits on the same parent, or forks" }),
  ...AUTOSYNC_ARGS,
};

export const ciCommand = command({
  description: "checks in what has changed in a checkout, or files without one",
  args: ARGS,
  examples: [
    { line: 'edgesync repo ci -m "Fix the parser"', about: "all changes of the checkout" },
    {
      line: 'edgesync repo ci -m "Try it" --branch experiment src',
      about: "those below src, on a new branch",
    },
    {
      line: "edgesync repo ci -R p.fossil -C project -m Import --branch vendor .",
      about: "a folder that is no checkout",
    },
  ],
  run: async (args, context) => {
    const comment = messageOf(args);
    if (args.delta && args.baseline) {
      throw new UsageError("options", "--delta and --baseline exclude each other", { hint: "leave one out" });
    }
    return worksInCheckout(context)
      ? checkInTree(args, comment, context)
      : checkInFiles(args, comment, context);
  },
});

type CiValues = Values<typeof ARGS>;

async function checkInTree(
  args: CiValues,
  comment: string,
  context: CliContext,
): Promise<ExitCode | undefined> {
  if (args.parent !== undefined) {
    throw new UsageError("in-checkout", "in a checkout the parent is what is checked out", {
      hint: "leave out --parent",
    });
  }
  return withCheckout(context, "write", async (checkout) => {
    const isPublic = !args.private && !isPrivateHere(checkout);
    const autosync = autosyncOf(checkout, args, context);
    const pulled = isPublic ? await pullBefore(autosync, args, context) : undefined;
    if (!args.overrideLock && args.branch === undefined) refuseLocked(pulled);
    const form = pulled?.avoidsDeltas ? { delta: false, baseline: true } : {};
    const made = commitTree(checkout, { ...args, ...form }, comment, context);
    const unlock = { client: autosync.lock.client };
    const failure = isPublic ? await pushAfter({ ...autosync, lock: unlock }, args, context) : undefined;
    report(made, context, () => `New_Version: ${made.hash}\n`);
    if (made.isFork) context.out.note("**** warning: a fork has occurred *****");
    else warnOfForks(checkout.repo, made.rid, context);
    if (failure === undefined) return undefined;
    context.out.note(`WARNING: the check-in is made but was not pushed: ${failure.message}`);
    context.out.note("  push it later with edgesync sync push");
    return EXIT.failed;
  });
}

function isPrivateHere({ checkIn, repo }: Checkout): boolean {
  return checkIn !== undefined && repo.content.isPrivate(checkIn);
}

function autosyncOf(checkout: Checkout, args: CiValues, context: CliContext) {
  const { repo, settings, checkIn } = checkout;
  const locks = checkIn !== undefined && !args.allowFork && !args.overrideLock;
  const lock = {
    client: () => lockClient(checkout, context),
    ...(locks && { checkIn: repo.content.hashOf(checkIn) }),
  };
  return { repo, settings, command: "commit", lock } as const;
}

/** @throws RepoError `check-in-locked` */
function refuseLocked(pulled: PulledBefore | undefined): void {
  if (pulled?.lockHolder === undefined) return;
  const { user, since } = pulled.lockHolder;
  throw new RepoError(
    "check-in-locked",
    `${user} has been committing on the same check-in since ${formatDateTime(since * 1000)} UTC: might fork`,
    {
      hint: "update in a minute and try again, commit to a new branch, or use --override-lock",
      data: { user, since },
    },
  );
}

function commitTree(checkout: Checkout, args: CiValues, comment: string, context: CliContext): CheckInResult {
  return commitCheckout(checkout, {
    ...requestOf(args, comment, checkout.repo, context),
    names: treeNames(checkout, context, args.files),
    hash: args.hash,
    integrate: args.integrate,
    allowConflict: args.allowConflict,
    allowSuspicious: !args.warnings,
  });
}

async function checkInFiles(args: CiValues, comment: string, context: CliContext): Promise<undefined> {
  if (args.files.length === 0) {
    throw new UsageError("missing-argument", "this is no checkout: name the files to check in", {
      hint: "edgesync repo ci -m TEXT FILE...",
    });
  }
  const edits = args.files.flatMap((file) => readEdits(context.globals.checkout, file));
  const { parent } = args;
  const made = await withRepository(context, "write", ({ repo }) =>
    commit(repo, {
      ...requestOf(args, comment, repo, context),
      edits,
      ...(parent !== undefined && { parent: resolveName(repo, parent, { type: "ci" }) }),
    }),
  );
  report(made, context, () => `${made.hash}\n`);
}

/** What both kinds of check-in are asked for. */
function requestOf(
  args: CiValues,
  comment: string,
  repo: Repo,
  context: CliContext,
): Omit<CheckInRequest, "edits"> {
  const { branch, branchColor, bgcolor } = args;
  return {
    ...signature(args, repo, context),
    comment,
    ...(branch !== undefined && { branch }),
    ...(branchColor !== undefined && { branchColor }),
    ...(bgcolor !== undefined && { color: bgcolor }),
    tags: args.tag,
    close: args.close,
    isPrivate: args.private,
    delta: args.delta ? "always" : args.baseline ? "never" : "auto",
    allow: { fork: args.allowFork || args.overrideLock, empty: args.allowEmpty, older: args.allowOlder },
  };
}

/** @throws UsageError `missing-argument`; RepoError `file-unreadable` */
function messageOf({ message, messageFile }: CiValues): string {
  const given = message ?? (messageFile === undefined ? "" : readMessage(messageFile));
  if (given.trim() !== "") return given;
  throw new UsageError("missing-argument", "a check-in needs a message", { hint: "add -m TEXT" });
}

function readMessage(file: string): string {
  try {
    return decode(readFileSync(file)).replace(/^\ufeff/, "");
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

function report(made: CheckInResult, { out }: CliContext, shown: () => string): void {
  const { hash, date, branch, isPrivate, isFork } = made;
  out.result({ hash, date: formatDateTime(date), branch, isPrivate, isFork }, shown);
}

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
