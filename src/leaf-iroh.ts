/**
 * A repository that answers over iroh: exchanges on ALPN `/edgesync/xfer/1` (`transport-iroh`).
 *
 * Who may connect: the endpoints that the leaf was told of, and those on the list in the repository (`repo-endpoint`), which
 * is asked at each connection. What they may do there is what their login says, as over HTTP.
 */
import { EdgeSyncError } from "./errors.ts";
import { IrohEndpoint, type IrohRelay } from "./iroh-endpoint.ts";
import { readIrohKey } from "./iroh-key.ts";
import { type AnswerDependencies, answerExchange } from "./leaf-exchange.ts";
import type { HostedRepository } from "./leaf-repositories.ts";
import type { Random } from "./random.ts";
import { XFER_ALPN } from "./transport-iroh.ts";
import { IrohServer } from "./transport-iroh-server.ts";
import { CONTENT_TYPES } from "./xfer-message.ts";

export interface LeafIrohOptions {
  readonly keyFile: string;
  readonly relay: IrohRelay;
  /** Ids or tickets of endpoints that may connect, besides those on the repository's list; `any`: all. */
  readonly allow: readonly string[];
}

export interface LeafIrohDependencies extends AnswerDependencies {
  readonly random: Random;
}

export interface LeafIroh {
  readonly endpoint: IrohEndpoint;
  stop(): Promise<void>;
}

/**
 * Serves a repository over iroh.
 *
 * @returns undefined where this build or machine has no iroh, which is said in the log
 * @throws EdgeSyncError `iroh-key`, `iroh-endpoint`; UsageError `iroh-address`
 */
export async function startLeafIroh(
  hosted: HostedRepository,
  { keyFile, relay, allow }: LeafIrohOptions,
  deps: LeafIrohDependencies,
): Promise<LeafIroh | undefined> {
  const { log, random } = deps;
  const server = new IrohServer({
    ...deps,
    answer: async ({ body, remoteId }) => {
      const address = `iroh:${remoteId}`;
      return answerExchange("iroh", hosted, { contentType: CONTENT_TYPES.compressed, body, address }, deps);
    },
  });
  const allowed = new Set<string>();
  const admit = async (id: string) =>
    allowed.has("any") || allowed.has(id) || (await hosted.allowsEndpoint(id));
  let endpoint: IrohEndpoint;
  try {
    endpoint = await IrohEndpoint.start(
      {
        secretKey: readIrohKey(keyFile, random),
        relay,
        admit,
        accept: { [XFER_ALPN]: (connection) => void server.serve(connection) },
      },
      deps,
    );
  } catch (error) {
    if (!(error instanceof EdgeSyncError) || error.code !== "no-iroh") throw error;
    log.warn("running without iroh", { reason: error.message });
    return undefined;
  }
  try {
    for (const one of allow) allowed.add(one === "any" ? one : endpoint.idOf(one));
  } catch (error) {
    await endpoint.close();
    throw error;
  }
  return {
    endpoint,
    async stop() {
      server.stop();
      await endpoint.close();
    },
  };
}
