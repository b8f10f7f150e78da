/**
 * A repository that answers over NATS: requests on the subject all peers of its project share, in their queue group, and
 * on its own (docs/nats-sync.md). What counts is what counts over HTTP: the login in the message, and what nobody may
 * where there is none.
 */
import type { Clock } from "./clock.ts";
import { EdgeSyncError } from "./errors.ts";
import type { HostedRepository } from "./leaf-repositories.ts";
import type { Logger } from "./log.ts";
import type { NatsLink } from "./nats-link.ts";
import { errorMessage } from "./sync-server.ts";
import type { Telemetry } from "./telemetry.ts";
import { syncSubject } from "./transport-nats.ts";
import { type NatsReply, type NatsRequest, NatsServer } from "./transport-nats-server.ts";
import { CONTENT_TYPES } from "./xfer-message.ts";

export interface LeafNatsOptions {
  readonly link: NatsLink;
  /** First part of the subjects. */
  readonly prefix: string;
  readonly projectCode: string;
  readonly peerId: string;
}

export interface LeafNatsDependencies {
  readonly clock: Clock;
  readonly log: Logger;
  readonly telemetry: Telemetry;
}

export function serveOverNats(
  hosted: HostedRepository,
  { link, prefix, projectCode, peerId }: LeafNatsOptions,
  deps: LeafNatsDependencies,
): NatsServer {
  const { clock, log } = deps;
  const subject = syncSubject(prefix, projectCode);
  return new NatsServer({
    link,
    clock,
    log,
    peerId,
    subjects: [{ subject, queue: `sync-${projectCode}` }, { subject: `${subject}.${peerId}` }],
    answer: (request) => answer(hosted, request, deps),
    errorMessage: (error) => errorMessage(error, clock),
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
    const reply = await hosted.serve({
      contentType,
      body,
      address,
      cookie: undefined,
      replyFraming: replyMaxBytes === undefined ? "raw" : "compressed",
      ...(replyMaxBytes !== undefined && { replyMaxBytes }),
    });
    const { facts } = reply;
    telemetry.record({
      ...facts,
      transport: "nats",
      bytesReceived,
      bytesSent: reply.body.length,
      seconds: seconds(),
    });
    log.debug("served", { address, operation: facts.operation, bytesReceived, bytesSent: reply.body.length });
    if (!("release" in reply)) return { contentType: reply.contentType, body: reply.body };
    const copy = reply.body.slice();
    reply.release();
    return { contentType: reply.contentType, body: copy };
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
