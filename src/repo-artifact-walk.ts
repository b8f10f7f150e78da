/**
 * Visiting all artifacts along their delta trees, expanding only those that look like more than ordinary files:
 * linking needs no others. Of an ordinary file that is stored as a delta, the ends and the size are found without
 * it (`delta-ends.ts`); the delta is checked all the same. Where the ends cannot be told, it is expanded.
 *
 * Depth first, with an explicit stack, in the order that the caller gives; otherwise as `repo-delta-tree.ts`.
 */
import { looksLikeArtifact } from "./artifact-cards.ts";
import { freeLarge } from "./bytes.ts";
import { applyDelta } from "./delta-decode.ts";
import { type Ends, endsAfter, endsOf } from "./delta-ends.ts";
import { FormatError, LimitError, RepoError } from "./errors.ts";
import type { Content, Rid } from "./repo-content.ts";
import type { TreeNode, Trees } from "./repo-delta-tree.ts";

export interface ArtifactTrees<N extends TreeNode> extends Trees<N> {
  /** An artifact that is at hand already, expanded. */
  expanded(rid: Rid): Uint8Array | undefined;
}

export interface ArtifactVisitor<N extends TreeNode = TreeNode> {
  /** @param content of what looks like more than an ordinary file; `size` is in bytes */
  visit(node: N, size: number, content: Uint8Array | undefined): void;
  /** The artifact cannot be expanded: what is stored is damaged, or what it is a delta of is. */
  damaged(node: N, error: RepoError): void;
}

interface Seen {
  readonly ends: Ends;
  /** Where it had to be expanded. */
  readonly content: Uint8Array | undefined;
}

/** An artifact of which some deltas are still to be visited. */
interface Frame<N> {
  readonly node: N;
  readonly deltas: readonly N[];
  next: number;
  readonly ends: Ends | undefined;
  content: Uint8Array | undefined;
  /** Instead of the ends. */
  readonly error: RepoError | undefined;
}

/** Bound on the artifacts held for deltas still to come. What is dropped is expanded anew. */
const HELD_BYTES = 4_000_000;

export interface ArtifactWalkOptions {
  /** The memory of content is given back when it has been visited: the visitor keeps none. Default false. */
  readonly freesContent?: boolean;
}

/** Visits `root`, a full text, and everything that depends on it. A source comes before its deltas. */
export function walkArtifacts<N extends TreeNode>(
  content: Content,
  root: N,
  trees: ArtifactTrees<N>,
  visitor: ArtifactVisitor<N>,
  { freesContent = false }: ArtifactWalkOptions = {},
): void {
  const walk = new ArtifactWalk(content, trees, visitor, freesContent);
  walk.enter(root, undefined);
  walk.run();
}

class ArtifactWalk<N extends TreeNode> {
  private readonly stack: Frame<N>[] = [];
  private heldBytes = 0;

  constructor(
    private readonly content: Content,
    private readonly trees: ArtifactTrees<N>,
    private readonly visitor: ArtifactVisitor<N>,
    private readonly freesContent: boolean,
  ) {}

  run(): void {
    const { stack } = this;
    for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
      const node = frame.deltas[frame.next++];
      if (node !== undefined) this.enter(node, frame);
      else this.release(stack.pop()!);
    }
  }

  enter(node: N, source: Frame<N> | undefined): void {
    let seen: Seen | undefined;
    let error = source?.error;
    try {
      if (error === undefined) seen = this.see(node, source);
    } catch (thrown) {
      if (!(thrown instanceof RepoError) || thrown.code !== "content-damaged") throw thrown;
      error = thrown;
    }
    if (source !== undefined && source.next === source.deltas.length) {
      this.release(source);
      this.stack.pop();
    }
    if (seen === undefined) this.visitor.damaged(node, error!);
    else {
      const isFile = !looksLikeArtifact(seen.ends.bytes);
      this.visitor.visit(node, seen.ends.size, isFile ? undefined : seen.content);
    }
    if (node.hasDeltas) this.push(node, seen, error);
    else if (seen?.content !== undefined) this.free(seen.content);
  }

  private see(node: N, source: Frame<N> | undefined): Seen {
    const atHand = this.trees.expanded(node.rid);
    if (atHand !== undefined) return { ends: endsOf(atHand), content: atHand };
    const stored = this.content.expandStep(node.rid, undefined);
    if (source !== undefined) return this.seeDelta(node, source, stored);
    const ends = endsOf(stored);
    if (looksLikeArtifact(ends.bytes)) return { ends, content: stored };
    freeLarge(stored);
    return { ends, content: undefined };
  }

  private seeDelta(node: N, source: Frame<N>, delta: Uint8Array): Seen {
    try {
      const ends = endsAfter(source.ends!, delta);
      if (ends !== undefined && !looksLikeArtifact(ends.bytes)) {
        freeLarge(delta);
        return { ends, content: undefined };
      }
      // A frame may have been dropped, or not been expanded; getting it is possible, as its ends are known.
      const content = applyDelta(source.content ?? this.content.get(source.node.rid)!, delta);
      freeLarge(delta);
      return { ends: endsOf(content), content };
    } catch (error) {
      if (!(error instanceof FormatError || error instanceof LimitError)) throw error;
      this.content.get(node.rid); // Throws what is to be said of it.
      throw error;
    }
  }

  private push(node: N, seen: Seen | undefined, error: RepoError | undefined): void {
    const { stack } = this;
    const frame = { node, deltas: this.trees.deltasOf(node.rid), next: 0, error };
    stack.push({ ...frame, ends: seen?.ends, content: seen?.content });
    this.heldBytes += seen?.content?.length ?? 0;
    for (let i = 0; this.heldBytes > HELD_BYTES && i < stack.length - 1; i++) {
      this.release(stack[i]!);
    }
  }

  private release(frame: Frame<N>): void {
    if (frame.content === undefined) return;
    this.heldBytes -= frame.content.length;
    this.free(frame.content);
    frame.content = undefined;
  }

  private free(content: Uint8Array): void {
    if (this.freesContent) freeLarge(content);
  }
}
