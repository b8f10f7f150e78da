/**
 * How a leaf answers an exchange that comes over a wire without headers, NATS or iroh: the login is in the message, and a
 * failure is a message with an error card. What counts is what counts over HTTP.
 */
import { readSync } from "node:fs";
import type { Bytes } from "./bytes.ts";
import type { Clock } from "./clock.ts";
import { EdgeSyncError } from "./errors.ts";
import type { Exchange, HostedRepository } from "./leaf-repositories.ts";
import type { SpilledReply } from "./leaf-spill.ts";
import type { Logger } from "./log.ts";
import type { ChunkSource } from "./nats-chunk-send.ts";
import { errorMessage } from "./sync-server.ts";
import type { Telemetry } from "./telemetry.ts";
import { CONTENT_TYPES } from "./xfer-message.ts";

export interface AnswerDependencies {
  readonly clock: Clock;
  readonly log: Logger;
  readonly telemetry: Telemetry;
}

export interface TracedExchange extends Omit<Exchange, "cookie"> {
  /** By which the asking side's log names it. */
  readonly traceId?: string | undefined;
}

export interface Answer {
  readonly contentType: string;
  readonly body: Bytes | ChunkSource;
  /** To be called once, when the body is not looked at again. */
  readonly release?: () => void;
  /** Code of the failure that the message tells of. */
  readonly errorCode?: string;
}

/** Answers one exchange; whatever goes wrong is told in the answer. */
export async function answerExchange(
  transport: "nats" | "iroh",
  hosted: HostedRepository,
  { traceId: trace, ...exchange }: TracedExchange,
  { clock, log, telemetry }: AnswerDependencies,
): Promise<Answer> {
  const started = clock.monotonic();
  const { address } = exchange;
  const bytesReceived = exchange.body.length;
  const about = { address, ...(trace !== undefined && { trace }) };
  const seconds = () => (clock.monotonic() - started) / 1000;
  try {
    const input = { ...exchange, cookie: undefined };
    const reply =
      exchange.replyMaxBytes === undefined
        ? await hosted.hand(input)
        : { ...(await hosted.serve(input)), release() {} };
    const { facts, body, release, contentType } = reply;
    telemetry.record({ ...facts, transport, bytesReceived, bytesSent: body.length, seconds: seconds() });
    log.debug("served", { ...about, operation: facts.operation, bytesReceived, bytesSent: body.length });
    return { contentType, body: body instanceof Uint8Array ? body : fromFile(body), release };
  } catch (error) {
    const errorCode = error instanceof EdgeSyncError ? error.code : "internal";
    log.warn("exchange refused", { ...about, code: errorCode, reason: (error as Error).message });
    telemetry.record({
      operation: "invalid",
      transport,
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
