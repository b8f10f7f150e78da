/**
 * Puts what a page of a clone carries into the clone's file: stored blobs and deltas verbatim, unopened, in
 * the order they come, so that rids are those of a clone made by stock. Whether they are what their names say
 * is found out later, by `sync-clone-verify.ts`.
 *
 * Deltas mostly come before their source (fossil-facts G10), which then is a phantom until it comes. What
 * cannot be stored at all is left out, a phantom in its place, and named.
 */
import type { Bytes } from "./bytes.ts";
import { deltaOutputSize } from "./delta.ts";
import { type ErrorRecord, errorToRecord, FormatError, LimitError, RepoError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import { ARTIFACT_MAX_BYTES } from "./limits.ts";
import { ConfigExchange } from "./repo-config-exchange.ts";
import { NO_RID, type Rid, type StoredContent } from "./repo-content.ts";
import type { CloneFile } from "./sync-clone-file.ts";
import type { CfileCard, FileCard } from "./xfer-card.ts";
import { CardReader } from "./xfer-parse.ts";
import { packBlob } from "./zlib.ts";

/** An artifact that was left out, fit to cross threads. */
export interface RefusedArtifact {
  readonly hash: Hash;
  readonly error: ErrorRecord;
}

export interface StoreSink {
  /** Told of each artifact stored. */
  stored(rid: Rid, source: Rid | undefined, size: number): void;
}

export interface StoredPage {
  readonly storedCount: number;
  /** Artifacts that were here already. */
  readonly knownCount: number;
  readonly refused: readonly RefusedArtifact[];
}

export interface PageOptions {
  /** The peer, as recorded in `rcvfrom`. */
  readonly peer: string;
  readonly private: boolean;
}

/**
 * Stores the artifacts and the configuration of a reply. The caller holds a write transaction. The message is used up: an
 * artifact that is nearly all of it is not there beside what SQLite makes of it.
 *
 * @throws FormatError: the reply is damaged
 */
export function storePage(
  file: CloneFile,
  message: Bytes,
  { peer, private: takesPrivate }: PageOptions,
  sink: StoreSink,
): StoredPage {
  const page = new PageStore(file, file.rcvid(peer), sink);
  // What depends on its rows is made when all is linked.
  const configuration = new ConfigExchange(file.repo);
  let unread = message;
  let reader = new CardReader(unread, "server");
  let nextIsPrivate = false;
  for (let card = reader.next(); card !== undefined; card = reader.next()) {
    // What follows an error does not count.
    if (card.type === "error") break;
    if (card.type === "private") nextIsPrivate = true;
    if (card.type === "config") configuration.receive(card);
    if (card.type !== "cfile" && card.type !== "file") continue;
    // Private content that nobody asked for is not taken (fossil-facts G25).
    if (!nextIsPrivate || takesPrivate) {
      const isSpare = isMostOf(unread, card);
      if (isSpare) {
        unread = unread.slice(reader.end);
        reader = new CardReader(unread, "server");
      }
      page.take(card, nextIsPrivate, isSpare);
    }
    nextIsPrivate = false;
  }
  return page.result;
}

/** So that what comes after it can be copied. */
const MESSAGE_SPARE_MIN_BYTES = 16_000_000;

function isMostOf(message: Bytes, { content }: CfileCard | FileCard): boolean {
  return content.length >= MESSAGE_SPARE_MIN_BYTES && content.length >= 0.9 * message.length;
}

class PageStore {
  private storedCount = 0;
  private knownCount = 0;
  private readonly refused: RefusedArtifact[] = [];

  constructor(
    private readonly file: CloneFile,
    private readonly rcvid: number,
    private readonly sink: StoreSink,
  ) {}

  get result(): StoredPage {
    const { storedCount, knownCount, refused } = this;
    return { storedCount, knownCount, refused };
  }

  /** @param isSpare whether nobody needs the message any more that the card is in */
  take(card: CfileCard | FileCard, isPrivate: boolean, isSpare: boolean): void {
    const { content } = this.file.repo;
    const { hash } = card;
    if (content.isShunned(hash)) return;
    const known = content.ridOf(hash);
    if (known !== undefined && !content.isPhantom(known)) {
      this.knownCount++;
      if (!isPrivate) content.publish(known);
      return;
    }
    try {
      const stored = { isSpare, ...this.toStored(card, isPrivate) };
      const rid = content.insertStored(hash, stored, { rcvid: this.rcvid, isPrivate });
      this.sink.stored(rid, stored.source, stored.size);
      this.storedCount++;
    } catch (error) {
      if (!isPeersFault(error)) throw error;
      content.ridOrPhantom(hash, isPrivate);
      this.refused.push({ hash, error: errorToRecord(error) });
    }
  }

  private toStored(card: CfileCard | FileCard, isPrivate: boolean): StoredContent {
    const source = card.source === undefined ? undefined : this.sourceOf(card.source, isPrivate);
    if (card.type === "cfile") {
      if (card.size > ARTIFACT_MAX_BYTES) {
        throw new LimitError(
          "artifact-size",
          `artifact ${card.hash} of ${card.size} bytes exceeds ${ARTIFACT_MAX_BYTES}`,
        );
      }
      return { bytes: card.content, size: card.size, source };
    }
    const size = source === undefined ? card.content.length : deltaOutputSize(card.content);
    return { bytes: packBlob(card.content), size, source, isSpare: true };
  }

  private sourceOf(hash: Hash, isPrivate: boolean): Rid {
    const { content } = this.file.repo;
    const rid = content.ridOrPhantom(hash, isPrivate);
    if (rid === NO_RID) throw new RepoError("shunned", `its delta source ${hash} is shunned here`);
    // The sender, who names it to us, does not hold it for private.
    if (!isPrivate && content.isPhantom(rid)) content.publish(rid);
    return rid;
  }
}

const WRONG_SOURCE_CODES: ReadonlySet<string> = new Set(["delta-cycle", "delta-private-source", "shunned"]);

function isPeersFault(error: unknown): boolean {
  if (error instanceof RepoError) return WRONG_SOURCE_CODES.has(error.code);
  return error instanceof FormatError || error instanceof LimitError;
}
