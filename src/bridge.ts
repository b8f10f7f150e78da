/**
 * A bridge lets the peers of a project on NATS sync with a Fossil server on the web. It has no repository: what comes
 * on `<prefix>.<project-code>.sync`, in turn with others, and on `….sync.<peer-id>` goes to the server, and the
 * server's reply back.
 *
 * - A server that cannot be reached, refuses, or answers with something else is told of by an error card.
 * - A message in which nobody logs in gets the bridge's login, if it has one: who may publish on the subjects may then
 *   do what that user may.
 * - After a push that the server took without an error the bridge announces what it brought. Every `pollMs` it asks the
 *   server what no cluster names, and announces what appeared there.
 * - It tells the peers that it is there, as `bridge`: leaves then push to it, for it cannot fetch (`leaf-mesh`).
 * - At most `BRIDGE_EXCHANGE_MAX_COUNT` exchanges with the server at a time, and messages of at most
 *   `BRIDGE_MESSAGE_MAX_BYTES`. Several bridges of a project share the load through the queue group.
 */
import { ANNOUNCEMENT_VERSION, formatAnnouncement } from "./announcement.ts";
import { summarizeReply, summarizeRequest, withLogin } from "./bridge-request.ts";
import type { Bytes } from "./bytes.ts";
import type { Clock, Timer } from "./clock.ts";
import { EdgeSyncError, ProtocolError } from "./errors.ts";
import { type Hash, sha1Hex } from "./hash.ts";
import {
  ANNOUNCED_ARTIFACT_MAX_COUNT,
  BRIDGE_EXCHANGE_MAX_COUNT,
  BRIDGE_KNOWN_MAX_COUNT,
  BRIDGE_MESSAGE_MAX_BYTES,
} from "./limits.ts";
import type { Logger } from "./log.ts";
import type { NatsLink } from "./nats-link.ts";
import type { PeerId } from "./peer-id.ts";
import { Presence } from "./presence.ts";
import { type Random, randomHex } from "./random.ts";
import type { Credentials } from "./sync-request.ts";
import { errorMessage } from "./sync-server.ts";
import type { Telemetry } from "./telemetry.ts";
import type { Transport } from "./transport.ts";
import { syncSubject } from "./transport-nats.ts";
import { type NatsReply, type NatsRequest, NatsServer } from "./transport-nats-server.ts";
import { MessageWriter } from "./xfer-format.ts";
import { CONTENT_TYPES, decodeMessage } from "./xfer-message.ts";

export interface BridgeOptions {
  readonly link: NatsLink;
  readonly prefix: string;
  readonly projectCode: Hash;
  readonly peerId: PeerId;
  /** Shown to people. */
  readonly name: string;
  readonly version: string;
  /** A new wire to the server. */
  readonly connect: () => Transport;
  readonly login: Credentials | undefined;
  /** Between two looks at the server. */
  readonly pollMs: number;
  readonly beatMs?: number;
}

export interface BridgeDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly telemetry: Telemetry;
}

export class Bridge {
  private readonly server: NatsServer;
  private readonly presence: Presence;
  /** What the server is known to have of what no cluster names; undefined before the first look. */
  private known: Set<Hash> | undefined;
  private offers: readonly Hash[] = [];
  private timer: Timer | undefined;
  private polling: Promise<void> | undefined;
  private stopped = false;
  private isUp: boolean | undefined;
  private announced = 0;

  constructor(
    private readonly options: BridgeOptions,
    private readonly deps: BridgeDependencies,
  ) {
    const { link, prefix, projectCode, peerId } = options;
    const { clock, log } = deps;
    const subject = syncSubject(prefix, projectCode);
    this.server = new NatsServer({
      link,
      clock,
      log,
      peerId,
      subjects: [{ subject, queue: `sync-${projectCode}` }, { subject: `${subject}.${peerId}` }],
      answer: (request) => this.answer(request),
      errorMessage: (error) => errorMessage(error, clock),
      servedMaxCount: BRIDGE_EXCHANGE_MAX_COUNT,
    });
    this.presence = new Presence(
      {
        subject: `${prefix}.${projectCode}.presence`,
        peerId,
        facts: async () => this.facts(),
        ...(options.beatMs !== undefined && { beatMs: options.beatMs }),
      },
      deps,
    );
    this.presence.addLink(link);
    this.poll();
  }

  /** Whether the server answered when it was last asked; undefined before that. */
  get isServerUp(): boolean | undefined {
    return this.isUp;
  }

  get announcedCount(): number {
    return this.announced;
  }

  get peerCount(): number {
    return this.presence.peers.length;
  }

  /** Exchanges under way. */
  get activeCount(): number {
    return this.server.activeCount;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.timer?.cancel();
    await this.presence.stop();
    await Promise.all([this.server.stop(), this.polling]);
  }

  private async answer({ contentType, body, peerId, traceId: trace }: NatsRequest): Promise<NatsReply> {
    const { clock, log, telemetry } = this.deps;
    const { login, projectCode } = this.options;
    const started = clock.monotonic();
    const { message } = decodeMessage(body, contentType, {
      bodyMaxBytes: BRIDGE_MESSAGE_MAX_BYTES,
      messageMaxBytes: BRIDGE_MESSAGE_MAX_BYTES,
    });
    const request = summarizeRequest(message);
    const { operation, artifactCount, artifacts } = request;
    const about = { peer: peerId, operation, ...(trace !== undefined && { trace }) };
    const record = (sent: number, bytesSent: number, errors: number) =>
      telemetry.record({
        operation,
        transport: "nats",
        artifactsReceived: artifactCount,
        artifactsSent: sent,
        bytesReceived: body.length,
        bytesSent,
        errors,
        seconds: (clock.monotonic() - started) / 1000,
      });
    try {
      const reply = await this.ask(withLogin(message, request, login, projectCode));
      const { error, artifactCount: sent } = summarizeReply(reply);
      record(sent, reply.length, error === undefined ? 0 : 1);
      log.debug("passed on", { ...about, received: artifactCount, sent, error });
      if (error === undefined && artifacts.length > 0) this.tell(artifacts);
      return { contentType: CONTENT_TYPES.raw, body: reply };
    } catch (error) {
      record(0, 0, 1);
      log.warn("the server did not answer", { ...about, reason: (error as Error).message });
      throw error;
    }
  }

  /** @throws ProtocolError, TimeoutError, LimitError of the transport */
  private async ask(message: Bytes): Promise<Bytes> {
    const transport = this.options.connect();
    try {
      const reply = await transport.exchange(message);
      this.note(true);
      return new Uint8Array(reply.message);
    } catch (error) {
      this.note(false, error);
      throw error;
    } finally {
      await transport.close();
    }
  }

  private note(isUp: boolean, error?: unknown): void {
    const { log } = this.deps;
    if (isUp === this.isUp) return;
    if (!isUp) log.warn("the server cannot be used", { reason: (error as Error).message });
    else if (this.isUp === false) log.info("the server answers again");
    this.isUp = isUp;
  }

  private poll(): void {
    this.polling = this.look().finally(() => {
      if (!this.stopped) this.timer = this.deps.clock.after(this.options.pollMs, () => this.poll());
    });
  }

  /** Asks the server what it has, and tells of what was not there before. */
  private async look(): Promise<void> {
    const { random, log } = this.deps;
    const { login, projectCode } = this.options;
    try {
      const question = new MessageWriter();
      question.card({ type: "pull", serverCode: randomHex(random, 20) as Hash, projectCode });
      question.comment(` ${randomHex(random, 20)}`);
      const message = question.finish();
      const nobody = { operation: "pull", hasLogin: false, artifactCount: 0, artifacts: [] } as const;
      const reply = await this.ask(withLogin(message, nobody, login, projectCode));
      const { error, offers } = summarizeReply(reply);
      if (error !== undefined) throw new ProtocolError("peer-error", `the server says: ${error}`);
      this.learn(offers);
    } catch (error) {
      if (!(error instanceof EdgeSyncError)) throw error;
      log.debug("could not look at the server", { code: error.code, reason: error.message });
    }
  }

  private learn(offers: readonly Hash[]): void {
    const before = this.known;
    this.known = new Set(offers);
    this.offers = offers;
    // What was there at the first look peers find out when they hear that the bridge is.
    if (before === undefined) {
      void this.presence.tellNow();
      return;
    }
    const news = offers.filter((hash) => !before.has(hash));
    if (news.length > 0) this.tell(news);
  }

  /** Announces artifacts that are at the server. */
  private tell(news: readonly Hash[]): void {
    const { link, prefix, projectCode, peerId } = this.options;
    // The next look is not to find them new.
    if (this.known !== undefined && this.known.size < BRIDGE_KNOWN_MAX_COUNT) {
      for (const hash of news) this.known.add(hash);
    }
    if (!link.isConnected) return;
    const payload = formatAnnouncement({
      version: ANNOUNCEMENT_VERSION,
      rid: 0,
      uuid: news.at(-1)!,
      peerId,
      tips: [],
      count: news.length,
      artifacts: news.length > ANNOUNCED_ARTIFACT_MAX_COUNT ? [] : news,
      iroh: undefined,
      http: undefined,
    });
    try {
      if (link.publish(`${prefix}.${projectCode}.commit`, payload)) this.announced++;
    } catch (error) {
      // Too large for the server: peers find out by their polls.
      if (!(error instanceof EdgeSyncError)) throw error;
      this.deps.log.warn("could not announce", { code: error.code, reason: error.message });
    }
  }

  private facts() {
    const { peerId, name, version } = this.options;
    const lines = [...this.offers].sort().map((hash) => `${hash}\n`);
    return {
      peerId,
      name,
      version,
      role: "bridge" as const,
      transports: ["nats"],
      http: undefined,
      iroh: undefined,
      artifactCount: 0,
      tips: [],
      unversioned: undefined,
      unclustered: this.known === undefined ? undefined : (sha1Hex(lines.join("")) as Hash),
      lagMs: 0,
    };
  }
}
