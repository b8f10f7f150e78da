/**
 * A repository among its peers on NATS, which it answers (`leaf-nats`): tells them of news and hears of theirs, and
 * knows who is there.
 *
 *     <prefix>.<project-code>.commit      news (`leaf-announce`)
 *     <prefix>.<project-code>.presence    who is there (`presence`)
 *
 * How news travels: a commit is noticed (`leaf-watch`) and told (`leaf-news`, `leaf-announce`); a peer that hears of it
 * fetches it from there (`leaf-fetch`, `leaf-sync`) and tells it on its other links. Peers that only take what
 * is brought to them, bridges and the servers that are polled, are pushed to.
 *
 * How lost news is found: a peer that joins, or whose beat shows tips or a digest that are not ours, is synced with
 * soon, one at a time; besides, one peer in turn by chance every poll interval. So what it costs does not grow with
 * the number of peers (`leaf-suspects`).
 *
 * A peer found here is known to `leaf-sync` by its id.
 */
import type { Announcement } from "./announcement.ts";
import type { Clock, Timer } from "./clock.ts";
import { EdgeSyncError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import { LeafAnnounce } from "./leaf-announce.ts";
import { answerToAll } from "./leaf-answer.ts";
import { LeafFetch } from "./leaf-fetch.ts";
import { FilesNews } from "./leaf-files-news.ts";
import { HeardPeers } from "./leaf-heard.ts";
import type { LeafIroh } from "./leaf-iroh.ts";
import type { LeafNats } from "./leaf-nats.ts";
import { LeafNews } from "./leaf-news.ts";
import type { HostedRepository, SyncInput } from "./leaf-repositories.ts";
import { Suspects } from "./leaf-suspects.ts";
import type { LeafSync } from "./leaf-sync.ts";
import { LeafWatch, type WatchFolder } from "./leaf-watch.ts";
import { wayTo } from "./leaf-way.ts";
import { GIMME_MIN_COUNT, MESH_SOON_MS } from "./limits.ts";
import type { Logger } from "./log.ts";
import type { NatsLink } from "./nats-link.ts";
import { isSameAddress } from "./peer-address.ts";
import { Presence, type PresentPeer } from "./presence.ts";
import type { PeerRole } from "./presence-message.ts";
import { type Random, randomBelow } from "./random.ts";
import type { Repo } from "./repo.ts";
import type { News } from "./repo-news.ts";
import type { RepoPresence } from "./repo-presence.ts";
import { SyncClient } from "./sync-client.ts";
import type { ClientRequest } from "./sync-request.ts";
import { syncSubject } from "./transport-nats.ts";

export interface MeshOptions {
  /** Shown to people. */
  readonly name: string;
  readonly role: PeerRole;
  readonly beatMs?: number;
}

/** What the leaf is besides. */
export interface MeshSurroundings {
  readonly version: string;
  /** Where it serves Fossil clients, if others can reach it. */
  readonly http: string | undefined;
  readonly iroh: LeafIroh | undefined;
  readonly push: boolean;
  readonly pull: boolean;
  /** Syncs bring unversioned files, too. */
  readonly unversioned?: boolean;
  readonly pollMs: number;
  /** Peers that news is pushed to, by their names in `sync`. */
  readonly pushTo: readonly string[];
}

export interface MeshDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly watchFolder?: WatchFolder;
}

const JITTER = 0.5;
/** Failures in a row after which a peer is no longer asked again at once. */
const RETRY_MAX_COUNT = 3;

export class LeafMesh {
  readonly presence: Presence;
  private readonly watch: LeafWatch;
  private readonly news: LeafNews;
  private readonly announce: LeafAnnounce;
  readonly fetch: LeafFetch;
  private readonly files: FilesNews;
  /** Where a peer was last heard that tells nothing of itself. */
  private readonly heard = new HeardPeers();
  private readonly suspects: Suspects;
  private own: RepoPresence | undefined;
  private tick: Timer | undefined;
  private tickAt = 0;
  private stopped = false;
  /** The file was replaced by the repository of another project: nothing is said of it, nothing fetched for it. */
  private isForeign = false;

  /** Says nothing before `start`. */
  constructor(
    private readonly hosted: HostedRepository,
    private readonly nats: Pick<LeafNats, "links" | "prefix" | "projectCode" | "peerId">,
    private readonly sync: LeafSync,
    private readonly options: MeshOptions,
    private readonly about: MeshSurroundings,
    private readonly deps: MeshDependencies,
  ) {
    const { clock, log } = deps;
    const { peerId } = nats;
    this.suspects = new Suspects(about.unversioned === true);
    this.fetch = new LeafFetch(
      {
        missing: (hashes) => this.missing(hashes),
        pull: (peer, hints, isAll) => this.pull(peer, hints, isAll),
      },
      deps,
    );
    this.announce = new LeafAnnounce(
      {
        subject: this.subject("commit"),
        peerId,
        http: about.http,
        get iroh() {
          return about.iroh?.endpoint.ticket();
        },
        linkOf: (source) => this.linkOf(source),
        onAnnouncement: (link, announcement) => this.hear(link, announcement),
      },
      log,
    );
    this.news = new LeafNews(
      { tell: (news, repo) => this.tell(news, repo), note: (rid) => hosted.noteAnnounced(rid) },
      { clock, log },
    );
    const readFiles = async () => (await hosted.presence()).unversioned;
    this.files = new FilesNews({ read: readFiles, tell: () => this.presence.tellNow() }, clock);
    this.watch = new LeafWatch(
      { path: hosted.path, onCommit: (repo, isReplaced) => this.changed(repo, isReplaced) },
      deps,
    );
    this.presence = new Presence(
      {
        subject: this.subject("presence"),
        peerId,
        facts: () => this.facts(),
        onPeer: (peer, isNew) => this.meet(peer, isNew),
        onGone: ({ facts }) => this.lose(facts.peerId),
        ...(options.beatMs !== undefined && { beatMs: options.beatMs }),
      },
      deps,
    );
  }

  /** @throws RepoError when the repository cannot be read */
  start(): void {
    this.watch.start();
    this.hosted.onStored = () => this.watch.look();
    this.hosted.draft = (input) => this.draft(input);
    for (const link of this.nats.links) {
      this.announce.addLink(link);
      this.presence.addLink(link);
    }
    this.tickWithin(this.about.pollMs);
  }

  /** Something was committed by this process. */
  look(): void {
    this.watch.look();
  }

  /** How many announcements were sent and heard, and pulls made for them. */
  get counts() {
    const { sentCount, receivedCount } = this.announce;
    return { announced: sentCount, heard: receivedCount, pulls: this.fetch.pullCount };
  }

  /** Says goodbye and lets the file go. The links stay open. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.tick?.cancel();
    this.hosted.onStored = () => {};
    this.hosted.draft = () => undefined;
    this.announce.stop();
    this.files.stop();
    await this.presence.stop();
    await this.news.stop();
    this.watch.stop();
  }

  private subject(last: string): string {
    return `${this.nats.prefix}.${this.nats.projectCode}.${last}`;
  }

  private tell(news: News, repo: Repo): void {
    this.announce.tell(news, () => this.answer(news, repo));
    if (!this.about.push) return;
    const bridge = this.bridge();
    for (const peer of [...this.about.pushTo, ...(bridge === undefined ? [] : [bridge])]) {
      if (this.sync.peer(peer) === undefined || this.isOnlyFrom(news, peer)) continue;
      void this.sync.request(peer, { push: true, pull: false, why: "commit" });
    }
  }

  private changed(repo: Repo, isReplaced: boolean): void {
    if (isReplaced && this.nats.links.length > 0) {
      const { projectCode } = repo.config;
      this.isForeign = projectCode !== this.nats.projectCode;
      if (this.isForeign) {
        this.deps.log.error("the file is the repository of another project now; start the leaf again", {
          projectCode,
        });
      }
    }
    if (this.isForeign) return;
    this.news.onCommit(repo, isReplaced);
    this.files.onCommit(repo);
  }

  private answer(news: News, repo: Repo): Uint8Array | undefined {
    try {
      return answerToAll(repo, news);
    } catch (error) {
      // Whoever asks will hear of it.
      if (!(error instanceof EdgeSyncError)) throw error;
      return undefined;
    }
  }

  /** The same one as long as it is there: bridges of one project have one server behind them. */
  private bridge(): string | undefined {
    return this.presence.peers
      .filter(({ facts }) => facts.role === "bridge")
      .map(({ facts }) => facts.peerId)
      .sort()[0];
  }

  private isOnlyFrom({ items, count }: News, peer: string): boolean {
    return count === items.length && items.every(({ source }) => source.endsWith(`.${peer}`));
  }

  private linkOf(source: string): NatsLink | undefined {
    const subject = syncSubject(this.nats.prefix, this.nats.projectCode);
    const links = this.nats.links.filter((link) => source.startsWith(`${link.name}/${subject}`));
    return links.length === 1 ? links[0] : undefined;
  }

  private hear(link: NatsLink, announcement: Announcement): void {
    if (!this.about.pull || this.stopped || this.isForeign) return;
    const forgotten = this.heard.note(link, announcement);
    if (forgotten !== undefined && this.presence.peer(forgotten) === undefined) this.sync.remove(forgotten);
    const { peerId, uuid, tips, artifacts } = announcement;
    // More is new than an announcement names, or its sender names nothing but the newest.
    this.fetch.claim(peerId, [uuid, ...tips, ...artifacts], artifacts.length > 0);
  }

  private missing(hashes: readonly Hash[]): readonly Hash[] {
    const isMissing = (repo: Repo) => {
      const here = repo.db.prepare(
        "SELECT 1 FROM blob WHERE uuid=?1 AND size>=0 UNION ALL SELECT 1 FROM shun WHERE uuid=?1",
      );
      return [...new Set(hashes)].filter((hash) => here.value(hash) === undefined);
    };
    return this.watch.read(isMissing, hashes);
  }

  private async pull(peer: string, hints: readonly Hash[], onlyHints: boolean) {
    this.know(peer);
    const reply = onlyHints ? this.heard.takeReply(peer, hints) : undefined;
    const wish = { pull: true, push: false, why: "news", hints, onlyHints };
    const outcome = await this.sync.request(peer, reply === undefined ? wish : { ...wish, reply });
    // The watcher would see it, a moment later.
    if (outcome.artifactsReceived > 0 && !this.stopped) this.watch.look();
    this.retry(peer);
    return outcome;
  }

  /** The first message of a pull, unless there is much to be asked for: the reader here does not wait. */
  private draft({ subject, goals, options }: SyncInput): ClientRequest | undefined {
    if (subject !== "artifacts" || goals.push || options.login !== undefined) return undefined;
    const make = (repo: Repo) => {
      const wanted = repo.db.prepare("SELECT count(*) FROM (SELECT 1 FROM phantom LIMIT ?)");
      if (wanted.value<number>(GIMME_MIN_COUNT)! >= GIMME_MIN_COUNT) return undefined;
      return new SyncClient(repo, goals, options).request();
    };
    return this.watch.read(make, undefined);
  }

  /** Makes a peer known to `sync`. */
  private know(peerId: string): void {
    if (this.sync.peer(peerId) !== undefined) return;
    const subject = syncSubject(this.nats.prefix, this.nats.projectCode);
    this.sync.add({
      name: peerId,
      transport: "nats",
      connect: () => {
        const present = this.presence.peer(peerId);
        const heard = this.heard.ways(peerId);
        const link = present?.link ?? heard?.link ?? this.nats.links[0]!;
        const http = this.trusted(present?.facts.http ?? heard?.http);
        const iroh = this.about.iroh?.wayTo(heard?.iroh ?? present?.facts.iroh);
        const way = { link, subject, peerId, ownPeerId: this.nats.peerId, http, iroh };
        return { transport: wayTo(way, this.deps) };
      },
    });
  }

  /** A web address that somebody told of, if it is that of a peer this leaf was told to sync with. */
  private trusted(address: string | undefined): string | undefined {
    if (address === undefined) return undefined;
    const isKnown = this.about.pushTo.some((name) => URL.canParse(name) && isSameAddress(name, address));
    return isKnown ? address : undefined;
  }

  private meet({ facts }: PresentPeer, isNew: boolean): void {
    const { peerId, tips, role, iroh } = facts;
    this.know(peerId);
    this.about.iroh?.hear(iroh, role);
    const hasNewFiles = this.files.hear(peerId, facts.unversioned) && this.about.unversioned === true;
    const isUrgent = isNew || hasNewFiles || this.missing(tips).length > 0;
    if (!(this.suspects.mayMiss(facts, this.own) || (isNew && role === "bridge"))) return;
    this.suspects.add(peerId, isUrgent);
    if (isUrgent) this.tickWithin(MESH_SOON_MS);
  }

  private lose(peerId: string): void {
    this.suspects.forget(peerId);
    this.files.forget(peerId);
    if (!this.heard.has(peerId)) this.sync.remove(peerId);
  }

  private async facts() {
    const own = await this.hosted.presence();
    this.own = own;
    this.files.noteTold(own.unversioned);
    const { name, role } = this.options;
    const { links, peerId } = this.nats;
    const { version, http } = this.about;
    const iroh = this.about.iroh?.endpoint.ticket();
    const transports = Object.entries({ nats: links[0], http, iroh }).flatMap(([name, way]) =>
      way ? [name] : [],
    );
    const lagMs = this.fetch.lagMs;
    return { ...own, peerId, name, version, role, transports, http, iroh, lagMs };
  }

  /** Syncs with a peer within this time, give or take. */
  private tickWithin(ms: number): void {
    const { clock, random } = this.deps;
    const delayMs = ms * (1 - JITTER / 2 + JITTER * random.float());
    const at = clock.monotonic() + delayMs;
    if (this.stopped || (this.tick !== undefined && this.tickAt <= at)) return;
    this.tick?.cancel();
    this.tickAt = at;
    this.tick = clock.after(delayMs, () => void this.syncWithOne());
  }

  private async syncWithOne(): Promise<void> {
    const peerId = await this.nextPeer();
    if (peerId !== undefined) await this.syncWith(peerId);
    this.tick = undefined;
    this.tickWithin(this.suspects.hasUrgent ? MESH_SOON_MS : this.about.pollMs);
  }

  private async syncWith(peerId: string): Promise<void> {
    const { pull } = this.about;
    const push = this.about.push && this.presence.peer(peerId)?.facts.role === "bridge";
    // Other leaves fetch what they lack; what is behind a bridge cannot.
    if (!pull && !push) return;
    const [facts, own] = [this.presence.peer(peerId)?.facts, this.own];
    const outcome = await this.sync.request(peerId, { pull, push, why: "poll" });
    const { artifactsSent, artifactsReceived, filesSent, filesReceived, error } = outcome;
    const isIdle = artifactsSent + artifactsReceived + filesSent + filesReceived === 0;
    if (facts !== undefined && isIdle && error === undefined) this.suspects.settle(facts, own);
    if (artifactsReceived > 0 && !this.stopped) this.watch.look();
    this.retry(peerId);
  }

  /** After a failure: soon, in case it was the line; after some, at the next poll. */
  private retry(peerId: string): void {
    const failures = this.sync.peer(peerId)?.failuresInRow ?? 0;
    if (failures === 0 || failures > RETRY_MAX_COUNT) return;
    this.suspects.add(peerId, true);
    this.tickWithin(MESH_SOON_MS);
  }

  /** A suspect that still is one, the urgent ones first; else any. */
  private async nextPeer(): Promise<string | undefined> {
    if (this.suspects.count > 0) this.own = await this.hosted.presence().catch(() => this.own);
    for (let peerId = this.suspects.take(); peerId !== undefined; peerId = this.suspects.take()) {
      const facts = this.presence.peer(peerId)?.facts;
      if (facts !== undefined && (this.suspects.mayMiss(facts, this.own) || facts.role === "bridge"))
        return peerId;
    }
    const { peers } = this.presence;
    return peers.length === 0 ? undefined : peers[randomBelow(this.deps.random, peers.length)]!.facts.peerId;
  }
}
