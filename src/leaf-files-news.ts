/**
 * News of unversioned files. They have no place in an announcement, which tells of artifacts; the hash of their catalog
 * is part of what a peer tells of itself (`presence-message`), and a change of it is told at once:
 *
 *     here     `FILES_NEWS_PAUSE_MS` after a commit, for it and all that came meanwhile, the hash is computed, in a thread
 *              that reads, and told if it is not what was told last
 *     there    a peer whose hash has changed, and is not ours, has news; one that says the same as before has not
 *
 * A repository that has never had such a file costs one look at its schema for each commit.
 */
import type { Clock, Timer } from "./clock.ts";
import type { Hash } from "./hash.ts";
import { FILES_NEWS_PAUSE_MS } from "./limits.ts";
import type { Repo } from "./repo.ts";

export interface FilesNewsOptions {
  /** Hash of the catalog as it is now. */
  readonly read: () => Promise<Hash>;
  /** Tells peers of it. */
  readonly tell: () => Promise<void>;
}

export class FilesNews {
  /** What was told last, and heard last from each peer. */
  private told: Hash | undefined;
  private readonly heard = new Map<string, Hash>();
  private timer: Timer | undefined;
  private stopped = false;

  constructor(
    private readonly options: FilesNewsOptions,
    private readonly clock: Clock,
  ) {}

  /** Something was committed. */
  onCommit({ db }: Repo): void {
    const table = db.prepare("SELECT 1 FROM sqlite_schema WHERE type='table' AND name='unversioned'");
    if (table.value() === undefined) return;
    // Not begun anew with each commit, or it would wait for ever while they keep coming.
    this.timer ??= this.clock.after(FILES_NEWS_PAUSE_MS, () => {
      this.timer = undefined;
      void this.look();
    });
  }

  /** This peer has told others of this hash. */
  noteTold(hash: Hash): void {
    this.told = hash;
  }

  /** What a peer has told. Returns whether it is something new. */
  hear(peerId: string, hash: Hash | undefined): boolean {
    if (hash === undefined || this.heard.get(peerId) === hash) return false;
    this.heard.set(peerId, hash);
    return true;
  }

  /** The peer is gone. */
  forget(peerId: string): void {
    this.heard.delete(peerId);
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  private async look(): Promise<void> {
    const hash = await this.options.read().catch(() => this.told);
    if (hash !== this.told && !this.stopped) await this.options.tell();
  }
}
