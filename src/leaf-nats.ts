/**
 * A repository that answers over NATS: requests on the subject all peers of its project share, in their queue group, and
 * on its own (docs/nats-sync.md). What counts is what counts over HTTP: the login in the message, and what nobody may
 * where there is none.
 */
import { type AnswerDependencies, answerExchange } from "./leaf-exchange.ts";
import type { LeafIdentity } from "./leaf-jobs.ts";
import type { HostedRepository } from "./leaf-repositories.ts";
import type { Logger } from "./log.ts";
import type { NatsLink } from "./nats-link.ts";
import type { PeerId } from "./peer-id.ts";
import { errorMessage } from "./sync-server.ts";
import { syncSubject } from "./transport-nats.ts";
import { NatsServer } from "./transport-nats-server.ts";

export interface LeafNatsOptions {
  /** First part of the subjects. */
  readonly prefix: string;
  /** By which other peers are to know the repository from now on; default: as before. */
  readonly peerId: PeerId | undefined;
  /** Connections to NATS servers; they end with what is started here. */
  readonly links: readonly NatsLink[];
}

export interface LeafNats extends LeafIdentity {
  readonly prefix: string;
  readonly links: readonly NatsLink[];
  stop(): Promise<void>;
}

/** Serves a repository over every link. @throws RepoError `no-project-code` */
export async function startLeafNats(
  hosted: HostedRepository,
  { prefix, peerId: chosen, links }: LeafNatsOptions,
  deps: AnswerDependencies,
): Promise<LeafNats> {
  const { clock, log } = deps;
  const identity = await hosted.identify(chosen);
  const { projectCode, peerId } = identity;
  const subject = syncSubject(prefix, projectCode);
  const serve = (link: NatsLink) => {
    logEvents(link, log);
    return new NatsServer({
      link,
      clock,
      log,
      peerId,
      subjects: [{ subject, queue: `sync-${projectCode}` }, { subject: `${subject}.${peerId}` }],
      answer: ({ contentType, body, peerId: asker, traceId, replyMaxBytes }) => {
        const address = asker === undefined ? "nats" : `nats:${asker}`;
        const reply =
          replyMaxBytes === undefined
            ? ({ replyFraming: "raw" } as const)
            : ({ replyFraming: "compressed", replyMaxBytes } as const);
        return answerExchange("nats", hosted, { contentType, body, address, traceId, ...reply }, deps);
      },
      errorMessage: (error) => errorMessage(error, clock),
    });
  };
  const servers = links.map(serve);
  return {
    ...identity,
    prefix,
    links,
    async stop() {
      await Promise.all(servers.map((server) => server.stop()));
      await Promise.all(links.map((link) => link.close()));
    },
  };
}

/** Tells of a server that cannot be reached once, not at every attempt. */
function logEvents(link: NatsLink, log: Logger): void {
  const { name: server } = link;
  let told: string | undefined;
  link.onEvent((event) => {
    if (event.kind === "failed") {
      const reason = event.error.message;
      if (reason !== told) log.warn("NATS server fails", { server, reason });
      told = reason;
    } else if (event.kind === "disconnected") {
      log.warn("NATS server lost", { server });
    } else if (event.kind === "connected" || event.kind === "reconnected") {
      told = undefined;
      log.info("NATS server reached", { server });
    }
  });
}
