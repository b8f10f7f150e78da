/**
 * What the leaf's worker threads do: they hold the repositories' connections and answer exchanges, so that
 * no thread that serves I/O ever waits for a lock or a disk (design: "the event loop stays free").
 *
 * A thread keeps one connection per repository and access. `read` connections are `query_only` and never
 * wait for a writer. A repository that was replaced by rename under us (another inode at the same path) is
 * reopened. An exchange that turns out to need a write is handed back unserved, with its body.
 */
import { statSync } from "node:fs";
import type { Bytes } from "./bytes.ts";
import type { Clock } from "./clock.ts";
import { RepoError } from "./errors.ts";
import { Transferable } from "./executor.ts";
import type { EpochMs } from "./julian.ts";
import { CannotSpill, type SpilledReply, SpillFile } from "./leaf-spill.ts";
import { createSyncJobs } from "./leaf-sync-jobs.ts";
import { LOCK_WAIT_MS } from "./limits.ts";
import type { PeerId } from "./peer-id.ts";
import type { Random } from "./random.ts";
import { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";
import { isEndpointAllowed } from "./repo-endpoint.ts";
import { ownPeerId, saveWatermark } from "./repo-news.ts";
import { PresenceReader, type RepoPresence } from "./repo-presence.ts";
import { type ProjectSummary, summarize } from "./repo-summary.ts";
import { type ServeFacts, serveExchange, WriteNeeded } from "./sync-server.ts";
import type { Framing } from "./xfer-message.ts";

/**
 * Past a reply of this size the thread collects garbage at once: the pieces of a clone page live outside of the
 * heap, which therefore looks small to the collector while the process grows.
 */
const COLLECT_FROM_BYTES = 1_000_000;
/** Smaller replies stay in memory. */
const SPILL_FROM_BYTES = 262_144;
const NOTHING = new Uint8Array(0);

export type Access = "read" | "write";

export interface ServeInput {
  readonly path: string;
  readonly access: Access;
  readonly contentType: string;
  readonly cookie: string | undefined;
  readonly address: string;
  /** When the exchange arrived: waiting for another process's lock counts from here. */
  readonly arrivedAt: EpochMs;
  readonly body: Bytes;
  /** As `ServeOptions` has it; then with access `read`. */
  readonly isReadOnly?: boolean;
  /** A large reply may come in a file. */
  readonly maySpill?: boolean;
  /** As `ServeOptions` has them. */
  readonly replyFraming?: Framing;
  readonly replyMaxBytes?: number;
}

export type ServeOutcome =
  | {
      readonly kind: "served";
      readonly contentType: string;
      /** Empty when the reply was spilled. */
      readonly body: Bytes;
      readonly spilled: SpilledReply | undefined;
      readonly facts: ServeFacts;
    }
  | { readonly kind: "write-needed"; readonly body: Bytes };

interface OpenRepo {
  readonly repo: Repo;
  readonly inode: number;
  /** Of the file when it was opened: what tells of changes where SQLite does not look for them. */
  readonly modifiedAt: number;
}

export interface LeafIdentity {
  readonly projectCode: string;
  readonly peerId: PeerId;
}

export type LeafJobs = ReturnType<typeof createLeafJobs>;

/** The jobs of one thread. Each call of this function has its own connections. */
export function createLeafJobs(deps: { readonly clock: Clock; readonly random: Random }) {
  const open = new Map<string, OpenRepo>();

  const repoAt = (path: string, access: Access): Repo => {
    const key = `${access} ${path}`;
    const { ino: inode, mtimeMs: modifiedAt = 0 } = statSync(path, { throwIfNoEntry: false }) ?? {};
    const known = open.get(key);
    const isUnseen = known?.repo.db.isImmutable === true && known.modifiedAt !== modifiedAt;
    if (known !== undefined && known.inode === inode && !isUnseen) return known.repo;
    known?.repo.close();
    open.delete(key);
    const repo = Repo.open(path, { mode: access, ...deps });
    if (inode !== undefined) open.set(key, { repo, inode, modifiedAt });
    return repo;
  };

  const presenceReaders = new Map<string, PresenceReader>();

  const syncJobs = createSyncJobs((path) => {
    const repo = repoAt(path, "write");
    repo.db.setBusyTimeout(LOCK_WAIT_MS);
    return repo;
  });

  /** A reply that is large, or a page of a clone, in a file; any other in memory. */
  const serveSpilling = (repo: Repo, input: ServeInput): Transferable<ServeOutcome> => {
    const file = new SpillFile(deps.random);
    try {
      const { body, ...reply } = serveExchange(repo, input, { ...input, sink: file });
      const isInMemory = file.length === 0;
      if (isInMemory && (body.length < SPILL_FROM_BYTES || !file.tryWrite(body))) {
        return new Transferable({ kind: "served", ...reply, body, spilled: undefined }, [body.buffer]);
      }
      if (!isInMemory) file.write(body);
      Bun.gc(false);
      return new Transferable({ kind: "served", ...reply, body: NOTHING, spilled: file.keep() }, []);
    } catch (error) {
      file.drop();
      if (error instanceof CannotSpill) return serveInMemory(repo, input);
      throw error;
    }
  };

  const serveInMemory = (repo: Repo, input: ServeInput): Transferable<ServeOutcome> => {
    const reply = serveExchange(repo, input, input);
    if (reply.body.length > COLLECT_FROM_BYTES) Bun.gc(false);
    return new Transferable({ kind: "served", ...reply, spilled: undefined }, [reply.body.buffer]);
  };

  return {
    ...syncJobs,

    serve(input: ServeInput): Transferable<ServeOutcome> {
      const { path, access, body } = input;
      const repo = repoAt(path, access);
      if (access === "write") {
        const waited = Math.max(0, deps.clock.now() - input.arrivedAt);
        repo.db.setBusyTimeout(Math.max(0, LOCK_WAIT_MS - waited));
      }
      try {
        return input.maySpill === true ? serveSpilling(repo, input) : serveInMemory(repo, input);
      } catch (error) {
        if (access === "read" && error instanceof WriteNeeded) {
          return new Transferable({ kind: "write-needed", body }, [body.buffer]);
        }
        throw error;
      }
    },

    describe({ path }: { readonly path: string }): ProjectSummary {
      return summarize(repoAt(path, "read"));
    },

    /** Who the repository is among NATS peers; `chosen` is kept as its name from now on. */
    identify({ path, chosen }: { readonly path: string; readonly chosen?: PeerId }): LeafIdentity {
      const repo = repoAt(path, "write");
      const { projectCode } = repo.config;
      if (projectCode === undefined) throw new RepoError("no-project-code", `${path} has no project code`);
      return { projectCode, peerId: ownPeerId(repo, deps.random, chosen) };
    },

    /** What it tells of itself to peers. */
    presence({ path }: { readonly path: string }): RepoPresence {
      let reader = presenceReaders.get(path);
      if (reader === undefined) {
        reader = new PresenceReader();
        presenceReaders.set(path, reader);
      }
      return reader.read(repoAt(path, "read"));
    },

    /** Whether an iroh endpoint is on the repository's list. */
    allowsEndpoint({ path, id }: { readonly path: string; readonly id: string }): boolean {
      return isEndpointAllowed(repoAt(path, "read"), id);
    },

    /** Everything up to `rid` is announced. */
    noteAnnounced({ path, rid }: { readonly path: string; readonly rid: Rid }): void {
      saveWatermark(repoAt(path, "write"), rid);
    },

    /** Opens a repository for writing once, so that it is in WAL mode before the first reader comes. */
    prepare({ path }: { readonly path: string }): void {
      repoAt(path, "write");
    },

    close(): void {
      for (const { repo } of open.values()) repo.close();
      open.clear();
    },
  };
}
