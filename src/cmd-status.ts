/** `edgesync status`, also as `edgesync sync status`: what the running leaf is doing, and how its peers are. */
import { type CliCommand, command } from "./cli-command.ts";
import { askLeaf } from "./cli-leaf.ts";
import { columns } from "./cli-output.ts";
import { presentRows } from "./cli-present.ts";
import type { RelayState } from "./leaf-iroh-health.ts";
import type { IrohStatus, LeafStatus, NatsStatus, PeerStatus } from "./leaf-status.ts";
import { STATUS_WAIT_MS } from "./limits.ts";

export function statusCommandAs(line: string): CliCommand {
  return command({
    description: "says what the running leaf is doing, and how its peers are",
    examples: [{ line: `${line} -R project.fossil`, about: "of the leaf of this repository" }],
    run: async (_args, context) => {
      const status = (await askLeaf(context, "GET /status", STATUS_WAIT_MS)) as LeafStatus;
      context.out.result(
        status,
        () => columns(about(status)) + columns(presentRows(status.present)) + columns(peers(status.peers)),
      );
      return undefined;
    },
  });
}

function about({ pid, version, repository, startedAt, http, nats, iroh }: LeafStatus): string[][] {
  return [
    ["leaf", `process ${pid}, version ${version}, since ${brief(startedAt)} UTC`],
    ["repository", repository],
    ...(http === null ? [] : [["http", http]]),
    ...(nats === null ? [] : natsRows(nats)),
    ...(iroh === null ? [] : irohRows(iroh)),
  ];
}

function natsRows({ peerId, servers, announced, heard, pulls }: NatsStatus): string[][] {
  return [
    ["peer id", peerId],
    ...servers.map(({ name, isConnected }) => ["nats", isConnected ? name : `${name}, not connected`]),
    ["news", `announced ${announced}, heard ${heard}, pulled ${pulls} times`],
  ];
}

function irohRows({ id, relay, connections }: IrohStatus): string[][] {
  return [
    ["iroh", id],
    ...(relay === null ? [] : [["", `relay ${relay.url ?? "not known"}, ${RELAY_STATES[relay.state]}`]]),
    ...connections.map(({ id: remote, path, address, rttMs }) => [
      "",
      path === null ? `to ${remote}` : `to ${remote}, ${path}, ${address}, ${rttMs} ms`,
    ]),
  ];
}

const RELAY_STATES: Readonly<Record<RelayState, string>> = {
  unknown: "not looked at yet",
  up: "connected",
  down: "which does not answer",
  wedged: "which answers, but not connected",
};

function peers(list: readonly PeerStatus[]): string[][] {
  if (list.length === 0) return [["peers", "none"]];
  return [["", ""], ["PEER", "LAST SYNC (UTC)", "SENT", "RECEIVED", "MISSING", "STATE"], ...list.map(row)];
}

function row(peer: PeerStatus): string[] {
  const { name, totals, lastGood } = peer;
  return [
    name,
    lastGood === null ? "never" : brief(lastGood.at),
    `${totals.artifactsSent + totals.filesSent}`,
    `${totals.artifactsReceived + totals.filesReceived}`,
    `${peer.last?.wanted ?? 0}`,
    stateOf(peer),
  ];
}

function stateOf({ isSyncing, failuresInRow, last, lastFailed }: PeerStatus): string {
  if (failuresInRow > 0) {
    const times = failuresInRow === 1 ? "" : ` ${failuresInRow} times`;
    return `failed${times}: ${lastFailed?.error?.message}`;
  }
  if (isSyncing) return "syncing";
  return last === null ? "waiting" : "in sync";
}

/** `2026-01-31 12:00:00` */
const brief = (iso: string) => iso.slice(0, 19).replace("T", " ");
