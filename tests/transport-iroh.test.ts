import { afterEach, describe, expect, test } from "bun:test";
import { utf8 } from "../src/bytes.ts";
import { IROH_SERVED_MAX_COUNT, IROH_STREAM_MAX_COUNT } from "../src/limits.ts";
import { XFER_ALPN } from "../src/transport-iroh.ts";
import { unpackBlob } from "../src/zlib.ts";
import { endpoint, type Served, serving, transportTo } from "./iroh-harness.ts";
import { failure, noise, type Serve, transportContract } from "./transport-contract.ts";

transportContract("iroh", async (serve) => {
  const [served, from] = await Promise.all([serving(serve), endpoint()]);
  return {
    transport: transportTo(served, from),
    async close() {
      served.server.stop();
      await Promise.all([served.endpoint.close(), from.close()]);
    },
  };
});

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const echo: Serve = (message) => message.slice();

async function pair(
  serve: Serve,
  admit?: (id: string) => boolean,
  options?: Parameters<typeof serving>[2],
  ofEndpoint?: Parameters<typeof serving>[3],
): Promise<{ served: Served; from: Awaited<ReturnType<typeof endpoint>> }> {
  const [served, from] = await Promise.all([serving(serve, admit, options, ofEndpoint), endpoint()]);
  closers.push(
    () => served.endpoint.close(),
    () => from.close(),
  );
  return { served, from };
}

describe("who is let in", () => {
  test("an endpoint that is not allowed is told so, and nothing of it is read", async () => {
    let seen = 0;
    const { served, from } = await pair(
      (message) => {
        seen++;
        return message.slice();
      },
      () => false,
    );
    const error = await failure(transportTo(served, from).exchange(utf8("x")));
    expect(error.code).toBe("peer-refused");
    expect(error.hint).toContain(from.id);
    expect(seen).toBe(0);
    expect(served.server.activeCount).toBe(0);
  });

  test("whoever is no longer allowed is cut off", async () => {
    let isAllowed = true;
    const { served, from } = await pair(echo, () => isAllowed);
    const transport = transportTo(served, from);
    expect((await transport.exchange(utf8("x"))).message).toEqual(utf8("x"));
    isAllowed = false;
    await served.endpoint.recheck();
    expect((await failure(transport.exchange(utf8("y")))).code).toBe("peer-refused");
  });

  test("an endpoint proves who it is: the id asked for is the one reached", async () => {
    const { served, from } = await pair(echo);
    const connection = await from.connect(served.endpoint.ticket(), XFER_ALPN);
    expect(connection.remoteId).toBe(served.endpoint.id);
    expect(connection.path()?.kind).toBe("direct");
  });
});

describe("the form of an exchange", () => {
  test("request, end, reply, end, each in the framing application/x-fossil", async () => {
    const { served, from } = await pair((message) => utf8(`${message.length} bytes`));
    const connection = await from.connect(served.endpoint.ticket(), XFER_ALPN);
    const stream = await connection.openStream();
    await stream.write(utf8("pragma client-version 22900\n"));
    await stream.finish();
    const reply = (await stream.read())!;
    expect(unpackBlob(reply, 100)).toEqual(utf8("28 bytes"));
    expect(await stream.read()).toBeUndefined();
  });

  test("more at a time than a connection may have wait for one another", async () => {
    let most = 0;
    let answering = 0;
    let mostAnswered = 0;
    const { served, from } = await pair(async (message) => {
      most = Math.max(most, served.server.activeCount);
      mostAnswered = Math.max(mostAnswered, ++answering);
      await Bun.sleep(5);
      answering--;
      return message.slice();
    });
    const transport = transportTo(served, from);
    const count = 2 * IROH_STREAM_MAX_COUNT;
    const replies = await Promise.all(
      Array.from({ length: count }, (_, i) => transport.exchange(utf8(`${i}`))),
    );
    expect(replies.map(({ message }) => Number(new TextDecoder().decode(message)))).toEqual([
      ...replies.keys(),
    ]);
    expect(most).toBeLessThanOrEqual(IROH_STREAM_MAX_COUNT);
    expect(mostAnswered).toBeGreaterThan(1);
    expect(mostAnswered).toBeLessThanOrEqual(IROH_SERVED_MAX_COUNT);
  });
});

describe("what is bounded", () => {
  test("a reply", async () => {
    const { served, from } = await pair(() => noise(1_000_000));
    const transport = transportTo(served, from, { replyMaxBytes: 100_000 });
    expect((await failure(transport.exchange(utf8("x")))).code).toBe("reply-size");
  });

  test("a request", async () => {
    const { served, from } = await pair(echo, undefined, { requestMaxBytes: 100_000 });
    const transport = transportTo(served, from);
    expect((await failure(transport.exchange(noise(1_000_000)))).code).toBe("peer-failed");
    expect((await transport.exchange(utf8("small"))).message).toEqual(utf8("small"));
  });

  test("requests added up", async () => {
    const held = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    const answer: Serve = async (message) => {
      arrived.resolve();
      await held.promise;
      return message.slice();
    };
    const { served, from } = await pair(answer, undefined, { incomingMaxBytes: 250_000 });
    const transport = transportTo(served, from);
    const first = transport.exchange(noise(200_000));
    await arrived.promise;
    expect((await failure(transport.exchange(noise(200_000)))).code).toBe("peer-failed");
    held.resolve();
    expect((await first).message).toHaveLength(200_000);
    expect((await transport.exchange(noise(200_000))).message).toHaveLength(200_000);
  });

  test("connections of an endpoint", async () => {
    const most = 2;
    const { served, from } = await pair(echo, undefined, {}, { connectionMaxCount: most });
    const reach = () => from.connect(served.endpoint.ticket(), XFER_ALPN);
    const kept = [await reach(), await reach()];
    expect((await failure(reach())).code).toBe("peer-unreachable");
    expect(kept.every(({ isOpen }) => isOpen)).toBe(true);
  });

  test("the silence of whoever answers", async () => {
    const { served, from } = await pair(() => new Promise<never>(() => {}));
    const transport = transportTo(served, from, { replyTimeoutMs: 50 });
    expect((await failure(transport.exchange(utf8("x")))).code).toBe("peer-timeout");
  });

  test("the silence of whoever asks", async () => {
    const { served, from } = await pair(echo, undefined, { idleMs: 50 });
    const connection = await from.connect(served.endpoint.ticket(), XFER_ALPN);
    const stream = await connection.openStream();
    await stream.write(utf8("the beginning"));
    expect(
      await stream.read().then(
        () => "answered",
        () => "broken off",
      ),
    ).toBe("broken off");
    expect(served.server.activeCount).toBe(0);
  });
});

describe("connections", () => {
  test("are used again, and made anew when they are gone", async () => {
    const { served, from } = await pair(echo);
    const first = await from.reach(served.endpoint.ticket(), XFER_ALPN);
    expect(await from.reach(served.endpoint.ticket(), XFER_ALPN)).toBe(first);
    from.forget(served.endpoint.id);
    const second = await from.reach(served.endpoint.ticket(), XFER_ALPN);
    expect(second).not.toBe(first);
    expect((await transportTo(served, from).exchange(utf8("x"))).message).toEqual(utf8("x"));
  });

  test("a peer that nobody knows the way to cannot be reached", async () => {
    const from = await endpoint();
    const other = await endpoint();
    closers.push(() => from.close());
    const { id } = other;
    await other.close();
    expect((await failure(from.connect(id, XFER_ALPN))).code).toBe("peer-unreachable");
  });

  test("an endpoint that begins anew is who it was, elsewhere", async () => {
    const { served, from } = await pair(echo);
    const { id } = served.endpoint;
    await transportTo(served, from).exchange(utf8("a\n"));
    const [connection] = from.connections;
    await Promise.all([served.endpoint.rebind(), served.endpoint.rebind()]);
    await connection!.closed;
    expect(from.idOf(served.endpoint.ticket())).toBe(id);
    const reply = await transportTo(served, from).exchange(utf8("b\n"));
    expect(reply.message).toEqual(utf8("b\n"));
    await served.endpoint.close();
    expect(served.endpoint.isDead).toBe(false);
    await served.endpoint.rebind();
    expect(served.endpoint.connections).toEqual([]);
  });

  test("an endpoint whose port is in use takes another", async () => {
    const port = 50_000 + (process.pid % 10_000);
    const [first, second] = [await endpoint({ port }), await endpoint({ port })];
    closers.push(
      () => first.close(),
      () => second.close(),
    );
    expect(first.ticket()).not.toBe(second.ticket());
    const served = await serving(echo);
    closers.push(() => served.endpoint.close());
    for (const from of [first, second]) {
      expect((await transportTo(served, from).exchange(utf8("x"))).message).toEqual(utf8("x"));
    }
  });

  test("what is no address is said to be none", async () => {
    const from = await endpoint();
    closers.push(() => from.close());
    expect(() => from.idOf("endpointnonsense")).toThrow(expect.objectContaining({ code: "iroh-address" }));
    expect(() => from.idOf("nonsense")).toThrow(expect.objectContaining({ code: "iroh-address" }));
  });
});
