/** A bridge and what it makes of messages; the server behind it is a repository in this process, or trouble. */
import { afterEach, describe, expect, test } from "bun:test";
import { parseAnnouncement } from "../src/announcement.ts";
import { Bridge } from "../src/bridge.ts";
import { summarizeReply, summarizeRequest, withLogin } from "../src/bridge-request.ts";
import type { Broker } from "../src/broker.ts";
import { type Bytes, concat, text, utf8 } from "../src/bytes.ts";
import { systemClock } from "../src/clock.ts";
import { FormatError, ProtocolError } from "../src/errors.ts";
import type { Hash } from "../src/hash.ts";
import {
  ANNOUNCED_ARTIFACT_MAX_COUNT,
  BRIDGE_EXCHANGE_MAX_COUNT,
  BRIDGE_MESSAGE_MAX_BYTES,
} from "../src/limits.ts";
import { silentLogger } from "../src/log.ts";
import { LocalLink } from "../src/nats-link-local.ts";
import { asPeerId } from "../src/peer-id.ts";
import { seededRandom } from "../src/random.ts";
import { SyncClient } from "../src/sync-client.ts";
import { serveMessage } from "../src/sync-server.ts";
import { runSync } from "../src/sync-session.ts";
import { createTelemetry } from "../src/telemetry.ts";
import { MemoryTransport } from "../src/transport-memory.ts";
import { NatsTransport, syncSubject } from "../src/transport-nats.ts";
import { unpackBlob } from "../src/zlib.ts";
import { testBroker } from "./broker-harness.ts";
import { until } from "./interop/nats-server.ts";
import { ScratchRepo } from "./scratch-repo.ts";
import { file, grow, sha3 } from "./sync-peer.ts";

const PROJECT = "0123456789012345678901234567890123456789" as Hash;
const random = seededRandom(9n);

describe("what a message is", () => {
  const pull = utf8(`pull ${PROJECT} ${PROJECT}\n`);
  const artifacts = (count: number) =>
    concat(Array.from({ length: count }, (_, i) => file(sha3(`content ${i}`), `content ${i}`)));

  test("its purpose, its login, its artifacts", () => {
    const push = utf8(`push ${PROJECT} ${PROJECT}\n`);
    expect(summarizeRequest(pull)).toEqual({
      operation: "pull",
      hasLogin: false,
      artifactCount: 0,
      artifacts: [],
    });
    const many = summarizeRequest(concat([push, artifacts(ANNOUNCED_ARTIFACT_MAX_COUNT + 5)]));
    expect(many).toMatchObject({ operation: "push", artifactCount: ANNOUNCED_ARTIFACT_MAX_COUNT + 5 });
    expect(many.artifacts).toHaveLength(ANNOUNCED_ARTIFACT_MAX_COUNT);
    expect(many.artifacts.at(-1)).toBe(sha3(`content ${ANNOUNCED_ARTIFACT_MAX_COUNT + 4}`));
    const hidden = summarizeRequest(concat([push, utf8("private\n"), artifacts(1)]));
    expect(hidden).toMatchObject({ artifactCount: 1, artifacts: [] });
    expect(() => summarizeRequest(utf8(`file ${PROJECT} 100\nshort`))).toThrow(FormatError);
  });

  test("somebody's login stays, nobody's is replaced", () => {
    const login = { user: "bridge", password: "secret" };
    const signed = withLogin(pull, summarizeRequest(pull), login, PROJECT);
    expect(text(signed)).toMatch(/^login bridge [0-9a-f]{40} [0-9a-f]{40}\npull /);
    expect(withLogin(signed, summarizeRequest(signed), { user: "other", password: "x" }, PROJECT)).toEqual(
      signed,
    );
    expect(withLogin(pull, summarizeRequest(pull), undefined, PROJECT)).toEqual(pull);
  });

  test("what a reply tells", () => {
    const reply = concat([
      utf8(`igot ${PROJECT}\nigot ${sha3("p")} 1\n`),
      artifacts(2),
      utf8("error no\\ssuch\n"),
    ]);
    expect(summarizeReply(reply)).toEqual({ error: "no such", artifactCount: 2, offers: [PROJECT] });
  });
});

describe("a bridge", () => {
  let broker: Broker;
  let bridge: Bridge;
  let server: ScratchRepo;
  let isDown = false;
  let heard: Hash[][] = [];
  /** Until then the server does not answer; how many wait. */
  let gate: Promise<void> | undefined;
  let waiting = 0;

  const link = () => new LocalLink({ broker, maxPayload: 8_388_608, random });

  function start(): void {
    isDown = false;
    heard = [];
    broker = testBroker();
    server = new ScratchRepo({ projectCode: PROJECT });
    server.repo.users.setCapabilities("nobody", "gioy");
    link().subscribe(`fossil.${PROJECT}.commit`, ({ payload }) => {
      heard.push([...parseAnnouncement(payload).artifacts].sort());
    });
    bridge = newBridge("bridge");
  }

  /** `passedOn` is called for each message that it passes on. */
  function newBridge(name: string, passedOn: () => void = () => {}, pollMs = 50): Bridge {
    const answer = async (message: Bytes) => {
      passedOn();
      waiting++;
      await gate;
      waiting--;
      if (isDown) throw new ProtocolError("peer-unreachable", "the server is down");
      return serveMessage(server.repo, message, { address: "x", cookie: undefined }).message;
    };
    return new Bridge(
      {
        link: link(),
        prefix: "fossil",
        projectCode: PROJECT,
        peerId: asPeerId(name),
        name,
        version: "test",
        connect: () => new MemoryTransport("server", answer),
        login: undefined,
        pollMs,
      },
      { clock: systemClock, random, log: silentLogger, telemetry: createTelemetry({ version: "test" }) },
    );
  }

  afterEach(async () => {
    await bridge.stop();
    await broker.stop(0);
    server[Symbol.dispose]();
  });

  async function sync(repo: ScratchRepo, goals: { readonly pull: boolean; readonly push: boolean }) {
    const transport = new NatsTransport({
      link: link(),
      clock: systemClock,
      subject: syncSubject("fossil", PROJECT),
      ownPeerId: "me",
      ownsLink: true,
    });
    try {
      return await runSync(
        new SyncClient(repo.repo, goals, { peer: transport.peer, carriesCookie: false }),
        transport,
      );
    } finally {
      await transport.close();
    }
  }

  test("passes a push and a pull on, and announces what was pushed", async () => {
    start();
    using ours = new ScratchRepo({ projectCode: PROJECT });
    using theirs = new ScratchRepo({ projectCode: PROJECT });
    grow(ours.repo, 0, 3);
    await until(() => bridge.isServerUp === true, "the first look");
    expect((await sync(ours, { pull: false, push: true })).artifactsSent).toBeGreaterThan(3);
    const pushed = ours.repo.db.prepare("SELECT uuid FROM blob ORDER BY uuid").values<[Hash]>().flat();
    await until(() => heard.length > 0, "an announcement");
    expect(heard.flat().sort()).toEqual(pushed);
    expect((await sync(theirs, { pull: true, push: false })).artifactsReceived).toBe(pushed.length);
    // What the next look finds was told of already.
    await Bun.sleep(120);
    expect(heard.flat()).toHaveLength(pushed.length);
  });

  test("announces what appears on the server, once", async () => {
    start();
    const artifacts = () =>
      server.repo.db.prepare("SELECT uuid FROM blob ORDER BY uuid").values<[Hash]>().flat();
    await until(() => bridge.isServerUp === true, "the first look");
    grow(server.repo, 0, 1);
    await until(() => heard.length > 0, "an announcement");
    const before = artifacts();
    expect(heard).toEqual([before]);
    grow(server.repo, 1, 1);
    await until(() => heard.length > 1, "another announcement");
    expect(heard[1]).toEqual(artifacts().filter((hash) => !before.includes(hash)));
  });

  test("two share what is asked on the common subject; who goes, goes unnoticed", async () => {
    start();
    const counts = { second: 0, third: 0 };
    const seldom = 3_600_000;
    const others = [
      newBridge("second", () => counts.second++, seldom),
      newBridge("third", () => counts.third++, seldom),
    ];
    await until(() => others.every(({ isServerUp }) => isServerUp === true), "their first looks");
    expect(counts).toEqual({ second: 1, third: 1 });
    const pull = async () => {
      using ours = new ScratchRepo({ projectCode: PROJECT });
      return (await sync(ours, { pull: true, push: false })).rounds;
    };
    expect(await Promise.all(Array.from({ length: 60 }, pull))).toEqual(Array(60).fill(1));
    for (const name of ["second", "third"] as const) {
      expect(counts[name]).toBeGreaterThan(5);
      expect(counts[name]).toBeLessThan(40);
    }
    await others[0]!.stop();
    const ended = counts.second;
    expect(await Promise.all(Array.from({ length: 20 }, pull))).toEqual(Array(20).fill(1));
    expect(counts.second).toBe(ended);
    using ours = new ScratchRepo({ projectCode: PROJECT });
    grow(ours.repo, 0, 1);
    await sync(ours, { pull: false, push: true });
    const pushed = ours.repo.db.prepare("SELECT uuid FROM blob").values<[Hash]>().flat();
    await until(() => pushed.every((hash) => heard.flat().includes(hash)), "the announcement");
    await others[1]!.stop();
  });

  test("so many exchanges with the server at a time, the next waits", async () => {
    start();
    await until(() => bridge.isServerUp === true, "the first look");
    const opened = Promise.withResolvers<void>();
    gate = opened.promise;
    // The look at the server, and these.
    const repos = Array.from(
      { length: BRIDGE_EXCHANGE_MAX_COUNT + 1 },
      () => new ScratchRepo({ projectCode: PROJECT }),
    );
    const syncs = repos.map((repo) => sync(repo, { pull: true, push: false }));
    await until(() => waiting === BRIDGE_EXCHANGE_MAX_COUNT + 1, "as many as may be, and the look");
    await Bun.sleep(50);
    expect(waiting).toBe(BRIDGE_EXCHANGE_MAX_COUNT + 1);
    gate = undefined;
    opened.resolve();
    for (const outcome of await Promise.all(syncs)) expect(outcome.rounds).toBe(1);
    for (const repo of repos) repo[Symbol.dispose]();
  });

  test("the largest message that is passed on, and one byte more", async () => {
    start();
    await until(() => bridge.isServerUp === true, "the first look");
    const asker = link();
    const said = async (declared: number): Promise<string> => {
      const body = new Uint8Array(64);
      new DataView(body.buffer).setUint32(0, declared);
      // A zlib stream that is damaged: it is looked at only if its size is.
      body.set([0x78, 0x9c], 4);
      const inbox = asker.newInbox();
      const reply = Promise.withResolvers<string>();
      const stop = asker.subscribe(inbox, ({ payload }) => {
        reply.resolve(text(unpackBlob(payload.slice(), 10_000)));
      });
      asker.publish(syncSubject("fossil", PROJECT), body, { reply: inbox });
      const message = await reply.promise;
      stop();
      return message;
    };
    expect(await said(BRIDGE_MESSAGE_MAX_BYTES)).toContain("damaged\\sor\\scut\\sshort");
    expect(await said(BRIDGE_MESSAGE_MAX_BYTES + 1)).toContain(`more\\sthan\\s${BRIDGE_MESSAGE_MAX_BYTES}`);
  });

  test("tells of a server that does not answer, and goes on when it does", async () => {
    start();
    using ours = new ScratchRepo({ projectCode: PROJECT });
    await until(() => bridge.isServerUp === true, "the first look");
    isDown = true;
    await expect(sync(ours, { pull: true, push: false })).rejects.toThrow("the server is down");
    expect(bridge.isServerUp).toBe(false);
    isDown = false;
    await until(() => bridge.isServerUp === true, "the server to answer again");
    expect((await sync(ours, { pull: true, push: false })).rounds).toBe(1);
  });
});
