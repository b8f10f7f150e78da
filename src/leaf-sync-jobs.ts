/**
 * The asking side of a sync in the thread that writes to the repository, one session per sync. The message
 * of a round goes to the main thread, which carries it to the peer; the reply comes back and is absorbed in one
 * transaction, and with it goes the next message. So no thread that serves I/O waits for a lock, and syncs
 * share the writer with the pushes of others, round by round.
 *
 * A failed round ends its session. The failure travels as data beside the totals, which say what was done before.
 */
import type { Bytes } from "./bytes.ts";
import { type ErrorRecord, errorToRecord, RepoError } from "./errors.ts";
import { Transferable } from "./executor.ts";
import type { Repo } from "./repo.ts";
import * as receiver from "./repo-receive.ts";
import { type ClientOptions, SyncClient } from "./sync-client.ts";
import { UnversionedClient } from "./sync-client-uv.ts";
import type { SyncTotals } from "./sync-totals.ts";

/** `artifacts`: check-ins and all that belongs to them. `files`: unversioned files. */
export type SyncSubject = "artifacts" | "files";

export interface SessionGoals {
  readonly pull: boolean;
  readonly push: boolean;
  /** Private artifacts too, as far as the peer allows. */
  readonly private: boolean;
}

export interface SessionInput {
  readonly path: string;
  /** Chosen by the caller, unique among the sessions of the thread. */
  readonly id: number;
  readonly subject: SyncSubject;
  readonly goals: SessionGoals;
  readonly options: ClientOptions;
}

export interface AnsweredInput extends SessionInput {
  readonly reply: Uint8Array;
  /** The reply came before anybody asked: no message was made for it. */
  readonly isUnasked: boolean;
}

/** Something of the peer's that was not taken. */
export type SyncRefusal = {
  /** Hash of an artifact, or name of an unversioned file. */
  readonly what: string;
  readonly problem: string;
};

export interface SessionStep {
  /** To be carried to the peer; undefined when the sync has come to its end. */
  readonly message: Bytes | undefined;
  readonly cookie: string | undefined;
  readonly totals: SyncTotals;
  readonly wantedCount: number;
  /** At the end, however it came. */
  readonly refused: readonly SyncRefusal[];
  /** What the peer said, at the end. */
  readonly messages: readonly string[];
  /** How far the peer's clock is ahead of ours, in milliseconds. */
  readonly skewMs: number;
  readonly error?: ErrorRecord;
}

interface Session {
  readonly repo: Repo;
  readonly path: string;
  readonly client: SyncClient | UnversionedClient;
  /** As of the last step: the repository may not answer any more. */
  wantedCount: number;
}

export type SyncJobs = ReturnType<typeof createSyncJobs>;

/** @param repoAt the thread's connection for writing to the repository at a path */
export function createSyncJobs(repoAt: (path: string) => Repo) {
  const sessions = new Map<number, Session>();

  /** The next message of a session, or its end. */
  const advance = (id: number, session: Session): SessionStep => {
    const { client } = session;
    session.wantedCount = client.wantedCount;
    if (client.isDone) {
      sessions.delete(id);
      return summary(session);
    }
    const { message, cookie } = client.request();
    const { totals, skewMs } = client;
    const { wantedCount } = session;
    return { message, cookie, totals: { ...totals }, wantedCount, refused: [], messages: [], skewMs };
  };

  const attempt = (id: number, session: Session, body: () => SessionStep): SessionStep => {
    try {
      return body();
    } catch (error) {
      sessions.delete(id);
      return { ...summary(session), error: errorToRecord(error) };
    }
  };

  return {
    /** Begins a sync. A repository whose setting `dont-push` is on takes and does not give. */
    syncBegin({ path, id, subject, goals, options }: SessionInput): Transferable<SessionStep> {
      const repo = repoAt(path);
      const push = goals.push && !repo.config.isOn("dont-push", false);
      const client =
        subject === "artifacts"
          ? new SyncClient(repo, { ...goals, push }, { ...options, receiver })
          : new UnversionedClient(repo, { pull: goals.pull, push }, options);
      const session = { repo, path, client, wantedCount: 0 };
      if (!goals.pull && !push) return transferable(summary(session));
      sessions.set(id, session);
      return transferable(attempt(id, session, () => advance(id, session)));
    },

    /** Begins a sync whose first message was made elsewhere, or by nobody, and has been answered. */
    syncBeginAnswered({ reply, isUnasked, ...input }: AnsweredInput): Transferable<SessionStep> {
      const { path, id, goals, options } = input;
      const repo = repoAt(path);
      const client = new SyncClient(repo, goals, { ...options, receiver });
      const session = { repo, path, client, wantedCount: 0 };
      sessions.set(id, session);
      const step = attempt(id, session, () => {
        // What the client would have said is what was said.
        if (!isUnasked) client.request();
        client.absorb(reply);
        return advance(id, session);
      });
      return transferable(step);
    },

    /** Takes the reply to the last message. @throws Error for a session that is not there */
    syncStep({ id, reply }: { readonly id: number; readonly reply: Uint8Array }): Transferable<SessionStep> {
      const session = sessions.get(id);
      if (session === undefined) throw new Error(`no sync session has the number ${id}`);
      const step = attempt(id, session, () => {
        if (repoAt(session.path) !== session.repo) {
          throw new RepoError("repo-replaced", `${session.path} was replaced by another file`);
        }
        session.client.absorb(reply);
        return advance(id, session);
      });
      return transferable(step);
    },

    /** Forgets a sync that is not gone on with. */
    syncEnd({ id }: { readonly id: number }): void {
      sessions.delete(id);
    },
  };
}

/** A session at its end. */
function summary({ client, wantedCount }: Session): SessionStep {
  const { totals, messages, skewMs } = client;
  const refused =
    client instanceof SyncClient
      ? client.refused.map(({ hash, error }) => ({ what: hash, problem: error.message }))
      : client.refused.map(({ name, error }) => ({ what: name, problem: error.message }));
  return {
    message: undefined,
    cookie: undefined,
    totals: { ...totals },
    wantedCount,
    refused,
    messages: [...messages],
    skewMs,
  };
}

function transferable(step: SessionStep): Transferable<SessionStep> {
  const { message } = step;
  const isWhole = message !== undefined && message.length === message.buffer.byteLength;
  return new Transferable(step, isWhole ? [message.buffer] : []);
}
