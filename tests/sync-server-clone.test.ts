import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { text, utf8 } from "../src/bytes.ts";
import { applyDelta } from "../src/delta-decode.ts";
import { createDelta } from "../src/delta-encode.ts";
import { type Hash, hashMatches } from "../src/hash.ts";
import { ARTIFACT_MAX_BYTES } from "../src/limits.ts";
import { seededRandom } from "../src/random.ts";
import type { Repo } from "../src/repo.ts";
import type { CfileCard, FileCard } from "../src/xfer-card.ts";
import { CardReader } from "../src/xfer-parse.ts";
import { unpackBlob } from "../src/zlib.ts";
import { ScratchRepo } from "./scratch-repo.ts";
import { ask, exchange, hex, type Login, ridOf, store, VERSION_LINE } from "./sync-exchange.ts";

const PRIVATE: Login = { user: "eve", password: "pw" };
const SERVER_LINE = "pragma server-version 22900 20260821 165942\n";

let scratch: ScratchRepo;
let repo: Repo;

beforeEach(() => {
  scratch?.[Symbol.dispose]();
  scratch = new ScratchRepo();
  repo = scratch.repo;
  repo.users.add("eve", { password: "pw", capabilities: "ix" });
});
afterAll(() => scratch[Symbol.dispose]());

const pushReply = () => `push ${repo.config.get("server-code")} ${repo.config.projectCode}\n`;

interface Received {
  readonly card: CfileCard | FileCard;
  readonly isPrivate: boolean;
}

/** Asks for pages until there are none left, and returns the cards of each. */
function pages(
  options: { protocol?: 2 | 3; before?: string; login?: Login; between?: (page: number) => void } = {},
) {
  const { protocol = 3, before = "", login, between } = options;
  const received: Received[][] = [];
  for (let sequence = 1; sequence !== 0; ) {
    if (received.length > 1000) throw new Error("the clone does not end");
    if (received.length > 0) between?.(received.length);
    const reply = exchange(repo, [before, VERSION_LINE, `clone ${protocol} ${sequence}\n`], login);
    expect(reply.isRaw).toBe(protocol === 3);
    const page: Received[] = [];
    let isPrivate = false;
    sequence = 0;
    for (const card of new CardReader(reply.message, "server")) {
      if (card.type === "cfile" || card.type === "file") {
        page.push({ card, isPrivate });
        isPrivate = false;
      } else if (card.type === "private") isPrivate = true;
      else if (card.type === "clone_seqno") sequence = card.sequence;
      else if (card.type === "unknown" || card.type === "error") throw new Error(JSON.stringify(card));
    }
    received.push(page);
  }
  return received;
}

/** Expands what a clone received, checking every hash; throws when a delta's source is missing. */
function expandAll(received: readonly Received[]): Map<Hash, string> {
  const cards = new Map(received.map(({ card }) => [card.hash, card]));
  expect(cards.size).toBe(received.length);
  const expanded = new Map<Hash, Uint8Array>();
  const expand = (hash: Hash): Uint8Array => {
    const known = expanded.get(hash);
    if (known !== undefined) return known;
    const card = cards.get(hash);
    if (card === undefined) throw new Error(`${hash} is missing`);
    const bytes = card.type === "cfile" ? unpackBlob(card.content, ARTIFACT_MAX_BYTES) : card.content;
    const content = card.source === undefined ? bytes : applyDelta(expand(card.source), bytes);
    if (card.type === "cfile") expect(card.size).toBe(content.length);
    expect(hashMatches(content, hash)).toBe(true);
    expanded.set(hash, content);
    return content;
  };
  return new Map([...cards.keys()].map((hash) => [hash, text(expand(hash))]));
}

const noise = seededRandom(9n);
const random = (length: number) => Buffer.from(noise.bytes(length)).toString("base64");

test("one page: stored blobs verbatim, then what is next, then which project", () => {
  const old = "a text that is long enough to be worth a delta ".repeat(10);
  const [a, b] = [store(repo, old), store(repo, `${old}!`)];
  repo.content.deltify(ridOf(repo, a), [ridOf(repo, b)]);
  const [storedA, storedB] = [a, b].map((hash) => repo.content.stored(ridOf(repo, hash))!);
  expect(storedA!.source).toBe(ridOf(repo, b));
  const reply = exchange(repo, [VERSION_LINE, "clone 3 1\n"]);
  const cards = [...new CardReader(reply.message, "server")];
  expect(cards.slice(0, -1) as unknown[]).toEqual([
    { type: "pragma server-version", version: 22900, date: 20260821, time: 165942 },
    {
      type: "cfile",
      hash: a,
      source: b,
      size: old.length,
      storedSize: storedA!.bytes.length,
      content: storedA!.bytes,
    },
    {
      type: "cfile",
      hash: b,
      size: old.length + 1,
      storedSize: storedB!.bytes.length,
      content: storedB!.bytes,
    },
    { type: "clone_seqno", sequence: 0 },
    { type: "push", serverCode: repo.config.get("server-code")!, projectCode: repo.config.projectCode! },
  ]);
  expect(reply.facts).toMatchObject({ operation: "clone", artifactsSent: 2 });
});

test("an empty repository", () => {
  expect(ask(repo, ["clone 3 1\n"])).toBe(`clone_seqno 0\n${pushReply()}# errors 0\n`);
});

test("no right to clone: the client learns the project's code and is refused", () => {
  store(repo, "x");
  repo.users.setCapabilities("nobody", "jo");
  expect(ask(repo, [VERSION_LINE, "clone 3 1\n"])).toBe(
    `${pushReply()}error not\\sauthorized\\sto\\sclone\n# errors 1\n`,
  );
  repo.users.setCapabilities("eve", "g");
  expect(ask(repo, [VERSION_LINE, "clone 3 1\n"], PRIVATE)).toContain("clone_seqno 0\n");
});

describe("pages", () => {
  test.each([2, 3] as const)("protocol %d: all of them make the repository", (protocol) => {
    const hashes = Array.from({ length: 40 }, (_, i) => store(repo, `${i} ${random(300)}`));
    repo.config.set("max-download", "2000");
    const received = pages({ protocol });
    expect(received.length).toBeGreaterThan(3);
    expect([...expandAll(received.flat()).keys()].sort()).toEqual(hashes.toSorted());
  });

  test("a page ends once its budget is used up, and has one artifact at least", () => {
    for (let i = 0; i < 3; i++) store(repo, random(300));
    repo.config.set("max-download", "1");
    expect(pages().map((page) => page.length)).toEqual([1, 1, 1]);
    repo.config.set("max-download", "5000000");
    expect(pages().map((page) => page.length)).toEqual([3]);
  });

  test("a page ends once its time is used up", () => {
    for (let i = 0; i < 3; i++) store(repo, random(300));
    let now = 0;
    const clock = { ...scratch.clock, now: () => scratch.clock.now(), monotonic: () => (now += 15_000) };
    Object.defineProperty(repo, "clock", { value: clock });
    repo.config.set("max-download-time", "30");
    expect(pages().map((page) => page.length)).toEqual([2, 1]);
  });

  test("the clone ends while others push faster than it reads, with the snapshot of its start", () => {
    const hashes = Array.from({ length: 20 }, (_, i) => store(repo, `${i} ${random(300)}`));
    repo.config.set("max-download", "1000");
    const received = pages({ between: () => Array.from({ length: 10 }, () => store(repo, random(300))) });
    expect([...expandAll(received.flat()).keys()].sort()).toEqual(hashes.toSorted());
  });

  test("what has become a delta of something newer meanwhile is sent whole", () => {
    const texts = Array.from({ length: 8 }, (_, i) => `${i} ${random(1500)}`);
    const hashes = texts.map((content) => store(repo, content));
    repo.config.set("max-download", "1000");
    const between = (page: number) => {
      if (page !== 1) return;
      for (const [i, hash] of hashes.entries()) {
        const newer = store(repo, `${texts[i]} changed`);
        expect(repo.content.deltify(ridOf(repo, hash), [ridOf(repo, newer)])).toBe(true);
      }
    };
    const expanded = expandAll(pages({ between }).flat());
    expect([...expanded.keys()].sort()).toEqual(hashes.toSorted());
    expect([...expanded.values()].sort()).toEqual(texts.toSorted());
  });

  test("a repository of more rids than a cursor counts one by one", () => {
    const hashes = Array.from({ length: 40 }, (_, i) => store(repo, `${i} ${random(300)}`));
    // Rids far apart: units are 4 rids, and a page ends with a multiple of them.
    repo.db.exec("UPDATE blob SET rid=rid*500; DELETE FROM unclustered;");
    repo = scratch.reopen();
    repo.config.set("max-download", "2000");
    const received = pages({ between: () => store(repo, random(300)) });
    expect(received.length).toBeGreaterThan(3);
    expect([...expandAll(received.flat()).keys()].sort()).toEqual(hashes.toSorted());
  });

  test("a plain rid is where stock would start", () => {
    const hashes = ["a", "b", "c"].map((content) => store(repo, content));
    const reply = ask(repo, [VERSION_LINE, "clone 3 3\n"]);
    expect(reply).toStartWith(`${SERVER_LINE}cfile ${hashes[2]} `);
    expect(reply.match(/^cfile/gm)).toHaveLength(1);
    expect(ask(repo, ["clone 3 99\n"])).toContain("clone_seqno 0\n");
    expect(ask(repo, ["clone 3 2147483647\n"])).toContain("clone_seqno 0\n");
  });
});

describe("what is left out", () => {
  test("phantoms and shunned artifacts", () => {
    const [a, b] = [store(repo, "a"), store(repo, "b")];
    repo.content.ridOrPhantom(hex("c"), false);
    repo.db.prepare("INSERT INTO shun(uuid) VALUES(?)").run(b);
    expect([...expandAll(pages().flat()).keys()]).toEqual([a]);
  });

  test("private artifacts, except for who wants and may have them", () => {
    const [open, hidden] = [store(repo, "open"), store(repo, "hidden", true)];
    const before = "pragma send-private\n";
    expect([...expandAll(pages().flat()).keys()]).toEqual([open]);
    expect([...expandAll(pages({ login: PRIVATE }).flat()).keys()]).toEqual([open]);
    const received = pages({ before, login: PRIVATE }).flat();
    expect(received.map(({ card, isPrivate }) => [card.hash, isPrivate])).toEqual([
      [open, false],
      [hidden, true],
    ]);
    expect(ask(repo, [before, VERSION_LINE, "clone 3 1\n"])).toStartWith(
      `error not\\sauthorized\\sto\\ssync\\sprivate\\scontent\n${SERVER_LINE}cfile ${open}`,
    );
  });

  test("a delta of something left out is sent whole", () => {
    const old = "a text that is long enough to be worth a delta ".repeat(10);
    const cases = ["private", "shunned"] as const;
    const targets = cases.map((why) => {
      const [source, target] = [store(repo, `${why} ${old}!`), store(repo, `${why} ${old}`)];
      const rid = ridOf(repo, source);
      expect(repo.content.deltify(ridOf(repo, target), [rid])).toBe(true);
      if (why === "shunned") repo.db.prepare("INSERT INTO shun(uuid) VALUES(?)").run(source);
      // As an older program may have left it.
      else repo.db.prepare("INSERT INTO private(rid) VALUES(?)").run(rid);
      return target;
    });
    for (const protocol of [2, 3] as const) {
      expect([...expandAll(pages({ protocol }).flat()).keys()]).toEqual(targets);
    }
  });
});

describe("older forms", () => {
  test("clone without pages announces everything, then serves what is asked for as it is stored", () => {
    const old = "a text that is long enough to be worth a delta ".repeat(10);
    const [a, b] = [store(repo, old), store(repo, `${old}!`)];
    repo.content.deltify(ridOf(repo, a), [ridOf(repo, b)]);
    repo.db.exec("DELETE FROM unclustered");
    expect(ask(repo, [VERSION_LINE, "clone\n"])).toBe(
      `${SERVER_LINE}${pushReply()}igot ${b}\nigot ${a}\n# errors 0\n`,
    );
    const delta = createDelta(utf8(`${old}!`), utf8(old));
    const reply = ask(repo, [VERSION_LINE, "clone\n", `gimme ${a}\n`]);
    expect(reply).toContain(`file ${a} ${b} ${delta.length}\n`);
    expect(reply).not.toContain("igot");
  });

  test("clients before Fossil 2.0 are told that they are too old for SHA3", () => {
    store(repo, "x");
    expect(ask(repo, ["clone 3 1\n"])).toBe(
      `error Fossil\\sversion\\s2.0\\sor\\slater\\srequired.\nclone_seqno 0\n${pushReply()}# errors 0\n`,
    );
  });
});
