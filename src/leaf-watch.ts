/**
 * Notices that somebody committed to a repository file, whichever process it was.
 *
 * The system tells of writes in the file's folder. It does so before what was written can be seen, for a commit
 * counts when its frames are on disk and the index of the WAL says so, and nothing tells of that. So after an event
 * SQLite is asked (`PRAGMA data_version`, two microseconds) again and again: at once, after a millisecond, then each
 * time after another quarter of what has passed since the event, until `WATCH_BURST_MS` have. A commit is so noticed
 * a millisecond late, or a quarter of the time it took. Should events fail to come, it is asked every
 * `WATCH_POLL_MS` all the same.
 *
 * The connection is a reader that never waits for a lock, and may live in the thread that serves I/O: what it finds
 * locked it looks at again later. It must be closed before the writers are. A file that was replaced by rename is
 * noticed by its inode and opened again, when it is a repository; one that is gone is looked for until it is there.
 */
import { statSync, watch } from "node:fs";
import { basename, dirname } from "node:path";
import type { Clock, Timer } from "./clock.ts";
import { RepoError } from "./errors.ts";
import { WATCH_BURST_MS, WATCH_POLL_MS } from "./limits.ts";
import type { Logger } from "./log.ts";
import type { Random } from "./random.ts";
import { Repo } from "./repo.ts";

/** Part of the time since an event after which the file is looked at again. */
const AGAIN_PART = 0.25;
const AGAIN_MIN_MS = 1;

export interface WatchOptions {
  readonly path: string;
  /**
   * Called after each commit, or several, and once at the start. What it reads is the committed state.
   *
   * @param isReplaced whether it is another file than at the last call
   */
  readonly onCommit: (repo: Repo, isReplaced: boolean) => void;
}

export interface WatchDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Calls back for each event in a folder, with the name of the file if known. Default: the system's. */
  readonly watchFolder?: WatchFolder;
}

/** Returns what ends it. @throws Error when the system has no more watches to give */
export type WatchFolder = (folder: string, onEvent: (name: string | null) => void) => () => void;

export class LeafWatch {
  private repo: Repo | undefined;
  private inode: number | undefined;
  private version = 0;
  private burstSince: number | undefined;
  private again: Timer | undefined;
  private poll: Timer | undefined;
  private unwatch: (() => void) | undefined;
  private stopped = false;

  constructor(
    private readonly options: WatchOptions,
    private readonly deps: WatchDependencies,
  ) {}

  /** @throws RepoError when the repository cannot be opened */
  start(): void {
    const { path } = this.options;
    const { log, watchFolder = systemFolder } = this.deps;
    this.open();
    const name = basename(path);
    try {
      this.unwatch = watchFolder(dirname(path), (changed) => {
        if (changed === null || changed.startsWith(name)) this.expect();
      });
    } catch (error) {
      log.warn("the system gives no word of changed files; looking now and then", {
        path,
        reason: (error as Error).message,
      });
    }
    this.pollLater();
    this.look();
  }

  /** A commit is known to have been made by this process: looks at once. */
  look(): void {
    if (this.stopped) return;
    try {
      const isReplaced = this.reopenIfReplaced();
      const { repo } = this;
      if (repo === undefined) return;
      const version = repo.db.dataVersion();
      if (version === this.version && !isReplaced) return;
      this.version = version;
      this.options.onCommit(repo, isReplaced);
    } catch (error) {
      if (!(error instanceof RepoError)) throw error;
      // Locked, or not a repository for the moment. What was missed is found by the next look.
      this.version = 0;
      this.deps.log.debug("cannot look at the repository", { path: this.options.path, code: error.code });
    }
  }

  /** Reads the repository as it is now; `otherwise` when that is not possible for the moment. */
  read<T>(body: (repo: Repo) => T, otherwise: T): T {
    try {
      return this.repo === undefined ? otherwise : body(this.repo);
    } catch (error) {
      if (error instanceof RepoError) return otherwise;
      throw error;
    }
  }

  stop(): void {
    this.stopped = true;
    this.unwatch?.();
    this.again?.cancel();
    this.poll?.cancel();
    this.repo?.close();
    this.repo = undefined;
  }

  /** Something is being written. */
  private expect(): void {
    if (this.stopped) return;
    this.burstSince = this.deps.clock.monotonic();
    this.again?.cancel();
    this.look();
    this.againLater();
  }

  private againLater(): void {
    const { clock } = this.deps;
    if (this.stopped) return;
    const passedMs = clock.monotonic() - this.burstSince!;
    if (passedMs > WATCH_BURST_MS) return;
    this.again = clock.after(Math.max(AGAIN_MIN_MS, passedMs * AGAIN_PART), () => {
      this.look();
      this.againLater();
    });
  }

  private pollLater(): void {
    this.poll = this.deps.clock.after(WATCH_POLL_MS, () => {
      this.look();
      if (!this.stopped) this.pollLater();
    });
  }

  private reopenIfReplaced(): boolean {
    const inode = inodeOf(this.options.path);
    if (inode === undefined || (inode === this.inode && this.repo !== undefined)) return false;
    this.repo?.close();
    this.repo = undefined;
    // While somebody still makes the file this fails again and again: told is only what came of it.
    this.open();
    this.deps.log.info("the repository file was replaced; the new one is open", { path: this.options.path });
    return true;
  }

  private open(): void {
    const { path } = this.options;
    const { clock, random } = this.deps;
    this.inode = inodeOf(path);
    this.repo = Repo.open(path, { mode: "read", clock, random, busyTimeoutMs: 0 });
    this.version = 0;
  }
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

const systemFolder: WatchFolder = (folder, onEvent) => {
  const watcher = watch(folder, (_event, name) => onEvent(name));
  // A folder that is removed, or a watch that the system takes back: the poll goes on.
  watcher.on("error", () => {});
  return () => watcher.close();
};
