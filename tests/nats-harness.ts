/** A peer that answers over NATS, and transports to it, for tests: on a broker of this process or a given link. */
import { utf8 } from "../src/bytes.ts";
import { systemClock } from "../src/clock.ts";
import { silentLogger } from "../src/log.ts";
import type { NatsLink } from "../src/nats-link.ts";
import { LocalLink } from "../src/nats-link-local.ts";
import { seededRandom } from "../src/random.ts";
import { NatsTransport, type NatsTransportOptions, syncSubject } from "../src/transport-nats.ts";
import { NatsServer, type NatsServerOptions } from "../src/transport-nats-server.ts";
import { CONTENT_TYPES, decodeMessage } from "../src/xfer-message.ts";
import { testBroker } from "./broker-harness.ts";
import type { Serve } from "./transport-contract.ts";

export const PROJECT = "ce59bb9f186226d80e49d1fa2db29f935cca0333";
export const SUBJECT = syncSubject("fossil", PROJECT);

let seed = 100n;

export interface TestBroker {
  link(): NatsLink;
  readonly port: number;
  stop(): Promise<void>;
}

/** A broker of this process, with links that need no socket. */
export function localBroker(maxPayload = 1_048_576): TestBroker {
  const broker = testBroker({ limits: { payloadBytesMax: maxPayload } });
  return {
    link: () => new LocalLink({ broker, maxPayload, random: seededRandom(seed++) }),
    port: broker.port!,
    stop: () => broker.stop(0),
  };
}

export function serveNats(
  link: NatsLink,
  serve: Serve,
  options: Partial<NatsServerOptions> = {},
): NatsServer {
  const peerId = options.peerId ?? "server";
  return new NatsServer({
    link,
    clock: systemClock,
    log: silentLogger,
    subjects: [{ subject: SUBJECT, queue: `sync-${PROJECT}` }, { subject: `${SUBJECT}.${peerId}` }],
    peerId,
    answer: async ({ body, contentType }) => ({
      contentType: CONTENT_TYPES.raw,
      body: await serve(decodeMessage(body, contentType).message),
    }),
    errorMessage: (error) => utf8(`error ${(error as { code?: string }).code ?? "internal"}\n`),
    ...options,
  });
}

export function transportOver(link: NatsLink, options: Partial<NatsTransportOptions> = {}): NatsTransport {
  return new NatsTransport({
    link,
    clock: systemClock,
    subject: SUBJECT,
    ownPeerId: "client",
    idleTimeoutMs: 5_000,
    ...options,
  });
}
