/**
 * A check-in of what a checkout holds: all of its changes, or those of chosen files. Merges that are pending
 * become further parents, cherry-picks and backouts Q cards.
 *
 * The manifest lists the rows of `vfile` as they will be: without removed files, with the permissions that
 * are on disk, with a former name where the file was renamed. Of a file that is not chosen it lists what the
 * check-in before had. The check-in is made in the repository first (`repo-checkin.ts`), then the rows become
 * those of the new check-in, both under the lock of the checkout's database.
 *
 * Refused before anything is written: unresolved conflicts, suspicious content (`checkout-suspicious.ts`),
 * missing files, choosing some files of a merge, and what `repo-checkin.ts` refuses.
 *
 * Source: Fossil `src/checkin.c`.
 */
import type { FilePermission } from "./artifact-types.ts";
import { compareUtf8 } from "./bytes.ts";
import { isWithin } from "./checkout-add.ts";
import { changeTree } from "./checkout-change.ts";
import { hasConflictMark } from "./checkout-conflict-mark.ts";
import type { Checkout } from "./checkout-db.ts";
import { readDisk } from "./checkout-disk.ts";
import { writeManifestFiles } from "./checkout-manifest-files.ts";
import { refresh, type TrackedFile } from "./checkout-status.ts";
import { contentRules, suspicionOf } from "./checkout-suspicious.ts";
import { originalName, type PendingMerge, pendingMerges, permissionOf } from "./checkout-vfile.ts";
import { NameError, RepoError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import { openConflicts } from "./merge-conflict.ts";
import { type CheckInResult, commit } from "./repo-checkin.ts";
import type { CheckInRequest } from "./repo-checkin-place.ts";
import type { PlannedFile } from "./repo-checkin-tree.ts";
import { listFiles } from "./repo-files.ts";

export interface CheckoutCommit
  extends Omit<CheckInRequest, "edits" | "tree" | "wholeTree" | "parent" | "merges" | "cherrypicks"> {
  /** Files, or folders for what is in them; everything unless given. */
  readonly names?: readonly string[];
  /** Hash every file, whatever its time says. */
  readonly hash?: boolean;
  /** Closes all branches that are merged in, not only those merged with `--integrate`. */
  readonly integrate?: boolean;
  readonly allowConflict?: boolean;
  readonly allowSuspicious?: boolean;
}

/**
 * @throws RepoError `unresolved-conflict`, `suspicious-content`, `file-missing`, `partial-merge`,
 *   `partial-rename`, `not-a-file`, and those of `commit`; NameError `not-managed`
 */
export function commitCheckout(checkout: Checkout, request: CheckoutCommit): CheckInResult {
  return changeTree(checkout, (tree) => {
    // Times are whole seconds: an edit right after a command that leaves the size alone can only be seen by reading.
    const hash = (request.hash ?? false) || checkout.settings.isOn("repo-cksum", true);
    const files = refresh(checkout, { hash, requireFiles: true });
    const merges = pendingMerges(checkout);
    const chosen = choose(files, merges, request);
    judge(checkout, chosen, request);
    const made = commit(checkout.repo, {
      ...request,
      edits: [],
      tree: plan(checkout, files, chosen),
      parent: checkout.checkIn ?? "none",
      merges: merges
        .filter(({ kind }) => kind === "merge" || kind === "integrate")
        // Parents in the order of stock's manifests.
        .sort((a, b) => Number(a.kind === "integrate") - Number(b.kind === "integrate"))
        .map((merge) => ({
          rid: merge.rid,
          close: merge.kind === "integrate" || (request.integrate ?? false),
        })),
      cherrypicks: merges
        .filter(({ kind }) => kind === "cherrypick" || kind === "backout")
        .map((merge) => ({ rid: merge.rid, backout: merge.kind === "backout" })),
    });
    advance(checkout, files, chosen, made);
    writeManifestFiles(checkout, made.rid, tree);
    return made;
  });
}

type Chosen = ReadonlySet<TrackedFile>;

/** @throws NameError `not-managed`; RepoError `partial-merge`, `partial-rename`, `nothing-changed` */
function choose(
  files: readonly TrackedFile[],
  merges: readonly PendingMerge[],
  { names = [], allow }: CheckoutCommit,
): Chosen {
  if (names.length === 0 || names.includes("")) return new Set(files);
  if (merges.some(({ kind }) => kind === "merge" || kind === "integrate")) {
    throw new RepoError("partial-merge", "a merge can only be committed whole", {
      hint: "commit without naming files",
    });
  }
  for (const name of names) {
    if (files.some(({ pathname }) => isWithin(pathname, name))) continue;
    throw new NameError("not-managed", `${JSON.stringify(name)} is not a managed file`, {
      hint: "add it first",
    });
  }
  const chosen = new Set(files.filter(({ pathname }) => names.some((name) => isWithin(pathname, name))));
  refuseHalfRename(files, chosen);
  const isChanged = [...chosen].some(
    (file) =>
      file.chnged !== 0 || file.deleted !== 0 || file.rid === 0 || originalName(file) !== file.pathname,
  );
  if (isChanged || allow?.empty) return chosen;
  throw new RepoError("nothing-changed", "none of the files named has changed", {
    hint: "change something, or allow an empty check-in",
  });
}

/** A file that took the place of a renamed one cannot be committed without that. */
function refuseHalfRename(files: readonly TrackedFile[], chosen: Chosen): void {
  const names = new Set([...chosen].map(({ pathname }) => pathname));
  const left = files.find(
    (file) =>
      !chosen.has(file) &&
      file.origname !== null &&
      file.origname !== file.pathname &&
      names.has(file.origname),
  );
  if (left === undefined) return;
  throw new RepoError(
    "partial-rename",
    `${left.origname} cannot be committed without ${left.pathname}, which had its name before`,
    { hint: "name both" },
  );
}

/** @throws RepoError `file-missing`, `unresolved-conflict`, `suspicious-content` */
function judge(checkout: Checkout, chosen: Chosen, request: CheckoutCommit): void {
  const { root, settings } = checkout;
  if (!request.allowConflict) refuseFork(checkout, chosen);
  const rules = contentRules(settings);
  for (const file of chosen) {
    if (file.deleted !== 0) continue;
    const { pathname: name, disk } = file;
    if (disk === undefined) {
      throw new RepoError("file-missing", `${name} is missing`, {
        hint: "remove it with edgesync repo rm, or put it back with edgesync repo revert",
        data: { name },
      });
    }
    if (file.chnged === 0) continue;
    const isLarge = rules.largeBytes > 0 && disk.size > rules.largeBytes;
    if (disk.kind !== "file") continue;
    if (isLarge && !request.allowSuspicious)
      throw suspicious(name, `more than ${rules.largeBytes} bytes`, "large-file-size");
    const content = readDisk(`${root}/${name}`, settings.allowsLinks);
    if (!request.allowConflict && hasConflictMark(content)) {
      throw new RepoError("unresolved-conflict", `${name} has an unresolved merge conflict`, {
        hint: "resolve it, or commit it all the same with --allow-conflict",
        data: { name },
      });
    }
    const odd = request.allowSuspicious ? undefined : suspicionOf(name, content, rules);
    if (odd !== undefined) throw suspicious(name, odd.what, odd.setting);
  }
}

/** A file whose versions a merge kept apart is committed once one of them was chosen. */
function refuseFork(checkout: Checkout, chosen: Chosen): void {
  const names = new Set([...chosen].map(({ pathname }) => pathname));
  const fork = openConflicts(checkout).find(({ kind, name }) => kind === "fork" && names.has(name));
  if (fork === undefined) return;
  throw new RepoError("unresolved-conflict", `the merge kept several versions of ${fork.name}`, {
    hint: "choose one with edgesync repo conflicts pick, or commit with --allow-conflict",
    data: { name: fork.name },
  });
}

function suspicious(name: string, what: string, setting: string | undefined): RepoError {
  return new RepoError("suspicious-content", `${name} has ${what}`, {
    hint: `commit it with --no-warnings, or say that it is meant so with the setting ${setting}`,
    data: { name },
  });
}

/** The files of the check-in to be, in order of their names. */
function plan(checkout: Checkout, files: readonly TrackedFile[], chosen: Chosen): PlannedFile[] {
  const { root, settings } = checkout;
  const allowLinks = settings.allowsLinks;
  const hashes = contentHashes(checkout, files);
  const planned: PlannedFile[] = [];
  for (const file of files) {
    const { pathname, disk } = file;
    const hash = hashes.get(file.mrid);
    if (!chosen.has(file)) {
      if (hash !== undefined)
        planned.push({ name: originalName(file), source: { hash }, permission: permissionOf(file) });
      continue;
    }
    if (file.deleted !== 0) continue;
    const isKnown = file.chnged === 0 && hash !== undefined;
    const read = () => readDisk(`${root}/${pathname}`, allowLinks);
    const permission: FilePermission =
      process.platform === "win32" ? permissionOf(file) : (disk?.permission ?? "");
    const entry = { name: pathname, source: isKnown ? { hash } : { read }, permission };
    const before = originalName(file);
    planned.push(before === pathname || file.rid === 0 ? entry : { ...entry, priorName: before });
  }
  return planned.sort((a, b) => compareUtf8(a.name, b.name));
}

function contentHashes({ repo }: Checkout, files: readonly TrackedFile[]): ReadonlyMap<number, Hash> {
  const rids = JSON.stringify(files.map(({ mrid }) => mrid));
  const rows = repo.db
    .prepare("SELECT rid, uuid FROM blob WHERE rid IN (SELECT value FROM json_each(?))")
    .values<[number, Hash]>(rids);
  return new Map(rows);
}

/** The rows become those of the new check-in. */
function advance(
  checkout: Checkout,
  files: readonly TrackedFile[],
  chosen: Chosen,
  made: CheckInResult,
): void {
  const { db, repo } = checkout;
  const entries = new Map(listFiles(repo, made.rid).map((file) => [file.name, file]));
  db.prepare("DELETE FROM vmerge").run();
  const remove = db.prepare("DELETE FROM vfile WHERE id=?");
  const settle = db.prepare(
    `UPDATE vfile SET vid=?1, rid=?2, mrid=?2, mhash=NULL, chnged=0, deleted=0, origname=NULL, isexe=?3, islink=?4
     WHERE id=?5`,
  );
  const keep = db.prepare("UPDATE vfile SET vid=? WHERE id=?");
  for (const file of files) {
    if (!chosen.has(file)) keep.run(made.rid, file.id);
    else if (file.deleted !== 0) remove.run(file.id);
    else {
      const { rid, permission } = entries.get(file.pathname)!;
      settle.run(made.rid, rid!, permission === "x" ? 1 : 0, permission === "l" ? 1 : 0, file.id);
    }
  }
  checkout.setCheckIn(made.rid);
  checkout.dropUndo();
  checkout.unsetVariable("ci-comment");
}
