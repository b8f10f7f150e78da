/**
 * Who else is there. A peer tells of itself when it comes, every `PRESENCE_BEAT_MS` or so, and when it goes
 * (`presence-message`); one that was not heard of for three of its beats is gone.
 *
 * A join asks those who hear it to answer, which they do within `PRESENCE_ANSWER_MS`, each after a time of its own;
 * after a reconnect a link is joined again, and when its server has joined another one. What is told is a hint: whoever is
 * said to be there is asked before it is believed, and at most `PRESENCE_PEER_MAX_COUNT` are kept in mind.
 *
 * With several links a peer may be heard on more than one: it belongs to the one where it was heard first, until it
 * was silent there for a beat and a half.
 */
import type { Clock, Timer } from "./clock.ts";
import { EdgeSyncError } from "./errors.ts";
import type { EpochMs } from "./julian.ts";
import {
  PRESENCE_ANSWER_MAX_COUNT,
  PRESENCE_ANSWER_MS,
  PRESENCE_BEAT_MS,
  PRESENCE_PEER_MAX_COUNT,
} from "./limits.ts";
import type { Logger } from "./log.ts";
import type { LinkMessage, NatsLink } from "./nats-link.ts";
import type { PeerId } from "./peer-id.ts";
import { formatPresence, type PeerFacts, type PresenceKind, parsePresence } from "./presence-message.ts";
import type { Random } from "./random.ts";

export interface PresentPeer {
  readonly facts: PeerFacts;
  readonly link: NatsLink;
  readonly heardAt: EpochMs;
}

export interface PresenceOptions {
  /** `<prefix>.<project-code>.presence`. */
  readonly subject: string;
  readonly peerId: PeerId;
  /** What this peer tells of itself, without the time of its beats. */
  readonly facts: () => Promise<Omit<PeerFacts, "everyMs">>;
  /** Heard of a peer, again or as of a new one: for the first time, or since its link was away, or because it joins. */
  readonly onPeer?: (peer: PresentPeer, isNew: boolean) => void;
  readonly onGone?: (peer: PresentPeer) => void;
  readonly beatMs?: number;
}

const MISSED_MAX_COUNT = 3;
/** Beats of silence on one link after which a peer is taken to be where it is heard else. */
const SWITCH_AFTER_COUNT = 1.5;
/** Part of a beat by which it comes early or late, in all. */
const JITTER = 0.2;

interface Known extends PresentPeer {
  readonly heardMonotonic: number;
  /** The link was away, or led less far: what the peer told meanwhile may not have come. */
  mayHaveBeenMissed: boolean;
}

export class Presence {
  private readonly known = new Map<string, Known>();
  private readonly links = new Map<NatsLink, { readonly inbox: string; readonly ends: (() => void)[] }>();
  /** Who asked since the last answers. */
  private readonly asking = new Map<string, NatsLink>();
  private beat: Timer | undefined;
  private answering: Timer | undefined;
  private stopped = false;
  private readonly beatMs: number;

  constructor(
    private readonly options: PresenceOptions,
    private readonly deps: { readonly clock: Clock; readonly random: Random; readonly log: Logger },
  ) {
    this.beatMs = options.beatMs ?? PRESENCE_BEAT_MS;
    this.beatLater();
  }

  /** In the order in which they came. */
  get peers(): readonly PresentPeer[] {
    return [...this.known.values()];
  }

  peer(id: string): PresentPeer | undefined {
    return this.known.get(id);
  }

  /** Joins the peers on a link. */
  addLink(link: NatsLink): void {
    const inbox = link.newInbox();
    const hear = (message: LinkMessage) => this.hear(link, message);
    const ends = [
      link.subscribe(this.options.subject, hear),
      link.subscribe(inbox, hear),
      link.onEvent(({ kind }) => {
        if (kind === "reconnected" || kind === "widened") this.rejoin(link, inbox);
      }),
    ];
    this.links.set(link, { inbox, ends });
    void this.tell("join", [link], inbox);
  }

  private rejoin(link: NatsLink, inbox: string): void {
    for (const peer of this.known.values()) if (peer.link === link) peer.mayHaveBeenMissed = true;
    void this.tell("join", [link], inbox);
  }

  /** Joins anew: there may be others on the links who have not heard of this peer, or not of late, nor it of them. */
  joinAgain(): void {
    for (const [link, { inbox }] of this.links) this.rejoin(link, inbox);
  }

  /** Says that this peer goes. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.beat?.cancel();
    this.answering?.cancel();
    await this.tell("leave", [...this.links.keys()]);
    for (const { ends } of this.links.values()) for (const end of ends) end();
    this.links.clear();
  }

  /** Tells everybody, now: something about this peer has changed that others should know soon. */
  tellNow(): Promise<void> {
    return this.tell("beat", [...this.links.keys()]);
  }

  private async tell(kind: PresenceKind, links: readonly NatsLink[], reply?: string): Promise<void> {
    await this.send(
      kind,
      links.map((link) => ({ link, to: this.options.subject })),
      reply,
    );
  }

  private async send(
    kind: PresenceKind,
    targets: readonly { readonly link: NatsLink; readonly to: string }[],
    reply?: string,
  ): Promise<void> {
    if (targets.length === 0) return;
    try {
      const facts = await this.options.facts();
      const payload = formatPresence({ ...facts, everyMs: this.beatMs, kind });
      for (const { link, to } of targets) {
        if (link.isConnected) link.publish(to, payload, reply === undefined ? {} : { reply });
      }
    } catch (error) {
      // The repository is locked, or the link closes: the next beat tells it.
      this.deps.log.debug("could not tell of this peer", { kind, reason: (error as Error).message });
    }
  }

  private hear(link: NatsLink, message: LinkMessage): void {
    if (this.stopped || message.payload.length === 0) return;
    let heard: ReturnType<typeof parsePresence>;
    try {
      heard = parsePresence(message.payload);
    } catch (error) {
      if (!(error instanceof EdgeSyncError)) throw error;
      this.deps.log.debug("presence not understood", {
        link: link.name,
        code: error.code,
        reason: error.message,
      });
      return;
    }
    const { kind, ...facts } = heard;
    if (facts.peerId === this.options.peerId) return;
    if (kind === "leave") {
      this.forget(facts.peerId);
      return;
    }
    this.remember(link, facts, kind === "join");
    if (kind === "join" && message.reply !== "") this.answer(link, message.reply);
  }

  private remember(link: NatsLink, facts: PeerFacts, isJoining: boolean): void {
    const { clock, log } = this.deps;
    const now = clock.monotonic();
    const before = this.known.get(facts.peerId);
    if (before === undefined && this.known.size >= PRESENCE_PEER_MAX_COUNT) {
      log.debug("too many peers to keep in mind", { peer: facts.peerId });
      return;
    }
    if (before !== undefined && before.link !== link && before.link.isConnected) {
      if (now - before.heardMonotonic < SWITCH_AFTER_COUNT * before.facts.everyMs) return;
    }
    const peer = { facts, link, heardAt: clock.now(), heardMonotonic: now, mayHaveBeenMissed: false };
    this.known.set(facts.peerId, peer);
    if (before === undefined)
      log.info("peer is there", { peer: facts.peerId, name: facts.name, role: facts.role });
    const isKnown = before !== undefined && before.link === link && !before.mayHaveBeenMissed;
    this.options.onPeer?.(peer, isJoining || !isKnown);
  }

  private forget(id: string): void {
    const peer = this.known.get(id);
    if (peer === undefined) return;
    this.known.delete(id);
    this.deps.log.info("peer is gone", { peer: id, name: peer.facts.name });
    this.options.onGone?.(peer);
  }

  private answer(link: NatsLink, reply: string): void {
    const { clock, random } = this.deps;
    if (this.asking.size >= PRESENCE_ANSWER_MAX_COUNT) return;
    this.asking.set(reply, link);
    this.answering ??= clock.after(PRESENCE_ANSWER_MS * random.float(), () => {
      this.answering = undefined;
      const targets = [...this.asking].map(([to, toLink]) => ({ link: toLink, to }));
      this.asking.clear();
      void this.send("beat", targets);
    });
  }

  private beatLater(): void {
    const { clock, random } = this.deps;
    const delayMs = this.beatMs * (1 - JITTER / 2 + JITTER * random.float());
    this.beat = clock.after(delayMs, () => {
      if (this.stopped) return;
      this.expire();
      void this.tell("beat", [...this.links.keys()]);
      this.beatLater();
    });
  }

  private expire(): void {
    const now = this.deps.clock.monotonic();
    for (const [id, { heardMonotonic, facts }] of this.known) {
      if (now - heardMonotonic > MISSED_MAX_COUNT * facts.everyMs) this.forget(id);
    }
  }
}
