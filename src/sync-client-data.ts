/**
 * What the clients for unversioned files and for the configuration have in common: an exchange without
 * `pull`, `push` or project code. A round is: client-version, what the client asks or sends, a random
 * comment that makes the nonce unique. A reply is taken in one transaction. Rules: fossil-facts B, D.
 */
import type { Bytes } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";
import { randomHex } from "./random.ts";
import type { Repo } from "./repo.ts";
import type { ClientOptions } from "./sync-client.ts";
import { ServerSaid } from "./sync-client-said.ts";
import { repliedCards } from "./sync-reply.ts";
import { type ClientRequest, signedRequest } from "./sync-request.ts";
import type { SyncEngine } from "./sync-session.ts";
import { zeroTotals } from "./sync-totals.ts";
import {
  type PeerVersion,
  PROTOCOL_VERSION,
  UNKNOWN_VERSION,
  understandsCookieLogin,
} from "./sync-version.ts";
import type { Card } from "./xfer-card.ts";
import { MessageWriter } from "./xfer-format.ts";

export abstract class DataClient implements SyncEngine {
  /** "Artifacts" are files, or rows. */
  readonly totals = zeroTotals();
  /** What the peer said, in order (`message` cards). */
  readonly messages: string[] = [];
  /** How far the peer's clock is from ours, in milliseconds: the largest seen, positive when it is ahead. */
  skewMs = 0;

  private remote: PeerVersion = UNKNOWN_VERSION;
  private ended = false;

  constructor(
    protected readonly repo: Repo,
    protected readonly options: ClientOptions,
  ) {}

  get isDone(): boolean {
    return this.ended;
  }

  abstract get wantedCount(): number;

  /** The next message; call it once per round. */
  request(): ClientRequest {
    const { config, random } = this.repo;
    const out = new MessageWriter();
    out.card({ type: "pragma client-version", ...PROTOCOL_VERSION });
    const cookie = config.get("cookie");
    if (cookie !== undefined) out.card({ type: "cookie", value: cookie });
    this.ask(out);
    out.comment(` ${randomHex(random, 20)}`);
    return this.signed(out.finish());
  }

  /**
   * Takes the reply to the last request: one transaction.
   *
   * @throws ProtocolError `peer-error` when the peer refused, after what came before that was stored;
   *   `peer-unknown-card`, and `peer-damaged` for a reply that cannot be read: nothing of it is stored
   * @throws RepoError for trouble here: nothing of it is stored
   */
  absorb(message: Uint8Array): void {
    const said = new ServerSaid(this.repo, this.options.peer);
    this.repo.db.write(() => {
      for (const card of repliedCards(message, this.options.peer)) {
        said.hear(card);
        if (said.error !== undefined) break;
        this.take(card);
      }
      this.settle();
    });
    this.messages.push(...said.messages);
    if (Math.abs(said.skewMs) > Math.abs(this.skewMs)) this.skewMs = said.skewMs;
    this.remote = said.version ?? this.remote;
    this.totals.rounds++;
    this.totals.messageBytesReceived += message.length;
    if (said.error !== undefined) {
      this.ended = true;
      const { peer } = this.options;
      throw new ProtocolError("peer-error", `${peer} says: ${said.error}`, { data: { text: said.error } });
    }
    this.ended = !this.goesOn();
  }

  /** Writes the cards of a round. */
  protected abstract ask(out: MessageWriter): void;

  /** Takes one card of a reply, within its transaction. */
  protected abstract take(card: Card): void;

  /** At the end of the transaction. */
  protected settle(): void {}

  /** Whether another round is to follow; asked once after each. */
  protected abstract goesOn(): boolean;

  private signed(body: Bytes): ClientRequest {
    this.totals.messageBytesSent += body.length;
    const { login, carriesCookie } = this.options;
    const asCookie = carriesCookie && understandsCookieLogin(this.remote);
    return signedRequest(body, login, this.repo.config.projectCode ?? "", asCookie);
  }
}
