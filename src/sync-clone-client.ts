/**
 * The asking side of a clone as a pure step function: `request` gives the next message, `read` takes the
 * reply and tells what it means for the clone. It knows no repository; what the artifacts in a reply are is
 * for `sync-clone-store.ts`, which may be at work on one page while the next is asked for.
 *
 *     round 1      client-version, clone 3 1                       never with a login
 *     round 2      login, client-version, clone 3 N, reqconfig /all
 *     round 3 …    login, client-version, clone 3 N                while the server said `clone_seqno N`, N > 0
 *
 * The login needs the project code, which the first reply brings. A server that lets nobody clone says so in
 * the first reply and the project code with it: with a login the same page is asked for again. It is asked
 * for again too when private artifacts are wanted, for without a login the first page lacks them (where
 * stock's clone goes on and so misses those of the first page, fossil-facts G16).
 *
 * A clone interrupted goes on from its `CloneState`: project code, next page, whether the configuration came.
 *
 * When it ends: at `clone_seqno 0` with the configuration there. Bounds that stock lacks (G8): pages in a row
 * that bring nothing new are counted by `noteStored`, and `CLONE_IDLE_ROUND_MAX_COUNT` of them end the
 * clone with an error, as do `CLONE_ROUND_MAX_COUNT` rounds of any kind.
 *
 * Rules: fossil-facts B, C, D, G7, G16, G17.
 */
import { ProtocolError } from "./errors.ts";
import { CLONE_IDLE_ROUND_MAX_COUNT, CLONE_ROUND_MAX_COUNT } from "./limits.ts";
import { type Random, randomHex } from "./random.ts";
import { repliedCards, unknownCard } from "./sync-reply.ts";
import { type ClientRequest, type Credentials, signedRequest } from "./sync-request.ts";
import {
  type PeerVersion,
  PROTOCOL_VERSION,
  UNKNOWN_VERSION,
  understandsCookieLogin,
} from "./sync-version.ts";
import type { Card } from "./xfer-card.ts";
import { MessageWriter } from "./xfer-format.ts";

const CLONE_PROTOCOL = 3;

/** How far a clone has come: all that is needed to go on with it. */
export interface CloneState {
  /** What the next page is asked for with; 1 at first, 0 when there is no other. */
  readonly sequence: number;
  readonly projectCode: string | undefined;
  /** The server's configuration has been asked for and come. */
  readonly hasConfiguration: boolean;
}

export const CLONE_START: CloneState = { sequence: 1, projectCode: undefined, hasConfiguration: false };

export interface CloneClientOptions {
  /** The peer as errors name it. */
  readonly peer: string;
  readonly login?: Credentials;
  /** Private artifacts too, as far as the peer allows. */
  readonly private: boolean;
  /** Whether the transport carries a cookie to the peer. */
  readonly carriesCookie: boolean;
  readonly random: Random;
  /** Bound on the rounds; default `CLONE_ROUND_MAX_COUNT`. */
  readonly roundMaxCount?: number;
}

/** What a reply means. */
export interface CloneReply {
  /** As it is when what the reply carries is stored. */
  readonly state: CloneState;
  /** Whether what it carries is to be stored; not when the same page is asked for again with a login. */
  readonly isKept: boolean;
  /** What the peer said (`message` cards). */
  readonly messages: readonly string[];
  /** The peer ended it: what came counts, and no more will come. */
  readonly error: ProtocolError | undefined;
}

/** What the cards of a reply say, artifacts and configuration apart. */
interface Said {
  sequence: number | undefined;
  projectCode: string | undefined;
  error: string | undefined;
  readonly messages: string[];
}

export class CloneClient {
  private state: CloneState;
  private remote: PeerVersion = UNKNOWN_VERSION;
  private cookie: string | undefined;
  private rounds = 0;
  private idleRounds = 0;
  private asksConfiguration = false;

  constructor(
    private readonly options: CloneClientOptions,
    state: CloneState = CLONE_START,
  ) {
    this.state = state;
  }

  /** Nothing is left to ask for. */
  get isDone(): boolean {
    return this.state.sequence === 0 && this.state.hasConfiguration;
  }

  request(): ClientRequest {
    const { private: wantsPrivate, login, carriesCookie, random } = this.options;
    const { sequence, projectCode, hasConfiguration } = this.state;
    const out = new MessageWriter();
    const isForProject = projectCode === undefined && login !== undefined;
    if (wantsPrivate && !isForProject) out.card({ type: "pragma send-private" });
    out.card({ type: "pragma client-version", ...PROTOCOL_VERSION });
    if (sequence > 0) out.card({ type: "clone", protocol: CLONE_PROTOCOL, sequence });
    // The first request has no login, which the configuration may need.
    this.asksConfiguration = projectCode !== undefined && !hasConfiguration;
    if (this.cookie !== undefined) out.card({ type: "cookie", value: this.cookie });
    if (this.asksConfiguration) out.card({ type: "reqconfig", area: "/all" });
    out.comment(` ${randomHex(random, 20)}`);
    const body = out.finish();
    if (projectCode === undefined) return { message: body, cookie: undefined };
    return signedRequest(body, login, projectCode, carriesCookie && understandsCookieLogin(this.remote));
  }

  /**
   * @throws ProtocolError `peer-damaged` for a reply that cannot be read; `peer-unknown-card`; `peer-no-project` when it does not name its project;
   *   `peer-other-project` when it names another than before; `peer-sequence` when it does not say where the
   *   clone goes on; `peer-never-ends`
   */
  read(message: Uint8Array): CloneReply {
    const said: Said = { sequence: undefined, projectCode: undefined, error: undefined, messages: [] };
    const isFirst = this.state.projectCode === undefined;
    for (const card of repliedCards(message, this.options.peer)) {
      this.listen(card, said);
      // The first reply names the project behind whatever it complains of.
      if (said.error !== undefined && !isFirst) break;
    }
    const { messages } = said;
    const { roundMaxCount = CLONE_ROUND_MAX_COUNT } = this.options;
    if (++this.rounds > roundMaxCount) throw this.neverEnds(`in ${roundMaxCount} rounds`);
    if (isFirst) return { ...this.begin(said), messages };
    this.checkProject(said.projectCode);
    const error = said.error === undefined ? undefined : this.refusal(said.error);
    if (error === undefined) {
      const hasConfiguration = this.state.hasConfiguration || this.asksConfiguration;
      this.state = { ...this.state, sequence: this.nextSequence(said), hasConfiguration };
    }
    return { state: this.state, isKept: true, messages, error };
  }

  /**
   * Tells how many artifacts of a page were new.
   *
   * @throws ProtocolError `peer-never-ends`
   */
  noteStored(count: number): void {
    this.idleRounds = count > 0 ? 0 : this.idleRounds + 1;
    if (this.state.sequence > 0 && this.idleRounds >= CLONE_IDLE_ROUND_MAX_COUNT) {
      throw this.neverEnds(`though its last ${this.idleRounds} pages brought nothing new`);
    }
  }

  /** The reply to a request without a login. */
  private begin(said: Said): Omit<CloneReply, "messages"> {
    const { login, peer } = this.options;
    const { error, projectCode } = said;
    if (projectCode === undefined) {
      if (error !== undefined) return { state: this.state, isKept: false, error: this.refusal(error) };
      throw new ProtocolError("peer-no-project", `${peer} answers a clone without naming its project`);
    }
    const asksAgain = login !== undefined && (error !== undefined || this.options.private);
    this.state = { ...this.state, projectCode };
    if (asksAgain) return { state: this.state, isKept: false, error: undefined };
    if (error !== undefined) return { state: this.state, isKept: false, error: this.refusal(error) };
    this.state = { ...this.state, sequence: this.nextSequence(said) };
    return { state: this.state, isKept: true, error: undefined };
  }

  private listen(card: Card, said: Said): void {
    switch (card.type) {
      case "clone_seqno":
        said.sequence = card.sequence;
        break;
      case "push":
        said.projectCode = card.projectCode;
        break;
      case "pragma server-version":
        this.remote = { version: card.version, date: card.date ?? 0, time: card.time ?? 0 };
        break;
      case "cookie":
        this.cookie = card.value;
        break;
      case "message":
        said.messages.push(card.text);
        break;
      case "error":
        said.error ??= card.text;
        break;
      case "unknown":
        if (!card.isBlank) throw unknownCard(this.options.peer, card.line);
        break;
      case "malformed":
        throw unknownCard(this.options.peer, card.keyword);
      default:
      // Artifacts, configuration and files are stored by others; pragmas are hints.
    }
  }

  private checkProject(code: string | undefined): void {
    if (code === undefined || code === this.state.projectCode) return;
    throw new ProtocolError(
      "peer-other-project",
      `${this.options.peer} now has project ${code}, not ${this.state.projectCode} as when the clone began`,
    );
  }

  private nextSequence(said: Said): number {
    const { sequence } = said;
    if (this.state.sequence === 0) return 0;
    if (sequence !== undefined) return sequence;
    throw new ProtocolError("peer-sequence", `${this.options.peer} does not say where its clone goes on`);
  }

  private refusal(text: string): ProtocolError {
    const hint = /not authorized/.test(text) ? { hint: "log in with USER@ in the address, or --user" } : {};
    return new ProtocolError("peer-error", `${this.options.peer} says: ${text}`, { data: { text }, ...hint });
  }

  private neverEnds(why: string): ProtocolError {
    return new ProtocolError(
      "peer-never-ends",
      `the clone of ${this.options.peer} does not come to an end ${why}`,
    );
  }
}
