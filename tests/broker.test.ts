/** The broker by itself: the client in the process, authentication, TLS, limits, monitoring, leaving. */
import { describe, expect, test } from "bun:test";
import { connect as openSocket } from "node:net";
import { connect, nkeyAuthenticator, nkeys } from "nats";
import type { Broker } from "../src/broker.ts";
import { signNonce } from "../src/broker-auth.ts";
import { text, utf8 } from "../src/bytes.ts";
import { UsageError } from "../src/errors.ts";
import { createLogger } from "../src/log.ts";
import { LOOPBACK, testBroker } from "./broker-harness.ts";
import { transcript, until } from "./interop/nats-server.ts";
import { testCertificate } from "./tls-certificate.ts";

// biome-ignore lint/suspicious/noExplicitAny: the pages are JSON of many shapes
async function page(broker: Broker, path: string): Promise<any> {
  return (await fetch(`http://127.0.0.1:${broker.monitorPort}${path}`)).json();
}

const address = (broker: Broker) => `localhost:${broker.port}`;

describe("the client in the process", () => {
  test("publishes, subscribes, asks", async () => {
    const broker = testBroker();
    const [a, b] = [broker.connect(), broker.connect({ echo: false })];
    const heard: string[] = [];
    const stop = a.subscribe("x.*", (message) => {
      heard.push(`${message.subject}=${text(message.payload)}`);
      if (message.reply !== "") a.publish(message.reply, utf8("yes"), { headers: [["K", "V"]] });
    });
    expect(b.publish("x.é", utf8("1"))).toBe(true);
    expect(b.publish("y", utf8("1"))).toBe(false);
    const answer = await b.request("x.2", utf8("?"), { timeoutMs: 5000 });
    expect([text(answer.payload), answer.headers?.entries]).toEqual(["yes", [["K", "V"]]]);
    expect(heard).toEqual(["x.é=1", "x.2=?"]);
    stop();
    expect(b.publish("x.1", utf8("1"))).toBe(false);
    expect(b.request("x.1", utf8("1"), { timeoutMs: 5000 })).rejects.toMatchObject({
      code: "nats-no-responders",
    });
    await broker.stop();
  });

  test("max, echo, queue, and a broken callback", async () => {
    const broker = testBroker();
    const [a, b] = [broker.connect(), broker.connect({ echo: false })];
    const heard = { max: 0, own: 0, queue: 0 };
    a.subscribe("m", () => heard.max++, { max: 2 });
    a.subscribe("m", () => {
      throw new Error("broken");
    });
    b.subscribe("m", () => heard.own++);
    for (let i = 0; i < 3; i++) a.subscribe("m", () => heard.queue++, { queue: "q" });
    for (let i = 0; i < 5; i++) b.publish("m", utf8("x"));
    await Promise.resolve();
    expect(heard).toEqual({ max: 2, own: 0, queue: 5 });
    a.close();
    expect(b.publish("m", utf8("x"))).toBe(false);
    await broker.stop();
  });

  test("wrong use and limits", async () => {
    const broker = testBroker({ limits: { payloadBytesMax: 10 } });
    const client = broker.connect();
    expect(() => client.publish("a.*", utf8(""))).toThrow(UsageError);
    expect(() => client.subscribe("a..b", () => {})).toThrow(UsageError);
    expect(() => client.publish("a", utf8("x".repeat(10)))).not.toThrow();
    expect(() => client.publish("a", utf8("x".repeat(11)))).toThrow(/exceeds 10/);
    client.subscribe("silent", () => {});
    expect(client.request("silent", utf8(""), { timeoutMs: 20 })).rejects.toMatchObject({
      code: "nats-request-timeout",
    });
    await Bun.sleep(30);
    await broker.stop();
  });

  test("what waits for callbacks is bounded; what fits still comes", async () => {
    const said: string[] = [];
    const log = createLogger("warn", (_level, message) => void said.push(message));
    const broker = testBroker({ monitor: LOOPBACK }, log);
    const client = broker.connect({ pendingBytesMax: 1000 });
    const heard: number[] = [];
    client.subscribe("a", ({ payload }) => void heard.push(payload.length));
    const other = broker.connect();
    for (let i = 0; i < 5; i++) other.publish("a", new Uint8Array(400 + i));
    await Promise.resolve();
    expect(heard).toEqual([400, 401]);
    for (let i = 0; i < 2; i++) other.publish("a", new Uint8Array(500));
    await Promise.resolve();
    expect(heard.slice(2)).toEqual([500, 500]);
    expect(said).toEqual(["NATS messages to this process dropped: too many wait"]);
    expect((await page(broker, "/varz")).slow_consumers).toBe(1);
    await broker.stop();
  });

  test("exchanges with a client on a socket", async () => {
    const broker = testBroker();
    const local = broker.connect();
    local.subscribe("ask", (message) => local.publish(message.reply, message.payload));
    const remote = await connect({ servers: address(broker) });
    expect((await remote.request("ask", "héllo", { timeout: 5000 })).string()).toBe("héllo");
    remote.subscribe("back", { callback: (_error, message) => void message.respond("there") });
    await remote.flush();
    expect(text((await local.request("back", utf8(""), { timeoutMs: 5000 })).payload)).toBe("there");
    await remote.close();
    await broker.stop();
  });
});

describe("authentication", () => {
  const user = nkeys.createUser();
  const auth = {
    users: [{ user: "u", password: "p" }],
    tokens: ["secret"],
    nkeys: [user.getPublicKey()],
  };
  const stranger = nkeys.createUser();
  test.each([
    ["user and password", { user: "u", pass: "p" }, true],
    ["a wrong password", { user: "u", pass: "x" }, false],
    ["an unknown user", { user: "v", pass: "p" }, false],
    ["a token", { token: "secret" }, true],
    ["a wrong token", { token: "secre" }, false],
    ["an nkey", { authenticator: nkeyAuthenticator(user.getSeed()) }, true],
    ["an unknown nkey", { authenticator: nkeyAuthenticator(stranger.getSeed()) }, false],
    ["nothing", {}, false],
  ])("%s", async (_name, credentials, accepted) => {
    const broker = testBroker({ auth });
    const outcome = await connect({ servers: address(broker), reconnect: false, ...credentials }).then(
      async (connection) => {
        await connection.flush();
        await connection.close();
        return true;
      },
      (error) => {
        expect(String(error)).toMatch(/authorization/i);
        return false;
      },
    );
    expect(outcome).toBe(accepted);
    await broker.stop();
  });

  test("a known nkey with another's signature", async () => {
    const broker = testBroker({ auth });
    const sig = Buffer.from(stranger.sign(utf8("guess"))).toString("base64url");
    const script = `CONNECT ${JSON.stringify({ nkey: user.getPublicKey(), sig })}\r\n`;
    expect(await transcript(broker.port!, script)).toBe("-ERR 'Authorization Violation'\r\n<closed>");
    await broker.stop();
  });

  test("signatures of ours are those of the nkeys library", () => {
    const seed = text(user.getSeed());
    const { nkey, sig } = signNonce(seed, "nonce");
    expect(nkey).toBe(user.getPublicKey());
    expect(user.verify(utf8("nonce"), Buffer.from(sig, "base64url"))).toBe(true);
    expect(() =>
      signNonce(
        // The last letter's two lowest bits say nothing.
        seed.replace(/.$/, (c) => (c === "A" ? "E" : "A")),
        "n",
      ),
    ).toThrow(UsageError);
  });

  test("a key that is none is refused at the start", () => {
    const broken = user.getPublicKey().replace(/.$/, (c) => (c === "A" ? "B" : "A"));
    expect(() => testBroker({ auth: { nkeys: [broken] } })).toThrow(/public nkey/);
  });
});

test("TLS after INFO, as NATS clients expect; a client without the authority refuses", async () => {
  const { key, cert } = testCertificate();
  const broker = testBroker({ tls: { key, cert } });
  const one = await connect({ servers: address(broker), tls: { ca: cert } });
  const heard = new Promise<number>((resolve) => {
    one.subscribe("big", { callback: (_error, message) => resolve(message.data.length) });
  });
  await one.flush();
  broker.connect().publish("big", new Uint8Array(3_000_000));
  expect(await heard).toBe(3_000_000);
  expect(connect({ servers: address(broker), reconnect: false, timeout: 5000, tls: {} })).rejects.toThrow();
  await one.close();
  await broker.stop();
}, 20_000);

test("a reader that is too slow is closed, the others are not", async () => {
  const broker = testBroker({ monitor: LOOPBACK, limits: { pendingBytesMax: 200_000 } });
  const slow = openSocket(broker.port!, "127.0.0.1", () =>
    slow.write('CONNECT {"verbose":false}\r\nSUB a 1\r\n'),
  );
  slow.pause();
  const fast = await connect({ servers: address(broker) });
  let heard = 0;
  fast.subscribe("a", { callback: () => void heard++ });
  await fast.flush();
  const local = broker.connect();
  const varz = () => page(broker, "/varz");
  await until(async () => (await varz()).subscriptions === 2, "both subscriptions");
  let sent = 0;
  await until(async () => {
    for (; sent % 50 !== 49; sent++) local.publish("a", new Uint8Array(1000));
    local.publish("a", new Uint8Array(1000));
    sent++;
    await fast.flush();
    return (await varz()).slow_consumers === 1;
  }, "the slow consumer to be closed");
  await fast.flush();
  expect(heard).toBe(sent);
  expect((await varz()).connections).toBe(1);
  slow.destroy();
  await fast.close();
  await broker.stop();
});

test("monitoring", async () => {
  const broker = testBroker({ name: "n1", monitor: LOOPBACK });
  const client = await connect({ servers: address(broker), name: "c1" });
  client.subscribe("a.é");
  client.publish("a.é", "hello");
  await client.flush();
  const get = (path: string) => fetch(`http://127.0.0.1:${broker.monitorPort}${path}`);
  const varz = await page(broker, "/varz");
  expect(varz).toMatchObject({ server_name: "n1", connections: 1, in_msgs: 1, in_bytes: 5, out_msgs: 1 });
  const connz = await page(broker, "/connz?subs=1");
  expect(connz.connections).toHaveLength(1);
  expect(connz.connections[0]).toMatchObject({ name: "c1", lang: "nats.js", subscriptions_list: ["a.é"] });
  expect(await page(broker, "/connz?offset=1")).toMatchObject({ num_connections: 0, total: 1 });
  expect(await page(broker, "/subsz")).toMatchObject({ num_subscriptions: 1 });
  expect(await page(broker, "/leafz")).toMatchObject({ leafnodes: 0, leafs: [] });
  expect(await page(broker, "/healthz")).toEqual({ status: "ok" });
  expect((await get("/")).status).toBe(404);
  expect((await fetch(`http://127.0.0.1:${broker.monitorPort}/varz`, { method: "POST" })).status).toBe(405);
  await client.close();
  await broker.stop();
});

test.each([
  ["lame duck", (broker: Broker) => broker.lameDuck(50)],
  ["stop", (broker: Broker) => broker.stop()],
])("%s: clients are told, what was sent arrives, nobody new comes in", async (_name, leave) => {
  const broker = testBroker();
  const client = await connect({ servers: address(broker), reconnect: false });
  const seen: string[] = [];
  const watching = (async () => {
    for await (const status of client.status()) seen.push(status.type);
  })();
  let heard = 0;
  client.subscribe("a", { callback: () => void heard++ });
  await client.flush();
  const local = broker.connect();
  for (let i = 0; i < 100; i++) local.publish("a", new Uint8Array(10_000));
  await leave(broker);
  await client.closed();
  await watching;
  expect(heard).toBe(100);
  expect(seen).toContain("ldm");
  expect(connect({ servers: address(broker), reconnect: false })).rejects.toThrow();
});

test("subscriptions past the limit are refused", async () => {
  const broker = testBroker({ limits: { subscriptionCountMax: 2 } });
  const subscribe = "SUB a 1\r\nSUB b 2\r\nSUB c 3\r\nPING\r\n";
  expect(await transcript(broker.port!, `CONNECT {"verbose":false}\r\n${subscribe}`)).toBe(
    "-ERR 'maximum subscriptions exceeded'\r\nPONG\r\n",
  );
  await broker.stop();
});
