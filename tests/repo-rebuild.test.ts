import { describe, expect, test } from "bun:test";
import { formatArtifact } from "../src/artifact-format.ts";
import { parseArtifact } from "../src/artifact-parse.ts";
import type { CheckIn, TagEntry } from "../src/artifact-types.ts";
import { concat, utf8 } from "../src/bytes.ts";
import { createDelta } from "../src/delta-encode.ts";
import { type Hash, hashContent } from "../src/hash.ts";
import type { Repo } from "../src/repo.ts";
import type { Rid } from "../src/repo-content.ts";
import { type RebuildOptions, type RebuildReport, rebuildRepository } from "../src/repo-rebuild.ts";
import { receiveAll } from "../src/repo-receive.ts";
import { ScratchRepo } from "./scratch-repo.ts";

const nameOf = (bytes: Uint8Array): Hash => hashContent(bytes, "sha3-256");

const TRUNK: readonly TagEntry[] = [
  { action: "*", name: "branch", target: undefined, value: "trunk" },
  { action: "*", name: "sym-trunk", target: undefined },
];

function checkIn(files: Record<string, Uint8Array>, more: Partial<CheckIn> = {}): Uint8Array {
  const entries = Object.entries(files).map(([name, content]) => {
    return { name, hash: nameOf(content), permission: "" } as const;
  });
  const base = { comment: "c", date: 0, parents: [], cherrypicks: [], tags: [], user: "u" };
  return formatArtifact({ type: "check-in", ...base, files: entries, ...more });
}

function add(repo: Repo, artifacts: readonly Uint8Array[], isPrivate = false): Rid[] {
  const rids: Rid[] = [];
  receiveAll(repo, { onWrong: "throw" }, (batch) => {
    for (const bytes of artifacts) rids.push(batch.add(bytes, { isPrivate }));
  });
  return rids;
}

function rebuild(repo: Repo, options: Partial<RebuildOptions> = {}): RebuildReport {
  return rebuildRepository(repo, { user: () => "ann", version: "edgesync test", ...options });
}

function column(repo: Repo, sql: string): unknown[] {
  return repo.db.once<unknown, unknown[]>(sql, (statement) => statement.values().flat());
}

const versions = ["one", "two", "three"].map((word) =>
  utf8(`${"the same line over and over\n".repeat(9)}${word}`),
);
const [v1, v2, v3] = versions as [Uint8Array, Uint8Array, Uint8Array];
const first = checkIn({ a: v1 }, { tags: TRUNK });
const second = checkIn({ a: v2 }, { parents: [nameOf(first)], date: 60_000 });
const third = checkIn({ a: v3 }, { parents: [nameOf(second)], date: 120_000 });

describe("what a rebuild leaves", () => {
  test("derived tables are made anew from nothing", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    add(repo, [v1, v2, v3, first, second, third]);
    const tables = ["event", "mlink", "plink", "tagxref", "leaf", "filename", "tag", "unclustered"];
    const before = tables.map((table) => column(repo, `SELECT * FROM ${table} ORDER BY 1`));
    repo.db.exec("DROP TABLE mlink; DELETE FROM event; DELETE FROM tagxref; INSERT INTO leaf VALUES(1)");
    const report = rebuild(repo);
    expect(report).toEqual({ artifactCount: 6, linkedCount: 3, damaged: [] });
    // The numbers of rows may differ, but in so small a repository they do not.
    const after = tables.map((table) => column(repo, `SELECT * FROM ${table} ORDER BY 1`));
    expect(after.map((rows) => rows.length)).toEqual(before.map((rows) => rows.length));
    expect(column(repo, "SELECT rid FROM leaf")).toEqual([repo.content.ridOf(nameOf(third))]);
  });

  test("tables of ours and of others stay, settings too", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    repo.db.exec("CREATE TABLE fx_mine(x); INSERT INTO fx_mine VALUES(1); CREATE TABLE theirs(y)");
    repo.config.set("project-name", "kept");
    repo.config.set("remote-code", "dropped");
    rebuild(repo);
    expect(column(repo, "SELECT x FROM fx_mine")).toEqual([1]);
    expect(column(repo, "SELECT count(*) FROM theirs")).toEqual([0]);
    expect(repo.config.get("project-name")).toBe("kept");
    expect(repo.config.get("remote-code")).toBeUndefined();
    expect(repo.config.get("rebuilt")).toBe("edgesync test");
    expect(repo.config.get("aux-schema")).toBe("2015-01-24");
  });

  test("every index is there again", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    const indexes = "SELECT sql FROM sqlite_schema WHERE type='index' AND sql IS NOT NULL ORDER BY name";
    const before = column(repo, indexes);
    rebuild(repo);
    expect(column(repo, indexes)).toEqual(before);
    expect(before.length).toBeGreaterThan(10);
  });

  test("an error half way leaves everything as it was", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    add(repo, [v1, first]);
    const onProgress = () => {
      throw new Error("stopped");
    };
    expect(() => rebuild(repo, { onProgress })).toThrow("stopped");
    expect(column(repo, "SELECT count(*) FROM event")).toEqual([1]);
    expect(column(repo, "SELECT count(*) FROM mlink")).toEqual([1]);
  });
});

test("progress ends at the whole, in at most about a hundred steps", () => {
  using scratch = new ScratchRepo();
  const { repo } = scratch;
  add(
    repo,
    Array.from({ length: 250 }, (_, i) => utf8(`file ${i}`)),
  );
  const seen: number[] = [];
  rebuild(repo, {
    onProgress: ({ artifactCount, artifactTotal }) => {
      expect(artifactTotal).toBe(250);
      seen.push(artifactCount);
    },
  });
  expect(seen.length).toBeLessThanOrEqual(101);
  expect(seen.length).toBeGreaterThan(50);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
});

test("a damaged artifact is named with its dependents, the rest is linked", () => {
  using scratch = new ScratchRepo();
  const { repo } = scratch;
  const [r1, r2] = add(repo, [v1, v2, first]);
  repo.content.deltify(r1!, [r2!]);
  repo.db.prepare("UPDATE blob SET content=x'0000001078' WHERE rid=?").run(r2!);
  const reopened = scratch.reopen();
  const { damaged, linkedCount, artifactCount } = rebuild(reopened);
  expect(damaged.map(({ hash }) => hash)).toEqual([nameOf(v2), nameOf(v1)]);
  expect(damaged[0]!.error.code).toBe("content-damaged");
  expect([linkedCount, artifactCount]).toEqual([1, 1]);
});

test("a check-in is found wherever it hangs on ordinary files, and files on it", () => {
  using scratch = new ScratchRepo();
  const { repo } = scratch;
  const prefixed = concat([utf8("x"), first]);
  const inTheMidst = concat([utf8("y".repeat(500)), first, utf8("z".repeat(500))]);
  add(repo, [v1, inTheMidst]);
  const chain = [inTheMidst, prefixed, first, concat([first, utf8("more")])];
  for (const [i, content] of chain.entries()) {
    if (i === 0) continue;
    const source = repo.content.ridOf(nameOf(chain[i - 1]!))!;
    const delta = createDelta(chain[i - 1]!, content);
    repo.content.insertDelta(nameOf(content), delta, source, content.length, { rcvid: 0, isPrivate: false });
  }
  const report = rebuild(scratch.reopen());
  expect(report).toEqual({ artifactCount: 5, linkedCount: 1, damaged: [] });
});

test("sizes that are wrong are put right", () => {
  using scratch = new ScratchRepo();
  const { repo } = scratch;
  const [rid] = add(repo, [v1]);
  repo.db.prepare("UPDATE blob SET size=7 WHERE rid=?").run(rid!);
  rebuild(repo);
  expect(repo.content.size(rid!)).toBe(v1.length);
});

test("shunned artifacts go, and what was stored as deltas of them stays", () => {
  using scratch = new ScratchRepo();
  const { repo } = scratch;
  const [r1, r2] = add(repo, [v1, v2]);
  repo.content.deltify(r1!, [r2!]);
  repo.db.prepare("INSERT INTO shun(uuid) VALUES(?)").run(nameOf(v2));
  rebuild(repo);
  expect(repo.content.ridOf(nameOf(v2))).toBeUndefined();
  expect(repo.content.sourceOf(r1!)).toBeUndefined();
  expect(repo.content.getByHash(nameOf(v1))).toEqual(v1);
  expect(column(repo, "SELECT rid FROM unclustered")).toEqual([r1]);
});

test("waiting deltas and phantoms are passed over", () => {
  using scratch = new ScratchRepo();
  const { repo } = scratch;
  const [r1, r2] = add(repo, [v1, v2]);
  repo.content.deltify(r1!, [r2!]);
  repo.content.revertToPhantom(r2!);
  expect(rebuild(repo)).toEqual({ artifactCount: 0, linkedCount: 0, damaged: [] });
  expect(column(repo, "SELECT rid FROM phantom")).toEqual([r2]);
  expect(repo.content.size(r1!)).toBe(v1.length);
});

describe("the main branch", () => {
  const untagged = checkIn({ a: v1 });
  const child = checkIn({ a: v2 }, { parents: [nameOf(untagged)], date: 60_000 });
  const tags = (repo: Repo) =>
    column(repo, "SELECT tagname||' '||rid FROM tagxref JOIN tag USING(tagid) ORDER BY 1");

  test("is put on the first check-in where it is missing, once", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    repo.config.set("main-branch", "main");
    const [r1, r2] = add(repo, [untagged, child]);
    rebuild(repo);
    const expected = ["branch", "sym-main"].flatMap((name) => [`${name} ${r1}`, `${name} ${r2}`]);
    expect(tags(repo)).toEqual(expected);
    expect(column(repo, "SELECT rid FROM leaf")).toEqual([r2]);
    const controls = column(repo, "SELECT objid FROM event WHERE type='g' ORDER BY objid") as Rid[];
    const written = controls.map((rid) => parseArtifact(repo.content.get(rid)!));
    expect(written).toMatchObject([
      { user: "ann", tags: [{ action: "*", name: "sym-main", target: nameOf(untagged) }] },
      { user: "ann", tags: [{ action: "*", name: "branch", value: "main" }] },
    ]);
    rebuild(repo);
    expect(tags(repo)).toEqual(expected);
    expect(column(repo, "SELECT objid FROM event WHERE type='g' ORDER BY objid")).toEqual(controls);
  });

  test("is left alone where it is", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    add(repo, [first, second]);
    rebuild(repo);
    expect(column(repo, "SELECT count(*) FROM event WHERE type='g'")).toEqual([0]);
  });
});

test("files that only private check-ins use become private, and no public one is a delta of them", () => {
  using scratch = new ScratchRepo();
  const { repo } = scratch;
  const secret: readonly TagEntry[] = [{ action: "*", name: "private", target: undefined }];
  const [r1] = add(repo, [v1, first]);
  const [r2] = add(repo, [v2, v3]);
  const branch = checkIn({ a: v2 }, { parents: [nameOf(first)], tags: secret, date: 60_000 });
  const [rb] = add(repo, [branch], true);
  repo.db.exec("DELETE FROM private");
  repo.content.undelta(r1!);
  repo.content.deltify(r1!, [r2!]);
  expect(repo.content.sourceOf(r1!)).toBe(r2!);
  rebuild(repo);
  expect(column(repo, "SELECT rid FROM private ORDER BY rid")).toEqual([r2, rb]);
  expect(repo.content.sourceOf(r1!)).toBeUndefined();
  expect(repo.content.getByHash(nameOf(v1))).toEqual(v1);
});
