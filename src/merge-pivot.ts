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

export interface PivotOptions {
  /** Follow first parents only: how names of files are traced. */
  readonly primaryOnly?: boolean;
}

/**
 * @param merged the check-in to be merged
 * @param current those it is to be merged into: what is checked out and what was merged into that already
 * @returns `undefined` when they have nothing in common
 */
export function findPivot(
  repo: Repo,
  merged: Rid,
  current: readonly Rid[],
  { primaryOnly = false }: PivotOptions = {},
): Rid | undefined {
  const search = new PivotSearch(repo, primaryOnly);
  search.reach(merged, MERGED);
  for (const rid of current) search.reach(rid, CURRENT);
  return search.run();
}

class PivotSearch {
  private readonly known = new Map<Rid, Ancestor>();
  /** Pending ones, as a heap: the newest first. */
  private readonly heap: Rid[] = [];

  constructor(
    private readonly repo: Repo,
    private readonly primaryOnly: boolean,
  ) {}

  reach(rid: Rid, sides: number): void {
    let ancestor = this.known.get(rid);
    if (ancestor === undefined) {
      const mtime = this.repo.db.prepare("SELECT mtime FROM event WHERE objid=?").value<number>(rid) ?? 0;
      ancestor = { mtime, sides: 0, isPending: false };
      this.known.set(rid, ancestor);
    }
    ancestor.sides |= sides;
    if (ancestor.isPending) return;
    ancestor.isPending = true;
    this.push(rid);
  }

  run(): Rid | undefined {
    for (let rid = this.pop(); rid !== undefined; rid = this.pop()) {
      const ancestor = this.known.get(rid)!;
      if (this.isPivot(rid, ancestor)) return rid;
      ancestor.isPending = false;
      for (const parent of this.parents(rid)) this.reach(parent, ancestor.sides);
    }
    return undefined;
  }

  private isPivot(rid: Rid, { sides }: Ancestor): boolean {
    return this.children(rid).some((child) => {
      const other = this.known.get(child)?.sides ?? 0;
      return (sides & MERGED && other & CURRENT) || (sides & CURRENT && other & MERGED);
    });
  }

  private parents(rid: Rid): Rid[] {
    return this.repo.db
      .prepare("SELECT pid FROM plink WHERE cid=?1 AND (isprim OR NOT ?2)")
      .values<[Rid]>(rid, this.primaryOnly ? 1 : 0)
      .flat();
  }

  private children(rid: Rid): Rid[] {
    return this.repo.db
      .prepare("SELECT cid FROM plink WHERE pid=?1 AND (isprim OR NOT ?2)")
      .values<[Rid]>(rid, this.primaryOnly ? 1 : 0)
      .flat();
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

  private pop(): Rid | undefined {
    const { heap } = this;
    const [top, last] = [heap[0], heap.pop()];
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
