/**
 * `edgesync repo ci`: a check-in of a checkout's changes, or, outside of one, straight from files. Then the files
 * named, and all files below the folders named, are added to those of the parent or replace them; names in the
 * repository are relative to the folder worked in (`-C`).
 *
 * In a checkout, in this order: pull; the message, in an editor unless it is given, and then another pull, for that may have
 * taken long; hooks; the check-in, in one transaction; push. Nothing is locked but in the transaction.
 */
import { tmpdir } from "node:os";
import { commitCheckout } from "./checkout-commit.ts";
import type { Checkout } from "./checkout-db.ts";
import { CheckoutSettings } from "./checkout-settings.ts";
import { AUTOSYNC_ARGS, lockClient, type PulledBefore, pullBefore, pushAfter } from "./cli-autosync.ts";
import {
  type CheckInOutlook,
  describeCommit,
  givenMessage,
  NEEDS_MESSAGE,
  writeMessage,
  writePlainMessage,
} from "./cli-checkin-message.ts";
import { treeNames, withCheckout } from "./cli-checkout.ts";
import { warnOfForks } from "./cli-checkout-info.ts";
import { command, flag, option, positional, text, type Values } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { editorArg, requireEditor, requireTerminal } from "./cli-editor.ts";
import { readEdits } from "./cli-file-edits.ts";
import { worksInCheckout } from "./cli-place.ts";
import { withRepository } from "./cli-repository.ts";
import { SIGNATURE_ARGS, signature, signerFor } from "./cli-signature.ts";
import { EXIT, type ExitCode, RepoError, UsageError } from "./errors.ts";
import { formatDateTime } from "./julian.ts";
import type { Repo } from "./repo.ts";
import { type CheckInResult, commit } from "./repo-checkin.ts";
import type { CheckInRequest } from "./repo-checkin-place.ts";
import { resolveName } from "./repo-name.ts";

const ARGS = {
  files: positional({
    description: "files, or folders for all that is in them; in a checkout: all changes",
    repeat: true,
  }),
  message: option(
    { description: "what changed and why; else an editor asks", valueHint: "TEXT", alias: ["m"] },
    text,
  ),
  messageFile: option({ description: "the message is in this file", valueHint: "FILE", alias: ["M"] }, text),
  editor: editorArg,
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
  verify: flag({ description: "run the hooks before a commit of the setting hooks", default: "true" }),
  sign: flag({ description: "sign the manifest where the setting clearsign says so", default: "true" }),
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
    const comment = givenMessage(args.message, args.messageFile);
    if (comment === undefined) requireTerminal(args.editor, NEEDS_MESSAGE);
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
  given: string | undefined,
  context: CliContext,
): Promise<ExitCode | undefined> {
  if (args.parent !== undefined) {
    throw new UsageError("in-checkout", "in a checkout the parent is what is checked out", {
      hint: "leave out --parent",
    });
  }
  return withCheckout(context, "write", async (checkout) => {
    const { repo, settings } = checkout;
    const editor = given === undefined ? editorFor(args, settings, context) : undefined;
    const isPrivate = args.private || isPrivateHere(checkout);
    const autosync = autosyncOf(checkout, args, context);
    const pull = async () => {
      const pulled = isPrivate ? undefined : await pullBefore(autosync, args, context);
      if (!args.overrideLock && args.branch === undefined) refuseLocked(pulled);
      return pulled;
    };
    let pulled = await pull();
    const outlook = outlookOf(checkout, args, isPrivate, context);
    const comment = given ?? writeMessage(checkout, editor!, outlook, context);
    if (given === undefined && pulled !== undefined) pulled = await pull();
    if (args.verify) await runHooks(checkout, outlook, comment, context);
    const form = pulled?.avoidsDeltas ? { delta: false, baseline: true } : {};
    const request = { ...args, ...form };
    const made = commitTree(
      checkout,
      request,
      await requestOf(request, comment, repo, settings, context),
      context,
    );
    const unlock = { client: autosync.lock.client };
    const failure = isPrivate ? undefined : await pushAfter({ ...autosync, lock: unlock }, args, context);
    report(made, context, () => `New_Version: ${made.hash}\n`);
    if (made.isFork) context.out.note("**** warning: a fork has occurred *****");
    else warnOfForks(checkout.repo, made.rid, context);
    if (failure === undefined) return undefined;
    context.out.note(`WARNING: the check-in is made but was not pushed: ${failure.message}`);
    context.out.note("  push it later with edgesync sync push");
    return EXIT.failed;
  });
}

const editorFor = ({ editor }: CiValues, settings: CheckoutSettings, { env }: CliContext) =>
  requireEditor(editor, settings.get("editor"), env, NEEDS_MESSAGE);

function outlookOf(
  checkout: Checkout,
  args: CiValues,
  isPrivate: boolean,
  context: CliContext,
): CheckInOutlook {
  const { branch, tag, integrate, hash, allowEmpty } = args;
  const { user } = signature(args, checkout.repo, context);
  const names = treeNames(checkout, context, args.files);
  return { user, branch, tag, isPrivate, integrate, hash, allowEmpty, names };
}

/** @throws RepoError `hook-failed`, `hooks-unreadable` */
async function runHooks(
  checkout: Checkout,
  outlook: CheckInOutlook,
  comment: string,
  context: CliContext,
): Promise<void> {
  const { repo, root } = checkout;
  if (repo.config.get("hooks") === undefined) return;
  const { runBeforeCommit } = await import("./cli-commit-hook.ts");
  runBeforeCommit(repo, root, context.random, () => describeCommit(checkout, outlook, comment, context));
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

function commitTree(
  checkout: Checkout,
  args: CiValues,
  request: Omit<CheckInRequest, "edits">,
  context: CliContext,
): CheckInResult {
  return commitCheckout(checkout, {
    ...request,
    names: treeNames(checkout, context, args.files),
    hash: args.hash,
    integrate: args.integrate,
    allowConflict: args.allowConflict,
    allowSuspicious: !args.warnings,
  });
}

async function checkInFiles(
  args: CiValues,
  given: string | undefined,
  context: CliContext,
): Promise<undefined> {
  if (args.files.length === 0) {
    throw new UsageError("missing-argument", "this is no checkout: name the files to check in", {
      hint: "edgesync repo ci -m TEXT FILE...",
    });
  }
  const folder = context.globals.checkout;
  const made = await withRepository(context, "write", async ({ repo }) => {
    const settings = new CheckoutSettings({ repo, env: context.env });
    const comment = given ?? writePlainMessage(editorFor(args, settings, context), tmpdir(), context);
    const { parent } = args;
    return commit(repo, {
      ...(await requestOf(args, comment, repo, settings, context)),
      edits: args.files.flatMap((file) => readEdits(folder, file)),
      ...(parent !== undefined && { parent: resolveName(repo, parent, { type: "ci" }) }),
    });
  });
  report(made, context, () => `${made.hash}\n`);
}

/** What both kinds of check-in are asked for. */
async function requestOf(
  args: CiValues,
  comment: string,
  repo: Repo,
  settings: CheckoutSettings,
  context: CliContext,
): Promise<Omit<CheckInRequest, "edits">> {
  const { branch, branchColor, bgcolor } = args;
  const sign = args.sign ? await signerFor(settings) : undefined;
  return {
    ...signature(args, repo, context),
    comment,
    ...(branch !== undefined && { branch }),
    ...(branchColor !== undefined && { branchColor }),
    ...(bgcolor !== undefined && { color: bgcolor }),
    ...(sign !== undefined && { sign }),
    tags: args.tag,
    close: args.close,
    isPrivate: args.private,
    delta: args.delta ? "always" : args.baseline ? "never" : "auto",
    allow: { fork: args.allowFork || args.overrideLock, empty: args.allowEmpty, older: args.allowOlder },
  };
}

function report(made: CheckInResult, { out }: CliContext, shown: () => string): void {
  const { hash, date, branch, isPrivate, isFork } = made;
  out.result({ hash, date: formatDateTime(date), branch, isPrivate, isFork }, shown);
}
