/**
 * Artifacts by rid: expanding, storing, choosing how they are stored.
 *
 * Stored form. `blob.content` is a 4-byte big-endian length and a zlib stream of either the artifact
 * itself or, when `delta` has a row for the rid, a delta against another artifact, which may be a delta in
 * turn. `blob.size` is the size of the artifact, never of the delta. NULL or nothing stands for an empty
 * artifact; the content of a phantom is NULL and its size -1.
 *
 * Expanding walks the chain down to a full text or a cached artifact, noting rids only, then applies the
 * deltas upwards. Depth costs no stack, memory holds two artifacts of the chain at a time, and a chain that
 * returns to itself is an error. The result and every eighth artifact on the way go into the cache, from 64 steps away on every
 * sixty-fourth, so that reading neighbours of a chain one after the other costs a few steps each.
 *
 * Invariants, kept by every method here:
 *   - no delta chain is a cycle;
 *   - a public artifact is never a delta of a private one: a peer could not be given its source;
 *   - `unclustered` holds every public artifact that is not in a cluster, phantoms included.
 * That content hashes to its name is the caller's to check before it commits (`repo-receive.ts`).
 *
 * Byte strings that are returned belong to the cache as well: they are never changed.
 *
 * Rules: fossil-facts E; Fossil `src/content.c`.
 */

import { type Bytes, EMPTY, freeLarge } from "./bytes.ts";
import type { Db } from "./db.ts";
import { deltaOutputSize } from "./delta.ts";
import { applyDelta } from "./delta-decode.ts";
import { createDelta } from "./delta-encode.ts";
import { type EdgeSyncError, FormatError, LimitError, RepoError } from "./errors.ts";
import { type Hash, hashContent } from "./hash.ts";
import { ARTIFACT_MAX_BYTES, CONTENT_CACHE_BYTES, DELTA_CHAIN_MAX_DEPTH } from "./limits.ts";
import { BlobTable, NO_RID, type Rid } from "./repo-blob.ts";
import type { Config } from "./repo-config.ts";
import { ContentCache } from "./repo-content-cache.ts";
import { Scratch } from "./repo-content-scratch.ts";
import { packBlob, unpackBlob } from "./zlib.ts";

export { NO_RID, type Rid };

/** An artifact as the file holds it: to be sent or copied verbatim. */
export interface StoredContent {
  /** `blob.content`: length prefix and zlib stream. Empty for an empty artifact stored as nothing. */
  readonly bytes: Uint8Array;
  /** Size of the expanded artifact, in bytes. */
  readonly size: number;
  /** The artifact `bytes` is a delta of. */
  readonly source: Rid | undefined;
  /** Nobody needs `bytes` once they are stored. */
  readonly isSpare?: boolean;
}

export interface InsertOptions {
  /** Row of `rcvfrom` that says where the artifact came from. */
  readonly rcvid: number;
  readonly isPrivate: boolean;
}

/** Neither end of a delta is smaller than this, in bytes: there is nothing to save. */
const DELTIFY_MIN_BYTES = 50;
/** A delta must be smaller than this part of the artifact. */
const DELTIFY_MAX_RATIO = 0.75;
/** From this length on what is stored is not left in memory longer than it must. */
const LARGE_BYTES = 1_000_000;
/** Of the artifacts expanded on the way to another, each of this many is cached, and farther away each of so many more. */
const CACHE_EVERY = 8;
const FAR_STEPS = 64;

export class Content extends BlobTable {
  private readonly cache: ContentCache;
  private rollbackCount: number;

  constructor(
    db: Db,
    private readonly config: Config,
    cacheBytes = CONTENT_CACHE_BYTES,
    private readonly chainMaxDepth = DELTA_CHAIN_MAX_DEPTH,
  ) {
    super(db);
    this.cache = new ContentCache(cacheBytes);
    this.rollbackCount = db.rollbackCount;
  }

  /**
   * The artifact, expanded; `undefined` when it is unknown, a phantom, or a delta that needs one.
   *
   * @throws RepoError `content-damaged` (data: rid, hash) when what is stored cannot be expanded,
   *   `delta-cycle` when its delta chain returns to itself
   */
  get(rid: Rid): Uint8Array | undefined {
    this.forgetRolledBack();
    const chain: Rid[] = [];
    const hashes: Hash[] = [];
    let content: Uint8Array | undefined;
    let landmark: Rid = rid;
    let next: Rid | undefined = rid;
    while (next !== undefined) {
      const head = this.head(next);
      if (head === undefined) {
        if (chain.length === 0) return undefined;
        throw this.damaged(chain.at(-1)!, hashes.at(-1)!, `its delta source ${next} does not exist`);
      }
      if (head.size < 0) return undefined;
      content = this.cache.get(head.hash);
      if (content !== undefined) break;
      chain.push(next);
      hashes.push(head.hash);
      next = head.source;
      // Brent: a rid remembered at each power of two is met again if and only if the chain is a cycle.
      if (next === landmark) {
        throw new RepoError("delta-cycle", `the delta chain of artifact ${hashes[0]} returns to itself`, {
          hint: "restore the repository from a peer or a backup",
          data: { rid, hash: hashes[0] },
        });
      }
      if ((chain.length & (chain.length - 1)) === 0) landmark = next ?? landmark;
      if (chain.length > this.chainMaxDepth)
        throw this.damaged(rid, hashes[0]!, `its delta chain is longer than ${this.chainMaxDepth}`);
    }
    const scratch = new Scratch();
    for (let i = chain.length - 1; i >= 0; i--) {
      const isKept = i % (i < FAR_STEPS ? CACHE_EVERY : FAR_STEPS) === 0;
      content = this.expandStep(chain[i]!, content, isKept ? undefined : scratch.next());
      if (isKept) this.cache.add(hashes[i]!, content);
      else scratch.fit(content.length);
    }
    return content;
  }

  /** The artifact named `hash`, expanded; `undefined` as for `get`. */
  getByHash(hash: Hash): Uint8Array | undefined {
    const rid = this.ridOf(hash);
    return rid === undefined ? undefined : this.get(rid);
  }

  /** The artifact named `hash`, if it is in memory. */
  cached(hash: Hash): Uint8Array | undefined {
    this.forgetRolledBack();
    return this.cache.get(hash);
  }

  /** Keeps an artifact in memory that the caller has expanded. */
  remember(hash: Hash, content: Uint8Array): void {
    this.cache.add(hash, content);
  }

  /**
   * One step of expanding: artifact `rid`, given what it is stored as a delta of, expanded (`undefined` for a
   * full text, or to have the delta).
   *
   * @param memory for the result, if it fits; must not overlap `source`
   * @throws RepoError `content-damaged` (data: rid, hash)
   */
  expandStep(rid: Rid, source: Uint8Array | undefined, memory?: Uint8Array): Uint8Array {
    try {
      const packed = this.db.prepare("SELECT content FROM blob WHERE rid=?").value<Uint8Array | null>(rid);
      const bytes = unpackBlob(packed ?? EMPTY, ARTIFACT_MAX_BYTES);
      if (packed) freeLarge(packed);
      if (source === undefined) return bytes;
      const content = applyDelta(source, bytes, ARTIFACT_MAX_BYTES, memory && { memory });
      freeLarge(bytes);
      return content;
    } catch (error) {
      if (!(error instanceof FormatError || error instanceof LimitError)) throw error;
      throw this.damaged(rid, this.hashOf(rid), error.message, error);
    }
  }

  /** The artifact as the file holds it; `undefined` when unknown or a phantom. Never expands anything. */
  stored(rid: Rid): StoredContent | undefined {
    const [row] = this.db
      .prepare(
        `SELECT size, (SELECT srcid FROM delta d WHERE d.rid=blob.rid), content FROM blob
         WHERE rid=? AND size>=0`,
      )
      .values<[number, Rid | null, Uint8Array | null]>(rid);
    return row && { size: row[0], source: row[1] ?? undefined, bytes: row[2] ?? EMPTY };
  }

  /** The name `content` has or is to have here: the one it is known by, else by the hash policy. */
  nameOf(content: Uint8Array): Hash {
    const { primary, other } = this.config.hashAlgorithms();
    if (other !== undefined) {
      const name = hashContent(content, other);
      if (this.ridOf(name) !== undefined) return name;
    }
    return hashContent(content, primary);
  }

  /** Stores new content under the name the hash policy gives it. */
  put(content: Uint8Array, options: InsertOptions): Rid {
    return this.insert(this.nameOf(content), content, options);
  }

  /**
   * Stores a full text. Fills the phantom of that hash, if there is one. An artifact that is here already
   * stays as it is stored, but becomes public unless `isPrivate`.
   *
   * @throws LimitError `artifact-size`
   */
  insert(hash: Hash, content: Uint8Array, options: InsertOptions): Rid {
    if (content.length > ARTIFACT_MAX_BYTES) {
      throw new LimitError(
        "artifact-size",
        `an artifact of ${content.length} bytes exceeds ${ARTIFACT_MAX_BYTES}`,
      );
    }
    const pack = () => ({ bytes: packBlob(content), size: content.length, source: undefined, isSpare: true });
    const rid = this.store(hash, pack, options);
    this.cache.add(hash, content);
    return rid;
  }

  /**
   * Stores an artifact as a delta of `source`, which may be a phantom. The delta is not applied here.
   *
   * @param size of the artifact, in bytes
   * @throws FormatError `delta-size` unless the delta declares `size`, and what `deltaOutputSize` throws
   * @throws RepoError as `insertStored`
   */
  insertDelta(hash: Hash, delta: Uint8Array, source: Rid, size: number, options: InsertOptions): Rid {
    const declared = deltaOutputSize(delta);
    if (declared !== size) {
      throw new FormatError("delta-size", `delta for ${hash} makes ${declared} bytes, expected ${size}`);
    }
    return this.store(hash, () => ({ bytes: packBlob(delta), size, source, isSpare: true }), options);
  }

  /**
   * Stores an artifact in the form another repository holds it in, unopened.
   *
   * @throws RepoError `delta-cycle` when `source` depends on this artifact, `delta-private-source` when a
   *   public artifact would be a delta of a private one
   */
  insertStored(hash: Hash, stored: StoredContent, options: InsertOptions): Rid {
    return this.store(hash, () => stored, options);
  }

  /**
   * Makes an artifact public: announced from now on, and no longer a delta of a private one. While such a
   * source is a phantom the delta stays; it is undone when the source arrives.
   */
  publish(rid: Rid): void {
    this.db.write(() => {
      const { changes } = this.db.prepare("DELETE FROM private WHERE rid=?").run(rid);
      if (changes === 0) return;
      const source = this.sourceOf(rid);
      if (source !== undefined && this.isPrivate(source)) this.undelta(rid);
      this.markUnclustered(rid);
    });
  }

  /** Makes an artifact private: not announced, not sent, and no public artifact a delta of it. */
  makePrivate(rid: Rid): void {
    this.db.write(() => {
      this.markPrivate(rid);
      this.db.prepare("DELETE FROM unclustered WHERE rid=?").run(rid);
      this.db.prepare("DELETE FROM unsent WHERE rid=?").run(rid);
      for (const dependent of this.dependentsOf(rid)) {
        if (!this.isPrivate(dependent)) this.undelta(dependent);
      }
    });
  }

  /**
   * Turns a stored artifact back into a phantom: what was stored under its name proved wrong. Artifacts
   * stored as deltas of it stay, unavailable until the right content arrives.
   */
  revertToPhantom(rid: Rid): void {
    this.db.write(() => {
      const hash = this.hashOf(rid);
      this.db.prepare("UPDATE blob SET rcvid=0, size=-1, content=NULL WHERE rid=?").run(rid);
      this.db.prepare("DELETE FROM delta WHERE rid=?").run(rid);
      this.db.prepare("DELETE FROM unsent WHERE rid=?").run(rid);
      this.db.prepare("INSERT OR IGNORE INTO phantom(rid) VALUES(?)").run(rid);
      if (!this.isPrivate(rid)) this.markUnclustered(rid);
      this.forgetDependents(rid, hash);
    });
  }

  /**
   * Stores `rid` as a delta of the candidate that makes the smallest one, if that saves at least a quarter
   * and both are at least 50 bytes. Passed over are candidates that are private when `rid` is public, that
   * depend on `rid`, or that cannot be expanded. What is a delta already stays one, of the same source.
   *
   * @returns whether the stored form changed
   */
  deltify(rid: Rid, candidates: readonly Rid[]): boolean {
    if (this.sourceOf(rid) !== undefined) return false;
    const target = this.get(rid);
    if (target === undefined || target.length < DELTIFY_MIN_BYTES) return false;
    const isPublic = !this.isPrivate(rid);
    let best: { readonly delta: Uint8Array; readonly source: Rid } | undefined;
    for (const source of candidates) {
      if (this.dependsOn(source, rid) || (isPublic && this.isPrivate(source))) continue;
      const text = this.get(source);
      if (text === undefined || text.length < DELTIFY_MIN_BYTES) continue;
      const delta = createDelta(text, target);
      const bound = best?.delta.length ?? target.length * DELTIFY_MAX_RATIO;
      if (delta.length < bound) best = { delta, source };
    }
    if (best === undefined) return false;
    const { delta, source } = best;
    this.db.write(() => {
      this.db.prepare("UPDATE blob SET content=? WHERE rid=?").run(packBlob(delta), rid);
      this.db.prepare("REPLACE INTO delta(rid,srcid) VALUES(?,?)").run(rid, source);
    });
    return true;
  }

  /** Stores `rid` as full text. A delta that cannot be expanded for want of a phantom stays. */
  undelta(rid: Rid): void {
    if (this.sourceOf(rid) === undefined) return;
    const content = this.get(rid);
    if (content === undefined) return;
    this.db.write(() => {
      this.db
        .prepare("UPDATE blob SET content=?, size=? WHERE rid=?")
        .run(packBlob(content), content.length, rid);
      this.db.prepare("DELETE FROM delta WHERE rid=?").run(rid);
    });
  }

  private store(hash: Hash, pack: () => StoredContent, options: InsertOptions): Rid {
    return this.db.write(() => {
      const known = this.db.prepare("SELECT rid, size FROM blob WHERE uuid=?").values<[Rid, number]>(hash)[0];
      if (known !== undefined && known[1] >= 0) {
        if (!options.isPrivate) this.publish(known[0]);
        return known[0];
      }
      const stored = pack();
      if (stored.source !== undefined) this.checkSource(hash, known?.[0], stored.source, options.isPrivate);
      this.cache.remove(hash);
      this.config.noteHash(hash);
      const rid = this.writeRow(hash, known?.[0], stored, options.rcvid);
      if (stored.source !== undefined) {
        this.db.prepare("REPLACE INTO delta(rid,srcid) VALUES(?,?)").run(rid, stored.source);
      }
      if (options.isPrivate) this.makePrivate(rid);
      else if (known === undefined) this.markUnclustered(rid);
      else this.publish(rid);
      return rid;
    });
  }

  private writeRow(hash: Hash, phantom: Rid | undefined, stored: StoredContent, rcvid: number): Rid {
    const { size, bytes } = stored;
    const isLarge = bytes.length >= LARGE_BYTES;
    let rid = phantom;
    if (rid === undefined) {
      const insert = this.db.prepare("INSERT INTO blob(rcvid,size,uuid,content) VALUES(?,?,?,?)");
      rid = insert.run(rcvid, size, hash, isLarge ? null : bytes).lastInsertRowid as Rid;
    } else {
      this.db
        .prepare("UPDATE blob SET rcvid=?, size=?, content=? WHERE rid=?")
        .run(rcvid, size, isLarge ? null : bytes, rid);
      this.db.prepare("DELETE FROM phantom WHERE rid=?").run(rid);
    }
    if (isLarge) {
      const spare = stored.isSpare === true ? (bytes as Bytes) : undefined;
      this.db.runLarge("UPDATE blob SET content=? WHERE rid=? AND fx_bound()", [bytes, rid], spare);
    }
    return rid;
  }

  private checkSource(hash: Hash, rid: Rid | undefined, source: Rid, isPrivate: boolean): void {
    if (rid !== undefined && this.dependsOn(source, rid)) {
      throw new RepoError("delta-cycle", `the delta for ${hash} is against an artifact that depends on it`);
    }
    if (!isPrivate && this.isPrivate(source)) {
      throw new RepoError("delta-private-source", `public artifact ${hash} came as a delta of a private one`);
    }
  }

  private damaged(rid: Rid, hash: Hash, why: string, cause?: EdgeSyncError): RepoError {
    return new RepoError("content-damaged", `artifact ${hash} cannot be expanded: ${why}`, {
      hint: "restore the repository from a peer or a backup",
      data: { rid, hash },
      ...(cause && { cause }),
    });
  }

  /** Content read inside a transaction that was rolled back may never have existed. */
  private forgetRolledBack(): void {
    if (this.rollbackCount === this.db.rollbackCount) return;
    this.rollbackCount = this.db.rollbackCount;
    this.cache.clear();
  }

  private forgetDependents(rid: Rid, hash: Hash): void {
    this.cache.remove(hash);
    const dependents = this.db
      .prepare(
        `WITH RECURSIVE tree(rid) AS (VALUES(?) UNION SELECT d.rid FROM tree JOIN delta d ON d.srcid=tree.rid)
         SELECT uuid FROM tree JOIN blob USING(rid)`,
      )
      .values<[Hash]>(rid);
    for (const [dependent] of dependents) this.cache.remove(dependent);
  }
}
