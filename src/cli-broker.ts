/**
 * The options of the embedded broker, and what they say.
 *
 * `--nats-auth` takes one secret each time: `USER:PASSWORD`, an nkey's public half (`U…`, 56 characters), any other
 * word as a token, or `@FILE` with one of these a line (blank ones and those after `#` are passed over). `--nats-leafnode` takes `[SCHEME://][LOGIN@]HOST[:PORT]`:
 * the scheme is `nats` or `tls`, the login `USER:PASSWORD` or a token, percent-encoded where a URL wants it.
 */
import { readFileSync } from "node:fs";
import type { BrokerAuth, LeafCredentials } from "./broker-auth.ts";
import type { LeafRemote } from "./broker-leafnode-join.ts";
import type { TlsSettings } from "./broker-socket.ts";
import { type Args, badValue, flag, option, text, type Values } from "./cli-command.ts";
import { readPem } from "./cli-tls.ts";
import { address, byteSize, integer } from "./cli-values.ts";
import { UsageError } from "./errors.ts";
import type { LeafBrokerOptions } from "./leaf-broker.ts";
import { NATS_PAYLOAD_MAX_BYTES } from "./limits.ts";

const CLIENT_PORT = 4222;
const LEAF_PORT = 7422;
const MONITOR_PORT = 8222;
const CONNECTIONS_MAX_COUNT = 1_000_000;
const PAYLOAD_MIN_BYTES = 1_024;
const PAYLOAD_MAX_BYTES = 67_108_864;

export const BROKER_ARGS = {
  natsListen: option(
    {
      description: `accept NATS clients here, default port ${CLIENT_PORT}; beyond loopback with --nats-auth or --insecure`,
      valueHint: "ADDR",
    },
    address(CLIENT_PORT),
  ),
  natsLeafListen: option(
    { description: `accept NATS leafnodes here, default port ${LEAF_PORT}; same rule`, valueHint: "ADDR" },
    address(LEAF_PORT),
  ),
  natsLeafnode: option(
    { description: "join this NATS server as a leafnode", valueHint: "URL", repeat: true },
    leafRemote,
  ),
  natsAuth: option(
    {
      description: "let in who has this: USER:PASSWORD, an nkey (U…), a token, or @FILE with one a line",
      valueHint: "SECRET",
      repeat: true,
    },
    text,
  ),
  natsClientCa: option(
    {
      description:
        "with --tls-cert: let in only NATS clients and leafnodes whose certificate an authority in this file has signed (PEM)",
      valueHint: "FILE",
    },
    text,
  ),
  insecure: flag({ description: "let everybody use NATS listeners that other machines can reach" }),
  natsMaxPayload: option(
    {
      description: "largest message of the embedded NATS server",
      valueHint: "SIZE",
      default: `${NATS_PAYLOAD_MAX_BYTES / 1_048_576}MB`,
    },
    byteSize(PAYLOAD_MIN_BYTES, PAYLOAD_MAX_BYTES),
  ),
  natsMaxConnections: option(
    { description: "most connections to the embedded NATS server", valueHint: "COUNT", default: "10000" },
    integer(1, CONNECTIONS_MAX_COUNT),
  ),
  natsMonitor: option(
    {
      description: `serve /varz, /connz, /subsz and /leafz here over HTTP, default port ${MONITOR_PORT}`,
      valueHint: "ADDR",
    },
    address(MONITOR_PORT),
  ),
} satisfies Args;

/** The text of certificate files that other options name. */
export interface BrokerCertificates {
  /** Of the listeners. */
  readonly tls: TlsSettings | undefined;
  /** Authorities that the servers to join may have. */
  readonly ca: string | undefined;
  /** Shown to servers to join. */
  readonly shown?: { readonly cert: string; readonly key: string } | undefined;
}

/**
 * The broker that the options ask for; undefined when none of them does.
 *
 * @throws UsageError `nats-auth`, `tls-pair`, `tls-file`
 */
export function brokerOptions(
  args: Values<typeof BROKER_ARGS>,
  { tls, ca, shown }: BrokerCertificates,
): LeafBrokerOptions | undefined {
  const { natsListen: listen, natsLeafListen: leafListen, natsMonitor: monitor, insecure } = args;
  const joins = args.natsLeafnode.length > 0;
  if (listen === undefined && leafListen === undefined && monitor === undefined && !joins) return undefined;
  if (args.natsClientCa !== undefined && tls === undefined) {
    throw new UsageError("tls-pair", "--nats-client-ca is of no use without TLS", {
      hint: "add --tls-cert and --tls-key",
    });
  }
  const clientCa =
    args.natsClientCa === undefined ? {} : { clientCa: readPem("--nats-client-ca", args.natsClientCa) };
  const known = { ...(ca !== undefined && { ca }), ...(shown && { shown }) };
  return {
    ...(listen && { listen }),
    ...(leafListen && { leafListen }),
    ...(monitor && { monitor }),
    leafRemotes: args.natsLeafnode.map((remote) => ({ ...remote, ...known })),
    auth: readAuth(args.natsAuth),
    insecure,
    ...(tls && { tls: { ...tls, ...clientCa } }),
    maxPayload: args.natsMaxPayload,
    maxConnections: args.natsMaxConnections,
  };
}

/** Who may connect, as the options and their files say now. @throws UsageError `nats-auth` */
export function readAuth(given: readonly string[]): BrokerAuth {
  const users: { user: string; password: string }[] = [];
  const tokens: string[] = [];
  const nkeys: string[] = [];
  for (const secret of given.flatMap((one) => (one.startsWith("@") ? readSecrets(one.slice(1)) : [one]))) {
    const colon = secret.indexOf(":");
    if (colon > 0) users.push({ user: secret.slice(0, colon), password: secret.slice(colon + 1) });
    else if (/^U[A-Z2-7]{55}$/.test(secret)) nkeys.push(secret);
    else if (secret !== "" && colon < 0) tokens.push(secret);
    else throw new UsageError("nats-auth", "--nats-auth: expected USER:PASSWORD, an nkey or a token");
  }
  // Files without a line must not mean that everybody may connect.
  if (given.length > 0 && users.length + tokens.length + nkeys.length === 0) {
    throw new UsageError("nats-auth", "--nats-auth: expected at least one secret, got none", {
      hint: "leave the option out to let in everybody who can reach the listener",
    });
  }
  return { users, tokens, nkeys };
}

function readSecrets(file: string): string[] {
  try {
    const lines = readFileSync(file, "utf8").split("\n");
    return lines.map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
  } catch (cause) {
    throw new UsageError("nats-auth", `--nats-auth: the file ${file} cannot be read`, { cause });
  }
}

function leafRemote(value: string): LeafRemote {
  const url = URL.parse(value.includes("://") ? value : `nats://${value}`);
  const isFit = url !== null && /^(nats|tls):$/.test(url.protocol) && /^\/?$/.test(url.pathname + url.search);
  if (!isFit || url.hostname === "")
    return badValue("nats://HOST:PORT or tls://HOST:PORT", hidePassword(value));
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port === "" ? LEAF_PORT : Number(url.port);
  const [user, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
  const credentials: LeafCredentials =
    user === "" ? {} : password === "" ? { token: user } : { user, password };
  return { host, port, credentials, ...(url.protocol === "tls:" && { tls: {} }) };
}

function hidePassword(value: string): string {
  return value.replace(/\/\/[^@/]*@/, "//…@");
}
