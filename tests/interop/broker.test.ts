/** The embedded broker says what nats-server says, to raw scripts and to the `nats` client. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, headers, type NatsConnection } from "nats";
import type { Broker } from "../../src/broker.ts";
import { LOOPBACK, testBroker } from "../broker-harness.ts";
import { SCRIPTS } from "../nats-scripts.ts";
import { TempDir } from "../temp-dir.ts";
import { testCertificate } from "../tls-certificate.ts";
import { type NatsServer, startNatsServer, transcript } from "./nats-server.ts";

let oracle: NatsServer;
let broker: Broker;

beforeAll(async () => {
  oracle = await startNatsServer();
  broker = testBroker({ limits: { payloadBytesMax: 1_048_576 } });
});

afterAll(async () => {
  await broker.stop();
  await oracle.stop();
});

/** A server measures the round trip of a connection that is a second old: when that is depends on the machine. */
async function withoutPings(heard: Promise<string>): Promise<string> {
  return (await heard).replace(/^PING\r\n/gm, "");
}

describe("a raw connection gets the same bytes", () => {
  test.each(SCRIPTS)("%s", async (_name, script) => {
    const expected = await withoutPings(transcript(oracle.port, script));
    expect(await withoutPings(transcript(broker.port!, script))).toBe(expected);
  });

  test.each([
    ["a wrong password", 'CONNECT {"user":"u","pass":"x"}\r\n'],
    ["no password", 'CONNECT {"user":"u"}\r\n'],
    ["no credentials", "CONNECT {}\r\n"],
    ["no CONNECT", "PING\r\n"],
    ["the right ones", 'CONNECT {"user":"u","pass":"p"}\r\nPING\r\n'],
    ["silence", ""],
  ])("with a password: %s", async (_name, script) => {
    const server = await startNatsServer("authorization {\n user: u\n password: p\n timeout: 0.2\n}");
    const ours = testBroker({
      auth: { users: [{ user: "u", password: "p" }] },
      limits: { authTimeoutMs: 200 },
    });
    const expected = await transcript(server.port, script);
    expect(await transcript(ours.port!, script)).toBe(expected);
    await Promise.all([server.stop(), ours.stop()]);
  });

  test("limits of connections and of silence", async () => {
    const server = await startNatsServer('ping_interval: "60ms"\nping_max: 1\nmax_connections: 1');
    const ours = testBroker({ limits: { pingIntervalMs: 60, pingOutMax: 1, connectionCountMax: 1 } });
    for (const port of [server.port, ours.port!]) {
      const silent = transcript(port, 'CONNECT {"verbose":false}\r\n');
      await Bun.sleep(20);
      expect(await transcript(port, "PING\r\n")).toBe("-ERR 'maximum connections exceeded'\r\n<closed>");
      expect(await silent).toBe("PING\r\n-ERR 'Stale Connection'\r\n<closed>");
    }
    await Promise.all([server.stop(), ours.stop()]);
  });
});

describe("monitoring has the fields of nats-server", () => {
  /** What is not here: other protocols and kinds of servers, accounts, and what is particular to Go. */
  const ABSENT =
    /^(go|gomaxprocs|git_commit|http_base_path|https_port|cluster|gateway|mqtt|websocket|jetstream|write_deadline|http_req_stats|system_account|max_fanout|avg_fanout|rtt)$/;
  const fieldsOf = (value: object) =>
    Object.entries(value)
      .filter(([name]) => !ABSENT.test(name))
      .map(([name, one]) => `${name}: ${one === null ? "object" : typeof one}`)
      .sort();
  const secrets = { users: [{ user: "u", password: "p" }] };

  test.each(["/varz", "/connz?subs=1&auth=1", "/connz?subs=detail&sort=bytes_to", "/subsz", "/leafz"])(
    "%s",
    async (path) => {
      const config = 'http: "127.0.0.1:-1"\nleafnodes {\n listen: "127.0.0.1:-1"\n}';
      const users = "authorization {\n users: [{user: u, password: p}]\n}";
      const server = await startNatsServer(`${config}\n${users}`);
      const ours = testBroker({ auth: secrets, monitor: LOOPBACK, leafListen: LOOPBACK });
      const pages: unknown[] = [];
      for (const { port, monitorPort } of [server, ours]) {
        const client = await connect({ servers: `127.0.0.1:${port}`, name: "c", user: "u", pass: "p" });
        client.subscribe("a");
        client.subscribe("b.*", { queue: "q" });
        await client.flush();
        pages.push(await (await fetch(`http://127.0.0.1:${monitorPort}${path}`)).json());
        await client.close();
      }
      const [theirs, own] = pages as Record<string, object[]>[];
      expect(fieldsOf(own!)).toEqual(expect.arrayContaining(fieldsOf(theirs!)));
      const [theirClient, ourClient] = [theirs, own].map((page) => page!["connections"]?.[0] ?? {});
      expect(fieldsOf(ourClient!)).toEqual(fieldsOf(theirClient!));
      const listed = (client: object) => {
        const list = (client as Record<string, unknown[]>)["subscriptions_list"];
        const details = (client as Record<string, { cid: number }[]>)["subscriptions_list_detail"];
        return [list?.sort(), details?.map((one) => ({ ...one, cid: 0 }))];
      };
      expect(listed(ourClient!)).toEqual(listed(theirClient!));
      await Promise.all([server.stop(), ours.stop()]);
    },
  );

  test("questions that are none, pages and one connection", async () => {
    const server = await startNatsServer('http: "127.0.0.1:-1"');
    const ours = testBroker({ monitor: LOOPBACK });
    const outcomes: unknown[] = [];
    for (const { port, monitorPort } of [server, ours]) {
      const clients = await Promise.all(
        [1, 2, 3].map((i) => connect({ servers: `127.0.0.1:${port}`, name: `c${i}` })),
      );
      for (const [i, client] of clients.entries()) {
        for (let n = 0; n <= i; n++) client.subscribe(`a.${n}`);
        await client.flush();
      }
      const get = async (query: string) => {
        const reply = await fetch(`http://127.0.0.1:${monitorPort}/connz?${query}`);
        if (reply.status !== 200) return reply.status;
        const { connections, ...counts } = (await reply.json()) as { connections: { name: string }[] };
        return [connections.map(({ name }) => name), counts];
      };
      const queries = [
        "sort=nothing",
        "limit=x",
        "offset=y",
        "state=odd",
        "sort=subs",
        "sort=subs&limit=1&offset=1",
      ];
      const seen = await Promise.all([...queries, "state=closed"].map(get));
      outcomes.push(seen.map((one) => JSON.stringify(one).replaceAll(/"(server_id|now)":"[^"]*",?/g, "")));
      const one = await fetch(`http://127.0.0.1:${monitorPort}/connz?cid=999`);
      outcomes.push(((await one.json()) as { connections: unknown }).connections);
      await Promise.all(clients.map((client) => client.close()));
    }
    expect(outcomes.slice(2)).toEqual(outcomes.slice(0, 2));
    await Promise.all([server.stop(), ours.stop()]);
  });
});

describe.each(["nats-server", "broker"])("certificates of clients, %s", (name) => {
  const server = testCertificate();
  const [known, stranger] = [testCertificate("known"), testCertificate("stranger")];
  const shown = { known, stranger, none: {} };
  test.each([
    ["verified", "known", true],
    ["verified", "stranger", false],
    ["verified", "none", false],
    ["not asked for", "known", true],
    ["not asked for", "stranger", true],
    ["not asked for", "none", true],
  ] as const)("%s, %s: %p", async (rule, which, accepted) => {
    const clientCa = rule === "verified" ? known.cert : undefined;
    const { port, stop } = name === "broker" ? ours(clientCa) : await theirs(clientCa);
    const tls = { ca: server.cert, ...shown[which] };
    const outcome = await connect({
      servers: `localhost:${port}`,
      reconnect: false,
      timeout: 5000,
      tls,
    }).then(
      async (connection) => {
        await connection.flush();
        await connection.close();
        return true;
      },
      () => false,
    );
    expect(outcome).toBe(accepted);
    await stop();
  });

  function ours(clientCa: string | undefined) {
    const secure = testBroker({ tls: { ...server, ...(clientCa !== undefined && { clientCa }) } });
    return { port: secure.port, stop: () => secure.stop() };
  }

  async function theirs(clientCa: string | undefined) {
    const temp = new TempDir("tls");
    const file = (part: string, pem: string) => `${part}_file: "${temp.write(`${part}.pem`, pem)}"`;
    const lines = [file("cert", server.cert), file("key", server.key)];
    if (clientCa !== undefined) lines.push(file("ca", clientCa), "verify: true");
    const { port, stop } = await startNatsServer(`tls {\n${lines.join("\n")}\n}`);
    return { port, stop: () => stop().then(() => temp.remove()) };
  }
});

describe.each(["nats-server", "broker"])("the nats client with %s", (name) => {
  let a: NatsConnection;
  let b: NatsConnection;
  beforeAll(async () => {
    const servers = `127.0.0.1:${name === "broker" ? broker.port : oracle.port}`;
    [a, b] = await Promise.all([connect({ servers }), connect({ servers })]);
  });
  afterAll(() => Promise.all([a.close(), b.close()]));

  test("requests, headers, and nobody to answer", async () => {
    a.subscribe("echo.*", {
      callback: (_error, message) => {
        const back = headers();
        back.set("K", message.headers?.get("K") ?? "none");
        message.respond(message.data, { headers: back });
      },
    });
    await a.flush();
    const sent = headers();
    sent.set("K", "value");
    const answer = await b.request("echo.1", "hello", { headers: sent, timeout: 5000 });
    expect([answer.string(), answer.headers?.get("K")]).toEqual(["hello", "value"]);
    expect(b.request("nobody", "")).rejects.toThrow(/no responders/);
  });

  test("a queue group gets each message once, and every member some", async () => {
    const heard = [0, 0, 0];
    for (const i of heard.keys()) {
      a.subscribe("work", { queue: "workers", callback: () => void heard[i]!++ });
    }
    await a.flush();
    for (let i = 0; i < 300; i++) b.publish("work", "x");
    await b.flush();
    await a.flush();
    expect(heard.reduce((sum, n) => sum + n)).toBe(300);
    expect(Math.min(...heard)).toBeGreaterThan(50);
  });

  test("a megabyte in each direction arrives whole", async () => {
    const data = new Uint8Array(1_000_000).map((_, i) => i * 7);
    const arrived = new Promise<Uint8Array>((resolve) => {
      a.subscribe("big", { max: 1, callback: (_error, message) => resolve(message.data) });
    });
    await a.flush();
    b.publish("big", data);
    expect(Buffer.compare(await arrived, data)).toBe(0);
  });
});
