/**
 * Hands the batches of a clone to the verifiers: as many at a time as there are threads, the largest first,
 * and large artifacts not all at once, nor while pages arrive, which may be as large.
 */
import type { Executor } from "./executor.ts";
import { CLONE_VERIFY_MAX_BYTES } from "./limits.ts";
import type { TreeBatch } from "./sync-clone-forest.ts";
import type { CloneJobs } from "./sync-clone-jobs.ts";
import type { VerifiedBatch } from "./sync-clone-verify.ts";

/** Artifacts of this size are expanded when pages need no more memory, and before linking does. */
const LARGE_BYTES = 4_000_000;

/** What one artifact takes while it is expanded, in its sizes: itself, its source, its delta. */
const MEMORY_PER_BYTE = 3;

export class CloneCheck {
  private readonly queue: TreeBatch[] = [];
  private readonly results: VerifiedBatch[] = [];
  private runningCount = 0;
  private runningBytes = 0;
  private failure: { readonly error: unknown } | undefined;
  private onDrained: (() => void) | undefined;
  private largeCount = 0;
  private mayBeLarge = false;
  private onLargeDone: (() => void) | undefined;

  artifactCount = 0;
  byteCount = 0;
  /** Of all batches handed in so far. */
  artifactTotal = 0;

  constructor(
    private readonly verifiers: Executor<CloneJobs>,
    /** How many batches are under way at a time; may change. */
    private threadCount: number,
    private readonly path: string,
    /** Without it everything is only expanded. */
    private readonly hashes: boolean,
  ) {}

  /** All pages have come. */
  allArrived(): void {
    this.mayBeLarge = true;
    this.dispatch();
  }

  /** Waits, once all pages have come, until what is large is checked: then there is memory for other work. */
  async largeDone(): Promise<void> {
    if (this.largeCount === 0 || this.failure !== undefined) return;
    await new Promise<void>((resolve) => {
      this.onLargeDone = resolve;
    });
  }

  /** From now on as many threads are used. */
  use(threadCount: number): void {
    this.threadCount = threadCount;
    this.dispatch();
  }

  add(batches: readonly TreeBatch[]): void {
    for (const batch of batches) {
      this.artifactTotal += batch.rids.length;
      if (isLarge(batch)) this.largeCount++;
      this.queue.push(batch);
    }
    this.queue.sort((a, b) => Number(isLarge(b)) - Number(isLarge(a)) || b.byteCount - a.byteCount);
    this.dispatch();
  }

  /**
   * Waits until all that was handed in is checked.
   *
   * @returns what was found since the last call
   * @throws what a verifier threw, for instance when the file cannot be read
   */
  async drain(): Promise<readonly VerifiedBatch[]> {
    if (this.runningCount > 0) {
      await new Promise<void>((resolve) => {
        this.onDrained = resolve;
      });
    }
    if (this.failure !== undefined) throw this.failure.error;
    return this.results.splice(0);
  }

  /** Forgets what has not begun. */
  stop(): void {
    this.queue.length = 0;
  }

  private dispatch(): void {
    while (this.runningCount < this.threadCount && this.failure === undefined) {
      const index = this.queue.findIndex((batch) => this.fits(batch));
      if (index < 0) break;
      void this.run(this.queue.splice(index, 1)[0]!);
    }
    if (this.runningCount === 0) this.onDrained?.();
  }

  private fits(batch: TreeBatch): boolean {
    if (isLarge(batch) && !this.mayBeLarge) return false;
    const bytes = this.runningBytes + batch.largestBytes * MEMORY_PER_BYTE;
    return this.runningCount === 0 || bytes <= CLONE_VERIFY_MAX_BYTES;
  }

  private async run(batch: TreeBatch): Promise<void> {
    const bytes = batch.largestBytes * MEMORY_PER_BYTE;
    this.runningCount++;
    this.runningBytes += bytes;
    try {
      const { path, hashes } = this;
      const result = await this.verifiers.run("verify", { path, batch, hashes });
      this.results.push(result);
      this.artifactCount += result.artifactCount;
      this.byteCount += result.byteCount;
    } catch (error) {
      this.failure ??= { error };
      this.stop();
    } finally {
      this.runningCount--;
      this.runningBytes -= bytes;
      if (isLarge(batch)) this.largeCount--;
      if (this.largeCount === 0 || this.failure !== undefined) this.onLargeDone?.();
      this.dispatch();
    }
  }
}

function isLarge({ largestBytes }: TreeBatch): boolean {
  return largestBytes >= LARGE_BYTES;
}
