import { afterEach, expect, test } from "bun:test";
import { connect } from "node:net";
import { concat, text, utf8 } from "../src/bytes.ts";
import { systemClock } from "../src/clock.ts";
import { LimitError } from "../src/errors.ts";
import { type Leaf, type LeafOptions, startLeaf } from "../src/leaf.ts";
import { clonePageOf, refusal } from "../src/leaf-admission.ts";
import { inlineThreads, type Threads } from "../src/leaf-repositories.ts";
import { silentLogger } from "../src/log.ts";
import { systemRandom } from "../src/random.ts";
import { Repo } from "../src/repo.ts";
import { CONTENT_TYPES, encodeMessage } from "../src/xfer-message.ts";
import { TempDir } from "./temp-dir.ts";

const deps = { clock: systemClock, random: systemRandom };
const CODE = "0123456789abcdef0123456789abcdef01234567";
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function start(
  dir: TempDir,
  options: Partial<LeafOptions>,
  threads: Threads = inlineThreads(deps),
): Promise<Leaf> {
  const file = dir.join("a.fossil");
  Repo.create(file, { ...deps, user: "ann", password: "secret", projectCode: CODE }).close();
  const leaf = await startLeaf(
    { source: { file }, http: { host: "127.0.0.1", port: 0 }, version: "test", ...options },
    { ...deps, log: silentLogger, threads },
  );
  closers.push(() => leaf.stop());
  return leaf;
}

/** Takes a place with a request whose body does not end. */
async function hold(leaf: Leaf, forwardedFor: string): Promise<void> {
  const socket = connect(Number(new URL(leaf.httpUrl!).port), "127.0.0.1");
  closers.unshift(() => socket.destroy());
  const type = `Content-Type: ${CONTENT_TYPES.raw}\r\nX-Forwarded-For: ${forwardedFor}\r\n`;
  socket.write(`POST / HTTP/1.1\r\nHost: x\r\n${type}Content-Length: 9\r\n\r\nx`);
  while (!(await leaf.telemetry.text()).includes("edgesync_http_exchanges_open 1\n")) await Bun.sleep(1);
}

async function ask(leaf: Leaf, forwardedFor: string, body = "# nothing\n"): Promise<string> {
  const headers = { "Content-Type": CONTENT_TYPES.raw, "X-Forwarded-For": forwardedFor };
  return (await fetch(leaf.httpUrl!, { method: "POST", headers, body, keepalive: false })).text();
}

const ONE = { limits: { visitsPerAddressMaxCount: 1 } };

test("behind a proxy that is trusted, clients are told apart by the last address it names", async () => {
  using dir = new TempDir("admission");
  const leaf = await start(dir, { ...ONE, trustProxy: true });
  await hold(leaf, "10.0.0.9, 10.0.0.1");
  expect(await ask(leaf, "10.0.0.1, 10.0.0.2")).toStartWith("# timestamp ");
  expect(await ask(leaf, "10.0.0.2, 10.0.0.1")).toStartWith(
    "error too\\smany\\sconnections\\sfrom\\s10.0.0.1:",
  );
});

test("otherwise what a client says of its address counts for nothing", async () => {
  using dir = new TempDir("admission");
  const leaf = await start(dir, ONE);
  await hold(leaf, "10.0.0.1");
  expect(await ask(leaf, "10.0.0.2")).toStartWith("error too\\smany\\sconnections\\sfrom\\s127.0.0.1:");
  expect((await fetch(`${leaf.httpUrl}healthz`)).status).toBe(200);
  expect(await leaf.telemetry.text()).toContain(
    'edgesync_http_refused_total{reason="connections-per-address"} 1\n',
  );
});

test("which requests are for pages of clones", () => {
  const page = (message: string, framing: "compressed" | "raw" = "compressed") =>
    clonePageOf({ path: "/", cookie: undefined, address: "", ...encodeMessage(utf8(message), framing) });
  expect(page("pragma client-version 22900 20260821 165942\nclone 3 1\n# x\n")).toBe("first");
  expect(page("clone 3 1\n", "raw")).toBe("first");
  expect(page("clone\n")).toBe("first");
  expect(page("clone 3 1073741825\n")).toBe("later");
  expect(page("pull x y\n")).toBeUndefined();
  expect(page("clone 3 1\n".padEnd(5000, "#"), "raw")).toBeUndefined();
  expect(page("config /user 5\nclone", "raw")).toBeUndefined();
});

test("a clone that is turned away is told the project, so that it asks again; nobody else is", async () => {
  const said = async (message: string) => {
    const request = {
      path: "/",
      cookie: undefined,
      address: "",
      ...encodeMessage(utf8(message), "compressed"),
    };
    const why = new LimitError("connections", "no room");
    const reply = await refusal(request, why, async () => CODE, systemClock);
    expect([reply.status, reply.contentType]).toEqual([200, CONTENT_TYPES.raw]);
    return text(concat([reply.body as Uint8Array])).replace(/# timestamp \S+/, "# timestamp");
  };
  expect(await said("clone 3 1\n")).toBe(`push x ${CODE}\nerror no\\sroom\n# timestamp errors 1\n`);
  expect(await said("clone 3 1073741825\n")).toBe("error no\\sroom\n# timestamp errors 1\n");
  expect(await said("pull x y\n")).toBe("error no\\sroom\n# timestamp errors 1\n");
});

test("one clone at a time: the next is turned away, other requests are not", async () => {
  using dir = new TempDir("admission");
  const inline = inlineThreads(deps);
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  let isFirst = true;
  const run: typeof inline.readers.run = async (job, input, transfer) => {
    if (job === "serve" && isFirst) {
      isFirst = false;
      begun.resolve();
      await gate.promise;
    }
    return inline.readers.run(job, input, transfer);
  };
  const readers = { ...inline.readers, run };
  const leaf = await start(dir, { limits: { clonesPerAddressMaxCount: 1 } }, { ...inline, readers });
  const clone = "pragma client-version 22900 20260821 165942\nclone 3 1\n";
  const first = ask(leaf, "", clone);
  await begun.promise;
  expect(await ask(leaf, "", clone)).toStartWith(
    `push x ${CODE}\nerror too\\smany\\sclones\\sfrom\\s127.0.0.1:\\s1\\sat\\sonce`,
  );
  expect(await ask(leaf, "")).toStartWith("# timestamp ");
  gate.resolve();
  expect(await first).toContain("clone_seqno");
  expect(await ask(leaf, "", clone)).toContain("clone_seqno");
});
