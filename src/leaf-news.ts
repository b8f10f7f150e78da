/**
 * Tells of news in a repository once each: at once when commits come singly, less and less often while they come in
 * a burst.
 *
 * The first news after a pause is told immediately. News that come closer together than `NEWS_SINGLE_MS` make a
 * pause follow, twice as long each time, from `NEWS_PAUSE_MIN_MS` to `NEWS_PAUSE_MAX_MS`; a pause ends early when
 * nothing came for three times as long as it took one of them to come. So ten commits a second are told of one by
 * one, and a thousand commits in a few seconds fewer than ten times.
 *
 * What was told is noted in the repository (`repo-news`) when nothing has come for a while: a write that comes between
 * stock's reading and writing fails its commit. A leaf that is killed before tells it again; what is committed while
 * no leaf runs is told when one starts.
 */
import type { Clock, Timer } from "./clock.ts";
import { NEWS_NOTE_MS, NEWS_PAUSE_MAX_MS, NEWS_PAUSE_MIN_MS, NEWS_SINGLE_MS } from "./limits.ts";
import type { Logger } from "./log.ts";
import type { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";
import { loadWatermark, type News, NewsReader } from "./repo-news.ts";

export interface LeafNewsOptions {
  /** Called with news, the newest first. */
  readonly tell: (news: News, repo: Repo) => void;
  /** Notes in the repository how far all is told. */
  readonly note: (rid: Rid) => Promise<void>;
}

export class LeafNews {
  private reader: NewsReader | undefined;
  private repo: Repo | undefined;
  private toldAt = Number.NEGATIVE_INFINITY;
  private pauseMs = 0;
  private committedAt = 0;
  /** Time from one news to the next, as of the last telling. */
  private gapMs = NEWS_SINGLE_MS;
  private timer: Timer | undefined;
  private noteTimer: Timer | undefined;
  private noted: Rid | undefined;
  private noting: Promise<void> | undefined;

  constructor(
    private readonly options: LeafNewsOptions,
    private readonly deps: { readonly clock: Clock; readonly log: Logger },
  ) {}

  /** Something was committed: to be called with what `LeafWatch` calls with. */
  onCommit(repo: Repo, isReplaced: boolean): void {
    this.repo = repo;
    if (this.reader === undefined || isReplaced) {
      this.noted = loadWatermark(repo);
      this.reader = new NewsReader(this.noted);
    }
    this.committedAt = this.deps.clock.monotonic();
    const sinceMs = this.committedAt - this.toldAt;
    if (sinceMs >= this.pauseMs) {
      this.tell();
      return;
    }
    this.timer?.cancel();
    const quietMs = Math.max(NEWS_SINGLE_MS, 3 * this.gapMs);
    this.timer = this.deps.clock.after(Math.min(this.pauseMs - sinceMs, quietMs), () => this.tell());
  }

  /** Notes what was told, and no more. */
  async stop(): Promise<void> {
    this.timer?.cancel();
    this.noteTimer?.cancel();
    this.repo = undefined;
    await this.noting;
    await this.note();
  }

  private tell(): void {
    const { repo, reader } = this;
    this.timer?.cancel();
    if (repo === undefined || reader === undefined) return;
    // One snapshot for all that is read: a lock for each of thirty queries takes longer than they do.
    repo.db.snapshot(() => this.tellOf(repo, reader));
  }

  private tellOf(repo: Repo, reader: NewsReader): void {
    const news = reader.read(repo);
    if (reader.watermark !== this.noted) this.noteLater();
    if (news === undefined) return;
    this.gapMs = Math.min(NEWS_SINGLE_MS, (this.committedAt - this.toldAt) / Math.max(1, news.count));
    const isBurst = this.gapMs < NEWS_SINGLE_MS;
    this.pauseMs = isBurst ? Math.min(NEWS_PAUSE_MAX_MS, Math.max(NEWS_PAUSE_MIN_MS, 2 * this.pauseMs)) : 0;
    this.toldAt = this.deps.clock.monotonic();
    this.options.tell(news, repo);
  }

  private noteLater(): void {
    this.noteTimer?.cancel();
    this.noteTimer = this.deps.clock.after(NEWS_NOTE_MS, () => {
      this.noting = this.note();
    });
  }

  private async note(): Promise<void> {
    const rid = this.reader?.watermark;
    if (rid === undefined || rid === this.noted) return;
    this.noted = rid;
    try {
      await this.options.note(rid);
    } catch (error) {
      // It is told again after a restart, which harms nobody.
      this.deps.log.debug("could not note what was announced", { reason: (error as Error).message });
    }
  }
}
