/**
 * Which managed files have changed. `refresh` compares each file with its row by size and time, and reads it
 * only when these do not decide; what it finds is kept in the rows, so that the next look is quick. `changes`
 * names what was found, as `fossil status` does.
 *
 * A file of another size has changed. One of the same size whose time is not the row's, or that was changed
 * before, is hashed. With the setting `mtime-changes` off, or when asked to, every file is hashed. Changes
 * of permission are told apart from edits; becoming a link or ceasing to be one comes before anything else.
 *
 * Source: Fossil `src/vfile.c`, `src/checkin.c`.
 */
import type { FilePermission } from "./artifact-types.ts";
import { hasConflictMark } from "./checkout-conflict-mark.ts";
import type { Checkout } from "./checkout-db.ts";
import { type DiskFile, diskFile, diskMatches, readDisk } from "./checkout-disk.ts";
import { type ExpectedFiles, unlikeExpected } from "./checkout-look.ts";
import {
  CHANGE,
  originalName,
  permissionOf,
  quietFiles,
  restlessRows,
  type VfileRow,
  vfileNames,
  vfileRows,
} from "./checkout-vfile.ts";
import { RepoError } from "./errors.ts";
import type { Rid } from "./repo-content.ts";

/** A managed file with what is on disk. */
export interface TrackedFile extends VfileRow {
  /** `undefined`: nothing is there. */
  readonly disk: DiskFile | undefined;
}

export interface RefreshOptions {
  /** Hash every file, whatever its time says. */
  readonly hash?: boolean;
  /** A folder in a file's place is an error. */
  readonly requireFiles?: boolean;
}

/**
 * Brings `chnged` and `mtime` of all rows of the check-in up to date, and returns the rows.
 *
 * @throws RepoError `not-a-file` with `requireFiles`; `file-unreadable`
 */
export function refresh(checkout: Checkout, options: RefreshOptions = {}): TrackedFile[] {
  return lookAt(checkout, vfileRows(checkout, checkout.vid), options);
}

/**
 * Like `refresh`, but returns only the rows of files that have changed, in the same order. The others, usually nearly all, are not
 * even read as rows where the system allows.
 *
 * @throws as `refresh`
 */
export function refreshChanged(checkout: Checkout, options: RefreshOptions = {}): TrackedFile[] {
  const { root, settings, vid } = checkout;
  const expected = trustsTimes(checkout, options) ? expectedFiles(checkout) : undefined;
  const unlike = expected && unlikeExpected(root, expected, !settings.allowsLinks);
  if (unlike === undefined) return refresh(checkout, options).filter(isChanged);
  const rows = restlessRows(checkout, vid, expected!.sizes.length, unlike);
  return lookAt(checkout, rows, options).filter(isChanged);
}

/**
 * Like `refresh`, but says nothing of the disk, and so looks at it in less than half the time.
 *
 * @throws as `refresh`
 */
export function refreshRows(checkout: Checkout, options: RefreshOptions = {}): VfileRow[] {
  refreshChanged(checkout, options);
  return vfileRows(checkout, checkout.vid);
}

const trustsTimes = ({ settings }: Checkout, { hash }: RefreshOptions) =>
  !hash && settings.isOn("mtime-changes", true);

/** Whether a row is of what a check-in would hold, or of a file that is missing. */
function isChanged({ chnged, deleted, rid, pathname, origname }: VfileRow): boolean {
  return chnged !== 0 || deleted !== 0 || rid === 0 || (origname !== null && origname !== pathname);
}

/** What files must be like for their rows, which say that they are unchanged, to be right. */
function expectedFiles(checkout: Checkout): ExpectedFiles {
  const { names, stamps, rids } = quietFiles(checkout, checkout.vid);
  return { names, stamps, sizes: contentSizes(checkout, rids) };
}

function lookAt(checkout: Checkout, rows: readonly VfileRow[], options: RefreshOptions): TrackedFile[] {
  const trustTimes = trustsTimes(checkout, options);
  const allowLinks = checkout.settings.allowsLinks;
  if (rows.length === 0) return [];
  const sizes = contentSizes(checkout, JSON.stringify(rows.map(({ mrid }) => mrid)));
  const stale: TrackedFile[] = [];
  const files = rows.map((row, i) => {
    const path = `${checkout.root}/${row.pathname}`;
    const disk = diskFile(path, allowLinks);
    if (options.requireFiles && disk?.kind === "other") throw notAFile(path);
    const chnged = changeOf(row, disk, sizes[i]!, trustTimes, () =>
      diskMatches(path, checkout.repo.content.hashOf(row.mrid as Rid), allowLinks),
    );
    const mtime = disk?.mtimeS ?? -1;
    // The row is ours alone: a copy of each of thousands would be noticed.
    const file: { -readonly [K in keyof TrackedFile]: TrackedFile[K] } = Object.assign(row, { disk });
    if (chnged === row.chnged && mtime === row.mtime) return file;
    file.chnged = chnged;
    file.mtime = mtime;
    stale.push(file);
    return file;
  });
  if (stale.length > 0) store(checkout, stale);
  return files;
}

/** No size of anything, and not what stands for the size of content that is missing. */
const UNKNOWN_SIZE = -2;

/**
 * Sizes of artifacts, in the order of their rids.
 *
 * @param rids a JSON array
 */
function contentSizes({ repo }: Checkout, rids: string): readonly number[] {
  const sizes = repo.db
    .prepare(
      `SELECT '[' || group_concat(coalesce(size,${UNKNOWN_SIZE})) || ']' FROM json_each(?) LEFT JOIN blob ON rid=value`,
    )
    .value<string | null>(rids);
  return JSON.parse(sizes ?? "[]");
}

function changeOf(
  row: VfileRow,
  disk: DiskFile | undefined,
  size: number,
  trustTimes: boolean,
  matches: () => boolean,
): number {
  const isGone = row.deleted !== 0 || row.mrid === 0;
  let chnged = row.chnged;
  if (chnged === CHANGE.none && isGone) chnged = CHANGE.edited;
  else if (disk?.kind === "other") chnged = CHANGE.edited;
  // A folder may happen to have the file's size.
  const isSized = disk?.kind !== "other" && size === (disk?.size ?? -1);
  if (!isSized) chnged = CHANGE.edited;
  else if (chnged === CHANGE.edited && !isGone) {
    if (matches()) chnged = CHANGE.none;
  } else if (
    (chnged === CHANGE.none || chnged === CHANGE.updatedByMerge || chnged === CHANGE.updatedByIntegrate) &&
    !(trustTimes && disk?.mtimeS === row.mtime) &&
    !matches()
  ) {
    chnged = CHANGE.edited;
  }
  return process.platform === "win32"
    ? chnged
    : withPermission(chnged, permissionOf(row), disk?.permission ?? "");
}

function withPermission(chnged: number, before: FilePermission, now: FilePermission): number {
  if (before !== "l" && now === "l") return CHANGE.becameLink;
  if (before === "l" && now !== "l") return CHANGE.lostLink;
  if (chnged !== CHANGE.none && chnged < CHANGE.becameExecutable) return chnged;
  if (before === now) return CHANGE.none;
  if (now === "x") return CHANGE.becameExecutable;
  return before === "x" ? CHANGE.lostExecutable : chnged;
}

function store(checkout: Checkout, stale: readonly TrackedFile[]): void {
  const update = checkout.db.prepare("UPDATE vfile SET mtime=?, chnged=? WHERE id=?");
  checkout.write(() => {
    for (const { mtime, chnged, id } of stale) update.run(mtime, chnged, id);
  });
}

/** What `fossil status` calls a change. */
export type ChangeKind =
  | "DELETED"
  | "NOT_A_FILE"
  | "MISSING"
  | "ADDED"
  | "UPDATED_BY_MERGE"
  | "ADDED_BY_MERGE"
  | "UPDATED_BY_INTEGRATE"
  | "ADDED_BY_INTEGRATE"
  | "EXECUTABLE"
  | "SYMLINK"
  | "UNEXEC"
  | "UNLINK"
  | "CONFLICT"
  | "EDITED"
  | "RENAMED"
  | "UNCHANGED";

export interface FileChange {
  readonly kind: ChangeKind;
  readonly name: string;
  /** Name in the check-in, when that is another. */
  readonly originalName: string | undefined;
  readonly file: TrackedFile;
}

const KINDS: Readonly<Record<number, ChangeKind>> = {
  [CHANGE.updatedByMerge]: "UPDATED_BY_MERGE",
  [CHANGE.addedByMerge]: "ADDED_BY_MERGE",
  [CHANGE.updatedByIntegrate]: "UPDATED_BY_INTEGRATE",
  [CHANGE.addedByIntegrate]: "ADDED_BY_INTEGRATE",
  [CHANGE.becameExecutable]: "EXECUTABLE",
  [CHANGE.becameLink]: "SYMLINK",
  [CHANGE.lostExecutable]: "UNEXEC",
  [CHANGE.lostLink]: "UNLINK",
};

/** The changed ones among the refreshed files: what a check-in would hold, and what is missing. */
export function changesOf(checkout: Checkout, files: readonly TrackedFile[]): FileChange[] {
  return files.filter(isChanged).map((file) => {
    const original = originalName(file);
    return {
      kind: kindOf(checkout, file),
      name: file.pathname,
      originalName: original === file.pathname ? undefined : original,
      file,
    };
  });
}

/**
 * What each managed file is now, unchanged ones too, in order of their names.
 *
 * @throws as `refresh`
 */
export function describeAll(checkout: Checkout, options: RefreshOptions = {}): Omit<FileChange, "file">[] {
  const changes = changesOf(checkout, refreshChanged(checkout, options));
  const changed = new Map(changes.map((change) => [change.name, change]));
  return vfileNames(checkout, checkout.vid).map(
    (name) => changed.get(name) ?? { kind: "UNCHANGED", name, originalName: undefined },
  );
}

function kindOf({ root }: Checkout, file: TrackedFile): ChangeKind {
  const { disk, chnged } = file;
  if (file.deleted !== 0) return "DELETED";
  if (disk === undefined) return "MISSING";
  if (disk.kind === "other") return "NOT_A_FILE";
  if (file.rid === 0) return "ADDED";
  const known = KINDS[chnged];
  if (known !== undefined) return known;
  if (chnged === CHANGE.none) return originalName(file) === file.pathname ? "UNCHANGED" : "RENAMED";
  const isConflict = disk.kind === "file" && hasConflictMark(readDisk(`${root}/${file.pathname}`, false));
  return isConflict ? "CONFLICT" : "EDITED";
}

function notAFile(path: string): RepoError {
  return new RepoError("not-a-file", `${path} is not an ordinary file`, {
    hint: "move it away, or put the managed file back with edgesync repo revert",
  });
}
