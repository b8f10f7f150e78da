/**
 * Reads one reply of a server for the sync client: one handler per card. Artifacts go into the batch of the
 * round; everything else becomes state that the client decides on. Rules: fossil-facts B, C.
 *
 * An `error` card ends the reply: what came before it counts, what follows is not looked at. An unknown
 * card does the same, as an error of its own; unknown pragmas, comments and blank lines are passed over.
 */
import { FormatError, LimitError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import { ARTIFACT_MAX_BYTES, OFFER_MAX_COUNT } from "./limits.ts";
import type { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";
import type { ReceiveBatch, Refusal } from "./repo-receive.ts";
import { ServerSaid } from "./sync-client-said.ts";
import { repliedCards } from "./sync-reply.ts";
import type { Card, CfileCard, FileCard, IgotCard } from "./xfer-card.ts";
import { unpackBlob } from "./zlib.ts";

/** What the client is out for. */
export interface ReplyGoals {
  readonly pull: boolean;
  readonly push: boolean;
  /** Private artifacts too, as far as the peer allows. */
  readonly private?: boolean;
}

/** Where artifacts go. */
export type ArtifactReceiver = Pick<ReceiveBatch, "receive">;

export class ClientReply {
  readonly said: ServerSaid;
  readonly requested: Hash[] = [];
  /** Artifacts whose payload could not be unpacked. */
  readonly refused: Refusal[] = [];
  /** The peer takes nothing from us. */
  isPullOnly = false;
  /** Offers that were news. */
  newOfferCount = 0;
  private nextIsPrivate = false;

  constructor(
    private readonly repo: Repo,
    private readonly peer: string,
    private readonly goals: ReplyGoals,
    /** Offered and not here, by hash; changed by what the reply says. */
    private readonly offered: Map<Hash, boolean>,
    private readonly onRemote: Set<Rid>,
  ) {
    this.said = new ServerSaid(repo, peer);
  }

  /** @throws ProtocolError `peer-damaged`, `peer-unknown-card` */
  read(message: Uint8Array, batch: ArtifactReceiver): void {
    for (const card of repliedCards(message, this.peer)) {
      this.handle(card, batch);
      if (this.said.error !== undefined) return;
    }
  }

  private handle(card: Card, batch: ArtifactReceiver): void {
    switch (card.type) {
      case "file":
      case "cfile":
        this.receive(card, batch);
        break;
      case "private":
        this.nextIsPrivate = true;
        break;
      case "igot":
        this.noteOffer(card);
        break;
      case "gimme":
      case "pragma edgesync-whole":
        // What was sent before goes whole.
        if (this.goals.push) this.requested.push(card.hash);
        break;
      default:
        // Not an error: the sync goes on in the other direction.
        if (card.type === "message" && card.text.startsWith("pull only")) this.isPullOnly = true;
        this.said.hear(card);
    }
  }

  private receive(card: FileCard | CfileCard, batch: ArtifactReceiver): void {
    const isPrivate = this.nextIsPrivate;
    this.nextIsPrivate = false;
    this.offered.delete(card.hash);
    // Private content that nobody asked for is not taken (fossil-facts G25).
    if (isPrivate && !this.goals.private) return;
    const { hash, source } = card;
    const content = this.unpacked(card);
    if (content === undefined) return;
    batch.receive(source === undefined ? { hash, content } : { hash, delta: content, source }, { isPrivate });
  }

  private unpacked(card: FileCard | CfileCard): Uint8Array | undefined {
    if (card.type === "file") return card.content;
    try {
      return unpackBlob(card.content, ARTIFACT_MAX_BYTES);
    } catch (error) {
      if (!(error instanceof FormatError || error instanceof LimitError)) throw error;
      this.refused.push({ hash: card.hash, error });
      return undefined;
    }
  }

  private noteOffer({ hash, isPrivate }: IgotCard): void {
    const { content } = this.repo;
    const known = content.standingOf(hash);
    if (known !== undefined && !known.isPhantom) {
      this.onRemote.add(known.rid);
      if (!isPrivate && known.isPrivate) content.publish(known.rid);
      return;
    }
    if (isPrivate && !this.goals.private) {
      // The answer to a gimme that the peer may not fulfil.
      this.offered.delete(hash);
      return;
    }
    if (!this.goals.pull || this.offered.has(hash) || content.isShunned(hash)) return;
    if (this.offered.size >= OFFER_MAX_COUNT) return;
    this.offered.set(hash, isPrivate);
    this.newOfferCount++;
  }
}
