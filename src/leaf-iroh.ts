/**
 * A repository on iroh: exchanges on ALPN `/edgesync/xfer/1` (`transport-iroh`), and links to the leaves that it was told of
 * and those that connect here (`leaf-iroh-links`).
 *
 * Who may connect: the endpoints that the leaf was told of, and those on the list in the repository (`repo-endpoint`), which
 * is asked at each connection. What they may do there is what their login says, as over HTTP.
 */
import { networkInterfaces } from "node:os";
import type { Broker } from "./broker.ts";
import type { Clock } from "./clock.ts";
import { EdgeSyncError } from "./errors.ts";
import { sha3Hex } from "./hash.ts";
import { IrohEndpoint, type IrohRelay } from "./iroh-endpoint.ts";
import { type IrohRole, LEAFNODE_ALPN } from "./iroh-hello.ts";
import { readIrohKey } from "./iroh-key.ts";
import { type AnswerDependencies, answerExchange } from "./leaf-exchange.ts";
import { LeafIrohHealth, type RelayState } from "./leaf-iroh-health.ts";
import { LeafIrohLinks } from "./leaf-iroh-links.ts";
import type { HostedRepository } from "./leaf-repositories.ts";
import { IROH_AVOID_MAX_MS, IROH_AVOID_MS, IROH_DETOUR_MS, PRESENCE_PEER_MAX_COUNT } from "./limits.ts";
import type { PeerRole } from "./presence-message.ts";
import type { Random } from "./random.ts";
import type { Transport } from "./transport.ts";
import { IrohTransport, XFER_ALPN } from "./transport-iroh.ts";
import { IrohServer } from "./transport-iroh-server.ts";
import { CONTENT_TYPES } from "./xfer-message.ts";

const RELAY_PING_MS = 3_000;
const PRIVATE_PORT_MIN = 49_152;

export interface LeafIrohOptions {
  readonly keyFile: string;
  readonly relay: IrohRelay;
  /** Ids or tickets of endpoints that may connect, besides those on the repository's list; `any`: all. */
  readonly allow: readonly string[];
  /** Ids or tickets of leaves to be linked to; they may connect, too. */
  readonly peers: readonly string[];
  readonly role: IrohRole;
}

/** A way to a peer. */
export interface IrohWay {
  connect(): Transport;
  /** It led nowhere: it is not offered again for a while. */
  avoid(): void;
}

export interface LeafIrohDependencies extends AnswerDependencies {
  readonly random: Random;
}

export interface LeafIroh {
  readonly endpoint: IrohEndpoint;
  readonly links: LeafIrohLinks;
  /** How the relay of this leaf is; undefined where it has none. */
  readonly relay: { readonly url: string | null; readonly state: RelayState } | undefined;
  /** The way to what a peer calls its endpoint, unless it is known to lead nowhere. */
  wayTo(address: string | undefined): IrohWay | undefined;
  /** What a peer calls its endpoint, as it tells everybody, and what its role is. */
  hear(address: string | undefined, role: PeerRole): void;
  /** Cuts off who is no longer allowed. */
  recheck(): Promise<void>;
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
  broker: Broker,
  { keyFile, relay, allow, peers, role }: LeafIrohOptions,
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
  let links: LeafIrohLinks | undefined;
  const avoided = new Map<string, Avoided>();
  const allowed = new Set<string>();
  const admit = async (id: string) =>
    allowed.has("any") || allowed.has(id) || (await hosted.allowsEndpoint(id));
  let endpoint: IrohEndpoint;
  try {
    const secretKey = readIrohKey(keyFile, random);
    endpoint = await IrohEndpoint.start(
      {
        secretKey,
        relay,
        port: portOf(secretKey),
        admit,
        accept: {
          [XFER_ALPN]: (connection) => void server.serve(connection),
          [LEAFNODE_ALPN]: (connection) => links?.accept(connection),
        },
      },
      deps,
    );
  } catch (error) {
    if (!(error instanceof EdgeSyncError) || error.code !== "no-iroh") throw error;
    log.warn("running without iroh", { reason: error.message });
    return undefined;
  }
  try {
    for (const one of [...allow, ...peers]) allowed.add(one === "any" ? one : endpoint.idOf(one));
  } catch (error) {
    await endpoint.close();
    throw error;
  }
  const health = new LeafIrohHealth(
    {
      endpoint,
      hasPeers: () => peers.length > 0,
      ping: pingRelay,
      addresses: ownAddresses,
      onNetworkChange: () => links?.hurry(),
    },
    deps,
  );
  const isRelayDown = () => health.relay === "down";
  const made = new LeafIrohLinks(endpoint, broker, role, { ...deps, isRelayDown });
  links = made;
  for (const peer of peers) void made.stayWith(peer);
  return {
    endpoint,
    links: made,
    get relay() {
      return endpoint.hasRelay ? { url: endpoint.relayUrl ?? null, state: health.relay } : undefined;
    },
    wayTo: (address) => (address === undefined ? undefined : wayTo(endpoint, address, avoided, deps.clock)),
    hear(address, peerRole) {
      if (address === undefined || !isEndpoint(endpoint, address)) return;
      made.hear(address);
      if (!meets(role, peerRole) || !made.mayMeet(endpoint.idOf(address))) return;
      admit(endpoint.idOf(address)).then(
        (isAllowed) => isAllowed && made.meet(address),
        // The repository cannot be read now: it will be heard of again.
        () => {},
      );
    },
    async recheck() {
      await endpoint.recheck();
      await made.recheck(admit);
    },
    async stop() {
      health.stop();
      made.stop();
      server.stop();
      await endpoint.close();
    },
  };
}

/** Whether a leaf links with a peer of that role that it was not told of: a hub waits for others, those of role leaf only join. */
function meets(own: IrohRole, other: PeerRole): boolean {
  return own !== "hub" && other !== "bridge" && (own !== "leaf" || other !== "leaf");
}

function ownAddresses(): Set<string> {
  return new Set(
    Object.values(networkInterfaces()).flatMap((all) => all?.map(({ address }) => address) ?? []),
  );
}

/** Asks a relay whether it is there, as its clients do. */
async function pingRelay(url: string): Promise<boolean> {
  try {
    const { ok } = await fetch(new URL("/ping", url), { signal: AbortSignal.timeout(RELAY_PING_MS) });
    return ok;
  } catch {
    return false;
  }
}

/** One of the ports that are for private use, the same for the same key: so a ticket outlives a restart. */
function portOf(secretKey: Uint8Array): number {
  const digest = Buffer.from(sha3Hex(secretKey), "hex");
  return PRIVATE_PORT_MIN + (digest.readUInt16BE() % (65_536 - PRIVATE_PORT_MIN));
}

/** An endpoint that is not to be tried until then (monotonic), after how long a wait. */
interface Avoided {
  readonly until: number;
  readonly waitMs: number;
}

function wayTo(
  endpoint: IrohEndpoint,
  address: string,
  avoided: Map<string, Avoided>,
  clock: Clock,
): IrohWay | undefined {
  if (!isEndpoint(endpoint, address)) return undefined;
  const id = endpoint.idOf(address);
  const before = avoided.get(id);
  if (endpoint.isReached(id, XFER_ALPN)) avoided.delete(id);
  else if (before !== undefined && before.until > clock.monotonic()) return undefined;
  return {
    connect: () => new IrohTransport({ endpoint, address, clock, connectMs: IROH_DETOUR_MS }),
    avoid() {
      const waitMs = Math.min(IROH_AVOID_MAX_MS, before === undefined ? IROH_AVOID_MS : 2 * before.waitMs);
      if (avoided.size >= PRESENCE_PEER_MAX_COUNT) avoided.clear();
      avoided.set(id, { until: clock.monotonic() + waitMs, waitMs });
    },
  };
}

function isEndpoint(endpoint: IrohEndpoint, address: string): boolean {
  try {
    endpoint.idOf(address);
    return true;
  } catch {
    return false;
  }
}
