import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { type Bytes, text, utf8 } from "../src/bytes.ts";
import { systemClock, type Timer } from "../src/clock.ts";
import { inlineExecutor } from "../src/executor.ts";
import type { Hash } from "../src/hash.ts";
import { ClonePages, type HandedReply } from "../src/leaf-clone-pages.ts";
import { createLeafJobs, type ServeInput } from "../src/leaf-jobs.ts";
import { CLONE_PAGE_MAX_AGE_MS } from "../src/limits.ts";
import { seededRandom } from "../src/random.ts";
import { shun } from "../src/repo-shun.ts";
import { serveMessage } from "../src/sync-server.ts";
import { CONTENT_TYPES } from "../src/xfer-message.ts";
import { ScratchRepo, StandingClock } from "./scratch-repo.ts";

const PAGE_BYTES = 300_000;
const VERSION = "pragma client-version 22900 20260821 165942\n";

/** Time that passes when told to, and timers that go off by hand. */
class HandClock extends StandingClock {
  passed = 10_000;
  private readonly timers = new Set<() => void>();
  override readonly monotonic = () => this.passed;
  override readonly after = (_delayMs: number, callback: () => void): Timer => {
    this.timers.add(callback);
    return { cancel: () => this.timers.delete(callback) };
  };

  ring(): void {
    const due = [...this.timers];
    this.timers.clear();
    for (const callback of due) callback();
  }
}

/** Bytes that do not compress (xorshift). */
function noise(seed: number): Uint8Array {
  const words = new Uint32Array(PAGE_BYTES / 4);
  let word = seed;
  for (let i = 0; i < words.length; i++) {
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    words[i] = word;
  }
  return new Uint8Array(words.buffer);
}

class Stage implements Disposable {
  readonly scratch = new ScratchRepo();
  readonly clock = new HandClock();
  readonly hashes: Hash[] = [];
  /** What the readers were asked for. */
  readonly asked: string[] = [];
  readonly pages: ClonePages;
  private readonly jobs: ReturnType<typeof createLeafJobs>;

  constructor() {
    const { repo } = this.scratch;
    repo.config.set("max-download", String(PAGE_BYTES));
    for (let i = 0; i < 6; i++) {
      const content = noise(i + 1);
      this.hashes.push(repo.content.nameOf(content));
      repo.content.put(content, { rcvid: 0, isPrivate: false });
    }
    repo.db.checkpoint();
    this.jobs = createLeafJobs({ clock: systemClock, random: seededRandom(7n) });
    const serve = (input: ServeInput) => {
      this.asked.push(/clone 3 \d+/.exec(text(input.body))![0]);
      return this.jobs.serve(input);
    };
    this.pages = new ClonePages(inlineExecutor({ ...this.jobs, serve }), this.clock);
  }

  ask(sequence: number, changes: Partial<ServeInput> = {}): Promise<HandedReply | undefined> {
    return this.pages.serve({
      path: this.scratch.path,
      contentType: CONTENT_TYPES.raw,
      cookie: undefined,
      address: "192.0.2.1",
      arrivedAt: systemClock.now(),
      body: utf8(`${VERSION}clone 3 ${sequence}\n# ${"0".repeat(40)}\n`),
      ...changes,
    });
  }

  /** The page as it is without any of this. */
  plain(sequence: number): { readonly message: Bytes; readonly next: number } {
    const { message, facts } = serveMessage(this.scratch.repo, utf8(`${VERSION}clone 3 ${sequence}\n`), {
      address: "",
      cookie: undefined,
    });
    return { message, next: facts.nextPage! };
  }

  [Symbol.dispose](): void {
    this.pages.close();
    this.jobs.close();
    this.scratch[Symbol.dispose]();
  }
}

/** Jobs run in microtasks here. */
const settle = () => Bun.sleep(0);

function bodyOf({ body }: HandedReply): Uint8Array {
  return body instanceof Uint8Array ? body : readFileSync(`/proc/self/fd/${body.fd}`);
}

function openReplies(): number {
  const links = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return "";
    }
  });
  return links.filter((link) => link.includes("edgesync-reply-")).length;
}

const withoutTime = (message: Uint8Array) =>
  Buffer.from(message)
    .toString("latin1")
    .replace(/# timestamp \S+/, "");

describe.skipIf(process.platform !== "linux")("pages of clones", () => {
  test("are those of the server, made before they are asked for, from the third on", async () => {
    using stage = new Stage();
    const before = openReplies();
    let sequence = 1;
    for (let round = 1; sequence !== 0; round++) {
      const { message, next } = stage.plain(sequence);
      const countBefore = stage.asked.length;
      const reply = (await stage.ask(sequence))!;
      expect(withoutTime(bodyOf(reply))).toBe(withoutTime(message));
      expect(reply.facts).toMatchObject({ operation: "clone", errors: 0, nextPage: next });
      expect(reply.contentType).toBe(CONTENT_TYPES.raw);
      const isAhead = round > 2;
      expect(stage.asked.slice(0, countBefore).includes(`clone 3 ${sequence}`)).toBe(isAhead);
      await settle();
      reply.release();
      sequence = next;
    }
    expect(new Set(stage.asked).size).toBe(stage.asked.length);
    expect(stage.asked.length).toBeGreaterThan(4);
    stage.pages.close();
    expect(openReplies()).toBe(before);
  });

  test("are made once for clients that clone at the same time", async () => {
    using stage = new Stage();
    const replies = await Promise.all([stage.ask(1), stage.ask(1), stage.ask(1)]);
    expect(stage.asked).toEqual(["clone 3 1"]);
    replies[0]!.release();
    replies[1]!.release();
    expect(withoutTime(bodyOf(replies[2]!))).toBe(withoutTime(stage.plain(1).message));
    replies[2]!.release();
  });

  test("are not handed out once the repository has changed", async () => {
    using stage = new Stage();
    const { next: second } = stage.plain(1);
    const { next: third, message } = stage.plain(second);
    (await stage.ask(second))!.release();
    await settle();
    expect(stage.asked).toContain(`clone 3 ${third}`);
    const [hash] = stage.hashes.filter((one) => withoutTime(stage.plain(third).message).includes(one));
    expect(withoutTime(message)).not.toContain(hash!);
    shun(stage.scratch.repo, hash!);
    const reply = (await stage.ask(third))!;
    expect(withoutTime(bodyOf(reply))).not.toContain(hash!);
    reply.release();
    // Nor is the next one made ahead soon after.
    await settle();
    const count = stage.asked.length;
    expect(stage.asked.at(-1)).toBe(`clone 3 ${third}`);
    stage.clock.passed += 1_001;
    (await stage.ask(third))!.release();
    await settle();
    expect(stage.asked.length).toBe(count + 1);
  });

  test("are not kept for long", async () => {
    using stage = new Stage();
    const before = openReplies();
    (await stage.ask(1))!.release();
    expect(openReplies()).toBe(before + 1);
    stage.clock.passed += CLONE_PAGE_MAX_AGE_MS + 1;
    stage.clock.ring();
    expect(openReplies()).toBe(before);
  });

  test("are for strangers who ask for nothing else", async () => {
    using stage = new Stage();
    const login = `login ann ${"0".repeat(40)} ${"0".repeat(40)}\n`;
    expect(await stage.ask(1, { cookie: "x-f-l-c=login+ann" })).toBeUndefined();
    for (const message of [
      `${login}${VERSION}clone 3 1\n`,
      `${VERSION}clone 3 1\nreqconfig /all\n`,
      `pragma send-private\n${VERSION}clone 3 1\n`,
      `${VERSION}clone\n`,
      "clone 3 1\n",
    ]) {
      expect(await stage.ask(1, { body: utf8(message) })).toBeUndefined();
    }
    expect(stage.asked).toEqual([]);
  });

  test("are not made for whoever may not clone", async () => {
    using stage = new Stage();
    stage.scratch.repo.users.setCapabilities("nobody", "");
    stage.scratch.repo.users.setCapabilities("anonymous", "");
    expect(await stage.ask(1)).toBeUndefined();
  });
});
