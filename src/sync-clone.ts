/**
 * Clones: a peer's whole repository into a new file, over any transport.
 *
 *     main thread    asks for pages (`sync-clone-client.ts`) and hands them on
 *     writer         stores a page while the next travels (`sync-clone-store.ts`); links all in one pass in the end
 *     verifiers      expand and hash what can be expanded (`sync-clone-verify.ts`), while pages still arrive
 *                    and while the writer links; then one of them expands for the writer (`repo-artifact-ahead.ts`)
 *
 * What proves wrong is taken out and named, with all that depends on it; should that be found while the
 * writer links already, it links again. The file is `FILE.part` until it is whole (`sync-clone-file.ts`); a clone
 * that is broken off, in whatever way, is gone on with by the same call.
 *
 * Memory: two pages, and what the verifiers hold, which is bounded (`sync-clone-check.ts`).
 */
import { availableParallelism } from "node:os";
import type { Bytes } from "./bytes.ts";
import type { Clock } from "./clock.ts";
import { type EdgeSyncError, reviveError } from "./errors.ts";
import { type Executor, inlineExecutor, workerExecutor } from "./executor.ts";
import type { Hash } from "./hash.ts";
import { READ_AHEAD_BYTES } from "./limits.ts";
import type { Random } from "./random.ts";
import { createRing, RingWriter } from "./shared-ring.ts";
import { CloneCheck } from "./sync-clone-check.ts";
import { CloneClient, type CloneReply, type CloneState } from "./sync-clone-client.ts";
import type { TreeBatch } from "./sync-clone-forest.ts";
import { type CloneCounts, type CloneJobs, createCloneJobs } from "./sync-clone-jobs.ts";
import type { RefusedArtifact } from "./sync-clone-store.ts";
import type { VerifiedBatch } from "./sync-clone-verify.ts";
import type { Credentials } from "./sync-request.ts";
import type { ExchangeReply, Transport } from "./transport.ts";

export interface CloneOptions {
  /** The file to make. */
  readonly target: string;
  /** The address to remember, with the login and without the password. */
  readonly source: string;
  readonly login?: Credentials;
  /** Whether the login's password is to be remembered with the address. */
  readonly keepsPassword?: boolean;
  /** Private artifacts too, as far as the peer allows. */
  readonly private?: boolean;
  /** Compare every artifact with its hash. Default true; without it a peer is trusted. */
  readonly verify?: boolean;
  /** Login of the new repository's administrator. */
  readonly user: string;
  /** Recorded as the program that built the tables. */
  readonly version: string;
  readonly random: Random;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: CloneProgress) => void;
}

export interface CloneProgress {
  readonly phase: "receiving" | "linking";
  readonly rounds: number;
  readonly artifactsStored: number;
  readonly bytesReceived: number;
  readonly artifactsChecked: number;
  /** Artifacts that can be checked as of now: in the phase `linking` all. */
  readonly checkTotal: number;
  readonly artifactsLinked: number;
  readonly linkTotal: number;
}

export interface CloneRefusal {
  readonly hash: Hash;
  readonly error: EdgeSyncError;
}

export interface CloneSummary extends CloneCounts {
  readonly projectCode: string;
  readonly serverCode: string;
  /** Login of the administrator, and the password made up for it. */
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** Whether an earlier call had begun it. */
  readonly isResumed: boolean;
  readonly rounds: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** What the peer sent that was not what its name says, or could not be stored. */
  readonly refused: readonly CloneRefusal[];
  /** What the peer said (`message` cards). */
  readonly messages: readonly string[];
}

export interface CloneThreads {
  readonly writer: Executor<CloneJobs>;
  readonly verifiers: Executor<CloneJobs>;
  /** How many threads `verifiers` has. */
  readonly verifierCount: number;
  /** Whether they are threads, so that one job may wait for another. */
  readonly isThreaded: boolean;
}

const VERIFIER_MAX_COUNT = 8;
const REPORT_EVERY_MS = 100;

/** Worker threads for clones. Whoever makes them closes them. */
export function cloneThreads(
  verifierCount = Math.min(availableParallelism(), VERIFIER_MAX_COUNT),
): CloneThreads {
  const url = new URL("./sync-clone-worker.ts", import.meta.url).href;
  return {
    writer: workerExecutor<CloneJobs>(url, 1),
    verifiers: workerExecutor<CloneJobs>(url, verifierCount),
    verifierCount,
    isThreaded: true,
  };
}

/** Everything on this thread: for tests and simulation. */
export function inlineCloneThreads(deps: { readonly clock: Clock; readonly random: Random }): CloneThreads {
  const executor = () => inlineExecutor(createCloneJobs(deps));
  return { writer: executor(), verifiers: executor(), verifierCount: 1, isThreaded: false };
}

export async function closeCloneThreads({ writer, verifiers }: CloneThreads): Promise<void> {
  await verifiers.close();
  await writer.close();
}

/**
 * Clones over `transport`, or goes on with a clone that was broken off.
 *
 * @throws ProtocolError `peer-error` when the peer refuses, and as `CloneClient`; what the transport throws;
 *   RepoError as `CloneFile.open`, or when the disk is full. What came before stays, to be gone on with.
 */
export async function cloneRepository(
  transport: Transport,
  options: CloneOptions,
  threads: CloneThreads,
): Promise<CloneSummary> {
  const run = new CloneRun(transport, options, threads);
  try {
    return await run.run();
  } finally {
    // Readers first: the last connection to close is the writer's, which leaves the file whole.
    await threads.verifiers.runOnAll("close", undefined);
    await threads.writer.runOnAll("close", undefined);
  }
}

class CloneRun {
  private rounds = 0;
  private bytesSent = 0;
  private bytesReceived = 0;
  private artifactsStored = 0;
  private phase: CloneProgress["phase"] = "receiving";
  private readonly linked = new SharedArrayBuffer(8);
  private readonly messages: string[] = [];
  private readonly refused: RefusedArtifact[] = [];
  private check: CloneCheck | undefined;
  /** Of the file that is made. */
  private path = "";

  constructor(
    private readonly transport: Transport,
    private readonly options: CloneOptions,
    private readonly threads: CloneThreads,
  ) {}

  async run(): Promise<CloneSummary> {
    const { writer } = this.threads;
    const { target, source, user, login, keepsPassword } = this.options;
    const isPrivate = this.options.private ?? false;
    const opened = await writer.run("open", { target, source, user, private: isPrivate });
    this.artifactsStored = opened.artifactCount;
    this.path = opened.path;
    let counts: CloneCounts = { artifactCount: opened.artifactCount, phantomCount: 0 };
    if (!opened.isWhole) {
      const { verifiers, verifierCount } = this.threads;
      this.check = new CloneCheck(verifiers, verifierCount, opened.path, this.options.verify ?? true);
      try {
        this.hand(opened.ready);
        await this.receive(this.clientFrom(opened.state));
        counts = await this.link();
      } finally {
        this.check.stop();
      }
      await verifiers.runOnAll("close", undefined);
    }
    const remotePassword = keepsPassword === true ? login?.password : undefined;
    const finished = await writer.run("finish", { remotePassword });
    const { rounds, bytesSent, bytesReceived, messages } = this;
    const refused = this.refused.map(({ hash, error }) => ({
      hash,
      error: reviveError(error) as EdgeSyncError,
    }));
    const isResumed = opened.artifactCount > 0;
    return { ...finished, ...counts, isResumed, rounds, bytesSent, bytesReceived, refused, messages };
  }

  private clientFrom(state: CloneState): CloneClient {
    const { login, random } = this.options;
    const { peer, carriesCookie } = this.transport;
    const options = { peer, carriesCookie, random, private: this.options.private ?? false };
    return new CloneClient({ ...options, ...(login !== undefined && { login }) }, state);
  }

  /** Fetches pages; each is stored while the next one travels. */
  private async receive(client: CloneClient): Promise<void> {
    let storing: Promise<void> = Promise.resolve();
    while (!client.isDone) {
      this.options.signal?.throwIfAborted();
      const { message, cookie } = client.request();
      const reply = await this.exchange(message, cookie);
      await storing;
      const said = client.read(reply.message);
      this.messages.push(...said.messages);
      storing = this.store(client, reply, said);
      // It is awaited further down; until then its failure is nobody's surprise.
      storing.catch(() => {});
      if (said.error !== undefined) {
        await storing;
        throw said.error;
      }
    }
    await storing;
  }

  private async exchange(message: Bytes, cookie: string | undefined): Promise<ExchangeReply> {
    const { signal } = this.options;
    const before = this.bytesReceived;
    const reply = await this.transport.exchange(message, {
      ...(cookie !== undefined && { cookie }),
      ...(signal !== undefined && { signal }),
      onProgress: (received) => {
        this.bytesReceived = before + received;
        this.report();
      },
    });
    this.rounds++;
    this.bytesSent += reply.bytesSent;
    this.bytesReceived = before + reply.bytesReceived;
    return reply;
  }

  private async store(client: CloneClient, { message }: ExchangeReply, reply: CloneReply): Promise<void> {
    const { state, isKept } = reply;
    const { peer } = this.transport;
    const input = { message: message as Bytes, state, isKept, peer, private: this.options.private ?? false };
    const { storedCount, refused, ready } = await this.threads.writer.run("store", input, [
      input.message.buffer,
    ]);
    this.artifactsStored += storedCount;
    this.refused.push(...refused);
    this.hand(ready);
    this.report();
    if (isKept) client.noteStored(storedCount);
  }

  private hand(batches: readonly TreeBatch[]): void {
    if (this.options.verify ?? true) this.check?.add(batches);
  }

  /** Builds the tables while the rest is checked; again, should something prove wrong. */
  private async link(): Promise<CloneCounts> {
    this.phase = "linking";
    this.check!.allArrived();
    await this.settle([]);
    const timer = setInterval(() => this.report(), REPORT_EVERY_MS);
    try {
      const [counts, found] = await Promise.all([this.linkOnce(), this.check!.drain()]);
      return (await this.settle(found)) ? counts : await this.linkOnce();
    } finally {
      clearInterval(timer);
    }
  }

  /** In the writer, and where there are threads enough one of the verifiers reads ahead for it. */
  private async linkOnce(): Promise<CloneCounts> {
    const { writer, verifiers, verifierCount, isThreaded } = this.threads;
    const { version, user } = this.options;
    const input = { version, user, progress: this.linked };
    if (!isThreaded || verifierCount < 2) return writer.run("link", input);
    await this.check!.largeDone();
    const memory = createRing(READ_AHEAD_BYTES);
    this.check!.use(verifierCount - 1);
    const reading = verifiers.run("readAhead", { path: this.path, memory });
    // A thread that died cannot say so itself.
    reading.catch(() => new RingWriter(memory).fail());
    const linking = writer.run("link", { ...input, ahead: memory });
    try {
      const [counts] = await Promise.all([linking, reading]);
      return counts;
    } catch (error) {
      // Why the reading thread failed says more than that it did.
      await reading;
      throw error;
    } finally {
      await Promise.allSettled([linking, reading]);
      this.check!.use(verifierCount);
    }
  }

  /** Takes out what was found wrong. Returns whether nothing was. */
  private async settle(found: readonly VerifiedBatch[]): Promise<boolean> {
    const wrong = found.flatMap((batch) => batch.wrong);
    const sizes = found.flatMap((batch) => batch.sizes);
    const refused = await this.threads.writer.run("settle", { wrong, sizes });
    this.refused.push(...refused);
    return refused.length === 0;
  }

  private report(): void {
    const { onProgress } = this.options;
    if (onProgress === undefined) return;
    const { phase, rounds, artifactsStored, bytesReceived, check } = this;
    const [artifactsLinked = 0, linkTotal = 0] = new Int32Array(this.linked);
    onProgress({
      phase,
      rounds,
      artifactsStored,
      bytesReceived,
      artifactsChecked: check?.artifactCount ?? 0,
      checkTotal: check?.artifactTotal ?? 0,
      artifactsLinked,
      linkTotal,
    });
  }
}
