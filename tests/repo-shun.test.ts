import { expect, test } from "bun:test";
import { formatArtifact } from "../src/artifact-format.ts";
import { utf8 } from "../src/bytes.ts";
import { type Hash, sha1Hex } from "../src/hash.ts";
import { commit } from "../src/repo-checkin.ts";
import { rebuildRepository } from "../src/repo-rebuild.ts";
import { receiveAll } from "../src/repo-receive.ts";
import { shun, shunList, unshun } from "../src/repo-shun.ts";
import { ScratchRepo } from "./scratch-repo.ts";
import { hex, store } from "./sync-exchange.ts";

test("the list", () => {
  using scratch = new ScratchRepo();
  const { repo } = scratch;
  scratch.clock.time = 1_700_000_000_500;
  const here = store(repo, "spam");
  expect(shun(repo, here, "it is spam")).toBe(true);
  expect(shun(repo, hex("a"))).toBe(true);
  scratch.clock.time += 5000;
  expect(shun(repo, hex("a"), "again")).toBe(false);
  expect(shunList(repo)).toEqual(
    [
      { hash: here, mtime: 1_700_000_000, comment: "it is spam", isHere: true },
      { hash: hex("a"), mtime: 1_700_000_000, comment: undefined, isHere: false },
    ].sort((a, b) => (a.hash < b.hash ? -1 : 1)),
  );
  expect([unshun(repo, here), unshun(repo, here)]).toEqual([true, false]);
  expect(shunList(repo).map(({ hash }) => hash)).toEqual([hex("a")]);
});

test("a check-in leaves the timeline at once, and the repository with the next rebuild", () => {
  using scratch = new ScratchRepo();
  const { repo } = scratch;
  const text = Array.from({ length: 200 }, (_, i) => `line ${i}\n`).join("");
  const at = (content: string) => {
    scratch.clock.time += 60_000;
    return commit(repo, { comment: "c", user: "ann", edits: [{ name: "f", content: utf8(content) }] }).rid;
  };
  at(text);
  const bad = at(`${text}bad\n`);
  at(`${text}bad\ngood\n`);
  const file = repo.db.prepare("SELECT fid FROM mlink WHERE mid=?").value<number>(bad)!;
  const hashes = [bad, file].map((rid) => repo.content.hashOf(rid as typeof bad));
  for (const hash of hashes) shun(repo, hash);
  const count = (sql: string) => repo.db.prepare(sql).value<number>()!;
  expect(count("SELECT count(*) FROM event")).toBe(2);
  expect(shunList(repo).every(({ isHere }) => isHere)).toBe(true);
  const before = count("SELECT count(*) FROM blob");
  rebuildRepository(repo, { user: () => "ann", version: "test" });
  expect(shunList(repo).some(({ isHere }) => isHere)).toBe(false);
  // What was stored as a delta of them is whole; nothing refers to a rid that is gone.
  const broken = repo.db
    .prepare(
      "SELECT count(*) FROM delta WHERE srcid NOT IN (SELECT rid FROM blob) OR rid NOT IN (SELECT rid FROM blob)",
    )
    .value<number>();
  expect(broken).toBe(0);
  expect(count("SELECT count(*) FROM blob WHERE size>=0")).toBe(before - 2);
  for (const [rid] of repo.db.prepare("SELECT rid FROM blob WHERE size>=0").values<[typeof bad]>()) {
    expect(repo.content.get(rid)).toBeDefined();
  }
  // It can come again only when it is off the list.
  const comeAgain = () =>
    receiveAll(repo, { user: "ann", onWrong: "drop" }, (batch) =>
      batch.receive({ hash: hashes[1]!, content: utf8(`${text}bad\n`) }),
    ).refused.length;
  expect(comeAgain()).toBe(1);
  unshun(repo, hashes[1]!);
  expect(comeAgain()).toBe(0);
});

test("a ticket by its id, an attachment by its content", () => {
  using scratch = new ScratchRepo();
  const { repo } = scratch;
  const id = sha1Hex("t") as Hash;
  const date = scratch.clock.now();
  let attached: Hash | undefined;
  receiveAll(repo, { user: "ann", onWrong: "throw" }, (batch) => {
    const fields = [{ name: "title", append: false, value: "T" }];
    batch.add(formatArtifact({ type: "ticket", date, ticketId: id, user: "ann", fields }));
    attached = repo.content.hashOf(batch.add(utf8("a log")));
    batch.add(
      formatArtifact({
        type: "attachment",
        date,
        name: "log",
        target: id,
        source: attached,
        comment: "",
        user: "ann",
      }),
    );
  });
  const counts = () =>
    ["ticket", "attachment", "tag WHERE tagname GLOB 'tkt-*'"].map((what) =>
      repo.db.once(`SELECT count(*) FROM ${what}`, (statement) => statement.value<number>()),
    );
  expect(counts()).toEqual([1, 1, 1]);
  shun(repo, id);
  expect(counts()).toEqual([0, 1, 0]);
  shun(repo, attached!);
  expect(counts()).toEqual([0, 0, 0]);
});
