/**
 * The repositories of one process and the threads that answer for them: a pool of readers, shared, and
 * writers, each repository belonging to one of them so that its writes queue in order and never wait for
 * one another's locks.
 *
 * An exchange small enough to be a clone or pull request goes to a reader first; a reader that finds it
 * must write hands it back and the writer takes it. A larger one carries content and goes straight there.
 */
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { free } from "./bytes.ts";
import type { Clock } from "./clock.ts";
import { NameError, RepoError } from "./errors.ts";
import { type Executor, inlineExecutor, workerExecutor } from "./executor.ts";
import { ClonePages, type HandedReply, type Served } from "./leaf-clone-pages.ts";
import { createLeafJobs, type LeafIdentity, type LeafJobs, type ServeInput } from "./leaf-jobs.ts";
import { dropSpilled } from "./leaf-spill.ts";
import { WriterEngine } from "./leaf-sync-engine.ts";
import type { SessionInput } from "./leaf-sync-jobs.ts";
import type { PeerId } from "./peer-id.ts";
import type { Random } from "./random.ts";
import type { Rid } from "./repo-content.ts";
import type { RepoPresence } from "./repo-presence.ts";
import type { ProjectSummary } from "./repo-summary.ts";
import type { ClientRequest } from "./sync-request.ts";

export type SyncInput = Omit<SessionInput, "id" | "path">;
export type Exchange = Omit<ServeInput, "path" | "access" | "arrivedAt" | "maySpill" | "isReadOnly">;
export type { Served };

/** Requests up to this size are tried on a reader first, in bytes as they travel. */
const READER_FIRST_MAX_BYTES = 65_536;

/** Writer threads when a process serves many repositories. */
const WRITER_MAX_COUNT = 4;
const READER_COUNT = 2;

export interface Threads {
  readonly readers: Executor<LeafJobs>;
  readonly writers: readonly Executor<LeafJobs>[];
}

/** Worker threads: for one repository one writer, for a directory of them a small pool. */
export function workerThreads(many: boolean): Threads {
  const url = new URL("./leaf-worker.ts", import.meta.url).href;
  const writers = Array.from({ length: many ? WRITER_MAX_COUNT : 1 }, () => workerExecutor<LeafJobs>(url, 1));
  return { readers: workerExecutor<LeafJobs>(url, READER_COUNT), writers };
}

/** Everything on this thread: for tests and simulation. */
export function inlineThreads(deps: { readonly clock: Clock; readonly random: Random }): Threads {
  return { readers: inlineExecutor(createLeafJobs(deps)), writers: [inlineExecutor(createLeafJobs(deps))] };
}

/** What opening a repository for writing fails with where the file, its folder or the disk is read-only. */
const NOT_WRITABLE = ["repo-read-only", "repo-unreadable"];

/** One repository as the leaf sees it. */
export class HostedRepository {
  /** Called when an exchange has stored something. */
  onStored: () => void = () => {};
  /** Makes the first message of a sync in this thread, where that takes no time. */
  draft: (input: SyncInput) => ClientRequest | undefined = () => undefined;

  /** Found out by `prepare`. */
  isReadOnly = false;
  private prepared: Promise<void> | undefined;

  constructor(
    readonly path: string,
    private readonly readers: Executor<LeafJobs>,
    private readonly writer: Executor<LeafJobs>,
    private readonly clonePages: ClonePages,
    private readonly clock: Clock,
  ) {}

  /** Answers one exchange. @throws RepoError when the repository cannot be opened, read or locked */
  serve(exchange: Exchange): Promise<Served> {
    return this.run({ ...exchange, path: this.path, arrivedAt: this.clock.now() });
  }

  /**
   * The same for a caller who says when the reply's body has been sent: it may then be in a file, and a page of a
   * clone may be one that others get too, or that was made ahead. Not for wires that bound their messages.
   */
  async hand(exchange: Exchange): Promise<HandedReply> {
    const input = { ...exchange, path: this.path, arrivedAt: this.clock.now() };
    const page = await this.clonePages.serve(input);
    if (page !== undefined) return page;
    const { contentType, facts, body, spilled } = await this.run({ ...input, maySpill: true });
    if (spilled === undefined) return { contentType, facts, body, release: () => free(body) };
    return { contentType, facts, body: spilled, release: () => dropSpilled(spilled) };
  }

  private async run(input: Omit<ServeInput, "access">): Promise<Served> {
    let { body } = input;
    if (body.length <= READER_FIRST_MAX_BYTES && !this.isReadOnly) {
      const outcome = await this.readers.run("serve", { ...input, access: "read" }, [body.buffer]);
      if (outcome.kind === "served") return outcome;
      body = outcome.body;
    }
    await this.prepare();
    const rest = { ...input, body };
    const outcome = this.isReadOnly
      ? await this.readers.run("serve", { ...rest, access: "read", isReadOnly: true }, [body.buffer])
      : await this.writer.run("serve", { ...rest, access: "write" }, [body.buffer]);
    if (outcome.kind !== "served") throw new Error("a writer cannot need another writer");
    if (outcome.facts.artifactsReceived > 0) this.onStored();
    return outcome;
  }

  describe(): Promise<ProjectSummary> {
    return this.readers.run("describe", { path: this.path });
  }

  /**
   * Opens the repository. One that can be read and not written is served read-only from then on.
   *
   * @throws RepoError when it can neither be written nor read
   */
  prepare(): Promise<void> {
    this.prepared ??= (async () => {
      try {
        await this.writer.run("prepare", { path: this.path });
      } catch (error) {
        if (!(error instanceof RepoError) || !NOT_WRITABLE.includes(error.code)) throw error;
        await this.describe();
        this.isReadOnly = true;
      }
    })();
    this.prepared.catch(() => {
      this.prepared = undefined;
    });
    return this.prepared;
  }

  presence(): Promise<RepoPresence> {
    return this.readers.run("presence", { path: this.path });
  }

  /** Whether an iroh endpoint is on the repository's list. */
  allowsEndpoint(id: string): Promise<boolean> {
    return this.readers.run("allowsEndpoint", { path: this.path, id });
  }

  noteAnnounced(rid: Rid): Promise<void> {
    return this.writer.run("noteAnnounced", { path: this.path, rid });
  }

  /** Who the repository is among NATS peers. @throws RepoError `no-project-code` */
  identify(chosen?: PeerId): Promise<LeafIdentity> {
    return this.writer.run("identify", { path: this.path, ...(chosen !== undefined && { chosen }) });
  }

  /**
   * Begins a sync with a peer: its transactions queue with those of the exchanges.
   *
   * @param isAnswered whether the peer's first reply is here already
   */
  async beginSync(input: SyncInput, isAnswered = false): Promise<WriterEngine> {
    const whole = { ...input, path: this.path };
    if (isAnswered) return WriterEngine.unasked(this.writer, whole);
    const draft = this.draft(input);
    return draft === undefined
      ? WriterEngine.begin(this.writer, whole)
      : WriterEngine.drafted(this.writer, whole, draft);
  }
}

export class HostedRepositories {
  private readonly hosted = new Map<string, HostedRepository>();
  private readonly clonePages: ClonePages;

  private constructor(
    private readonly threads: Threads,
    private readonly clock: Clock,
    /** Set when every `*.fossil` below it is served, each at `/NAME`. */
    private readonly directory: string | undefined,
    private readonly single: string | undefined,
  ) {
    this.clonePages = new ClonePages(threads.readers, clock);
  }

  static ofFile(path: string, threads: Threads, clock: Clock): HostedRepositories {
    return new HostedRepositories(threads, clock, undefined, path);
  }

  static ofDirectory(directory: string, threads: Threads, clock: Clock): HostedRepositories {
    return new HostedRepositories(threads, clock, directory, undefined);
  }

  /** Names below the directory, without `.fossil`, sorted; undefined when one file is served. */
  names(): string[] | undefined {
    if (this.directory === undefined) return undefined;
    return readdirSync(this.directory)
      .filter((name) => name.endsWith(".fossil"))
      .map((name) => name.slice(0, -".fossil".length))
      .sort();
  }

  /**
   * The repository that a URL path means: the only one, or the one named by the first segment.
   *
   * @throws NameError `no-such-repository`
   */
  at(urlPath: string): HostedRepository {
    if (this.single !== undefined) return this.byPath(this.single);
    const name = urlPath.split("/")[1]?.replace(/\.fossil$/, "") ?? "";
    const exists = name !== "" && basename(name) === name && this.names()?.includes(name);
    if (!exists) {
      throw new NameError("no-such-repository", `no repository is named ${JSON.stringify(name)} here`);
    }
    return this.byPath(join(this.directory!, `${name}.fossil`));
  }

  /** Exchanges accepted and not yet answered. */
  get pendingCount(): number {
    return this.threads.writers.reduce(
      (sum, { pendingCount }) => sum + pendingCount,
      this.threads.readers.pendingCount,
    );
  }

  /** Finishes what is under way, checkpoints and closes every repository, ends the threads. */
  async close(): Promise<void> {
    const { readers, writers } = this.threads;
    // Readers first: the last connection to close is a writer, which leaves the file whole for stock.
    await readers.runOnAll("close", undefined);
    await readers.close();
    this.clonePages.close();
    for (const writer of writers) {
      await writer.runOnAll("close", undefined);
      await writer.close();
    }
  }

  private byPath(path: string): HostedRepository {
    let hosted = this.hosted.get(path);
    if (hosted === undefined) {
      const { readers, writers } = this.threads;
      const writer = writers[this.hosted.size % writers.length]!;
      hosted = new HostedRepository(path, readers, writer, this.clonePages, this.clock);
      this.hosted.set(path, hosted);
    }
    return hosted;
  }
}
