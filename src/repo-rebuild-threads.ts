/**
 * A rebuild with a second thread that reads ahead: it expands the artifacts while this one, which holds the write
 * transaction and does not return to its event loop until it commits, links them.
 */
import type { Clock } from "./clock.ts";
import type { Executor } from "./executor.ts";
import { READ_AHEAD_BYTES } from "./limits.ts";
import type { Random } from "./random.ts";
import { Repo } from "./repo.ts";
import { readAhead } from "./repo-artifact-ahead.ts";
import { type RebuildOptions, type RebuildReport, rebuildRepository } from "./repo-rebuild.ts";
import { createRing, RingClosedError, RingWriter } from "./shared-ring.ts";

/** Expanded artifacts that the reading thread keeps besides those on its way. */
const READER_CACHE_BYTES = 4_000_000;

export interface ReadAheadInput {
  readonly path: string;
  readonly memory: SharedArrayBuffer;
}

export type ReadAheadJobs = ReturnType<typeof createReadAheadJobs>;

/** The jobs of the second thread. */
export function createReadAheadJobs(deps: { readonly clock: Clock; readonly random: Random }) {
  return {
    /** Does nothing: its answer says that the thread runs. */
    started: () => {},

    readAhead({ path, memory }: ReadAheadInput): void {
      let repo: Repo;
      try {
        repo = Repo.open(path, {
          mode: "read",
          anyDerivedSchema: true,
          cacheBytes: READER_CACHE_BYTES,
          ...deps,
        });
      } catch (error) {
        new RingWriter(memory).fail();
        throw error;
      }
      try {
        readAhead(repo, memory);
      } finally {
        repo.close();
      }
    },
  };
}

/**
 * `rebuildRepository` on this thread, with `reader` reading ahead.
 *
 * @param repo the file at `path`, opened for writing
 * @param reader a worker thread; never an executor that runs jobs inline
 * @throws what either thread throws
 */
export async function rebuildReadingAhead(
  reader: Executor<ReadAheadJobs>,
  path: string,
  repo: Repo,
  options: RebuildOptions,
): Promise<RebuildReport> {
  const memory = createRing(READ_AHEAD_BYTES);
  // A worker may need this thread's event loop to start.
  await reader.run("started", undefined);
  const reading = reader.run("readAhead", { path, memory });
  reading.catch(() => {});
  try {
    return rebuildRepository(repo, { ...options, ahead: memory });
  } catch (error) {
    // Why the other thread failed says more than that it did.
    if (error instanceof RingClosedError) await reading;
    throw error;
  } finally {
    await reading.catch(() => {});
  }
}
