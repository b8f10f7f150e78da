/**
 * Announcements on the links of a leaf (`announcement`): publishes the news of the repository, and passes on what
 * peers claim to have.
 *
 * News is announced on every link but the one that all of it came through: whoever is there has heard the announcer.
 * What arrives on one link is so announced on the others, and domains that a leaf belongs to converge through its
 * repository. An announcement of our own that comes back is passed over.
 */
import {
  ANNOUNCEMENT_VERSION,
  type Announcement,
  formatAnnouncement,
  parseAnnouncement,
} from "./announcement.ts";
import { EdgeSyncError } from "./errors.ts";
import type { Logger } from "./log.ts";
import type { LinkMessage, NatsLink } from "./nats-link.ts";
import type { PeerId } from "./peer-id.ts";
import type { News } from "./repo-news.ts";

export interface AnnounceOptions {
  /** `<prefix>.<project-code>.commit`. */
  readonly subject: string;
  readonly peerId: PeerId;
  /** Other ways to this peer. */
  readonly http: string | undefined;
  readonly iroh: string | undefined;
  /** The link that content of this origin came through, if any. */
  readonly linkOf: (source: string) => NatsLink | undefined;
  readonly onAnnouncement: (link: NatsLink, announcement: Announcement) => void;
}

export class LeafAnnounce {
  private readonly links = new Map<NatsLink, () => void>();
  private sent = 0;
  private received = 0;

  constructor(
    private readonly options: AnnounceOptions,
    private readonly log: Logger,
  ) {}

  /** Announcements published, one for each link. */
  get sentCount(): number {
    return this.sent;
  }

  /** Announcements of others that were understood. */
  get receivedCount(): number {
    return this.received;
  }

  addLink(link: NatsLink): void {
    this.links.set(
      link,
      link.subscribe(this.options.subject, (message) => this.hear(link, message)),
    );
  }

  /** @param makeReply the `reply` of `Announcement`, asked for when there is somebody to tell */
  tell(news: News, makeReply: () => Uint8Array | undefined): void {
    const links = this.linksFor(news);
    if (links.length === 0) return;
    const reply = makeReply();
    const { subject, peerId, http, iroh } = this.options;
    const newest = news.items[0]!;
    const announcement: Announcement = {
      version: ANNOUNCEMENT_VERSION,
      rid: newest.rid,
      uuid: newest.hash,
      peerId,
      tips: news.items.filter(({ isTip }) => isTip).map(({ hash }) => hash),
      count: news.count,
      artifacts: news.artifacts,
      iroh,
      http,
    };
    const payload = formatAnnouncement(reply === undefined ? announcement : { ...announcement, reply });
    for (const link of links) {
      const fits = payload.length <= link.maxPayload;
      this.publish(link, subject, fits ? payload : formatAnnouncement(announcement));
    }
  }

  /** All that are connected but the one that all of it came through. */
  private linksFor({ items, count }: News): NatsLink[] {
    const { linkOf } = this.options;
    // Of what is not told one by one the origin is not known.
    const [first, ...others] =
      count > items.length ? [undefined] : new Set(items.map(({ source }) => linkOf(source)));
    const heardOn = others.length === 0 ? first : undefined;
    return [...this.links.keys()].filter((link) => link !== heardOn && link.isConnected);
  }

  private publish(link: NatsLink, subject: string, payload: Uint8Array): void {
    try {
      if (link.publish(subject, payload)) this.sent++;
    } catch (error) {
      // Too large even so, or the link is closed: peers find out by themselves.
      if (!(error instanceof EdgeSyncError)) throw error;
      this.log.warn("could not announce", { link: link.name, code: error.code, reason: error.message });
    }
  }

  stop(): void {
    for (const end of this.links.values()) end();
    this.links.clear();
  }

  private hear(link: NatsLink, message: LinkMessage): void {
    let announcement: Announcement;
    try {
      announcement = parseAnnouncement(message.payload);
    } catch (error) {
      if (!(error instanceof EdgeSyncError)) throw error;
      this.log.debug("announcement not understood", {
        link: link.name,
        code: error.code,
        reason: error.message,
      });
      return;
    }
    if (announcement.peerId === this.options.peerId) return;
    this.received++;
    this.options.onAnnouncement(link, announcement);
  }
}
