/**
 * Visiting artifacts along their delta trees, so that each is expanded once, from a source that is at hand:
 * for verifying or reading all of them.
 *
 * A tree is a full text, what is stored as a delta of it, the deltas of those, and so on. Depth first, with
 * an explicit stack. Deltas nothing depends on come first and are dropped at once; when the last delta of an
 * artifact is expanded, the artifact is dropped before going deeper. So a chain of any length holds two
 * artifacts at a time and memory grows with branching only. Beyond a budget an artifact is dropped all the
 * same, and expanded anew when the next delta of it needs it.
 *
 * A caller to whom the sequence matters, or who knows the trees already, says what the deltas of an artifact
 * are, and in which order.
 */
import { freeLarge } from "./bytes.ts";
import { RepoError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import { DELTA_TREE_HELD_BYTES } from "./limits.ts";
import type { Content, Rid } from "./repo-content.ts";

export interface TreeNode {
  readonly rid: Rid;
  readonly hash: Hash;
  readonly hasDeltas: boolean;
}

export interface TreeVisitor<N extends TreeNode = TreeNode> {
  /** The memory of `content` is given back later: it must not be kept. */
  visit(node: N, content: Uint8Array): void;
  /** The artifact cannot be expanded: what is stored is damaged, or what it is a delta of is. */
  damaged(node: N, error: RepoError): void;
}

/** An artifact of which some deltas are still to be visited. */
interface Frame<N> {
  readonly node: N;
  readonly deltas: readonly N[];
  next: number;
  content: Uint8Array | undefined;
  readonly error: RepoError | undefined;
}

/** The artifacts that are stored as full texts, in order of rid: each is the root of a tree. */
export function treeRoots(content: Content, first: number, last: number): Rid[] {
  const rows = content.db
    .prepare(
      `SELECT rid FROM blob b WHERE rid BETWEEN ? AND ? AND size>=0
         AND NOT EXISTS(SELECT 1 FROM delta d WHERE d.rid=b.rid) ORDER BY rid`,
    )
    .values<[Rid]>(first, last);
  return rows.map(([rid]) => rid);
}

export interface Trees<N extends TreeNode> {
  /** What is stored as a delta of an artifact, in the order to visit it. Phantoms are left out. */
  deltasOf(source: Rid): readonly N[];
}

/** Visits `root`, a full text, and everything that depends on it. A source comes before its deltas. */
export function walkDeltaTree(
  content: Content,
  root: Rid,
  visitor: TreeVisitor,
  heldBytesMax?: number,
): void {
  const node = { rid: root, hash: content.hashOf(root), hasDeltas: true };
  walkTree(content, node, { deltasOf: (source) => deltasIn(content, source) }, visitor, {
    ...(heldBytesMax !== undefined && { heldBytesMax }),
  });
}

export interface WalkOptions {
  /** Bound on the artifacts held for deltas still to come. */
  readonly heldBytesMax?: number;
  /** What the root is a delta of, where only a part of a tree is visited. */
  readonly source?: Rid | undefined;
}

/** The same for trees, or parts of trees, that the caller describes. */
export function walkTree<N extends TreeNode>(
  content: Content,
  root: N,
  trees: Trees<N>,
  visitor: TreeVisitor<N>,
  { heldBytesMax = DELTA_TREE_HELD_BYTES, source: outerSource }: WalkOptions = {},
): void {
  const stack: Frame<N>[] = [];
  let heldBytes = 0;

  const release = (frame: Frame<N>): void => {
    if (frame.content === undefined) return;
    heldBytes -= frame.content.length;
    freeLarge(frame.content);
    frame.content = undefined;
  };
  const outer = () => (outerSource === undefined ? undefined : content.get(outerSource));
  const enter = (node: N, source: Frame<N> | undefined): void => {
    let bytes: Uint8Array | undefined;
    let error = source?.error;
    try {
      // A frame may have been dropped; it was expanded before, so getting it again works.
      const from = source === undefined ? outer() : (source.content ?? content.get(source.node.rid));
      if (error === undefined) bytes = content.expandStep(node.rid, from);
    } catch (thrown) {
      if (!(thrown instanceof RepoError) || thrown.code !== "content-damaged") throw thrown;
      error = thrown;
    }
    if (source !== undefined && source.next === source.deltas.length) {
      release(source);
      stack.pop();
    }
    if (bytes === undefined) visitor.damaged(node, error!);
    else visitor.visit(node, bytes);
    if (!node.hasDeltas) {
      if (bytes !== undefined) freeLarge(bytes);
      return;
    }
    heldBytes += bytes?.length ?? 0;
    stack.push({ node, deltas: trees.deltasOf(node.rid), next: 0, content: bytes, error });
    for (let i = 0; heldBytes > heldBytesMax && i < stack.length - 1; i++) release(stack[i]!);
  };

  enter(root, undefined);
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const node = frame.deltas[frame.next++];
    if (node !== undefined) enter(node, frame);
    else release(stack.pop()!);
  }
}

function deltasIn(content: Content, source: Rid): readonly TreeNode[] {
  const rows = content.db
    .prepare(
      `SELECT d.rid, b.uuid, EXISTS(SELECT 1 FROM delta x WHERE x.srcid=d.rid) AS has_deltas
       FROM delta d JOIN blob b ON b.rid=d.rid
       WHERE d.srcid=? AND b.size>=0 ORDER BY has_deltas, d.rid`,
    )
    .values<[Rid, Hash, number]>(source);
  return rows.map(([rid, hash, hasDeltas]) => ({ rid, hash, hasDeltas: hasDeltas === 1 }));
}
