/** `edgesync leaf` and `edgesync repo serve`: repositories open to Fossil clients until told to stop. */
import { existsSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { BROKER_ARGS, brokerOptions, readAuth } from "./cli-broker.ts";
import {
  type Args,
  type CliCommand,
  command,
  type Example,
  flag,
  option,
  positional,
  text,
  type Values,
} from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { LOG_ARGS, type Running, runDaemon } from "./cli-daemon.ts";
import { HTTP_LIMIT_ARGS, httpLimits } from "./cli-http-limits.ts";
import { IROH_LEAF_ARGS, irohKeyFile, irohRelay } from "./cli-iroh.ts";
import { openNats, shownToNats } from "./cli-nats.ts";
import { REMOTE_ARGS } from "./cli-remote.ts";
import { findRepository } from "./cli-repository.ts";
import { listenerTls, readPem, TLS_ARGS } from "./cli-tls.ts";
import { address, choice, duration } from "./cli-values.ts";
import { type ExitCode, UsageError } from "./errors.ts";
import type { LeafOptions } from "./leaf.ts";
import type { ListenAddress } from "./listen-address.ts";
import type { Logger } from "./log.ts";
import { parsePeerId } from "./peer-id.ts";
import { release } from "./release.ts";
import type { Repo } from "./repo.ts";

const HTTP_DEFAULT = "127.0.0.1:8080";
const HTTP_DEFAULT_PORT = 8080;

const ROLES = ["peer", "hub", "leaf"] as const;

const LEAF_ARGS = {
  cloneFrom: option(
    { description: "clone this first if the repository does not exist", valueHint: "URL" },
    text,
  ),
  serveHttp: option(
    {
      description: "serve Fossil clients, /healthz, /readyz and /metrics over HTTP; :8080 is all interfaces",
      valueHint: "ADDR",
      bare: HTTP_DEFAULT,
    },
    address(HTTP_DEFAULT_PORT),
  ),
  peer: option(
    {
      description: "sync with this Fossil or EdgeSync server, or remote of the repository",
      valueHint: "URL",
      repeat: true,
    },
    text,
  ),
  poll: option(
    {
      description: "sync with each peer about this often, whatever is heard of it; not how changes travel",
      valueHint: "DURATION",
      default: "60s",
    },
    duration,
  ),
  push: flag({ description: "send to peers", default: "true" }),
  pull: flag({ description: "fetch from peers", default: "true" }),
  uv: flag({ description: "unversioned files too" }),
  private: flag({ description: "private branches too" }),
  ...REMOTE_ARGS,
  nats: option(
    { description: "answer peers on this NATS server, too", valueHint: "URL", repeat: true },
    text,
  ),
  peerId: option(
    {
      description: "by which other peers know the repository, from now on; else what it has, or chance",
      valueHint: "NAME",
    },
    parsePeerId,
  ),
  role: option(
    { description: `one of ${ROLES.join(", ")}; other peers are told`, valueHint: "ROLE", default: "peer" },
    choice(...ROLES),
  ),
  ...IROH_LEAF_ARGS,
  ...BROKER_ARGS,
  ...TLS_ARGS,
  ...HTTP_LIMIT_ARGS,
  repoDir: option(
    { description: "serve every *.fossil of this folder, each at /NAME", valueHint: "DIR" },
    text,
  ),
  ...LOG_ARGS,
} satisfies Args;

type LeafValues = Values<typeof LEAF_ARGS>;

const HUB_ARGS = {
  ...LEAF_ARGS,
  serveHttp: { ...LEAF_ARGS.serveHttp, default: HTTP_DEFAULT },
  natsListen: { ...LEAF_ARGS.natsListen, default: "127.0.0.1:4222" },
  natsLeafListen: { ...LEAF_ARGS.natsLeafListen, default: "127.0.0.1:7422" },
  role: { ...LEAF_ARGS.role, default: "hub" },
} satisfies Args;

/** `edgesync hub`: what others sync with. The administrator of a repository that it makes is `--user`, else $USER. */
export const hubCommand = command({
  description: "a leaf with everything on for others to sync with: HTTP, NATS, leafnodes",
  daemon: true,
  args: HUB_ARGS,
  examples: [
    { line: "edgesync hub --repo project.fossil", about: "makes the repository if there is none" },
    {
      line: "edgesync hub --repo p.fossil --serve-http :80 --nats-listen :4222 --nats-leaf-listen :7422 --nats-auth @secrets",
      about: "on all interfaces",
    },
  ],
  run: async (args, context) => {
    check(args);
    const { repository } = context.globals;
    if (args.repoDir === undefined && repository !== undefined && !existsSync(repository)) {
      if (args.cloneFrom === undefined) await makeRepository(repository, args.user, context);
    }
    return keep(findRepository(context.globals), args, context);
  },
});

async function makeRepository(
  file: string,
  login: string | undefined,
  { clock, random, env }: CliContext,
): Promise<void> {
  const [repos, { addInitialCheckIn }, { actingUser }] = await Promise.all([
    import("./repo.ts"),
    import("./repo-checkin.ts"),
    import("./cli-user.ts"),
  ]);
  const user = actingUser(login, env);
  const initialize = (repo: Repo) => addInitialCheckIn(repo, user);
  repos.Repo.create(file, { clock, random, user, initialize }).close();
}

/** `edgesync leaf`, also as `edgesync sync start`. */
export function leafCommandAs(line: string): CliCommand {
  const examples: readonly [Example, ...Example[]] = [
    { line: `${line} --repo project.fossil --serve-http`, about: `at ${HTTP_DEFAULT}` },
    {
      line: `${line} --repo project.fossil --peer https://example.org/project`,
      about: "in sync with a server",
    },
    {
      line: `${line} --repo p.fossil --clone-from https://example.org/p --peer https://example.org/p --serve-http`,
      about: "begin with a clone",
    },
    {
      line: `${line} --repo project.fossil --nats-listen 127.0.0.1:4222`,
      about: "with a NATS server of its own",
    },
    {
      line: `${line} --repo project.fossil --iroh --iroh-allow ID`,
      about: "open to an iroh endpoint; tells its own ticket when it is ready",
    },
    {
      line: `${line} --repo project.fossil --iroh-peer TICKET`,
      about: "linked to it, with no server between",
    },
    { line: `${line} --repo-dir /srv/fossils --serve-http :80`, about: "many, on all interfaces" },
  ];
  return command({
    description: "keeps a repository in sync with its peers and open to them until it is told to stop",
    daemon: true,
    args: LEAF_ARGS,
    examples,
    run: (args, context) => {
      check(args);
      if (args.repoDir === undefined) return keep(findRepository(context.globals), args, context);
      return serve({ directory: args.repoDir }, args.serveHttp!, args, context, listenerTls(args));
    },
  });
}

/** @throws UsageError `nothing-to-serve`, `no-direction`, `one-repository`, `hub-joins` */
function check(args: LeafValues): void {
  const { serveHttp, peer, push, pull, repoDir, cloneFrom } = args;
  const usesNats = [args.natsListen, args.natsLeafListen, ...args.natsLeafnode, ...args.nats].some(
    (one) => one !== undefined,
  );
  if (
    serveHttp === undefined &&
    ((peer.length === 0 && !usesNats && !usesIroh(args)) || repoDir !== undefined)
  ) {
    throw new UsageError("nothing-to-serve", "a leaf needs something to do", {
      hint:
        repoDir === undefined
          ? "add --serve-http, --peer URL, --nats URL, --nats-listen ADDR or --iroh"
          : "add --serve-http",
    });
  }
  if (!push && !pull) {
    throw new UsageError("no-direction", "--no-push and --no-pull together leave nothing to do", {
      hint: "leave one of them out",
    });
  }
  if (args.role === "hub" && args.irohPeer.length > 0) {
    throw new UsageError("hub-joins", "a hub waits for others to connect: --iroh-peer is not for it", {
      hint: "use --role peer, or name the hub at the other leaf",
    });
  }
  if (repoDir !== undefined && (peer.length > 0 || cloneFrom !== undefined || usesNats || usesIroh(args))) {
    throw new UsageError(
      "one-repository",
      "--peer, --clone-from, NATS and iroh are for one repository, not a folder",
      { hint: "start a leaf for each: --repo FILE" },
    );
  }
}

const usesIroh = ({ iroh, irohPeer }: LeafValues) => iroh || irohPeer.length > 0;

/** A leaf of one repository. Its parts are loaded only now: they are most of the program. */
function keep(file: string, args: LeafValues, context: CliContext): Promise<ExitCode> {
  return runDaemon(args, context, async (log, signal): Promise<Running> => {
    if (args.cloneFrom !== undefined && !existsSync(file)) {
      await cloneFirst(file, args.cloneFrom, args, context, log, signal);
    }
    const [{ startLeaf }, { HttpPeers }] = await Promise.all([import("./leaf.ts"), import("./cli-peers.ts")]);
    const peers = await HttpPeers.read(args.peer, file, args, context);
    const { push, pull, uv: unversioned, poll: pollMs } = args;
    const tls = listenerTls(args);
    const ca = args.ca === undefined ? undefined : readPem("--ca", args.ca);
    // Links over iroh are leafnodes of the broker.
    const broker =
      brokerOptions(args, { tls, ca, shown: shownToNats(args) }) ?? (usesIroh(args) ? {} : undefined);
    const external = args.nats.length === 0 ? [] : [await openNats(args.nats, args, context, log)];
    const leaf = await startLeaf(
      {
        source: { file },
        http: args.serveHttp,
        ...httpLimits(args),
        ...(tls && { tls }),
        ...(broker && { broker }),
        ...((broker !== undefined || external.length > 0) && {
          nats: { prefix: args.prefix, peerId: args.peerId, links: external },
        }),
        ...(usesIroh(args) && {
          iroh: {
            keyFile: irohKeyFile(args, file),
            relay: irohRelay(args),
            allow: args.irohAllow,
            peers: args.irohPeer,
            role: args.role,
          },
        }),
        keep: {
          peers: peers.list,
          push,
          pull,
          unversioned,
          private: args.private,
          pollMs,
          mesh: { name: hostname(), role: args.role },
        },
        version: release.version,
      },
      { clock: context.clock, random: context.random, log },
    );
    const syncNow = () => leaf.keeper!.syncNow("signal");
    return {
      addresses: {
        http: leaf.httpUrl,
        ...leaf.broker?.addresses,
        irohId: leaf.iroh?.endpoint.id,
        irohTicket: leaf.iroh?.endpoint.ticket(),
      },
      stop: () => leaf.stop(),
      syncNow,
      reload: async () => {
        try {
          leaf.broker?.allow(readAuth(args.natsAuth));
        } finally {
          await peers.reload();
          await syncNow();
        }
      },
    };
  });
}

/** What was wrong with what the peer sent is no reason not to begin with the rest: a sync may bring it. */
async function cloneFirst(
  target: string,
  source: string,
  args: LeafValues,
  context: CliContext,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const { cloneAsAsked } = await import("./cli-clone.ts");
  log.info("cloning", { into: target });
  const summary = await cloneAsAsked({ ...args, source, target, verify: true, signal }, context);
  const { artifactCount, phantomCount, bytesReceived, refused, peer } = summary;
  for (const { hash, error } of refused) log.warn("refused", { peer, what: hash, reason: error.message });
  log.info("cloned", { peer, artifacts: artifactCount, missing: phantomCount, bytesReceived });
}

export const serveCommand = command({
  description: "serves a repository, or a folder of them, to Fossil clients over HTTP",
  daemon: true,
  args: {
    source: positional({ description: "a repository, or a folder whose *.fossil are served each at /NAME" }),
    listen: option(
      { description: "where", valueHint: "ADDR", default: HTTP_DEFAULT },
      address(HTTP_DEFAULT_PORT),
    ),
    ...HTTP_LIMIT_ARGS,
    ...LOG_ARGS,
  },
  examples: [
    { line: "edgesync repo serve project.fossil", about: `at ${HTTP_DEFAULT}` },
    { line: "edgesync repo serve /srv/fossils --listen :80", about: "many, on all interfaces" },
  ],
  run: async ({ source, listen, ...args }, context) => {
    const path = source ?? findRepository(context.globals);
    const isDirectory = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
    return serve(isDirectory ? { directory: path } : { file: path }, listen, args, context);
  },
});

async function serve(
  source: LeafOptions["source"],
  http: ListenAddress,
  args: Values<typeof LOG_ARGS & typeof HTTP_LIMIT_ARGS>,
  context: CliContext,
  tls?: LeafOptions["tls"],
): Promise<ExitCode> {
  return runDaemon(args, context, async (log) => {
    const { startLeaf } = await import("./leaf.ts");
    const leaf = await startLeaf(
      { source, http, ...httpLimits(args), ...(tls && { tls }), version: release.version },
      { clock: context.clock, random: context.random, log },
    );
    return { addresses: { http: leaf.httpUrl }, stop: () => leaf.stop() };
  });
}
