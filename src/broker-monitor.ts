/**
 * The broker's state over HTTP, in the shape and with the field names of nats-server's monitoring, so that its tools
 * understand it: `/varz` (the server), `/connz` (connections; `?subs=1` their subjects, `?subs=detail` more of these,
 * `?auth=1` their users, `?cid=` one of them, `?sort=` by a column, `?limit=` and `?offset=` pages), `/subsz` (subscriptions;
 * `?subs=1` each), `/leafz` (leafnodes; `?subs=1`), `/healthz`. A wrong value is answered with 400. Times are RFC 3339,
 * intervals nanoseconds. Connections that are over are not kept: `?state=closed` is empty.
 */
import { availableParallelism } from "node:os";
import type { Subscription } from "./broker-router.ts";
import type { BrokerState } from "./broker-state.ts";
import type { SessionView } from "./broker-view.ts";
import { UsageError } from "./errors.ts";
import { listenFailure } from "./listen-address.ts";
import { fromWire } from "./nats-subject.ts";

const NS_PER_MS = 1_000_000;
const PAGE_COUNT = 1_024;
/** Two questions closer together get the same answer of how busy the processor is. */
const PROCESSOR_MS_MIN = 500;

type Answer = (state: BrokerState, query: URLSearchParams, about: About) => unknown;

interface Address {
  readonly host: string;
  readonly port: number;
}

/** Where the broker listens. */
interface About {
  readonly clients: Address | undefined;
  readonly leaves: Address | undefined;
  readonly monitor: Address;
}

/** By what connections are sorted, most first but for `cid`, and what of them decides. */
const SORTS: Readonly<Record<string, (view: SessionView) => number>> = {
  cid: ({ cid }) => -cid,
  start: ({ cid }) => -cid,
  subs: ({ subscriptions }) => subscriptions.length,
  pending: ({ pendingBytes }) => pendingBytes,
  msgs_to: ({ outMessages }) => outMessages,
  msgs_from: ({ inMessages }) => inMessages,
  bytes_to: ({ outBytes }) => outBytes,
  bytes_from: ({ inBytes }) => inBytes,
  last: ({ activeMs }) => activeMs,
  idle: ({ activeMs }) => -activeMs,
  uptime: ({ startedMs }) => -startedMs,
  rtt: ({ roundTripMs }) => roundTripMs ?? 0,
};
const STATES = ["open", "closed", "any", "all"];

const PAGES: Readonly<Record<string, Answer>> = {
  "/varz": server,
  "/connz": connections,
  "/subsz": subscriptions,
  "/leafz": leafnodes,
  "/healthz": () => ({ status: "ok" }),
};

/**
 * Serves the monitoring pages. `listeners` is where clients and leafnodes connect.
 *
 * @throws EdgeSyncError `address-in-use`, `address-unavailable`
 */
export function startMonitor(
  address: Address,
  state: BrokerState,
  listeners: Pick<About, "clients" | "leaves">,
): { readonly port: number; close(): void } {
  let at = address;
  const fetch = (request: Request): Response => {
    const { pathname, searchParams } = new URL(request.url);
    const page = PAGES[pathname];
    if (page === undefined) return new Response("404 page not found\n", { status: 404 });
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response("expected GET\n", { status: 405, headers: { allow: "GET, HEAD" } });
    }
    try {
      return Response.json(page(state, searchParams, { ...listeners, monitor: at }));
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      return new Response(`${error.message}\n`, { status: 400 });
    }
  };
  try {
    const server = Bun.serve({ hostname: address.host, port: address.port, fetch });
    at = { host: address.host, port: server.port! };
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

function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** As nats-server writes it: "1d2h3m4s", without what is zero in front. */
function since(state: BrokerState, sinceMs: number): string {
  const seconds = Math.max(0, Math.floor((state.deps.clock.now() - sinceMs) / 1000));
  const parts = [
    ["y", Math.floor(seconds / 31_536_000)],
    ["d", Math.floor(seconds / 86_400) % 365],
    ["h", Math.floor(seconds / 3600) % 24],
    ["m", Math.floor(seconds / 60) % 60],
    ["s", seconds % 60],
  ] as const;
  const first = parts.findIndex(([, count]) => count > 0);
  return parts
    .slice(first < 0 ? -1 : first)
    .map(([unit, count]) => `${count}${unit}`)
    .join("");
}

/** Processor time of this process, in percent of one processor, since it was last asked for. */
const processor = { usedUs: 0, atMs: 0, percent: 0 };
function processorPercent(nowMs: number): number {
  const { user, system } = process.cpuUsage();
  const passedMs = nowMs - processor.atMs;
  if (passedMs < PROCESSOR_MS_MIN) return processor.percent;
  const isFirst = processor.atMs === 0;
  const overMs = isFirst ? process.uptime() * 1000 : passedMs;
  const percent = Math.round((user + system - processor.usedUs) / 10 / overMs);
  Object.assign(processor, { usedUs: user + system, atMs: nowMs, percent });
  return percent;
}

function server(
  state: BrokerState,
  _query: URLSearchParams,
  { clients: address, leaves, monitor }: About,
): unknown {
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
    http_host: monitor.host,
    http_port: monitor.port,
    max_connections: limits.connectionCountMax,
    ping_interval: limits.pingIntervalMs * NS_PER_MS,
    ping_max: limits.pingOutMax,
    auth_required: state.authenticator.required,
    tls_required: state.tls !== undefined,
    auth_timeout: limits.authTimeoutMs / 1000,
    tls_timeout: limits.authTimeoutMs / 1000,
    max_control_line: limits.controlLineBytesMax,
    max_payload: limits.payloadBytesMax,
    max_pending: limits.pendingBytesMax,
    leaf:
      leaves === undefined
        ? {}
        : { host: leaves.host, port: leaves.port, auth_timeout: limits.authTimeoutMs / 1000 },
    start: isoTime(state.startedMs),
    now: now(state),
    config_load_time: isoTime(state.configuredMs),
    uptime: since(state, state.startedMs),
    mem: process.memoryUsage.rss(),
    cpu: processorPercent(state.deps.clock.monotonic()),
    cores: availableParallelism(),
    connections: views(state, "Client").length,
    total_connections: state.totalConnections,
    routes: 0,
    remotes: 0,
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
  const limit = pageNumber(query, "limit", PAGE_COUNT);
  const offset = pageNumber(query, "offset", 0);
  const cid = pageNumber(query, "cid", 0);
  const sort = SORTS[query.get("sort") || "cid"];
  if (sort === undefined) throw badQuery("sort", query);
  const which = query.get("state") || "open";
  if (!STATES.includes(which)) throw badQuery("state", query);
  const all = views(state, "Client")
    .filter((view) => which !== "closed" && (cid === 0 || view.cid === cid))
    .sort((a, b) => sort(b) - sort(a));
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
      type: "nats",
      ip: view.ip,
      port: view.port,
      start: isoTime(view.startedMs),
      last_activity: isoTime(view.activeMs),
      ...roundTrip(view),
      uptime: since(state, view.startedMs),
      idle: since(state, view.activeMs),
      pending_bytes: view.pendingBytes,
      in_msgs: view.inMessages,
      out_msgs: view.outMessages,
      in_bytes: view.inBytes,
      out_bytes: view.outBytes,
      subscriptions: view.subscriptions.length,
      name: view.name,
      lang: view.lang,
      version: view.version,
      ...(isOn(query.get("auth")) && view.user !== undefined ? { authorized_user: view.user } : {}),
      ...subjects(view, query),
    })),
  };
}

function subscriptions(state: BrokerState, query: URLSearchParams): unknown {
  const limit = pageNumber(query, "limit", PAGE_COUNT);
  const offset = pageNumber(query, "offset", 0);
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
    total: stats.subscriptions,
    offset,
    limit,
    ...(isOn(query.get("subs")) && {
      subscriptions_list: [...state.router.trie.all()].slice(offset, offset + limit).map(detail),
    }),
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
      ...roundTrip(view),
      subscriptions: view.subscriptions.length,
      ...(isOn(query.get("subs")) ? subjects(view, query) : {}),
    })),
  };
}

/** In Go's notation of durations. */
function roundTrip({ roundTripMs }: SessionView): { rtt?: string } {
  return roundTripMs === undefined ? {} : { rtt: `${Math.round(roundTripMs * 1000)}µs` };
}

function subjects(
  { subscriptions: all }: SessionView,
  query: URLSearchParams,
): Readonly<Record<string, unknown>> {
  const asked = query.get("subs");
  if (all.length === 0) return {};
  if (asked === "detail") return { subscriptions_list_detail: all.map(detail) };
  return isOn(asked) ? { subscriptions_list: all.map(({ subject }) => fromWire(subject)) } : {};
}

function detail({ subject, queue, sid, delivered, max, owner }: Subscription): unknown {
  return {
    subject: fromWire(subject),
    ...(queue !== "" && { qgroup: fromWire(queue) }),
    sid: fromWire(sid),
    msgs: delivered,
    ...(max > 0 && { max }),
    cid: owner.id,
  };
}

/** @throws UsageError `monitor-query` */
function pageNumber(query: URLSearchParams, name: string, fallback: number): number {
  const value = query.get(name);
  if (value === null || value === "") return fallback;
  if (!/^\d{1,9}$/.test(value)) throw badQuery(name, query);
  return Number(value);
}

function badQuery(name: string, query: URLSearchParams): UsageError {
  return new UsageError("monitor-query", `invalid value of ${name}: ${query.get(name)}`);
}

function isOn(value: string | null): boolean {
  return value === "1" || value === "true";
}
