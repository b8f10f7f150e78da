/**
 * The asking side of the sync protocol for a repository that exists: pull, push or both, as a pure step
 * function. `request` gives the next message, `absorb` takes the reply to it; whoever holds the engine
 * carries the two over some transport (`sync-session.ts`). No sockets, no timers.
 *
 * A round is: credentials and intent, `gimme` for what is wanted, artifacts of ours that the peer lacks,
 * `igot` for what no cluster names, a random comment that makes the nonce unique. The reply is absorbed in
 * one transaction: what it carried is stored, verified and crosslinked, or named among the refused.
 *
 * What is wanted: phantoms of the repository, and hashes the peer has offered in this sync. Offers are kept
 * in memory, so that a peer that offers what it never sends leaves nothing behind here.
 *
 * What is sent: `unsent` artifacts unasked, others when the peer asks. An artifact leaves `unsent` when a
 * reply without an error has come back, so a push that fails is repeated by the next. A peer that asks again
 * for what it was sent gets it once more, whole, and then no more.
 *
 * When it ends (fossil-facts B): another round follows while the last one brought artifacts or offers and
 * something is still wanted, or while it sent artifacts. Bounds that stock lacks: a round that brings
 * nothing that was wanted is idle, `SYNC_IDLE_ROUND_MAX_COUNT` of them in a row end the sync, and so do
 * `SYNC_ROUND_MAX_COUNT` rounds of any kind.
 */
import type { Bytes } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import { GIMME_MIN_COUNT, SYNC_IDLE_ROUND_MAX_COUNT, SYNC_ROUND_MAX_COUNT } from "./limits.ts";
import { randomHex } from "./random.ts";
import type { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";
import type * as receiving from "./repo-receive.ts";
import type { Refusal } from "./repo-receive.ts";
import { wantedHashes } from "./repo-serve.ts";
import { type ArtifactReceiver, ClientReply, type ReplyGoals } from "./sync-client-reply.ts";
import type { ServerSaid } from "./sync-client-said.ts";
import { writeArtifacts, writeOffers } from "./sync-client-send.ts";
import { type ClientRequest, type Credentials, signedRequest } from "./sync-request.ts";
import { zeroTotals } from "./sync-totals.ts";
import {
  type PeerVersion,
  PROTOCOL_VERSION,
  UNKNOWN_VERSION,
  understandsCookieLogin,
} from "./sync-version.ts";
import { MessageWriter } from "./xfer-format.ts";

/** The round, counted from 0, in which stock asks for and sends clusters of clusters. */
const CLUSTERS_ROUND = 2;
/** Rounds in which a complete catalog is asked for. */
const CATALOG_ROUNDS = 2;

export interface SyncGoals extends ReplyGoals {
  /** Compare complete catalogs instead of trusting clusters (`--verily`). */
  readonly verily?: boolean;
}

export interface ClientOptions {
  /** The peer as errors name it. */
  readonly peer: string;
  readonly login?: Credentials;
  /** Whether the transport carries a cookie to the peer: newer servers take the login from there. */
  readonly carriesCookie: boolean;
  /** Artifacts that the peer is believed to have, asked for in the first message already. */
  readonly hints?: readonly Hash[];
  /** Nothing else is new: the first reply need not say what the peer has. */
  readonly onlyHints?: boolean;
  /** Says that this client is about to commit on a check-in, or, without one, that it no longer is. */
  readonly lock?: { readonly client: Hash; readonly checkIn?: Hash };
  /** Bound on the rounds; default `SYNC_ROUND_MAX_COUNT`. */
  readonly roundMaxCount?: number;
  /** What stores replies, for who absorbs them without calling `load`. */
  readonly receiver?: Receiver;
}

/** Storing and linking: half of what there is to load for a sync, and not needed where nothing is new. */
export type Receiver = Pick<typeof receiving, "receiveAll" | "SHUNNED_SOURCE">;

export class SyncClient {
  readonly totals = zeroTotals();
  /** Artifacts whose content was not what their name says, or which are shunned here. */
  readonly refused: Refusal[] = [];
  /** What the peer said, in order (`message` cards). */
  readonly messages: string[] = [];
  /** How far the peer's clock is from ours, in milliseconds: the largest seen, positive when it is ahead. */
  skewMs = 0;
  /** Who else is about to commit on the check-in that a lock was asked for, since when (seconds since 1970). */
  lockHolder: ServerSaid["lockHolder"];
  /** The peer wants no delta manifests. */
  avoidsDeltas = false;

  private readonly repo: Repo;
  private readonly options: ClientOptions;
  private goals: SyncGoals;
  private remote: PeerVersion = UNKNOWN_VERSION;
  /** Offered by the peer, not here. True: as private. */
  private readonly offered = new Map<Hash, boolean>();
  /** Asked for by the peer in the last reply. */
  private requested: Hash[] = [];
  /** Sent in the round under way: no longer unsent once it is answered. */
  private inFlight: readonly Rid[] = [];
  /** How often each artifact was sent in this sync. */
  private readonly timesSent = new Map<Rid, number>();
  /** Artifacts that the peer is known to have. */
  private readonly onRemote = new Set<Rid>();
  /** Welcome as whole text only. True: asked for as such. */
  private readonly neededWhole = new Map<Hash, boolean>();
  private gimmeLimit = GIMME_MIN_COUNT;
  private idleRounds = 0;
  private ended = false;
  private receiver: Receiver | undefined;
  private serverError: string | undefined;
  /** What the peer said when it refused what was pushed; the pull went on. */
  private refusedPush: string | undefined;

  constructor(repo: Repo, goals: SyncGoals, options: ClientOptions) {
    this.repo = repo;
    this.goals = goals;
    this.receiver = options.receiver;
    this.options = options;
    for (const hash of goals.pull ? (options.hints ?? []) : []) this.expect(hash);
  }

  get isDone(): boolean {
    return this.ended;
  }

  /** Hashes the peer offered or the history names, whose content is not here. */
  get wantedCount(): number {
    return this.wanted().length;
  }

  /** The next message. Reads only; call it once per round. */
  request(): ClientRequest {
    const { repo, goals } = this;
    const out = new MessageWriter();
    if (goals.private) out.card({ type: "pragma send-private" });
    out.card({ type: "pragma client-version", ...PROTOCOL_VERSION });
    if (this.options.onlyHints && this.totals.rounds === 0 && !goals.push) {
      out.card({ type: "pragma edgesync-gimme-only" });
    }
    this.writeIntent(out);
    if (goals.pull) {
      // First: a gimme for the same artifact would bring the delta again.
      this.writeNeededWhole(out);
      this.writeGimmes(out);
    }
    if (goals.push) {
      const sent = writeArtifacts(repo, out, {
        requested: this.requested,
        timesSent: this.timesSent,
        withPrivate: goals.private ?? false,
      });
      this.inFlight = sent;
      for (const rid of sent) this.timesSent.set(rid, (this.timesSent.get(rid) ?? 0) + 1);
      this.requested = [];
      const isCatalog = goals.verily === true && this.totals.rounds === 0;
      const withClusters = sent.length > 0 && this.totals.rounds === CLUSTERS_ROUND;
      writeOffers(repo, out, {
        onRemote: this.onRemote,
        isCatalog,
        withClusters,
        withPrivate: goals.private ?? false,
      });
    }
    this.writeLock(out);
    out.comment(` ${randomHex(repo.random, 20)}`);
    return this.signed(out.finish());
  }

  /** Loads what `absorb` needs for this reply; to be awaited before. */
  async load(message: Uint8Array): Promise<void> {
    if (mayCarryArtifacts(message)) this.receiver ??= await import("./repo-receive.ts");
  }

  /**
   * Takes the reply to the last request: one transaction. `load` of it comes first.
   *
   * @throws ProtocolError `peer-error` when the peer refused, after what came with it was stored;
   *   `peer-unknown-card`; `peer-never-ends`; `peer-unresolved` when offered artifacts never came
   * @throws ProtocolError `peer-damaged` for a reply that cannot be read: nothing of it is stored
   * @throws RepoError for trouble here: nothing of it is stored
   */
  absorb(message: Uint8Array): void {
    const { repo, totals, receiver } = this;
    const { peer } = this.options;
    const reply = new ClientReply(repo, peer, this.goals, this.offered, this.onRemote);
    const read = (batch: ArtifactReceiver) => {
      reply.read(message, batch);
      if (reply.said.error === undefined && !reply.isPullOnly) this.forgetUnsent();
    };
    const received =
      receiver?.receiveAll(repo, { onWrong: "drop", ipaddr: peer }, read) ?? nothing(repo, read);
    for (const rid of received.stored) this.onRemote.add(rid);
    const refused = [...reply.refused, ...received.refused];
    this.refused.push(...refused);
    this.forgetMended();
    const { said } = reply;
    this.messages.push(...said.messages);
    if (Math.abs(said.skewMs) > Math.abs(this.skewMs)) this.skewMs = said.skewMs;
    this.remote = said.version ?? this.remote;
    this.lockHolder ??= said.lockHolder;
    this.avoidsDeltas ||= said.avoidsDeltas;
    this.requested = reply.requested;
    if (reply.isPullOnly) this.goals = { ...this.goals, push: false };
    totals.rounds++;
    totals.messageBytesReceived += message.length;
    totals.artifactsSent += this.inFlight.length;
    totals.artifactsReceived += received.stored.length;
    totals.artifactsKnown += received.knownCount;
    for (const { hash } of refused) this.offered.delete(hash);
    for (const { hash, error } of refused) {
      if (error.code === receiver?.SHUNNED_SOURCE && !this.neededWhole.has(hash))
        this.neededWhole.set(hash, false);
    }
    this.serverError = said.error;
    this.decide(received.stored.length, reply.newOfferCount);
    this.inFlight = [];
  }

  private decide(receivedCount: number, newOfferCount: number): void {
    const { peer, roundMaxCount = SYNC_ROUND_MAX_COUNT } = this.options;
    if (
      this.serverError !== undefined &&
      this.goals.pull &&
      this.goals.push &&
      isRefusedPush(this.serverError)
    ) {
      // What there is to pull does not depend on it. The refusal is told at the end.
      this.refusedPush = this.serverError;
      this.goals = { ...this.goals, push: false };
      this.requested = [];
      return;
    }
    if (this.serverError !== undefined) this.failFor(this.serverError);
    const wanted = this.goals.pull ? this.wantedCount : 0;
    this.idleRounds = receivedCount > 0 || this.inFlight.length > 0 ? 0 : this.idleRounds + 1;
    this.gimmeLimit = Math.max(GIMME_MIN_COUNT, receivedCount * 2);
    const goesOn =
      (wanted > 0 && (receivedCount > 0 || newOfferCount > 0 || this.offered.size > 0)) ||
      this.inFlight.length > 0 ||
      (this.goals.pull && [...this.neededWhole.values()].includes(false)) ||
      (this.goals.push && this.requested.length > 0);
    if (goesOn && this.idleRounds < SYNC_IDLE_ROUND_MAX_COUNT) {
      if (this.totals.rounds < roundMaxCount) return;
      this.ended = true;
      throw new ProtocolError("peer-never-ends", `${peer} has not come to an end in ${roundMaxCount} rounds`);
    }
    this.ended = true;
    if (this.refusedPush !== undefined) this.failFor(this.refusedPush);
    if (this.goals.pull && this.offered.size > 0) {
      const [example] = this.offered.keys();
      throw new ProtocolError(
        "peer-unresolved",
        `${peer} offers ${this.offered.size} artifacts that it does not send, such as ${example}`,
        { hint: "everything else was stored; try again, or sync with another peer", data: { example } },
      );
    }
  }

  private failFor(text: string): never {
    this.ended = true;
    throw new ProtocolError("peer-error", `${this.options.peer} says: ${text}`, { data: { text } });
  }

  private writeIntent(out: MessageWriter): void {
    const { config } = this.repo;
    const projectCode = this.projectCode();
    const serverCode = config.get("server-code") ?? randomHex(this.repo.random, 20);
    if (this.goals.pull) {
      out.card({ type: "pull", serverCode, projectCode });
      if (this.goals.verily && this.totals.rounds < CATALOG_ROUNDS) out.card({ type: "pragma send-catalog" });
    }
    if (this.goals.push) out.card({ type: "push", serverCode, projectCode });
    const cookie = config.get("cookie");
    if (cookie !== undefined) out.card({ type: "cookie", value: cookie });
  }

  private writeLock(out: MessageWriter): void {
    const { lock } = this.options;
    if (lock === undefined || this.totals.rounds > 0) return;
    const { client, checkIn } = lock;
    if (checkIn === undefined) out.card({ type: "pragma ci-unlock", client });
    else out.card({ type: "pragma ci-lock", checkIn, client });
  }

  private writeGimmes(out: MessageWriter): void {
    const wanted = this.wanted();
    for (const hash of wanted.slice(0, this.gimmeLimit)) out.card({ type: "gimme", hash });
    if (wanted.length > 0 && this.totals.rounds === CLUSTERS_ROUND) out.card({ type: "pragma req-clusters" });
  }

  /** What came as a useless delta and has come whole since was not refused. */
  private forgetMended(): void {
    const { content } = this.repo;
    for (let i = this.refused.length - 1; i >= 0 && this.neededWhole.size > 0; i--) {
      const rid = content.ridOf(this.refused[i]!.hash);
      if (rid !== undefined && content.isAvailable(rid)) this.refused.splice(i, 1);
    }
  }

  private writeNeededWhole(out: MessageWriter): void {
    for (const [hash, isAsked] of this.neededWhole) {
      if (!isAsked) out.card({ type: "pragma edgesync-whole", hash });
      this.neededWhole.set(hash, true);
    }
  }

  private expect(hash: Hash): void {
    const { content } = this.repo;
    const rid = content.ridOf(hash);
    const isHere = rid !== undefined && !content.isPhantom(rid);
    if (!isHere && !content.isShunned(hash)) this.offered.set(hash, false);
  }

  private wanted(): Hash[] {
    const withPrivate = this.goals.private ?? false;
    const phantoms = [...wantedHashes(this.repo.db, withPrivate)].filter((hash) => !this.offered.has(hash));
    // What the peer is known to have comes first: a phantom may be nowhere.
    return [...this.offered.keys(), ...phantoms];
  }

  private signed(body: Bytes): ClientRequest {
    this.totals.messageBytesSent += body.length;
    const { login, carriesCookie } = this.options;
    const asCookie = carriesCookie && understandsCookieLogin(this.remote);
    return signedRequest(body, login, this.projectCode(), asCookie);
  }

  /** @throws ProtocolError `no-project-code` */
  private projectCode(): Hash {
    const code = this.repo.config.get("project-code");
    if (code === undefined)
      throw new ProtocolError("no-project-code", `${this.repo.path} has no project code`);
    return code as Hash;
  }

  private forgetUnsent(): void {
    const forget = this.repo.db.prepare("DELETE FROM unsent WHERE rid=?");
    for (const rid of this.inFlight) forget.run(rid);
  }
}

/** False only for a message without `file` and `cfile` cards. */
function mayCarryArtifacts(message: Uint8Array): boolean {
  return Buffer.from(message.buffer, message.byteOffset, message.length).includes("file ");
}

/** What `receiveAll` does for a reply without artifacts. */
function nothing(repo: Repo, body: (receiver: ArtifactReceiver) => void) {
  const receive = () => {
    throw new Error("load() comes before absorb()");
  };
  repo.db.write(() => body({ receive }));
  return { stored: [], knownCount: 0, refused: [] } as const;
}

/** Stock's answer to content of a client that may not push. */
function isRefusedPush(text: string): boolean {
  return text.startsWith("not authorized to write");
}
