/** From a commit on a file to word of it: noticing, reading what is new, telling it not too often. */
import { describe, expect, test } from "bun:test";
import { copyFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { utf8 } from "../src/bytes.ts";
import { type Clock, systemClock } from "../src/clock.ts";
import { LeafNews } from "../src/leaf-news.ts";
import { LeafWatch, type WatchFolder } from "../src/leaf-watch.ts";
import {
  ANNOUNCED_ARTIFACT_MAX_COUNT,
  NEWS_NOTE_MS,
  NEWS_PAUSE_MAX_MS,
  NEWS_PAUSE_MIN_MS,
  NEWS_SINGLE_MS,
  WATCH_BURST_MS,
  WATCH_POLL_MS,
} from "../src/limits.ts";
import { createLogger, silentLogger } from "../src/log.ts";
import { seededRandom } from "../src/random.ts";
import { Repo } from "../src/repo.ts";
import { type CheckInResult, commit } from "../src/repo-checkin.ts";
import type { Rid } from "../src/repo-content.ts";
import { loadWatermark, type News, NewsReader, ownPeerId, saveWatermark } from "../src/repo-news.ts";
import { receiveAll } from "../src/repo-receive.ts";
import { until } from "./interop/nats-server.ts";
import { ScratchRepo } from "./scratch-repo.ts";

const deps = { clock: systemClock, random: seededRandom(3n), log: silentLogger };

let time = 0;
function checkIn({ repo, clock }: ScratchRepo, edits = 1): CheckInResult {
  clock.time += 5000;
  const files = Array.from({ length: edits }, (_, i) => ({ name: `f${i}`, content: utf8(`${++time}`) }));
  return commit(repo, { edits: files, comment: "c", user: "ann" });
}

/** Time that stands still until it is moved. */
class Hand implements Clock {
  private at = 1000;
  private timers: { readonly due: number; readonly run: () => void }[] = [];
  readonly sleep = systemClock.sleep;
  readonly now = () => this.at;
  readonly monotonic = () => this.at;

  after(delayMs: number, run: () => void) {
    const timer = { due: this.at + delayMs, run };
    this.timers.push(timer);
    return {
      cancel: () => {
        this.timers = this.timers.filter((other) => other !== timer);
      },
    };
  }

  move(ms: number): void {
    const end = this.at + ms;
    for (;;) {
      const next = this.timers.filter(({ due }) => due <= end).sort((a, b) => a.due - b.due)[0];
      if (next === undefined) break;
      this.timers = this.timers.filter((timer) => timer !== next);
      this.at = next.due;
      next.run();
    }
    this.at = end;
  }
}

describe("what is new", () => {
  test("check-ins with their files, newest first, once", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    checkIn(scratch);
    const reader = new NewsReader(undefined);
    expect(reader.read(repo)).toBeUndefined();
    const one = checkIn(scratch, 2);
    const two = checkIn(scratch);
    const news = reader.read(repo)!;
    expect(news.count).toBe(2);
    expect(news.items.map(({ rid, isTip, source }) => [rid, isTip, source])).toEqual([
      [two.rid, true, ""],
      [one.rid, false, ""],
    ]);
    expect(news.items[0]!.hash).toBe(two.hash);
    expect(news.artifacts).toHaveLength(5);
    expect(news.artifacts).toContain(one.hash);
    expect(reader.read(repo)).toBeUndefined();
  });

  test("no files alone, nothing private, no more names than an announcement takes", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    const reader = new NewsReader(undefined);
    reader.read(repo);
    receiveAll(repo, { onWrong: "throw" }, (batch) => batch.add(utf8("a file")));
    expect(reader.read(repo)).toBeUndefined();
    checkIn(scratch, ANNOUNCED_ARTIFACT_MAX_COUNT - 1);
    expect(reader.read(repo)!.artifacts).toHaveLength(ANNOUNCED_ARTIFACT_MAX_COUNT);
    checkIn(scratch, ANNOUNCED_ARTIFACT_MAX_COUNT);
    expect(reader.read(repo)!.artifacts).toEqual([]);
    scratch.clock.time += 5000;
    commit(repo, { edits: [{ name: "p", content: utf8("p") }], comment: "c", user: "ann", isPrivate: true });
    expect(reader.read(repo)).toBeUndefined();
  });

  test("content that comes for a phantom, and where it came from", () => {
    using source = new ScratchRepo();
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    const made = checkIn(source);
    const content = (rid: Rid) => source.repo.content.get(rid)!;
    const reader = new NewsReader(undefined);
    reader.read(repo);
    receiveAll(repo, { onWrong: "throw", ipaddr: "nats:peer" }, (batch) =>
      batch.receive({ hash: made.hash, content: content(made.rid) }),
    );
    expect(reader.read(repo)!.items[0]).toMatchObject({ hash: made.hash, source: "nats:peer" });
    const file = source.repo.db.prepare("SELECT min(rid) FROM blob").value<Rid>()!;
    const hash = source.repo.content.hashOf(file);
    receiveAll(repo, { onWrong: "throw", ipaddr: "nats:other" }, (batch) =>
      batch.receive({ hash, content: content(file) }),
    );
    const filled = reader.read(repo)!;
    expect(filled.items).toMatchObject([{ hash, source: "nats:other", isTip: false }]);
    expect(filled.artifacts).toEqual([hash]);
  });

  test("the watermark and the id of the peer are kept in the file", () => {
    using scratch = new ScratchRepo();
    expect(loadWatermark(scratch.repo)).toBeUndefined();
    const id = ownPeerId(scratch.repo, scratch.random);
    const { rid } = checkIn(scratch);
    saveWatermark(scratch.repo, (rid - 1) as Rid);
    const repo = scratch.reopen();
    expect(ownPeerId(repo, scratch.random)).toBe(id);
    const reader = new NewsReader(loadWatermark(repo));
    expect(reader.read(repo)!.items.map((item) => item.rid)).toEqual([rid]);
    expect(repo.content.hashOf(rid)).toHaveLength(64);
    // Content may have been shunned since.
    expect(new NewsReader(1_000_000 as Rid).read(repo)).toBeUndefined();
  });
});

describe("noticing", () => {
  test("commits of other connections, and of other processes", async () => {
    using scratch = new ScratchRepo();
    let seen = 0;
    const watch = new LeafWatch({ path: scratch.path, onCommit: () => seen++ }, deps);
    watch.start();
    expect(seen).toBe(1);
    checkIn(scratch);
    await until(() => seen >= 2, "the commit of another connection");
    await Bun.sleep(30);
    const before = seen;
    await Bun.sleep(60);
    expect(seen).toBe(before);
    const script = `const { Database } = require("bun:sqlite"); const db = new Database(process.argv[1]);
      db.run("CREATE TABLE fx_test(a)"); db.close();`;
    await Bun.spawn([process.execPath, "-e", script, scratch.path]).exited;
    await until(() => seen > before, "the commit of another process");
    watch.stop();
  });

  test("an event comes before its commit can be seen, or not at all", () => {
    using scratch = new ScratchRepo();
    const clock = new Hand();
    let event: (name: string | null) => void = () => {};
    const watchFolder: WatchFolder = (_, onEvent) => {
      event = onEvent;
      return () => {};
    };
    let seen = 0;
    const options = { path: scratch.path, onCommit: () => seen++ };
    const watch = new LeafWatch(options, { ...deps, clock, watchFolder });
    watch.start();
    event("x.fossil-wal");
    clock.move(3);
    expect(seen).toBe(1);
    checkIn(scratch);
    clock.move(2);
    expect(seen).toBe(2);
    checkIn(scratch);
    clock.move(WATCH_BURST_MS);
    expect(seen).toBe(3);
    checkIn(scratch);
    event("another file");
    clock.move(1);
    expect(seen).toBe(3);
    clock.move(WATCH_POLL_MS);
    expect(seen).toBe(4);
    checkIn(scratch);
    watch.look();
    expect(seen).toBe(5);
    watch.stop();
    checkIn(scratch);
    clock.move(WATCH_POLL_MS);
    expect(seen).toBe(5);
  });

  test("a system without watches, a file that is locked, replaced, or gone", () => {
    using scratch = new ScratchRepo();
    const clock = new Hand();
    const watchFolder: WatchFolder = () => {
      throw new Error("no space left on device");
    };
    const seen: [boolean, number][] = [];
    const onCommit = (repo: Repo, isReplaced: boolean) =>
      void seen.push([isReplaced, repo.db.prepare("SELECT count(*) FROM event").value<number>()!]);
    checkIn(scratch);
    const watch = new LeafWatch({ path: scratch.path, onCommit }, { ...deps, clock, watchFolder });
    watch.start();
    expect(seen).toEqual([[false, 1]]);
    using other = new ScratchRepo();
    checkIn(other);
    checkIn(other);
    other.repo.close();
    const copy = scratch.folder.join("copy");
    copyFileSync(other.path, copy);
    renameSync(copy, scratch.path);
    scratch.repo.close();
    for (const suffix of ["-wal", "-shm"]) rmSync(scratch.path + suffix, { force: true });
    clock.move(WATCH_POLL_MS);
    expect(seen).toEqual([
      [false, 1],
      [true, 2],
    ]);
    renameSync(scratch.path, copy);
    clock.move(WATCH_POLL_MS);
    renameSync(copy, scratch.path);
    const again = Repo.open(scratch.path, { mode: "write", ...deps });
    again.db.exec("CREATE TABLE fx_test(a)");
    clock.move(WATCH_POLL_MS);
    expect(seen.at(-1)).toEqual([false, 2]);
    watch.stop();
    again.close();
    scratch.reopen();
    other.reopen();
  });

  test("a file that is made anew while it is watched is told of once, when it is a repository", () => {
    using scratch = new ScratchRepo();
    const clock = new Hand();
    let event: (name: string | null) => void = () => {};
    const watchFolder: WatchFolder = (_, onEvent) => {
      event = onEvent;
      return () => {};
    };
    const lines: string[] = [];
    const log = createLogger("info", (_, message) => void lines.push(message));
    const watch = new LeafWatch(
      { path: scratch.path, onCommit: () => {} },
      { ...deps, clock, log, watchFolder },
    );
    watch.start();
    const copy = scratch.folder.join("copy");
    scratch.repo.close();
    renameSync(scratch.path, copy);
    writeFileSync(scratch.path, "");
    event("x.fossil");
    clock.move(WATCH_BURST_MS + WATCH_POLL_MS);
    expect(lines).toEqual([]);
    renameSync(copy, scratch.path);
    event("x.fossil");
    clock.move(WATCH_BURST_MS + WATCH_POLL_MS);
    expect(lines).toEqual(["the repository file was replaced; the new one is open"]);
    watch.stop();
    scratch.reopen();
  });
});

describe("telling", () => {
  class Teller implements Disposable {
    readonly scratch = new ScratchRepo();
    readonly clock = new Hand();
    readonly told: News[] = [];
    readonly noted: number[] = [];
    readonly news: LeafNews;

    constructor() {
      this.news = new LeafNews(
        { tell: (news) => void this.told.push(news), note: async (rid) => void this.noted.push(rid) },
        { clock: this.clock, log: silentLogger },
      );
      this.news.onCommit(this.scratch.repo, false);
    }

    commit(): CheckInResult {
      const made = checkIn(this.scratch);
      this.news.onCommit(this.scratch.repo, false);
      return made;
    }

    [Symbol.dispose](): void {
      this.scratch[Symbol.dispose]();
    }
  }

  test("ten a second: each at once", () => {
    using teller = new Teller();
    for (let i = 1; i <= 20; i++) {
      teller.clock.move(100);
      teller.commit();
      expect(teller.told).toHaveLength(i);
    }
  });

  test("a burst: the first at once, the last soon, few in between", () => {
    using teller = new Teller();
    let last: CheckInResult | undefined;
    for (let i = 0; i < 250; i++) {
      teller.clock.move(8);
      last = teller.commit();
      if (i === 0) expect(teller.told).toHaveLength(1);
    }
    teller.clock.move(NEWS_SINGLE_MS);
    expect(teller.told.at(-1)!.items[0]!.rid).toBe(last!.rid);
    expect(teller.told.length).toBeLessThan(10);
    expect(teller.told.reduce((sum, { count }) => sum + count, 0)).toBe(250);
    teller.clock.move(NEWS_PAUSE_MAX_MS);
    const before = teller.told.length;
    teller.commit();
    expect(teller.told).toHaveLength(before + 1);
  });

  test("twenty a second for long: seldom", () => {
    using teller = new Teller();
    for (let i = 0; i < 150; i++) {
      teller.clock.move(50);
      teller.commit();
    }
    expect(teller.told.length).toBeLessThan(7 + (150 * 50) / NEWS_PAUSE_MAX_MS);
  });

  test("what was told is noted, and told again only if it was not", async () => {
    using teller = new Teller();
    const { rid } = teller.commit();
    teller.clock.move(NEWS_PAUSE_MIN_MS);
    expect(teller.noted).toEqual([]);
    teller.clock.move(NEWS_NOTE_MS);
    expect(teller.noted).toEqual([rid]);
    const later = teller.commit();
    await teller.news.stop();
    expect(teller.noted).toEqual([rid, later.rid]);
  });
});
