/**
 * A repository's syncs with its peers. Whoever has a reason asks for one (`request`): the clock, a signal, a
 * command, news from a peer, a commit here. What is asked for while a sync with that peer runs or waits for its
 * turn becomes one sync after it, which does all that was asked; so a burst of reasons costs two syncs at most.
 * `SYNC_CONCURRENT_MAX_COUNT` peers are synced with at the same time.
 *
 * A request never fails: its outcome says what went wrong. What was absorbed before stays, and the next sync
 * goes on from there.
 *
 * The wire is the peer's own affair: `connect` gives a `Transport` for one sync, which is closed after it. The
 * repository's side runs in its writer thread (`leaf-sync-jobs.ts`), the exchanges here.
 */
import type { Clock } from "./clock.ts";
import { EdgeSyncError, NameError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import type { EpochMs } from "./julian.ts";
import type { WriterEngine } from "./leaf-sync-engine.ts";
import type { SessionInput, SyncRefusal, SyncSubject } from "./leaf-sync-jobs.ts";
import { GIMME_MIN_COUNT, SYNC_CONCURRENT_MAX_COUNT, SYNC_TOLD_MAX_COUNT } from "./limits.ts";
import type { Logger } from "./log.ts";
import type { ClientOptions } from "./sync-client.ts";
import type { Credentials } from "./sync-request.ts";
import { runSync, type SyncProgress } from "./sync-session.ts";
import type { Transport } from "./transport.ts";
import { AnsweredTransport } from "./transport-answered.ts";

/** A wire to a peer, for one sync. */
export interface PeerConnection {
  readonly transport: Transport;
  readonly login?: Credentials | undefined;
}

export interface SyncPeer {
  /** By which it is asked for: unique here, and without a password. */
  readonly name: string;
  readonly transport: "http" | "nats" | "iroh" | "memory";
  /** Called for each sync. @throws why the peer cannot be reached */
  connect(): PeerConnection | Promise<PeerConnection>;
}

/** What a sync is to do, and the reason for it in one word or two. */
export interface SyncWish {
  readonly push: boolean;
  readonly pull: boolean;
  readonly why: string;
  /** Artifacts that the peer is believed to have. */
  readonly hints?: readonly Hash[];
  /** The peer is asked for nothing else. */
  readonly onlyHints?: boolean;
  /** What the peer has answered already, before it was asked. */
  readonly reply?: Uint8Array;
}

/** What goes with every sync of the repository. */
export interface SyncManners {
  /** Unversioned files too. */
  readonly unversioned: boolean;
  /** Private artifacts too, as far as peers allow; not over NATS, where nobody logs in. */
  readonly private: boolean;
}

/** What came of one sync. Bytes as they travelled. */
export interface SyncOutcome {
  readonly peer: string;
  /** The reasons for it, parted by commas. */
  readonly why: string;
  /** By which the peer's log names it, if that is known. */
  readonly traceId: string | undefined;
  readonly startedAt: EpochMs;
  readonly durationMs: number;
  readonly rounds: number;
  readonly artifactsSent: number;
  readonly artifactsReceived: number;
  /** Unversioned files. */
  readonly filesSent: number;
  readonly filesReceived: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Artifacts known of and not here. */
  readonly wantedCount: number;
  /** Of the peer's: not taken, the first `SYNC_TOLD_MAX_COUNT`. */
  readonly refused: readonly SyncRefusal[];
  /** What the peer said, the first `SYNC_TOLD_MAX_COUNT`. */
  readonly messages: readonly string[];
  readonly skewMs: number;
  /** Why it broke off; undefined when it came to its end. */
  readonly error: EdgeSyncError | undefined;
}

/** What is known of the syncs with a peer. */
export interface PeerSyncState {
  readonly peer: SyncPeer;
  readonly isSyncing: boolean;
  readonly last: SyncOutcome | undefined;
  /** The last that came to its end. */
  readonly lastGood: SyncOutcome | undefined;
  /** The last that did not, and why. */
  readonly lastFailed: SyncOutcome | undefined;
  readonly failuresInRow: number;
  readonly syncCount: number;
  readonly totals: SyncCounts;
}

const COUNTS = [
  "rounds",
  "artifactsSent",
  "artifactsReceived",
  "filesSent",
  "filesReceived",
  "bytesSent",
  "bytesReceived",
] as const;

export type SyncCounts = { -readonly [K in (typeof COUNTS)[number]]: SyncOutcome[K] };

/** Begins the repository's side of a sync; `isAnswered`: the peer's first reply is here before anybody asked. */
export type BeginSync = (
  input: Omit<SessionInput, "id" | "path">,
  isAnswered: boolean,
) => Promise<WriterEngine>;

interface Waiting {
  wish: SyncWish;
  readonly promise: Promise<SyncOutcome>;
  readonly resolve: (outcome: SyncOutcome) => void;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Entry {
  readonly state: Mutable<PeerSyncState>;
  waiting: Waiting | undefined;
}

export class LeafSync {
  private readonly entries = new Map<string, Entry>();
  /** Entries with something waiting, in the order in which they began to. */
  private readonly queue: Entry[] = [];
  private readonly running = new Set<Promise<void>>();
  private readonly stopping = new AbortController();

  constructor(
    private readonly begin: BeginSync,
    private readonly manners: SyncManners,
    private readonly deps: { readonly clock: Clock; readonly log: Logger },
  ) {}

  /** Makes a peer known. A peer of that name gives way to it, and what was known of its syncs stays. */
  add(peer: SyncPeer): void {
    const known = this.entries.get(peer.name);
    if (known !== undefined) {
      known.state.peer = peer;
      return;
    }
    const totals = Object.fromEntries(COUNTS.map((name) => [name, 0])) as SyncCounts;
    const state = {
      peer,
      isSyncing: false,
      last: undefined,
      lastGood: undefined,
      lastFailed: undefined,
      failuresInRow: 0,
      syncCount: 0,
      totals,
    };
    this.entries.set(peer.name, { state, waiting: undefined });
  }

  /** Forgets a peer. A sync with it that runs or waits is still carried out. */
  remove(name: string): void {
    this.entries.delete(name);
  }

  /** In the order in which they became known. */
  get peers(): readonly Readonly<PeerSyncState>[] {
    return [...this.entries.values()].map(({ state }) => state);
  }

  peer(name: string): Readonly<PeerSyncState> | undefined {
    return this.entries.get(name)?.state;
  }

  /**
   * Syncs with a peer as soon as it can be done, all that is wished included.
   *
   * @returns what came of it; never rejects for what happens on the way
   * @throws NameError `no-such-peer`
   */
  request(name: string, wish: SyncWish): Promise<SyncOutcome> {
    const entry = this.entries.get(name);
    if (entry === undefined) {
      throw new NameError("no-such-peer", `this leaf has no peer ${JSON.stringify(name)}`);
    }
    if (entry.waiting === undefined) {
      const { promise, resolve } = Promise.withResolvers<SyncOutcome>();
      entry.waiting = { wish, promise, resolve };
      this.queue.push(entry);
    } else {
      entry.waiting.wish = both(entry.waiting.wish, wish);
    }
    const { promise } = entry.waiting;
    this.pump();
    return promise;
  }

  /** Syncs with every peer. */
  requestAll(wish: SyncWish): Promise<SyncOutcome[]> {
    return Promise.all([...this.entries.keys()].map((name) => this.request(name, wish)));
  }

  /** Breaks off what runs, at the end of the transaction in hand; what waits or comes later fails. */
  async stop(): Promise<void> {
    this.stopping.abort(new EdgeSyncError("leaf-stopping", "this leaf is stopping"));
    this.pump();
    await Promise.all(this.running);
  }

  private pump(): void {
    for (let i = 0; i < this.queue.length && this.running.size < SYNC_CONCURRENT_MAX_COUNT; ) {
      const entry = this.queue[i]!;
      if (entry.state.isSyncing) {
        i++;
        continue;
      }
      this.queue.splice(i, 1);
      const done: Promise<void> = this.carryOut(entry).finally(() => {
        this.running.delete(done);
        this.pump();
      });
      this.running.add(done);
    }
  }

  private async carryOut(entry: Entry): Promise<void> {
    const { state } = entry;
    const { wish, resolve } = entry.waiting!;
    entry.waiting = undefined;
    state.isSyncing = true;
    const outcome = await this.sync(state.peer, wish);
    state.isSyncing = false;
    record(state, outcome);
    this.tell(outcome);
    resolve(outcome);
  }

  private async sync(peer: SyncPeer, wish: SyncWish): Promise<SyncOutcome> {
    const { clock } = this.deps;
    const { signal } = this.stopping;
    const started = clock.monotonic();
    const tally = new Tally();
    const outcome = { peer: peer.name, why: wish.why, startedAt: clock.now() };
    let traceId: string | undefined;
    let error: EdgeSyncError | undefined;
    try {
      signal.throwIfAborted();
      const connection = await peer.connect();
      traceId = connection.transport.traceId;
      try {
        const subjects: SyncSubject[] = this.manners.unversioned ? ["artifacts", "files"] : ["artifacts"];
        // Who asks for private artifacts and may not have them is refused all.
        const isPrivate =
          this.manners.private && (peer.transport !== "nats" || connection.login !== undefined);
        for (const subject of subjects) await this.exchange(subject, connection, wish, isPrivate, tally);
      } finally {
        await connection.transport.close();
      }
    } catch (thrown) {
      error = asError(thrown);
    }
    return { ...outcome, traceId, ...tally.summary(), durationMs: clock.monotonic() - started, error };
  }

  private async exchange(
    subject: SyncSubject,
    { transport, login }: PeerConnection,
    { pull, push, hints = [], onlyHints = false, reply }: SyncWish,
    isPrivate: boolean,
    tally: Tally,
  ): Promise<void> {
    const { peer, carriesCookie } = transport;
    const options: ClientOptions = {
      peer,
      carriesCookie,
      hints,
      onlyHints,
      ...(login !== undefined && { login }),
    };
    const goals = { pull, push, private: isPrivate };
    const isAnswered = reply !== undefined && subject === "artifacts";
    const wire = isAnswered ? new AnsweredTransport(transport, reply) : transport;
    const engine = await this.begin({ subject, goals, options }, isAnswered);
    try {
      const { signal } = this.stopping;
      const onProgress = (progress: SyncProgress) => tally.note(subject, progress);
      onProgress(await runSync(engine, wire, { signal, onProgress }));
    } finally {
      tally.hear(subject, engine);
      await engine.end();
    }
  }

  private tell(outcome: SyncOutcome): void {
    const { log } = this.deps;
    const { peer, why, traceId, error, refused, messages } = outcome;
    const trace = traceId === undefined ? {} : { trace: traceId };
    for (const text of messages) log.info("peer says", { peer, text });
    for (const { what, problem } of refused) log.warn("refused", { peer, what, reason: problem });
    if (error !== undefined) {
      const fields = { peer, why, ...trace, code: error.code, reason: error.message };
      if (this.stopping.signal.aborted) log.debug("sync broken off", fields);
      else log.warn("sync failed", fields);
      return;
    }
    const { rounds, artifactsSent, artifactsReceived, filesSent, filesReceived } = outcome;
    const isNews = artifactsSent + artifactsReceived + filesSent + filesReceived > 0;
    const fields = { peer, why, ...trace, rounds, sent: artifactsSent + filesSent };
    log[isNews ? "info" : "debug"]("synced", { ...fields, received: artifactsReceived + filesReceived });
  }
}

/** What a sync has done so far, subject by subject. */
class Tally {
  private readonly progress = new Map<SyncSubject, SyncProgress>();
  private readonly refused: SyncRefusal[] = [];
  private readonly messages: string[] = [];
  private skewMs = 0;

  note(subject: SyncSubject, progress: SyncProgress): void {
    this.progress.set(subject, progress);
  }

  hear(subject: SyncSubject, { said, totals, wantedCount }: WriterEngine): void {
    const carried = this.progress.get(subject) ?? { bytesSent: 0, bytesReceived: 0 };
    this.progress.set(subject, { ...carried, ...totals, wanted: wantedCount });
    this.refused.push(...said.refused.slice(0, SYNC_TOLD_MAX_COUNT - this.refused.length));
    this.messages.push(...said.messages.slice(0, SYNC_TOLD_MAX_COUNT - this.messages.length));
    if (Math.abs(said.skewMs) > Math.abs(this.skewMs)) this.skewMs = said.skewMs;
  }

  summary() {
    const { refused, messages, skewMs } = this;
    const artifacts = this.progress.get("artifacts");
    const files = this.progress.get("files");
    const sum = (name: "rounds" | "bytesSent" | "bytesReceived") =>
      (artifacts?.[name] ?? 0) + (files?.[name] ?? 0);
    return {
      rounds: sum("rounds"),
      artifactsSent: artifacts?.artifactsSent ?? 0,
      artifactsReceived: artifacts?.artifactsReceived ?? 0,
      filesSent: files?.artifactsSent ?? 0,
      filesReceived: files?.artifactsReceived ?? 0,
      bytesSent: sum("bytesSent"),
      bytesReceived: sum("bytesReceived"),
      wantedCount: artifacts?.wanted ?? 0,
      refused,
      messages,
      skewMs,
    };
  }
}

function record(state: Mutable<PeerSyncState>, outcome: SyncOutcome): void {
  const isGood = outcome.error === undefined;
  state.last = outcome;
  if (isGood) state.lastGood = outcome;
  else state.lastFailed = outcome;
  state.failuresInRow = isGood ? 0 : state.failuresInRow + 1;
  state.syncCount++;
  for (const name of COUNTS) state.totals[name] += outcome[name];
}

function both(one: SyncWish, other: SyncWish): SyncWish {
  const reasons = one.why.split(",");
  const why = reasons.includes(other.why) ? one.why : `${one.why},${other.why}`;
  const onlyHints = (one.onlyHints ?? false) && (other.onlyHints ?? false);
  const hints = [...new Set([...(one.hints ?? []), ...(other.hints ?? [])])].slice(0, GIMME_MIN_COUNT);
  return { push: one.push || other.push, pull: one.pull || other.pull, why, hints, onlyHints };
}

function asError(thrown: unknown): EdgeSyncError {
  if (thrown instanceof EdgeSyncError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new EdgeSyncError("internal", `internal error: ${message}`, { cause: thrown });
}
