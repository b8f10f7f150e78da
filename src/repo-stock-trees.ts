/**
 * The delta trees of a repository in the order in which stock Fossil visits them when it rebuilds. Linking
 * in the same order gives the same tables to the row and the number, also where the outcome depends on
 * order (two tags of one instant, numbers of tags and file names). Facts: Fossil `src/rebuild.c`,
 * `src/bag.c`.
 *
 * Full texts come in order of rid, each followed by what is stored as a delta of it, depth first. The deltas
 * of one artifact are found in order of rid, but stock puts them into an open-addressing hash table of
 * integers and walks its slots:
 *   - rid r goes to slot (r × 101) mod size, or the next free one after it, wrapping around;
 *   - before an insertion that would fill the table to half (count + 1 ≥ ⌊size / 2⌋), the size becomes
 *     2 × size + 20, and the rids are inserted anew in order of slot; the size starts at 0.
 *
 * All pairs of artifact and source are read once into arrays sorted by source: 24 bytes a pair.
 */
import type { Hash } from "./hash.ts";
import type { Content, Rid } from "./repo-content.ts";
import type { TreeNode, Trees } from "./repo-delta-tree.ts";

const PAGE_COUNT = 20_000;

/** An artifact and the size that its row tells. */
export interface StockNode extends TreeNode {
  readonly size: number;
}

export class StockTrees implements Trees<StockNode> {
  private readonly sources: Float64Array;
  private readonly deltas: Float64Array;
  private readonly sizes: Float64Array;
  private readonly count: number;

  constructor(private readonly content: Content) {
    const total = content.db.prepare("SELECT count(*) FROM delta").value<number>()!;
    this.sources = new Float64Array(total);
    this.deltas = new Float64Array(total);
    this.sizes = new Float64Array(total);
    const page = content.db.prepare(
      `SELECT d.srcid, d.rid, b.size FROM delta d JOIN blob b ON b.rid=d.rid
        WHERE (d.srcid,d.rid)>(?,?) AND b.size>=0 ORDER BY d.srcid, d.rid LIMIT ?`,
    );
    let count = 0;
    for (let last: readonly number[] | undefined = [0, 0]; last !== undefined; ) {
      const rows: (readonly [number, number, number])[] = page.values(last[0]!, last[1]!, PAGE_COUNT);
      for (const [source, delta, size] of rows) {
        this.sources[count] = source;
        this.sizes[count] = size;
        this.deltas[count++] = delta;
      }
      last = rows.at(-1);
    }
    this.count = count;
  }

  /** The full texts, each the root of a tree. */
  roots(): StockNode[] {
    const rows = this.content.db
      .prepare(
        `SELECT rid, size FROM blob
          WHERE size>=0 AND NOT EXISTS(SELECT 1 FROM delta WHERE delta.rid=blob.rid) ORDER BY rid`,
      )
      .values<[Rid, number]>();
    return rows.map(([rid, size]) => this.node(rid, size));
  }

  /** What is stored as a delta of `source`. */
  deltasOf(source: Rid): StockNode[] {
    const sizes = new Map<Rid, number>();
    for (let i = this.find(source); i < this.count && this.sources[i] === source; i++) {
      sizes.set(this.deltas[i] as Rid, this.sizes[i]!);
    }
    return stockOrder([...sizes.keys()]).map((rid) => this.node(rid, sizes.get(rid)!));
  }

  private node(rid: Rid, size: number): StockNode {
    return new Node(this.content, rid, size, this.hasDeltas(rid));
  }

  private hasDeltas(rid: Rid): boolean {
    const at = this.find(rid);
    return at < this.count && this.sources[at] === rid;
  }

  /** Where the pairs of `source` start, or would. */
  private find(source: Rid): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.sources[middle]! < source) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

class Node implements StockNode {
  private name: Hash | undefined;

  constructor(
    private readonly content: Content,
    readonly rid: Rid,
    readonly size: number,
    readonly hasDeltas: boolean,
  ) {}

  get hash(): Hash {
    this.name ??= this.content.hashOf(this.rid);
    return this.name;
  }
}

/** @param rids distinct, ascending */
export function stockOrder<R extends number>(rids: readonly R[]): R[] {
  if (rids.length < 2) return [...rids];
  let slots: (R | 0)[] = [];
  let count = 0;
  const insert = (rid: R): void => {
    let slot = (rid * 101) % slots.length;
    while (slots[slot] !== 0) slot = (slot + 1) % slots.length;
    slots[slot] = rid;
  };
  for (const rid of rids) {
    if (count + 1 >= slots.length >> 1) {
      const before = held(slots);
      slots = new Array<R | 0>(slots.length * 2 + 20).fill(0);
      for (const moved of before) insert(moved);
    }
    insert(rid);
    count++;
  }
  return held(slots);
}

function held<R extends number>(slots: readonly (R | 0)[]): R[] {
  return slots.filter((slot): slot is R => slot !== 0);
}
