/**
 * Syncing around a command, as the setting `autosync` says: on (the default), off, or pull-only (`pullonly`). It may
 * name commands: `on, open=off`. There must be a remote that is remembered; any kind will do.
 *
 * Before: a pull. For a commit it also tells the peer which check-in is going to be the parent, for a minute or until
 * the commit is pushed; a peer that was told the same by somebody else says so. A pull that fails stops the command.
 * After a commit: a push and a pull, unless it is pull-only or the setting `dont-push` is on. A push that fails does not
 * undo the commit.
 *
 * Source: Fossil `src/sync.c`, `src/xfer.c`.
 */
import type { Checkout } from "./checkout-db.ts";
import type { CheckoutSettings } from "./checkout-settings.ts";
import { type Args, flag, type Values } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { IROH_ARGS } from "./cli-iroh.ts";
import { REMOTE_ARGS } from "./cli-remote.ts";
import { EdgeSyncError, RepoError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import { randomHex } from "./random.ts";
import type { Repo } from "./repo.ts";
import { defaultRemote } from "./repo-remote.ts";

/** What `--user` is elsewhere: here that is whose name the check-in bears. */
const { user: remoteUser, ...CONNECT_ARGS } = REMOTE_ARGS;

export const AUTOSYNC_ARGS = {
  sync: flag({
    description: "sync with the remembered remote, whatever the setting autosync says",
    default: "true",
  }),
  remoteUser,
  ...CONNECT_ARGS,
  ...IROH_ARGS,
} satisfies Args;

export type AutosyncValues = Values<typeof AUTOSYNC_ARGS>;

type Mode = "off" | "pull" | "both";

export interface PulledBefore {
  /** Who else is about to commit on the same check-in. */
  readonly lockHolder: { readonly user: string; readonly since: number } | undefined;
  readonly avoidsDeltas: boolean;
}

/** Where a sync happens, and what for. */
export interface Autosync {
  readonly repo: Repo;
  readonly settings: CheckoutSettings;
  /** The command, as the setting may name it. */
  readonly command: "commit" | "update" | "open" | "merge";
  /** Set while a commit is on its way: whose, and on which check-in. */
  readonly lock?: { readonly client: () => Hash; readonly checkIn?: Hash };
}

/**
 * The pull before a command.
 *
 * @returns `undefined` when there is nothing to do
 * @throws RepoError `autosync-failed`
 */
export async function pullBefore(
  autosync: Autosync,
  args: AutosyncValues,
  context: CliContext,
): Promise<PulledBefore | undefined> {
  const mode = modeOf(autosync, args);
  if (mode === "off") return undefined;
  const { lock, ...rest } = autosync;
  const asked = mode === "both" && lock !== undefined ? { ...rest, lock } : rest;
  try {
    return await exchange(asked, { pull: true, push: false }, args, context);
  } catch (cause) {
    if (!(cause instanceof EdgeSyncError)) throw cause;
    throw new RepoError("autosync-failed", `the sync before it failed: ${cause.message}`, {
      cause,
      hint: "nothing was done; go on without it with --no-sync",
    });
  }
}

/**
 * The push after a commit.
 *
 * @returns what went wrong; `undefined` when nothing did
 */
export async function pushAfter(
  autosync: Autosync,
  args: AutosyncValues,
  context: CliContext,
): Promise<EdgeSyncError | undefined> {
  if (modeOf(autosync, args) !== "both") return undefined;
  try {
    await exchange(autosync, { pull: true, push: true }, args, context);
    return undefined;
  } catch (error) {
    if (error instanceof EdgeSyncError) return error;
    throw error;
  }
}

/** Names this checkout when it locks check-ins: 40 hex digits, kept as stock does. */
export function lockClient(checkout: Checkout, { random }: CliContext): Hash {
  const kept = checkout.variable("client-id");
  if (kept !== undefined && /^[0-9a-f]{40}$/.test(kept)) return kept as Hash;
  const made = randomHex(random, 20);
  checkout.setVariable("client-id", made);
  return made as Hash;
}

function modeOf({ repo, settings, command }: Autosync, { sync }: AutosyncValues): Mode {
  if (!sync || defaultRemote(repo) === undefined) return "off";
  const value = valueFor(settings.get("autosync") ?? "on", command);
  if (/^(?:off|no|false|0)$/i.test(value)) return "off";
  return /pull/i.test(value) || repo.config.isOn("dont-push", false) ? "pull" : "both";
}

/** Of `on, open=off`: the part for the command, else the first without a name. */
function valueFor(setting: string, command: string): string {
  const parts = setting.split(",").map((part) => part.trim());
  const named = parts.find((part) => part.startsWith(`${command}=`));
  return named?.slice(command.length + 1) ?? parts.find((part) => !part.includes("=")) ?? "on";
}

async function exchange(
  { repo, lock }: Pick<Autosync, "repo" | "lock">,
  goals: { readonly pull: boolean; readonly push: boolean },
  args: AutosyncValues,
  context: CliContext,
): Promise<PulledBefore> {
  const [{ connect }, { findRemote }, { SyncClient }, { runSync }, { ownPeerId }] = await Promise.all([
    import("./cli-remote.ts"),
    import("./sync-remote.ts"),
    import("./sync-client.ts"),
    import("./sync-session.ts"),
    import("./repo-news.ts"),
  ]);
  const { remote, password } = findRemote(repo, undefined);
  const { transport, login } = await connect(remote, { ...args, user: args.remoteUser }, context, {
    repository: repo.path,
    password,
    ownPeerId: remote.kind === "nats" ? ownPeerId(repo, context.random) : undefined,
  });
  const { peer, carriesCookie } = transport;
  const client = new SyncClient(repo, goals, {
    peer,
    carriesCookie,
    ...(login !== undefined && { login }),
    ...(lock !== undefined && { lock: { ...lock, client: lock.client() } }),
  });
  const progress = context.out.progress("autosync");
  try {
    await runSync(client, transport, {
      onProgress: ({ rounds, artifactsReceived, artifactsSent, wanted }) => {
        const doneCount = artifactsReceived + artifactsSent;
        progress.update({ rounds, doneCount, totalCount: doneCount + wanted, noun: "artifacts" });
      },
    });
  } finally {
    progress.end();
    await transport.close();
  }
  for (const message of client.messages) context.out.note(`${remote.url} says: ${message}`);
  return { lockHolder: client.lockHolder, avoidsDeltas: client.avoidsDeltas };
}
