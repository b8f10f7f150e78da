/** Sync over a real nats-server: the contract of transports, restarts, changes of its limits, slow consumers. */
import { afterEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { nkeys } from "nats";
import { utf8 } from "../../src/bytes.ts";
import { systemClock } from "../../src/clock.ts";
import { UsageError } from "../../src/errors.ts";
import { silentLogger } from "../../src/log.ts";
import type { LinkEvent } from "../../src/nats-link.ts";
import { ExternalLink, type ExternalNatsOptions } from "../../src/nats-link-external.ts";
import { seededRandom } from "../../src/random.ts";
import { serveNats, transportOver } from "../nats-harness.ts";
import { TempDir } from "../temp-dir.ts";
import { testCertificate } from "../tls-certificate.ts";
import { failure, noise, transportContract } from "../transport-contract.ts";
import { type NatsServer, startNatsServer, until } from "./nats-server.ts";

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

type KeyPair = ReturnType<typeof nkeys.createUser>;

let seed = 1n;

async function linkTo(
  ports: readonly number[],
  options: Partial<ExternalNatsOptions> = {},
): Promise<ExternalLink> {
  const servers = ports.map((port) => `nats://127.0.0.1:${port}`);
  const deps = { clock: systemClock, random: seededRandom(seed++), log: silentLogger };
  const link = new ExternalLink({ servers, connectionName: "test", ...options }, deps);
  closers.push(() => link.close());
  return link;
}

async function connected(ports: readonly number[], options: Partial<ExternalNatsOptions> = {}) {
  const link = await linkTo(ports, options);
  await link.connected(10_000);
  return link;
}

async function started(config = "", port?: number): Promise<NatsServer> {
  const server = await startNatsServer(config, port);
  closers.push(() => server.stop());
  return server;
}

function events(link: ExternalLink): LinkEvent["kind"][] {
  const seen: LinkEvent["kind"][] = [];
  link.onEvent(({ kind }) => seen.push(kind));
  return seen;
}

/** Returns what tells how many bytes of payload a link has published from now on. */
function countPayloads(link: ExternalLink, onMore: (bytes: number) => void): () => number {
  let bytes = 0;
  const publish = link.publish.bind(link);
  link.publish = (subject, payload, options) => {
    const isSent = publish(subject, payload, options);
    if (isSent) bytes += payload.length;
    onMore(bytes);
    return isSent;
  };
  return () => bytes;
}

for (const maxPayload of [1_048_576, 8_192]) {
  transportContract(`nats, nats-server, max_payload ${maxPayload}`, async (serve) => {
    const nats = await startNatsServer(`max_payload: ${maxPayload}`);
    const [there, here] = [await connected([nats.port]), await connected([nats.port])];
    const server = serveNats(there, serve);
    await there.flush();
    return {
      transport: transportOver(here),
      async close() {
        await server.stop();
        await Promise.all([there.close(), here.close()]);
        await nats.stop();
      },
    };
  });
}

describe("a link to nats-server", () => {
  test("says why it cannot be let in, and is let in with what it takes", async () => {
    const nats = await started('authorization { user: ann, password: "s:cret" }');
    const stranger = await linkTo([nats.port]);
    const error = await failure(stranger.connected(10_000));
    expect([error.code, error.message]).toEqual([
      "nats-unreachable",
      `cannot connect to nats://127.0.0.1:${nats.port}: Authorization Violation`,
    ]);
    expect((await connected([nats.port], { user: "ann", password: "s:cret" })).isConnected).toBe(true);
    const servers = [`nats://ann:s%3Acret@127.0.0.1:${nats.port}`];
    expect((await connected([], { servers })).isConnected).toBe(true);
  });

  test("is let in with a token, an nkey, a credentials file, over TLS with a certificate", async () => {
    using folder = new TempDir("nats-auth");
    const token = await started('authorization { token: "tok" }');
    expect((await connected([token.port], { token: "tok" })).isConnected).toBe(true);
    const servers = [`nats://tok@127.0.0.1:${token.port}`];
    expect((await connected([], { servers })).isConnected).toBe(true);

    const user = nkeys.createUser();
    const nkey = await started(`authorization { users: [ { nkey: ${user.getPublicKey()} } ] }`);
    const nkeySeed = new TextDecoder().decode(user.getSeed());
    expect((await connected([nkey.port], { nkeySeed })).isConnected).toBe(true);
    const other = new TextDecoder().decode(nkeys.createUser().getSeed());
    const refused = await failure((await linkTo([nkey.port], { nkeySeed: other })).connected(10_000));
    expect(refused.code).toBe("nats-unreachable");
    const creds = `-----BEGIN NATS USER JWT-----\nunused\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${nkeySeed}\n------END USER NKEY SEED------\n`;
    expect((await connected([nkey.port], { creds })).isConnected).toBe(true);

    const { cert, key } = testCertificate();
    const [certFile, keyFile] = [folder.write("cert.pem", cert), folder.write("key.pem", key)];
    const config = `cert_file: "${certFile}", key_file: "${keyFile}", ca_file: "${certFile}", verify: true`;
    const secure = await started(`tls { ${config} }`);
    const address = { servers: [`tls://localhost:${secure.port}`] };
    expect((await connected([], { ...address, tls: { ca: cert, cert, key } })).isConnected).toBe(true);
    const untrusted = await failure((await linkTo([], { ...address, tls: { cert, key } })).connected(10_000));
    expect(untrusted.code).toBe("nats-unreachable");
  });

  test.each([
    ["ws://h:80", /^WebSocket cannot be used/],
    ["http://h", /^expected nats:/],
    ["nats://u:hidden@h:99999", /^expected nats:/],
    ["nats://h/path", /^expected nats:/],
    ["", /^expected nats:/],
  ])("%p is no address of a server", async (address, hint) => {
    const error = await linkTo([], { servers: [address] }).catch((cause: UsageError) => cause);
    expect(error).toMatchObject({ code: "nats-url", hint: expect.stringMatching(hint) });
    expect(String(error)).not.toContain("hidden");
  });

  test("is let in with the JWT of a user of an operator's account", async () => {
    const [operator, account, user] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createUser()];
    /** Claims signed as nsc does it; `nats` says what they are about. */
    const jwt = (issuer: KeyPair, subject: KeyPair, name: string, nats: object) => {
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
      const about = { iss: issuer.getPublicKey(), sub: subject.getPublicKey(), name, iat: 1_700_000_000 };
      const text = `${part({ typ: "JWT", alg: "ed25519-nkey" })}.${part({ ...about, jti: name, nats: { ...nats, version: 2 } })}`;
      return `${text}.${Buffer.from(issuer.sign(Buffer.from(text))).toString("base64url")}`;
    };
    const none = {
      subs: -1,
      conn: -1,
      leaf: -1,
      imports: -1,
      exports: -1,
      data: -1,
      payload: -1,
      wildcards: true,
    };
    const accountJwt = jwt(operator, account, "A", { type: "account", limits: none });
    const nats = await started(
      `operator: ${jwt(operator, operator, "O", { type: "operator" })}\nresolver: MEMORY\nresolver_preload: { ${account.getPublicKey()}: "${accountJwt}" }`,
    );
    const credsOf = (pair: KeyPair, word: string) => {
      const seed = new TextDecoder().decode(pair.getSeed());
      return `-----BEGIN NATS USER JWT-----\n${word}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`;
    };
    const limits = { subs: -1, data: -1, payload: -1 };
    const creds = credsOf(user, jwt(account, user, "U", { type: "user", ...limits }));
    expect((await connected([nats.port], { creds })).isConnected).toBe(true);
    const forged = credsOf(user, jwt(nkeys.createAccount(), user, "U", { type: "user", ...limits }));
    const refused = await failure((await linkTo([nats.port], { creds: forged })).connected(10_000));
    expect(refused.message).toContain("Authorization Violation");
  });

  test("asks before each connection what to log in with, also after that failed", async () => {
    const nats = await started('authorization { token: "new" }');
    const answers = [
      () => ({ token: "old" }),
      () => {
        throw new UsageError("nats-credentials", "no such file");
      },
    ];
    let asked = 0;
    const link = await linkTo([nats.port], { login: () => answers[asked++]?.() ?? { token: "new" } });
    const said: string[] = [];
    link.onEvent((event) => void said.push(event.kind === "failed" ? event.error.message : event.kind));
    await until(() => link.isConnected, "the login that counts");
    expect(said).toEqual(
      ["Authorization Violation", "no such file", "connected"].map((words) => expect.stringContaining(words)),
    );
    expect(asked).toBe(3);
  });

  test("takes the next server when one is away", async () => {
    const [one, other] = [await started(), await started()];
    await one.stop();
    const link = await linkTo([one.port, other.port]);
    await link.connected(10_000);
    expect(link.maxPayload).toBe(1_048_576);
    await started("", one.port);
    await other.stop();
    await until(() => !link.isConnected, "the link to break");
    await until(() => link.isConnected, "the link to the server that was away");
  });

  test("comes back when the server does, with its subscriptions, and notices a new limit", async () => {
    const first = await started("max_payload: 100000");
    const [here, there] = [await connected([first.port]), await connected([first.port])];
    serveNats(there, (message) => message.slice());
    const seen = events(here);
    const transport = transportOver(here);
    // The server may hear the question before the subscription otherwise.
    await there.flush();
    expect((await transport.exchange(utf8("one"))).message).toEqual(utf8("one"));
    await first.stop();
    await until(() => !here.isConnected && !there.isConnected, "the links to break");
    expect((await failure(transport.exchange(utf8("lost")))).code).toBe("peer-unreachable");
    await started("max_payload: 5000", first.port);
    await until(() => here.isConnected && there.isConnected, "the links to come back");
    await there.flush();
    expect(here.maxPayload).toBe(5_000);
    const large = noise(300_000);
    expect(Buffer.compare((await transport.exchange(large)).message, large)).toBe(0);
    expect(seen.filter((kind) => kind !== "failed")).toEqual([
      "disconnected",
      "maxPayloadChanged",
      "reconnected",
    ]);
  });

  test.each(["request", "reply"] as const)(
    "a %s in chunks goes on where it was after the server was away",
    async (which) => {
      const first = await started("max_payload: 20000");
      const [here, there] = [await connected([first.port]), await connected([first.port])];
      serveNats(there, (message) => message.slice());
      const large = noise(6_000_000);
      const restarted = Promise.withResolvers<void>();
      let isStopped = false;
      const stopNearTheEnd = (bytes: number) => {
        if (bytes < 5_500_000 || isStopped) return;
        isStopped = true;
        void first.stop().then(async () => {
          await started("max_payload: 10000", first.port);
          restarted.resolve();
        });
      };
      const [asked, answered] = [
        countPayloads(here, which === "request" ? stopNearTheEnd : () => {}),
        countPayloads(there, which === "reply" ? stopNearTheEnd : () => {}),
      ];
      const exchange = transportOver(here, { idleTimeoutMs: 20_000 }).exchange(large);
      await restarted.promise;
      expect(Buffer.compare((await exchange).message, large)).toBe(0);
      // From the beginning again would be eleven millions and a half.
      const [broken, whole] = which === "request" ? [asked(), answered()] : [answered(), asked()];
      expect(broken).toBeGreaterThan(5_999_999);
      expect(broken).toBeLessThan(10_500_000);
      expect(whole).toBe(6_000_000);
    },
  );

  test("notices a server that falls silent, and comes back when it speaks again", async () => {
    const nats = await started();
    const [here, there] = [
      await connected([nats.port], { pingMs: 200 }),
      await connected([nats.port], { pingMs: 200 }),
    ];
    serveNats(there, (message) => message.slice());
    await there.flush();
    process.kill(nats.pid, "SIGSTOP");
    try {
      await until(() => !here.isConnected && !there.isConnected, "the silence to be noticed");
    } finally {
      process.kill(nats.pid, "SIGCONT");
    }
    await until(() => here.isConnected && there.isConnected, "the links to come back");
    await there.flush();
    expect((await transportOver(here).exchange(utf8("again"))).message).toEqual(utf8("again"));
  }, 30_000);

  test("closed as a slow consumer, it comes back, and an exchange in chunks goes on", async () => {
    const nats = await started('max_pending: 300000, write_deadline: "200ms", max_payload: 60000');
    const [here, there] = [await connected([nats.port]), await connected([nats.port])];
    serveNats(there, (message) => message.slice());
    await there.flush();
    const seen = events(here);
    const large = noise(3_000_000);
    const flood = join(import.meta.dirname, "../nats-flood.ts");
    let isFlooded = false;
    here.subscribe("flood", () => {});
    const reply = await transportOver(here, { idleTimeoutMs: 20_000 }).exchange(large, {
      onProgress: (bytes) => {
        if (bytes < 1_000_000 || isFlooded) return;
        isFlooded = true;
        // Nothing is read meanwhile: this thread waits for the other process.
        const { success } = Bun.spawnSync([process.execPath, flood, String(nats.port), "60000", "300"]);
        expect(success).toBe(true);
      },
    });
    expect(Buffer.compare(reply.message, large)).toBe(0);
    expect(nats.log()).toContain("Slow Consumer");
    await until(() => seen.includes("reconnected"), "the link to come back");
  }, 30_000);
});
