/**
 * Artifacts on their way into a repository. A `ReceiveBatch` is what one request, one round or one local
 * command adds: it lives in one write transaction, gives what it stores one `rcvfrom` row, and crosslinks.
 * Nothing counts as received before it was expanded and its hash compared.
 *
 * An artifact comes as full text or as a delta of another artifact:
 *   - full text, or a delta of an artifact at hand: verified at once, stored as full text (older versions
 *     become deltas of newer ones when the batch ends), crosslinked;
 *   - a delta of an artifact that is not at hand is legal (fossil-facts G27). It is stored as it is, on a
 *     phantom if need be, and waits: it cannot be expanded, so it is neither crosslinked nor verified.
 *
 * When content becomes available, everything that waited for it follows, from a work queue, whatever the
 * depth: deltas of it are expanded and verified (a wrong one becomes a phantom again and is named among
 * the refused), delta manifests whose baseline it is are linked; what its children in the history need is
 * done by the linkers.
 *
 * Wrong content: with `onWrong: "throw"` (a server) the batch throws and the transaction must be rolled
 * back, so that a request counts whole or not at all; with `"drop"` (a client) the artifact is left out
 * and named. A waiting delta of an earlier batch that proves wrong is dropped either way: it is no fault
 * of this batch. A shunned artifact is left out silently, as in stock; a delta of a shunned artifact is left
 * out and named (`delta-shunned-source`), for the artifact itself is welcome.
 *
 * Private marks: an artifact received as private is neither announced nor clustered. One received as
 * public becomes public, if it was private here.
 */

import { EMPTY } from "./bytes.ts";
import { deltaOutputSize } from "./delta.ts";
import { applyDelta } from "./delta-decode.ts";
import { type EdgeSyncError, FormatError, HashMismatchError, LimitError, RepoError } from "./errors.ts";
import { algorithmOf, type Hash, hashMatches } from "./hash.ts";
import { toJulian } from "./julian.ts";
import { ARTIFACT_MAX_BYTES } from "./limits.ts";
import type { Repo } from "./repo.ts";
import { NO_RID, type Rid } from "./repo-content.ts";
import { beginLinkBatch, crosslink, endLinkBatch } from "./repo-crosslink.ts";
import type { LinkContext } from "./repo-link-context.ts";

export interface IncomingText {
  readonly hash: Hash;
  readonly content: Uint8Array;
}

export interface IncomingDelta {
  readonly hash: Hash;
  readonly delta: Uint8Array;
  readonly source: Hash;
}

export type Incoming = IncomingText | IncomingDelta;

export interface ReceiveOptions {
  /** Login of the user who sends; recorded in `rcvfrom`. */
  readonly user?: string;
  /** Address of the sender, or URL of the server. Absent for a local command. */
  readonly ipaddr?: string;
  /** Nonce of the login card; recorded once. */
  readonly nonce?: string;
  /** What to do about content that is not what its name says. */
  readonly onWrong: "throw" | "drop";
}

export interface Refusal {
  readonly hash: Hash;
  readonly error: EdgeSyncError;
}

export interface ReceiveSummary {
  /** Artifacts stored by this batch, waiting ones included, without those refused. */
  readonly stored: readonly Rid[];
  /** How many were received that were here already. */
  readonly knownCount: number;
  /** How many of `stored` wait for the source of their delta. */
  readonly waitingCount: number;
  /** How many artifacts were crosslinked that are more than ordinary files. */
  readonly linkedCount: number;
  readonly refused: readonly Refusal[];
}

/** Code of a refusal: the artifact came as a delta of a shunned one, and is welcome as whole text. */
export const SHUNNED_SOURCE = "delta-shunned-source";

/** Runs `body` on a batch in one transaction of its own (or the one already open). */
export function receiveAll(
  repo: Repo,
  options: ReceiveOptions,
  body: (batch: ReceiveBatch) => void,
): ReceiveSummary {
  return repo.db.write(() => {
    const batch = new ReceiveBatch(repo, options);
    body(batch);
    return batch.finish();
  });
}

export class ReceiveBatch {
  readonly context: LinkContext;

  private readonly repo: Repo;
  private readonly options: ReceiveOptions;
  private readonly stored = new Set<Rid>();
  /** Of `stored`, those whose delta has no source yet. */
  private readonly waiting = new Set<Rid>();
  private readonly refused: Refusal[] = [];
  private row: number | undefined;
  private knownCount = 0;
  private linkedCount = 0;

  /** The caller holds a write transaction until after `finish`, and rolls it back when anything throws. */
  constructor(repo: Repo, options: ReceiveOptions) {
    this.repo = repo;
    this.options = options;
    this.context = beginLinkBatch(repo);
  }

  /**
   * Takes one artifact.
   *
   * @returns its rid; `undefined` when it was refused
   * @throws HashMismatchError `hash-mismatch`; FormatError and LimitError of the delta; RepoError
   *   `delta-cycle`, `delta-private-source`: only with `onWrong: "throw"`
   */
  receive(incoming: Incoming, { isPrivate = false }: { readonly isPrivate?: boolean } = {}): Rid | undefined {
    const { content } = this.repo;
    const { hash } = incoming;
    if (this.isUnwelcome(hash)) {
      const error = new RepoError("shunned", `artifact ${hash} is shunned here`);
      this.refused.push({ hash, error });
      return undefined;
    }
    const known = content.ridOf(hash);
    const isStored = known !== undefined && !content.isPhantom(known);
    if (isStored && content.isAvailable(known)) return this.keepKnown(known, isPrivate);
    let bytes: Uint8Array | undefined;
    try {
      bytes = this.expand(incoming);
      if (bytes !== undefined) verify(hash, bytes);
      else if (isStored) return this.keepKnown(known, isPrivate);
      else return this.storeWaiting(incoming as IncomingDelta, isPrivate);
    } catch (error) {
      if (!isWrongContent(error)) throw error;
      // No fault of the sender's: it may send the artifact whole.
      if (this.options.onWrong === "throw" && error.code !== SHUNNED_SOURCE) throw error;
      this.refused.push({ hash, error });
      return undefined;
    }
    // A delta that waits gives way to the text itself.
    if (isStored) content.revertToPhantom(known);
    return this.storeVerified(hash, bytes, isPrivate);
  }

  /**
   * Adds an artifact made here, named by the hash policy.
   *
   * @param isUnsent whether a later push is to send it without being asked
   */
  add(bytes: Uint8Array, { isPrivate = false, isUnsent = false } = {}): Rid {
    const { content } = this.repo;
    const hash = content.nameOf(bytes);
    const known = content.ridOf(hash);
    const rid =
      known !== undefined && content.isAvailable(known)
        ? content.insert(hash, bytes, { rcvid: 0, isPrivate })
        : this.storeVerified(hash, bytes, isPrivate);
    if (isUnsent && !isPrivate) content.markUnsent(rid);
    return rid;
  }

  /** What was left out so far. */
  get refusals(): readonly Refusal[] {
    return this.refused;
  }

  /** Does what was deferred to the end of the batch. */
  finish(): ReceiveSummary {
    endLinkBatch(this.context);
    const { stored, waiting, knownCount, linkedCount, refused } = this;
    return { stored: [...stored], knownCount, waitingCount: waiting.size, linkedCount, refused };
  }

  private isUnwelcome(hash: Hash): boolean {
    if (this.repo.content.isShunned(hash)) return true;
    return algorithmOf(hash) === "sha1" && this.repo.config.hashPolicy() === "shun-sha1";
  }

  private keepKnown(rid: Rid, isPrivate: boolean): Rid {
    this.knownCount++;
    if (!isPrivate) this.repo.content.publish(rid);
    return rid;
  }

  /**
   * The artifact itself; `undefined` when the source of its delta is not at hand and really needed: a delta
   * between unlike texts may copy nothing.
   */
  private expand(incoming: Incoming): Uint8Array | undefined {
    if ("content" in incoming) return incoming.content;
    const source = this.repo.content.getByHash(incoming.source);
    return source === undefined
      ? expandAlone(incoming)
      : applyDelta(source, incoming.delta, ARTIFACT_MAX_BYTES);
  }

  private storeVerified(hash: Hash, bytes: Uint8Array, isPrivate: boolean): Rid {
    const { content } = this.repo;
    const wasPhantom = content.ridOf(hash) !== undefined;
    const rid = content.insert(hash, bytes, { rcvid: this.rcvid, isPrivate });
    this.stored.add(rid);
    this.waiting.delete(rid);
    this.link(rid, bytes);
    if (wasPhantom) this.releaseWaiting(rid);
    return rid;
  }

  private storeWaiting({ hash, delta, source }: IncomingDelta, isPrivate: boolean): Rid {
    const { content } = this.repo;
    const size = deltaOutputSize(delta);
    const sourceRid = content.ridOrPhantom(source, isPrivate);
    if (sourceRid === NO_RID) {
      const problem = `artifact ${hash} is a delta of ${source}, which is shunned here`;
      throw new RepoError(SHUNNED_SOURCE, problem);
    }
    // The sender, who has it, does not hold it for private.
    if (!isPrivate && content.isPhantom(sourceRid)) content.publish(sourceRid);
    const options = { rcvid: this.rcvid, isPrivate };
    const rid = content.insertDelta(hash, delta, sourceRid, size, options);
    this.stored.add(rid);
    this.waiting.add(rid);
    return rid;
  }

  /** Content of `first` is now available: so is what waited for it. */
  private releaseWaiting(first: Rid): void {
    const { content, db } = this.repo;
    const available = [first];
    for (let rid = available.pop(); rid !== undefined; rid = available.pop()) {
      for (const dependent of content.dependentsOf(rid)) {
        const bytes = this.expandWaiting(dependent);
        if (bytes === undefined) continue;
        this.waiting.delete(dependent);
        this.link(dependent, bytes);
        available.push(dependent);
      }
      const orphans = db.prepare("SELECT rid FROM orphan WHERE baseline=?").values<[Rid]>(rid);
      db.prepare("DELETE FROM orphan WHERE baseline=?").run(rid);
      for (const [orphan] of orphans) this.link(orphan, content.get(orphan)!);
    }
  }

  /** Expands and verifies a delta that waited for its source; makes it a phantom again when it is wrong. */
  private expandWaiting(rid: Rid): Uint8Array | undefined {
    const { content } = this.repo;
    const hash = content.hashOf(rid);
    try {
      const bytes = content.get(rid);
      if (bytes !== undefined) verify(hash, bytes);
      return bytes;
    } catch (error) {
      const isOurs = this.stored.has(rid);
      if (!isWrongContent(error) || (isOurs && this.options.onWrong === "throw")) throw error;
      content.revertToPhantom(rid);
      this.stored.delete(rid);
      this.waiting.delete(rid);
      this.refused.push({ hash, error });
      return undefined;
    }
  }

  private link(rid: Rid, bytes: Uint8Array): void {
    if (crosslink(this.context, rid, bytes) !== undefined) this.linkedCount++;
  }

  /** The batch's row in `rcvfrom`, made when first needed. A nonce used before is left out: it is UNIQUE. */
  get rcvid(): number {
    if (this.row !== undefined) return this.row;
    const { db, clock, users } = this.repo;
    const { user, ipaddr, nonce } = this.options;
    const isNew = nonce !== undefined && !db.prepare("SELECT 1 FROM rcvfrom WHERE nonce=?").value(nonce);
    const uid = (user === undefined ? undefined : users.get(user)?.uid) ?? 0;
    this.row = db
      .prepare("INSERT INTO rcvfrom(uid,mtime,nonce,ipaddr) VALUES(?,?,?,?)")
      .run(uid, toJulian(clock.now()), isNew ? nonce : null, ipaddr ?? null).lastInsertRowid;
    return this.row;
  }
}

/** What a delta makes of nothing, if that has the right hash. */
function expandAlone({ hash, delta }: IncomingDelta): Uint8Array | undefined {
  try {
    const bytes = applyDelta(EMPTY, delta, ARTIFACT_MAX_BYTES);
    return hashMatches(bytes, hash) ? bytes : undefined;
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

/** @throws HashMismatchError `hash-mismatch`; LimitError `artifact-size` */
function verify(hash: Hash, bytes: Uint8Array): void {
  if (bytes.length > ARTIFACT_MAX_BYTES) {
    throw new LimitError(
      "artifact-size",
      `artifact ${hash} of ${bytes.length} bytes exceeds ${ARTIFACT_MAX_BYTES}`,
    );
  }
  if (hashMatches(bytes, hash)) return;
  throw new HashMismatchError(
    "hash-mismatch",
    `content of ${bytes.length} bytes came under the name ${hash}, which is not its hash`,
    {
      data: { hash, size: bytes.length },
    },
  );
}

const WRONG_CODES: ReadonlySet<string> = new Set([
  "content-damaged",
  "delta-cycle",
  "delta-private-source",
  SHUNNED_SOURCE,
]);

/** Errors that say that what was sent is wrong, not that something is wrong here. */
function isWrongContent(error: unknown): error is EdgeSyncError {
  if (error instanceof RepoError) return WRONG_CODES.has(error.code);
  return error instanceof HashMismatchError || error instanceof FormatError || error instanceof LimitError;
}
