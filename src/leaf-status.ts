/**
 * What a running leaf says of itself, as JSON: the answer of its control server and, with `--json`, of
 * `edgesync status` and `sync now`. Times are ISO 8601 in UTC, `null` stands for what is not or never was.
 * (Types, not interfaces: only they count as JSON.)
 */
import type { EdgeSyncError } from "./errors.ts";
import type { PeerSyncState, SyncCounts, SyncOutcome } from "./leaf-sync.ts";
import type { SyncRefusal } from "./leaf-sync-jobs.ts";

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
  readonly peers: readonly PeerStatus[];
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
