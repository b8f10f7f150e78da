/**
 * A leaf: repositories kept open and served until told to stop. `startLeaf` wires the parts together and
 * returns when every listener is up; signals, configuration and words on the terminal belong to the shell.
 *
 * Stopping: break off syncs with peers, refuse new exchanges, answer those under way, checkpoint and close the repositories, end the
 * threads. A second `stop` waits for the first.
 */
import type { Clock } from "./clock.ts";
import { EdgeSyncError } from "./errors.ts";
import { clonePageOf, refusal } from "./leaf-admission.ts";
import { type LeafBroker, type LeafBrokerOptions, startLeafBroker } from "./leaf-broker.ts";
import { type LeafIroh, type LeafIrohOptions, startLeafIroh } from "./leaf-iroh.ts";
import { type Keeper, type KeepOptions, keepRepository } from "./leaf-keep.ts";
import type { LeafMesh } from "./leaf-mesh.ts";
import { type LeafNats, type LeafNatsOptions, startLeafNats } from "./leaf-nats.ts";
import { leafPages } from "./leaf-pages.ts";
import { HostedRepositories, type Threads, workerThreads } from "./leaf-repositories.ts";
import type { ListenAddress } from "./listen-address.ts";
import type { Logger } from "./log.ts";
import type { Random } from "./random.ts";
import { errorReply } from "./sync-server.ts";
import { createTelemetry, type Telemetry, type TelemetryOptions } from "./telemetry.ts";
import type { HttpExchangeReply } from "./transport-http-reply.ts";
import {
  type HttpExchange,
  type HttpServer,
  type HttpServerOptions,
  serveHttp,
} from "./transport-http-server.ts";

export interface LeafOptions {
  /** One repository file, or a directory whose `*.fossil` files are served each at `/NAME`. */
  readonly source: { readonly file: string } | { readonly directory: string };
  readonly http: ListenAddress | undefined;
  /** PEM texts for TLS on the HTTP listener. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** How many are served over HTTP at the same time. */
  readonly limits?: HttpServerOptions["limits"];
  /** Behind a proxy that writes `X-Forwarded-For`, and that alone can connect. */
  readonly trustProxy?: boolean;
  /** Other machines may read `/metrics`. */
  readonly publicMetrics?: boolean;
  /** A NATS server of its own. */
  readonly broker?: LeafBrokerOptions;
  /** Answer over NATS, on servers elsewhere (`links`, which end with the leaf) and on its own. */
  readonly nats?: LeafNatsOptions;
  /** With one repository file and a broker: answer over iroh. */
  readonly iroh?: LeafIrohOptions;
  /** With one repository file: it is kept in sync with its peers, and commands may ask about it. */
  readonly keep?: KeepOptions;
  readonly version: string;
}

export interface LeafDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Default: worker threads. */
  readonly threads?: Threads;
}

export interface Leaf {
  /** Where HTTP is served, ending in `/`; undefined when it is off. */
  readonly httpUrl: string | undefined;
  readonly telemetry: Telemetry;
  /** With the option `broker`. */
  readonly broker: LeafBroker | undefined;
  /** With the option `nats`. */
  readonly nats: LeafNats | undefined;
  /** With the option `iroh`, where there is iroh. */
  readonly iroh: LeafIroh | undefined;
  /** With the option `keep`. */
  readonly keeper: Keeper | undefined;
  stop(): Promise<void>;
}

/**
 * @throws RepoError when the repository cannot be opened, `leaf-running` when another leaf keeps it;
 *   EdgeSyncError `address-in-use`, `address-unavailable`, `iroh-key`, `iroh-endpoint`; UsageError `open-listener`,
 *   `nkey-syntax`, `iroh-address`
 */
export async function startLeaf(options: LeafOptions, deps: LeafDependencies): Promise<Leaf> {
  const { clock, log } = deps;
  const { source } = options;
  const threads = deps.threads ?? workerThreads("directory" in source);
  const repositories =
    "file" in source
      ? HostedRepositories.ofFile(source.file, threads, clock)
      : HostedRepositories.ofDirectory(source.directory, threads, clock);
  const telemetry = createTelemetry({
    version: options.version,
    gauges: {
      edgesync_exchanges_pending: { help: "Exchanges under way.", read: () => repositories.pendingCount },
      ...meshGauges(() => keeper?.mesh),
      edgesync_http_exchanges_open: {
        help: "HTTP exchanges whose reply has not left yet.",
        read: () => http?.openCount ?? 0,
      },
    },
    refusals: () => http?.refusedCounts ?? new Map(),
  });
  let stopping: Promise<void> | undefined;
  let http: HttpServer | undefined;
  let keeper: Keeper | undefined;
  let broker: LeafBroker | undefined;
  let nats: LeafNats | undefined;
  let iroh: LeafIroh | undefined;
  try {
    if ("file" in source) {
      await repositories.at("/").prepare();
      if (repositories.at("/").isReadOnly)
        log.warn("the repository cannot be written: it is served read-only");
    }
    if (options.http !== undefined) {
      http = serveHttp({
        listen: options.http,
        ...(options.tls && { tls: options.tls }),
        clock,
        exchange: (exchange, visit) => {
          const page = clonePageOf(exchange);
          if (page !== undefined) visit.beginPage(page === "first");
          return answer(exchange, repositories, telemetry, deps);
        },
        refuse: async (exchange, why) => {
          log.warn("exchange turned away", { address: exchange.address, code: why.code });
          const codeOf = async () => (await repositories.at(exchange.path).describe()).projectCode;
          try {
            return await refusal(exchange, why, codeOf, clock);
          } catch (error) {
            return errorReply(error, exchange.contentType, clock);
          }
        },
        ...(options.limits && { limits: options.limits }),
        trustProxy: options.trustProxy ?? false,
        uncounted: ["/healthz", "/metrics"],
        localOnly: options.publicMetrics === true ? [] : ["/metrics"],
        pages: leafPages({ repositories, telemetry, isReady: () => stopping === undefined }),
      });
    }
    if (options.broker !== undefined) broker = startLeafBroker(options.broker, deps);
    if (options.nats !== undefined) {
      const own = broker === undefined ? [] : [broker.link()];
      const links = [...own, ...options.nats.links];
      nats = await startLeafNats(repositories.at("/"), { ...options.nats, links }, { clock, log, telemetry });
    }
    if (options.iroh !== undefined) {
      iroh = await startLeafIroh(repositories.at("/"), broker!.broker, options.iroh, { ...deps, telemetry });
    }
    if (options.keep !== undefined) {
      const about = { version: options.version, http: http?.url ?? null };
      keeper = await keepRepository(repositories.at("/"), options.keep, about, { nats, iroh }, deps);
    }
  } catch (error) {
    await Promise.all([http?.stop(), nats?.stop(), iroh?.stop()]);
    await broker?.stop();
    await repositories.close();
    throw error;
  }
  // The first reader starts while nobody waits for it yet. What is wrong with a repository shows when asked.
  if ("file" in source)
    repositories
      .at("/")
      .describe()
      .catch(() => {});
  return {
    httpUrl: http?.url,
    telemetry,
    broker,
    nats,
    iroh,
    keeper,
    stop() {
      stopping ??= (async () => {
        await Promise.all([keeper?.stop(), http?.stop()]);
        await Promise.all([nats?.stop(), iroh?.stop()]);
        await broker?.stop();
        await repositories.close();
        log.debug("stopped");
      })();
      return stopping;
    },
  };
}

function meshGauges(mesh: () => LeafMesh | undefined): TelemetryOptions["gauges"] {
  const gauge = (help: string, read: (mesh: LeafMesh) => number) => ({
    help,
    read: () => {
      const running = mesh();
      return running === undefined ? 0 : read(running);
    },
  });
  return {
    edgesync_peers: gauge("Peers that are there.", ({ presence }) => presence.peers.length),
    edgesync_announced: gauge("Announcements sent.", ({ counts }) => counts.announced),
    edgesync_heard: gauge("Announcements of others.", ({ counts }) => counts.heard),
    edgesync_news_pulls: gauge("Pulls made for announcements.", ({ counts }) => counts.pulls),
    edgesync_lag_seconds: gauge(
      "How long something is known of and not here.",
      ({ fetch }) => fetch.lagMs / 1000,
    ),
  };
}

/** One exchange from its bytes to its reply; a failure becomes what stock's client shows as an error. */
async function answer(
  exchange: HttpExchange,
  repositories: HostedRepositories,
  telemetry: Telemetry,
  { clock, log }: LeafDependencies,
): Promise<HttpExchangeReply> {
  const started = clock.monotonic();
  const { address, contentType } = exchange;
  const bytesReceived = exchange.body.length;
  try {
    const { body, facts, ...reply } = await repositories.at(exchange.path).hand(exchange);
    const seconds = (clock.monotonic() - started) / 1000;
    telemetry.record({ ...facts, transport: "http", bytesReceived, bytesSent: body.length, seconds });
    log.debug("served", {
      address,
      operation: facts.operation,
      bytesReceived,
      bytesSent: body.length,
      seconds,
    });
    return { status: 200, contentType: reply.contentType, body, release: reply.release };
  } catch (error) {
    const code = error instanceof EdgeSyncError ? error.code : "internal";
    const message = error instanceof Error ? error.message : String(error);
    log.warn("exchange refused", { address, code, reason: message });
    telemetry.record({
      operation: "invalid",
      transport: "http",
      artifactsReceived: 0,
      artifactsSent: 0,
      bytesReceived,
      bytesSent: 0,
      errors: 1,
      seconds: (clock.monotonic() - started) / 1000,
    });
    return errorReply(error, contentType, clock);
  }
}
