/**
 * What the threads of a clone do. One of them, the writer, holds the file and runs `open`, `store`, `confirm`,
 * `link`, `finish`, `leave`; the verifiers run `verify`, each on a reading connection of its own.
 */
import { type Bytes, free } from "./bytes.ts";
import type { Clock } from "./clock.ts";
import { type Hash, hashMatches } from "./hash.ts";
import type { Random } from "./random.ts";
import { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";
import { type RebuildOptions, rebuildRepository } from "./repo-rebuild.ts";
import { createReadAheadJobs } from "./repo-rebuild-threads.ts";
import type { CloneState } from "./sync-clone-client.ts";
import { CloneFile, type FinishedClone } from "./sync-clone-file.ts";
import { DeltaForest, type TreeBatch } from "./sync-clone-forest.ts";
import { type RefusedArtifact, type StoredPage, storePage } from "./sync-clone-store.ts";
import { type VerifiedBatch, verifyBatch } from "./sync-clone-verify.ts";

/** Expanded artifacts that a verifier keeps for the parts of trees still to come, in bytes. */
const VERIFIER_CACHE_BYTES = 2_000_000;

export interface OpenInput {
  readonly target: string;
  readonly source: string;
  readonly private: boolean;
  readonly user: string;
}

export interface OpenedClone {
  readonly path: string;
  readonly state: CloneState;
  /** All is done but the name. */
  readonly isWhole: boolean;
  /** Artifacts that are there from before, and what of them can be verified. */
  readonly artifactCount: number;
  readonly ready: readonly TreeBatch[];
}

export interface StoreInput {
  readonly message: Bytes;
  /** As it is when the page is stored. */
  readonly state: CloneState;
  readonly isKept: boolean;
  readonly peer: string;
  readonly private: boolean;
}

export interface StoreOutput extends StoredPage {
  readonly ready: readonly TreeBatch[];
}

export interface LinkInput extends Pick<RebuildOptions, "ahead"> {
  /** Recorded as the program that built the tables. */
  readonly version: string;
  /** Login for the artifacts that linking may have to make. */
  readonly user: string;
  /** Shared: artifacts linked so far, and all of them. */
  readonly progress: SharedArrayBuffer;
}

export interface CloneCounts {
  readonly artifactCount: number;
  /** Named by others and not there. */
  readonly phantomCount: number;
}

export type CloneJobs = ReturnType<typeof createCloneJobs>;

/** The jobs of one thread. */
export function createCloneJobs(deps: { readonly clock: Clock; readonly random: Random }) {
  let open: { readonly file: CloneFile; readonly forest: DeltaForest } | undefined;
  let reader: Repo | undefined;

  const writer = () => {
    if (open === undefined) throw new Error("no clone is open");
    return open;
  };
  const readerOf = (path: string): Repo => {
    reader ??= Repo.open(path, {
      mode: "read",
      anyDerivedSchema: true,
      cacheBytes: VERIFIER_CACHE_BYTES,
      ...deps,
    });
    return reader;
  };

  return {
    open(input: OpenInput): OpenedClone {
      const file = CloneFile.open(input.target, { ...input, ...deps });
      const forest = new DeltaForest();
      open = { file, forest };
      const artifactCount = plant(file.repo, forest);
      const { path, state, isWhole } = file;
      return { path, state, isWhole, artifactCount, ready: isWhole ? [] : forest.takeReady() };
    },

    /** One page, in one transaction. */
    store({ message, state, isKept, ...page }: StoreInput): StoreOutput {
      const { file, forest } = writer();
      const sink = {
        stored: (rid: Rid, source: Rid | undefined, size: number) => forest.add(rid, source, size),
      };
      const stored = file.repo.db.write(() => {
        const nothing = { storedCount: 0, knownCount: 0, refused: [] };
        const result = isKept ? storePage(file, message, page, sink) : nothing;
        file.setState(state);
        return result;
      });
      free(message);
      return { ...stored, ready: forest.takeReady() };
    },

    verify({ path, batch, hashes }: { path: string; batch: TreeBatch; hashes: boolean }): VerifiedBatch {
      return verifyBatch(readerOf(path), batch, { hashes });
    },

    /**
     * Takes out what was found wrong, with all that is stored as a delta of it, and what waits for a source that
     * has not come; corrects sizes. Phantoms take their places.
     *
     * @returns those of `wrong` that are wrong indeed
     */
    settle({ wrong, sizes }: Pick<VerifiedBatch, "wrong" | "sizes">): readonly RefusedArtifact[] {
      const { file, forest } = writer();
      const { content, db } = file.repo;
      return db.write(() => {
        for (const [rid, size] of sizes) db.prepare("UPDATE blob SET size=? WHERE rid=?").run(size, rid);
        const refused = wrong.filter(({ hash }) => !isRight(file.repo, hash));
        for (const { hash } of refused) removeTree(file.repo, content.ridOf(hash)!);
        for (const rid of forest.waiting()) if (!content.isAvailable(rid)) content.revertToPhantom(rid);
        return refused;
      });
    },

    ...createReadAheadJobs(deps),

    link({ version, user, progress, ahead }: LinkInput): CloneCounts {
      const { repo } = writer().file;
      const shown = new Int32Array(progress);
      rebuildRepository(repo, {
        user: () => user,
        version,
        ahead,
        onProgress: ({ artifactCount, artifactTotal }) => {
          shown[0] = artifactCount;
          shown[1] = artifactTotal;
        },
      });
      const count = (sql: "size>=0" | "size<0") =>
        repo.db
          .prepare(
            sql === "size<0"
              ? "SELECT count(*) FROM blob WHERE size<0"
              : "SELECT count(*) FROM blob WHERE size>=0",
          )
          .value<number>()!;
      return { artifactCount: count("size>=0"), phantomCount: count("size<0") };
    },

    /** Makes a repository of the file and gives it its name. */
    finish({ remotePassword }: { remotePassword: string | undefined }): FinishedClone {
      const { file } = writer();
      const finished = file.complete(remotePassword);
      open = undefined;
      file.publish();
      return finished;
    },

    /** Closes what is open here, to be gone on with later. */
    close(): void {
      reader?.close();
      reader = undefined;
      open?.file.leave();
      open = undefined;
    },
  };
}

/** Tells the forest of what an earlier process has stored. */
function plant({ db }: Repo, forest: DeltaForest): number {
  let count = 0;
  const rows = db
    .prepare<{ rid: Rid; size: number; srcid: Rid | null }>(
      "SELECT b.rid, b.size, d.srcid FROM blob b LEFT JOIN delta d ON d.rid=b.rid WHERE b.size>=0",
    )
    .iterate();
  for (const { rid, size, srcid } of rows) {
    forest.add(rid, srcid ?? undefined, size);
    count++;
  }
  return count;
}

/** A second look: how an artifact is stored may have changed after the batch was made. */
function isRight({ content }: Repo, hash: Hash): boolean {
  try {
    const bytes = content.getByHash(hash);
    return bytes !== undefined && hashMatches(bytes, hash);
  } catch {
    return false;
  }
}

function removeTree({ content, db }: Repo, root: Rid): void {
  const dependents = db
    .prepare(
      `WITH RECURSIVE tree(rid) AS (VALUES(?) UNION SELECT d.rid FROM tree JOIN delta d ON d.srcid=tree.rid)
       SELECT rid FROM tree`,
    )
    .values<[Rid]>(root);
  // The last first: what nothing is a delta of any more is taken out at little cost.
  for (const [rid] of dependents.reverse()) if (!content.isPhantom(rid)) content.revertToPhantom(rid);
}
