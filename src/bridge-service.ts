/** A bridge with its pages: `/healthz` (this process runs), `/readyz` (it can do its work), `/metrics`. */
import { Hono } from "hono";
import { Bridge, type BridgeDependencies, type BridgeOptions } from "./bridge.ts";
import { EMPTY } from "./bytes.ts";
import type { ListenAddress } from "./listen-address.ts";
import { createTelemetry } from "./telemetry.ts";
import { serveHttp } from "./transport-http-server.ts";

export interface BridgeService {
  readonly bridge: Bridge;
  /** Where the pages are, if they are served. */
  readonly url: string | undefined;
  stop(): Promise<void>;
}

/** @throws EdgeSyncError `address-in-use`, `address-unavailable` */
export function startBridge(
  options: BridgeOptions,
  listen: ListenAddress | undefined,
  deps: Omit<BridgeDependencies, "telemetry">,
  /** Other machines may read `/metrics`. */
  publicMetrics = false,
): BridgeService {
  const telemetry = createTelemetry({
    version: options.version,
    gauges: {
      edgesync_exchanges_pending: { help: "Exchanges under way.", read: () => bridge.activeCount },
      edgesync_upstream_up: {
        help: "Whether the server answered when it was last asked.",
        read: () => (bridge.isServerUp === true ? 1 : 0),
      },
      edgesync_nats_connected: {
        help: "Whether there is a connection to NATS.",
        read: () => (options.link.isConnected ? 1 : 0),
      },
      edgesync_announced: { help: "Announcements sent.", read: () => bridge.announcedCount },
      edgesync_peers: { help: "Peers that are there.", read: () => bridge.peerCount },
    },
  });
  const pages = new Hono();
  pages.get("/healthz", (context) => context.text("ok\n"));
  pages.get("/readyz", (context) => {
    if (!options.link.isConnected) return context.text("no connection to NATS\n", 503);
    return bridge.isServerUp === true
      ? context.text("ready\n")
      : context.text("the server does not answer\n", 503);
  });
  pages.get("/metrics", async (context) =>
    context.body(await telemetry.text(), 200, { "Content-Type": telemetry.contentType }),
  );
  const http =
    listen &&
    serveHttp({
      listen,
      clock: deps.clock,
      exchange: async () => ({ status: 404, contentType: "text/plain", body: new Uint8Array(EMPTY) }),
      uncounted: ["/healthz", "/metrics"],
      localOnly: publicMetrics ? [] : ["/metrics"],
      pages,
    });
  const bridge = new Bridge(options, { ...deps, telemetry });
  return {
    bridge,
    url: http?.url,
    async stop() {
      await Promise.all([bridge.stop(), http?.stop()]);
    },
  };
}
