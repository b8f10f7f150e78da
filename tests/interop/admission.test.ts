/** What stock clients make of being turned away, and of being served when they ask again. */
import { expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { TempDir } from "../temp-dir.ts";
import { copyFixture } from "./fixture.ts";
import { LeafProcess } from "./leaf-process.ts";
import { stocks } from "./stock.ts";
import { artifactSet } from "./tables.ts";

const isPublic = (line: string) => !line.endsWith(" private");
const ERROR = "Error: too many connections from 127.0.0.1: 1 at once are served; try again later";

async function metric(leaf: LeafProcess, name: string): Promise<number> {
  const text = await (await fetch(`${leaf.url}/metrics`, { keepalive: false })).text();
  return Number(
    text
      .split("\n")
      .find((line) => line.startsWith(`${name} `))
      ?.split(" ")[1],
  );
}

async function openBecomes(leaf: LeafProcess, count: number): Promise<void> {
  while ((await metric(leaf, "edgesync_http_exchanges_open")) !== count) await Bun.sleep(5);
}

/** Takes the one place there is: a request whose body does not end. */
async function holdPlace(leaf: LeafProcess): Promise<Socket> {
  const socket = connect(Number(new URL(leaf.url).port), "127.0.0.1");
  socket.write(
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-fossil\r\nContent-Length: 1000\r\n\r\nx",
  );
  await openBecomes(leaf, 1);
  return socket;
}

test.each(stocks().map((stock) => [stock.version, stock] as const))(
  "stock %s says why it was turned away, and clones whole once there is room",
  async (_, stock) => {
    using temp = new TempDir("admission");
    const repository = await copyFixture(temp, stock);
    await using leaf = await LeafProcess.start(repository, ["--max-connections-per-address", "1"]);
    const clone = async (url: string, name: string) => {
      const { code, stdout, stderr } = await stock.run(["clone", url, temp.join(name), "--no-open"]);
      return { code, said: stdout + stderr };
    };
    let holder = await holdPlace(leaf);
    const refused = await clone(leaf.url, "refused.fossil");
    expect(refused.said).toContain(ERROR);
    expect([refused.code, await Bun.file(temp.join("refused.fossil")).exists()]).toEqual([1, false]);
    const client = temp.join("client.fossil");
    copyFileSync(repository, client);
    const pull = await stock.run(["pull", leaf.url, "-R", client, "--once"]);
    expect(pull.stdout + pull.stderr).toContain(ERROR);
    expect(await metric(leaf, 'edgesync_http_refused_total{reason="connections-per-address"}')).toBe(3);

    // Room after the first of a clone's rounds, in which stock ignores errors.
    using between = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      async fetch(request) {
        const headers = { "content-type": request.headers.get("content-type")! };
        const body = await request.arrayBuffer();
        const reply = await fetch(leaf.url, { method: "POST", headers, body, keepalive: false });
        const answer = await reply.arrayBuffer();
        holder.destroy();
        await openBecomes(leaf, 0);
        return new Response(answer, {
          headers: { "content-type": reply.headers.get("content-type")!, connection: "close" },
        });
      },
    });
    const served = await clone(between.url.href, "served.fossil");
    expect(served.code).toBe(0);
    expect(artifactSet(temp.join("served.fossil"))).toEqual(artifactSet(repository).filter(isPublic));
    expect(await metric(leaf, 'edgesync_http_refused_total{reason="connections-per-address"}')).toBe(4);
    holder = await holdPlace(leaf);
    holder.destroy();
    await openBecomes(leaf, 0);
  },
);
