/**
 * Expands the delta trees of a batch, each artifact once and depth first, and compares hashes. Runs in worker
 * threads, each with a connection of its own, while the clone's pages still arrive.
 *
 * Also found out, because the content is at hand: sizes that are not as recorded, and artifacts that look like
 * more than ordinary files though the full text at the root of their tree does not (`strays`): who links only
 * trees whose root looks like one misses those.
 */
import { looksLikeArtifact } from "./artifact-cards.ts";
import { errorToRecord, HashMismatchError, type RepoError } from "./errors.ts";
import { type Hash, hashMatches } from "./hash.ts";
import type { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";
import { type TreeNode, type TreeVisitor, walkTree } from "./repo-delta-tree.ts";
import type { TreeBatch } from "./sync-clone-forest.ts";
import type { RefusedArtifact } from "./sync-clone-store.ts";

export interface VerifiedBatch {
  readonly artifactCount: number;
  readonly byteCount: number;
  /** What is not what its name says, or cannot be expanded. */
  readonly wrong: readonly RefusedArtifact[];
  /** Artifacts recorded with another size than they have. */
  readonly sizes: readonly (readonly [rid: Rid, size: number])[];
  readonly strayCount: number;
}

export interface VerifyOptions {
  /** Without it everything is expanded and nothing is hashed. */
  readonly hashes: boolean;
}

/** Bound on the artifacts that a thread holds for deltas still to come. */
const HELD_BYTES = 4_000_000;

/** Checks one batch. `repo` is opened for reading. */
export function verifyBatch(repo: Repo, batch: TreeBatch, { hashes }: VerifyOptions): VerifiedBatch {
  const check = new BatchCheck(repo, hashes);
  const trees = treesOf(repo, batch);
  repo.db.snapshot(() => {
    for (const { root, source } of trees.roots) {
      check.beginTree(root.rid, source);
      walkTree(repo.content, root, { deltasOf: (rid) => trees.deltas.get(rid) ?? [] }, check, {
        source,
        heldBytesMax: HELD_BYTES,
      });
    }
  });
  return check.result;
}

class BatchCheck implements TreeVisitor {
  private artifactCount = 0;
  private byteCount = 0;
  private strayCount = 0;
  private readonly wrong: RefusedArtifact[] = [];
  private readonly sizes: (readonly [Rid, number])[] = [];
  private root: Rid | undefined;
  private rootSource: Rid | undefined;
  private rootIsStructural = false;

  constructor(
    private readonly repo: Repo,
    private readonly hashes: boolean,
  ) {}

  get result(): VerifiedBatch {
    const { artifactCount, byteCount, wrong, sizes, strayCount } = this;
    return { artifactCount, byteCount, wrong, sizes, strayCount };
  }

  beginTree(root: Rid, source: Rid | undefined): void {
    this.root = root;
    this.rootSource = source;
    this.rootIsStructural = false;
  }

  visit({ rid, hash }: TreeNode, content: Uint8Array): void {
    this.artifactCount++;
    this.byteCount += content.length;
    if (this.hashes && !hashMatches(content, hash)) {
      this.wrong.push({ hash, error: errorToRecord(mismatch(hash, content.length)) });
      return;
    }
    if (this.repo.content.size(rid) !== content.length) this.sizes.push([rid, content.length]);
    const isStructural = looksLikeArtifact(content);
    if (rid === this.root && this.rootSource === undefined) this.rootIsStructural = isStructural;
    if (isStructural && !this.rootIsStructural && !this.isTreeStructural()) this.strayCount++;
  }

  damaged({ hash }: TreeNode, error: RepoError): void {
    this.artifactCount++;
    this.wrong.push({ hash, error: errorToRecord(error) });
  }

  /** Looks for the full text of the tree, where the batch holds only a part of it. */
  private isTreeStructural(): boolean {
    const { content } = this.repo;
    let root = this.rootSource;
    if (root === undefined) return false;
    for (let source = content.sourceOf(root); source !== undefined; source = content.sourceOf(root)) {
      root = source;
    }
    const bytes = content.get(root);
    this.rootIsStructural = bytes !== undefined && looksLikeArtifact(bytes);
    return this.rootIsStructural;
  }
}

function mismatch(hash: Hash, size: number): HashMismatchError {
  return new HashMismatchError(
    "hash-mismatch",
    `content of ${size} bytes came under the name ${hash}, which is not its hash`,
    { data: { hash, size } },
  );
}

interface Trees {
  readonly roots: readonly { readonly root: TreeNode; readonly source: Rid | undefined }[];
  /** What is to be visited after each artifact; those that nothing depends on come first. */
  readonly deltas: ReadonlyMap<Rid, readonly TreeNode[]>;
}

function treesOf({ content }: Repo, { rids, sources }: TreeBatch): Trees {
  const sourceRids = new Set<number>();
  for (const source of sources) if (source >= 0) sourceRids.add(rids[source]!);
  const roots: { root: TreeNode; source: Rid | undefined }[] = [];
  const deltas = new Map<Rid, TreeNode[]>();
  for (let i = 0; i < rids.length; i++) {
    const rid = rids[i]! as Rid;
    const source = sources[i]!;
    const node: TreeNode = { rid, hash: content.hashOf(rid), hasDeltas: sourceRids.has(rid) };
    if (source < 0) {
      roots.push({ root: node, source: source === -1 ? undefined : ((-1 - source) as Rid) });
      continue;
    }
    const of = rids[source]! as Rid;
    const known = deltas.get(of);
    if (known === undefined) deltas.set(of, [node]);
    else known.push(node);
  }
  for (const nodes of deltas.values()) nodes.sort((a, b) => Number(a.hasDeltas) - Number(b.hasDeltas));
  return { roots, deltas };
}
