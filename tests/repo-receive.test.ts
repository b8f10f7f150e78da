import { describe, expect, test } from "bun:test";
import { formatArtifact } from "../src/artifact-format.ts";
import type { CheckIn, FileEntry } from "../src/artifact-types.ts";
import { concat, utf8 } from "../src/bytes.ts";
import { createDelta } from "../src/delta-encode.ts";
import { HashMismatchError } from "../src/errors.ts";
import { type Hash, hashContent } from "../src/hash.ts";
import type { Repo } from "../src/repo.ts";
import type { Rid } from "../src/repo-content.ts";
import { type Incoming, ReceiveBatch, type ReceiveSummary, receiveAll } from "../src/repo-receive.ts";
import { ScratchRepo } from "./scratch-repo.ts";

const nameOf = (bytes: Uint8Array): Hash => hashContent(bytes, "sha3-256");

/** Texts of which each is a small change of the one before, so that a delta between them copies. */
function versions(count: number): Uint8Array[] {
  const common = Array.from({ length: 20 }, (_, i) => `line ${i} that all versions share`).join("\n");
  return Array.from({ length: count }, (_, i) => utf8(`${common}\nversion ${i}\n`));
}

function asText(content: Uint8Array): Incoming {
  return { hash: nameOf(content), content };
}

function asDelta(source: Uint8Array, target: Uint8Array): Incoming {
  return { hash: nameOf(target), delta: createDelta(source, target), source: nameOf(source) };
}

interface SendOptions {
  readonly onWrong?: "throw" | "drop";
  readonly isPrivate?: boolean;
}

function send(repo: Repo, incoming: readonly Incoming[], options: SendOptions = {}): ReceiveSummary {
  const { onWrong = "drop", isPrivate = false } = options;
  return receiveAll(repo, { onWrong }, (batch) => {
    for (const artifact of incoming) batch.receive(artifact, { isPrivate });
  });
}

function checkIn(files: readonly FileEntry[], more: Partial<CheckIn> = {}): Uint8Array {
  const base = { comment: "c", date: 0, parents: [], cherrypicks: [], tags: [], user: "u" };
  return formatArtifact({ type: "check-in", ...base, files, ...more });
}

function count(repo: Repo, sql: string): number {
  return repo.db.once<unknown, number>(sql, (statement) => statement.value<number>()!);
}

describe("verification", () => {
  const [good, other] = versions(2) as [Uint8Array, Uint8Array];
  const wrong: Incoming = { hash: nameOf(good), content: other };

  test("content under a wrong name is dropped and named, the rest is kept", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    const summary = send(repo, [wrong, asText(other)]);
    expect(summary.refused.map(({ hash, error }) => [hash, error.code])).toEqual([
      [wrong.hash, "hash-mismatch"],
    ]);
    expect(repo.content.ridOf(wrong.hash)).toBeUndefined();
    expect(repo.content.getByHash(nameOf(other))).toEqual(other);
    expect(summary.stored.length).toBe(1);
  });

  test("with onWrong throw nothing of the batch stays", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    expect(() => send(repo, [asText(other), wrong], { onWrong: "throw" })).toThrow(HashMismatchError);
    expect(count(repo, "SELECT count(*) FROM blob")).toBe(0);
    expect(repo.content.getByHash(nameOf(other))).toBeUndefined();
  });

  test("a delta of an artifact at hand is applied, verified and stored", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    send(repo, [asText(good)]);
    expect(send(repo, [asDelta(good, other)]).stored.length).toBe(1);
    expect(repo.content.getByHash(nameOf(other))).toEqual(other);
    const lying = { ...asDelta(good, other), hash: nameOf(utf8("something else")) };
    expect(send(repo, [lying]).refused.map(({ error }) => error.code)).toEqual(["hash-mismatch"]);
  });

  test.each([
    ["no delta at all", utf8("not a delta")],
    ["a copy past the end of its source", utf8("5\n5@9999,0;")],
    ["an output that is too large", utf8("zzzzzz\n0;")],
  ])("a delta of an artifact at hand with %s is refused", (_what, delta) => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    send(repo, [asText(good)]);
    const { refused, stored } = send(repo, [{ hash: nameOf(other), delta, source: nameOf(good) }]);
    expect(refused.length).toBe(1);
    expect(stored).toEqual([]);
    expect(repo.content.ridOf(nameOf(other))).toBeUndefined();
  });

  test("what is here already is counted, not stored again", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    send(repo, [asText(good)]);
    const { knownCount, stored } = send(repo, [asText(good), asDelta(other, good)]);
    expect({ knownCount, stored }).toEqual({ knownCount: 2, stored: [] });
    expect(count(repo, "SELECT count(*) FROM rcvfrom")).toBe(1);
  });
});

describe("deltas of what is not here", () => {
  const [a, b, c] = versions(3) as [Uint8Array, Uint8Array, Uint8Array];

  test("wait on a phantom, and follow when it arrives", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    const first = send(repo, [asDelta(b, c), asDelta(a, b)]);
    expect(first.waitingCount).toBe(2);
    expect(repo.content.getByHash(nameOf(c))).toBeUndefined();
    expect(repo.content.isPhantom(repo.content.ridOf(nameOf(a))!)).toBe(true);
    const second = send(repo, [asText(a)]);
    expect(second).toMatchObject({ waitingCount: 0, refused: [] });
    for (const version of [a, b, c]) expect(repo.content.getByHash(nameOf(version))).toEqual(version);
    expect(count(repo, "SELECT count(*) FROM phantom")).toBe(0);
  });

  test("a chain of 800 follows without recursion", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    const chain = versions(800);
    const deltas = chain.slice(1).map((version, i) => asDelta(chain[i]!, version));
    expect(send(repo, deltas.reverse()).waitingCount).toBe(deltas.length);
    expect(send(repo, [asText(chain[0]!)])).toMatchObject({ waitingCount: 0, refused: [] });
    expect(repo.content.getByHash(nameOf(chain.at(-1)!))).toEqual(chain.at(-1)!);
  });

  test.each(["throw", "drop"] as const)(
    "a wrong one of an earlier batch is dropped and named, onWrong %s",
    (onWrong) => {
      using scratch = new ScratchRepo();
      const { repo } = scratch;
      const lying = { ...asDelta(a, b), hash: nameOf(c) };
      send(repo, [lying, asDelta(c, b)]);
      const summary = send(repo, [asText(a)], { onWrong });
      expect(summary.refused.map(({ hash, error }) => [hash, error.code])).toEqual([
        [nameOf(c), "hash-mismatch"],
      ]);
      expect(repo.content.isPhantom(repo.content.ridOf(nameOf(c))!)).toBe(true);
      expect(repo.content.getByHash(nameOf(b))).toBeUndefined();
      // The right content still comes to its place, and frees what waited for it.
      expect(send(repo, [asText(c)]).refused).toEqual([]);
      expect(repo.content.getByHash(nameOf(b))).toEqual(b);
    },
  );

  test("a wrong one of this very batch makes the batch throw", () => {
    using scratch = new ScratchRepo();
    const lying = { ...asDelta(a, b), hash: nameOf(c) };
    expect(() => send(scratch.repo, [lying, asText(a)], { onWrong: "throw" })).toThrow(HashMismatchError);
  });

  test("give way to the text itself", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    send(repo, [asDelta(a, b), asDelta(b, c)]);
    expect(send(repo, [asText(b)])).toMatchObject({ knownCount: 0, refused: [] });
    expect(repo.content.getByHash(nameOf(b))).toEqual(b);
    expect(repo.content.getByHash(nameOf(c))).toEqual(c);
    expect(repo.content.isPhantom(repo.content.ridOf(nameOf(a))!)).toBe(true);
  });

  test("that copy nothing need no source", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    const target = utf8("hello world");
    const delta = createDelta(utf8(""), target);
    const { waitingCount, stored } = send(repo, [{ hash: nameOf(target), delta, source: nameOf(a) }]);
    expect([stored.length, waitingCount]).toEqual([1, 0]);
    expect(repo.content.getByHash(nameOf(target))).toEqual(target);
    expect(count(repo, "SELECT count(*) FROM phantom")).toBe(0);
  });

  test("of each other are refused", () => {
    using scratch = new ScratchRepo();
    const { refused, stored } = send(scratch.repo, [asDelta(a, b), asDelta(b, a)]);
    expect(refused.map(({ hash, error }) => [hash, error.code])).toEqual([[nameOf(a), "delta-cycle"]]);
    expect(stored.length).toBe(1);
  });
});

describe("linking of late arrivals", () => {
  const [one, two] = versions(2) as [Uint8Array, Uint8Array];
  const file = (name: string, content: Uint8Array): FileEntry => ({
    name,
    hash: nameOf(content),
    permission: "",
  });

  test("a delta manifest waits as an orphan for its baseline, which may itself be a waiting delta", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    const full = checkIn([file("a", one), file("b", one), file("c", two), file("d", two)]);
    const later = checkIn([file("a", two), file("b", one), file("c", two), file("d", two)], { date: 5000 });
    const delta = checkIn([file("a", two)], { baseline: nameOf(full), parents: [nameOf(full)], date: 9000 });
    expect(send(repo, [asText(delta)]).linkedCount).toBe(1);
    expect(count(repo, "SELECT count(*) FROM orphan")).toBe(1);
    expect(count(repo, "SELECT count(*) FROM event")).toBe(0);
    send(repo, [asDelta(later, full)]);
    expect(count(repo, "SELECT count(*) FROM orphan")).toBe(1);
    send(repo, [asText(later)]);
    expect(count(repo, "SELECT count(*) FROM orphan")).toBe(0);
    expect(count(repo, "SELECT count(*) FROM event WHERE type='ci'")).toBe(3);
    const row = "SELECT count(*) FROM mlink JOIN blob ON rid=mid WHERE isaux=0 AND pid>0 AND fid>0";
    expect(count(repo, row)).toBe(1);
  });

  test("a baseline that is no check-in keeps its orphan", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    const delta = checkIn([file("a", two)], { baseline: nameOf(one) });
    send(repo, [asText(delta)]);
    send(repo, [asText(one)]);
    expect(count(repo, "SELECT count(*) FROM orphan")).toBe(1);
    expect(count(repo, "SELECT count(*) FROM event")).toBe(0);
  });

  test("a cherry-pick of something unknown gets its row when that is known", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    const picked = checkIn([file("a", one)]);
    const child = checkIn([file("a", two)], {
      cherrypicks: [{ backout: false, from: nameOf(picked) }],
      date: 9000,
    });
    send(repo, [asText(child)]);
    expect(count(repo, "SELECT count(*) FROM cherrypick")).toBe(0);
    expect(repo.content.ridOf(nameOf(picked))).toBeUndefined();
    send(repo, [asText(picked)]);
    expect(count(repo, "SELECT count(*) FROM cherrypick WHERE NOT isExclude")).toBe(1);
    expect(count(repo, "SELECT count(*) FROM fx_cherrypick_wait")).toBe(0);
  });
});

describe("private artifacts", () => {
  const [a, b, c] = versions(3) as [Uint8Array, Uint8Array, Uint8Array];
  const isAnnounced = (repo: Repo, bytes: Uint8Array) =>
    count(repo, `SELECT count(*) FROM unclustered JOIN blob USING(rid) WHERE uuid='${nameOf(bytes)}'`) === 1;

  test("are marked and not announced; received as public they become public", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    send(repo, [asText(a)], { isPrivate: true });
    const rid = repo.content.ridOf(nameOf(a))!;
    expect([repo.content.isPrivate(rid), isAnnounced(repo, a)]).toEqual([true, false]);
    send(repo, [asText(a)]);
    expect([repo.content.isPrivate(rid), isAnnounced(repo, a)]).toEqual([false, true]);
  });

  test("fill a phantom that was announced, and end its announcement", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    send(repo, [asDelta(a, b)]);
    expect(isAnnounced(repo, a)).toBe(true);
    send(repo, [asText(a)], { isPrivate: true });
    expect(repo.content.isPrivate(repo.content.ridOf(nameOf(a))!)).toBe(true);
    expect(isAnnounced(repo, a)).toBe(false);
    // The public delta of it is no longer stored as one.
    expect(repo.content.sourceOf(repo.content.ridOf(nameOf(b))!)).toBeUndefined();
    expect(repo.content.getByHash(nameOf(b))).toEqual(b);
  });

  test("a public delta tells that its phantom source is public", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    send(repo, [asDelta(a, b)], { isPrivate: true });
    expect(repo.content.isPrivate(repo.content.ridOf(nameOf(a))!)).toBe(true);
    expect(send(repo, [asDelta(a, c)]).refused).toEqual([]);
    expect(repo.content.isPrivate(repo.content.ridOf(nameOf(a))!)).toBe(false);
  });

  test("files of a public check-in become public", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    send(repo, [asText(a)], { isPrivate: true });
    send(repo, [asText(checkIn([{ name: "f", hash: nameOf(a), permission: "" }]))]);
    expect(repo.content.isPrivate(repo.content.ridOf(nameOf(a))!)).toBe(false);
    expect(isAnnounced(repo, a)).toBe(true);
  });
});

describe("what is unwelcome", () => {
  const [a, b] = versions(2) as [Uint8Array, Uint8Array];

  test.each(["throw", "drop"] as const)("shunned artifacts are left out and named, onWrong %s", (onWrong) => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    repo.db.prepare("INSERT INTO shun(uuid) VALUES(?)").run(nameOf(a));
    const { refused, stored } = send(repo, [asText(a), asText(b)], { onWrong });
    expect(refused.map(({ hash, error }) => [hash, error.code])).toEqual([[nameOf(a), "shunned"]]);
    expect(stored.length).toBe(1);
    expect(repo.content.ridOf(nameOf(a))).toBeUndefined();
  });

  test.each(["throw", "drop"] as const)(
    "a delta of a shunned artifact is left out, onWrong %s",
    (onWrong) => {
      using scratch = new ScratchRepo();
      const { repo } = scratch;
      repo.db.prepare("INSERT INTO shun(uuid) VALUES(?)").run(nameOf(a));
      const { refused, stored } = send(repo, [asDelta(a, b), asText(utf8("other"))], { onWrong });
      expect(refused.map(({ error }) => error.code)).toEqual(["delta-shunned-source"]);
      expect(stored.length).toBe(1);
    },
  );

  test("SHA1 names, under the policy shun-sha1", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    repo.config.set("hash-policy", "4");
    const { refused } = send(repo, [{ hash: hashContent(a, "sha1"), content: a }, asText(b)]);
    expect(refused.map(({ error }) => error.code)).toEqual(["shunned"]);
  });
});

describe("the batch's origin", () => {
  const [a, b] = versions(2) as [Uint8Array, Uint8Array];
  const origin = { user: "ann", ipaddr: "10.0.0.1", nonce: "abc", onWrong: "throw" } as const;

  test("is one row, made when something is stored", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    receiveAll(repo, origin, () => {});
    expect(count(repo, "SELECT count(*) FROM rcvfrom")).toBe(0);
    receiveAll(repo, origin, (batch) => {
      batch.receive(asText(a));
      batch.receive(asText(b));
    });
    const rows = repo.db.prepare("SELECT uid,nonce,ipaddr,round(mtime,5) FROM rcvfrom").values();
    expect(rows).toEqual([[repo.users.get("ann")!.uid, "abc", "10.0.0.1", 2461072]]);
    expect(count(repo, "SELECT count(DISTINCT rcvid) FROM blob")).toBe(1);
  });

  test("leaves out a nonce that was used before", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    for (const bytes of [a, b]) receiveAll(repo, origin, (batch) => batch.receive(asText(bytes)));
    expect(repo.db.prepare("SELECT nonce FROM rcvfrom ORDER BY rcvid").values()).toEqual([["abc"], [null]]);
  });

  test("needs a transaction", () => {
    using scratch = new ScratchRepo();
    expect(() => new ReceiveBatch(scratch.repo, origin)).toThrow("transaction");
  });
});

test("artifacts made here are named by the policy, linked, and marked for the next push", () => {
  using scratch = new ScratchRepo();
  const { repo } = scratch;
  let rids: Rid[] = [];
  const manifest = checkIn([]);
  const summary = receiveAll(repo, { onWrong: "throw" }, (batch) => {
    rids = [
      batch.add(manifest, { isUnsent: true }),
      batch.add(manifest),
      batch.add(utf8("private"), { isPrivate: true }),
    ];
  });
  expect(rids[0]).toBe(rids[1]!);
  expect(repo.content.hashOf(rids[0]!)).toBe(nameOf(manifest));
  expect(summary).toMatchObject({ linkedCount: 1, stored: [rids[0]!, rids[2]!] });
  expect(repo.db.prepare("SELECT rid FROM unsent").values()).toEqual([[rids[0]!]]);
  expect(repo.content.isPrivate(rids[2]!)).toBe(true);
});

test("a batch rolled back leaves no trace, also not in memory", () => {
  using scratch = new ScratchRepo();
  const { repo } = scratch;
  const [a, b] = versions(2) as [Uint8Array, Uint8Array];
  const fail = () =>
    receiveAll(repo, { onWrong: "throw" }, (batch) => {
      batch.receive(asText(a));
      throw new Error("the peer went away");
    });
  expect(fail).toThrow("the peer went away");
  send(repo, [asText(b)]);
  expect(repo.content.ridOf(nameOf(a))).toBeUndefined();
  expect(repo.content.getByHash(nameOf(b))).toEqual(b);
});

test("older files are stored as deltas of newer ones when the batch ends", () => {
  using scratch = new ScratchRepo();
  const { repo } = scratch;
  const padding = utf8("some text that both have in common, long enough to be worth it\n".repeat(20));
  const [old, young] = ["old", "young"].map((line) => concat([padding, utf8(line)])) as [
    Uint8Array,
    Uint8Array,
  ];
  const first = checkIn([{ name: "f", hash: nameOf(old), permission: "" }]);
  const second = checkIn([{ name: "f", hash: nameOf(young), permission: "" }], {
    parents: [nameOf(first)],
    date: 60_000,
  });
  send(repo, [asText(old), asText(first), asText(young), asText(second)]);
  const rid = (bytes: Uint8Array) => repo.content.ridOf(nameOf(bytes))!;
  expect(repo.content.sourceOf(rid(old))).toBe(rid(young));
  expect(repo.content.sourceOf(rid(young))).toBeUndefined();
  expect(repo.content.getByHash(nameOf(old))).toEqual(old);
});
