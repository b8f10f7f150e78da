/** Leaves in one process on one embedded broker, or two: news, presence, what was missed, and hostile words. */
import { afterEach, describe, expect, test } from "bun:test";
import { renameSync, rmSync } from "node:fs";
import { formatAnnouncement, parseAnnouncement } from "../src/announcement.ts";
import { formatArtifact } from "../src/artifact-format.ts";
import type { Broker, BrokerOptions } from "../src/broker.ts";
import { utf8 } from "../src/bytes.ts";
import { systemClock } from "../src/clock.ts";
import type { Hash } from "../src/hash.ts";
import { type Leaf, startLeaf } from "../src/leaf.ts";
import { inlineThreads } from "../src/leaf-repositories.ts";
import type { SyncPeer } from "../src/leaf-sync.ts";
import {
  ANNOUNCED_CONTENT_MAX_BYTES,
  FETCH_CREDIT_COUNT,
  FILES_NEWS_PAUSE_MS,
  MESH_SOON_MS,
} from "../src/limits.ts";
import { type LogFields, silentLogger } from "../src/log.ts";
import { LocalLink } from "../src/nats-link-local.ts";
import { asPeerId } from "../src/peer-id.ts";
import { formatPresence } from "../src/presence-message.ts";
import { seededRandom } from "../src/random.ts";
import { Repo } from "../src/repo.ts";
import { addInitialCheckIn, commit } from "../src/repo-checkin.ts";
import { receiveAll } from "../src/repo-receive.ts";
import { Unversioned } from "../src/repo-unversioned.ts";
import { LOOPBACK, testBroker } from "./broker-harness.ts";
import { until } from "./interop/nats-server.ts";
import { ScratchRepo } from "./scratch-repo.ts";
import { served } from "./sync-peer.ts";
import { TempDir } from "./temp-dir.ts";

let seed = 1n;
const deps = () => ({ clock: systemClock, random: seededRandom(seed++), log: silentLogger });

/** Peers of one project. */
class Project {
  readonly folder = new TempDir("mesh");
  readonly first = this.folder.join("0.fossil");
  readonly leaves: { readonly leaf: Leaf; repo: Repo }[] = [];
  /** What leaves that join from now on write to their logs. */
  readonly lines: { readonly leaf: number; readonly text: string; readonly trace: unknown }[] = [];
  readonly code: string;
  private readonly ends: (() => Promise<unknown>)[] = [];

  constructor() {
    const repo = Repo.create(this.first, { ...deps(), user: "ann", password: "x" });
    addInitialCheckIn(repo, "ann");
    repo.users.setCapabilities("nobody", "gioy");
    this.code = repo.config.projectCode!;
    repo.close();
  }

  broker(options: Partial<BrokerOptions> = {}): Broker {
    const broker = testBroker(options);
    this.ends.push(() => broker.stop(0));
    return broker;
  }

  link(broker: Broker, maxPayload = 8_388_608): LocalLink {
    return new LocalLink({ broker, maxPayload, random: seededRandom(seed++) });
  }

  async join(
    brokers: readonly Broker[],
    beatMs = 60_000,
    peers: readonly SyncPeer[] = [],
    maxPayload = 8_388_608,
    unversioned = false,
    pollMs = 600_000,
  ): Promise<number> {
    const number = this.leaves.length;
    const file = this.folder.join(`leaf${number}.fossil`);
    const copy = Repo.open(this.first, { mode: "read", ...deps() });
    copy.db.exec("PRAGMA query_only=0");
    copy.db.exec(`VACUUM INTO '${file}'`);
    copy.close();
    const repo = Repo.open(file, { mode: "write", ...deps() });
    const threads = inlineThreads(deps());
    const write = (text: string, fields: LogFields = {}) =>
      void this.lines.push({ leaf: number, text, trace: fields["trace"] });
    const log = { debug: write, info: write, warn: write, error: write };
    const leaf = await startLeaf(
      {
        source: { file },
        http: undefined,
        nats: {
          prefix: "fossil",
          peerId: asPeerId(`leaf${number}`),
          links: brokers.map((broker) => this.link(broker, maxPayload)),
        },
        keep: {
          peers,
          push: true,
          pull: true,
          unversioned,
          private: false,
          pollMs,
          mesh: { name: `leaf ${number}`, role: "peer", beatMs },
        },
        version: "test",
      },
      { ...deps(), log, threads },
    );
    this.leaves.push({ leaf, repo });
    return number;
  }

  commit(number: number, content = `${seed++}`): Hash {
    const { repo } = this.leaves[number]!;
    return commit(repo, {
      edits: [{ name: "f", content: utf8(content) }],
      comment: "c",
      user: "ann",
    }).hash;
  }

  page(number: number): Hash {
    const { repo } = this.leaves[number]!;
    const date = repo.clock.now();
    const page = formatArtifact({
      type: "wiki",
      date,
      title: "P",
      parents: [],
      user: "ann",
      body: utf8("w"),
    });
    receiveAll(repo, { onWrong: "throw" }, (batch) => void batch.add(page));
    return repo.content.nameOf(page);
  }

  has(number: number, hash: Hash): boolean {
    const { db } = this.leaves[number]!.repo;
    return db.prepare("SELECT 1 FROM event JOIN blob ON rid=objid WHERE uuid=?").value(hash) !== undefined;
  }

  count(number: number): number {
    return this.leaves[number]!.repo.db.prepare("SELECT count(*) FROM blob WHERE size>=0").value<number>()!;
  }

  pulls(number: number): number {
    return this.leaves[number]!.leaf.keeper!.mesh.counts.pulls;
  }

  peersOf(number: number): string[] {
    return this.leaves[number]!.leaf.keeper!.mesh.presence.peers.map(({ facts }) => facts.peerId).sort();
  }

  async everywhere(hash: Hash): Promise<void> {
    await until(() => this.leaves.every((_, i) => this.has(i, hash)), `${hash} everywhere`);
  }

  async end(): Promise<void> {
    for (const { leaf, repo } of this.leaves) {
      await leaf.stop();
      repo.close();
    }
    for (const end of this.ends) await end();
    this.folder.remove();
  }
}

let project: Project;
afterEach(() => project.end());

describe("news", () => {
  test("travels to all, from whoever has it, with one pull each", async () => {
    project = new Project();
    const broker = project.broker();
    for (let i = 0; i < 3; i++) await project.join([broker]);
    await project.everywhere(project.commit(0));
    expect([project.pulls(0), project.pulls(1), project.pulls(2)]).toEqual([0, 1, 1]);
    await project.everywhere(project.commit(2));
    expect([project.pulls(0), project.pulls(1), project.pulls(2)]).toEqual([1, 2, 1]);
    // Nobody repeats on the one link what came over it.
    expect(project.leaves.map(({ leaf }) => leaf.keeper!.mesh.counts.announced)).toEqual([1, 0, 1]);
  });

  test("crosses from one broker to another through the repository of a leaf on both", async () => {
    project = new Project();
    const [one, other] = [project.broker(), project.broker()];
    await project.join([one]);
    await project.join([one, other]);
    await project.join([other]);
    await project.everywhere(project.commit(0));
    await project.everywhere(project.commit(2));
  });

  test("a burst costs few pulls and arrives whole", async () => {
    project = new Project();
    const broker = project.broker();
    for (let i = 0; i < 3; i++) await project.join([broker]);
    let last: Hash | undefined;
    for (let i = 0; i < 120; i++) {
      last = project.commit(0);
      if (i % 10 === 0) await Bun.sleep(1);
    }
    await project.everywhere(last!);
    const count = (i: number) =>
      project.leaves[i]!.repo.db.prepare("SELECT count(*) FROM event").value<number>();
    await until(() => count(1) === count(0) && count(2) === count(0), "all check-ins");
    expect(Math.max(project.pulls(1), project.pulls(2))).toBeLessThan(15);
  }, 30_000);

  test("travels with content that is small and that anybody may read: nobody has to ask", async () => {
    project = new Project();
    const broker = project.broker();
    for (let i = 0; i < 2; i++) await project.join([broker]);
    const spy = project.link(broker);
    let requests = 0;
    const replies: (number | undefined)[] = [];
    spy.subscribe(`fossil.${project.code}.sync.>`, () => void requests++);
    spy.subscribe(`fossil.${project.code}.commit`, ({ payload }) => {
      replies.push(parseAnnouncement(payload).reply?.length);
    });
    await project.everywhere(project.commit(0));
    expect(requests).toBe(0);
    expect(replies).toEqual([expect.any(Number)]);
    await project.everywhere(project.commit(0, "x".repeat(ANNOUNCED_CONTENT_MAX_BYTES + 1)));
    expect(replies.at(-1)).toBeUndefined();
    expect(requests).toBe(1);
    // Its parent is large now.
    await project.everywhere(project.commit(0));
    expect(replies.at(-1)).toBeUndefined();
    project.leaves[1]!.repo.users.setCapabilities("nobody", "");
    await Bun.sleep(10);
    project.commit(1);
    await until(() => replies.length === 4, "the last announcement");
    expect(replies.at(-1)).toBeUndefined();
    await spy.close();
  });

  test("is traced: the logs of both sides name a pull by the same words", async () => {
    project = new Project();
    const broker = project.broker();
    for (let i = 0; i < 2; i++) await project.join([broker]);
    await project.everywhere(project.commit(0, "x".repeat(ANNOUNCED_CONTENT_MAX_BYTES + 1)));
    const traceOf = (leaf: number, text: string) =>
      project.lines.filter((line) => line.leaf === leaf && line.text === text).at(-1)?.trace;
    await until(() => traceOf(1, "synced") !== undefined, "the end of the pull");
    expect(traceOf(1, "synced")).toMatch(/^[0-9a-f]{32}$/);
    expect(traceOf(0, "served")).toBe(traceOf(1, "synced"));
  });

  test("is pushed to a server that the leaf polls", async () => {
    project = new Project();
    using server = new ScratchRepo({ projectCode: project.code as Hash });
    server.repo.users.setCapabilities("nobody", "gioy");
    const transport = {
      connect: () => ({ transport: served(server.repo).transport }),
      transport: "memory",
    } as const;
    await project.join([], 60_000, [{ name: "server", ...transport }]);
    const { sync } = project.leaves[0]!.leaf.keeper!;
    await until(() => sync.peer("server")!.syncCount > 0, "the first poll");
    const hash = project.commit(0);
    await until(() => server.repo.content.ridOf(hash) !== undefined, "the push");
    expect(sync.peer("server")!.last!.why).toBe("commit");
  });

  test("goes without its content where the server takes no more", async () => {
    project = new Project();
    const broker = project.broker();
    await project.join([broker], 60_000, [], 900);
    await project.join([broker]);
    await project.everywhere(project.commit(0));
    expect(project.pulls(1)).toBe(1);
  });

  test("of unversioned files is told, and fetched by who wants them", async () => {
    project = new Project();
    const broker = project.broker();
    for (const wanted of [true, true, false]) await project.join([broker], 60_000, [], 8_388_608, wanted);
    const files = (i: number) => new Unversioned(project.leaves[i]!.repo);
    const content = (i: number, name: string) => files(i).content(name)?.toString();
    await until(() => project.peersOf(1).length === 2, "the peers");
    await Bun.sleep(FILES_NEWS_PAUSE_MS);
    const mtime = systemClock.now() / 1000;
    files(0).add("a.txt", utf8("one"), Math.floor(mtime), 0);
    await until(() => content(1, "a.txt") === utf8("one").toString(), "the file");
    // And the other way, a change of it.
    files(1).add("a.txt", utf8("two"), Math.floor(mtime) + 1, 0);
    await until(() => content(0, "a.txt") === utf8("two").toString(), "the change");
    expect(files(2).entries()).toEqual([]);
    // Nobody asks again while nothing changes.
    const syncs = () => [0, 1].map((i) => project.leaves[i]!.leaf.keeper!.sync.peers.map((p) => p.syncCount));
    const before = syncs();
    await Bun.sleep(1.3 * MESH_SOON_MS);
    expect(syncs()).toEqual(before);
  }, 30_000);

  test("that was missed is found by who joins", async () => {
    project = new Project();
    const broker = project.broker();
    await project.join([broker]);
    const hash = project.commit(0);
    await Bun.sleep(20);
    await project.join([broker]);
    await project.everywhere(hash);
    expect(project.pulls(1)).toBe(0);
  });

  test("that was missed is found when brokers join, and join again", async () => {
    project = new Project();
    const [hub, spoke] = [project.broker({ leafListen: LOOPBACK }), project.broker()];
    await project.join([hub]);
    await project.join([spoke]);
    const first = [project.commit(0), project.commit(1)];
    const leave = spoke.joinLeaf({ host: "127.0.0.1", port: hub.leafPort! });
    for (const hash of first) await project.everywhere(hash);
    // The hub goes; what is committed meanwhile nobody hears of.
    leave();
    await hub.stop(0);
    const again = project.broker({ leafListen: LOOPBACK });
    await project.join([again]);
    const later = [project.commit(1), project.commit(2)];
    const [gone] = project.leaves.splice(0, 1);
    await gone!.leaf.stop();
    gone!.repo.close();
    spoke.joinLeaf({ host: "127.0.0.1", port: again.leafPort! });
    for (const hash of later) await project.everywhere(hash);
  });

  test("that is no check-in and was missed is found when brokers join again", async () => {
    project = new Project();
    const [one, other] = [project.broker(), project.broker()];
    await project.join([one]);
    await project.join([other]);
    const between = () => {
      const hub = project.broker({ leafListen: LOOPBACK });
      const leaves = [one, other].map((spoke) => spoke.joinLeaf({ host: "127.0.0.1", port: hub.leafPort! }));
      return { hub, leave: () => leaves.forEach((leave) => void leave()) };
    };
    const { hub, leave } = between();
    await project.everywhere(project.commit(0));
    await until(() => project.peersOf(0).length + project.peersOf(1).length === 2, "both know each other");
    leave();
    await hub.stop(0);
    const page = project.page(0);
    await Bun.sleep(50);
    expect(project.has(1, page)).toBe(false);
    between();
    await project.everywhere(page);
  });

  test("that is no check-in and was missed is found by a leaf whose broker the other's joins again", async () => {
    project = new Project();
    const [hub, spoke] = [project.broker({ leafListen: LOOPBACK }), project.broker()];
    await project.join([hub]);
    await project.join([spoke]);
    const join = () => spoke.joinLeaf({ host: "127.0.0.1", port: hub.leafPort! });
    const leave = join();
    await project.everywhere(project.commit(0));
    await until(() => project.peersOf(0).length + project.peersOf(1).length === 2, "both know each other");
    leave();
    const page = project.page(1);
    await until(() => project.has(1, page), "the page to be written");
    expect(project.has(0, page)).toBe(false);
    join();
    await project.everywhere(page);
  });

  test("that was missed is found by a beat", async () => {
    project = new Project();
    const broker = project.broker();
    await project.join([broker], 1000);
    await project.join([broker], 1000);
    // The second does not listen to news.
    const { presence } = project.leaves[0]!.leaf.keeper!.mesh;
    project.leaves[1]!.leaf.keeper!.mesh.fetch.claim = () => false;
    const hash = project.commit(0);
    await presence.tellNow();
    await project.everywhere(hash);
  });

  test("that was missed is found although another peer differs for ever", async () => {
    project = new Project();
    const broker = project.broker();
    for (let i = 0; i < 3; i++) await project.join([broker], 500, [], undefined, false, 1_000);
    // It has an artifact more than the others, whatever they ask it for.
    commit(project.leaves[1]!.repo, {
      edits: [{ name: "secret", content: utf8("s") }],
      comment: "c",
      user: "ann",
      isPrivate: true,
      branch: "b",
    });
    const { mesh } = project.leaves[0]!.leaf.keeper!;
    const asked = new Set<string>();
    const { sync } = project.leaves[0]!.leaf.keeper!;
    const request = sync.request.bind(sync);
    sync.request = (peer, wish) => {
      if (wish.why === "poll") asked.add(peer);
      return request(peer, wish);
    };
    await until(() => {
      const facts = mesh.presence.peer("leaf1")?.facts;
      return facts !== undefined && facts.artifactCount > project.count(0) && asked.has("leaf1");
    }, "the one that differs to be asked");
    await until(() => asked.has("leaf2"), "the other one to be asked");
  });

  test("is not told of another project whose repository takes the file's place", async () => {
    project = new Project();
    const broker = project.broker();
    await project.join([broker]);
    await project.join([broker]);
    const spy = project.link(broker);
    let heard = 0;
    spy.subscribe(`fossil.${project.code}.commit`, () => void heard++);
    const other = project.folder.join("other.fossil");
    const repo = Repo.create(other, { ...deps(), user: "ann", password: "x" });
    addInitialCheckIn(repo, "ann");
    repo.close();
    const file = project.folder.join("leaf1.fossil");
    project.leaves[1]!.repo.close();
    renameSync(other, file);
    for (const suffix of ["-wal", "-shm"]) rmSync(file + suffix, { force: true });
    project.leaves[1]!.repo = Repo.open(file, { mode: "write", ...deps() });
    project.leaves[1]!.leaf.keeper!.mesh.look();
    project.commit(1);
    project.leaves[1]!.leaf.keeper!.mesh.look();
    project.commit(0);
    await until(() => heard > 0, "the announcement of the first");
    await Bun.sleep(50);
    expect(heard).toBe(1);
    expect(project.pulls(1)).toBe(0);
    await spy.close();
  });

  test("claims of a liar cost a bounded number of pulls", async () => {
    project = new Project();
    const broker = project.broker();
    await project.join([broker]);
    const link = project.link(broker);
    const subject = `fossil.${project.code}.commit`;
    for (let i = 0; i < 50; i++) {
      const uuid = i.toString(16).padStart(40, "0") as Hash;
      const news = {
        version: 1,
        rid: 1,
        uuid,
        tips: [],
        count: 1,
        artifacts: [],
        iroh: undefined,
        http: undefined,
      };
      link.publish(subject, formatAnnouncement({ ...news, peerId: asPeerId("liar") }));
      link.publish(subject, formatAnnouncement({ ...news, peerId: asPeerId("leaf0") }));
      link.publish(subject, utf8("{"));
      await Bun.sleep(5);
    }
    expect(project.pulls(0)).toBe(FETCH_CREDIT_COUNT);
    await link.close();
  });
});

describe("a web address in an announcement", () => {
  const forged = (http: string) =>
    formatAnnouncement({
      version: 1,
      rid: 1,
      uuid: "0".repeat(40) as Hash,
      peerId: asPeerId("nobody-there"),
      tips: [],
      count: 1,
      artifacts: [],
      iroh: undefined,
      http,
    });

  test.each(["an announcement", "a presence message"])("is not asked because %s names it", async (kind) => {
    project = new Project();
    const broker = project.broker();
    await project.join([broker]);
    let requests = 0;
    using server = Bun.serve({
      port: 0,
      fetch: () => {
        requests++;
        return new Response("");
      },
    });
    const link = project.link(broker);
    const http = `http://127.0.0.1:${server.port}/`;
    if (kind === "a presence message") link.publish(`fossil.${project.code}.presence`, presenceOf(http));
    link.publish(`fossil.${project.code}.commit`, forged(http));
    const { sync } = project.leaves[0]!.leaf.keeper!;
    await until(() => sync.peer("nobody-there")?.last !== undefined, "the pull");
    expect(sync.peer("nobody-there")!.last!.error!.code).toBe("peer-unreachable");
    expect(requests).toBe(0);
    await link.close();
  });

  test("is asked where the leaf was told to sync with it", async () => {
    project = new Project();
    const broker = project.broker();
    let requests = 0;
    using server = Bun.serve({
      port: 0,
      fetch: () => {
        requests++;
        return new Response("");
      },
    });
    using known = new ScratchRepo({ projectCode: project.code as Hash });
    known.repo.users.setCapabilities("nobody", "gioy");
    const http = `http://127.0.0.1:${server.port}/`;
    const connect = () => ({ transport: served(known.repo).transport });
    await project.join([broker], 60_000, [
      { name: `http://ann@127.0.0.1:${server.port}`, transport: "http", connect },
    ]);
    const link = project.link(broker);
    link.publish(`fossil.${project.code}.commit`, forged(http));
    await until(() => requests > 0, "the request");
    await link.close();
  });
});

/** Of a peer that does not answer. */
function presenceOf(http: string): Uint8Array {
  return formatPresence({
    kind: "beat",
    peerId: asPeerId("nobody-there"),
    name: "n",
    version: "",
    role: "peer",
    transports: ["http"],
    http,
    iroh: undefined,
    artifactCount: 0,
    tips: [],
    unclustered: undefined,
    unversioned: undefined,
    lagMs: 0,
    everyMs: 60_000,
  });
}

describe("presence", () => {
  test("peers come, are asked, tell of themselves, and go", async () => {
    project = new Project();
    const broker = project.broker();
    for (let i = 0; i < 3; i++) await project.join([broker]);
    await until(() => [0, 1, 2].every((i) => project.peersOf(i).length === 2), "all to know all");
    expect(project.peersOf(1)).toEqual(["leaf0", "leaf2"]);
    const [first] = project.leaves;
    const { facts } = first!.leaf.keeper!.mesh.presence.peer("leaf2")!;
    expect(facts).toMatchObject({
      name: "leaf 2",
      role: "peer",
      version: "test",
      transports: ["nats"],
      lagMs: 0,
    });
    expect(facts.artifactCount).toBe(1);
    expect(facts.tips).toHaveLength(1);
    await first!.leaf.stop();
    await until(() => project.peersOf(1).length === 1, "the first to be gone");
    expect(project.peersOf(1)).toEqual(["leaf2"]);
  });

  test("a peer that falls silent is forgotten", async () => {
    project = new Project();
    const broker = project.broker();
    await project.join([broker], 1000);
    const link = project.link(broker);
    const facts = {
      peerId: asPeerId("ghost"),
      name: "g",
      version: "",
      role: "peer" as const,
      transports: [],
      http: undefined,
      iroh: undefined,
      artifactCount: 0,
      tips: [],
      unclustered: undefined,
      unversioned: undefined,
      lagMs: 0,
      everyMs: 1000,
    };
    const subject = `fossil.${project.code}.presence`;
    link.publish(subject, utf8("not a presence message"));
    link.publish(subject, formatPresence({ ...facts, kind: "beat" }));
    link.publish(subject, formatPresence({ ...facts, peerId: asPeerId("leaf0"), kind: "beat" }));
    await until(() => project.peersOf(0).length === 1, "the ghost");
    expect(project.peersOf(0)).toEqual(["ghost"]);
    await until(() => project.peersOf(0).length === 0, "the ghost to be gone");
    await link.close();
  }, 20_000);
});
