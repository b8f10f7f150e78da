/**
 * Expanded artifacts kept in memory, the least recently used dropped first, bounded in bytes.
 *
 * Entries are keyed by hash, not by rid: a rid can come to mean another artifact (a rolled back
 * transaction, a rebuild by another process after a shun), the content of a hash never changes.
 */
import type { Hash } from "./hash.ts";

export class ContentCache {
  private readonly entries = new Map<Hash, Uint8Array>();
  private total = 0;

  /** @param capacityBytes bound on the sum of the sizes of all entries; 0 keeps nothing */
  constructor(readonly capacityBytes: number) {}

  get sizeBytes(): number {
    return this.total;
  }

  has(hash: Hash): boolean {
    return this.entries.has(hash);
  }

  get(hash: Hash): Uint8Array | undefined {
    const content = this.entries.get(hash);
    if (content !== undefined) {
      this.entries.delete(hash);
      this.entries.set(hash, content);
    }
    return content;
  }

  /** Keeps `content`, unless it alone would take more than half of the cache. */
  add(hash: Hash, content: Uint8Array): void {
    this.remove(hash);
    if (content.length > this.capacityBytes / 2) return;
    // A view into a larger buffer (a message) would keep all of that buffer alive.
    const owned = content.buffer.byteLength > content.length + 4096 ? content.slice() : content;
    this.entries.set(hash, owned);
    this.total += owned.length;
    for (const oldest of this.entries.keys()) {
      if (this.total <= this.capacityBytes) break;
      this.remove(oldest);
    }
  }

  remove(hash: Hash): void {
    const content = this.entries.get(hash);
    if (content === undefined) return;
    this.entries.delete(hash);
    this.total -= content.length;
  }

  clear(): void {
    this.entries.clear();
    this.total = 0;
  }
}
