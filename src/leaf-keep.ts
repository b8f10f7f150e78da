/**
 * What a leaf does for the one repository it keeps, beside serving it: it syncs with its peers, when there is news, now
 * and then, and when it is told to, and answers the commands that ask about it.
 *
 * Control routes: `GET /status` → `LeafStatus`; `GET /peers` → `PresentStatus[]`; `POST /sync` → `SyncStatus[]`, once
 * every peer was synced with; `POST /recheck` → null: endpoints that are no longer allowed are cut off.
 */
import { hostname } from "node:os";
import type { Clock } from "./clock.ts";
import { EdgeSyncError } from "./errors.ts";
import { type LeafControl, startControl } from "./leaf-control.ts";
import type { LeafIroh } from "./leaf-iroh.ts";
import { LeafMesh, type MeshOptions } from "./leaf-mesh.ts";
import type { LeafNats } from "./leaf-nats.ts";
import { LeafPoll } from "./leaf-poll.ts";
import type { HostedRepository } from "./leaf-repositories.ts";
import {
  irohStatus,
  type LeafStatus,
  natsStatus,
  peerStatus,
  presentStatus,
  syncStatus,
} from "./leaf-status.ts";
import { LeafSync, type SyncManners, type SyncOutcome, type SyncPeer } from "./leaf-sync.ts";
import type { Logger } from "./log.ts";
import type { PeerId } from "./peer-id.ts";
import type { Random } from "./random.ts";

/** A leaf without NATS only looks after its other peers. */
const NO_NATS = { links: [], prefix: "", projectCode: "", peerId: "" as PeerId };

export interface KeepOptions extends SyncManners {
  /** Known from the start, and polled. */
  readonly peers: readonly SyncPeer[];
  /** Between two polls of a peer, about. */
  readonly pollMs: number;
  /** What polls and `syncNow` do. */
  readonly push: boolean;
  readonly pull: boolean;
  /** Among the peers on NATS. */
  readonly mesh?: MeshOptions;
}

export interface KeepDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export interface Keeper {
  readonly sync: LeafSync;
  readonly poll: LeafPoll;
  readonly mesh: LeafMesh;
  /** Syncs with every peer. */
  syncNow(why: string): Promise<SyncOutcome[]>;
  /** Breaks off syncs, at the end of the transaction in hand. */
  stop(): Promise<void>;
}

/**
 * @param about what `status` tells of the leaf beside its peers
 * @param wires over which it is answered besides HTTP
 * @throws RepoError `leaf-running` when another leaf keeps the repository
 */
export async function keepRepository(
  hosted: HostedRepository,
  options: KeepOptions,
  about: Pick<LeafStatus, "version" | "http">,
  { nats, iroh }: { readonly nats: LeafNats | undefined; readonly iroh: LeafIroh | undefined },
  deps: KeepDependencies,
): Promise<Keeper> {
  const { clock } = deps;
  const { push, pull } = options;
  const sync = new LeafSync((input, isAnswered) => hosted.beginSync(input, isAnswered), options, deps);
  const poll = new LeafPoll(sync, { intervalMs: options.pollMs, push, pull }, deps);
  const syncNow = (why: string) => sync.requestAll({ push, pull, why });
  const mesh = new LeafMesh(
    hosted,
    nats ?? NO_NATS,
    sync,
    options.mesh ?? { name: hostname(), role: "peer" },
    {
      ...options,
      version: about.version,
      http: undefined,
      iroh,
      pushTo: options.peers.map(({ name }) => name),
    },
    deps,
  );
  const startedAt = clock.now();
  const status = (): LeafStatus => ({
    pid: process.pid,
    repository: hosted.path,
    startedAt: new Date(startedAt).toISOString(),
    ...about,
    nats: natsStatus(nats, mesh.counts),
    iroh: irohStatus(iroh),
    present: mesh.presence.peers.map(presentStatus),
    peers: sync.peers.map(peerStatus),
  });
  const control = await startControlIfPossible(hosted.path, deps, {
    "GET /status": status,
    "GET /peers": () => mesh.presence.peers.map(presentStatus),
    "POST /recheck": async () => {
      await iroh?.recheck();
      return null;
    },
    "POST /sync": async () => (await syncNow("command")).map(syncStatus),
  });
  for (const peer of options.peers) {
    sync.add(peer);
    poll.add(peer.name);
  }
  mesh.start();
  if (iroh !== undefined) iroh.links.onLinked = () => mesh.presence.joinAgain();
  return {
    sync,
    poll,
    mesh,
    syncNow,
    async stop() {
      poll.stop();
      await mesh.stop();
      await sync.stop();
      await control?.stop();
    },
  };
}

/** A folder that cannot be written is no reason not to serve what is in it. */
async function startControlIfPossible(
  path: string,
  deps: KeepDependencies,
  routes: Parameters<typeof startControl>[1],
): Promise<LeafControl | undefined> {
  try {
    return await startControl(path, routes, deps);
  } catch (error) {
    if (!(error instanceof EdgeSyncError) || error.code !== "control-file") throw error;
    deps.log.warn("no control file: edgesync status and sync now will not find this leaf", {
      reason: error.message,
    });
    return undefined;
  }
}
