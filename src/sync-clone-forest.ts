/**
 * The delta trees of a clone under way: which artifacts can be expanded as of now, cut into batches of work.
 *
 * An artifact is ready when it is a full text, or a delta of one that is ready. Each becomes ready once, with
 * all that waited for it; it then is part of exactly one batch. A batch holds whole trees, or the part of a
 * tree that became ready together; sources come before their deltas.
 *
 * Held by rid in growing arrays: 17 bytes an artifact.
 */
import type { Rid } from "./repo-content.ts";

/** Some trees, in the order to expand them. Fit to cross threads. */
export interface TreeBatch {
  readonly rids: Int32Array;
  /**
   * What each is a delta of: an index in `rids`; below -1, the artifact -1 - n, which was ready before; -1 when
   * it is a full text.
   */
  readonly sources: Int32Array;
  /** Of all of them expanded, as far as is known before. */
  readonly byteCount: number;
  /** Of the largest of them. */
  readonly largestBytes: number;
}

/** What a batch is to come to, expanded: tens of milliseconds of hashing. */
const BATCH_BYTES = 8_000_000;
const BATCH_MAX_COUNT = 20_000;

const ABSENT = 0;
const WAITING = 1;
const READY = 2;

export class DeltaForest {
  private states = new Uint8Array(0);
  private sources = new Int32Array(0);
  private sizes = new Int32Array(0);
  /** The deltas of an artifact as a linked list: the last one added, and of each the one added before it. */
  private lastDelta = new Int32Array(0);
  private previousDelta = new Int32Array(0);
  private added: Rid[] = [];

  /** @param source what the artifact is stored as a delta of; it may come later */
  add(rid: Rid, source: Rid | undefined, size: number): void {
    this.grow(Math.max(rid, source ?? 0) + 1);
    if (this.states[rid] !== ABSENT) return;
    this.states[rid] = WAITING;
    this.sizes[rid] = size;
    this.added.push(rid);
    if (source === undefined) return;
    this.sources[rid] = source;
    this.previousDelta[rid] = this.lastDelta[source]!;
    this.lastDelta[source] = rid;
  }

  /** What has become ready since the last call, the largest batches first. */
  takeReady(): TreeBatch[] {
    const batches: TreeBatch[] = [];
    let batch = new BatchBuilder();
    for (const rid of this.added) {
      if (this.states[rid] !== WAITING || !this.mayBegin(rid)) continue;
      this.gather(rid, batch);
      if (!batch.isFull) continue;
      batches.push(batch.finish());
      batch = new BatchBuilder();
    }
    this.added = [];
    if (!batch.isEmpty) batches.push(batch.finish());
    return batches.sort((a, b) => b.byteCount - a.byteCount);
  }

  /** Artifacts whose source has not come. */
  waiting(): Rid[] {
    const rids: Rid[] = [];
    for (let rid = 0; rid < this.states.length; rid++) {
      if (this.states[rid] === WAITING) rids.push(rid as Rid);
    }
    return rids;
  }

  private mayBegin(rid: Rid): boolean {
    const source = this.sources[rid]!;
    return source === 0 || this.states[source] === READY;
  }

  /** Adds `root` and all that waited for it, depth first. */
  private gather(root: Rid, batch: BatchBuilder): void {
    const stack: [rid: number, source: number][] = [[root, -1 - this.sources[root]!]];
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      const [rid, source] = next;
      this.states[rid] = READY;
      const index = batch.add(rid, source, this.sizes[rid]!);
      for (let delta = this.lastDelta[rid]!; delta !== 0; delta = this.previousDelta[delta]!) {
        if (this.states[delta] === WAITING) stack.push([delta, index]);
      }
    }
  }

  private grow(length: number): void {
    if (length <= this.states.length) return;
    const capacity = Math.max(length, this.states.length * 2, 1024);
    const enlarged = (old: Int32Array) => {
      const array = new Int32Array(capacity);
      array.set(old);
      return array;
    };
    const states = new Uint8Array(capacity);
    states.set(this.states);
    this.states = states;
    this.sources = enlarged(this.sources);
    this.sizes = enlarged(this.sizes);
    this.lastDelta = enlarged(this.lastDelta);
    this.previousDelta = enlarged(this.previousDelta);
  }
}

class BatchBuilder {
  private readonly rids: number[] = [];
  private readonly sources: number[] = [];
  private byteCount = 0;
  private largestBytes = 0;

  get isEmpty(): boolean {
    return this.rids.length === 0;
  }

  get isFull(): boolean {
    return this.byteCount >= BATCH_BYTES || this.rids.length >= BATCH_MAX_COUNT;
  }

  /** Returns the index of what was added. */
  add(rid: number, source: number, size: number): number {
    this.byteCount += size;
    this.largestBytes = Math.max(this.largestBytes, size);
    this.sources.push(source);
    return this.rids.push(rid) - 1;
  }

  finish(): TreeBatch {
    const { byteCount, largestBytes } = this;
    return {
      rids: Int32Array.from(this.rids),
      sources: Int32Array.from(this.sources),
      byteCount,
      largestBytes,
    };
  }
}
