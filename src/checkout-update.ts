/**
 * Takes a checkout to another check-in and keeps what was changed in it: changes are merged into the files of the
 * target, removals stay removed, added files stay added. With names only those files are taken over, and count as
 * changes of the check-in that stays checked out.
 *
 * What happens to a file, by what it is in the check-in before (V), in the target (T) and on disk:
 *
 *     only in T                                ADD; an unmanaged file in the way becomes NAME-original
 *     added here, and in T                     CONFLICT: stays as it is here
 *     differs from V to T, not changed here    UPDATE
 *     gone from disk                           UPDATE: comes back
 *     only in V, not changed here              REMOVE
 *     only in V, changed here                  CONFLICT: stays, unmanaged
 *     differs from V to T, changed here        MERGE, three-way; a file renamed from V to T is merged under its new name.
 *                                              A binary file becomes that of T, its copy here NAME-original
 *
 * A changed permission stays. All or nothing, and recorded for undo. Source: Fossil `src/update.c`.
 */
import type { FilePermission } from "./artifact-types.ts";
import { changeTree } from "./checkout-change.ts";
import type { Checkout, UndoRecorder } from "./checkout-db.ts";
import { diskFile, readDisk } from "./checkout-disk.ts";
import { makeEmptyFolders } from "./checkout-empty-folders.ts";
import { writeManifestFiles } from "./checkout-manifest-files.ts";
import { freeName } from "./checkout-sidecar.ts";
import { refresh, type TrackedFile } from "./checkout-status.ts";
import { setTimes } from "./checkout-times.ts";
import type { TreeChange } from "./checkout-tree.ts";
import { matchFiles, type UpdatePair } from "./checkout-update-match.ts";
import { CHANGE, loadVfile, permissionOf, type VfileRow, vfileRows } from "./checkout-vfile.ts";
import { type MergeOp, MergeStat, type UpdatedFile } from "./merge-stat.ts";
import { mergeText } from "./merge-text.ts";
import type { Rid } from "./repo-content.ts";

export interface UpdateOptions {
  /** Files or folders; everything when there are none. */
  readonly names: readonly string[];
  readonly forceMissing?: boolean;
  readonly setTimes?: boolean;
  /** Nothing changes. */
  readonly dryRun?: boolean;
  /** Begins to record for undo. */
  readonly beginUndo: () => UndoRecorder;
}

/** What was done to a file. `UPDATE` of a removed one leaves it unmanaged. */
export type UpdateStep = {
  readonly op: "ADD" | "UPDATE" | "REMOVE" | "MERGE" | "CONFLICT";
  readonly name: string;
  /** Name in the target, when that is another. */
  readonly newName?: string;
  /** Places that conflict, or why it is a conflict. */
  readonly conflict?: string;
  /** Name of the copy of what was here before. */
  readonly copy?: string;
};

/**
 * @throws RepoError `content-missing`, `not-a-file`, `disk-full`, and others of `TreeChange`; NameError `not-a-checkin`
 */
export function updateTo(checkout: Checkout, target: Rid, options: UpdateOptions): UpdateStep[] {
  return checkout.repo.db.snapshot(() =>
    changeTree(checkout, (tree) => update(checkout, target, tree, options), options),
  );
}

function update(checkout: Checkout, target: Rid, tree: TreeChange, options: UpdateOptions): UpdateStep[] {
  const before = checkout.checkIn;
  const files = refresh(checkout, { requireFiles: true });
  const undo = options.beginUndo();
  const isPartial = options.names.length > 0 && !options.names.includes("");
  // The target may be what is checked out: then nothing moves, and only what is missing comes back.
  if (target !== before) loadVfile(checkout, target, options.forceMissing);
  const rows = vfileRows(checkout, target);
  const pairs = matchFiles(checkout.repo, before, target, files, rows, isPartial ? options.names : []);
  const work = new Update(checkout, tree, undo, target);
  for (const pair of pairs) work.apply(pair);
  settle(checkout, tree, work, before, isPartial ? before : target);
  if (options.setTimes && !isPartial) setTimes(checkout, tree);
  return work.steps;
}

function settle(
  checkout: Checkout,
  tree: TreeChange,
  update: Update,
  before: Rid | undefined,
  stays: Rid | undefined,
) {
  checkout.settings.refresh();
  const kept = makeEmptyFolders(checkout, tree);
  tree.removeEmptyFolders(update.removed, kept);
  checkout.db.prepare("DELETE FROM vfile WHERE vid!=?").run(stays ?? 0);
  if (stays === undefined || stays === before) return;
  for (const row of vfileRows(checkout, stays)) {
    if (!update.ownPermission.has(row.pathname)) tree.setExecutable(row.pathname, row.isexe !== 0);
  }
  checkout.setCheckIn(stays);
  writeManifestFiles(checkout, stays, tree);
}

const EDITED_AND_DELETED = "edited locally but deleted by update";

class Update {
  readonly steps: UpdateStep[] = [];
  readonly removed: string[] = [];
  /** Names of files whose permission was changed here. */
  readonly ownPermission = new Set<string>();
  private readonly stat: MergeStat;
  /** The one at work on. */
  private file!: UpdatedFile;

  constructor(
    private readonly checkout: Checkout,
    private readonly tree: TreeChange,
    private readonly undo: UndoRecorder,
    private readonly target: Rid,
  ) {
    this.stat = new MergeStat(checkout);
  }

  apply(pair: UpdatePair): void {
    const { name, newName, current, next } = pair;
    const { db } = this.checkout;
    const { rid = 0 } = current ?? {};
    const sizeBefore = diskFile(`${this.checkout.root}/${newName}`, false)?.size ?? -1;
    this.file = { name, newName, rid, targetRid: next?.rid ?? 0, sizeBefore };
    if (current?.deleted && next) db.prepare("UPDATE vfile SET deleted=1 WHERE id=?").run(next.id);
    if (isPermissionChange(current) && next) this.ownPermission.add(next.pathname);
    if (current === undefined) this.add(next!);
    else if (next === undefined) this.drop(current);
    else if (current.rid === 0) {
      this.steps.push({ op: "CONFLICT", name, conflict: "added here and in the target" });
      this.note("CONFLICT", 1, "duplicate file");
    } else if (current.rid !== next.rid && (current.chnged === 0 || current.deleted))
      this.replace(current, next);
    else if (!current.deleted && current.disk === undefined) this.replace(current, next);
    else if (current.chnged !== 0 && (current.rid !== next.rid || name !== newName))
      this.merge(current, next);
    else if (current.chnged === 0 && current.id !== next.id) {
      db.prepare("UPDATE vfile SET mtime=? WHERE id=?").run(current.mtime, next.id);
    }
  }

  private add(next: VfileRow): void {
    const name = next.pathname;
    const inTheWay = this.tree.stat(name);
    this.undo.save(name);
    if (inTheWay === undefined || inTheWay.isFolder) {
      this.write(next);
      this.steps.push({ op: "ADD", name });
      return;
    }
    const copy = this.keepCopy(name);
    this.write(next);
    this.steps.push({ op: "ADD", name, copy, conflict: "overwrites an unmanaged file" });
    this.note("CONFLICT", 1, "new file overwrites unmanaged file");
  }

  private replace(current: TrackedFile, next: VfileRow): void {
    this.undo.save(current.pathname);
    const isWhole = current.chnged === 0 && current.disk !== undefined;
    this.write(next, isWhole ? this.content(current.rid) : undefined);
    const isRemoved = current.deleted !== 0;
    this.note("UPDATE");
    this.steps.push({
      op: "UPDATE",
      name: current.pathname,
      ...(isRemoved && { conflict: "change to unmanaged file" }),
    });
  }

  /** A file that the target does not have. */
  private drop(current: TrackedFile): void {
    const { pathname: name, id, rid, chnged } = current;
    if (rid === 0) {
      this.checkout.db.prepare("UPDATE vfile SET vid=? WHERE id=?").run(this.target, id);
    } else if (chnged !== 0) {
      this.steps.push({ op: "CONFLICT", name, conflict: EDITED_AND_DELETED });
      this.note("CONFLICT", 1, EDITED_AND_DELETED);
    } else {
      this.undo.save(name);
      this.tree.remove(name, this.content(rid));
      this.removed.push(name);
      this.steps.push({ op: "REMOVE", name });
    }
  }

  private merge(current: TrackedFile, next: VfileRow): void {
    const { pathname: name, disk } = current;
    const newName = next.pathname;
    const names = name === newName ? { name } : { name, newName };
    if (current.islink || next.islink || disk?.kind !== "file") {
      this.steps.push({ op: "CONFLICT", ...names, conflict: "a link cannot be merged" });
      this.note("CONFLICT");
      return;
    }
    this.undo.save(name);
    if (newName !== name) this.undo.save(newName);
    const ours = readDisk(this.tree.path(name), false);
    const theirs = this.content(next.rid)();
    const merged = mergeText(this.content(current.rid)(), ours, theirs);
    const permission: FilePermission = isPermissionChange(current) ? disk.permission : permissionOf(next);
    if (merged === undefined) {
      const copy = this.keepCopy(name);
      this.tree.write(newName, theirs, permission);
      this.steps.push({ op: "CONFLICT", ...names, copy, conflict: "a binary file cannot be merged" });
      this.note("ERROR", 1, "cannot merge binary file");
    } else {
      this.tree.write(newName, merged.content, permission);
      const count = merged.conflictCount;
      this.note(count === 0 ? "MERGE" : "CONFLICT", count, count === 0 ? undefined : "merge conflicts");
      this.steps.push({
        op: count === 0 ? "MERGE" : "CONFLICT",
        ...names,
        ...(count > 0 && { conflict: `${count} merge conflict${count === 1 ? "" : "s"}` }),
      });
    }
    if (newName !== name) {
      this.tree.remove(name);
      this.removed.push(name);
    }
  }

  private note(op: MergeOp, conflictCount = 0, message?: string): void {
    this.stat.noteUpdate(this.file, { op, conflictCount, ...(message !== undefined && { message }) });
  }

  private write(row: VfileRow, known?: () => Uint8Array): void {
    const mtime = this.tree.write(row.pathname, this.content(row.rid)(), permissionOf(row), known);
    this.checkout.db.prepare("UPDATE vfile SET mtime=? WHERE id=?").run(mtime, row.id);
  }

  /** Copies what is there to a name that is free. */
  private keepCopy(name: string): string {
    const copy = freeName(this.tree, `${name}-original`);
    const permission = this.tree.stat(name)?.permission ?? "";
    this.tree.write(copy, readDisk(this.tree.path(name), this.tree.allowLinks), permission);
    return copy;
  }

  private content(rid: number): () => Uint8Array {
    return () => this.checkout.repo.content.get(rid as Rid)!;
  }
}

function isPermissionChange(file: TrackedFile | undefined): boolean {
  return file?.chnged === CHANGE.becameExecutable || file?.chnged === CHANGE.lostExecutable;
}
