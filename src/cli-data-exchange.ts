/** What the commands share that exchange unversioned files or configuration with a peer, and nothing else. */
import { positional, type Values } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { IROH_ARGS } from "./cli-iroh.ts";
import { connect, REMOTE_ARGS } from "./cli-remote.ts";
import { withRepository } from "./cli-repository.ts";
import type { Repo } from "./repo.ts";
import type { ClientOptions } from "./sync-client.ts";
import type { DataClient } from "./sync-client-data.ts";
import { findRemote } from "./sync-remote.ts";
import { runSync, type SyncProgress } from "./sync-session.ts";

export const remoteArg = positional({
  description: "an address or the name of a remote; else the remembered one",
});

export const DATA_EXCHANGE_ARGS = { ...REMOTE_ARGS, ...IROH_ARGS };

export interface DataExchange<C> {
  readonly client: C;
  readonly totals: SyncProgress;
  /** The peer, without a password. */
  readonly remote: string;
}

/**
 * Runs a client against the peer that the arguments name. The address is not remembered, as in stock.
 *
 * @throws as `findRemote`, `connect` and `runSync`
 */
export function exchangeData<C extends DataClient>(
  args: Values<typeof DATA_EXCHANGE_ARGS> & { readonly remote: string | undefined },
  context: CliContext,
  clientOf: (repo: Repo, options: ClientOptions) => C,
): Promise<DataExchange<C>> {
  return withRepository(context, "write", async ({ repo }) => {
    const { remote, password } = findRemote(repo, args.remote);
    const { transport, login } = await connect(remote, args, context, {
      repository: repo.path,
      password,
    });
    const { peer, carriesCookie } = transport;
    const client = clientOf(repo, { peer, carriesCookie, ...(login !== undefined && { login }) });
    const progress = context.out.progress("exchanging");
    try {
      const totals = await runSync(client, transport, {
        onProgress: ({ artifactsReceived, artifactsSent, wanted, bytesSent, bytesReceived }) => {
          const doneCount = artifactsReceived + artifactsSent;
          progress.update({
            doneCount,
            totalCount: doneCount + wanted,
            doneBytes: bytesSent + bytesReceived,
          });
        },
      });
      for (const message of client.messages) context.out.note(`${remote.url} says: ${message}`);
      return { client, totals, remote: remote.url };
    } finally {
      progress.end();
      await transport.close();
    }
  });
}
