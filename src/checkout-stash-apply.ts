/**
 * Applies a stash to the working tree. A file that is as it was when the stash was made becomes what was stashed; one
 * that has changed since is merged with it (`merge-text.ts`), and where that conflicts all versions are left beside it,
 * as stock does. New files are added, removed ones removed from disk, renamed ones renamed.
 *
 * Source: Fossil `src/stash.c`.
 */
import { EMPTY, equal } from "./bytes.ts";
import { addFiles } from "./checkout-add.ts";
import { changeTree } from "./checkout-change.ts";
import type { Checkout } from "./checkout-db.ts";
import { readDisk } from "./checkout-disk.ts";
import { dropStashes, findStash, type Stash, type StashFile, stashFiles } from "./checkout-stash.ts";
import type { TreeChange } from "./checkout-tree.ts";
import { UndoLog } from "./checkout-undo.ts";
import { updateTo } from "./checkout-update.ts";
import { applyDelta } from "./delta-decode.ts";
import type { FilePair } from "./diff-report.ts";
import { RepoError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import { writeSidecars } from "./merge-sidecar.ts";
import { mergeText } from "./merge-text.ts";

export type StashStep = {
  readonly what: "UPDATE" | "MERGE" | "CONFLICT" | "DELETE" | "ADDED";
  readonly name: string;
  /** Why a conflict is not marked in the file. */
  readonly unmerged?: "binary" | "link";
};

export interface ApplyOptions {
  readonly id?: number | undefined;
  /** Go to the stash's check-in first. */
  readonly goTo?: boolean;
  /** Forget the stash afterwards. */
  readonly drop?: boolean;
  /** Recorded for undo under this command. */
  readonly commandLine: string;
}

export interface Applied {
  readonly stash: Stash;
  readonly steps: readonly StashStep[];
  readonly conflictCount: number;
}

/**
 * @throws RepoError `no-stash`, `content-missing`, `file-missing`, `no-checkin` when a stash's check-in is not here, and
 *   those of `updateTo` and `TreeChange`
 */
export function applyStash(checkout: Checkout, options: ApplyOptions): Applied {
  const stash = findStash(checkout, options.id);
  let undo: UndoLog | undefined;
  const begin = () => {
    undo ??= UndoLog.begin(checkout, options.commandLine);
    return undo;
  };
  const conflicts = options.goTo ? goToBase(checkout, stash, begin) : 0;
  const steps = changeTree(checkout, (tree) => {
    const files = stashFiles(checkout, stash.id);
    const work = new Application(checkout, tree, begin());
    for (const file of files) work.apply(file);
    work.addNew();
    // Their times may be those of what was there a moment ago.
    const touch = checkout.db.prepare("UPDATE vfile SET mtime=0 WHERE vid=? AND pathname=?");
    for (const { name } of files) touch.run(checkout.vid, name);
    if (options.drop) dropStashes(checkout, [stash.id], begin());
    return work.steps;
  });
  const conflictCount = conflicts + steps.filter(({ what }) => what === "CONFLICT").length;
  return { stash, steps, conflictCount };
}

/** @returns how many files conflict */
function goToBase(checkout: Checkout, { hash }: Stash, begin: () => UndoLog): number {
  const target = checkout.repo.content.ridOf(hash);
  if (target === undefined) {
    throw new RepoError("no-checkin", `the check-in ${hash} of the stash is not in this repository`, {
      hint: "sync with a peer that has it, or apply the stash here",
    });
  }
  const steps = updateTo(checkout, target, { names: [], beginUndo: begin });
  return steps.filter(({ op, conflict }) => op === "CONFLICT" || conflict !== undefined).length;
}

class Application {
  readonly steps: StashStep[] = [];
  private readonly added: string[] = [];

  constructor(
    private readonly checkout: Checkout,
    private readonly tree: TreeChange,
    private readonly undo: UndoLog,
  ) {}

  apply(file: StashFile): void {
    const { name, originalName, base, isRemoved } = file;
    this.undo.save(name);
    if (base === undefined) this.add(file);
    else if (isRemoved) {
      this.steps.push({ what: "DELETE", name: originalName });
      this.tree.remove(originalName);
    } else this.change(file, base);
    if (name === originalName) return;
    this.undo.save(originalName);
    this.tree.remove(originalName);
    const { db, vid } = this.checkout;
    db.prepare("UPDATE vfile SET pathname=?2, origname=?1 WHERE pathname=?1 AND vid=?3").run(
      originalName,
      name,
      vid,
    );
  }

  addNew(): void {
    if (this.added.length === 0) return;
    const { added } = addFiles(this.checkout, this.added, { force: true, allowReserved: true });
    for (const name of added) this.steps.push({ what: "ADDED", name });
  }

  private add({ name, delta, isExecutable }: StashFile): void {
    this.tree.write(name, delta ?? EMPTY, isExecutable ? "x" : "");
    this.added.push(name);
  }

  private change(file: StashFile, hash: Hash): void {
    const { name, originalName, isLink, isExecutable } = file;
    const { tree } = this;
    const disk = tree.stat(originalName);
    if (disk === undefined || disk.kind === "other") throw missing(originalName);
    const ours = readDisk(tree.path(originalName), tree.allowLinks);
    const base = contentOf(this.checkout, hash);
    const theirs = applyDelta(base, file.delta ?? EMPTY);
    const isLinkHere = disk.kind === "link";
    if (isLink === isLinkHere && equal(ours, base)) {
      tree.write(name, theirs, isLink ? "l" : isExecutable ? "x" : "");
      this.steps.push({ what: "UPDATE", name });
      return;
    }
    if (isLink || isLinkHere) {
      this.steps.push({ what: "CONFLICT", name, unmerged: "link" });
      return;
    }
    const merged = mergeText(base, ours, theirs);
    if (merged === undefined || merged.conflictCount > 0) {
      writeSidecars(tree, originalName, { base, ours, theirs });
      this.steps.push({ what: "CONFLICT", name, ...(merged === undefined && { unmerged: "binary" }) });
    } else this.steps.push({ what: "MERGE", name });
    if (merged !== undefined) tree.write(name, merged.content, isExecutable ? "x" : "");
    else if (name !== originalName) tree.write(name, ours, disk.permission);
  }
}

/**
 * What a stash holds, as pairs to be compared.
 *
 * @param against `base`: how the stash differs from what it was based on; `tree`: how it differs from the working tree
 */
export function stashPairs(checkout: Checkout, id: number, against: "base" | "tree"): FilePair[] {
  return stashFiles(checkout, id).flatMap((file): FilePair[] => {
    const { name, originalName, base, delta, isRemoved } = file;
    if (base === undefined) return [{ name, to: delta ?? EMPTY }];
    const from = contentOf(checkout, base);
    if (isRemoved) return [{ name: originalName, from }];
    const to = applyDelta(from, delta ?? EMPTY);
    const before = against === "base" ? from : onDisk(checkout, originalName);
    return before !== undefined && equal(before, to)
      ? []
      : [{ name, to, ...(before !== undefined && { from: before }) }];
  });
}

function onDisk({ root, settings }: Checkout, name: string): Uint8Array | undefined {
  try {
    return readDisk(`${root}/${name}`, settings.allowsLinks);
  } catch {
    return undefined;
  }
}

/** @throws RepoError `content-missing` */
function contentOf({ repo }: Checkout, hash: Hash): Uint8Array {
  const content = repo.content.getByHash(hash);
  if (content !== undefined) return content;
  throw new RepoError("content-missing", `the content of artifact ${hash} is not in this repository`, {
    hint: "sync with a peer that has it",
    data: { hash },
  });
}

function missing(name: string): RepoError {
  return new RepoError("file-missing", `${JSON.stringify(name)} is to be changed and is not there`, {
    hint: "put it back with edgesync repo revert",
    data: { name },
  });
}
