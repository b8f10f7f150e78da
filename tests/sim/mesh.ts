/**
 * A machine among others on NATS: the product's own broker, its leafnodes on simulated sockets, and the agents that tell
 * of news and hear of it. The first machine is the hub; the others join it as leafnodes.
 */
import { type Broker, startBroker } from "../../src/broker.ts";
import type { Clock } from "../../src/clock.ts";
import { LeafMesh } from "../../src/leaf-mesh.ts";
import { startLeafNats } from "../../src/leaf-nats.ts";
import type { HostedRepository } from "../../src/leaf-repositories.ts";
import type { LeafSync } from "../../src/leaf-sync.ts";
import type { LeafWatch } from "../../src/leaf-watch.ts";
import { NATS_PAYLOAD_MAX_BYTES } from "../../src/limits.ts";
import type { Logger } from "../../src/log.ts";
import type { NatsLink } from "../../src/nats-link.ts";
import { LocalLink } from "../../src/nats-link-local.ts";
import { asPeerId } from "../../src/peer-id.ts";
import type { Random } from "../../src/random.ts";
import type { Telemetry } from "../../src/telemetry.ts";
import type { Owner, SimulatedSockets } from "./sockets.ts";

export const NO_TELEMETRY: Telemetry = { record() {}, text: async () => "", contentType: "" };

/** Not the name by which others poll it: that is another way to it. */
export const peerIdOf = (name: string): string => `nats-${name}`;

const LEAFNODE_PORT = 7422;

export interface MeshWorld {
  readonly sockets: SimulatedSockets;
  /** Whom the others join. */
  readonly hub: string;
  /** Hears everything that is published on a broker. */
  readonly onMessage: (subject: string, payload: Uint8Array) => void;
}

export interface MeshDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** The broker of a machine, and a link to it. */
export function startSimulatedBroker(
  owner: Owner,
  { sockets, hub, onMessage }: MeshWorld,
  deps: MeshDeps,
): { readonly broker: Broker; readonly link: NatsLink } {
  const isHub = owner.name === hub;
  const address = { host: hub, port: LEAFNODE_PORT };
  const broker = startBroker(
    isHub ? { leafListen: { host: owner.name, port: LEAFNODE_PORT } } : { leafRemotes: [address] },
    { ...deps, network: sockets.of(owner) },
  );
  if (isHub) {
    const spy = broker.connect();
    for (const last of ["commit", "presence"]) {
      spy.subscribe(`fossil.*.${last}`, ({ subject, payload }) => onMessage(subject, payload));
    }
  }
  const link = new LocalLink({ broker, maxPayload: NATS_PAYLOAD_MAX_BYTES, random: deps.random });
  return { broker, link };
}

export interface SimulatedMesh {
  readonly mesh: LeafMesh;
  /** Lets go of the file, as a process that dies does. */
  letGo(): void;
}

export async function joinMesh(
  owner: Owner,
  /** `judged` is the repository as it answers to others. */
  { hosted, judged, sync }: { hosted: HostedRepository; judged: HostedRepository; sync: LeafSync },
  world: MeshWorld,
  options: { readonly pollMs: number; readonly push: boolean; readonly pushTo: readonly string[] },
  deps: MeshDeps,
): Promise<SimulatedMesh> {
  const { link } = startSimulatedBroker(owner, world, deps);
  const nats = await startLeafNats(
    judged,
    { prefix: "fossil", peerId: asPeerId(peerIdOf(owner.name)), links: [link] },
    { ...deps, telemetry: NO_TELEMETRY },
  );
  const mesh = new LeafMesh(
    hosted,
    nats,
    sync,
    { name: owner.name, role: owner.name === world.hub ? "hub" : "peer" },
    { version: "simulation", http: undefined, iroh: undefined, pull: true, ...options },
    // Nobody tells of changed files: they are looked for.
    { ...deps, watchFolder: () => () => {} },
  );
  mesh.start();
  return {
    mesh,
    letGo: () => (mesh as unknown as { readonly watch: LeafWatch }).watch.stop(),
  };
}
