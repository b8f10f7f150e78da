import { describe, expect, test } from "bun:test";
import { renameSync } from "node:fs";
import { text, utf8 } from "../src/bytes.ts";
import { type Clock, systemClock } from "../src/clock.ts";
import { LeafPoll } from "../src/leaf-poll.ts";
import { HostedRepositories, inlineThreads } from "../src/leaf-repositories.ts";
import { LeafSync, type SyncPeer, type SyncWish } from "../src/leaf-sync.ts";
import { SYNC_CONCURRENT_MAX_COUNT, SYNC_RETRY_MAX_MS, SYNC_RETRY_MIN_MS } from "../src/limits.ts";
import { silentLogger } from "../src/log.ts";
import { seededRandom } from "../src/random.ts";
import { Repo } from "../src/repo.ts";
import { ReceiveBatch } from "../src/repo-receive.ts";
import { Unversioned } from "../src/repo-unversioned.ts";
import type { Transport } from "../src/transport.ts";
import { MemoryTransport } from "../src/transport-memory.ts";
import { ScratchRepo } from "./scratch-repo.ts";
import { grow, holdings, served } from "./sync-peer.ts";

const PROJECT = "0123456789012345678901234567890123456789";
const BOTH: SyncWish = { pull: true, push: true, why: "test" };

/** A leaf's syncs of one repository, and another repository to sync with. */
class Two implements Disposable {
  readonly ours = new ScratchRepo({ projectCode: PROJECT });
  readonly theirs = new ScratchRepo({ projectCode: PROJECT });
  readonly repositories: HostedRepositories;
  readonly sync: LeafSync;

  constructor(manners = { unversioned: false, private: false }) {
    const { clock, path } = this.ours;
    this.theirs.repo.users.setCapabilities("nobody", "gioy");
    const deps = { clock, random: seededRandom(2n) };
    this.repositories = HostedRepositories.ofFile(path, inlineThreads(deps), clock);
    const hosted = this.repositories.at("/");
    this.sync = new LeafSync((input) => hosted.beginSync(input), manners, { clock, log: silentLogger });
  }

  /** The other repository, behind a wire that counts how often it is used and may be hindered. */
  peer(name = "them", onRequest?: (round: number) => void): SyncPeer {
    return peerOf(name, () => served(this.theirs.repo, onRequest).transport);
  }

  [Symbol.dispose](): void {
    void this.repositories.close();
    this.ours[Symbol.dispose]();
    this.theirs[Symbol.dispose]();
  }
}

const peerOf = (name: string, connect: () => Transport): SyncPeer => ({
  name,
  transport: "memory",
  connect: () => ({ transport: connect() }),
});

/** A peer that answers when it is let, and says how many wait for it. */
class Gate {
  waiting: (() => void)[] = [];
  connections = 0;

  peer(name: string, through?: Transport): SyncPeer {
    return peerOf(name, () => {
      this.connections++;
      return new MemoryTransport(name, async (message) => {
        await new Promise<void>((resolve) => this.waiting.push(resolve));
        return through === undefined ? utf8("") : (await through.exchange(message)).message;
      });
    });
  }

  async open(): Promise<void> {
    for (const resolve of this.waiting.splice(0)) resolve();
    await settle();
  }
}

/** Lets everything happen that waits for nothing but its turn. */
const settle = () => Bun.sleep(5);

describe("one sync", () => {
  test("fetches and sends, and counts both", async () => {
    using two = new Two();
    grow(two.theirs.repo, 1, 3);
    grow(two.ours.repo, 100, 2);
    two.sync.add(two.peer());
    const outcome = await two.sync.request("them", BOTH);
    expect(outcome.error).toBeUndefined();
    expect(holdings(two.ours.repo)).toEqual(holdings(two.theirs.repo));
    expect(outcome).toMatchObject({ peer: "them", why: "test", artifactsReceived: 9, wantedCount: 0 });
    expect(outcome.artifactsSent).toBe(6);
    expect(outcome.bytesSent).toBeGreaterThan(100);
    const { lastGood, lastFailed, totals, syncCount, isSyncing } = two.sync.peer("them")!;
    expect([lastGood, lastFailed, syncCount, isSyncing]).toEqual([outcome, undefined, 1, false]);
    expect(totals.artifactsReceived).toBe(9);
  });

  test("only one way when that is what is wished, and never against dont-push", async () => {
    using two = new Two();
    grow(two.theirs.repo, 1, 1);
    grow(two.ours.repo, 100, 1);
    two.sync.add(two.peer());
    const pull = await two.sync.request("them", { ...BOTH, push: false });
    expect([pull.artifactsSent, pull.artifactsReceived]).toEqual([0, 3]);
    two.ours.repo.config.set("dont-push", "1");
    const refused = await two.sync.request("them", BOTH);
    expect(refused.artifactsSent).toBe(0);
    const nothing = await two.sync.request("them", { ...BOTH, pull: false });
    expect([nothing.rounds, nothing.error]).toEqual([0, undefined]);
    two.ours.repo.config.set("dont-push", "0");
    expect((await two.sync.request("them", { ...BOTH, pull: false })).artifactsSent).toBe(3);
  });

  test("brings unversioned files where they are asked for", async () => {
    using two = new Two({ unversioned: true, private: false });
    const put = (repo: Repo, name: string) =>
      repo.db.write(() => {
        const batch = new ReceiveBatch(repo, { onWrong: "throw", user: "ann" });
        new Unversioned(repo).add(name, utf8(name), 1000, batch.rcvid);
        batch.finish();
      });
    put(two.theirs.repo, "theirs");
    put(two.ours.repo, "ours");
    two.sync.add(two.peer());
    const outcome = await two.sync.request("them", BOTH);
    expect(outcome).toMatchObject({ error: undefined, filesReceived: 1, filesSent: 1 });
    const names = (repo: Repo) => new Unversioned(repo).entries().map(({ name }) => name);
    expect(names(two.ours.repo)).toEqual(["ours", "theirs"]);
    expect(names(two.theirs.repo)).toEqual(["ours", "theirs"]);
  });

  test("private artifacts are not asked for over NATS, where nobody logs in; the rest comes", async () => {
    using two = new Two({ unversioned: false, private: true });
    two.theirs.repo.users.setCapabilities("nobody", "gio");
    grow(two.theirs.repo, 1, 1);
    let asked = "";
    const onServed = served(two.theirs.repo).transport;
    const transport: Transport = {
      peer: "them",
      carriesCookie: false,
      exchange(message, options) {
        asked += text(message);
        return onServed.exchange(message, options);
      },
      close: () => onServed.close(),
    };
    two.sync.add({ name: "them", transport: "nats", connect: () => ({ transport }) });
    const outcome = await two.sync.request("them", BOTH);
    expect(outcome.error).toBeUndefined();
    expect(outcome.artifactsReceived).toBeGreaterThan(0);
    expect(asked).not.toContain("send-private");
  });

  test("private artifacts only where they are asked for", async () => {
    for (const isPrivate of [false, true]) {
      using two = new Two({ unversioned: false, private: isPrivate });
      two.theirs.repo.users.setCapabilities("nobody", "giox");
      grow(two.theirs.repo, 1, 1);
      grow(two.theirs.repo, 2, 1, true);
      two.sync.add(two.peer());
      const outcome = await two.sync.request("them", BOTH);
      expect(outcome.error).toBeUndefined();
      const received = holdings(two.ours.repo);
      expect(received.some((line) => line.endsWith(" private"))).toBe(isPrivate);
    }
  });

  test("broken off in the middle, it keeps what came, and the next goes on", async () => {
    using two = new Two();
    grow(two.theirs.repo, 1, 120);
    let broken = true;
    two.sync.add(
      two.peer("them", (round) => {
        if (broken && round === 3) throw new Error("cut");
      }),
    );
    const first = await two.sync.request("them", BOTH);
    expect(first.error?.code).toBe("peer-failed");
    expect(first.artifactsReceived).toBeGreaterThan(0);
    expect(holdings(two.ours.repo).length).toBe(first.artifactsReceived);
    const state = two.sync.peer("them")!;
    expect([state.lastFailed, state.failuresInRow]).toEqual([first, 1]);
    broken = false;
    const second = await two.sync.request("them", BOTH);
    expect([second.error, state.failuresInRow]).toEqual([undefined, 0]);
    expect(first.artifactsReceived + second.artifactsReceived).toBe(holdings(two.theirs.repo).length);
    expect(holdings(two.ours.repo)).toEqual(holdings(two.theirs.repo));
  });

  test("a peer's refusal is the error, with what was done before it", async () => {
    using two = new Two();
    two.theirs.repo.users.setCapabilities("nobody", "");
    two.sync.add(two.peer());
    const outcome = await two.sync.request("them", BOTH);
    expect(outcome.error?.code).toBe("peer-error");
    expect(outcome.error?.message).toContain("not authorized");
    expect(outcome.rounds).toBe(1);
  });

  test("what hinders connecting is the error", async () => {
    using two = new Two();
    two.sync.add({
      name: "nowhere",
      transport: "memory",
      connect() {
        throw new Error("no wire");
      },
    });
    expect((await two.sync.request("nowhere", BOTH)).error?.message).toContain("no wire");
  });

  test("a repository that is replaced meanwhile gets nothing of it", async () => {
    using two = new Two();
    using other = new ScratchRepo({ projectCode: PROJECT });
    grow(two.theirs.repo, 1, 1);
    other.repo.close();
    let isReplaced = false;
    two.sync.add(
      two.peer("them", () => {
        if (!isReplaced) renameSync(other.path, two.ours.path);
        isReplaced = true;
      }),
    );
    expect((await two.sync.request("them", BOTH)).error?.code).toBe("repo-replaced");
    expect((await two.sync.request("them", BOTH)).error).toBeUndefined();
    other.repo = Repo.open(two.ours.path, { mode: "read", clock: systemClock, random: seededRandom(3n) });
    expect(holdings(other.repo)).toEqual(holdings(two.theirs.repo));
  });
});

describe("many requests", () => {
  test("what is asked for meanwhile becomes one sync that does it all", async () => {
    using two = new Two();
    const gate = new Gate();
    two.sync.add(gate.peer("them", served(two.theirs.repo).transport));
    const first = two.sync.request("them", { pull: true, push: false, why: "first" });
    await settle();
    grow(two.ours.repo, 1, 1);
    const later = Array.from({ length: 100 }, (_, i) =>
      two.sync.request("them", {
        pull: i % 2 === 0,
        push: i % 2 === 1,
        why: i % 2 === 0 ? "news" : "commit",
      }),
    );
    expect(gate.connections).toBe(1);
    while (gate.waiting.length > 0) await gate.open();
    const outcomes = await Promise.all(later);
    expect(gate.connections).toBe(2);
    expect(new Set(outcomes).size).toBe(1);
    expect(await first).toMatchObject({ why: "first", artifactsSent: 0 });
    expect(outcomes[0]).toMatchObject({ why: "news,commit", artifactsSent: 3 });
  });

  test("a few peers at a time; a stop ends those under way and those that wait", async () => {
    using two = new Two();
    const gate = new Gate();
    const names = Array.from({ length: SYNC_CONCURRENT_MAX_COUNT + 2 }, (_, i) => `peer ${i}`);
    for (const name of names) two.sync.add(gate.peer(name));
    const all = two.sync.requestAll(BOTH);
    await settle();
    expect(gate.waiting.length).toBe(SYNC_CONCURRENT_MAX_COUNT);
    expect(two.sync.peers.filter(({ isSyncing }) => isSyncing).length).toBe(SYNC_CONCURRENT_MAX_COUNT);
    await two.sync.stop();
    expect((await all).map(({ error }) => error?.code)).toEqual(names.map(() => "leaf-stopping"));
    expect((await two.sync.request(names[0]!, BOTH)).error?.code).toBe("leaf-stopping");
    expect(gate.connections).toBe(SYNC_CONCURRENT_MAX_COUNT);
  });

  test("a peer that hangs does not hold up another", async () => {
    using two = new Two();
    const gate = new Gate();
    two.sync.add(gate.peer("hangs"));
    two.sync.add(two.peer());
    void two.sync.request("hangs", BOTH);
    expect((await two.sync.request("them", BOTH)).error).toBeUndefined();
    await two.sync.stop();
  });

  test("an unknown peer is a mistake of the caller", () => {
    using two = new Two();
    two.sync.add(two.peer());
    two.sync.remove("them");
    expect(() => two.sync.request("them", BOTH)).toThrow("no peer");
  });
});

/** A clock whose sleepers wake when told to. Time stands still. */
class Sleepers implements Clock {
  readonly delays: number[] = [];
  private wakers: (() => void)[] = [];
  readonly now = () => 0;
  readonly monotonic = () => 0;
  readonly after = () => ({ cancel() {} });

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    this.delays.push(delayMs);
    return new Promise((resolve, reject) => {
      this.wakers.push(resolve);
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  }

  async wake(): Promise<void> {
    for (const waker of this.wakers.splice(0)) waker();
    await settle();
  }
}

describe("polling", () => {
  const INTERVAL_MS = 60_000;

  test("at once, then about every interval, less and less often while it fails", async () => {
    using two = new Two();
    const clock = new Sleepers();
    let fails = false;
    const peer = two.peer("them", () => {
      if (fails) throw new Error("down");
    });
    two.sync.add(peer);
    const options = { intervalMs: INTERVAL_MS, pull: true, push: true };
    const poll = new LeafPoll(two.sync, options, { clock, random: seededRandom(4n) });
    poll.add("them");
    poll.add("them");
    await settle();
    for (let i = 0; i < 9; i++) await clock.wake();
    expect(two.sync.peer("them")!.syncCount).toBe(10);
    expect(Math.min(...clock.delays)).toBeGreaterThanOrEqual(INTERVAL_MS * 0.75);
    expect(Math.max(...clock.delays)).toBeLessThan(INTERVAL_MS * 1.25);
    expect(Math.max(...clock.delays) - Math.min(...clock.delays)).toBeGreaterThan(INTERVAL_MS / 10);
    fails = true;
    clock.delays.length = 0;
    for (let i = 0; i < 12; i++) await clock.wake();
    for (const [i, delay] of clock.delays.entries()) {
      const whole = Math.min(SYNC_RETRY_MIN_MS * 2 ** i, SYNC_RETRY_MAX_MS);
      expect(delay).toBeGreaterThanOrEqual(whole / 2);
      expect(delay).toBeLessThanOrEqual(whole);
    }
    fails = false;
    await clock.wake();
    expect(clock.delays.at(-1)).toBeGreaterThanOrEqual(INTERVAL_MS * 0.75);
    poll.stop();
    const { syncCount } = two.sync.peer("them")!;
    await clock.wake();
    expect(two.sync.peer("them")!.syncCount).toBe(syncCount);
  });

  test("a removed peer is not polled any more", async () => {
    using two = new Two();
    const clock = new Sleepers();
    two.sync.add(two.peer());
    const options = { intervalMs: INTERVAL_MS, pull: true, push: true };
    const poll = new LeafPoll(two.sync, options, { clock, random: seededRandom(5n) });
    poll.add("them");
    await settle();
    poll.remove("them");
    await clock.wake();
    expect(two.sync.peer("them")!.syncCount).toBe(1);
  });
});
