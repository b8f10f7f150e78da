/**
 * The mlink table: which files a check-in changed against each of its parents. Facts: Fossil
 * `src/manifest.c` (file linkages) and `src/schema.c`; fossil-facts E.
 *
 *     mid    the check-in                      pmid   the parent compared with, 0 for none
 *     fid    content in mid, 0 = deleted       pid    content in pmid, 0 = added, -1 = added by merge
 *     fnid   name                              pfnid  name in pmid if renamed, else 0
 *     mperm  1 = executable, 2 = symlink       isaux  0 for the primary parent, 1 for any other
 *
 * A rename makes two rows: the new name with its pfnid, and the old name with fid 0.
 *
 * Compared are: the primary parent; then every merge parent and every check-in cherry-picked (not
 * backed out), which add rows only for names that the primary parent has a row for. A check-in whose
 * primary parent is not available has no rows; one without parents has a row for every own entry.
 *
 * Against one parent, in this order:
 *   1. every own entry of the child whose content, permission or name differs from the parent;
 *   2. both delta manifests: entries of the parent that the child does not list, hence has as its
 *      baseline has them; otherwise, the child being full: files of the parent that it lacks.
 * A delta manifest child of a full parent that is not its baseline can so miss changes: the same rows
 * as stock's are wanted, not better ones.
 *
 * With several parents, `pid` 0 becomes -1 for a name that fewer rows than parents speak of: the file
 * came from one of the others.
 */
import type { FileEntry, FilePermission } from "./artifact-types.ts";
import { toJulian } from "./julian.ts";
import type { Rid } from "./repo-content.ts";
import { toTableJulian } from "./repo-julian.ts";
import type { LinkContext } from "./repo-link-context.ts";
import { FileFinder, filesOf, isOrphan, type Manifest, ManifestFinder } from "./repo-manifest.ts";
import { FUDGE_WINDOW_DAYS } from "./repo-time-fudge.ts";

const NONE = 0;
const BY_MERGE = -1;

/** Fills mlink for `child`, which has no rows yet. `primary` is its primary parent, `parentCount` how many it has. */
export function linkFiles(
  ctx: LinkContext,
  child: Manifest,
  primary: Rid | undefined,
  parentCount: number,
): void {
  const rows = new FileRows(ctx, child);
  if (primary === undefined) {
    for (const file of child.files) rows.add(NONE, undefined, file, file.name, false);
    rows.insert(1);
    return;
  }
  const picked = child.checkIn.cherrypicks.filter((pick) => !pick.backout);
  if (rows.compare(primary, false)) {
    for (const hash of [...child.checkIn.parents.slice(1), ...picked.map((pick) => pick.from)]) {
      const other = ctx.content.ridOf(hash);
      if (other !== undefined) rows.compare(other, true);
    }
  }
  rows.insert(parentCount + picked.length);
}

interface FileRow {
  readonly fid: Rid | typeof NONE;
  readonly pmid: Rid | typeof NONE;
  readonly pid: Rid | typeof NONE;
  readonly fnid: number;
  readonly pfnid: number;
  readonly mperm: number;
  readonly isAux: boolean;
}

class FileRows {
  /** Parents that have rows already: a parent named twice counts once. */
  private readonly compared = new Set<Rid>();
  /** How many rows each name has. The first is against the primary parent. */
  private readonly countOf = new Map<number, number>();
  private readonly rows: FileRow[] = [];
  private readonly isPublic: boolean;

  constructor(
    private readonly ctx: LinkContext,
    private readonly child: Manifest,
  ) {
    this.isPublic = !ctx.content.isPrivate(child.rid);
  }

  /** Adds the rows against one parent. False when it is no available check-in. */
  compare(parentRid: Rid, isAux: boolean): boolean {
    if (this.compared.has(parentRid)) return true;
    const { ctx, child } = this;
    const parent = ctx.manifests.open(parentRid, child.checkIn);
    if (parent === undefined) return false;
    if (isOrphan(parent)) {
      recordOrphan(ctx, parent.rid, parent.baseline);
      return false;
    }
    proposeDelta(ctx, parent, child);
    noteClosely(ctx, parent, child);
    this.compareOwn(parent, isAux);
    if (child.baseFiles === undefined) this.compareMissing(parent, isAux);
    else if (parent.baseFiles !== undefined) this.compareReverted(parent, isAux);
    return true;
  }

  /** Step 1: the child's own entries. */
  private compareOwn(parent: Manifest, isAux: boolean): void {
    const inOrder = new ManifestFinder(parent);
    const byPriorName = new ManifestFinder(parent);
    for (const file of this.child.files) {
      if (file.priorName !== undefined) {
        const before = byPriorName.find(file.priorName);
        this.add(parent.rid, before, file, file.name, isAux, before && file.priorName);
        continue;
      }
      // Most files did not change: their entries are one object (`artifact-file-memo.ts`).
      if (file.hash !== undefined && inOrder.take(file)) continue;
      const before = inOrder.find(file.name);
      if (before === undefined) {
        if (file.hash !== undefined) this.add(parent.rid, undefined, file, file.name, isAux);
      } else if (file.hash !== before.hash || file.permission !== before.permission) {
        this.add(parent.rid, before, file, file.name, isAux);
      }
    }
  }

  /** Step 2, a full child: files that it lacks. */
  private compareMissing(parent: Manifest, isAux: boolean): void {
    const finder = new FileFinder(this.child.files);
    for (const before of parent.baseFiles === undefined ? parent.files : filesOf(parent)) {
      if (finder.take(before)) continue;
      const after = finder.find(before.name);
      if (after === undefined) this.add(parent.rid, before, undefined, before.name, isAux);
    }
  }

  /** Step 2, both delta manifests: entries of the parent that the child takes from its baseline. */
  private compareReverted(parent: Manifest, isAux: boolean): void {
    const own = new FileFinder(this.child.files);
    const effective = new ManifestFinder(this.child);
    for (const before of parent.files) {
      if (before.hash !== undefined && own.find(before.name) !== undefined) continue;
      const after = effective.find(before.name);
      if (after !== undefined) this.add(parent.rid, before, after, before.name, isAux);
    }
  }

  add(
    parentRid: Rid | typeof NONE,
    before: FileEntry | undefined,
    after: FileEntry | undefined,
    name: string,
    isAux: boolean,
    priorName?: string,
  ): void {
    const { ctx } = this;
    const fnid = ctx.filenames.idOf(name);
    const pfnid = priorName === undefined ? 0 : ctx.filenames.idOf(priorName);
    const pid = before?.hash === undefined ? NONE : ctx.ridOf(before.hash);
    const fid = after?.hash === undefined ? NONE : ctx.ridOf(after.hash);
    if (fid !== NONE && this.isPublic) ctx.publish(fid);
    if (pid !== NONE && fid !== NONE) ctx.deferDeltify(pid, fid);
    const count = this.countOf.get(fnid) ?? 0;
    if (isAux && count === 0) return;
    this.countOf.set(fnid, count + 1);
    if (parentRid !== NONE) this.compared.add(parentRid);
    const mperm = MPERM[after?.permission ?? ""];
    this.rows.push({ fid, pmid: parentRid, pid, fnid, pfnid, mperm, isAux });
  }

  /** Writes the rows, which came from comparisons with `comparedCount` check-ins. */
  insert(comparedCount: number): void {
    const insert = this.ctx.db.prepare(
      "INSERT INTO mlink(mid,fid,pmid,pid,fnid,pfnid,mperm,isaux) VALUES(?,?,?,?,?,?,?,?)",
    );
    for (const { fid, pmid, pid, fnid, pfnid, mperm, isAux } of this.rows) {
      const isByMerge = pid === NONE && comparedCount > 1 && this.countOf.get(fnid)! < comparedCount;
      insert.run(this.child.rid, fid, pmid, isByMerge ? BY_MERGE : pid, fnid, pfnid, mperm, isAux ? 1 : 0);
    }
  }
}

const MPERM: Readonly<Record<FilePermission, number>> = { "": 0, x: 1, l: 2 };

/** Notes that delta manifest `rid` waits for `baseline`. */
export function recordOrphan(ctx: LinkContext, rid: Rid, baseline: Rid): void {
  ctx.db.prepare("INSERT OR IGNORE INTO orphan(rid,baseline) VALUES(?,?)").run(rid, baseline);
}

/** An older manifest is best stored as a delta of the next one of its kind. */
function proposeDelta(ctx: LinkContext, parent: Manifest, child: Manifest): void {
  if ((parent.baseRid === undefined) === (child.baseRid === undefined))
    ctx.deferDeltify(parent.rid, child.rid);
  else if (parent.baseRid !== undefined) ctx.deferDeltify(parent.baseRid, child.rid);
}

function noteClosely(ctx: LinkContext, parent: Manifest, child: Manifest): void {
  const [parentDate, childDate] = [parent.checkIn.date, child.checkIn.date];
  if (toJulian(childDate) >= toJulian(parentDate) + FUDGE_WINDOW_DAYS) return;
  ctx.deferTimeFudge(parent.rid, {
    parentMtime: toTableJulian(parentDate),
    child: child.rid,
    childMtime: toTableJulian(childDate),
  });
}
