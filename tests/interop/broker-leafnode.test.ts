/** Leafnodes: us and nats-server in every pairing, both ways. */
import { afterEach, describe, expect, test } from "bun:test";
import { connect, type NatsConnection, nkeys } from "nats";
import type { Broker } from "../../src/broker.ts";
import type { LeafRemote } from "../../src/broker-leafnode-join.ts";
import { text, utf8 } from "../../src/bytes.ts";
import { createLogger } from "../../src/log.ts";
import { LOOPBACK, testBroker } from "../broker-harness.ts";
import { TempDir } from "../temp-dir.ts";
import { testCertificate } from "../tls-certificate.ts";
import { startNatsServer, transcript, until } from "./nats-server.ts";

/** One broker of a topology, ours or nats-server, with a client. */
interface Node {
  readonly client: NatsConnection;
  readonly leafPort: number;
  stop(): Promise<void>;
}
type Kind = "broker" | "nats-server";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function node(kind: Kind, hubs: readonly number[] = [], leafPort = 0): Promise<Node> {
  let port: number;
  let leaf: number;
  let halt: () => Promise<void>;
  if (kind === "broker") {
    const leafRemotes: LeafRemote[] = hubs.map((hub) => ({ host: "127.0.0.1", port: hub }));
    const broker = testBroker({ leafListen: { ...LOOPBACK, port: leafPort }, leafRemotes });
    [port, leaf, halt] = [broker.port!, broker.leafPort!, () => broker.stop()];
  } else {
    const remotes = hubs.map((hub) => `{url: "nats://127.0.0.1:${hub}"}`).join(", ");
    const server = await startNatsServer(
      `leafnodes {\n listen: "127.0.0.1:${leafPort || -1}"\n reconnect: 1\n remotes: [${remotes}]\n}`,
    );
    [port, leaf, halt] = [server.port, server.leafPort!, () => server.stop()];
  }
  const client = await connect({ servers: `127.0.0.1:${port}`, maxReconnectAttempts: 0 });
  const stop = async () => {
    await client.close();
    await halt();
  };
  cleanups.push(stop);
  return { client, leafPort: leaf, stop };
}

/** Waits until what `from` publishes on `subject` comes to `to`, then returns what a burst of 20 delivers. */
async function burst(from: Node, to: Node, subject: string): Promise<string[]> {
  const heard: string[] = [];
  const subscription = to.client.subscribe(subject, {
    callback: (_e, message) => void heard.push(message.string()),
  });
  await to.client.flush();
  await until(async () => {
    from.client.publish(subject, "probe");
    await from.client.flush();
    await Bun.sleep(20);
    return heard.length > 0;
  }, `the path for ${subject}`);
  for (let i = 0; i < 20; i++) from.client.publish(subject, `m${i}`);
  await until(() => heard.includes("m19"), "the last of the burst");
  await Bun.sleep(50);
  subscription.unsubscribe();
  return heard.filter((one) => one !== "probe");
}

const BURST = Array.from({ length: 20 }, (_, i) => `m${i}`);
const PAIRS: [hub: Kind, leaf: Kind][] = [
  ["nats-server", "broker"],
  ["broker", "nats-server"],
  ["broker", "broker"],
];

describe.each(PAIRS)("hub %s, leaf %s", (hubKind, leafKind) => {
  test("messages, requests and queue groups cross, each once", async () => {
    const hub = await node(hubKind);
    const leaf = await node(leafKind, [hub.leafPort]);
    expect(await burst(hub, leaf, "down.x")).toEqual(BURST);
    expect(await burst(leaf, hub, "up.x")).toEqual(BURST);
    for (const [asker, answerer, subject] of [
      [hub, leaf, "ask.leaf"],
      [leaf, hub, "ask.hub"],
    ] as const) {
      answerer.client.subscribe(subject, { callback: (_e, message) => void message.respond(message.data) });
      await answerer.client.flush();
      await until(
        () =>
          asker.client.request(subject, "é", { timeout: 1000 }).then(
            (answer) => answer.string() === "é",
            () => false,
          ),
        `an answer on ${subject}`,
      );
    }
    expect(leaf.client.request("nobody", "", { timeout: 2000 })).rejects.toThrow(/no responders/);
    // A group on the other side only: each message goes to one of its members.
    let [one, two] = [0, 0];
    leaf.client.subscribe("work", { queue: "q", callback: () => void one++ });
    leaf.client.subscribe("work", { queue: "q", callback: () => void two++ });
    leaf.client.subscribe("*ork", { queue: "other", callback: () => {} });
    await leaf.client.flush();
    await burst(hub, leaf, "barrier");
    for (let i = 0; i < 100; i++) hub.client.publish("work", "x", i % 2 ? { reply: "r.x" } : undefined);
    await until(() => one + two >= 100, "the group's messages");
    await burst(hub, leaf, "barrier2");
    expect(one + two).toBe(100);
    // Members on the publisher's side come first.
    let near = 0;
    hub.client.subscribe("work", { queue: "q", callback: () => void near++ });
    await hub.client.flush();
    for (let i = 0; i < 10; i++) hub.client.publish("work", "x");
    await burst(hub, leaf, "barrier3");
    expect([near, one + two]).toEqual([10, 100]);
  }, 30_000);
});

test("a chain of three: what the ends say crosses the middle", async () => {
  const top = await node("nats-server");
  const middle = await node("broker", [top.leafPort]);
  const low = await node("nats-server", [middle.leafPort]);
  expect(await burst(top, low, "a.b")).toEqual(BURST);
  expect(await burst(low, top, "b.a")).toEqual(BURST);
}, 30_000);

test.each(["broker", "nats-server"] as const)(
  "a diamond below a %s: the loop is found and cut once, nothing is doubled",
  async (kind) => {
    const top = await node(kind);
    const left = await node("broker", [top.leafPort]);
    const right = await node("nats-server", [top.leafPort]);
    await burst(left, right, "before");
    const low = await node("broker", [left.leafPort, right.leafPort]);
    expect(await burst(top, low, "a")).toEqual(BURST);
    await Bun.sleep(300);
    expect(await burst(top, low, "b")).toEqual(BURST);
    expect(await burst(low, right, "c")).toEqual(BURST);
  },
  30_000,
);

test.each(["broker", "nats-server"] as const)(
  "a nats-server below two brokers below a %s: nothing is doubled, nobody is left out, also when the top restarts",
  async (kind) => {
    const top = await node(kind);
    const left = await node("broker", [top.leafPort]);
    const right = await node("broker", [top.leafPort]);
    await burst(left, right, "before");
    const low = await node("nats-server", [left.leafPort, right.leafPort]);
    const all = [top, left, right, low];
    const crossAll = async (name: string) => {
      for (const [i, from] of all.entries()) {
        const to = all[(i + 1) % all.length]!;
        expect([name, i, await burst(from, to, `${name}.${i}`)]).toEqual([name, i, BURST]);
      }
    };
    await crossAll("joined");
    await Bun.sleep(300);
    await crossAll("settled");
    cleanups.splice(0, 1);
    await top.stop();
    all[0] = await node(kind, [], top.leafPort);
    await crossAll("restarted");
  },
  60_000,
);

test.each(PAIRS)(
  "hub %s restarts: leaf %s joins again",
  async (hubKind, leafKind) => {
    const hub = await node(hubKind);
    const leaf = await node(leafKind, [hub.leafPort]);
    expect(await burst(hub, leaf, "a")).toEqual(BURST);
    cleanups.splice(0, 1);
    await hub.stop();
    const again = await node(hubKind, [], hub.leafPort);
    expect(await burst(again, leaf, "a")).toEqual(BURST);
  },
  30_000,
);

/** A broker of ours that joins `port`; resolves with the first reason that it could not, or "joined". */
async function outcome(port: number, more: Partial<LeafRemote> = {}): Promise<string> {
  let said = "";
  const log = createLogger("info", (_level, message, fields) => {
    if (message === "NATS leafnode joined") said ||= "joined";
    if (message === "NATS leafnode not connected") said ||= String(fields["reason"]);
  });
  const broker: Broker = testBroker({ leafRemotes: [{ host: "localhost", port, ...more }] }, log);
  cleanups.push(() => broker.stop());
  await until(() => said !== "", "an outcome");
  return said;
}

describe("authentication and TLS", () => {
  test.each(["broker", "nats-server"] as const)(
    "with a password, to a %s",
    async (kind) => {
      const users = [{ user: "u", password: "p" }];
      let port: number;
      if (kind === "broker") {
        const broker = testBroker({ leafListen: LOOPBACK, auth: { users } });
        cleanups.push(() => broker.stop());
        port = broker.leafPort!;
      } else {
        const server = await startNatsServer(
          'leafnodes {\n listen: "127.0.0.1:-1"\n authorization {\n user: u\n password: p\n }\n}',
        );
        cleanups.push(() => server.stop());
        port = server.leafPort!;
      }
      expect(await outcome(port, { credentials: { user: "u", password: "p" } })).toBe("joined");
      expect(await outcome(port, { credentials: { user: "u", password: "x" } })).toMatch(
        /authorization violation/i,
      );
      expect(await outcome(port)).toMatch(/authorization violation/i);
    },
    20_000,
  );

  test("with a token, ours and nats-server's, which sends it as a user's name", async () => {
    const broker = testBroker({ leafListen: LOOPBACK, auth: { tokens: ["secret"] }, monitor: LOOPBACK });
    cleanups.push(() => broker.stop());
    expect(await outcome(broker.leafPort!, { credentials: { token: "secret" } })).toBe("joined");
    expect(await outcome(broker.leafPort!, { credentials: { token: "secre" } })).toMatch(/authorization/i);
    const url = `nats://secret@127.0.0.1:${broker.leafPort}`;
    const server = await startNatsServer(`server_name: theirs\nleafnodes {\n remotes: [{url: "${url}"}]\n}`);
    cleanups.push(() => server.stop());
    await until(async () => {
      const page = await fetch(`http://127.0.0.1:${broker.monitorPort}/leafz`);
      return (await page.text()).includes('"name":"theirs"');
    }, "nats-server's connection");
  }, 20_000);

  test("nats-server joins us with a password and over TLS, and is refused with another, or without trust", async () => {
    const { key, cert } = testCertificate();
    const users = [{ user: "u", password: "p" }];
    const broker = testBroker({
      leafListen: LOOPBACK,
      auth: { users },
      tls: { key, cert },
      monitor: LOOPBACK,
    });
    cleanups.push(() => broker.stop());
    const temp = new TempDir("tls");
    const ca = `ca_file: "${temp.write("ca.pem", cert)}"`;
    const join = async (name: string, password: string, tls: string) => {
      const url = `tls://u:${password}@localhost:${broker.leafPort}`;
      const remote = `{url: "${url}"\n tls {\n ${tls}\n}\n}`;
      const server = await startNatsServer(
        `server_name: ${name}\nleafnodes {\n reconnect: 1\n remotes: [${remote}]\n}`,
      );
      cleanups.push(() => server.stop());
      return server;
    };
    const strangers = testCertificate("strangers");
    const [wrong, distrusting] = await Promise.all([
      join("wrong", "x", ca),
      join("distrusting", "p", `ca_file: "${temp.write("other.pem", strangers.cert)}"`),
    ]);
    await until(() => /Authorization Violation/i.test(wrong.log()), "a refusal");
    await until(
      () => /certificate signed by unknown authority/.test(distrusting.log()),
      "a refusal of its own",
    );
    await join("right", "p", ca);
    const leaves = async () =>
      (await fetch(`http://127.0.0.1:${broker.monitorPort}/leafz`)).json() as Promise<{
        leafnodes: number;
        leafs: { name: string }[];
      }>;
    await until(async () => (await leaves()).leafnodes === 1, "nats-server's connection");
    expect((await leaves()).leafs[0]?.name).toBe("right");
    broker.allow({ users: [{ user: "u", password: "other" }] });
    await until(async () => (await leaves()).leafnodes === 0, "its end when the password changes");
    temp.remove();
  }, 20_000);

  test("with an nkey", async () => {
    const [known, stranger] = [nkeys.createUser(), nkeys.createUser()];
    const broker = testBroker({ leafListen: LOOPBACK, auth: { nkeys: [known.getPublicKey()] } });
    cleanups.push(() => broker.stop());
    const seed = (pair: typeof known) => ({ credentials: { nkeySeed: text(pair.getSeed()) } });
    expect(await outcome(broker.leafPort!, seed(known))).toBe("joined");
    expect(await outcome(broker.leafPort!, seed(stranger))).toMatch(/authorization violation/i);
  }, 20_000);

  test("TLS between us; a stranger's certificate is refused", async () => {
    const { key, cert } = testCertificate();
    const broker = testBroker({ leafListen: LOOPBACK, tls: { key, cert } });
    cleanups.push(() => broker.stop());
    expect(await outcome(broker.leafPort!, { tls: { ca: cert } })).toBe("joined");
    expect(await outcome(broker.leafPort!)).toMatch(/TLS/);
  }, 20_000);

  test.each(["broker", "nats-server"] as const)(
    "certificates of leafnodes, verified by a %s",
    async (kind) => {
      const { key, cert } = testCertificate();
      const [known, stranger] = [testCertificate("known"), testCertificate("stranger")];
      let port: number;
      if (kind === "broker") {
        const broker = testBroker({ leafListen: LOOPBACK, tls: { key, cert, clientCa: known.cert } });
        cleanups.push(() => broker.stop());
        port = broker.leafPort!;
      } else {
        const temp = new TempDir("tls");
        const file = (part: string, pem: string) => `${part}_file: "${temp.write(`${part}.pem`, pem)}"`;
        const lines = [file("cert", cert), file("key", key), file("ca", known.cert), "verify: true"];
        const server = await startNatsServer(
          `leafnodes {\n listen: "127.0.0.1:-1"\n tls {\n${lines.join("\n")}\n}\n}`,
        );
        cleanups.push(() => server.stop().then(() => temp.remove()));
        port = server.leafPort!;
      }
      expect(await outcome(port, { tls: { ca: cert, ...known } })).toBe("joined");
      expect(await outcome(port, { tls: { ca: cert, ...stranger } })).toMatch(/without a word|TLS/);
      expect(await outcome(port, { ca: cert })).toMatch(/without a word|TLS/);
    },
    20_000,
  );
});

describe("mistaken ports", () => {
  test("a leafnode at a client port", async () => {
    const server = await startNatsServer();
    cleanups.push(() => server.stop());
    expect(await outcome(server.port)).toMatch(/port of NATS clients/);
    const broker = testBroker();
    cleanups.push(() => broker.stop());
    expect(await outcome(broker.port!)).toMatch(/port of NATS clients/);
  });

  test("a client at a leafnode port, and hostile lines there", async () => {
    const server = await startNatsServer('leafnodes {\n listen: "127.0.0.1:-1"\n}');
    const broker = testBroker({ leafListen: LOOPBACK });
    cleanups.push(
      () => server.stop(),
      () => broker.stop(),
    );
    for (const script of [
      'CONNECT {"lang":"x","version":"1"}\r\n',
      "PUB a 1\r\nx\r\n",
      "LS+ x\r\n",
      "\r\n",
    ]) {
      expect(await transcript(broker.leafPort!, script)).toBe(await transcript(server.leafPort!, script));
    }
  });
});

test("two that join each other keep one connection", async () => {
  const free = testBroker({ leafListen: LOOPBACK });
  const port = free.leafPort!;
  await free.stop();
  const a = testBroker({ leafListen: { ...LOOPBACK, port }, monitor: LOOPBACK });
  const remoteOf = (leafPort: number): LeafRemote[] => [{ host: "127.0.0.1", port: leafPort }];
  const b = testBroker({ leafListen: LOOPBACK, leafRemotes: remoteOf(port) });
  const leaves = async () =>
    (await fetch(`http://127.0.0.1:${a.monitorPort}/leafz`)).json() as Promise<{ leafnodes: number }>;
  await until(async () => (await leaves()).leafnodes === 1, "the first connection");
  const closing = a.joinLeaf(remoteOf(b.leafPort!)[0]!);
  cleanups.push(
    () => b.stop(),
    () => a.stop(),
  );
  const heard: string[] = [];
  b.connect().subscribe("x", (message) => void heard.push(message.subject));
  await Bun.sleep(100);
  const local = a.connect();
  await until(() => local.publish("x", utf8("1")), "interest");
  await until(() => heard.length === 1, "the message");
  expect((await leaves()).leafnodes).toBe(1);
  await Bun.sleep(50);
  expect(heard).toEqual(["x"]);
  closing();
});
