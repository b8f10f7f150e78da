import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Bytes, utf8 } from "../src/bytes.ts";
import { HEADER_ROOM_BYTES } from "../src/nats-chunk.ts";
import { headerOf, type LinkMessage, type NatsLink } from "../src/nats-link.ts";
import type { NatsExchangeReply } from "../src/transport-nats-exchange.ts";
import type { NatsRequest } from "../src/transport-nats-server.ts";
import { CONTENT_TYPES, decodeMessage } from "../src/xfer-message.ts";
import { CardReader } from "../src/xfer-parse.ts";
import { packBlob, unpackBlob } from "../src/zlib.ts";
import { localBroker, SUBJECT, serveNats, type TestBroker, transportOver } from "./nats-harness.ts";
import { failure, noise, transportContract } from "./transport-contract.ts";

for (const maxPayload of [1_048_576, 4_096]) {
  transportContract(`nats, embedded broker, max_payload ${maxPayload}`, async (serve) => {
    const broker = localBroker(maxPayload);
    const server = serveNats(broker.link(), serve);
    return {
      transport: transportOver(broker.link()),
      async close() {
        await server.stop();
        await broker.stop();
      },
    };
  });
}

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function brokerWith(maxPayload?: number): TestBroker {
  const broker = localBroker(maxPayload);
  closers.push(() => broker.stop());
  return broker;
}

const echo = (message: Uint8Array) => message.slice() as Bytes;
const until = async (condition: () => boolean) => {
  while (!condition()) await Bun.sleep(5);
};

/** Asks as a peer that knows nothing of our headers. */
async function askPlainly(link: NatsLink, body: Uint8Array, subject = SUBJECT): Promise<LinkMessage> {
  const inbox = link.newInbox();
  const { promise, resolve } = Promise.withResolvers<LinkMessage>();
  const stop = link.subscribe(inbox, (message) => resolve({ ...message, payload: message.payload.slice() }));
  link.publish(subject, body, { reply: inbox });
  const answer = await promise;
  stop();
  return answer;
}

describe("peers that know only the plain form", () => {
  test("are answered in it", async () => {
    const broker = brokerWith();
    const requests: NatsRequest[] = [];
    serveNats(broker.link(), echo, {
      answer: async (request) => {
        requests.push(request);
        return { contentType: CONTENT_TYPES.raw, body: utf8("answer\n") };
      },
    });
    const answer = await askPlainly(broker.link(), packBlob(utf8("question\n")));
    expect(unpackBlob(answer.payload, 100)).toEqual(utf8("answer\n"));
    expect(requests[0]).toMatchObject({
      contentType: CONTENT_TYPES.compressed,
      peerId: undefined,
      replyMaxBytes: 1_048_576 - HEADER_ROOM_BYTES,
    });
  });

  test("are told when the answer does not fit", async () => {
    const broker = brokerWith(8_192);
    serveNats(broker.link(), () => noise(20_000));
    const answer = await askPlainly(broker.link(), packBlob(utf8("question\n")));
    expect(new TextDecoder().decode(unpackBlob(answer.payload, 100))).toBe("error nats-reply-size\n");
    expect(headerOf(answer, "edgesync-error")).toBe("nats-reply-size");
  });

  /** A server of that kind; `answer` is the payload it sends. */
  function plainServer(broker: TestBroker, answer: (payload: Uint8Array) => Uint8Array): void {
    const link = broker.link();
    link.subscribe(SUBJECT, ({ reply, payload }) => void link.publish(reply, answer(payload)));
  }

  test("are asked in it, and again on the shared subject", async () => {
    const broker = brokerWith();
    const sizes: number[] = [];
    plainServer(broker, (payload) => {
      sizes.push(payload.length);
      return payload.length === 0 ? payload : packBlob(unpackBlob(payload, 10_000_000));
    });
    const transport = transportOver(broker.link());
    const large = new Uint8Array(600_000).fill(66);
    for (let i = 0; i < 2; i++) expect((await transport.exchange(large)).message).toEqual(large);
    // The announcement of chunks, then the request as a whole; after that it is known.
    expect(sizes.map((size) => size > 0)).toEqual([false, true, true]);
  });

  test("cannot be sent more than one NATS message carries", async () => {
    const broker = brokerWith();
    plainServer(broker, (payload) => payload);
    const error = await failure(transportOver(broker.link()).exchange(noise(2_000_000)));
    expect(error.code).toBe("peer-request-size");
  });

  test("an empty answer is a failure", async () => {
    const broker = brokerWith();
    plainServer(broker, () => new Uint8Array(0));
    expect((await failure(transportOver(broker.link()).exchange(utf8("x")))).code).toBe("peer-failed");
  });

  test("bytes that are no message are a failure that says so", async () => {
    const broker = brokerWith();
    plainServer(broker, () => Uint8Array.of(0, 0, 0, 9, 0x78, 0x9c, 1, 2, 3));
    expect((await failure(transportOver(broker.link()).exchange(utf8("x")))).code).toBe("peer-damaged");
  });
});

describe("who answers", () => {
  test("nobody: that is said at once", async () => {
    const error = await failure(transportOver(brokerWith().link()).exchange(utf8("x")));
    expect([error.code, error.message]).toEqual([
      "peer-unreachable",
      `nobody answers at the embedded broker/${SUBJECT}`,
    ]);
  });

  test("never the one who asks, whatever connection it asks on", async () => {
    const broker = brokerWith();
    const link = broker.link();
    serveNats(link, echo, { peerId: "me" });
    expect((await failure(transportOver(link, { ownPeerId: "me" }).exchange(utf8("x")))).code).toBe(
      "peer-unreachable",
    );
    expect((await failure(transportOver(broker.link(), { ownPeerId: "me" }).exchange(utf8("x")))).code).toBe(
      "nats-self",
    );
    serveNats(broker.link(), () => utf8("the other"), { peerId: "other" });
    const { message } = await transportOver(broker.link(), { ownPeerId: "me" }).exchange(utf8("x"));
    expect(message).toEqual(utf8("the other"));
  });

  test("the same one for all of a sync", async () => {
    const broker = brokerWith();
    for (const peerId of ["a", "b", "c", "d"]) serveNats(broker.link(), () => utf8(peerId), { peerId });
    const transport = transportOver(broker.link());
    const answers: string[] = [];
    for (let i = 0; i < 8; i++) {
      answers.push(new TextDecoder().decode((await transport.exchange(utf8("x"))).message));
    }
    expect(new Set(answers).size).toBe(1);
    expect(transport.peer).toEndWith(`.sync.${answers[0]}`);
  });

  test("the one that is named", async () => {
    const broker = brokerWith();
    for (const peerId of ["a", "b", "c"]) serveNats(broker.link(), () => utf8(peerId), { peerId });
    const { message } = await transportOver(broker.link(), { peerId: "b" }).exchange(utf8("x"));
    expect(message).toEqual(utf8("b"));
  });
});

describe("a server's bounds", () => {
  test("so many at a time, so many waiting, the next is told", async () => {
    const broker = brokerWith();
    let running = 0;
    let most = 0;
    const gate = Promise.withResolvers<void>();
    const server = serveNats(
      broker.link(),
      async (message) => {
        most = Math.max(most, ++running);
        await gate.promise;
        running--;
        return echo(message);
      },
      { servedMaxCount: 2, waitingMaxCount: 3 },
    );
    const transport = transportOver(broker.link());
    const five = Array.from({ length: 5 }, (_, i) => transport.exchange(utf8(`${i}`)));
    await until(() => server.activeCount === 5);
    const refused = await failure(transport.exchange(utf8("one more")));
    expect([refused.code, refused.data.code]).toEqual(["peer-failed", "nats-busy"]);
    gate.resolve();
    expect((await Promise.all(five)).map(({ message }) => new TextDecoder().decode(message))).toEqual([
      ..."01234",
    ]);
    expect(most).toBe(2);
    await until(() => server.activeCount === 0);
  });

  test("who has gone is not answered, and not waited for", async () => {
    const broker = brokerWith(8_192);
    let served = 0;
    const server = serveNats(broker.link(), () => {
      served++;
      return noise(3_000_000);
    });
    const aborter = new AbortController();
    const exchange = transportOver(broker.link()).exchange(utf8("x"), {
      signal: aborter.signal,
      onProgress: () => aborter.abort(new Error("enough")),
    });
    await expect(exchange).rejects.toThrow("enough");
    await until(() => server.activeCount === 0);
    expect(served).toBe(1);
  });

  test("one that stops answers what it has in hand, and takes nothing more", async () => {
    const broker = brokerWith();
    const gate = Promise.withResolvers<void>();
    const server = serveNats(broker.link(), async (message) => {
      await gate.promise;
      return echo(message);
    });
    const exchange = transportOver(broker.link()).exchange(utf8("x"));
    await until(() => server.activeCount === 1);
    const stopped = server.stop();
    expect((await failure(transportOver(broker.link()).exchange(utf8("y")))).code).toBe("peer-unreachable");
    gate.resolve();
    expect((await exchange).message).toEqual(utf8("x"));
    await stopped;
  });

  test("garbage on its subjects does not harm it", async () => {
    const broker = brokerWith();
    const server = serveNats(broker.link(), echo);
    const link = broker.link();
    const flows: string[] = [];
    const inbox = link.newInbox();
    link.subscribe(inbox, ({ reply }) => void (reply !== "" && flows.push(reply)));
    const parts = ["begin 10", "begin 99999999999", "data 0 5 raw", "ack 5 5", "cancel", "nonsense", "wait"];
    for (const [i, value] of parts.entries()) {
      const headers = [
        ["EdgeSync-Version", "1"],
        ["EdgeSync-Accepts", "chunks 5000"],
        ["EdgeSync-Part", value],
      ] as const;
      link.publish(SUBJECT, noise(i), { reply: inbox, headers });
      await until(() => flows.length > 0);
      link.publish(flows[0]!, noise(i), { reply: inbox, headers });
    }
    await until(() => server.activeCount === 0);
    expect((await transportOver(broker.link()).exchange(utf8("x"))).message).toEqual(utf8("x"));
  });
});

/** What peers of the reference system sent, recorded on the wire (tests/golden/nats). */
describe("recorded bodies", () => {
  const golden = (name: string) =>
    new Uint8Array(readFileSync(join(import.meta.dir, "golden", "nats", name)));
  const typesOf = (message: Uint8Array, from: "client" | "server") =>
    [...new CardReader(message, from)].map(({ type }): string => type);

  test("a request reaches us", async () => {
    const broker = brokerWith();
    const requests: NatsRequest[] = [];
    serveNats(broker.link(), echo, {
      answer: async (request) => {
        requests.push(request);
        return { contentType: CONTENT_TYPES.raw, body: utf8("") };
      },
    });
    await askPlainly(broker.link(), golden("request.compressed"));
    const { message } = decodeMessage(requests[0]!.body, requests[0]!.contentType);
    expect(typesOf(message, "client")).toEqual([
      "pragma client-version",
      "push",
      "pull",
      ...Array.from({ length: 7 }, () => "igot"),
    ]);
  });

  test("replies are understood", async () => {
    const broker = brokerWith();
    const link = broker.link();
    const replies = [golden("reply.compressed"), golden("reply-empty.compressed")].values();
    link.subscribe(SUBJECT, ({ reply }) => void link.publish(reply, replies.next().value!));
    const transport = transportOver(broker.link());
    const { message, peerId } = (await transport.exchange(utf8("x"))) as NatsExchangeReply;
    expect([typesOf(message, "server"), peerId]).toEqual([
      Array.from({ length: 9 }, () => "igot"),
      undefined,
    ]);
    expect((await transport.exchange(utf8("x"))).message).toHaveLength(0);
  });
});
