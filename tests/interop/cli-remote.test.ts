/** How commands reach a server: proxies, certificates, logins in addresses; and `--uv` along with clones and syncs. */
import { afterAll, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { systemRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import { serveExchange } from "../../src/sync-server.ts";
import { cliEnv } from "../cli-process.ts";
import { grow } from "../sync-peer.ts";
import { TempDir } from "../temp-dir.ts";
import { testCertificate } from "../tls-certificate.ts";
import { edgesyncWords } from "./leaf-process.ts";
import { newestStock } from "./stock.ts";
import { artifactSet } from "./tables.ts";

const temp = new TempDir("cli-remote");
afterAll(() => temp.remove());

let count = 0;
const fresh = (name: string) => temp.join(`${++count}-${name}.fossil`);

async function edgesync(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = Bun.spawn([...edgesyncWords(), ...words], {
    env: cliEnv(env),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, stdout, stderr };
}

/** A repository with a few check-ins; `nobody` may clone and push. */
function makeRepository(): string {
  const path = fresh("source");
  const repo = Repo.create(path, {
    clock: systemClock,
    random: systemRandom,
    user: "ann",
    password: "pass word",
  });
  repo.users.setCapabilities("nobody", "gioy");
  grow(repo, 1, 3);
  repo.close();
  return path;
}

/** Serves a repository in this process, over TLS if there is a certificate. */
function serve(path: string, tls?: { readonly key: string; readonly cert: string }) {
  const repo = Repo.open(path, { mode: "write", clock: systemClock, random: systemRandom });
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    ...(tls && { tls }),
    async fetch(request) {
      const { body, contentType } = serveExchange(repo, {
        contentType: request.headers.get("content-type") ?? "",
        cookie: request.headers.get("cookie") ?? undefined,
        address: "127.0.0.1",
        body: new Uint8Array(await request.arrayBuffer()),
      });
      return new Response(body, { headers: { "Content-Type": contentType, Connection: "close" } });
    },
  });
  return {
    url: `${tls ? "https" : "http"}://localhost:${server.port}/`,
    async [Symbol.asyncDispose]() {
      await server.stop(true);
      repo.close();
    },
  };
}

/** An HTTP proxy: whole addresses in requests, and CONNECT. Says what it was asked for. */
async function startProxy() {
  const asked: string[] = [];
  const { createServer, request: ask } = await import("node:http");
  const { connect } = await import("node:net");
  const server = createServer((incoming, outgoing) => {
    asked.push(`${incoming.method} ${incoming.url}`);
    const options = { method: incoming.method!, headers: incoming.headers, agent: false as const };
    const forward = ask(incoming.url!, options, (reply) => {
      outgoing.writeHead(reply.statusCode!, reply.headers);
      reply.pipe(outgoing);
    });
    incoming.pipe(forward);
  });
  server.on("connect", (incoming, socket) => {
    asked.push(`CONNECT ${incoming.url}`);
    const [host, port] = incoming.url!.split(":");
    const target = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      target.pipe(socket);
      socket.pipe(target);
    });
    target.on("error", () => socket.destroy());
    socket.on("error", () => target.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    [Symbol.dispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe("proxies", () => {
  test("are taken from the environment, and left out where it says so", async () => {
    const source = makeRepository();
    await using server = serve(source);
    using proxy = await startProxy();
    const clone = fresh("clone");
    expect((await edgesync(["repo", "clone", server.url, clone], { http_proxy: proxy.url })).code).toBe(0);
    expect(new Set(proxy.asked)).toEqual(new Set([`POST ${server.url}`]));
    expect(artifactSet(clone)).toEqual(artifactSet(source));
    proxy.asked.length = 0;
    const sync = ["sync", "sync", "-R", clone];
    expect((await edgesync(sync, { ALL_PROXY: proxy.url })).code).toBe(0);
    expect(proxy.asked.length).toBe(1);
    const exempt = { http_proxy: proxy.url, no_proxy: "example.org, localhost" };
    expect((await edgesync(sync, exempt)).code).toBe(0);
    expect(proxy.asked.length).toBe(1);
    const dead = await edgesync(sync, { http_proxy: "http://127.0.0.1:1" });
    expect([dead.code, dead.stderr]).toEqual([1, expect.stringContaining("cannot reach")]);
  });

  test("carry TLS through", async () => {
    const certificate = testCertificate();
    const source = makeRepository();
    await using server = serve(source, certificate);
    using proxy = await startProxy();
    const ca = temp.write("proxy-ca.pem", certificate.cert);
    const clone = fresh("clone");
    const env = { https_proxy: proxy.url, http_proxy: "http://127.0.0.1:1" };
    const { code, stderr } = await edgesync(["repo", "clone", server.url, clone, "--ca", ca], env);
    expect([code, stderr]).toEqual([0, ""]);
    expect(new Set(proxy.asked)).toEqual(new Set([`CONNECT ${new URL(server.url).host}`]));
    expect(artifactSet(clone)).toEqual(artifactSet(source));
  });
});

test("a certificate that nobody vouches for is refused, unless --ca does", async () => {
  const certificate = testCertificate();
  const source = makeRepository();
  await using server = serve(source, certificate);
  const refused = await edgesync(["repo", "clone", server.url, fresh("refused")]);
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/certificate/i)]);
  const other = temp.write("other.pem", testCertificate("other").cert);
  expect((await edgesync(["repo", "clone", server.url, fresh("refused"), "--ca", other])).code).toBe(1);
  const ca = temp.write("ca.pem", certificate.cert);
  const clone = fresh("clone");
  expect((await edgesync(["repo", "clone", server.url, clone, "--ca", ca])).code).toBe(0);
  expect(artifactSet(clone)).toEqual(artifactSet(source));
  const missing = await edgesync(["sync", "pull", "-R", clone, "--ca", "missing.pem"]);
  expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining("missing.pem")]);
});

test("unversioned files come with a clone, and travel with a sync, when asked for", async () => {
  const stock = newestStock();
  const source = fresh("source");
  await stock.ok(["new", source, "-A", "dev"]);
  await stock.ok(["user", "password", "dev", "pass word", "-R", source]);
  await stock.ok(["user", "capabilities", "dev", "sy", "-R", source]);
  await stock.ok(["uv", "add", temp.write("one.txt", "one"), "--as", "one.txt", "-R", source]);
  await using server = await stock.serve(source);
  const list = async (path: string) => (await stock.ok(["uv", "ls", "-R", path])).trim().split("\n").sort();
  const [without, clone] = [fresh("without"), fresh("clone")];
  expect((await edgesync(["repo", "clone", server.url, without])).code).toBe(0);
  expect(await list(without)).toEqual([""]);
  // The address holds the login.
  const url = server.urlAs("dev", "pass word");
  const cloned = await edgesync(["repo", "clone", url, clone, "--uv", "--json"]);
  expect([cloned.code, JSON.parse(cloned.stdout).files]).toMatchObject([
    0,
    { filesReceived: 1, refused: [] },
  ]);
  expect(await list(clone)).toEqual(["one.txt"]);
  await stock.ok(["uv", "add", temp.write("two.txt", "two"), "--as", "two.txt", "-R", source]);
  const put = ["repo", "uv", "put", "three.txt", temp.write("three.txt", "three"), "-R", clone];
  expect((await edgesync(put)).code).toBe(0);
  const plain = await edgesync(["sync", "sync", "-R", clone, "--json"]);
  expect([plain.code, JSON.parse(plain.stdout).files]).toEqual([0, undefined]);
  const pulled = await edgesync(["sync", "pull", "--uv", "-R", clone, "--json"]);
  expect(JSON.parse(pulled.stdout).files).toMatchObject({ filesReceived: 1, filesSent: 0 });
  expect(await list(source)).toEqual(["one.txt", "two.txt"]);
  const synced = await edgesync(["sync", "sync", "--uv", "-R", clone]);
  expect(synced.stdout).toContain("1 sent, 0 received");
  expect(await list(source)).toEqual(["one.txt", "three.txt", "two.txt"]);
  expect(await list(clone)).toEqual(["one.txt", "three.txt", "two.txt"]);
});
