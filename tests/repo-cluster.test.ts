import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseArtifact } from "../src/artifact-parse.ts";
import type { Cluster } from "../src/artifact-types.ts";
import { utf8 } from "../src/bytes.ts";
import { type Hash, hashContent, md5Hex } from "../src/hash.ts";
import type { Repo } from "../src/repo.ts";
import { createClusters, split } from "../src/repo-cluster.ts";
import type { Rid } from "../src/repo-content.ts";
import { receiveAll } from "../src/repo-receive.ts";
import { ScratchRepo } from "./scratch-repo.ts";

function fill(repo: Repo, count: number): Hash[] {
  const hashes: Hash[] = [];
  receiveAll(repo, { onWrong: "throw" }, (batch) => {
    for (let i = 0; i < count; i++) hashes.push(repo.content.hashOf(batch.add(utf8(`file ${i}\n`))));
  });
  return hashes.sort();
}

function unclustered(repo: Repo): Rid[] {
  return repo.db.prepare("SELECT rid FROM unclustered ORDER BY rid").values<[Rid]>().flat() as Rid[];
}

function members(repo: Repo, rid: Rid): readonly Hash[] {
  return (parseArtifact(repo.content.get(rid)!) as Cluster).members;
}

test.each([
  [100, [100]],
  [800, [800]],
  [900, [900]],
  [901, [800, 101]],
  [1503, [800, 703]],
  [1700, [800, 900]],
  [1701, [800, 800, 101]],
])("%i artifacts are split as stock splits them", (count, sizes) => {
  const clusters = split(Array.from({ length: count }, (_, i) => i));
  expect(clusters.map((cluster) => cluster.length)).toEqual(sizes);
});

test("splitting keeps every member, once and in order", () => {
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 5000 }), (count) => {
      const all = Array.from({ length: count }, (_, i) => i);
      expect(split(all).flat()).toEqual(all);
      for (const cluster of split(all)) expect(cluster.length).toBeLessThanOrEqual(900);
    }),
    { seed: 1, numRuns: 40 },
  );
});

test("ninety-nine artifacts are not worth a cluster", () => {
  using scratch = new ScratchRepo();
  fill(scratch.repo, 99);
  expect(createClusters(scratch.repo)).toEqual([]);
  expect(unclustered(scratch.repo).length).toBe(99);
});

test("a cluster takes the place of its members", () => {
  using scratch = new ScratchRepo();
  const { repo } = scratch;
  const hashes = fill(repo, 120);
  const clusters = createClusters(repo, { user: "ann", ipaddr: "10.0.0.1" });
  expect(clusters.map((rid) => members(repo, rid))).toEqual([hashes]);
  expect(unclustered(repo)).toEqual([...clusters]);
  const tags = "SELECT rid FROM tagxref JOIN tag USING(tagid) WHERE tagname='cluster' AND tagtype=1";
  expect(repo.db.prepare(tags).values()).toEqual([[clusters[0]!]]);
  expect(createClusters(repo)).toEqual([]);
});

test("phantoms, private and shunned artifacts stay out", () => {
  using scratch = new ScratchRepo();
  const { repo } = scratch;
  const hashes = fill(repo, 103);
  const phantom = repo.content.ridOrPhantom(hashContent(utf8("missing"), "sha3-256"), false);
  repo.content.makePrivate(repo.content.ridOf(hashes[0]!)!);
  repo.db.prepare("INSERT INTO shun(uuid) VALUES(?)").run(hashes[1]!);
  const [cluster] = createClusters(repo);
  expect(members(repo, cluster!)).toEqual(hashes.slice(2));
  expect(unclustered(repo)).toContain(phantom);
  expect(unclustered(repo).length).toBe(3);
});

test("a cluster from a peer makes phantoms of what is unknown, and they are not announced when they arrive", () => {
  using maker = new ScratchRepo();
  using taker = new ScratchRepo();
  const hashes = fill(maker.repo, 100);
  const [cluster] = createClusters(maker.repo);
  const { repo } = taker;
  const receive = (hash: Hash) => {
    const content = maker.repo.content.getByHash(hash)!;
    receiveAll(repo, { onWrong: "throw" }, (batch) => batch.receive({ hash, content }));
  };
  receive(maker.repo.content.hashOf(cluster!));
  expect(repo.db.prepare("SELECT count(*) FROM phantom").value()).toBe(100);
  expect(unclustered(repo).length).toBe(1);
  receive(hashes[5]!);
  expect(repo.db.prepare("SELECT count(*) FROM phantom").value()).toBe(99);
  expect(unclustered(repo).length).toBe(1);
});

test("a cluster tells that a phantom held for private is public", () => {
  using scratch = new ScratchRepo();
  const { repo } = scratch;
  const hash = hashContent(utf8("missing"), "sha3-256");
  const rid = repo.content.ridOrPhantom(hash, true);
  const content = utf8(`M ${hash}\n`);
  const cluster = utf8(`M ${hash}\nZ ${md5Hex(content)}\n`);
  receiveAll(repo, { onWrong: "throw" }, (batch) => batch.add(cluster));
  expect(repo.content.isPrivate(rid)).toBe(false);
  expect(unclustered(repo)).not.toContain(rid);
});
