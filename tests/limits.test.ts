/**
 * Every bound of `src/limits.ts`, and what holds it: at the bound things work, one past it they do not. A new constant fails
 * this test until it has a line here, as does a line whose test has gone.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { Hono } from "hono";
import { utf8 } from "../src/bytes.ts";
import { systemClock } from "../src/clock.ts";
import { createDelta } from "../src/delta-encode.ts";
import { EdgeSyncError } from "../src/errors.ts";
import { sha3Hex } from "../src/hash.ts";
import { createLeafJobs } from "../src/leaf-jobs.ts";
import * as limits from "../src/limits.ts";
import { Content } from "../src/repo-content.ts";
import { Admission } from "../src/transport-http-admission.ts";
import { UnsentReplies } from "../src/transport-http-reply.ts";
import { type HttpServer, type HttpServerOptions, serveHttp } from "../src/transport-http-server.ts";
import { CONTENT_TYPES, decodeMessage } from "../src/xfer-message.ts";
import { CardReader } from "../src/xfer-parse.ts";
import { ScratchRepo } from "./scratch-repo.ts";

/** `FILE: words of its test`, a test of this file, or why nothing is refused past the bound. */
type Held = `${string}.test.ts: ${string}` | { readonly here: string } | { readonly pace: string };
type Name = keyof typeof limits;

const here = (what: string): Held => ({ here: what });
/** Not a bound on what is accepted: how much is kept at hand, or how long is waited. */
const pace = (why: string): Held => ({ pace: why });

const HELD: Readonly<Record<Name, Held>> = {
  ARTIFACT_MAX_BYTES: "xfer-parse.test.ts: the largest payload of %j, and one byte more",
  DELTA_CHAIN_MAX_DEPTH: here("the deepest chain of deltas"),
  MESSAGE_MAX_BYTES: "transport-http.test.ts: accepts a body at its limit and refuses one byte more",
  MESSAGE_INFLATED_MAX_BYTES: here("the longest length that a message may declare"),
  CARD_LINE_MAX_BYTES: "xfer-parse.test.ts: the longest line, and one byte more",
  CARD_TOKEN_MAX_COUNT: here("tokens of a card that count"),
  LOGIN_COOKIE_MAX_BYTES: "sync-login.test.ts: the longest header, and one byte more",
  CARD_MAX_COUNT: "xfer-parse.test.ts: the most cards, and one more",
  MANIFEST_MAX_BYTES: "artifact-parse.test.ts: an artifact past the size limit is refused before it is read",
  UNVERSIONED_NAME_MAX_BYTES: "repo-unversioned.test.ts: may have the longest name",
  CONFIG_CARD_MAX_BYTES: "xfer-parse.test.ts: the largest payload of %j, and one byte more",
  DOWNLOAD_BUDGET_BYTES: "sync-server-clone.test.ts: a page ends once its budget is used up",
  DOWNLOAD_BUDGET_MS: "sync-server-clone.test.ts: a page ends once its time is used up",
  UPLOAD_BUDGET_BYTES: "sync-client-uv.test.ts: more than a round holds, both ways",
  CONTENT_CACHE_BYTES: "repo-content.test.ts: keeps the most recently used within its bound",
  MANIFEST_CACHE_FILES_COUNT: "repo-manifest.test.ts: what is kept is bounded in files",
  TICKET_SCHEMA_PAGE_MAX_COUNT: "repo-ticket-schema.test.ts: what its tables may hold, and more",
  MARKUP_WORK_MAX_STEPS: "markup-links.test.ts: wiki: at the limit everything is found",
  HTTP_IDLE_SECONDS: "fault/slow-clients.test.ts: a body that stops, or dribbles, ends with 408",
  HTTP_BODY_MIN_BYTES_PER_SECOND: "fault/slow-clients.test.ts: a body that stops, or dribbles, ends with 408",
  HTTP_BODIES_MAX_BYTES: "fault/slow-clients.test.ts: what is held of bodies is bounded",
  HTTP_VISIT_MAX_COUNT: here("HTTP exchanges in all"),
  HTTP_ADDRESS_VISIT_MAX_COUNT: here("HTTP exchanges of one address"),
  HTTP_ADDRESS_CLONE_MAX_COUNT: here("clones of one address"),
  HTTP_REFUSED_BODY_MAX_BYTES: here("the body of who is turned away"),
  HTTP_REFUSED_BODY_MS: here("a body of who is turned away that does not end"),
  HTTP_REDIRECT_MAX_COUNT: "transport-http.test.ts: stops following redirects in a circle",
  SYNC_IDLE_ROUND_MAX_COUNT: "sync-client.test.ts: offers the same artifacts and never sends them",
  CLONE_IDLE_ROUND_MAX_COUNT: "sync-clone.test.ts: sends empty pages with ever new numbers",
  NATS_CONTROL_LINE_MAX_BYTES: "nats-parser.test.ts: a control line, whole and in pieces",
  NATS_LEAF_CONTROL_LINE_MAX_BYTES: "nats-parser.test.ts: a control line, whole and in pieces",
  NATS_SIZE_DIGIT_MAX_COUNT: "nats-parser.test.ts: a payload",
  NATS_PAYLOAD_MAX_BYTES: "nats-parser.test.ts: a payload",
  NATS_PENDING_MAX_BYTES: "broker.test.ts: a reader that is too slow is closed",
  NATS_MATCH_CACHE_COUNT: "broker-subscriptions.test.ts: the cache is used, bounded",
  NATS_SUBSCRIPTION_MAX_COUNT: "broker.test.ts: subscriptions past the limit are refused",
  CLONE_PAGES_MAX_BYTES: pace("older pages are made again when asked for"),
  CLONE_PAGE_MAX_AGE_MS: "leaf-clone-pages.test.ts: are not kept for long",
  HTTP_UNSENT_MAX_BYTES: here("replies in memory that have not left"),
  HTTP_UNSENT_WAIT_MS: here("replies in memory that have not left"),
  RID_CACHE_COUNT: pace("cache"),
  FILE_MEMO_COUNT: pace("cache"),
  FILENAME_CACHE_COUNT: pace("cache"),
  READ_AHEAD_BYTES: pace("the reading thread waits for the other"),
  READ_AHEAD_HELD_BYTES: pace("what is not found ahead is expanded"),
  RING_SILENCE_MAX_MS: pace("a thread that died is waited for no longer"),
  DELTA_TREE_HELD_BYTES: pace("what is dropped is expanded again"),
  BUSY_TIMEOUT_MS: "db.test.ts: a lock held by another connection is an error after the time given",
  CLOSE_BUSY_TIMEOUT_MS: pace("the checkpoint is left to who has the file open"),
  LOCK_WAIT_MS: here("waiting for another process's lock"),
  HTTP_DRAIN_MS: pace("how long a stop waits"),
  GIMME_MIN_COUNT: pace("how much a round asks for"),
  OFFER_MAX_COUNT: pace("further offers are heard again next time"),
  SYNC_ROUND_MAX_COUNT: "sync-client.test.ts: offers ever new ones and sends none",
  CLONE_ROUND_MAX_COUNT: "sync-clone.test.ts: sends empty pages with ever new numbers",
  CLONE_VERIFY_MAX_BYTES: pace("artifacts are expanded one after the other"),
  NATS_CONNECTION_MAX_COUNT: "interop/broker.test.ts: connectionCountMax: 1",
  NATS_PING_INTERVAL_MS: "interop/broker.test.ts: pingIntervalMs: 60",
  NATS_PING_OUT_MAX_COUNT: "interop/broker.test.ts: pingOutMax: 1",
  NATS_AUTH_TIMEOUT_MS: pace("how long a CONNECT is waited for"),
  SYNC_CONCURRENT_MAX_COUNT: "leaf-sync.test.ts: a few peers at a time",
  SYNC_TOLD_MAX_COUNT: pace("how much of a sync is told"),
  SYNC_RETRY_MIN_MS: "leaf-sync.test.ts: at once, then about every interval",
  SYNC_RETRY_MAX_MS: "leaf-sync.test.ts: at once, then about every interval",
  NATS_RECONNECT_MAX_MS: pace("how often a server is tried"),
  NATS_EXTERNAL_PING_MS: pace("how often a server is asked"),
  NATS_PLAIN_MESSAGE_MAX_BYTES: "transport-nats.test.ts: cannot be sent more than one NATS message carries",
  NATS_CHUNK_MAX_BYTES: "nats-chunk.test.ts: chunks leave room for headers on both sides",
  NATS_WINDOW_MAX_BYTES: "nats-chunk.test.ts: keeps to the window",
  NATS_WHOLE_MESSAGE_MAX_BYTES: "nats-chunk.test.ts: a size at the limit is accepted, one more is not",
  NATS_SERVED_MAX_COUNT: "transport-nats.test.ts: so many at a time, so many waiting, the next is told",
  NATS_WAITING_MAX_COUNT: "transport-nats.test.ts: so many at a time, so many waiting, the next is told",
  NATS_INCOMING_MAX_BYTES: "nats-chunk.test.ts: memory follows what came, not what was announced",
  NATS_IDLE_MS: pace("how long an answer is waited for"),
  NATS_ALIVE_MS: pace("how often a peer says that it works"),
  NATS_RESEND_MS: pace("how long an acknowledgement is waited for"),
  NATS_DRAIN_MS: pace("how long a stop waits"),
  CONTROL_BODY_MAX_BYTES: "leaf-control.test.ts: takes bodies up to its bound",
  CONTROL_REQUEST_MAX_COUNT: "leaf-control.test.ts: answers so many requests at once, and no more",
  CONTROL_DRAIN_MS: pace("how long a stop waits"),
  CONTROL_FILE_MAX_BYTES: "leaf-control.test.ts: one %s gives way",
  STOP_MAX_MS: pace("how long a stop waits"),
  STATUS_WAIT_MS: pace("how long a leaf is waited for"),
  HASH_MAX_DIGITS: "announcement.test.ts: refused",
  ANNOUNCEMENT_MAX_BYTES: "announcement.test.ts: too much news: tips are cut",
  ANNOUNCED_TIP_MAX_COUNT: "announcement.test.ts: too much news: tips are cut",
  ANNOUNCED_ARTIFACT_MAX_COUNT: "leaf-news.test.ts: no more names than an announcement takes",
  ANNOUNCED_REPLY_MAX_BYTES: "announcement.test.ts: a reply may come with it",
  ANNOUNCED_REPLY_INFLATED_MAX_BYTES:
    "leaf-mesh.test.ts: with content that is small and that anybody may read",
  ANNOUNCED_CONTENT_MAX_BYTES: "leaf-mesh.test.ts: with content that is small and that anybody may read",
  PEER_ADDRESS_MAX_LENGTH: "announcement.test.ts: the largest can be read",
  PEER_NAME_MAX_LENGTH: "announcement.test.ts: the largest can be read",
  PRESENCE_MAX_BYTES: "announcement.test.ts: the largest can be read",
  PRESENCE_TIP_MAX_COUNT: "announcement.test.ts: the largest can be read",
  PRESENCE_TRANSPORT_MAX_COUNT: "announcement.test.ts: the largest can be read",
  PRESENCE_BEAT_MIN_MS: "announcement.test.ts: beats are believed within bounds",
  PRESENCE_BEAT_MAX_MS: "announcement.test.ts: beats are believed within bounds",
  PRESENCE_BEAT_MS: pace("how often a peer tells of itself"),
  PRESENCE_ANSWER_MS: pace("how soon a peer is answered"),
  PRESENCE_ANSWER_MAX_COUNT: pace("who is not answered is told by the next beat"),
  PRESENCE_PEER_MAX_COUNT: pace("further peers are heard when others have gone"),
  PRESENCE_UNCLUSTERED_MAX_COUNT: pace("how much of a state is told"),
  NEWS_PHANTOM_MAX_COUNT: pace("how much is looked at in one go"),
  WATCH_BURST_MS: pace("how soon a change is seen"),
  WATCH_POLL_MS: pace("how soon a change is seen"),
  NEWS_SINGLE_MS: pace("how soon a change is told"),
  NEWS_PAUSE_MIN_MS: pace("how soon a change is told"),
  NEWS_PAUSE_MAX_MS: pace("how soon a change is told"),
  NEWS_NOTE_MS: pace("how soon a change is told"),
  FETCH_CREDIT_COUNT: "leaf-fetch.test.ts: a peer that promises too much is not listened to",
  FETCH_CREDIT_MS: "leaf-fetch.test.ts: a peer that promises too much is not listened to",
  FILES_NEWS_PAUSE_MS: pace("how soon news of unversioned files is told"),
  MESH_SOON_MS: pace("how soon news is fetched"),
  MESH_HEARD_MAX_COUNT: pace("the oldest is forgotten"),
  BRIDGE_EXCHANGE_MAX_COUNT: "bridge.test.ts: so many exchanges with the server at a time, the next waits",
  BRIDGE_MESSAGE_MAX_BYTES: "bridge.test.ts: the largest message that is passed on, and one byte more",
  BRIDGE_KNOWN_MAX_COUNT: pace("what is not kept is announced again"),
  IROH_HELLO_MAX_BYTES: "iroh-hello.test.ts: the longest line, and one byte more",
  IROH_RETRY_MIN_MS: pace("how soon a peer is connected to again"),
  IROH_RETRY_MAX_MS: pace("how late a peer is connected to again"),
  IROH_AVOID_MS: pace("how long other ways are taken"),
  IROH_AVOID_MAX_MS: pace("how long other ways are taken after many failures"),
  IROH_DEAF_MS: pace("how soon a connection that leads nowhere is given up"),
  IROH_DETOUR_MS: pace("how long iroh is waited for where there is another way"),
  IROH_HEALTH_MS: pace("how often connections are looked after"),
  IROH_SILENT_MS:
    "leaf-iroh-health.test.ts: a connection that falls silent is ended, one that is heard is not",
  IROH_ENDPOINT_LOOK_MS: pace("how often the endpoint is looked after"),
  IROH_MET_MAX_COUNT:
    "leaf-iroh-links.test.ts: so many peers are met and no more, until some are given up or may no longer connect",
  IROH_MET_KEEP_MS: pace("how long a peer that was met and lost is tried"),
  IROH_REBIND_MS: pace("how soon an endpoint begins anew"),
  IROH_REBIND_MAX_MS: pace("how late an endpoint begins anew"),
  IROH_CHUNK_BYTES: pace("pieces in which bytes cross to the addon and back"),
  IROH_KEY_FILE_MAX_BYTES: "iroh-key.test.ts: what is no key is refused, not shown and not written over",
  IROH_CONNECT_MS: pace("how long an endpoint is waited for"),
  IROH_IDLE_MS: "transport-iroh.test.ts: the silence of whoever asks",
  IROH_REPLY_MS: "transport-iroh.test.ts: the silence of whoever answers",
  IROH_CONNECTION_MAX_COUNT: "transport-iroh.test.ts: connections of an endpoint",
  IROH_STREAM_MAX_COUNT:
    "transport-iroh.test.ts: more at a time than a connection may have wait for one another",
  IROH_SERVED_MAX_COUNT:
    "transport-iroh.test.ts: more at a time than a connection may have wait for one another",
  IROH_INCOMING_MAX_BYTES: "transport-iroh.test.ts: requests added up",
  DIFF_LINE_MAX_BYTES: "diff-text.test.ts: the longest line, and one byte more",
  ZIP_ENTRY_MAX_COUNT: "archive.test.ts: the most entries, and one more",
  ZIP_MAX_BYTES: "archive.test.ts: the most bytes, and one more",
  TABLE_COLUMN_MAX_COUNT: "repo-table.test.ts: the most columns, and one more",
  TABLE_NAME_MAX_LENGTH: "repo-table.test.ts: the longest name, and one letter more",
  TABLE_ROW_MAX_BYTES: "repo-table.test.ts: the largest row, and one byte more",
  JSON_MAX_DEPTH: "repo-table.test.ts: the deepest JSON, and one level more",
  SEARCH_TEXT_MAX_BYTES: "repo-search.test.ts: the largest text, and one byte more",
  INVITE_TOKEN_MAX_LENGTH: "repo-invite.test.ts: the longest token, and one letter more",
};

test("every bound has a test, and every test is there", () => {
  expect(Object.keys(HELD).sort()).toEqual(Object.keys(limits).sort());
  const own = readFileSync(import.meta.path, "utf8");
  for (const [name, held] of Object.entries(HELD)) {
    if (typeof held === "string") {
      const [file, words] = held.split(/: (.*)/s) as [string, string];
      const text = readFileSync(join(import.meta.dirname, file), "utf8");
      expect({ name, file, words, isThere: text.includes(words) }).toEqual({
        name,
        file,
        words,
        isThere: true,
      });
    } else if ("here" in held) {
      expect({ name, isHere: own.includes(`test("${held.here}`) }).toEqual({ name, isHere: true });
    }
  }
});

function codeOf(act: () => unknown): string | undefined {
  try {
    act();
  } catch (error) {
    if (error instanceof EdgeSyncError) return error.code;
    throw error;
  }
  return undefined;
}

describe("messages and content", () => {
  test("the longest length that a message may declare", () => {
    const declaring = (bytes: number) => {
      const body = new Uint8Array(64);
      new DataView(body.buffer).setUint32(0, bytes);
      body.set([0x78, 0x9c], 4); // A zlib stream that is damaged.
      return codeOf(() => decodeMessage(body, CONTENT_TYPES.compressed));
    };
    expect(declaring(limits.MESSAGE_INFLATED_MAX_BYTES)).toBe("xfer-zlib");
    expect(declaring(limits.MESSAGE_INFLATED_MAX_BYTES + 1)).toBe("xfer-message-size");
  });

  test("tokens of a card that count", () => {
    // The fifth and sixth are an uvfile's: what follows them changes nothing, one fewer is no card.
    const words = ["uvfile", "a", "1", "-", "0", "1"];
    expect(words).toHaveLength(limits.CARD_TOKEN_MAX_COUNT);
    const typeOf = (tokens: readonly string[]) =>
      [...new CardReader(utf8(`${tokens.join(" ")}\n`), "client")].map(({ type }) => type);
    expect(typeOf(words)).toEqual(["uvfile"]);
    expect(typeOf([...words, "seventh"])).toEqual(["uvfile"]);
    expect(typeOf(words.slice(0, -1))).not.toEqual(["uvfile"]);
  });

  test("the deepest chain of deltas", () => {
    using scratch = new ScratchRepo();
    const { content, db, config } = scratch.repo;
    const depth = 20;
    const text = (i: number) => utf8(`${"common ".repeat(20)}${i}`);
    let rid = content.put(text(0), { rcvid: 0, isPrivate: false });
    db.write(() => {
      for (let i = 1; i <= depth; i++) {
        const [before, after] = [text(i - 1), text(i)];
        const hash = sha3Hex(after) as never;
        rid = content.insertDelta(hash, createDelta(before, after), rid, after.length, {
          rcvid: 0,
          isPrivate: false,
        });
      }
    });
    const limited = (max: number) => codeOf(() => new Content(db, config, 0, max).get(rid));
    expect(limited(depth + 1)).toBeUndefined();
    expect(limited(depth)).toBe("content-damaged");
  });
});

describe("HTTP clients", () => {
  const always = () => true;

  test("HTTP exchanges in all", () => {
    const admission = new Admission();
    const enter = (i: number) => codeOf(() => admission.enter(`address ${i}`, always));
    for (let i = 0; i < limits.HTTP_VISIT_MAX_COUNT; i++) expect(enter(i)).toBeUndefined();
    expect(enter(-1)).toBe("connections");
  });

  test("HTTP exchanges of one address", () => {
    const admission = new Admission();
    const enter = () => codeOf(() => admission.enter("a", always));
    for (let i = 0; i < limits.HTTP_ADDRESS_VISIT_MAX_COUNT; i++) expect(enter()).toBeUndefined();
    expect(enter()).toBe("connections-per-address");
  });

  test("clones of one address", () => {
    const admission = new Admission();
    const begin = () => codeOf(() => admission.enter("a", always).beginPage(true));
    for (let i = 0; i < limits.HTTP_ADDRESS_CLONE_MAX_COUNT; i++) expect(begin()).toBeUndefined();
    expect(begin()).toBe("clones-per-address");
  });
});

test("replies in memory that have not left", async () => {
  const open = new Set<Request>();
  let now = 0;
  const clock = {
    ...systemClock,
    monotonic: () => now,
    sleep: async (ms: number) => {
      now += ms;
    },
  };
  const server = { timeout() {}, requestIP: (request: Request) => (open.has(request) ? {} : null) };
  const replies = new UnsentReplies(() => server as never, clock);
  const respond = async (bytes: number): Promise<number> => {
    const request = new Request("http://x/");
    open.add(request);
    const before = now;
    await replies.respond(request, { status: 200, contentType: "x", body: new Uint8Array(bytes) });
    return now - before;
  };
  expect(await respond(limits.HTTP_UNSENT_MAX_BYTES - 100_000)).toBe(0);
  expect(await respond(100_000)).toBe(0);
  const waitedMs = await respond(100_000);
  expect(waitedMs).toBeGreaterThanOrEqual(limits.HTTP_UNSENT_WAIT_MS);
  expect(waitedMs).toBeLessThan(limits.HTTP_UNSENT_WAIT_MS + 10);
  open.clear();
  expect(await respond(limits.HTTP_UNSENT_MAX_BYTES)).toBe(0);
});

test("waiting for another process's lock", async () => {
  using scratch = new ScratchRepo();
  const { clock, random, path } = scratch;
  scratch.repo.users.setCapabilities("nobody", "gio");
  const content = utf8("x");
  const push = utf8(`push x ${scratch.repo.config.projectCode}\nfile ${sha3Hex(content)} 1\nx`);
  scratch.repo.close();
  const holder = Bun.spawn(
    [
      process.execPath,
      "-e",
      `const db = new (require("bun:sqlite").Database)(${JSON.stringify(path)});
       db.run("BEGIN IMMEDIATE"); console.log("held"); setTimeout(() => db.close(), 700)`,
    ],
    { stdout: "pipe" },
  );
  await holder.stdout.getReader().read();
  const jobs = createLeafJobs({ clock, random });
  /** A push that arrived so long ago. */
  const serve = (waitedMs: number) =>
    codeOf(() =>
      jobs.serve({
        path,
        access: "write",
        contentType: CONTENT_TYPES.raw,
        cookie: undefined,
        address: "x",
        arrivedAt: clock.now() - waitedMs,
        body: push.slice(),
      }),
    );
  // Nothing is left of the wait: told at once. Enough is left: it is waited for.
  expect(serve(limits.LOCK_WAIT_MS)).toBe("repo-locked");
  expect(serve(0)).toBeUndefined();
  jobs.close();
  await holder.exited;
  scratch.reopen();
});

describe("HTTP clients that are turned away", () => {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  /** Serves one at a time; who is turned away hears how much of its body was read. */
  async function full(clock: HttpServerOptions["clock"] = systemClock): Promise<HttpServer> {
    const server = serveHttp({
      listen: { host: "127.0.0.1", port: 0 },
      clock,
      pages: new Hono(),
      limits: { visitMaxCount: 1 },
      exchange: () => Promise.reject(new Error("unused")),
      refuse: async ({ body }) => ({
        status: 200,
        contentType: CONTENT_TYPES.raw,
        body: utf8(`read ${body.length}`),
      }),
    });
    closers.push(() => server.stop());
    const holder = client(server, 10);
    while (server.openCount !== 1) await Bun.sleep(1);
    // A server that stops waits for who is there.
    closers.unshift(() => holder.destroy());
    return server;
  }

  function client(server: HttpServer, bodyBytes: number): Socket {
    const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
    socket.on("error", () => {});
    socket.write(
      `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: ${CONTENT_TYPES.raw}\r\nContent-Length: ${bodyBytes}\r\n\r\n`,
    );
    return socket;
  }

  async function said(server: HttpServer, bodyBytes: number, sentBytes: number): Promise<string> {
    const socket = client(server, bodyBytes);
    socket.write(new Uint8Array(sentBytes));
    let text = "";
    socket.on("data", (bytes) => {
      text += String(bytes);
    });
    await new Promise((resolve) => socket.on("close", resolve));
    return text.split("\r\n\r\n")[1]!;
  }

  test("the body of who is turned away", async () => {
    const server = await full();
    const max = limits.HTTP_REFUSED_BODY_MAX_BYTES;
    expect(await said(server, max, max)).toBe(`read ${max}`);
    expect(await said(server, max + 1, max + 1)).toBe("read 0");
  });

  test("a body of who is turned away that does not end", async () => {
    const waits: number[] = [];
    const after: typeof systemClock.after = (ms, callback) => {
      waits.push(ms);
      return systemClock.after(ms / 100, callback);
    };
    const hasty = await full({
      ...systemClock,
      after: (ms, run) => (ms > 3000 ? systemClock.after(ms, run) : after(ms, run)),
    });
    expect(await said(hasty, 10, 5)).toBe("read 0");
    expect(Math.max(...waits)).toBeLessThanOrEqual(limits.HTTP_REFUSED_BODY_MS);
    expect(waits.length).toBeGreaterThan(0);
  });
});
