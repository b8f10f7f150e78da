/**
 * Joins another broker as a leafnode, and joins again whenever the connection ends: after a wait that doubles from
 * half a second to half a minute, shortened by chance to between half and all of it, so that many leaves of a
 * restarted server do not come at once. A connection that had joined starts over with the shortest wait. After a
 * loop or a duplicate was found the wait is the longest: trying again soon would find the same.
 */
import type { LeafCredentials } from "./broker-auth.ts";
import { LeafSession } from "./broker-leafnode.ts";
import type { TlsSettings } from "./broker-socket.ts";
import type { BrokerState } from "./broker-state.ts";
import type { Timer } from "./clock.ts";
import { TimeoutError } from "./errors.ts";
import { NATS_ERROR } from "./nats-protocol.ts";

export interface LeafRemote {
  readonly host: string;
  readonly port: number;
  readonly credentials?: LeafCredentials;
  /** Given: TLS even if the server does not ask for it. */
  readonly tls?: TlsSettings;
  /** PEM text of the authorities that the server's certificate may have, unless `tls` names them. */
  readonly ca?: string;
  /** PEM texts shown to a server that asks who joins, unless `tls` has others. */
  readonly shown?: { readonly cert: string; readonly key: string };
}

const CONNECT_MS_MAX = 5_000;
/** So a server behaves that does not accept a certificate. */
const CLOSED_EARLY =
  "the server closed the connection without a word; it may want a certificate that it trusts";
const WAIT_MS_MIN = 500;
const WAIT_MS_MAX = 30_000;

export class LeafJoiner {
  private closed = false;
  private waitMs = WAIT_MS_MIN;
  private timer: Timer | undefined;
  private abort: AbortController | undefined;

  constructor(
    private readonly state: BrokerState,
    private readonly remote: LeafRemote,
  ) {
    this.attempt();
  }

  /** Tries no more; a connection that exists stays. */
  close(): void {
    this.closed = true;
    this.timer?.cancel();
    this.abort?.abort(new TimeoutError("nats-connect-timeout", "the broker stops"));
  }

  private attempt(): void {
    const { host, port, credentials = {}, tls, ca, shown } = this.remote;
    const { clock, network } = this.state.deps;
    const abort = new AbortController();
    this.abort = abort;
    const timer = clock.after(CONNECT_MS_MAX, () =>
      abort.abort(new TimeoutError("nats-connect-timeout", `no answer in ${CONNECT_MS_MAX} ms`)),
    );
    const onEnd = (reason: string, wasJoined: boolean) =>
      this.again(reason || (wasJoined ? "the connection ended" : CLOSED_EARLY), wasJoined);
    // Certificates name the host, unless told otherwise.
    const settings = { serverName: host, ...(ca === undefined ? {} : { ca }), ...shown, ...tls };
    const origin = {
      kind: "spoke-leaf",
      credentials,
      tls: settings,
      needsTls: tls !== undefined,
      onEnd,
    } as const;
    network
      .connect({ host, port }, (socket) => new LeafSession(this.state, socket, origin), abort.signal)
      .catch((error: Error) => this.again(error.message, false))
      .finally(() => timer.cancel());
  }

  private again(reason: string, wasJoined: boolean): void {
    if (this.closed) return;
    const { clock, random, log } = this.state.deps;
    if (reason.includes(NATS_ERROR.loop) || reason.includes(NATS_ERROR.duplicateLeaf))
      this.waitMs = WAIT_MS_MAX;
    else if (wasJoined) this.waitMs = WAIT_MS_MIN;
    const delayMs = Math.round(this.waitMs * (0.5 + random.float() / 2));
    this.waitMs = Math.min(WAIT_MS_MAX, this.waitMs * 2);
    const { host, port } = this.remote;
    log.warn("NATS leafnode not connected", { host, port, reason, retryMs: delayMs });
    this.timer = clock.after(delayMs, () => this.attempt());
  }
}
