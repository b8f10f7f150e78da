import { describe, expect, test } from "bun:test";
import { closeSync, openSync, writeSync } from "node:fs";
import { utf8 } from "../src/bytes.ts";
import { createDelta } from "../src/delta-encode.ts";
import { inlineExecutor, workerExecutor } from "../src/executor.ts";
import { type Hash, hashContent } from "../src/hash.ts";
import { randomBelow, seededRandom } from "../src/random.ts";
import type { Rid } from "../src/repo-content.ts";
import { type TreeNode, treeRoots, walkDeltaTree } from "../src/repo-delta-tree.ts";
import {
  createVerifyJobs,
  type VerifyJobs,
  type VerifyProgress,
  verifyRepository,
} from "../src/repo-verify.ts";
import { packBlob } from "../src/zlib.ts";
import { ScratchRepo, StandingClock } from "./scratch-repo.ts";

const PUBLIC = { rcvid: 0, isPrivate: false };
const jobs = createVerifyJobs({ clock: new StandingClock(), random: seededRandom(1n) });
const text = (i: number) => utf8(`${"common line\n".repeat(20)}and ${i}\n`);
const nameOf = (content: Uint8Array) => hashContent(content, "sha3-256");

/** `count` artifacts, each but the first a delta of an earlier one that `pick` chooses. */
function grow(scratch: ScratchRepo, count: number, pick: (i: number) => number): Rid[] {
  const { content, db } = scratch.repo;
  const rids: Rid[] = [];
  db.write(() => {
    for (let i = 0; i < count; i++) {
      const bytes = text(i);
      if (i === 0) rids.push(content.insert(nameOf(bytes), bytes, PUBLIC));
      else {
        const from = pick(i);
        const delta = createDelta(text(from), bytes);
        rids.push(content.insertDelta(nameOf(bytes), delta, rids[from]!, bytes.length, PUBLIC));
      }
    }
  });
  return rids;
}

/** The artifacts of every tree, in the order visited. */
function visited(scratch: ScratchRepo, heldBytesMax?: number) {
  const { content } = scratch.repo;
  const seen: { rid: Rid; hash: Hash; content: Uint8Array }[] = [];
  const damaged: Rid[] = [];
  const visitor = {
    visit: ({ rid, hash }: TreeNode, bytes: Uint8Array) => void seen.push({ rid, hash, content: bytes }),
    damaged: ({ rid }: TreeNode) => void damaged.push(rid),
  };
  for (const root of treeRoots(content, 1, 1e9)) walkDeltaTree(content, root, visitor, heldBytesMax);
  return { seen, damaged };
}

describe("delta trees", () => {
  const random = seededRandom(5n);
  const shapes = [
    ["a chain", (i: number) => i - 1],
    ["a star", () => 0],
    ["a binary tree", (i: number) => (i - 1) >> 1],
    ["a comb", (i: number) => (i % 2 === 0 ? i - 2 : i - 1)],
    ["anything", (i: number) => randomBelow(random, i)],
  ] as const;

  test.each(shapes)("%s: each artifact once, sources first, right content", (_, pick) => {
    using scratch = new ScratchRepo();
    const rids = grow(scratch, 150, pick);
    for (const heldBytesMax of [undefined, 0, 1000]) {
      const { seen, damaged } = visited(scratch, heldBytesMax);
      expect(damaged).toEqual([]);
      expect(seen.map(({ rid }) => rid as number).sort((a, b) => a - b)).toEqual(rids);
      const position = new Map(seen.map(({ rid }, at) => [rid, at]));
      for (const { rid, hash, content } of seen) {
        expect(nameOf(content)).toBe(hash);
        const source = scratch.repo.content.sourceOf(rid);
        if (source !== undefined) expect(position.get(source)!).toBeLessThan(position.get(rid)!);
      }
    }
  });

  test("what is damaged takes along what depends on it, and nothing else", () => {
    using scratch = new ScratchRepo();
    const rids = grow(scratch, 31, (i) => (i - 1) >> 1);
    scratch.repo.db
      .prepare("UPDATE blob SET content=? WHERE rid=?")
      .run(packBlob(utf8("no delta")), rids[1]!);
    const { seen, damaged } = visited(scratch);
    const below = rids.filter((_, i) => {
      let at = i;
      while (at > 1) at = (at - 1) >> 1;
      return at === 1;
    });
    expect(damaged.sort((a, b) => a - b)).toEqual(below);
    expect(seen).toHaveLength(rids.length - below.length);
  });
});

describe("verify", () => {
  const check = (scratch: ScratchRepo, partCount?: number) =>
    verifyRepository(inlineExecutor(jobs), scratch.path, partCount === undefined ? {} : { partCount });

  test.each([1, 3, 64, 1000])("a sound repository in %d parts", async (partCount) => {
    using scratch = new ScratchRepo();
    const rids = grow(scratch, 100, (i) => i >> 1);
    expect(await check(scratch, partCount)).toEqual({
      artifactCount: rids.length,
      byteCount: rids.reduce((sum, _, i) => sum + text(i).length, 0),
      phantomCount: 0,
      waitingCount: 0,
      problems: [],
    });
  });

  test("an empty one", async () => {
    using scratch = new ScratchRepo();
    expect(await check(scratch)).toMatchObject({ artifactCount: 0, byteCount: 0, problems: [] });
  });

  test("tells how far it is", async () => {
    using scratch = new ScratchRepo();
    grow(scratch, 50, () => 0);
    scratch.repo.content.put(utf8("another root"), PUBLIC);
    const seen: VerifyProgress[] = [];
    const onProgress = (progress: VerifyProgress) => void seen.push(progress);
    await verifyRepository(inlineExecutor(jobs), scratch.path, { onProgress, partCount: 4 });
    expect(seen[0]).toEqual({ artifactCount: 0, artifactTotal: 51, byteCount: 0 });
    expect(seen.at(-1)!.artifactCount).toBe(51);
    expect(seen.map(({ artifactCount }) => artifactCount)).toEqual(
      seen.map(({ artifactCount }) => artifactCount).toSorted((a, b) => a - b),
    );
  });

  test("phantoms and what waits for them are no problems", async () => {
    using scratch = new ScratchRepo();
    const { content } = scratch.repo;
    const phantom = content.ridOrPhantom(nameOf(text(0)), false);
    const rid = content.insertDelta(
      nameOf(text(1)),
      createDelta(text(0), text(1)),
      phantom,
      text(1).length,
      PUBLIC,
    );
    content.insertDelta(nameOf(text(2)), createDelta(text(1), text(2)), rid, text(2).length, PUBLIC);
    expect(await check(scratch)).toMatchObject({
      artifactCount: 0,
      phantomCount: 1,
      waitingCount: 2,
      problems: [],
    });
  });

  test.each([
    ["UPDATE blob SET size=size+1 WHERE rid=1", ["wrong-size 1"]],
    ["UPDATE blob SET uuid=substr(uuid,2)||'0' WHERE rid=2", ["wrong-hash 2"]],
    ["UPDATE blob SET uuid=upper(uuid) WHERE rid=2", ["bad-name 2"]],
    ["UPDATE blob SET content=x'00000001aabbcc' WHERE rid=3", ["content-damaged 3"]],
    ["UPDATE blob SET content=NULL WHERE rid=3", ["content-damaged 3"]],
    ["UPDATE delta SET srcid=77 WHERE rid=3", ["delta-dangling 3"]],
    ["INSERT INTO delta VALUES(1,3)", ["delta-cycle 1", "delta-cycle 2", "delta-cycle 3"]],
    ["INSERT INTO private VALUES(1)", ["public-on-private 2", "public-on-private 3"]],
    ["INSERT INTO phantom VALUES(2)", ["phantom-mismatch 2"]],
    ["UPDATE blob SET size=-1 WHERE rid=3", ["phantom-mismatch 3"]],
    ["DELETE FROM blob WHERE rid=3", ["row-dangling 3", "row-dangling 3"]],
    ["INSERT INTO private VALUES(99)", ["row-dangling 99"]],
    ["INSERT INTO unsent VALUES(99)", ["row-dangling 99"]],
    ["INSERT INTO unclustered VALUES(99)", ["row-dangling 99"]],
    ["INSERT INTO phantom VALUES(99)", ["row-dangling 99"]],
    ["DROP INDEX event_i1", []],
    ["DROP TABLE backlink", []],
  ])("finds what is wrong after %s", async (sql, expected) => {
    using scratch = new ScratchRepo();
    grow(scratch, 3, () => 0);
    scratch.repo.db.exec(sql);
    const { problems } = await check(scratch);
    expect(problems.map(({ code, rid }) => `${code} ${rid}`).sort()).toEqual([...expected].sort());
    for (const { message } of problems) expect(message.length).toBeGreaterThan(10);
  });

  test("a damaged database file", async () => {
    using scratch = new ScratchRepo();
    grow(scratch, 3, () => 0);
    const { db } = scratch.repo;
    db.exec("INSERT INTO filename(name) VALUES('a'),('b')");
    const [index] = db
      .prepare("SELECT rootpage FROM sqlite_schema WHERE name='sqlite_autoindex_filename_1'")
      .values<[number]>();
    scratch.repo.close();
    // The index page becomes a leaf without entries, whose content area begins at the end of the page.
    const fd = openSync(scratch.path, "r+");
    writeSync(fd, Uint8Array.of(0x0a, 0, 0, 0, 0, 0x10, 0, 0), 0, 8, (index![0] - 1) * 4096);
    closeSync(fd);
    scratch.reopen();
    const { problems } = await check(scratch);
    expect(new Set(problems.map(({ code }) => code))).toEqual(new Set(["database-damaged"]));
    expect(problems[0]!.message).toContain("sqlite_autoindex_filename_1");
  });

  test("in worker threads it finds the same", async () => {
    using scratch = new ScratchRepo();
    grow(scratch, 200, (i) => i >> 1);
    scratch.repo.db.exec(
      "UPDATE blob SET size=size+1 WHERE rid=100; UPDATE blob SET uuid=upper(uuid) WHERE rid=7",
    );
    scratch.repo.close();
    const worker = scratch.folder.write(
      "verify-worker.ts",
      ["executor", "repo-verify", "clock", "random"]
        .map((name, i) => {
          const names = ["serveJobs", "createVerifyJobs", "systemClock as clock", "systemRandom as random"];
          return `import { ${names[i]} } from ${JSON.stringify(new URL(`../src/${name}.ts`, import.meta.url).pathname)};\n`;
        })
        .concat("serveJobs(createVerifyJobs({ clock, random }));\n")
        .join(""),
    );
    const executor = workerExecutor<VerifyJobs>(Bun.pathToFileURL(worker), 2);
    try {
      const there = await verifyRepository(executor, scratch.path, { partCount: 9 });
      const here = await check(scratch, 9);
      expect(there).toEqual(here);
      expect(there.problems).toHaveLength(2);
    } finally {
      await executor.close();
      scratch.reopen();
    }
  });

  test("what is no repository is said to be none", async () => {
    using scratch = new ScratchRepo();
    const path = scratch.folder.write("text", "x".repeat(20_000));
    expect(verifyRepository(inlineExecutor(jobs), path)).rejects.toMatchObject({ code: "not-sqlite" });
  });
});
