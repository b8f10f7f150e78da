/** `edgesync sync pull|push|sync`: one exchange with a peer, without a daemon. */
import { type Args, command, type Example, flag, positional, type Values } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import type { exchangeFiles, FilesExchanged } from "./cli-files.ts";
import { IROH_ARGS } from "./cli-iroh.ts";
import { columns, formatBytes } from "./cli-output.ts";
import { connect, REMOTE_ARGS } from "./cli-remote.ts";
import { withRepository } from "./cli-repository.ts";
import { EXIT, type ExitCode, UsageError } from "./errors.ts";
import type { Repo } from "./repo.ts";
import { ownPeerId } from "./repo-news.ts";
import { rememberRemote } from "./repo-remote.ts";
import { SyncClient } from "./sync-client.ts";
import { findRemote } from "./sync-remote.ts";
import { runSync, type SyncProgress } from "./sync-session.ts";

type Direction = "pull" | "push" | "sync";

const SYNC_ARGS = {
  remote: positional({ description: "an address or the name of a remote; else the remembered one" }),
  ...REMOTE_ARGS,
  ...IROH_ARGS,
  private: flag({ description: "private branches too" }),
  uv: flag({ description: "unversioned files too" }),
  verily: flag({ description: "compare complete catalogs, should something be missing all the same" }),
  once: flag({ description: "do not remember the address" }),
} satisfies Args;

export const pullCommand = syncing("pull", "fetches what a peer has and this repository lacks", [
  { line: "edgesync sync pull", about: "from the remembered remote" },
  { line: "edgesync sync pull https://example.org/project --once", about: "without remembering it" },
  { line: "edgesync sync pull nats://example.org/PROJECT-CODE", about: "from a peer on a NATS server" },
  {
    line: "edgesync sync pull iroh:TICKET",
    about: "from an iroh peer, which has to allow this repository's key",
  },
]);

export const pushCommand = syncing("push", "sends what this repository has and a peer lacks", [
  { line: "edgesync sync push https://ann@example.org/project", about: "asks for ann's password" },
]);

export const bothCommand = syncing("sync", "fetches and sends", [
  { line: "edgesync sync sync", about: "with the remembered remote" },
  { line: "edgesync sync sync ../backup.fossil --private", about: "with another file, private branches too" },
]);

function syncing(direction: Direction, description: string, examples: readonly [Example, ...Example[]]) {
  return command({
    description,
    args: SYNC_ARGS,
    examples,
    run: (args, context) =>
      withRepository(context, "write", ({ repo }) => exchange(direction, repo, args, context)),
  });
}

type FilesTold = FilesExchanged & { readonly told: string[][] };

async function exchange(
  direction: Direction,
  repo: Repo,
  args: Values<typeof SYNC_ARGS>,
  context: CliContext,
): Promise<ExitCode> {
  const { out, random } = context;
  const goals = {
    pull: direction !== "push",
    push: direction !== "pull" && mayPush(repo, direction),
    private: args.private,
    verily: args.verily,
  };
  const found = findRemote(repo, args.remote);
  const { remote } = found;
  const { transport, login, keepsPassword } = await connect(remote, args, context, {
    repository: repo.path,
    password: found.password,
    ownPeerId: remote.kind === "nats" ? ownPeerId(repo, random) : undefined,
  });
  const { peer, carriesCookie } = transport;
  const client = new SyncClient(repo, goals, {
    peer,
    carriesCookie,
    ...(login !== undefined && { login }),
  });
  const progress = out.progress(direction);
  try {
    const totals = await runSync(client, transport, {
      onProgress: ({ rounds, artifactsReceived, artifactsSent, wanted, bytesSent, bytesReceived }) => {
        const doneCount = artifactsReceived + artifactsSent;
        const doneBytes = bytesSent + bytesReceived;
        progress.update({ rounds, doneCount, totalCount: doneCount + wanted, noun: "artifacts", doneBytes });
      },
    });
    const files = args.uv ? await exchangeFilesToo(repo, goals, transport, login, progress) : undefined;
    progress.end();
    const password = keepsPassword ? login?.password : undefined;
    if (!args.once) rememberRemote(repo, { url: remote.url, password }, random);
    tell(remote.url, totals, client, files, context);
    return client.refused.length + (files?.refused.length ?? 0) === 0 ? EXIT.done : EXIT.failed;
  } finally {
    progress.end();
    await transport.close();
  }
}

/** Loaded only where it is asked for. */
async function exchangeFilesToo(...args: Parameters<typeof exchangeFiles>): Promise<FilesTold> {
  const { exchangeFiles: exchange, filesTold } = await import("./cli-files.ts");
  const files = await exchange(...args);
  return { ...files, told: filesTold(files) };
}

/** @throws UsageError `dont-push` */
function mayPush(repo: Repo, direction: Direction): boolean {
  if (!repo.config.isOn("dont-push", false)) return true;
  if (direction === "sync") return false;
  throw new UsageError("dont-push", "this repository's setting dont-push is on", {
    hint: "turn it off: edgesync repo config set dont-push 0",
  });
}

function tell(
  remote: string,
  totals: SyncProgress,
  client: SyncClient,
  files: FilesTold | undefined,
  { out }: CliContext,
): void {
  const { rounds, artifactsSent, artifactsReceived, bytesSent, bytesReceived, wanted } = totals;
  const { messages, skewMs } = client;
  for (const message of messages) out.note(`${remote} says: ${message}`);
  if (Math.abs(skewMs) > SKEW_TOLD_MS) {
    const seconds = Math.round(Math.abs(skewMs) / 1000);
    out.note(`the clock of ${remote} is ${seconds} s ${skewMs > 0 ? "ahead of" : "behind"} this one`);
  }
  const refused = client.refused.map(({ hash, error }) => ({ hash, problem: error.message }));
  const result = { remote, rounds, artifactsSent, artifactsReceived, bytesSent, bytesReceived, wanted };
  if (files?.isPullOnly) out.note(`${remote} takes no unversioned files from this login`);
  const { told = [], ...exchanged } = files ?? {};
  out.result({ ...result, refused, messages, skewMs, ...(files && { files: exchanged }) }, () =>
    columns([
      ["remote", remote],
      ["sent", `${artifactsSent} artifacts, ${formatBytes(bytesSent)}`],
      ["received", `${artifactsReceived} artifacts, ${formatBytes(bytesReceived)}, in ${rounds} rounds`],
      ...(wanted === 0 ? [] : [["missing", `${wanted} artifacts`]]),
      ...refused.map(({ hash, problem }) => ["refused", `${hash} from ${remote}: ${problem}`]),
      ...told,
    ]),
  );
}

/** Smaller differences between clocks are not worth a word. As stock. */
const SKEW_TOLD_MS = 10_000;
