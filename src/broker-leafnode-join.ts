/**
 * Joins another broker as a leafnode, and joins again whenever the connection ends: after a wait that doubles from
 * half a second to half a minute, shortened by chance to between half and all of it, so that many leaves of a
 * restarted server do not come at once. A connection that had joined starts over with the shortest wait. After a
 * duplicate was found the wait is the longest: trying again soon would find the same. So it is after a loop, unless the
 * subject by which the server recognises itself is known: then nothing is tried as long as somebody beyond another
 * leafnode wants that, and soon when nobody does, as when others cut the circle, too.
 */
import type { LeafCredentials } from "./broker-auth.ts";
import { BrokerBeyond } from "./broker-beyond.ts";
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
/** How long after a loop it is looked whether it is gone: left to chance, as others look for the same. */
const APART_MS_MIN = 100;
const APART_MS_MAX = 3_000;
/** nats-server tells its own subject among those of others: what was taken for it may be somebody else's. */
const APART_CHECK_MS = 300_000;

export class LeafJoiner {
  private closed = false;
  private waitMs = WAIT_MS_MIN;
  private timer: Timer | undefined;
  private abort: AbortController | undefined;
  private stopWaiting = () => {};

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
    this.stopWaiting();
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
    const onEnd = (reason: string, wasJoined: boolean, loopSubject?: string) =>
      this.again(reason || (wasJoined ? "the connection ended" : CLOSED_EARLY), wasJoined, loopSubject);
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

  private again(reason: string, wasJoined: boolean, loopSubject?: string): void {
    if (this.closed) return;
    const { random, log } = this.state.deps;
    const isLoop = reason.includes(NATS_ERROR.loop);
    const isApart = isLoop && loopSubject !== undefined;
    if (!isApart && (isLoop || reason.includes(NATS_ERROR.duplicateLeaf))) this.waitMs = WAIT_MS_MAX;
    else if (wasJoined) this.waitMs = WAIT_MS_MIN;
    const delayMs = Math.round(this.waitMs * (0.5 + random.float() / 2));
    this.waitMs = Math.min(WAIT_MS_MAX, this.waitMs * 2);
    const { host, port } = this.remote;
    log.warn("NATS leafnode not connected", { host, port, reason, retryMs: delayMs });
    if (isApart) this.whenApart(loopSubject);
    else this.timer = this.state.deps.clock.after(delayMs, () => this.attempt());
  }

  /** Attempts when no other leafnode leads to who recognises itself by `subject`. */
  private whenApart(subject: string): void {
    const { deps, router } = this.state;
    const delayMs = APART_MS_MIN + deps.random.float() * (APART_MS_MAX - APART_MS_MIN);
    this.timer = deps.clock.after(delayMs, () => {
      const beyond = new BrokerBeyond(router, subject);
      this.stopWaiting = () => beyond.stop();
      if (!beyond.isWanted) {
        beyond.stop();
        this.attempt();
        return;
      }
      this.timer = deps.clock.after(APART_CHECK_MS, () => {
        beyond.stop();
        this.attempt();
      });
      beyond.onGone = () => {
        this.timer?.cancel();
        beyond.stop();
        this.whenApart(subject);
      };
    });
  }
}
