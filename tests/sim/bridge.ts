/** A bridge to a server that is not on NATS: a machine without a repository, which never dies. */
import { Bridge } from "../../src/bridge.ts";
import type { Hash } from "../../src/hash.ts";
import { asPeerId } from "../../src/peer-id.ts";
import type { Credentials } from "../../src/sync-request.ts";
import type { Transport } from "../../src/transport.ts";
import { type MeshDeps, type MeshWorld, NO_TELEMETRY, peerIdOf, startSimulatedBroker } from "./mesh.ts";
import type { Owner } from "./sockets.ts";

export function startSimulatedBridge(
  owner: Owner,
  world: MeshWorld,
  server: {
    readonly projectCode: string;
    readonly login: Credentials;
    readonly pollMs: number;
    readonly connect: () => Transport;
  },
  deps: MeshDeps,
): Bridge {
  const { link } = startSimulatedBroker(owner, world, deps);
  return new Bridge(
    {
      link,
      prefix: "fossil",
      peerId: asPeerId(peerIdOf(owner.name)),
      name: owner.name,
      version: "simulation",
      ...server,
      projectCode: server.projectCode as Hash,
    },
    { ...deps, telemetry: NO_TELEMETRY },
  );
}
