import { expect, test } from "bun:test";
import { formatArtifact } from "../src/artifact-format.ts";
import type { CheckIn, TagEntry } from "../src/artifact-types.ts";
import { utf8 } from "../src/bytes.ts";
import { type Hash, hashContent } from "../src/hash.ts";
import type { Repo } from "../src/repo.ts";
import { checkLeaves, isLeaf, rebuildLeaves } from "../src/repo-leaf.ts";
import { receiveAll } from "../src/repo-receive.ts";
import { ScratchRepo } from "./scratch-repo.ts";

const nameOf = (bytes: Uint8Array): Hash => hashContent(bytes, "sha3-256");

function commit(comment: string, parents: readonly Hash[], branch?: string): Uint8Array {
  const tags: TagEntry[] =
    branch === undefined ? [] : [{ action: "*", name: "branch", target: undefined, value: branch }];
  const date = 60_000 * comment.charCodeAt(0);
  const checkIn: CheckIn = {
    type: "check-in",
    comment,
    date,
    files: [],
    parents,
    cherrypicks: [],
    tags,
    user: "u",
  };
  return formatArtifact(checkIn);
}

function receive(repo: Repo, ...artifacts: readonly Uint8Array[]): void {
  for (const bytes of artifacts) receiveAll(repo, { onWrong: "throw" }, (batch) => batch.add(bytes));
}

function leaves(repo: Repo): string[] {
  const rows = repo.db.prepare("SELECT comment FROM leaf JOIN event ON objid=leaf.rid ORDER BY comment");
  return rows.values<[string]>().flat();
}

const a = commit("a", [], "trunk");
const b = commit("b", [nameOf(a)]);
const c = commit("c", [nameOf(b)], "side");
const d = commit("d", [nameOf(b)]);
const merge = commit("e", [nameOf(d), nameOf(c)]);

test("the tip of each branch is a leaf; a merge into another branch leaves it one", () => {
  using scratch = new ScratchRepo();
  const { repo } = scratch;
  const seen = [a, b, c, d, merge].map((bytes) => {
    receive(repo, bytes);
    return leaves(repo).join(" ");
  });
  expect(seen).toEqual(["a", "b", "b c", "c d", "c e"]);
});

test("check-ins that arrive children first end as the same leaves", () => {
  using scratch = new ScratchRepo();
  const { repo } = scratch;
  receive(repo, merge, d, c, b, a);
  expect(leaves(repo)).toEqual(["c", "e"]);
});

test("moving a check-in to another branch changes its parent too", () => {
  using scratch = new ScratchRepo();
  const { repo } = scratch;
  receive(repo, a, b);
  const tags = [{ action: "*", name: "branch", target: nameOf(b), value: "moved" }] as const;
  receive(repo, formatArtifact({ type: "control", date: 9_000_000, tags, user: "u" }));
  expect(leaves(repo)).toEqual(["a", "b"]);
});

test("a table computed at once is the one that grew", () => {
  using scratch = new ScratchRepo();
  const { repo } = scratch;
  const loose = commit("f", [hashContent(utf8("unknown"), "sha1")]);
  receive(repo, a, b, c, d, merge, loose);
  const grown = repo.db.prepare("SELECT rid FROM leaf ORDER BY rid").values<[number]>().flat();
  repo.db.exec("DELETE FROM leaf");
  rebuildLeaves(repo.db);
  expect(repo.db.prepare("SELECT rid FROM leaf ORDER BY rid").values<[number]>().flat()).toEqual(grown);
  // Without a branch, and without a child that has one, a check-in is not looked at.
  const rid = repo.content.ridOf(nameOf(loose))!;
  expect([isLeaf(repo.db, rid), grown.includes(rid)]).toEqual([false, false]);
  checkLeaves(repo.db, [rid]);
  expect(leaves(repo)).toEqual(["c", "e"]);
});
