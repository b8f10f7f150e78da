/**
 * The broker's state over HTTP, in the shape and with the field names of nats-server's monitoring, so that its tools
 * understand it: `/varz` (the server), `/connz` (connections; `?subs=1` their subjects, `?limit=` and `?offset=` pages),
 * `/subsz` (subscriptions), `/leafz` (leafnodes), `/healthz`. Times are RFC 3339, intervals nanoseconds.
 */
import type { BrokerState, SessionView } from "./broker-state.ts";
import { listenFailure } from "./listen-address.ts";

const NS_PER_MS = 1_000_000;
const PAGE_COUNT = 1_024;

type Answer = (state: BrokerState, query: URLSearchParams, address: Address | undefined) => unknown;

interface Address {
  readonly host: string;
  readonly port: number;
}

const PAGES: Readonly<Record<string, Answer>> = {
  "/varz": server,
  "/connz": connections,
  "/subsz": subscriptions,
  "/leafz": leafnodes,
  "/healthz": () => ({ status: "ok" }),
};

/**
 * Serves the monitoring pages. `clients` is where clients connect.
 *
 * @throws EdgeSyncError `address-in-use`, `address-unavailable`
 */
export function startMonitor(
  address: Address,
  state: BrokerState,
  clients: Address | undefined,
): { readonly port: number; close(): void } {
  const fetch = (request: Request): Response => {
    const { pathname, searchParams } = new URL(request.url);
    const page = PAGES[pathname];
    if (page === undefined) return new Response("404 page not found\n", { status: 404 });
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response("expected GET\n", { status: 405, headers: { allow: "GET, HEAD" } });
    }
    return Response.json(page(state, searchParams, clients));
  };
  try {
    const server = Bun.serve({ hostname: address.host, port: address.port, fetch });
    return { port: server.port!, close: () => void server.stop(true) };
  } catch (cause) {
    throw listenFailure(address, cause);
  }
}

function views(state: BrokerState, kind: SessionView["kind"]): SessionView[] {
  return [...state.sessions.values()].map((session) => session.view()).filter((view) => view.kind === kind);
}

function now(state: BrokerState): string {
  return new Date(state.deps.clock.now()).toISOString();
}

function uptime(state: BrokerState, sinceMs: number): string {
  return `${Math.max(0, Math.floor((state.deps.clock.now() - sinceMs) / 1000))}s`;
}

function server(state: BrokerState, _query: URLSearchParams, address: Address | undefined): unknown {
  const { limits, router } = state;
  const all = [...state.sessions.values()].map((session) => session.view());
  const sum = (field: "outMessages" | "outBytes") => all.reduce((total, view) => total + view[field], 0);
  return {
    server_id: state.serverId,
    server_name: state.serverName,
    version: state.version,
    proto: 1,
    host: address?.host ?? "",
    port: address?.port ?? 0,
    max_connections: limits.connectionCountMax,
    ping_interval: limits.pingIntervalMs * NS_PER_MS,
    ping_max: limits.pingOutMax,
    auth_required: state.authenticator.required,
    tls_required: state.tls !== undefined,
    auth_timeout: limits.authTimeoutMs / 1000,
    max_control_line: limits.controlLineBytesMax,
    max_payload: limits.payloadBytesMax,
    max_pending: limits.pendingBytesMax,
    start: new Date(state.startedMs).toISOString(),
    now: now(state),
    uptime: uptime(state, state.startedMs),
    mem: process.memoryUsage.rss(),
    connections: views(state, "Client").length,
    total_connections: state.totalConnections,
    leafnodes: views(state, "Leafnode").length,
    in_msgs: router.inMessages,
    out_msgs: sum("outMessages"),
    in_bytes: router.inBytes,
    out_bytes: sum("outBytes"),
    slow_consumers: state.slowConsumers,
    subscriptions: router.trie.stats.subscriptions,
  };
}

function connections(state: BrokerState, query: URLSearchParams): unknown {
  const limit = pageNumber(query.get("limit"), PAGE_COUNT);
  const offset = pageNumber(query.get("offset"), 0);
  const all = views(state, "Client");
  const shown = all.slice(offset, offset + limit);
  return {
    server_id: state.serverId,
    now: now(state),
    num_connections: shown.length,
    total: all.length,
    offset,
    limit,
    connections: shown.map((view) => ({
      cid: view.cid,
      kind: view.kind,
      ip: view.ip,
      port: view.port,
      start: new Date(view.startedMs).toISOString(),
      uptime: uptime(state, view.startedMs),
      pending_bytes: view.pendingBytes,
      in_msgs: view.inMessages,
      out_msgs: view.outMessages,
      in_bytes: view.inBytes,
      out_bytes: view.outBytes,
      subscriptions: view.subjects.length,
      name: view.name,
      lang: view.lang,
      version: view.version,
      ...(isOn(query.get("subs")) ? { subscriptions_list: view.subjects } : {}),
    })),
  };
}

function subscriptions(state: BrokerState): unknown {
  const stats = state.router.trie.stats;
  return {
    server_id: state.serverId,
    now: now(state),
    num_subscriptions: stats.subscriptions,
    num_cache: stats.cached,
    num_inserts: stats.inserts,
    num_removes: stats.removes,
    num_matches: stats.matches,
    cache_hit_rate: stats.matches === 0 ? 0 : stats.cacheHits / stats.matches,
  };
}

function leafnodes(state: BrokerState, query: URLSearchParams): unknown {
  const all = views(state, "Leafnode");
  return {
    server_id: state.serverId,
    now: now(state),
    leafnodes: all.length,
    leafs: all.map((view) => ({
      name: view.name,
      account: "$G",
      ip: view.ip,
      port: view.port,
      in_msgs: view.inMessages,
      out_msgs: view.outMessages,
      in_bytes: view.inBytes,
      out_bytes: view.outBytes,
      subscriptions: view.subjects.length,
      ...(isOn(query.get("subs")) ? { subscriptions_list: view.subjects } : {}),
    })),
  };
}

function pageNumber(value: string | null, fallback: number): number {
  return value !== null && /^\d{1,6}$/.test(value) ? Number(value) : fallback;
}

function isOn(value: string | null): boolean {
  return value === "1" || value === "true";
}
