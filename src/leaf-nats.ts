/**
 * A repository that answers over NATS: requests on the subject all peers of its project share, in their queue group, and
 * on its own (docs/nats-sync.md). What counts is what counts over HTTP: the login in the message, and what nobody may
 * where there is none.
 */
import { readSync } from "node:fs";
import type { Clock } from "./clock.ts";
import { EdgeSyncError } from "./errors.ts";
import type { LeafIdentity } from "./leaf-jobs.ts";
import type { HostedRepository } from "./leaf-repositories.ts";
import type { SpilledReply } from "./leaf-spill.ts";
import type { Logger } from "./log.ts";
import type { ChunkSource } from "./nats-chunk-send.ts";
import type { NatsLink } from "./nats-link.ts";
import type { PeerId } from "./peer-id.ts";
import { errorMessage } from "./sync-server.ts";
import type { Telemetry } from "./telemetry.ts";
import { syncSubject } from "./transport-nats.ts";
import { type NatsReply, type NatsRequest, NatsServer } from "./transport-nats-server.ts";
import { CONTENT_TYPES } from "./xfer-message.ts";

export interface LeafNatsOptions {
  /** First part of the subjects. */
  readonly prefix: string;
  /** By which other peers are to know the repository from now on; default: as before. */
  readonly peerId: PeerId | undefined;
  /** Connections to NATS servers; they end with what is started here. */
  readonly links: readonly NatsLink[];
}

export interface LeafNatsDependencies {
  readonly clock: Clock;
  readonly log: Logger;
  readonly telemetry: Telemetry;
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
  deps: LeafNatsDependencies,
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
      answer: (request) => answer(hosted, request, deps),
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
    } else if (event.kind !== "maxPayloadChanged") {
      told = undefined;
      log.info("NATS server reached", { server });
    }
  });
}

async function answer(
  hosted: HostedRepository,
  { contentType, body, peerId, replyMaxBytes }: NatsRequest,
  { clock, log, telemetry }: LeafNatsDependencies,
): Promise<NatsReply> {
  const started = clock.monotonic();
  const bytesReceived = body.length;
  const address = peerId === undefined ? "nats" : `nats:${peerId}`;
  const seconds = () => (clock.monotonic() - started) / 1000;
  try {
    const exchange = { contentType, body, address, cookie: undefined };
    const reply =
      replyMaxBytes === undefined
        ? await hosted.hand({ ...exchange, replyFraming: "raw" })
        : {
            ...(await hosted.serve({ ...exchange, replyFraming: "compressed", replyMaxBytes })),
            release() {},
          };
    const { facts, release } = reply;
    telemetry.record({
      ...facts,
      transport: "nats",
      bytesReceived,
      bytesSent: reply.body.length,
      seconds: seconds(),
    });
    log.debug("served", { address, operation: facts.operation, bytesReceived, bytesSent: reply.body.length });
    const sent = reply.body instanceof Uint8Array ? reply.body : fromFile(reply.body);
    return { contentType: reply.contentType, body: sent, release };
  } catch (error) {
    const errorCode = error instanceof EdgeSyncError ? error.code : "internal";
    log.warn("exchange refused", { address, code: errorCode, reason: (error as Error).message });
    telemetry.record({
      operation: "invalid",
      transport: "nats",
      artifactsReceived: 0,
      artifactsSent: 0,
      bytesReceived,
      bytesSent: 0,
      errors: 1,
      seconds: seconds(),
    });
    return { contentType: CONTENT_TYPES.raw, body: errorMessage(error, clock), errorCode };
  }
}

/** What a reply that is in a file is sent from: read piece by piece, from the system's cache. */
function fromFile({ fd, length }: SpilledReply): ChunkSource {
  return {
    length,
    read(from, to) {
      const bytes = new Uint8Array(to - from);
      const count = readSync(fd, bytes, 0, bytes.length, from);
      if (count !== bytes.length) throw new Error(`a reply of ${length} bytes ends at ${from + count}`);
      return bytes;
    },
  };
}
