import { expect, test } from "bun:test";
import fc from "fast-check";
import { utf8 } from "../src/bytes.ts";
import { hashContent } from "../src/hash.ts";
import type { Rid } from "../src/repo-content.ts";
import { StockTrees, stockOrder } from "../src/repo-stock-trees.ts";
import { ScratchRepo } from "./scratch-repo.ts";

// Worked out by hand from the rule: slot (rid × 101) mod 20, the next free one when taken, by slot.
test.each([
  [[], []],
  [[7], [7]],
  [
    [1, 2],
    [1, 2],
  ],
  [
    [3, 20],
    [20, 3],
  ],
  [
    [5, 19, 21, 25],
    [21, 5, 25, 19],
  ],
  [
    [19, 39],
    [39, 19],
  ],
])("%j is visited as %j", (rids, expected) => {
  expect(stockOrder(rids)).toEqual(expected);
});

test("a table that grows from 20 to 60 slots, with the tenth rid", () => {
  const nine = [10, 20, 30, 40, 50, 60, 70, 80, 90];
  expect(stockOrder(nine)).toEqual([20, 40, 60, 80, 10, 30, 50, 70, 90]);
  expect(stockOrder([...nine, 100])).toEqual([60, 50, 40, 100, 30, 90, 20, 80, 10, 70]);
});

test("nothing is lost or added", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 100_000 }), { maxLength: 200 }), (rids) => {
      const ascending = rids.sort((a, b) => a - b);
      expect(stockOrder(ascending).sort((a, b) => a - b)).toEqual(ascending);
    }),
    { seed: 1, numRuns: 200 },
  );
});

test("trees of a repository: roots by rid, deltas under their sources, phantoms left out", () => {
  using scratch = new ScratchRepo();
  const { content, db } = scratch.repo;
  const put = (text: string) => content.put(utf8(text), { rcvid: 0, isPrivate: false });
  const padding = "a text of some length that all of these versions have in common\n".repeat(4);
  const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => put(padding + name)) as [Rid, Rid, Rid, Rid];
  content.deltify(a, [b]);
  content.deltify(b, [d]);
  content.deltify(c, [d]);
  content.ridOrPhantom(hashContent(utf8("phantom"), "sha1"), false);
  const trees = new StockTrees(content);
  expect(trees.roots().map(({ rid, size }) => [rid, size])).toEqual([[d, content.size(d)]]);
  const shape = (rid: Rid) => trees.deltasOf(rid).map(({ rid, hasDeltas }) => [rid, hasDeltas]);
  expect(shape(d)).toEqual([
    [b, true],
    [c, false],
  ]);
  expect(shape(b)).toEqual([[a, false]]);
  expect(shape(a)).toEqual([]);
  expect(trees.deltasOf(b)[0]!.hash).toBe(content.hashOf(a));
  expect(db.prepare("SELECT count(*) FROM delta").value()).toBe(3);
});
