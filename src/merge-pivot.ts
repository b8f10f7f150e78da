/**
 * The pivot of a merge: the newest check-in that the one to be merged has in common with what is checked out.
 *
 * Ancestors of all sides are visited from the newest on (of equal dates, the later stored first). The first that is
 * known from both the merged side and another, and of which a child was reached from the opposite side, is the pivot.
 *
 * Source: Fossil `src/pivot.c`.
 */
import type { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";

/** Sides that a check-in was reached from, as bits. */
const MERGED = 1;
const CURRENT = 2;

interface Ancestor {
  readonly mtime: number;
  sides: number;
  isPending: boolean;
}

interface Relative {
  readonly rid: Rid;
  readonly isPrimary: boolean;
}

interface Parent extends Relative {
  readonly mtime: number;
}

export interface PivotOptions {
  /** Follow first parents only: how names of files are traced. */
  readonly primaryOnly?: boolean;
}

/** Finds pivots in one repository; what was read of its history is kept between searches. */
export class PivotFinder {
  private readonly parents = new Map<Rid, readonly Parent[]>();
  private readonly children = new Map<Rid, readonly Relative[]>();

  constructor(private readonly repo: Repo) {}

  /**
   * @param merged the check-in to be merged
   * @param current those it is to be merged into: what is checked out and what was merged into that already
   * @returns `undefined` when they have nothing in common
   */
  find(merged: Rid, current: readonly Rid[], { primaryOnly = false }: PivotOptions = {}): Rid | undefined {
    const search = new PivotSearch();
    search.reach(merged, this.mtimeOf(merged), MERGED);
    for (const rid of current) search.reach(rid, this.mtimeOf(rid), CURRENT);
    const isFollowed = ({ isPrimary }: Relative) => isPrimary || !primaryOnly;
    for (let rid = search.pop(); rid !== undefined; rid = search.pop()) {
      if (search.isPivot(rid, this.childrenOf(rid).filter(isFollowed))) return rid;
      for (const parent of this.parentsOf(rid)) {
        if (isFollowed(parent)) search.reach(parent.rid, parent.mtime, search.sidesOf(rid));
      }
    }
    return undefined;
  }

  private mtimeOf(rid: Rid): number {
    return this.repo.db.prepare("SELECT mtime FROM event WHERE objid=?").value<number>(rid) ?? 0;
  }

  private parentsOf(rid: Rid): readonly Parent[] {
    if (!this.parents.has(rid)) this.readFrom(rid);
    return this.parents.get(rid)!;
  }

  private childrenOf(rid: Rid): readonly Relative[] {
    if (!this.children.has(rid)) this.readFrom(rid);
    return this.children.get(rid)!;
  }

  /** Reads the relatives of a check-in and of those before it, which will be asked for next. */
  private readFrom(rid: Rid): void {
    const { db } = this.repo;
    const parents = db
      .prepare(
        `${ABOVE_SQL}
         SELECT a.rid, p.pid, p.isprim, coalesce(e.mtime,0)
         FROM above a LEFT JOIN plink p ON p.cid=a.rid LEFT JOIN event e ON e.objid=p.pid`,
      )
      .values<[Rid, Rid | null, number, number]>(rid, READ_COUNT);
    const children = db
      .prepare(`${ABOVE_SQL} SELECT a.rid, p.cid, p.isprim FROM above a LEFT JOIN plink p ON p.pid=a.rid`)
      .values<[Rid, Rid | null, number]>(rid, READ_COUNT);
    gather(this.parents, parents, (parent, isPrimary, mtime) => ({ rid: parent, isPrimary, mtime }));
    gather(this.children, children, (child, isPrimary) => ({ rid: child, isPrimary }));
  }
}

/** Check-ins read at a time. */
const READ_COUNT = 200;
const ABOVE_SQL = `WITH RECURSIVE above(rid) AS (
  VALUES(?1) UNION SELECT p.pid FROM above a JOIN plink p ON p.cid=a.rid LIMIT ?2)`;

/** Adds to `known` the relatives of those that it has none of yet. */
function gather<T>(
  known: Map<Rid, readonly T[]>,
  rows: readonly (readonly [Rid, Rid | null, number, ...number[]])[],
  toRelative: (rid: Rid, isPrimary: boolean, mtime: number) => T,
): void {
  const found = new Map<Rid, T[]>();
  for (const [rid, relative, isPrimary, mtime = 0] of rows) {
    if (known.has(rid)) continue;
    let relatives = found.get(rid);
    if (relatives === undefined) {
      relatives = [];
      found.set(rid, relatives);
    }
    if (relative !== null) relatives.push(toRelative(relative, isPrimary !== 0, mtime));
  }
  for (const [rid, relatives] of found) known.set(rid, relatives);
}

class PivotSearch {
  private readonly known = new Map<Rid, Ancestor>();
  /** Pending ones, as a heap: the newest first. */
  private readonly heap: Rid[] = [];

  reach(rid: Rid, mtime: number, sides: number): void {
    let ancestor = this.known.get(rid);
    if (ancestor === undefined) {
      ancestor = { mtime, sides: 0, isPending: false };
      this.known.set(rid, ancestor);
    }
    ancestor.sides |= sides;
    if (ancestor.isPending) return;
    ancestor.isPending = true;
    this.push(rid);
  }

  sidesOf(rid: Rid): number {
    return this.known.get(rid)?.sides ?? 0;
  }

  isPivot(rid: Rid, children: readonly Relative[]): boolean {
    const sides = this.sidesOf(rid);
    return children.some((child) => {
      const other = this.sidesOf(child.rid);
      return (sides & MERGED && other & CURRENT) || (sides & CURRENT && other & MERGED);
    });
  }

  private isBefore(a: Rid, b: Rid): boolean {
    const difference = this.known.get(a)!.mtime - this.known.get(b)!.mtime;
    return difference > 0 || (difference === 0 && a > b);
  }

  private push(rid: Rid): void {
    const { heap } = this;
    let at = heap.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!this.isBefore(rid, heap[above]!)) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = rid;
  }

  /** The newest pending one, which is pending no longer. */
  pop(): Rid | undefined {
    const { heap } = this;
    const [top, last] = [heap[0], heap.pop()];
    if (top !== undefined) this.known.get(top)!.isPending = false;
    if (heap.length === 0 || last === undefined) return top;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && this.isBefore(heap[below + 1]!, heap[below]!)) below++;
      if (!this.isBefore(heap[below]!, last)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = last;
    return top;
  }
}
