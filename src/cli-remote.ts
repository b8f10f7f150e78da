/**
 * From a remote to a wire to it: HTTP for a web address, NATS for a project on a NATS server, iroh for an endpoint, a
 * server within this process for a repository on this machine. And how to log in there.
 *
 * The login is the one in the address, else `--user`; the password that of `--password-file` or
 * EDGESYNC_PASSWORD, else the one in the address, else the one remembered, else what is typed on a terminal.
 * A password from the address or the terminal is remembered with the remote, one from a file or the
 * environment is not: it will be there next time.
 *
 * Proxies: `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, in either case, as curl reads them.
 */
import { readFileSync } from "node:fs";
import { option, text } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import type { IrohValues } from "./cli-iroh.ts";
import { NATS_ARGS, type NatsValues, openNats } from "./cli-nats.ts";
import { askPassword, givenPassword, passwordFileArg } from "./cli-password.ts";
import { isTerminal } from "./cli-terminal.ts";
import { UsageError } from "./errors.ts";
import { newPeerId, type PeerId } from "./peer-id.ts";
import { randomHex } from "./random.ts";
import { release } from "./release.ts";
import type { HttpRemote, NatsRemote, Remote } from "./sync-remote.ts";
import type { Credentials } from "./sync-request.ts";
import type { Transport } from "./transport.ts";

/** Longest time to reach a NATS server and be let in. */
const NATS_CONNECT_MS = 15_000;

export const REMOTE_ARGS = {
  user: option(
    { description: "log in as this user, unless the address names one", valueHint: "LOGIN" },
    text,
  ),
  passwordFile: passwordFileArg,
  ca: option(
    { description: "trust the certificates in this file (PEM) besides the system's", valueHint: "FILE" },
    text,
  ),
  ...NATS_ARGS,
};

export interface RemoteValues extends NatsValues {
  readonly user: string | undefined;
  readonly passwordFile: string | undefined;
  readonly ca: string | undefined;
}

/** What is known of the two sides besides the address. */
export interface ConnectFacts {
  /** Whose key iroh peers know, unless another is named. */
  readonly repository: string;
  /** The password remembered with the remote. */
  readonly password?: string | undefined;
  /** How NATS peers know the repository that is synced. */
  readonly ownPeerId?: PeerId | undefined;
}

export interface Connection {
  readonly transport: Transport;
  readonly login: Credentials | undefined;
  /** Whether the login's password should be remembered with the remote. */
  readonly keepsPassword: boolean;
}

/**
 * Connects to a remote; nothing is sent yet.
 *
 * @throws UsageError `password-file`, `bad-ca`, `nats-credentials`, `iroh-address`; ProtocolError `nats-unreachable`;
 *   EdgeSyncError `no-iroh`, `iroh-key`, `iroh-endpoint`
 */
export async function connect(
  remote: Remote,
  values: RemoteValues & IrohValues,
  context: CliContext,
  facts: ConnectFacts,
): Promise<Connection> {
  if (remote.kind === "file") {
    const { serveLocally } = await import("./cli-local-peer.ts");
    return { transport: serveLocally(remote.path, context), login: undefined, keepsPassword: false };
  }
  if (remote.kind === "nats") return connectOverNats(remote, values, context, facts);
  if (remote.kind === "iroh") {
    const { irohTransport } = await import("./cli-iroh.ts");
    const login = await loginFor(
      { address: remote.url, user: undefined, password: undefined },
      values,
      context,
      facts.password,
    );
    return { transport: await irohTransport(remote.endpoint, values, facts.repository, context), ...login };
  }
  return (await dialer(remote, values, context, facts.password))();
}

/** @throws ProtocolError `nats-unreachable`; UsageError `nats-url`, `nats-credentials` */
async function connectOverNats(
  remote: NatsRemote,
  values: RemoteValues,
  context: CliContext,
  { ownPeerId = newPeerId(context.random), password }: ConnectFacts,
): Promise<Connection> {
  const { clock, random } = context;
  const login = await loginFor(
    { address: remote.url, user: undefined, password: undefined },
    values,
    context,
    password,
  );
  const link = await openNats([remote.server], values, context);
  const { NatsTransport, syncSubject } = await import("./transport-nats.ts");
  try {
    await link.connected(NATS_CONNECT_MS);
  } catch (error) {
    await link.close();
    throw error;
  }
  const transport = new NatsTransport({
    link,
    clock,
    subject: syncSubject(remote.prefix ?? values.prefix, remote.projectCode),
    ownPeerId,
    traceId: randomHex(random, 16),
    ownsLink: true,
    ...(remote.peerId !== undefined && { peerId: remote.peerId }),
  });
  return { transport, ...login };
}

/**
 * Finds out all that it takes to connect to a server, once; each call of what is returned connects.
 *
 * @throws as `connect`
 */
export async function dialer(
  remote: HttpRemote,
  values: RemoteValues,
  context: CliContext,
  remembered?: string,
): Promise<() => Connection> {
  const { HttpTransport } = await import("./transport-http.ts");
  const { clock, env } = context;
  const ca = values.ca === undefined ? undefined : readCertificates(values.ca);
  const proxy = proxyFor(new URL(remote.address), env);
  const login = await loginFor(remote, values, context, remembered);
  const options = {
    clock,
    userAgent: `edgesync/${release.version}`,
    ...(ca !== undefined && { ca }),
    ...(proxy !== undefined && { proxy }),
  };
  return () => ({ transport: new HttpTransport(new URL(remote.address), options), ...login });
}

async function loginFor(
  remote: Pick<HttpRemote, "address" | "user" | "password">,
  { user: named, passwordFile }: RemoteValues,
  { env }: CliContext,
  remembered?: string,
): Promise<Pick<Connection, "login" | "keepsPassword">> {
  const user = remote.user ?? named;
  const nobody = { login: undefined, keepsPassword: false };
  if (user === undefined) return nobody;
  const given = givenPassword(passwordFile, env);
  if (given !== undefined) return { login: { user, password: given }, keepsPassword: false };
  const known = remote.password ?? remembered;
  if (known !== undefined) return { login: { user, password: known }, keepsPassword: true };
  // A user that only --user names may be meant for what is made here.
  if (remote.user === undefined || !isTerminal(0)) return nobody;
  const typed = await askPassword(`password of ${user} at ${remote.address}: `);
  return typed === "" ? nobody : { login: { user, password: typed }, keepsPassword: true };
}

function readCertificates(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new UsageError("bad-ca", `the certificates ${file} cannot be read`, { cause });
  }
}

/** The proxy that the environment names for `url`. */
export function proxyFor(url: URL, env: CliContext["env"]): string | undefined {
  const get = (name: string) => env[name] || env[name.toUpperCase()] || undefined;
  const proxy = get(`${url.protocol.slice(0, -1)}_proxy`) ?? get("all_proxy");
  if (proxy === undefined || isExempt(url, get("no_proxy") ?? "")) return undefined;
  return proxy.includes("://") ? proxy : `http://${proxy}`;
}

/** @param list hosts and domains parted by commas; a domain stands for all below it, `*` for everything */
function isExempt({ hostname, host }: URL, list: string): boolean {
  return list
    .split(",")
    .map((entry) =>
      entry
        .trim()
        .toLowerCase()
        .replace(/^\*?\./, ""),
    )
    .some((entry) => {
      if (entry === "") return false;
      return entry === "*" || entry === host || entry === hostname || hostname.endsWith(`.${entry}`);
    });
}
