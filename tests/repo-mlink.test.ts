/** Which rows check-ins get in mlink, case by case; `tests/interop/` compares whole histories with stock. */
import { expect, test } from "bun:test";
import { formatArtifact } from "../src/artifact-format.ts";
import type { CheckIn, FileEntry, FilePermission } from "../src/artifact-types.ts";
import { utf8 } from "../src/bytes.ts";
import { type Hash, hashContent } from "../src/hash.ts";
import { receiveAll } from "../src/repo-receive.ts";
import { ScratchRepo } from "./scratch-repo.ts";

const contents = new Map(["v1", "v2", "v3"].map((name) => [hashContent(utf8(name), "sha1") as string, name]));

/** `"a=v1"`, `"a=v1 x"`, `"b=v1 < a"` renamed from a, `"a"` deleted. */
function file(text: string): FileEntry {
  const [, name, content, permission = "", priorName] = /^(\w+)(?:=(\w+))?(?: ([xl]))?(?: < (\w+))?$/.exec(
    text,
  )!;
  return {
    name: name!,
    ...(content !== undefined && { hash: hashContent(utf8(content), "sha1") }),
    permission: permission as FilePermission,
    ...(priorName !== undefined && { priorName }),
  };
}

class History implements Disposable {
  private readonly scratch = new ScratchRepo();
  private date = 0;

  commit(files: readonly string[], parents: readonly Hash[] = [], more: Partial<CheckIn> = {}): Hash {
    this.date += 60_000;
    const base = { comment: "c", date: this.date, cherrypicks: [], tags: [], user: "u" };
    const bytes = formatArtifact({ type: "check-in", ...base, files: files.map(file), parents, ...more });
    receiveAll(this.scratch.repo, { onWrong: "throw" }, (batch) => batch.add(bytes));
    return hashContent(bytes, "sha3-256");
  }

  /** Rows as `name: before > after`, with what else is to be said. */
  rows(checkIn: Hash): string[] {
    const rows = this.scratch.repo.db
      .prepare(
        `SELECT f.name, p.name, m.pid, old.uuid, new.uuid, m.mperm, m.isaux FROM mlink m
           JOIN filename f USING(fnid) LEFT JOIN filename p ON p.fnid=m.pfnid
           LEFT JOIN blob old ON old.rid=m.pid LEFT JOIN blob new ON new.rid=m.fid
          WHERE m.mid=(SELECT rid FROM blob WHERE uuid=?) ORDER BY m.rowid`,
      )
      .values<[string, string | null, number, string | null, string | null, number, number]>(checkIn);
    return rows.map(([name, prior, pid, before, after, mperm, isaux]) => {
      const old = pid === -1 ? "merge" : (contents.get(before ?? "") ?? "-");
      const marks = [
        mperm > 0 ? `perm ${mperm}` : "",
        prior === null ? "" : `was ${prior}`,
        isaux ? "aux" : "",
      ];
      return [
        `${name}: ${old} > ${contents.get(after ?? "") ?? "-"}`,
        ...marks.filter((mark) => mark !== ""),
      ].join(", ");
    });
  }

  [Symbol.dispose](): void {
    this.scratch[Symbol.dispose]();
  }
}

test("a first check-in adds every file", () => {
  using history = new History();
  const first = history.commit(["a=v1", "b=v1 x", "c=v2 l"]);
  expect(history.rows(first)).toEqual(["a: - > v1", "b: - > v1, perm 1", "c: - > v2, perm 2"]);
});

test.each([
  ["changed", ["a=v2", "b=v1"], ["a: v1 > v2"]],
  ["added", ["a=v1", "b=v1", "c=v3"], ["c: - > v3"]],
  ["deleted", ["a=v1"], ["b: v1 > -"]],
  ["made executable", ["a=v1 x", "b=v1"], ["a: v1 > v1, perm 1"]],
  ["renamed", ["a=v1", "c=v1 < b"], ["c: v1 > v1, was b", "b: v1 > -"]],
  ["renamed from what was not there", ["a=v1", "b=v1", "c=v2 < q"], ["c: - > v2"]],
  ["untouched", ["a=v1", "b=v1"], []],
])("a file %s", (_what, files, expected) => {
  using history = new History();
  const first = history.commit(["a=v1", "b=v1"]);
  expect(history.rows(history.commit(files, [first]))).toEqual(expected);
});

test("a merge: rows against each parent, for names that the first has one for; -1 for what the other brought", () => {
  using history = new History();
  const base = history.commit(["a=v1", "b=v1"]);
  const left = history.commit(["a=v1", "b=v2"], [base]);
  const right = history.commit(["a=v2", "b=v1", "c=v3", "d=v3"], [base]);
  const merge = history.commit(["a=v3", "b=v2", "c=v3", "d=v1"], [left, right]);
  expect(history.rows(merge)).toEqual([
    "a: v1 > v3",
    "c: merge > v3",
    "d: - > v1",
    "a: v2 > v3, aux",
    "d: v3 > v1, aux",
  ]);
});

test("a cherry-pick counts as a parent to compare with, a backout does not", () => {
  using history = new History();
  const base = history.commit(["a=v1"]);
  const other = history.commit(["a=v1", "c=v3"], [base]);
  const picked = history.commit(["a=v1", "c=v3"], [base], { cherrypicks: [{ backout: false, from: other }] });
  expect(history.rows(picked)).toEqual(["c: merge > v3"]);
  const back = history.commit(["a=v1", "c=v3"], [base], { cherrypicks: [{ backout: true, from: other }] });
  expect(history.rows(back)).toEqual(["c: - > v3"]);
});

test("delta manifests: own entries, deletions, and what falls back to the baseline", () => {
  using history = new History();
  const base = history.commit(["a=v1", "b=v1", "c=v1"]);
  const first = history.commit(["a=v2", "b"], [base], { baseline: base });
  expect(history.rows(first)).toEqual(["a: v1 > v2", "b: v1 > -"]);
  const second = history.commit(["c=v2"], [first], { baseline: base });
  expect(history.rows(second)).toEqual(["c: v1 > v2", "a: v2 > v1", "b: - > v1"]);
  const full = history.commit(["a=v1", "b=v1"], [second]);
  expect(history.rows(full)).toEqual(["c: v2 > -"]);
});

test("without its first parent a check-in has no rows", () => {
  using history = new History();
  const missing = hashContent(utf8("missing"), "sha1");
  expect(history.rows(history.commit(["a=v1"], [missing, history.commit(["a=v2"])]))).toEqual([]);
});
