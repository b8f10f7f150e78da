/** Unversioned files along with a clone or a sync (`--uv`): after the artifacts, over the same wire. */
import type { Progress } from "./cli-output.ts";
import type { Repo } from "./repo.ts";
import { UnversionedClient, type UnversionedGoals } from "./sync-client-uv.ts";
import type { Credentials } from "./sync-request.ts";
import { runSync } from "./sync-session.ts";
import type { Transport } from "./transport.ts";

/** As JSON; bytes as they travelled. */
export type FilesExchanged = {
  readonly filesSent: number;
  readonly filesReceived: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly rounds: number;
  readonly refused: readonly { readonly name: string; readonly problem: string }[];
  /** The peer takes no files from this login, though there are some. */
  readonly isPullOnly: boolean;
};

/** @throws as `runSync` */
export async function exchangeFiles(
  repo: Repo,
  goals: UnversionedGoals,
  transport: Transport,
  login: Credentials | undefined,
  progress: Progress,
): Promise<FilesExchanged> {
  const { peer, carriesCookie } = transport;
  const client = new UnversionedClient(repo, goals, { peer, carriesCookie, ...(login && { login }) });
  const { artifactsSent, artifactsReceived, bytesSent, bytesReceived, rounds } = await runSync(
    client,
    transport,
    {
      onProgress: ({ artifactsSent: sent, artifactsReceived: received, wanted, ...bytes }) => {
        const doneCount = sent + received;
        const doneBytes = bytes.bytesSent + bytes.bytesReceived;
        progress.update({ doneCount, totalCount: doneCount + wanted, doneBytes });
      },
    },
  );
  return {
    filesSent: artifactsSent,
    filesReceived: artifactsReceived,
    bytesSent,
    bytesReceived,
    rounds,
    refused: client.refused.map(({ name, error }) => ({ name, problem: error.message })),
    isPullOnly: client.isRefusedByPeer,
  };
}

/** Lines of a summary. */
export function filesTold(files: FilesExchanged): string[][] {
  return [
    ["files", `${files.filesSent} sent, ${files.filesReceived} received, unversioned`],
    ...files.refused.map(({ name, problem }) => ["refused", `${name}: ${problem}`]),
  ];
}
