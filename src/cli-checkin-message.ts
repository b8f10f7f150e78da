/**
 * The message of a check-in: given, from a file, or written in an editor. In a checkout the editor begins with what a merge
 * suggests or what was written for a check-in that then failed (`vvar.ci-comment`, as stock keeps it), followed by comments that
 * say what would be checked in. What is written is kept there until a check-in is made.
 *
 * Source: Fossil `src/checkin.c`, `prepare_commit_comment`.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { text as decode } from "./bytes.ts";
import { isWithin } from "./checkout-add.ts";
import type { Checkout } from "./checkout-db.ts";
import { changesOf, refreshChanged } from "./checkout-status.ts";
import { pendingMerges } from "./checkout-vfile.ts";
import { changeLine, mergeLine } from "./cli-changes.ts";
import type { CliContext } from "./cli-context.ts";
import { editText } from "./cli-editor.ts";
import { RepoError, UsageError } from "./errors.ts";
import { randomHex } from "./random.ts";
import { branchOf, mainBranch } from "./repo-branch.ts";
import { refuseEmpty } from "./repo-checkin-rules.ts";
import { symbolicTags } from "./repo-timeline.ts";

/** What is said of the check-in where its message is written. */
export interface CheckInOutlook {
  readonly user: string;
  /** The branch asked for. */
  readonly branch: string | undefined;
  readonly tag: readonly string[];
  readonly isPrivate: boolean;
  readonly integrate: boolean;
  readonly hash: boolean;
  readonly allowEmpty: boolean;
  /** Files, or folders for what is in them; everything when empty. */
  readonly names: readonly string[];
}

/**
 * The message that was given, if one was.
 *
 * @throws UsageError `missing-argument` for an empty one; RepoError `file-unreadable`
 */
export function givenMessage(
  message: string | undefined,
  messageFile: string | undefined,
): string | undefined {
  const given = message ?? (messageFile === undefined ? undefined : readMessage(messageFile));
  if (given === undefined || given.trim() !== "") return given;
  throw new UsageError("missing-argument", NEEDS_MESSAGE, { hint: "add -m TEXT" });
}

export const NEEDS_MESSAGE = "a check-in needs a message";

function readMessage(file: string): string {
  try {
    return decode(readFileSync(file)).replace(/^\ufeff/, "");
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === "ENOENT" ? "does not exist" : "cannot be read";
    throw new RepoError("file-unreadable", `${file} ${reason}`, { cause });
  }
}

/**
 * Has the user write the message of a checkout's check-in. Nothing is locked meanwhile.
 *
 * @throws RepoError `nothing-changed`, `empty-message`, and those of `editText`
 */
export function writeMessage(
  checkout: Checkout,
  editor: string,
  outlook: CheckInOutlook,
  context: CliContext,
): string {
  const comments = outlookLines(checkout, outlook, context);
  const kept = checkout.variable("ci-comment") ?? "";
  const written = editText(editor, `${kept}\n${commented(comments)}`, textFile(checkout.root, context));
  if (written === "") throw emptyMessage();
  checkout.setVariable("ci-comment", written);
  return written;
}

/** As `writeMessage`, for files without a checkout. */
export function writePlainMessage(editor: string, folder: string, context: CliContext): string {
  const written = editText(editor, `\n${commented(RULES)}`, textFile(folder, context));
  if (written === "") throw emptyMessage();
  return written;
}

function emptyMessage(): RepoError {
  return new RepoError("empty-message", "the message is empty: nothing is checked in", {
    hint: "write one, or add -m TEXT",
  });
}

/** Named as stock does, so that both know what is left behind after a crash. */
function textFile(folder: string, { random }: CliContext): string {
  return join(folder, `ci-comment-${randomHex(random, 6).toUpperCase()}.txt`);
}

const RULES = [
  "The message goes above. Lines that begin with # do not count.",
  "An empty message ends the command, and nothing is checked in.",
  "",
];

const commented = (lines: readonly string[]) =>
  lines.map((line) => (line === "" ? "#\n" : `# ${line}\n`)).join("");

/** @throws RepoError `nothing-changed` */
function outlookLines(checkout: Checkout, outlook: CheckInOutlook, context: CliContext): string[] {
  const { branch, changes, merges } = takeStock(checkout, outlook);
  if (changes.length === 0 && merges.length === 0 && !outlook.allowEmpty) refuseEmpty();
  return [
    ...RULES,
    `user: ${outlook.user}`,
    `branch: ${branch}`,
    ...(outlook.tag.length > 0 ? [`tags: ${outlook.tag.join(", ")}`] : []),
    ...(outlook.isPrivate ? ["private: it does not travel with syncs"] : []),
    ...(outlook.integrate ? ["integrate: the branches that are merged in are closed"] : []),
    "",
    ...changes.map((change) => changeLine(checkout, context, change).trimEnd()),
    ...merges.map((merge) => mergeLine(merge).trimEnd()),
  ];
}

/** The text of the file that hooks before a commit are given (`cli-commit-hook.ts`). */
export function describeCommit(
  checkout: Checkout,
  outlook: CheckInOutlook,
  comment: string,
  context: CliContext,
): string {
  const { repo, root, checkIn } = checkout;
  const { user, tag, isPrivate, integrate } = outlook;
  const tags = [...(checkIn === undefined ? [] : symbolicTags(repo, checkIn)), ...tag];
  const { branch, changes, merges } = takeStock(checkout, outlook);
  return [
    `checkout ${root}/\n`,
    `repository ${repo.path}\n`,
    `user ${user}\n`,
    `branch ${branch}\n`,
    tags.length === 0 ? "" : `tags ${tags.join(", ")}\n`,
    ...changes.map((change) => changeLine(checkout, context, change)),
    ...merges.map((merge) => mergeLine(merge)),
    isPrivate ? "private-branch\n" : "",
    integrate ? "integrate\n" : "",
    `checkin-comment\n${comment}\n`,
  ].join("");
}

/** The branch, the changes chosen, and the merges that a check-in would have. */
function takeStock(checkout: Checkout, { names, hash, branch }: CheckInOutlook) {
  const { repo, checkIn } = checkout;
  const isChosen = (name: string) => names.length === 0 || names.some((one) => isWithin(name, one));
  const changes = changesOf(checkout, refreshChanged(checkout, { hash, requireFiles: true }));
  return {
    branch: branch ?? (checkIn === undefined ? mainBranch(repo) : branchOf(repo, checkIn)),
    changes: changes.filter(({ name }) => isChosen(name)),
    merges: pendingMerges(checkout),
  };
}
