/**
 * What a running leaf says of itself, as JSON: the answer of its control server and, with `--json`, of
 * `edgesync status` and `sync now`. Times are ISO 8601 in UTC, `null` stands for what is not or never was.
 * (Types, not interfaces: only they count as JSON.)
 */
import type { EdgeSyncError } from "./errors.ts";
import type { LeafIroh } from "./leaf-iroh.ts";
import type { RelayState } from "./leaf-iroh-health.ts";
import type { LeafNats } from "./leaf-nats.ts";
import type { PeerSyncState, SyncCounts, SyncOutcome } from "./leaf-sync.ts";
import type { SyncRefusal } from "./leaf-sync-jobs.ts";
import type { PresentPeer } from "./presence.ts";

export type ErrorStatus = {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
};

/** One sync. Bytes as they travelled. */
export type SyncStatus = SyncCounts & {
  readonly peer: string;
  readonly why: string;
  readonly at: string;
  readonly durationMs: number;
  /** Artifacts known of and not here. */
  readonly wanted: number;
  readonly refused: readonly SyncRefusal[];
  readonly messages: readonly string[];
  readonly skewMs: number;
  readonly error: ErrorStatus | null;
};

export type PeerStatus = {
  readonly name: string;
  readonly transport: string;
  readonly isSyncing: boolean;
  readonly syncs: number;
  readonly failuresInRow: number;
  /** Of all syncs together. */
  readonly totals: SyncCounts;
  readonly last: SyncStatus | null;
  readonly lastGood: SyncStatus | null;
  readonly lastFailed: SyncStatus | null;
};

export type LeafStatus = {
  readonly pid: number;
  readonly version: string;
  readonly repository: string;
  readonly startedAt: string;
  /** Where it serves Fossil clients. */
  readonly http: string | null;
  /** Null without NATS. */
  readonly nats: NatsStatus | null;
  /** Null without iroh. */
  readonly iroh: IrohStatus | null;
  /** Peers that tell of themselves. */
  readonly present: readonly PresentStatus[];
  /** Peers that this leaf syncs with. */
  readonly peers: readonly PeerStatus[];
};

export type NatsStatus = {
  readonly peerId: string;
  readonly servers: readonly { readonly name: string; readonly isConnected: boolean }[];
  /** Announcements sent and heard, and pulls made because of them. */
  readonly announced: number;
  readonly heard: number;
  readonly pulls: number;
};

export type IrohStatus = {
  readonly id: string;
  /** Where it is now. */
  readonly ticket: string;
  /** The relay over which others may reach it; null without. */
  readonly relay: { readonly url: string | null; readonly state: RelayState } | null;
  readonly connections: readonly IrohConnectionStatus[];
};

export type IrohConnectionStatus = {
  readonly id: string;
  /** `direct` or `relay`; null when none is known. */
  readonly path: string | null;
  readonly address: string | null;
  readonly rttMs: number | null;
};

/** A peer as it told of itself. */
export type PresentStatus = {
  readonly peerId: string;
  readonly name: string;
  readonly version: string;
  readonly role: string;
  readonly transports: readonly string[];
  readonly http: string | null;
  readonly iroh: string | null;
  readonly artifacts: number;
  readonly tips: readonly string[];
  readonly lagMs: number;
  /** The NATS server over which it was heard. */
  readonly via: string;
  readonly heardAt: string;
};

export function syncStatus(outcome: SyncOutcome): SyncStatus {
  const { startedAt, durationMs, wantedCount, error, ...rest } = outcome;
  return {
    ...rest,
    at: new Date(startedAt).toISOString(),
    durationMs: Math.round(durationMs),
    wanted: wantedCount,
    error: error === undefined ? null : errorStatus(error),
  };
}

export function peerStatus(state: Readonly<PeerSyncState>): PeerStatus {
  const { peer, isSyncing, syncCount, failuresInRow, totals, last, lastGood, lastFailed } = state;
  const orNull = (outcome: SyncOutcome | undefined) => (outcome === undefined ? null : syncStatus(outcome));
  return {
    name: peer.name,
    transport: peer.transport,
    isSyncing,
    syncs: syncCount,
    failuresInRow,
    totals: { ...totals },
    last: orNull(last),
    lastGood: orNull(lastGood),
    lastFailed: orNull(lastFailed),
  };
}

function errorStatus({ code, message, hint }: EdgeSyncError): ErrorStatus {
  return { code, message, hint: hint ?? null };
}

export function natsStatus(
  nats: LeafNats | undefined,
  counts: Pick<NatsStatus, "announced" | "heard" | "pulls">,
): NatsStatus | null {
  if (nats === undefined) return null;
  const servers = nats.links.map(({ name, isConnected }) => ({ name, isConnected }));
  return { peerId: nats.peerId, servers, ...counts };
}

export function irohStatus(iroh: LeafIroh | undefined): IrohStatus | null {
  if (iroh === undefined) return null;
  const { endpoint } = iroh;
  const connections = endpoint.connections.map((connection) => {
    const { kind = null, address = null, rttMs = null } = connection.path() ?? {};
    return { id: connection.remoteId, path: kind, address, rttMs };
  });
  return { id: endpoint.id, ticket: endpoint.ticket(), relay: iroh.relay ?? null, connections };
}

export function presentStatus({ facts, link, heardAt }: PresentPeer): PresentStatus {
  const { peerId, name, version, role, transports, http = null, iroh = null, tips, lagMs } = facts;
  return {
    peerId,
    name,
    version,
    role,
    transports,
    http,
    iroh,
    artifacts: facts.artifactCount,
    tips,
    lagMs,
    via: link.name,
    heardAt: new Date(heardAt).toISOString(),
  };
}
