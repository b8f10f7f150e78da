/** A clone as commands make one: wire, login and threads from their options. */
import type { CliContext } from "./cli-context.ts";
import type { FilesExchanged } from "./cli-files.ts";
import type { IrohValues } from "./cli-iroh.ts";
import type { Output, Progress } from "./cli-output.ts";
import { connect, type RemoteValues } from "./cli-remote.ts";
import { actingUser } from "./cli-user.ts";
import { release } from "./release.ts";
import { Repo } from "./repo.ts";
import {
  type CloneProgress,
  type CloneSummary,
  cloneRepository,
  cloneThreads,
  closeCloneThreads,
} from "./sync-clone.ts";
import { isBegun } from "./sync-clone-file.ts";
import { parseRemote } from "./sync-remote.ts";
import type { Credentials } from "./sync-request.ts";
import type { Transport } from "./transport.ts";

export interface CloneRequest extends RemoteValues, IrohValues {
  readonly source: string;
  readonly target: string;
  readonly private: boolean;
  /** Unversioned files too, once the clone is there. */
  readonly uv: boolean;
  readonly verify: boolean;
  /** Of `user`: remembered with the clone, and before any other. */
  readonly invitedPassword?: string;
  readonly signal?: AbortSignal;
}

/**
 * Clones, or goes on with a clone that was broken off; on a terminal with progress.
 *
 * @returns what came of it, and the peer as errors name it
 * @throws as `connect` and `cloneRepository`; UsageError `bad-remote`, `no-user`
 */
export async function cloneAsAsked(
  request: CloneRequest,
  context: CliContext,
): Promise<CloneSummary & { readonly peer: string; readonly files: FilesExchanged | undefined }> {
  const { random, out, env } = context;
  const { signal } = request;
  const remote = parseRemote(request.source);
  const { transport, login, keepsPassword } = await connect(remote, request, context, {
    repository: request.target,
    password: request.invitedPassword,
  });
  const user = actingUser(request.user ?? (remote.kind === "http" ? remote.user : undefined), env);
  const threads = cloneThreads();
  const progress = new ClonePhases(out);
  try {
    const summary = await cloneRepository(
      transport,
      {
        target: request.target,
        source: remote.url,
        ...(login !== undefined && { login }),
        keepsPassword,
        private: request.private,
        verify: request.verify,
        user,
        version: `edgesync ${release.version}`,
        random,
        ...(signal !== undefined && { signal }),
        onProgress: (state) => progress.show(state),
      },
      threads,
    );
    const files = request.uv
      ? await fetchFiles(request.target, transport, login, progress.begin("unversioned files"), context)
      : undefined;
    return { ...summary, peer: transport.peer, files };
  } catch (error) {
    if (isBegun(request.target)) out.note("what came is kept: the same command goes on from there");
    throw error;
  } finally {
    progress.end();
    await transport.close();
    await closeCloneThreads(threads);
  }
}

/** @throws as `runSync`: the clone stays */
async function fetchFiles(
  target: string,
  transport: Transport,
  login: Credentials | undefined,
  progress: Progress,
  { clock, random, out }: CliContext,
): Promise<FilesExchanged> {
  const { exchangeFiles } = await import("./cli-files.ts");
  const repo = Repo.open(target, { mode: "write", clock, random });
  try {
    return await exchangeFiles(repo, { pull: true, push: false }, transport, login, progress);
  } catch (error) {
    out.note(`${target} is whole but for unversioned files: edgesync repo uv sync -R ${target}`);
    throw error;
  } finally {
    repo.close();
  }
}

/** Each phase has a rate of its own. */
class ClonePhases {
  private phase: CloneProgress["phase"] = "receiving";
  private progress: Progress;

  constructor(private readonly out: Output) {
    this.progress = out.progress("cloning");
  }

  begin(label: string): Progress {
    this.progress.end();
    this.progress = this.out.progress(label);
    return this.progress;
  }

  show(state: CloneProgress): void {
    if (state.phase !== this.phase) this.begin("checking and linking");
    this.phase = state.phase;
    const { rounds, artifactsStored, bytesReceived, artifactsLinked, artifactsChecked } = state;
    this.progress.update(
      state.phase === "receiving"
        ? { rounds, doneCount: artifactsStored, noun: "artifacts", doneBytes: bytesReceived }
        : { doneCount: artifactsLinked + artifactsChecked, totalCount: state.linkTotal + state.checkTotal },
    );
  }

  end(): void {
    this.progress.end();
  }
}
