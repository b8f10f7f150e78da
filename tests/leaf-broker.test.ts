/** The embedded broker of a leaf: its options on the command line, its listeners, its link. */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { connect } from "nats";
import { text, utf8 } from "../src/bytes.ts";
import { BROKER_ARGS, type BrokerCertificates, brokerOptions } from "../src/cli-broker.ts";
import { systemClock } from "../src/clock.ts";
import { UsageError } from "../src/errors.ts";
import { type LeafBroker, type LeafBrokerOptions, startLeafBroker } from "../src/leaf-broker.ts";
import { type Logger, silentLogger } from "../src/log.ts";
import { seededRandom } from "../src/random.ts";
import { atEnd } from "./at-end.ts";
import { edgesyncWords } from "./interop/leaf-process.ts";
import { until } from "./interop/nats-server.ts";
import { TempDir } from "./temp-dir.ts";
import { testCertificate } from "./tls-certificate.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const EVERYWHERE = { host: "0.0.0.0", port: 0 };
const PAIR = testCertificate();
const brokers: LeafBroker[] = [];

afterEach(async () => {
  for (const broker of brokers.splice(0)) await broker.stop();
});

function start(options: LeafBrokerOptions, seed = 1n, log: Logger = silentLogger): LeafBroker {
  const deps = { clock: systemClock, random: seededRandom(seed), log };
  const broker = startLeafBroker(options, deps);
  brokers.push(broker);
  return broker;
}

/** What the options make of `given`, the rest as by default. */
function options(
  given: Partial<Record<keyof typeof BROKER_ARGS, string | string[]>>,
  ca?: string,
  certificates: Partial<BrokerCertificates> = {},
) {
  const values = Object.entries(BROKER_ARGS).map(([name, arg]) => {
    const own = given[name as keyof typeof BROKER_ARGS] ?? ("default" in arg ? arg.default : undefined);
    if ("repeat" in arg && arg.repeat) return [name, [own ?? []].flat().map((one) => arg.parse(one))];
    return [
      name,
      own === undefined ? (arg.type === "boolean" ? false : undefined) : arg.parse(own as string),
    ];
  });
  return brokerOptions(Object.fromEntries(values), { tls: undefined, ca, ...certificates });
}

describe("options", () => {
  test("none of them, no broker; sizes, ports and limits", () => {
    expect(options({ natsAuth: "secret" })).toBeUndefined();
    expect(
      options({ natsListen: "localhost", natsMaxPayload: "512KB", natsMaxConnections: "5" }),
    ).toMatchObject({
      listen: { host: "localhost", port: 4222 },
      maxPayload: 524_288,
      maxConnections: 5,
      insecure: false,
    });
    expect(options({ natsLeafListen: ":" + "0" })).toMatchObject({
      leafListen: EVERYWHERE,
      maxPayload: 8_388_608,
    });
    for (const size of ["1", "8XB", "1G", "-1MB"]) {
      expect(() => options({ natsListen: ":1", natsMaxPayload: size })).toThrow(/a size from 1024/);
    }
  });

  test("secrets, by their kind and from a file", () => {
    using temp = new TempDir("auth");
    const key = `U${"A".repeat(55)}`;
    const file = temp.write("auth", `# who may come in\nbob:a:b\n${key}\n\n`);
    expect(options({ natsListen: ":1", natsAuth: ["ann:pw", "token", `@${file}`] })?.auth).toEqual({
      users: [
        { user: "ann", password: "pw" },
        { user: "bob", password: "a:b" },
      ],
      tokens: ["token"],
      nkeys: [key],
    });
    for (const wrong of ["", ":x", "@/nowhere/at/all", `@${temp.write("empty", "# nobody\n\n")}`]) {
      expect(() => options({ natsListen: ":1", natsAuth: wrong })).toThrow(UsageError);
    }
  });

  test.each([
    ["nats://example.org", { host: "example.org", port: 7422, credentials: {} }],
    ["example.org:1", { host: "example.org", port: 1, credentials: {} }],
    [
      "tls://a%40b:p%3Aq@[::1]:2",
      { host: "::1", port: 2, credentials: { user: "a@b", password: "p:q" }, tls: {} },
    ],
    ["nats://token@h", { host: "h", port: 7422, credentials: { token: "token" } }],
  ])("joining %s", (url, remote) => {
    expect(options({ natsLeafnode: url })?.leafRemotes).toEqual([remote]);
    expect(options({ natsLeafnode: [url, "b"] }, "PEM")?.leafRemotes?.map(({ ca }) => ca)).toEqual([
      "PEM",
      "PEM",
    ]);
  });

  test("what cannot be joined is named without its password", () => {
    for (const url of ["http://h", "nats://u:hidden@h/path", "nats://", "nats://h:99999"]) {
      expect(() => options({ natsLeafnode: url })).toThrow(/expected nats:\/\/HOST:PORT/);
      expect(() => options({ natsLeafnode: url })).not.toThrow(/hidden/);
    }
  });
});

describe("listeners", () => {
  test.each<[string, LeafBrokerOptions, boolean]>([
    ["clients", { listen: EVERYWHERE }, false],
    ["leafnodes", { leafListen: EVERYWHERE }, false],
    ["clients with a secret", { listen: EVERYWHERE, auth: { tokens: ["t"] } }, true],
    ["clients with an empty list of secrets", { listen: EVERYWHERE, auth: { tokens: [] } }, false],
    ["clients with a certificate", { listen: EVERYWHERE, tls: { ...PAIR, clientCa: PAIR.cert } }, true],
    ["clients that see a certificate", { listen: EVERYWHERE, tls: PAIR }, false],
    ["monitoring with a secret for clients", { monitor: EVERYWHERE, auth: { tokens: ["t"] } }, false],
    ["everything, as the user insists", { listen: EVERYWHERE, monitor: EVERYWHERE, insecure: true }, true],
  ])("beyond this machine: %s", (_name, given, allowed) => {
    if (allowed) expect(start(given).broker.serverId).toMatch(/^N/);
    else expect(() => start(given)).toThrow(expect.objectContaining({ code: "open-listener", exitCode: 2 }));
  });

  test("an address in use frees what was opened before it", () => {
    const port = start({ listen: LOOPBACK }).broker.port!;
    const free = start({ listen: LOOPBACK });
    const other = free.broker.port!;
    void free.stop();
    const taken = () => start({ listen: { ...LOOPBACK, port: other }, leafListen: { ...LOOPBACK, port } });
    expect(taken).toThrow(expect.objectContaining({ code: "address-in-use" }));
    expect(start({ listen: { ...LOOPBACK, port: other } }).broker.port).toBe(other);
  });

  test("every address is named, with TLS and without", () => {
    const plain = start({ listen: LOOPBACK, leafListen: LOOPBACK, monitor: LOOPBACK });
    const { port, leafPort, monitorPort } = plain.broker;
    expect(plain.addresses).toEqual({
      nats: `nats://127.0.0.1:${port}`,
      natsLeaf: `nats://127.0.0.1:${leafPort}`,
      natsMonitor: `http://127.0.0.1:${monitorPort}`,
    });
    const secure = start({ listen: LOOPBACK, tls: testCertificate() });
    expect(secure.addresses.nats).toMatch(/^tls:\/\//);
    expect(secure.addresses.natsLeaf).toBeUndefined();
  });
});

describe("on the command line", () => {
  test("the ready line names every address; a client gets in with the secret", async () => {
    using temp = new TempDir("leaf-broker");
    const file = await newRepository(temp);
    const listeners = ["--nats-listen", "--nats-leaf-listen", "--nats-monitor"];
    const args = ["--nats-auth", "u:p", ...listeners.flatMap((name) => [name, "127.0.0.1:0"])];
    const leaf = run("leaf", "--repo", file, "--log-format", "json", ...args);
    const ready = await readyLine(leaf);
    expect(ready).toMatchObject({ natsLeaf: expect.stringMatching(/^nats:\/\/127\.0\.0\.1:\d+$/) });
    const client = await connect({ servers: ready["nats"] ?? "", user: "u", pass: "p" });
    await client.flush();
    const varz = (await fetch(`${ready["natsMonitor"]}/varz`)).json() as Promise<{ connections: number }>;
    expect((await varz).connections).toBe(1);
    await client.close();
    leaf.kill("SIGTERM");
    expect(await leaf.exited).toBe(0);
  }, 30_000);

  test("SIGHUP reads the secrets again: who is not among them goes, and a file without any changes nothing", async () => {
    using temp = new TempDir("leaf-broker");
    const file = await newRepository(temp);
    const secrets = temp.write("secrets", "ann:1\nbob:2\n");
    const listen = ["--nats-listen", "127.0.0.1:0", "--nats-auth", `@${secrets}`];
    const leaf = run("leaf", "--repo", file, "--log-format", "json", ...listen);
    const { nats = "" } = await readyLine(leaf);
    const enter = (user: string, pass: string) => connect({ servers: nats, user, pass, reconnect: false });
    const [ann, bob] = [await enter("ann", "1"), await enter("bob", "2")];
    temp.write("secrets", "bob:2\ncarl:3\n");
    leaf.kill("SIGHUP");
    await ann.closed();
    const carl = await enter("carl", "3");
    await bob.flush();
    expect(enter("ann", "1")).rejects.toThrow(/authorization/i);
    temp.write("secrets", "# nobody\n");
    leaf.kill("SIGHUP");
    await heard(leaf, /expected at least one secret, got none.*\n/);
    await Promise.all([bob.flush(), carl.flush()]);
    expect(enter("zoe", "")).rejects.toThrow(/authorization/i);
    await Promise.all([bob.close(), carl.close()]);
    leaf.kill("SIGTERM");
    expect(await leaf.exited).toBe(0);
  }, 30_000);

  test("one certificate for HTTP and NATS", async () => {
    using temp = new TempDir("leaf-broker");
    const file = await newRepository(temp);
    const { key, cert } = testCertificate();
    const files = ["--tls-cert", temp.write("cert.pem", cert), "--tls-key", temp.write("key.pem", key)];
    const listeners = ["--serve-http", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0"];
    const leaf = run("leaf", "--repo", file, "--log-format", "json", ...listeners, ...files);
    const { http = "", nats = "" } = await readyLine(leaf);
    expect([http, nats].join(" ")).toMatch(/^https:\/\/127\.0\.0\.1:\d+\/ tls:\/\/127\.0\.0\.1:\d+$/);
    const health = await fetch(`${http}healthz`, { tls: { ca: cert } });
    expect(health.status).toBe(200);
    const client = await connect({ servers: nats, tls: { ca: cert } });
    await client.flush();
    await client.close();
    leaf.kill("SIGTERM");
    expect(await leaf.exited).toBe(0);
  }, 30_000);

  test.each([
    [["--nats-listen", ":0"], /0\.0\.0\.0:0 without a password\n.*--nats-auth/],
    [["--nats-listen", "127.0.0.1:0", "--tls-cert", "x.pem"], /--tls-cert and --tls-key go together/],
    [["--nats-leafnode", "http://x"], /expected nats:\/\/HOST:PORT/],
    [["--nats-listen", "127.0.0.1:0", "--nats-max-payload", "1TB"], /a size from/],
  ])("%j is a mistake", async (args, message) => {
    using temp = new TempDir("leaf-broker");
    const leaf = run("leaf", "--repo", await newRepository(temp), ...args);
    expect(await new Response(leaf.stderr).text()).toMatch(message);
    expect(await leaf.exited).toBe(2);
  });

  function run(...args: string[]) {
    const child = Bun.spawn([...edgesyncWords(), ...args], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    atEnd(() => child.kill("SIGKILL"));
    return child;
  }

  async function readyLine(leaf: ReturnType<typeof run>): Promise<Record<string, string>> {
    const said = await heard(leaf, /"ready".*\n/);
    return JSON.parse(said.split("\n").find((line) => line.includes('"ready"')) ?? "{}");
  }

  /** What it says until `wanted` is among it. */
  async function heard({ stderr }: ReturnType<typeof run>, wanted: RegExp): Promise<string> {
    const reader = stderr.getReader();
    let said = "";
    while (!wanted.test(said)) {
      const { value } = await reader.read();
      if (value === undefined) throw new Error(`expected ${wanted}, heard ${said}`);
      said += text(value);
    }
    reader.releaseLock();
    return said;
  }

  async function newRepository(temp: TempDir): Promise<string> {
    const file = temp.join("p.fossil");
    await run("repo", "new", file, "--user", "ann").exited;
    return file;
  }
});

describe("certificates of those who connect", () => {
  const known = testCertificate("known");
  const stranger = testCertificate("stranger");
  const temp = new TempDir("client-ca");
  const file = (name: string, pem: string) => temp.write(`${name}.pem`, pem);
  const clientCa = file("ca", known.cert);
  afterAll(() => temp.remove());

  test("need TLS, and a file of certificates", () => {
    const code = (what: Parameters<typeof options>[0], tls?: typeof PAIR) => () =>
      options({ natsListen: ":1", ...what }, undefined, { tls });
    expect(code({ natsClientCa: clientCa })).toThrow(expect.objectContaining({ code: "tls-pair" }));
    expect(code({ natsClientCa: "/nowhere" }, PAIR)).toThrow(expect.objectContaining({ code: "tls-file" }));
    expect(options({ natsListen: ":1", natsClientCa: clientCa }, undefined, { tls: PAIR })?.tls).toEqual({
      ...PAIR,
      clientCa: known.cert,
    });
  });

  test.each([
    ["one that is trusted", known, true],
    ["a stranger's", stranger, false],
    ["none", undefined, false],
  ])("of clients and leafnodes: %s", async (_, shown, accepted) => {
    const tls = { tls: PAIR };
    const given = { natsListen: "127.0.0.1:0", natsLeafListen: "127.0.0.1:0", natsClientCa: clientCa };
    const hub = start(options(given, undefined, tls)!);
    const client = await connect({
      servers: `localhost:${hub.broker.port}`,
      reconnect: false,
      timeout: 5_000,
      tls: { ca: PAIR.cert, ...shown },
    }).catch(() => undefined);
    expect(client !== undefined).toBe(accepted);
    await client?.close();
    const url = `tls://localhost:${hub.broker.leafPort}`;
    const joined = Promise.withResolvers<boolean>();
    const told = (message: string) => {
      if (message === "NATS leafnode joined") joined.resolve(true);
      if (message === "NATS leafnode not connected") joined.resolve(false);
    };
    const log = { ...silentLogger, info: told, warn: told };
    start(options({ natsLeafnode: url }, PAIR.cert, { shown })!, 3n, log);
    expect(await joined.promise).toBe(accepted);
  });
});

test("two leaves joined, one with a password and TLS by the server's wish", async () => {
  const { key, cert } = testCertificate();
  const hub = start({
    leafListen: LOOPBACK,
    tls: { key, cert },
    auth: { users: [{ user: "u", password: "p" }] },
  });
  const url = `nats://u:p@localhost:${hub.broker.leafPort}`;
  const { leafRemotes = [] } = options({ natsLeafnode: url }, cert)!;
  const leaf = start({ leafRemotes, listen: LOOPBACK }, 2n);
  const heard: string[] = [];
  hub.link().subscribe("x.>", (message) => void heard.push(text(message.payload)));
  const client = await connect({ servers: `127.0.0.1:${leaf.broker.port}` });
  const own = leaf.link();
  await until(() => {
    client.publish("x.a", "from a client");
    own.publish("x.b", utf8("from the leaf"));
    return new Set(heard).size === 2;
  }, "both messages");
  await client.close();
});
