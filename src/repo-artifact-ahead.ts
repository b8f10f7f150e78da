/**
 * All artifacts of a repository in the order of stock's rebuild, read by one thread for another: the first one
 * expands them and checks the Z cards, while the second one, which holds the write transaction, links them.
 *
 * Through a `shared-ring.ts` goes one record for each artifact:
 *
 *     rid, size, kind, length    32-bit integers of this machine
 *     `length` bytes             of what is more than an ordinary file its content; of what is damaged the error
 *
 * Ordinary files are mostly not expanded at all (`repo-artifact-walk.ts`). Bytes that look like an artifact whose
 * Z card is wrong are an ordinary file.
 *
 * Linking a check-in needs its parent, which often comes soon after it: `take` reads on to it, as far as
 * `READ_AHEAD_HELD_BYTES` allow, and what was passed over is kept for its turn.
 */
import { hasRightChecksum } from "./artifact-cards.ts";
import { freeLarge, text, utf8 } from "./bytes.ts";
import { errorToRecord, type RepoError, reviveError } from "./errors.ts";
import { READ_AHEAD_HELD_BYTES } from "./limits.ts";
import type { Repo } from "./repo.ts";
import { type ArtifactTrees, type ArtifactVisitor, walkArtifacts } from "./repo-artifact-walk.ts";
import type { Rid } from "./repo-content.ts";
import type { ExpandedAhead } from "./repo-manifest.ts";
import { type StockNode, StockTrees } from "./repo-stock-trees.ts";
import { RingClosedError, RingReader, RingWriter } from "./shared-ring.ts";

export interface AheadArtifact {
  readonly rid: Rid;
  readonly size: number;
  /** Whether its row tells another size. */
  readonly isMissized: boolean;
  /** Of what is more than an ordinary file, its Z card checked. */
  readonly content: Uint8Array | undefined;
  /** The artifact cannot be expanded. */
  readonly error: RepoError | undefined;
}

const IS_ARTIFACT = 1;
const IS_DAMAGED = 2;
const IS_MISSIZED = 4;
const HEADER_COUNT = 4;

/** Garbage is collected each time this much was expanded. There is little else in this thread's memory: it takes 1 or 2 ms. */
const COLLECT_EVERY_BYTES = 8_000_000;

/**
 * The first thread's part. `repo` is opened for reading; a snapshot is taken once the other thread is ready.
 * Returns when all was handed over, or the other thread wants no more.
 */
export function readAhead(repo: Repo, memory: SharedArrayBuffer): void {
  const ring = new RingWriter(memory);
  try {
    ring.awaitReader();
    repo.db.snapshot(() => writeAll(repo, ring));
    ring.end();
  } catch (error) {
    ring.fail();
    if (!(error instanceof RingClosedError)) throw error;
  }
}

function writeAll({ content }: Repo, ring: RingWriter): void {
  const header = new Int32Array(HEADER_COUNT);
  const headerBytes = new Uint8Array(header.buffer);
  let expandedBytes = 0;
  const write = (rid: Rid, size: number, kind: number, bytes?: Uint8Array) => {
    expandedBytes += bytes?.length ?? 0;
    if (expandedBytes > COLLECT_EVERY_BYTES) {
      expandedBytes = 0;
      Bun.gc(true);
    }
    header.set([rid, size, kind, bytes?.length ?? 0]);
    ring.write(headerBytes);
    if (bytes !== undefined) ring.write(bytes);
  };
  const visitor: ArtifactVisitor<StockNode> = {
    visit(node, size, bytes) {
      const missized = size === node.size ? 0 : IS_MISSIZED;
      if (bytes === undefined || !hasRightChecksum(bytes)) write(node.rid, size, missized);
      else write(node.rid, size, missized | IS_ARTIFACT, bytes);
    },
    damaged(node, error) {
      write(node.rid, 0, IS_DAMAGED, utf8(JSON.stringify(errorToRecord(error))));
    },
  };
  const stock = new StockTrees(content);
  const trees: ArtifactTrees<StockNode> = {
    deltasOf: (source) => stock.deltasOf(source),
    expanded: () => undefined,
  };
  for (const root of stock.roots()) walkArtifacts(content, root, trees, visitor, { freesContent: true });
}

/** The second thread's part. */
export class ArtifactsAhead implements ExpandedAhead {
  private readonly ring: RingReader;
  private readonly header = new Int32Array(HEADER_COUNT);
  /** Read and not yet handed out, in order. */
  private held: AheadArtifact[] = [];
  private readonly heldByRid = new Map<Rid, Uint8Array>();
  private heldBytes = 0;
  private readonly passed = new Set<Rid>();
  /** Memory of artifacts whose turn has come. */
  private readonly handedOut = new WeakSet<ArrayBufferLike>();
  private isEnded = false;

  constructor(memory: SharedArrayBuffer) {
    this.ring = new RingReader(memory);
  }

  /** Has the other thread begin; the caller holds a write transaction in which nothing was changed yet. */
  begin(): void {
    this.ring.begin();
  }

  /** Has the other thread end. */
  leave(): void {
    this.ring.leave();
  }

  /**
   * The artifact whose turn it is; `undefined` after the last.
   *
   * @throws RingClosedError when the other thread failed
   */
  next(): AheadArtifact | undefined {
    const artifact = this.held.shift() ?? this.read();
    if (artifact?.content !== undefined) {
      if (this.heldByRid.delete(artifact.rid)) this.heldBytes -= artifact.size;
      this.passed.add(artifact.rid);
      this.handedOut.add(artifact.content.buffer);
    }
    return artifact;
  }

  /** The content of an artifact whose turn is soon. */
  take(rid: Rid): Uint8Array | undefined {
    while (!this.passed.has(rid) && !this.heldByRid.has(rid) && this.heldBytes < READ_AHEAD_HELD_BYTES) {
      const artifact = this.read();
      if (artifact === undefined) break;
      this.held.push(artifact);
      if (artifact.content === undefined) continue;
      this.heldByRid.set(artifact.rid, artifact.content);
      this.heldBytes += artifact.size;
    }
    return this.heldByRid.get(rid);
  }

  /** Memory of what waits for its turn, or came from elsewhere, is left alone. */
  giveBack(bytes: Uint8Array): void {
    if (this.handedOut.delete(bytes.buffer)) freeLarge(bytes);
  }

  private read(): AheadArtifact | undefined {
    if (this.isEnded) return undefined;
    const { header } = this;
    if (!this.ring.read(new Uint8Array(header.buffer))) {
      this.isEnded = true;
      return undefined;
    }
    const [rid, size, kind, length] = header as unknown as readonly [Rid, number, number, number];
    const bytes = new Uint8Array(length);
    this.ring.read(bytes);
    const content = (kind & IS_ARTIFACT) !== 0 ? bytes : undefined;
    const error = (kind & IS_DAMAGED) !== 0 ? revive(bytes) : undefined;
    return { rid, size, isMissized: (kind & IS_MISSIZED) !== 0, content, error };
  }
}

function revive(bytes: Uint8Array): RepoError {
  return reviveError(JSON.parse(text(bytes))) as RepoError;
}
