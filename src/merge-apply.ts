/**
 * Carries out a merge: files, tables, and what undo needs, in one change of the checkout that is made whole or not at
 * all. It is not committed: `vmerge` remembers what was merged, and the next check-in names it.
 *
 * Source of the order and of what the tables then hold: Fossil `src/merge.c`. A dry run changes nothing and reports the
 * same.
 */
import { EMPTY, equal } from "./bytes.ts";
import { changeTree } from "./checkout-change.ts";
import type { Checkout } from "./checkout-db.ts";
import { readDisk } from "./checkout-disk.ts";
import { freeName } from "./checkout-sidecar.ts";
import type { TreeChange } from "./checkout-tree.ts";
import { UndoLog } from "./checkout-undo.ts";
import { CHANGE, MERGE_ID, permissionOf } from "./checkout-vfile.ts";
import { RepoError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import { type ConflictKind, keepConflict } from "./merge-conflict.ts";
import { findEnds, type MergeEnds, type MergeRequest } from "./merge-ends.ts";
import type { MergeFile } from "./merge-names.ts";
import { type MergePlan, type PresentFile, planMerge, type SharedFile } from "./merge-plan.ts";
import { renameMerged } from "./merge-rename-files.ts";
import { writeSidecars } from "./merge-sidecar.ts";
import { MergeStat } from "./merge-stat.ts";
import { isLaterContent, type MergeStrategy, type StrategyOptions, strategies } from "./merge-strategy.ts";
import { mergeText } from "./merge-text.ts";
import type { Rid } from "./repo-content.ts";

export interface MergeOptions extends StrategyOptions {
  readonly dryRun?: boolean;
  /** Merge without files whose content is not here. */
  readonly forceMissing?: boolean;
  /** Of files that conflict, leave all versions beside them. */
  readonly keepFiles?: boolean;
  /** Recorded for undo under this command; nothing is recorded without. */
  readonly commandLine?: string;
}

/** What became of a file. */
export type MergeEvent = {
  readonly what: "EXECUTABLE" | "UNEXEC" | "UPDATE" | "MERGE" | "DELETE" | "RENAME" | "ADDED";
  readonly name: string;
  /** Of RENAME: the new name. */
  readonly to?: string;
  /** Of MERGE. */
  readonly strategy?: MergeStrategy;
  readonly conflict?: ConflictKind;
  /** Of a text: how many. */
  readonly conflictCount?: number;
  /** Of ADDED: where the unmanaged file that was there is now. */
  readonly backup?: string;
};

export interface MergeResult {
  readonly ends: MergeEnds;
  readonly events: readonly MergeEvent[];
}

/**
 * @returns `undefined` when there is nothing to merge
 * @throws those of `findEnds` and `planMerge`; RepoError `file-missing`, and those of `TreeChange`; FormatError
 *   `merge-file`, `merge-strategy`
 */
export function mergeInto(
  checkout: Checkout,
  request: MergeRequest,
  options: MergeOptions = {},
): MergeResult | undefined {
  // One snapshot: hundreds of contents are read, and each read by itself would take and release a lock.
  return checkout.repo.db.snapshot(() => merge(checkout, request, options));
}

function merge(checkout: Checkout, request: MergeRequest, options: MergeOptions): MergeResult | undefined {
  const ends = findEnds(checkout, request);
  if (ends === undefined) return undefined;
  const { commandLine, dryRun = false, forceMissing } = options;
  return changeTree(
    checkout,
    (tree) => {
      const plan = planMerge(checkout, ends, forceMissing);
      const undo = commandLine === undefined ? undefined : UndoLog.begin(checkout, commandLine);
      if (undo === undefined) checkout.dropUndo();
      const events = new Merger({ checkout, ends, tree, undo, options }).run(plan);
      remember(checkout, ends);
      checkout.settings.refresh();
      return { ends, events };
    },
    { dryRun },
  );
}

function remember(checkout: Checkout, { kind, recorded }: MergeEnds): void {
  const { db, repo } = checkout;
  db.prepare("INSERT OR IGNORE INTO vmerge(id,merge,mhash) VALUES(?,?,?)").run(
    MERGE_ID[kind],
    recorded,
    repo.content.hashOf(recorded),
  );
  if (kind !== "cherrypick") return;
  const comment = repo.db
    .prepare("SELECT coalesce(ecomment,comment) FROM event WHERE type='ci' AND objid=?")
    .value<string>(recorded);
  if (comment !== undefined) checkout.setVariable("ci-comment", comment);
}

interface Work {
  readonly checkout: Checkout;
  readonly ends: MergeEnds;
  readonly tree: TreeChange;
  readonly undo: UndoLog | undefined;
  readonly options: MergeOptions;
}

/** As `fossil merge-info` shows them. */
const MESSAGES: Readonly<Record<ConflictKind, string>> = {
  text: "merge conflicts",
  binary: "cannot merge binary file",
  link: "cannot merge symlink",
  removed: "local edits lost",
  fork: "all versions kept",
};

class Merger {
  private readonly events: MergeEvent[] = [];
  private readonly strategyOf: (name: string) => MergeStrategy;
  /** Names that files have after the merge, by their names before. */
  private newNames: ReadonlyMap<string, string> = new Map();

  private readonly stat: MergeStat;

  constructor(private readonly work: Work) {
    this.stat = new MergeStat(work.checkout);
    this.strategyOf = strategies(work.checkout, work.options);
  }

  run(plan: MergePlan): MergeEvent[] {
    this.newNames = new Map(plan.rename.map(({ from, to }) => [from, to]));
    const executable = new Map<number, boolean>();
    for (const file of plan.execute) {
      executable.set(file.current.id, file.isExecutable);
      this.setExecutable(file, file.isExecutable);
    }
    for (const file of plan.update) this.update(file, executable.get(file.current.id));
    for (const file of plan.merge) this.merge(file);
    for (const file of plan.remove) this.remove(file);
    for (const { from, to } of plan.rename) {
      this.events.push({ what: "RENAME", name: from, to });
      this.stat.renamed(from);
    }
    renameMerged(this.work.checkout, plan.rename, this.work.tree, this.work.undo);
    this.removeEmptyFolders(plan);
    for (const file of plan.add) this.add(file, plan.managed);
    return this.events;
  }

  private setExecutable({ name, current }: PresentFile, isExecutable: boolean): void {
    this.events.push({ what: isExecutable ? "EXECUTABLE" : "UNEXEC", name });
    this.work.tree.setExecutable(name, isExecutable);
    this.work.checkout.db
      .prepare("UPDATE vfile SET isexe=? WHERE id=?")
      .run(isExecutable ? 1 : 0, current.id);
  }

  private update(file: SharedFile, isExecutable = file.current.isexe !== 0): void {
    const { name, current, merged } = file;
    this.events.push({ what: "UPDATE", name });
    this.stat.note(file, { op: "UPDATE" });
    const { checkout, ends, tree, undo } = this.work;
    undo?.save(name);
    const isexe = isExecutable ? 1 : 0;
    const permission = merged.islink ? "l" : isExecutable ? "x" : "";
    const before = () => this.content(current.rid);
    const mtime = tree.write(name, this.content(merged.rid), permission, before);
    const chnged = ends.kind === "integrate" ? CHANGE.updatedByIntegrate : CHANGE.updatedByMerge;
    checkout.db
      .prepare("UPDATE vfile SET mtime=?, mrid=?, chnged=?, isexe=?, islink=?, mhash=? WHERE id=?")
      .run(
        mtime,
        merged.rid,
        chnged,
        isexe,
        merged.islink,
        merged.rid === current.rid ? null : this.hashOf(merged),
        current.id,
      );
  }

  private merge(file: SharedFile): void {
    const { name, current, merged } = file;
    const strategy = this.strategyOf(name);
    const isLink = current.islink !== 0 || merged.islink !== 0;
    if (!isLink) this.work.undo?.save(name);
    if (isLink) this.conflict(file, "link", { strategy });
    else if (strategy === "binary" || strategy === "fork") this.conflict(file, strategy, { strategy });
    else if (strategy === "last-writer") this.takeLast(file);
    else this.mergeText(file);
    const { db } = this.work.checkout;
    db.prepare("UPDATE vfile SET mtime=0 WHERE id=?").run(current.id);
    db.prepare("INSERT OR IGNORE INTO vmerge(id,merge,mhash) VALUES(?,?,?)").run(
      current.id,
      merged.rid,
      this.hashOf(merged),
    );
  }

  private hashOf({ rid, hash }: MergeFile): Hash {
    return hash ?? this.work.checkout.repo.content.hashOf(rid as Rid);
  }

  private mergeText(file: SharedFile): void {
    const { name, pivot, merged } = file;
    const ours = this.ours(name);
    const base = pivot === undefined ? EMPTY : this.content(pivot.rid);
    const theirs = this.content(merged.rid);
    const result = mergeText(base, ours, theirs);
    const { tree, options } = this.work;
    const isConflict = result === undefined || result.conflictCount > 0;
    if (isConflict) {
      const kind = result === undefined ? "binary" : "text";
      this.conflict(file, kind, {
        strategy: "three-way",
        ...(result !== undefined && { conflictCount: result.conflictCount }),
      });
      if (options.keepFiles) writeSidecars(tree, name, { base, ours, theirs });
    } else this.merged(file, "three-way");
    if (result === undefined) return;
    tree.write(name, result.content, merged.isexe ? "x" : "", () => ours);
  }

  private takeLast(file: SharedFile): void {
    const { name, current, merged } = file;
    const { checkout, tree } = this.work;
    this.merged(file, "last-writer");
    const isOurs = current.chnged !== 0 || isLaterContent(checkout, current.rid as Rid, merged.rid as Rid);
    if (isOurs) return;
    tree.write(name, this.content(merged.rid), merged.isexe ? "x" : "");
  }

  private merged(file: SharedFile, strategy: MergeStrategy): void {
    this.events.push({ what: "MERGE", name: file.name, strategy });
    this.stat.note(file, { op: "MERGE", sizeBefore: this.sizeBefore(file) });
  }

  /** Of a file that was changed in the working tree. */
  private sizeBefore({ name, current }: PresentFile): number | undefined {
    return current.chnged === 0 ? undefined : this.work.tree.stat(name)?.size;
  }

  private conflict(
    file: PresentFile,
    kind: ConflictKind,
    more: Pick<MergeEvent, "strategy" | "conflictCount">,
    what: MergeEvent["what"] = "MERGE",
  ): void {
    const { name, current, pivot, merged } = file;
    this.events.push({ what, name, conflict: kind, ...more });
    this.stat.note(file, {
      op: what === "DELETE" ? "DELETE" : kind === "text" ? "CONFLICT" : "ERROR",
      sizeBefore: this.sizeBefore(file),
      conflictCount: more.conflictCount ?? 1,
      message: MESSAGES[kind],
    });
    const { checkout, ends } = this.work;
    const hashOf = (rid: number | undefined) =>
      rid === undefined ? undefined : checkout.repo.content.hashOf(rid as Rid);
    keepConflict(checkout, {
      name: this.newNames.get(name) ?? name,
      kind,
      base: hashOf(pivot?.rid),
      theirs: hashOf(merged?.rid),
      ours: this.disk(name),
      permission: permissionOf(current),
      theirPermission: merged === undefined ? "" : permissionOf(merged),
      version: checkout.repo.content.hashOf(ends.recorded),
    });
  }

  private remove(file: PresentFile): void {
    const { name, current } = file;
    const { checkout, tree, undo } = this.work;
    const isLost = current.chnged !== 0 && this.work.tree.stat(name) !== undefined;
    if (isLost) this.conflict(file, "removed", {}, "DELETE");
    else {
      this.events.push({ what: "DELETE", name });
      this.stat.note(file, { op: "DELETE" });
    }
    undo?.save(name);
    checkout.db.prepare("UPDATE vfile SET deleted=1 WHERE id=?").run(current.id);
    tree.remove(name);
  }

  /** A file may be added where a folder was. */
  private removeEmptyFolders(plan: MergePlan): void {
    const gone = [...plan.remove.map(({ name }) => name), ...plan.rename.map(({ from }) => from)];
    this.work.tree.removeEmptyFolders(gone, new Set(this.work.checkout.settings.emptyFolders()));
  }

  private add(file: MergePlan["add"][number], managed: ReadonlySet<string>): void {
    const { name, merged } = file;
    this.stat.note(file, { op: "ADDED" });
    const { checkout, ends, tree, undo } = this.work;
    const disk = tree.stat(name);
    const content = this.content(merged.rid);
    const isInTheWay = disk !== undefined && disk.kind !== "other" && !managed.has(name);
    const backup = isInTheWay ? freeName(tree, `${name}-original`) : undefined;
    this.events.push({ what: "ADDED", name, ...(backup !== undefined && { backup }) });
    if (backup !== undefined)
      tree.write(backup, readDisk(tree.path(name), tree.allowLinks), disk!.permission);
    undo?.save(name);
    const chnged = ends.kind === "integrate" ? CHANGE.addedByIntegrate : CHANGE.addedByMerge;
    const permission = permissionOf(merged);
    const isThere =
      disk !== undefined &&
      disk.kind !== "other" &&
      disk.permission === permission &&
      equal(readDisk(tree.path(name), tree.allowLinks), content);
    if (!isThere) tree.write(name, content, permission);
    checkout.db
      .prepare(
        `REPLACE INTO vfile(vid,chnged,deleted,rid,mrid,isexe,islink,pathname,mhash)
         VALUES(?1,?2,0,?3,?3,?4,?5,?6,NULL)`,
      )
      .run(checkout.vid, chnged, merged.rid, merged.isexe, merged.islink, name);
  }

  private content(rid: number): Uint8Array {
    return this.work.checkout.repo.content.get(rid as Rid) ?? EMPTY;
  }

  private disk(name: string): Uint8Array | undefined {
    const { tree } = this.work;
    const disk = tree.stat(name);
    return disk === undefined || disk.kind === "other"
      ? undefined
      : readDisk(tree.path(name), tree.allowLinks, disk);
  }

  /** @throws RepoError `file-missing` */
  private ours(name: string): Uint8Array {
    const content = this.disk(name);
    if (content !== undefined) return content;
    throw new RepoError("file-missing", `${JSON.stringify(name)} is to be merged and is not there`, {
      hint: "put it back with edgesync repo revert, or commit that it is gone, and merge again",
      data: { name },
    });
  }
}
