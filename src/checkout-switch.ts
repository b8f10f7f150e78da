/**
 * Checks a check-in out: the working tree becomes what it lists. Files that are the same in both check-ins
 * are left alone; those of the check-in before that the new one lacks are removed, and folders that are then
 * empty. All or nothing: when a file cannot be written, tree and tables are put back as they were.
 *
 * Not without `force`: when managed files were changed, or when unmanaged files with other content are in the
 * way. With `force` such files are overwritten, and what the tables held is forgotten: files that only the
 * check-in before had stay, unmanaged.
 *
 * Source: Fossil `src/checkout.c`.
 */
import { equal } from "./bytes.ts";
import { changeTree } from "./checkout-change.ts";
import type { Checkout } from "./checkout-db.ts";
import { readDisk } from "./checkout-disk.ts";
import { makeEmptyFolders } from "./checkout-empty-folders.ts";
import { writeManifestFiles } from "./checkout-manifest-files.ts";
import { refreshRows } from "./checkout-status.ts";
import { setTimes } from "./checkout-times.ts";
import type { TreeChange } from "./checkout-tree.ts";
import { loadVfile, permissionOf, type VfileRow, vfileRows } from "./checkout-vfile.ts";
import { RepoError } from "./errors.ts";
import type { Rid } from "./repo-content.ts";

export interface SwitchOptions {
  /** Whatever changed files hold is lost. */
  readonly force?: boolean;
  /** No content changes, only the tables, permissions and the files of the setting `manifest`. */
  readonly keep?: boolean;
  /** Files whose content is not here are left out. */
  readonly forceMissing?: boolean;
  /** Files get the times of the check-ins that brought them. */
  readonly setTimes?: boolean;
}

export interface SwitchResult {
  /** Names of files that were written. */
  readonly written: readonly string[];
  readonly removed: readonly string[];
}

/**
 * @throws RepoError `unsaved-changes`, `files-in-the-way` (data: names), `content-missing`, `disk-full`,
 *   `file-unwritable`, `path-is-folder`, `unsafe-path`; NameError `not-a-checkin`
 */
export function switchTo(checkout: Checkout, target: Rid, options: SwitchOptions = {}): SwitchResult {
  // One snapshot: thousands of files are read, and each read by itself would take and release a lock.
  return checkout.repo.db.snapshot(() => change(checkout, target, options));
}

function change(checkout: Checkout, target: Rid, options: SwitchOptions): SwitchResult {
  const force = options.force || options.keep;
  return changeTree(checkout, (tree) => {
    const before = force ? [] : refreshClean(checkout);
    if (force) checkout.db.prepare("DELETE FROM vfile").run();
    else if (checkout.vid === target) return NOTHING;
    loadVfile(checkout, target, options.forceMissing);
    const rows = vfileRows(checkout, target);
    const result = options.keep
      ? NOTHING
      : replaceFiles(checkout, before, rows, tree, options.force ?? false);
    if (options.keep) for (const row of rows) tree.setExecutable(row.pathname, row.isexe !== 0);
    checkout.db.prepare("DELETE FROM vfile WHERE vid!=?").run(target);
    checkout.settings.refresh();
    const kept = makeEmptyFolders(checkout, tree);
    tree.removeEmptyFolders(result.removed, kept);
    writeManifestFiles(checkout, target, tree);
    checkout.setCheckIn(target);
    checkout.dropUndo();
    checkout.db.prepare("DELETE FROM vmerge").run();
    if (options.setTimes) setTimes(checkout, tree);
    return result;
  });
}

const NOTHING: SwitchResult = { written: [], removed: [] };

/** @throws RepoError `unsaved-changes` */
export function refreshClean(checkout: Checkout): VfileRow[] {
  const files = refreshRows(checkout, { requireFiles: true });
  const changed = files.find(
    ({ chnged, origname, pathname }) => chnged !== 0 || (origname !== null && origname !== pathname),
  );
  if (changed === undefined) return files;
  throw new RepoError(
    "unsaved-changes",
    `this checkout has changes that are not committed (${changed.pathname})`,
    {
      hint: "commit or stash them, revert them, or go on with --force",
      data: { name: changed.pathname },
    },
  );
}

/** Takes the tree from `before`, all unchanged, to `rows`. */
function replaceFiles(
  { repo, db, root }: Checkout,
  before: readonly VfileRow[],
  rows: readonly VfileRow[],
  tree: TreeChange,
  force: boolean,
): SwitchResult {
  const { content } = repo;
  const known = new Map(before.map((file) => [file.pathname, file]));
  const setTime = db.prepare("UPDATE vfile SET mtime=? WHERE id=?");
  const [written, removed, blocked]: [string[], string[], string[]] = [[], [], []];
  const wanted = new Set(rows.map(({ pathname }) => pathname));
  const contentOf = (rid: number) => () => content.get(rid as Rid)!;
  // First what goes: a file may stand where a folder is to be.
  for (const { pathname, rid } of before) {
    if (!wanted.has(pathname) && tree.remove(pathname, contentOf(rid))) removed.push(pathname);
  }
  tree.removeEmptyFolders(removed, new Set());
  for (const row of rows) {
    const { pathname: name, rid, id } = row;
    const permission = permissionOf(row);
    const old = known.get(name);
    if (old !== undefined && old.rid === rid && permissionOf(old) === permission) {
      setTime.run(old.mtime, id);
      continue;
    }
    const bytes = content.get(rid as Rid)!;
    const mtime = old === undefined ? tree.create(name, bytes, permission) : undefined;
    if (mtime !== undefined) {
      setTime.run(mtime, id);
      written.push(name);
      continue;
    }
    const disk = tree.stat(name);
    if (old === undefined && disk !== undefined && !disk.isFolder) {
      const isSame = equal(readDisk(`${root}/${name}`, tree.allowLinks), bytes);
      if (isSame && (disk.kind === "link") === (permission === "l")) {
        tree.setExecutable(name, permission === "x");
        setTime.run(disk.mtimeS, id);
        continue;
      }
      if (!force) {
        blocked.push(name);
        continue;
      }
    }
    setTime.run(tree.write(name, bytes, permission, old && contentOf(old.rid)), id);
    written.push(name);
  }
  if (blocked.length > 0) throw inTheWay(blocked);
  return { written, removed };
}

function inTheWay(names: readonly string[]): RepoError {
  const more = names.length > 1 ? ` and ${names.length - 1} more` : "";
  return new RepoError("files-in-the-way", `an unmanaged file ${names[0]}${more} would be overwritten`, {
    hint: "move it away, or overwrite with --force",
    data: { names },
  });
}
