/** A repository on this machine as a peer: served within this process, with the rights of its owner. */
import type { CliContext } from "./cli-context.ts";
import { EdgeSyncError } from "./errors.ts";
import { Repo } from "./repo.ts";
import { errorMessage, serveMessage, WriteNeeded } from "./sync-server.ts";
import type { Transport } from "./transport.ts";
import { MemoryTransport } from "./transport-memory.ts";

const OWNER = { address: "127.0.0.1", cookie: undefined, isOwner: true };

/**
 * Opens the repository for reading, and for writing when it is asked to.
 *
 * @throws RepoError as `Repo.open`
 */
export function serveLocally(path: string, { clock, random }: CliContext): Transport {
  const reader = Repo.open(path, { mode: "read", clock, random });
  let writer: Repo | undefined;
  const transport = new MemoryTransport(path, (message) => {
    try {
      return serveMessage(reader, message, OWNER).message;
    } catch (error) {
      if (!(error instanceof WriteNeeded)) return refusal(error);
    }
    try {
      writer ??= Repo.open(path, { mode: "write", clock, random });
      return serveMessage(writer, message, OWNER).message;
    } catch (error) {
      return refusal(error);
    }
  });
  const refusal = (error: unknown) => {
    if (!(error instanceof EdgeSyncError)) throw error;
    return errorMessage(error, clock);
  };
  return {
    peer: transport.peer,
    carriesCookie: transport.carriesCookie,
    exchange: (message, options) => transport.exchange(message, options),
    async close() {
      await transport.close();
      reader.close();
      writer?.close();
    },
  };
}
