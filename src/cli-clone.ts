/** A clone as commands make one: wire, login and threads from their options. */
import type { CliContext } from "./cli-context.ts";
import { connect, type RemoteValues } from "./cli-remote.ts";
import { actingUser } from "./cli-user.ts";
import { release } from "./release.ts";
import {
  type CloneProgress,
  type CloneSummary,
  cloneRepository,
  cloneThreads,
  closeCloneThreads,
} from "./sync-clone.ts";
import { parseRemote } from "./sync-remote.ts";

export interface CloneRequest extends RemoteValues {
  readonly source: string;
  readonly target: string;
  readonly private: boolean;
  readonly verify: boolean;
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
): Promise<CloneSummary & { readonly peer: string }> {
  const { random, out, env } = context;
  const { signal } = request;
  const remote = parseRemote(request.source);
  const { transport, login, keepsPassword } = await connect(remote, request, context);
  const user = actingUser(request.user ?? (remote.kind === "http" ? remote.user : undefined), env);
  const threads = cloneThreads();
  const progress = out.progress("cloning");
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
        onProgress: (state) => progress.update(shown(state)),
      },
      threads,
    );
    return { ...summary, peer: transport.peer };
  } finally {
    progress.end();
    await transport.close();
    await closeCloneThreads(threads);
  }
}

function shown(state: CloneProgress) {
  if (state.phase === "receiving") {
    return { doneCount: state.artifactsStored, doneBytes: state.bytesReceived };
  }
  return {
    doneCount: state.artifactsLinked + state.artifactsChecked,
    totalCount: state.linkTotal + state.checkTotal,
  };
}
