/**
 * A check-in of what a checkout holds: all of its changes, or those of chosen files. Merges that are pending
 * become further parents, cherry-picks and backouts Q cards.
 *
 * The manifest lists the rows of `vfile` as they will be: without removed files, with the permissions that
 * are on disk, with a former name where the file was renamed. Of a file that is not chosen it lists what the
 * check-in before had. The check-in is made in the repository (`repo-checkin.ts`), the rows become those of the new
 * check-in, then the repository's transaction is committed and then the checkout's.
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
import { diskMatches, readDisk } from "./checkout-disk.ts";
import { writeManifestFiles } from "./checkout-manifest-files.ts";
import { requireRoom } from "./checkout-room.ts";
import { refresh, type TrackedFile } from "./checkout-status.ts";
import { type ContentRules, contentRules, suspicionOf } from "./checkout-suspicious.ts";
import { CHANGE, originalName, type PendingMerge, pendingMerges, permissionOf } from "./checkout-vfile.ts";
import { NameError, RepoError } from "./errors.ts";
import { type Hash, hashMatches } from "./hash.ts";
import { openConflicts } from "./merge-conflict.ts";
import { type CheckInResult, commit } from "./repo-checkin.ts";
import type { CheckInRequest } from "./repo-checkin-place.ts";
import type { PlannedFile } from "./repo-checkin-tree.ts";

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
 *   `partial-rename`, `not-a-file`, `checkout-behind` (data: hash), and those of `commit`; NameError `not-managed`
 */
export function commitCheckout(checkout: Checkout, request: CheckoutCommit): CheckInResult {
  let made: CheckInResult | undefined;
  try {
    return changeTree(checkout, (tree) => {
      const seen = refresh(checkout, { hash: request.hash ?? false, requireFiles: true });
      const merges = pendingMerges(checkout);
      const chosen = choose(seen, merges, request);
      if (!request.allowConflict) refuseFork(checkout, chosen);
      const reading = readTree(checkout, seen, chosen, request);
      // The rows are written before the repository commits: a disk that is too full for them undoes the check-in, too.
      made = checkout.repo.db.write(() => {
        const done = commit(checkout.repo, requestFor(checkout, request, reading, merges));
        advance(checkout, reading, done);
        writeManifestFiles(checkout, done.rid, tree);
        requireRoom(checkout);
        return done;
      });
      return made;
    });
  } catch (error) {
    throw made === undefined ? error : leftBehind(made, error);
  }
}

/** What the repository is asked for. */
function requestFor(
  checkout: Checkout,
  request: CheckoutCommit,
  reading: Reading,
  merges: readonly PendingMerge[],
): CheckInRequest {
  return {
    ...request,
    edits: [],
    tree: plan(checkout, reading),
    knownContent: (name) => reading.contents.get(name),
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
  };
}

/** The repository has committed, and the checkout's database could not. */
function leftBehind({ hash }: CheckInResult, cause: unknown): RepoError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new RepoError("checkout-behind", `the check-in is made, but not noted in the checkout: ${why}`, {
    hint: `then run edgesync repo co --keep ${hash.slice(0, 10)}`,
    cause,
    data: { hash },
  });
}

/** Content is kept in memory between its being read and its being stored as far as this goes. */
const KEPT_MAX_BYTES = 128 * 1024 * 1024;
/** Unchanged files larger than this are compared piece by piece. */
const KEPT_FILE_MAX_BYTES = 8 * 1024 * 1024;

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

/** The files that are checked in, as they were read. */
interface Reading {
  readonly files: readonly TrackedFile[];
  readonly chosen: Chosen;
  /** By name, as far as they fit into memory. */
  readonly contents: ReadonlyMap<string, Uint8Array>;
}

/**
 * Reads the chosen files, and judges those that were changed. Where a checksum over all files is made (setting
 * `repo-cksum`) unchanged ones are read too and compared with their hashes: times are whole seconds, so an edit
 * right after a command that leaves the size alone is only seen so.
 *
 * @throws RepoError `file-missing`, `unresolved-conflict`, `suspicious-content`
 */
function readTree(
  checkout: Checkout,
  seen: readonly TrackedFile[],
  chosen: Chosen,
  request: CheckoutCommit,
): Reading {
  const { root, settings } = checkout;
  const [rules, allowLinks] = [contentRules(settings), settings.allowsLinks];
  const readsAll = settings.isOn("repo-cksum", true);
  const hashes = contentHashes(checkout, seen);
  const contents = new Map<string, Uint8Array>();
  const taken = new Set<TrackedFile>();
  let keptBytes = 0;
  const files = seen.map((file) => {
    const { pathname: name, disk, deleted } = file;
    if (!chosen.has(file)) return file;
    if (deleted === 0 && disk === undefined) throw missing(name);
    const path = `${root}/${name}`;
    let now = file;
    if (deleted === 0 && (file.chnged !== 0 || readsAll)) {
      const [known, isLarge] = [hashes.get(file.mrid), disk!.size > KEPT_FILE_MAX_BYTES];
      if (file.chnged !== 0) refuseLarge(name, disk!.size, rules, request);
      const content = isLarge && file.chnged === 0 ? undefined : readDisk(path, allowLinks, disk);
      const isSame =
        content === undefined ? diskMatches(path, known!, allowLinks) : known && hashMatches(content, known);
      if (file.chnged === 0 && !isSame) now = { ...file, chnged: CHANGE.edited };
      if (now.chnged !== 0 && disk!.kind === "file")
        judge(name, content ?? readDisk(path, allowLinks), rules, request);
      if (content !== undefined && keptBytes + content.length <= KEPT_MAX_BYTES) {
        contents.set(name, content);
        keptBytes += content.length;
      }
    }
    taken.add(now);
    return now;
  });
  return { files, chosen: taken, contents };
}

function missing(name: string): RepoError {
  return new RepoError("file-missing", `${name} is missing`, {
    hint: "remove it with edgesync repo rm, or put it back with edgesync repo revert",
    data: { name },
  });
}

/** Before it is read. @throws RepoError `suspicious-content` */
function refuseLarge(
  name: string,
  size: number,
  { largeBytes }: ContentRules,
  { allowSuspicious }: CheckoutCommit,
): void {
  if (largeBytes === 0 || size <= largeBytes || allowSuspicious) return;
  throw suspicious(name, `more than ${largeBytes} bytes`, "large-file-size");
}

/** @throws RepoError `unresolved-conflict`, `suspicious-content` */
function judge(name: string, content: Uint8Array, rules: ContentRules, request: CheckoutCommit): void {
  if (!request.allowConflict && hasConflictMark(content)) {
    throw new RepoError("unresolved-conflict", `${name} has an unresolved merge conflict`, {
      hint: "resolve it, or commit it all the same with --allow-conflict",
      data: { name },
    });
  }
  const odd = request.allowSuspicious ? undefined : suspicionOf(name, content, rules);
  if (odd !== undefined) throw suspicious(name, odd.what, odd.setting);
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
function plan(checkout: Checkout, { files, chosen, contents }: Reading): PlannedFile[] {
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
    const read = () => contents.get(pathname) ?? readDisk(`${root}/${pathname}`, allowLinks);
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
function advance(checkout: Checkout, { chosen }: Reading, made: CheckInResult): void {
  const { db, repo } = checkout;
  const entries = new Map(made.files.map((file) => [file.name, file]));
  db.prepare("DELETE FROM vmerge").run();
  db.prepare("UPDATE vfile SET vid=?").run(made.rid);
  const remove = db.prepare("DELETE FROM vfile WHERE id=?");
  const settle = db.prepare(
    `UPDATE vfile SET rid=?1, mrid=?1, mhash=NULL, chnged=0, deleted=0, origname=NULL, isexe=?2, islink=?3
     WHERE id=?4`,
  );
  for (const file of chosen) {
    if (file.deleted !== 0) remove.run(file.id);
    else if (file.chnged !== 0 || file.rid === 0 || file.origname !== null || file.mrid !== file.rid) {
      const { hash, permission } = entries.get(file.pathname)!;
      settle.run(repo.content.ridOf(hash!)!, permission === "x" ? 1 : 0, permission === "l" ? 1 : 0, file.id);
    }
  }
  checkout.setCheckIn(made.rid);
  checkout.dropUndo();
  checkout.unsetVariable("ci-comment");
}
