import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { EMPTY, utf8 } from "../src/bytes.ts";
import { createDelta } from "../src/delta-encode.ts";
import { EdgeSyncError } from "../src/errors.ts";
import { asHash, type Hash, hashContent } from "../src/hash.ts";
import { randomBelow, seededRandom } from "../src/random.ts";
import { Content, NO_RID, type Rid } from "../src/repo-content.ts";
import { ContentCache } from "../src/repo-content-cache.ts";
import { packBlob } from "../src/zlib.ts";
import { ScratchRepo } from "./scratch-repo.ts";

const PUBLIC = { rcvid: 0, isPrivate: false };
const PRIVATE = { rcvid: 0, isPrivate: true };

const lines = (count: number, from = 0) =>
  utf8(Array.from({ length: count }, (_, i) => `line ${from + i} of many\n`).join(""));
const sha3 = (content: Uint8Array) => hashContent(content, "sha3-256");

function codeOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    if (error instanceof EdgeSyncError) return error.code;
    throw error;
  }
  return "no error";
}

/** Names of the tables that hold `rid`. */
function places(content: Content, rid: Rid): string[] {
  const tables = {
    delta: "SELECT 1 FROM delta WHERE rid=?",
    phantom: "SELECT 1 FROM phantom WHERE rid=?",
    private: "SELECT 1 FROM private WHERE rid=?",
    unclustered: "SELECT 1 FROM unclustered WHERE rid=?",
    unsent: "SELECT 1 FROM unsent WHERE rid=?",
  };
  return Object.entries(tables)
    .filter(([, sql]) => content.db.prepare(sql).value(rid) !== undefined)
    .map(([table]) => table);
}

describe("names", () => {
  test("follow the hash policy, and keep the name content is known by", () => {
    using scratch = new ScratchRepo();
    const { content, config } = scratch.repo;
    const old = hashContent(utf8("old"), "sha1");
    const rid = content.insert(old, utf8("old"), PUBLIC);
    expect(content.put(utf8("old"), PUBLIC)).toBe(rid);
    expect(content.nameOf(utf8("new"))).toBe(sha3(utf8("new")));
    config.set("hash-policy", "0");
    expect(content.nameOf(utf8("new"))).toHaveLength(40);
    config.set("hash-policy", "3");
    expect(content.nameOf(utf8("old"))).toHaveLength(64);
  });

  test("the policy auto becomes sha3 with the first such name", () => {
    using scratch = new ScratchRepo();
    const { content, config } = scratch.repo;
    config.set("hash-policy", "1");
    content.put(utf8("one"), PUBLIC);
    expect(config.hashPolicy()).toBe("auto");
    content.insert(sha3(utf8("two")), utf8("two"), PUBLIC);
    expect(config.hashPolicy()).toBe("sha3");
  });
});

describe("insert and get", () => {
  test.each([
    ["nothing", EMPTY],
    ["one byte", utf8("x")],
    ["text", lines(1000)],
    ["noise", seededRandom(3n).bytes(100_000)],
  ])("%s", (_, bytes) => {
    using scratch = new ScratchRepo();
    const rid = scratch.repo.content.put(bytes, PUBLIC);
    const { content } = scratch.reopen();
    expect(content.get(rid)).toEqual(bytes);
    expect(content.getByHash(sha3(bytes))).toEqual(bytes);
    expect([content.size(rid), content.ridOf(sha3(bytes)), content.hashOf(rid)]).toEqual([
      bytes.length,
      rid,
      sha3(bytes),
    ]);
    expect(places(content, rid)).toEqual(["unclustered"]);
  });

  test.each([false, true])("large content, a phantom before: %j", (isPhantom) => {
    using scratch = new ScratchRepo();
    const { content } = scratch.repo;
    const bytes = seededRandom(4n).bytes(1_500_000);
    const hash = content.nameOf(bytes);
    if (isPhantom) content.ridOrPhantom(hash, false);
    const rid = content.insert(hash, bytes, PUBLIC);
    expect(bytes.length).toBe(1_500_000);
    expect(places(content, rid)).toEqual(["unclustered"]);
    expect(Buffer.compare(scratch.reopen().content.get(rid)!, bytes)).toBe(0);
  });

  test("the same content twice is one row, of the first receipt", () => {
    using scratch = new ScratchRepo();
    const { content, db } = scratch.repo;
    const first = content.put(utf8("same"), { rcvid: 1, isPrivate: false });
    expect(content.put(utf8("same"), { rcvid: 2, isPrivate: false })).toBe(first);
    expect(db.prepare("SELECT rid, rcvid FROM blob").values()).toEqual([[first, 1]]);
  });

  test("content of NULL and of nothing is an empty artifact", () => {
    using scratch = new ScratchRepo();
    const { content, db } = scratch.repo;
    const insert = db.prepare("INSERT INTO blob(rcvid,size,uuid,content) VALUES(0,0,?,?)");
    const asNull = insert.run(hashContent(EMPTY, "sha1"), null).lastInsertRowid as Rid;
    const asNothing = insert.run(sha3(EMPTY), EMPTY).lastInsertRowid as Rid;
    expect([content.get(asNull), content.get(asNothing)]).toEqual([EMPTY, EMPTY]);
    expect(content.stored(asNull)).toEqual({ bytes: EMPTY, size: 0, source: undefined });
  });

  test("what is unknown", () => {
    using scratch = new ScratchRepo();
    const { content } = scratch.repo;
    const rid = 99 as Rid;
    expect([content.get(rid), content.stored(rid), content.head(rid), content.size(rid)]).toEqual([
      undefined,
      undefined,
      undefined,
      -1,
    ]);
    expect(content.ridOf(sha3(EMPTY))).toBeUndefined();
    expect(codeOf(() => content.hashOf(rid))).toBe("no-such-rid");
    expect(content.isAvailable(rid)).toBe(false);
  });
});

describe("phantoms", () => {
  test("are made once, public or private, and filled", () => {
    using scratch = new ScratchRepo();
    const { content } = scratch.repo;
    const rid = content.ridOrPhantom(sha3(utf8("a")), false);
    const secret = content.ridOrPhantom(sha3(utf8("b")), true);
    expect(content.ridOrPhantom(sha3(utf8("a")), true)).toBe(rid);
    expect([places(content, rid), places(content, secret)]).toEqual([
      ["phantom", "unclustered"],
      ["phantom", "private"],
    ]);
    expect([content.isPhantom(rid), content.get(rid), content.stored(rid)]).toEqual([
      true,
      undefined,
      undefined,
    ]);
    expect(content.insert(sha3(utf8("a")), utf8("a"), PUBLIC)).toBe(rid);
    expect(content.insert(sha3(utf8("b")), utf8("b"), PUBLIC)).toBe(secret);
    expect([places(content, rid), places(content, secret)]).toEqual([["unclustered"], ["unclustered"]]);
    expect(content.get(secret)).toEqual(utf8("b"));
  });

  test("are not made of what is shunned", () => {
    using scratch = new ScratchRepo();
    const { content, db } = scratch.repo;
    db.prepare("INSERT INTO shun(uuid) VALUES(?)").run(sha3(utf8("spam")));
    expect(content.ridOrPhantom(sha3(utf8("spam")), false)).toBe(NO_RID);
    expect(content.ridOf(sha3(utf8("spam")))).toBeUndefined();
  });

  test("what is stored as a delta of one is known but not available until it comes", () => {
    using scratch = new ScratchRepo();
    const { content } = scratch.repo;
    const [first, second, third] = [lines(50), lines(51), lines(52)];
    const phantom = content.ridOrPhantom(sha3(first), false);
    const middle = content.insertDelta(
      sha3(second),
      createDelta(first, second),
      phantom,
      second.length,
      PUBLIC,
    );
    const end = content.insertDelta(sha3(third), createDelta(second, third), middle, third.length, PUBLIC);
    expect([content.isPhantom(end), content.isAvailable(end), content.get(end)]).toEqual([
      false,
      false,
      undefined,
    ]);
    expect([content.dependentsOf(phantom), content.sourceOf(end)]).toEqual([[middle], middle]);
    content.insert(sha3(first), first, PUBLIC);
    expect([content.isAvailable(end), content.get(end), content.get(middle)]).toEqual([true, third, second]);
  });

  test("wrong content becomes a phantom again, and nothing of it is remembered", () => {
    using scratch = new ScratchRepo();
    const { content } = scratch.repo;
    const [right, wrong, derived] = [lines(50), lines(50, 1), lines(51)];
    const rid = content.insert(sha3(right), wrong, PUBLIC);
    content.markUnsent(rid);
    const child = content.insertDelta(
      sha3(derived),
      createDelta(right, derived),
      rid,
      derived.length,
      PUBLIC,
    );
    expect(content.get(child)).not.toEqual(derived);
    content.revertToPhantom(rid);
    expect([content.get(rid), content.get(child), places(content, rid)]).toEqual([
      undefined,
      undefined,
      ["phantom", "unclustered"],
    ]);
    content.insert(sha3(right), right, PUBLIC);
    expect([content.get(rid), content.get(child)]).toEqual([right, derived]);
  });
});

describe("stored form", () => {
  test("is given out and taken in unopened", () => {
    using scratch = new ScratchRepo();
    using other = new ScratchRepo();
    const { content } = scratch.repo;
    const [first, second] = [lines(100), lines(101)];
    const ridFirst = content.put(first, PUBLIC);
    const ridSecond = content.put(second, PUBLIC);
    expect(content.deltify(ridFirst, [ridSecond])).toBe(true);
    const stored = content.stored(ridFirst)!;
    expect(stored).toEqual({
      bytes: packBlob(createDelta(second, first)),
      size: first.length,
      source: ridSecond,
    });
    const copy = other.repo.content;
    const source = copy.ridOrPhantom(sha3(second), false);
    const rid = copy.insertStored(sha3(first), { ...stored, source }, PUBLIC);
    copy.insertStored(sha3(second), content.stored(ridSecond)!, PUBLIC);
    expect([copy.get(rid), copy.stored(rid)!.bytes]).toEqual([first, stored.bytes]);
  });

  test("a delta that declares another size than announced", () => {
    using scratch = new ScratchRepo();
    const { content } = scratch.repo;
    const source = content.put(lines(10), PUBLIC);
    const delta = createDelta(lines(10), lines(11));
    const insert = (size: number) => content.insertDelta(sha3(lines(11)), delta, source, size, PUBLIC);
    expect(codeOf(() => insert(1))).toBe("delta-size");
    expect(content.ridOf(sha3(lines(11)))).toBeUndefined();
  });

  test.each([
    ["not zlib", utf8("nonsense that is no zlib stream")],
    ["too short", utf8("abc")],
    ["a length that is too small", packBlob(lines(10)).fill(0, 0, 4)],
    ["a length beyond every limit", packBlob(lines(10)).fill(255, 0, 4)],
  ])("damaged: %s", (_, bytes) => {
    using scratch = new ScratchRepo();
    const { content } = scratch.repo;
    const rid = content.insertStored(sha3(utf8("x")), { bytes, size: 1, source: undefined }, PUBLIC);
    expect(codeOf(() => content.get(rid))).toBe("content-damaged");
  });

  test("damaged: a delta that is none, and one that fits another source", () => {
    using scratch = new ScratchRepo();
    const { content } = scratch.repo;
    const source = content.put(lines(10), PUBLIC);
    const insert = (name: string, delta: Uint8Array) =>
      content.insertStored(sha3(utf8(name)), { bytes: packBlob(delta), size: 1, source }, PUBLIC);
    const rids = [insert("a", utf8("no delta")), insert("b", createDelta(lines(500), lines(501)))];
    for (const rid of rids) expect(codeOf(() => content.get(rid))).toBe("content-damaged");
  });
});

describe("delta chains", () => {
  test("thousands deep", () => {
    using scratch = new ScratchRepo();
    const { content, db } = scratch.repo;
    const depth = 3000;
    const texts = (i: number) => utf8(`${"common ".repeat(20)}${i}`);
    let rid = content.put(texts(0), PUBLIC);
    db.write(() => {
      for (let i = 1; i <= depth; i++) {
        const [before, after] = [texts(i - 1), texts(i)];
        rid = content.insertDelta(sha3(after), createDelta(before, after), rid, after.length, PUBLIC);
      }
    });
    const fresh = scratch.reopen({ cacheBytes: 10_000 });
    expect(fresh.content.get(rid)).toEqual(texts(depth));
    expect(fresh.content.get((rid - 1500) as Rid)).toEqual(texts(depth - 1500));
    expect(fresh.content.isAvailable(rid)).toBe(true);
  });

  test.each([1, 2, 3, 7, 100])("a cycle of %d is an error, not a loop", (length) => {
    using scratch = new ScratchRepo();
    const { content, db } = scratch.repo;
    const rids = Array.from({ length: length + 5 }, (_, i) => content.put(lines(10, i), PUBLIC));
    const link = db.prepare("INSERT INTO delta(rid,srcid) VALUES(?,?)");
    for (const [i, rid] of rids.entries()) link.run(rid, rids[i + 1] ?? rids[5]!);
    const fresh = scratch.reopen({ cacheBytes: 0 }).content;
    for (const rid of rids) expect(codeOf(() => fresh.get(rid))).toBe("delta-cycle");
    expect(fresh.isAvailable(rids[0]!)).toBe(true);
    expect(fresh.dependsOn(rids[0]!, rids[5]!)).toBe(true);
  });

  test("a source that does not exist", () => {
    using scratch = new ScratchRepo();
    const { content, db } = scratch.repo;
    const rid = content.put(lines(10), PUBLIC);
    db.prepare("INSERT INTO delta(rid,srcid) VALUES(?,999)").run(rid);
    const fresh = scratch.reopen().content;
    expect(codeOf(() => fresh.get(rid))).toBe("content-damaged");
    expect(fresh.isAvailable(rid)).toBe(false);
  });

  test("a phantom is not filled with a delta of what depends on it", () => {
    using scratch = new ScratchRepo();
    const { content } = scratch.repo;
    const [a, b] = [lines(50), lines(51)];
    const phantom = content.ridOrPhantom(sha3(a), false);
    const rid = content.insertDelta(sha3(b), createDelta(a, b), phantom, b.length, PUBLIC);
    const close = () => content.insertDelta(sha3(a), createDelta(b, a), rid, a.length, PUBLIC);
    expect(codeOf(close)).toBe("delta-cycle");
    expect(content.isPhantom(phantom)).toBe(true);
  });
});

describe("deltify", () => {
  const setUp = (scratch: ScratchRepo, ...texts: Uint8Array[]) =>
    texts.map((bytes) => scratch.repo.content.put(bytes, PUBLIC));

  test("takes the candidate that makes the smallest delta", () => {
    using scratch = new ScratchRepo();
    const { content } = scratch.repo;
    const [rid, far, near] = setUp(scratch, lines(100), lines(100, 50), lines(101)) as [Rid, Rid, Rid];
    expect(content.deltify(rid, [far, near, far])).toBe(true);
    expect([content.sourceOf(rid), content.size(rid)]).toEqual([near, lines(100).length]);
    expect(scratch.reopen().content.get(rid)).toEqual(lines(100));
  });

  test.each([
    ["too small a target", lines(2), lines(100)],
    ["too small a source", lines(100), lines(2)],
    ["nothing in common", seededRandom(1n).bytes(1000), seededRandom(2n).bytes(1000)],
    ["less than a quarter in common", lines(100), lines(20)],
  ])("not with %s", (_, target, source) => {
    using scratch = new ScratchRepo();
    const [rid, candidate] = setUp(scratch, target, source) as [Rid, Rid];
    expect(scratch.repo.content.deltify(rid, [candidate])).toBe(false);
    expect(scratch.repo.content.sourceOf(rid)).toBeUndefined();
  });

  test("never of itself, of a phantom, of what depends on it, or twice", () => {
    using scratch = new ScratchRepo();
    const { content } = scratch.repo;
    const [a, b, c] = setUp(scratch, lines(100), lines(101), lines(102)) as [Rid, Rid, Rid];
    const phantom = content.ridOrPhantom(sha3(lines(103)), false);
    expect(content.deltify(a, [a, phantom])).toBe(false);
    expect(content.deltify(a, [b])).toBe(true);
    expect(content.deltify(b, [c])).toBe(true);
    expect(content.deltify(c, [a, b])).toBe(false);
    expect(content.deltify(a, [c])).toBe(false);
    expect(content.sourceOf(a)).toBe(b);
    expect(content.deltify(phantom, [a])).toBe(false);
  });

  test("a public artifact never of a private one, the reverse is fine", () => {
    using scratch = new ScratchRepo();
    const { content } = scratch.repo;
    const open = content.put(lines(100), PUBLIC);
    const secret = content.put(lines(101), PRIVATE);
    expect(content.deltify(open, [secret])).toBe(false);
    expect(content.deltify(secret, [open])).toBe(true);
  });

  test("undelta is its inverse", () => {
    using scratch = new ScratchRepo();
    const { content } = scratch.repo;
    const [a, b] = setUp(scratch, lines(100), lines(101)) as [Rid, Rid];
    const before = content.stored(a);
    content.deltify(a, [b]);
    content.undelta(a);
    content.undelta(a);
    expect([content.stored(a), places(content, a)]).toEqual([before, ["unclustered"]]);
  });
});

describe("private artifacts", () => {
  test("publishing announces them and frees them of private sources", () => {
    using scratch = new ScratchRepo();
    const { content } = scratch.repo;
    const source = content.put(lines(100), PRIVATE);
    const rid = content.put(lines(101), PRIVATE);
    content.deltify(rid, [source]);
    expect(places(content, rid)).toEqual(["delta", "private"]);
    content.publish(rid);
    content.publish(rid);
    expect([places(content, rid), content.get(rid)]).toEqual([["unclustered"], lines(101)]);
    expect(content.isPrivate(source)).toBe(true);
  });

  test("receiving one publicly publishes it", () => {
    using scratch = new ScratchRepo();
    const { content } = scratch.repo;
    const rid = content.put(lines(10), PRIVATE);
    expect(content.put(lines(10), PRIVATE)).toBe(rid);
    expect(content.isPrivate(rid)).toBe(true);
    expect(content.put(lines(10), PUBLIC)).toBe(rid);
    expect(places(content, rid)).toEqual(["unclustered"]);
    expect(content.put(lines(10), PRIVATE)).toBe(rid);
    expect(places(content, rid)).toEqual(["unclustered"]);
  });

  test("making one private takes it off the lists and its public deltas off it", () => {
    using scratch = new ScratchRepo();
    const { content } = scratch.repo;
    const source = content.put(lines(100), PUBLIC);
    const rid = content.put(lines(101), PUBLIC);
    content.markUnsent(source);
    content.deltify(rid, [source]);
    content.makePrivate(source);
    expect([places(content, source), places(content, rid)]).toEqual([["private"], ["unclustered"]]);
  });

  test("a public artifact is not stored as a delta of a private one", () => {
    using scratch = new ScratchRepo();
    const { content } = scratch.repo;
    const source = content.put(lines(100), PRIVATE);
    const delta = createDelta(lines(100), lines(101));
    const insert = () => content.insertDelta(sha3(lines(101)), delta, source, lines(101).length, PUBLIC);
    expect(codeOf(insert)).toBe("delta-private-source");
  });

  test("a public delta of a phantom that arrives privately becomes a full text", () => {
    using scratch = new ScratchRepo();
    const { content } = scratch.repo;
    const source = content.ridOrPhantom(sha3(lines(100)), false);
    const delta = createDelta(lines(100), lines(101));
    const rid = content.insertDelta(sha3(lines(101)), delta, source, lines(101).length, PUBLIC);
    content.insert(sha3(lines(100)), lines(100), PRIVATE);
    expect([content.isPrivate(source), content.sourceOf(rid), content.get(rid)]).toEqual([
      true,
      undefined,
      lines(101),
    ]);
  });
});

describe("cache", () => {
  const name = (i: number) => asHash(i.toString(16).padStart(40, "0"));

  test("keeps the most recently used within its bound", () => {
    const cache = new ContentCache(1000);
    for (let i = 0; i < 10; i++) cache.add(name(i), new Uint8Array(100));
    cache.get(name(0));
    cache.add(name(10), new Uint8Array(150));
    expect([0, 1, 2, 3, 10].map((i) => cache.has(name(i)))).toEqual([true, false, false, true, true]);
    expect(cache.sizeBytes).toBe(950);
    cache.add(name(11), new Uint8Array(501));
    expect(cache.has(name(11))).toBe(false);
    cache.add(name(10), new Uint8Array(1));
    expect(cache.sizeBytes).toBe(801);
    cache.clear();
    expect([cache.sizeBytes, cache.get(name(0))]).toEqual([0, undefined]);
  });

  test("does not keep the message alive that an artifact is a view of", () => {
    const cache = new ContentCache(1000);
    const message = new Uint8Array(1_000_000);
    cache.add(name(1), message.subarray(10, 110));
    expect(cache.get(name(1))!.buffer.byteLength).toBe(100);
  });

  test("forgets what was rolled back, also when the rid is given again", () => {
    using scratch = new ScratchRepo();
    const { content, db } = scratch.repo;
    let rid: Rid | undefined;
    expect(() =>
      db.write(() => {
        rid = content.insert(sha3(lines(11)), lines(10), PUBLIC);
        content.get(rid);
        throw new Error("undo");
      }),
    ).toThrow("undo");
    expect(content.get(rid!)).toBeUndefined();
    db.prepare("INSERT INTO blob(rid,size,uuid,content) VALUES(?,?,?,?)").run(
      rid!,
      lines(11).length,
      sha3(lines(11)),
      packBlob(lines(11)),
    );
    expect(content.get(rid!)).toEqual(lines(11));
  });

  test("a name whose content another connection found wrong is read anew", () => {
    using scratch = new ScratchRepo();
    const { content, db } = scratch.repo;
    const source = content.put(lines(49), PUBLIC);
    const rid = content.insert(sha3(lines(50)), lines(50, 1), PUBLIC);
    new Content(db, scratch.repo.config).revertToPhantom(rid);
    const delta = createDelta(lines(49), lines(50));
    content.insertDelta(sha3(lines(50)), delta, source, lines(50).length, PUBLIC);
    expect(content.get(rid)).toEqual(lines(50));
  });

  test("another connection's change of a rid is seen", () => {
    using scratch = new ScratchRepo();
    const { content, db } = scratch.repo;
    const rid = content.put(lines(10), PUBLIC);
    const reader = new Content(db, scratch.repo.config);
    expect(reader.get(rid)).toEqual(lines(10));
    db.prepare("UPDATE blob SET uuid=?, size=?, content=? WHERE rid=?").run(
      sha3(lines(20)),
      lines(20).length,
      packBlob(lines(20)),
      rid,
    );
    expect(reader.get(rid)).toEqual(lines(20));
  });
});

/** Random operations against a model; the invariants of the module hold after each. */
test("property: any sequence of operations keeps content and invariants", () => {
  const text = (seed: number) => {
    const random = seededRandom(BigInt(seed));
    return lines(20 + randomBelow(random, 20), randomBelow(random, 10));
  };
  const op = fc.tuple(
    fc.constantFrom("put", "phantom", "delta", "deltify", "undelta", "publish", "hide", "revert"),
    fc.nat(11),
    fc.nat(11),
    fc.boolean(),
  );
  fc.assert(
    fc.property(fc.array(op, { maxLength: 40 }), (ops) => {
      using scratch = new ScratchRepo();
      const content = new Content(scratch.repo.db, scratch.repo.config, 3000);
      const known = new Map<Hash, Uint8Array>();
      const ridOf = (seed: number) => content.ridOf(sha3(text(seed)));
      for (const [kind, a, b, isPrivate] of ops) {
        const [bytes, source] = [text(a), text(b)];
        const rid = ridOf(a);
        const options = { rcvid: 0, isPrivate };
        if (kind === "put") content.insert(sha3(bytes), bytes, options);
        else if (kind === "phantom") content.ridOrPhantom(sha3(bytes), isPrivate);
        else if (kind === "delta") {
          const from = content.ridOrPhantom(sha3(source), isPrivate);
          const code = codeOf(() =>
            content.insertDelta(sha3(bytes), createDelta(source, bytes), from, bytes.length, options),
          );
          expect(["no error", "delta-cycle", "delta-private-source"]).toContain(code);
        } else if (rid === undefined) continue;
        else if (kind === "deltify")
          content.deltify(
            rid,
            [0, 1, 2, 3].flatMap((i) => ridOf(b + i) ?? []),
          );
        else if (kind === "undelta") content.undelta(rid);
        else if (kind === "publish") content.publish(rid);
        else if (kind === "hide") content.makePrivate(rid);
        else content.revertToPhantom(rid);
        known.set(sha3(bytes), bytes).set(sha3(source), source);
        for (const [hash, expected] of known) {
          const one = content.ridOf(hash);
          if (one === undefined) continue;
          const got = content.get(one);
          if (content.isAvailable(one)) expect(got).toEqual(expected);
          else expect(got).toBeUndefined();
          expect(places(content, one).includes("phantom")).toBe(content.isPhantom(one));
          expect(places(content, one).includes("unclustered")).toBe(!content.isPrivate(one));
          const from = content.sourceOf(one);
          if (from !== undefined && content.isAvailable(one) && content.isPrivate(from)) {
            expect(content.isPrivate(one)).toBe(true);
          }
        }
      }
    }),
    { seed: 20260131, numRuns: 30 },
  );
});
