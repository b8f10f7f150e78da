import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Hash, sha1Hex } from "../src/hash.ts";
import type { EpochMs } from "../src/julian.ts";
import type { Rid } from "../src/repo-content.ts";
import { LinkContext } from "../src/repo-link-context.ts";
import { insertTag, propagateTags, TAG_TYPE, type TagType } from "../src/repo-tag.ts";
import { ScratchRepo } from "./scratch-repo.ts";

const { cancel, singleton, propagating } = TAG_TYPE;
const START: EpochMs = Date.UTC(2026, 0, 1);

let scratch: ScratchRepo;
let context: LinkContext;
let reparented: (readonly [Rid, string])[];

beforeEach(() => {
  scratch = new ScratchRepo();
  reparented = [];
  const hooks = { reparent: (_ctx: LinkContext, rid: Rid, value: string) => reparented.push([rid, value]) };
  context = new LinkContext(scratch.repo, { hooks: hooks as never, isRebuild: false });
});

afterEach(() => scratch[Symbol.dispose]());

/** An artifact named `name`, on the timeline, whose primary parent is `parent`. */
function artifact(name: string, parent?: Rid): Rid {
  const { db, content } = scratch.repo;
  const rid = content.ridOrPhantom(sha1Hex(name) as Hash, false);
  db.prepare("REPLACE INTO event(type,mtime,objid,comment) VALUES('ci',1.5,?,?)").run(rid, name);
  if (parent !== undefined) link(rid, parent);
  return rid;
}

function link(child: Rid, parent: Rid, isPrimary = 1): void {
  const insert = "INSERT INTO plink(pid,cid,isprim,mtime) VALUES(?,?,?,2.5)";
  scratch.repo.db.prepare(insert).run(parent, child, isPrimary);
}

function chain(length: number): Rid[] {
  const rids: Rid[] = [];
  for (let i = 0; i < length; i++) rids.push(artifact(`chain ${i}`, rids.at(-1)));
  return rids;
}

const CARRIER = 77 as Rid;

function tag(target: Rid, name: string, type: TagType, minute: number, value: string | null = null): void {
  insertTag(context, { name, type, value, source: CARRIER, date: START + minute * 60_000, target });
}

/** `type value` of each tag on `rid`, with `*` for propagated rows. */
function tagsOf(rid: Rid): Record<string, string> {
  const rows = scratch.repo.db
    .prepare("SELECT tagname, tagtype, srcid, value FROM tagxref JOIN tag USING(tagid) WHERE rid=?")
    .values<[string, number, number, string | null]>(rid);
  return Object.fromEntries(
    rows.map(([name, type, source, value]) => [name, `${type}${source === 0 ? "*" : ""} ${value}`]),
  );
}

function event(rid: Rid): Record<string, unknown> {
  const sql = "SELECT bgcolor, euser, ecomment, mtime, omtime FROM event WHERE objid=?";
  return scratch.repo.db.prepare<Record<string, unknown>>(sql).get(rid)!;
}

describe("one row per artifact and tag", () => {
  test("the newest wins, whatever order they come in, and the first of two at the same time", () => {
    const rid = artifact("a");
    tag(rid, "x", singleton, 5, "five");
    tag(rid, "x", singleton, 3, "three");
    expect(tagsOf(rid)).toEqual({ x: "1 five" });
    tag(rid, "x", singleton, 5, "other five");
    expect(tagsOf(rid)).toEqual({ x: "1 five" });
    tag(rid, "x", cancel, 6);
    expect(tagsOf(rid)).toEqual({ x: "0 null" });
  });

  test("a text that is not UTF-8 stays as it is, also where it propagates", () => {
    const [root, child] = chain(2) as [Rid, Rid];
    tag(root, "gr\udcfcn", propagating, 1, "gr\udcfcn");
    const sql = "SELECT hex(tagname), hex(value) FROM tagxref JOIN tag USING(tagid) WHERE rid=?";
    expect(scratch.repo.db.prepare(sql).values(child)).toEqual([["6772FC6E", "6772FC6E"]]);
  });
});

describe("propagation", () => {
  test("follows primary parents only", () => {
    const [root, child] = chain(2) as [Rid, Rid];
    const merged = artifact("merged", child);
    link(merged, artifact("other"), 1);
    const aside = artifact("aside");
    link(aside, root, 0);
    tag(root, "x", propagating, 1, "v");
    expect([root, child, merged, aside].map(tagsOf)).toEqual([
      { x: "2 v" },
      { x: "2* v" },
      { x: "2* v" },
      {},
    ]);
  });

  test("stops at a direct row, even an older one, with all below it", () => {
    const [root, middle, leaf] = chain(3) as [Rid, Rid, Rid];
    tag(middle, "x", singleton, 1, "mine");
    tag(root, "x", propagating, 5, "v");
    expect([root, middle, leaf].map(tagsOf)).toEqual([{ x: "2 v" }, { x: "1 mine" }, {}]);
  });

  test("stops at a newer propagated row, replaces an older one", () => {
    const [root, middle, leaf] = chain(3) as [Rid, Rid, Rid];
    tag(root, "x", propagating, 2, "old");
    tag(middle, "x", propagating, 5, "new");
    expect(tagsOf(leaf)).toEqual({ x: "2* new" });
    tag(root, "x", propagating, 4, "newer at the root");
    expect([middle, leaf].map(tagsOf)).toEqual([{ x: "2 new" }, { x: "2* new" }]);
    tag(root, "x", propagating, 9, "newest");
    expect([middle, leaf].map(tagsOf)).toEqual([{ x: "2 new" }, { x: "2* new" }]);
  });

  test.each([
    ["cancelling", cancel],
    ["a singleton", singleton],
  ] as const)("%s takes what has propagated back", (_name, type) => {
    const [root, middle, leaf] = chain(3) as [Rid, Rid, Rid];
    tag(root, "x", propagating, 2, "v");
    tag(middle, "x", type, 3, "w");
    expect([root, middle, leaf].map(tagsOf)).toEqual([{ x: "2 v" }, { x: `${type} w` }, {}]);
  });

  test("a new child inherits; what the parent has only for itself, or cancelled, it does not", () => {
    const [root] = chain(1) as [Rid];
    tag(root, "x", propagating, 1, "v");
    tag(root, "y", singleton, 1, "w");
    tag(root, "z", cancel, 1);
    const child = artifact("late", root);
    const grandchild = artifact("later", child);
    propagateTags(context, root);
    expect([child, grandchild].map(tagsOf)).toEqual([{ x: "2* v" }, { x: "2* v" }]);
  });

  test("walks 20,000 generations, and ends in a cycle", () => {
    const insert = scratch.repo.db.prepare("INSERT INTO plink(pid,cid,isprim,mtime) VALUES(?,?,1,0)");
    scratch.repo.db.write(() => {
      for (let rid = 1000; rid < 21_000; rid++) insert.run(rid, rid + 1);
      insert.run(21_000, 1000);
      tag(1000 as Rid, "x", propagating, 1);
      expect(tagsOf(21_000 as Rid)).toEqual({ x: "2* null" });
      tag(1000 as Rid, "x", cancel, 2);
      expect(tagsOf(21_000 as Rid)).toEqual({});
    });
  });
});

describe("what tags change elsewhere", () => {
  test("bgcolor shows wherever it propagates, until it is cancelled", () => {
    const [root, child] = chain(2) as [Rid, Rid];
    tag(root, "bgcolor", propagating, 1, "#abc");
    expect([event(root), event(child)].map((row) => row["bgcolor"])).toEqual(["#abc", "#abc"]);
    tag(root, "bgcolor", singleton, 2, "#def");
    expect([event(root), event(child)].map((row) => row["bgcolor"])).toEqual(["#def", null]);
    tag(root, "bgcolor", cancel, 3, "#123");
    expect(event(root)["bgcolor"]).toBeNull();
  });

  test("user and comment override, and the comment's links replace those before", () => {
    const rid = artifact("a");
    const { db } = scratch.repo;
    db.prepare("INSERT INTO backlink(target,srctype,srcid,mtime) VALUES('00aa',0,?,1)").run(rid);
    tag(rid, "user", singleton, 1, "bob");
    tag(rid, "comment", singleton, 1, "see [BEEF]");
    expect(event(rid)).toMatchObject({ euser: "bob", ecomment: "see [BEEF]" });
    expect(db.prepare("SELECT target FROM backlink").values()).toEqual([["beef"]]);
    tag(rid, "user", cancel, 2);
    expect(event(rid)["euser"]).toBeNull();
  });

  test("date moves the entry and keeps its first time", () => {
    const rid = artifact("a");
    tag(rid, "date", singleton, 1, "2000-01-01T12:00:00");
    tag(rid, "date", singleton, 2, "2000-01-03T12:00:00");
    expect(event(rid)).toMatchObject({ mtime: 2451547, omtime: 1.5 });
  });

  test("branch asks for leaf checks, parent for other parents, private keeps from being sent", () => {
    const [root, child] = chain(2) as [Rid, Rid];
    tag(root, "branch", propagating, 1, "trunk");
    expect([...context.leafChecks].sort()).toEqual([root, child].sort());
    tag(child, "parent", cancel, 1, "no");
    tag(child, "parent", singleton, 2, "value");
    expect(reparented).toEqual([[child, "value"]]);
    tag(child, "private", singleton, 1);
    expect([root, child].map((rid) => scratch.repo.content.isPrivate(rid))).toEqual([false, true]);
  });
});

/**
 * The rules in one sentence each, for tags that come in the order of their dates: a tag of an artifact's own counts, the newest of
 * them; else that of the nearest ancestor along first parents that has one of its own, when it propagates; else none.
 */
test("any tags on any tree are as the model has them", () => {
  let round = 0;
  const node = fc.nat({ max: 11 });
  const type = fc.constantFrom(cancel, singleton, propagating);
  const tree = fc.array(fc.record({ parent: node, merged: fc.option(node) }), {
    minLength: 11,
    maxLength: 11,
  });
  const sets = fc.array(fc.record({ node, name: fc.constantFrom("x", "y"), type }), { maxLength: 14 });
  fc.assert(
    fc.property(tree, sets, fc.nat({ max: 11 }), (links, tags, late) => {
      round++;
      const parents = [undefined, ...links.map(({ parent }, i) => parent % (i + 1))];
      const rids: Rid[] = [];
      // Some artifacts come after the tags: what their parents have is handed on to them then.
      const isLate = (i: number): boolean => i > 0 && (i > late || isLate(parents[i]!));
      for (const [i, parent] of parents.entries()) {
        const rid = artifact(`${round} ${i}`);
        if (parent !== undefined && !isLate(i)) link(rid, rids[parent]!);
        rids.push(rid);
      }
      for (const [i, { merged }] of links.entries()) {
        if (merged !== null && merged <= i && merged !== parents[i + 1]) link(rids[i + 1]!, rids[merged]!, 0);
      }
      for (const [minute, { node, name, type }] of tags.entries()) {
        tag(rids[node]!, name, type, minute, `${minute}`);
      }
      for (const [i, parent] of parents.entries()) {
        if (parent === undefined || !isLate(i)) continue;
        link(rids[i]!, rids[parent]!);
        propagateTags(context, rids[parent]!);
      }
      const own = (i: number, name: string) =>
        tags
          .map((set, minute) => ({ ...set, minute }))
          .findLast((set) => set.node === i && set.name === name);
      const expected = (i: number, name: string): string | undefined => {
        const direct = own(i, name);
        if (direct !== undefined) return `${direct.type} ${direct.minute}`;
        for (let at = parents[i]; at !== undefined; at = parents[at]) {
          const above = own(at, name);
          if (above === undefined) continue;
          return above.type === propagating ? `${propagating}* ${above.minute}` : undefined;
        }
        return undefined;
      };
      for (const [i, rid] of rids.entries()) {
        const found = tagsOf(rid);
        for (const name of ["x", "y"]) expect([i, name, found[name]]).toEqual([i, name, expected(i, name)]);
      }
    }),
    { seed: 7, numRuns: 150 },
  );
});
