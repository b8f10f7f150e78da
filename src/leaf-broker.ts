/**
 * The embedded broker of a leaf: who may connect to it, where, and which servers it joins. What the leaf itself
 * says and hears goes through a link within the process.
 *
 * A listener that other machines can reach lets in only those who know a secret or have a certificate, unless the user said that
 * everybody may. Monitoring asks for no secret, so there it takes that word in any case.
 */
import { type Broker, startBroker } from "./broker.ts";
import type { BrokerAuth } from "./broker-auth.ts";
import type { LeafRemote } from "./broker-leafnode-join.ts";
import type { TlsSettings } from "./broker-socket.ts";
import { bunNetwork } from "./broker-socket-bun.ts";
import type { Clock } from "./clock.ts";
import { UsageError } from "./errors.ts";
import { NATS_PAYLOAD_MAX_BYTES } from "./limits.ts";
import { isLoopback, type ListenAddress } from "./listen-address.ts";
import type { Logger } from "./log.ts";
import type { NatsLink } from "./nats-link.ts";
import { LocalLink } from "./nats-link-local.ts";
import type { Random } from "./random.ts";

export interface LeafBrokerOptions {
  /** Where NATS clients connect. */
  readonly listen?: ListenAddress;
  /** Where leafnodes join. */
  readonly leafListen?: ListenAddress;
  /** Servers to join as a leafnode. */
  readonly leafRemotes?: readonly LeafRemote[];
  /** Where monitoring pages are served. */
  readonly monitor?: ListenAddress;
  readonly auth?: BrokerAuth;
  /** Strangers may use listeners beyond this machine. */
  readonly insecure?: boolean;
  readonly tls?: TlsSettings;
  /** Largest message, headers included, in bytes. */
  readonly maxPayload?: number;
  readonly maxConnections?: number;
}

export interface LeafBroker {
  readonly broker: Broker;
  /** Where it listens, by what is there; undefined where it does not. */
  readonly addresses: {
    readonly nats: string | undefined;
    readonly natsLeaf: string | undefined;
    readonly natsMonitor: string | undefined;
  };
  /** Says who may connect from now on, and closes those who may not any more. @throws UsageError `nkey-syntax` */
  allow(auth: BrokerAuth): void;
  /** A new link for the leaf itself. */
  link(): NatsLink;
  stop(): Promise<void>;
}

/**
 * @throws UsageError `open-listener`, `nkey-syntax`; EdgeSyncError `address-in-use`, `address-unavailable`
 */
export function startLeafBroker(
  options: LeafBrokerOptions,
  deps: { readonly clock: Clock; readonly random: Random; readonly log: Logger },
): LeafBroker {
  checkListeners(options);
  const { listen, leafListen, leafRemotes = [], monitor, auth, tls } = options;
  const { maxPayload = NATS_PAYLOAD_MAX_BYTES, maxConnections } = options;
  const broker = startBroker(
    {
      leafRemotes,
      ...(listen && { listen }),
      ...(leafListen && { leafListen }),
      ...(monitor && { monitor }),
      ...(auth && { auth }),
      ...(tls && { tls }),
      limits: {
        payloadBytesMax: maxPayload,
        ...(maxConnections !== undefined && { connectionCountMax: maxConnections }),
      },
    },
    { ...deps, network: bunNetwork },
  );
  const scheme = tls === undefined ? "nats" : "tls";
  return {
    broker,
    addresses: {
      nats: url(scheme, listen, broker.port),
      natsLeaf: url(scheme, leafListen, broker.leafPort),
      natsMonitor: url("http", monitor, broker.monitorPort),
    },
    allow: (who) => broker.allow(who),
    link: () => new LocalLink({ broker, maxPayload, random: deps.random }),
    stop: () => broker.stop(),
  };
}

function checkListeners({
  listen,
  leafListen,
  monitor,
  auth,
  tls,
  insecure = false,
}: LeafBrokerOptions): void {
  if (insecure) return;
  const hasSecrets = [auth?.users, auth?.tokens, auth?.nkeys].some((list) => (list ?? []).length > 0);
  const hasAuth = hasSecrets || tls?.clientCa !== undefined;
  const open = [...(hasAuth ? [] : [listen, leafListen]), monitor].find(
    (address) => address !== undefined && !isLoopback(address),
  );
  if (open === undefined) return;
  const where = `${open.host}:${open.port}`;
  throw new UsageError("open-listener", `other machines could use ${where} without a password`, {
    hint:
      open === monitor
        ? "monitor on 127.0.0.1, or say --insecure"
        : "add --nats-auth or --nats-client-ca, listen on 127.0.0.1, or say --insecure",
    data: { address: where },
  });
}

function url(
  scheme: string,
  address: ListenAddress | undefined,
  port: number | undefined,
): string | undefined {
  if (address === undefined) return undefined;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${scheme}://${host}:${port}`;
}
