/** What monitoring (`broker-monitor`) shows of a connection. Times are of the wall clock, in milliseconds. */
import type { Credentials } from "./broker-auth.ts";
import type { BrokerConnection } from "./broker-connection.ts";
import type { Heartbeat } from "./broker-heartbeat.ts";
import type { Subscription } from "./broker-router.ts";

/** What only the session itself knows. */
interface SessionFacts {
  readonly cid: number;
  readonly kind: "Client" | "Leafnode";
  readonly name: string;
  readonly lang: string;
  readonly version: string;
  readonly startedMs: number;
  readonly inMessages: number;
  readonly inBytes: number;
  readonly subscriptions: readonly Subscription[];
}

export interface SessionView extends SessionFacts {
  readonly ip: string;
  readonly port: number;
  /** When something last came from it or was sent to it. */
  readonly activeMs: number;
  /** Of its last PING; undefined before there was one. */
  readonly roundTripMs: number | undefined;
  /** The user or nkey that it gave; undefined for a token, and where it gave none. */
  readonly user: string | undefined;
  readonly pendingBytes: number;
  readonly outMessages: number;
  readonly outBytes: number;
}

export function viewOf(
  facts: SessionFacts,
  { pendingBytes, outMessages, outBytes, wroteAtMs, socket }: BrokerConnection,
  { heardAtMs, roundTripMs }: Heartbeat,
  { user, nkey }: Credentials,
): SessionView {
  return {
    ...facts,
    ip: socket.remoteAddress,
    port: socket.remotePort,
    activeMs: Math.max(wroteAtMs, heardAtMs),
    roundTripMs,
    user: user ?? nkey,
    pendingBytes,
    outMessages,
    outBytes,
  };
}
