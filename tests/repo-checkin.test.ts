import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseArtifact } from "../src/artifact-parse.ts";
import type { CheckIn, FileEntry } from "../src/artifact-types.ts";
import { text, utf8 } from "../src/bytes.ts";
import { EdgeSyncError, NameError, RepoError } from "../src/errors.ts";
import { asHash, hashContent, md5Hex } from "../src/hash.ts";
import { branchOf } from "../src/repo-branch.ts";
import { addInitialCheckIn, type CheckInResult, commit } from "../src/repo-checkin.ts";
import { deltaManifest, deltaPays, fullManifest } from "../src/repo-checkin-manifest.ts";
import type { CheckInRequest } from "../src/repo-checkin-place.ts";
import { type FileEdit, planTree } from "../src/repo-checkin-tree.ts";
import type { Rid } from "../src/repo-content.ts";
import { listFiles, readFile } from "../src/repo-files.ts";
import { isLeaf } from "../src/repo-leaf.ts";
import { rebuildRepository } from "../src/repo-rebuild.ts";
import { shun } from "../src/repo-shun.ts";
import { ScratchRepo } from "./scratch-repo.ts";

/** A repository with its initial check-in, and a clock that moves on with each commit. */
class Project extends ScratchRepo {
  readonly first: Rid;

  constructor() {
    super();
    this.first = addInitialCheckIn(this.repo, "ann");
  }

  commit(edits: readonly FileEdit[], more: Partial<CheckInRequest> = {}): CheckInResult {
    this.clock.time += 5000;
    return commit(this.repo, { edits, comment: "c", user: "ann", ...more });
  }

  manifest(rid: Rid): CheckIn {
    return parseArtifact(this.repo.content.get(rid)!) as CheckIn;
  }

  blobCount(): number {
    return this.repo.db.prepare("SELECT count(*) FROM blob").value<number>()!;
  }
}

const file = (name: string, content = name) => ({ name, content: utf8(content) });

function codeOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    if (error instanceof EdgeSyncError) return error.code;
    throw error;
  }
  return "none";
}

describe("the first check-in", () => {
  test("of a new repository is stock's", () => {
    using project = new Project();
    const cards = text(project.repo.content.get(project.first)!);
    expect(cards.replace(/^Z .*\n/m, "")).toBe(
      [
        "C initial\\sempty\\scheck-in",
        "D 2026-01-31T12:00:00.000",
        `R ${md5Hex()}`,
        "T *branch * trunk",
        "T *sym-trunk *",
        "U ann\n",
      ].join("\n"),
    );
    expect(isLeaf(project.repo.db, project.first)).toBe(true);
  });

  test("can be any other, and is on the main branch", () => {
    using scratch = new ScratchRepo();
    scratch.repo.config.set("main-branch", "main");
    const { rid, branch } = commit(scratch.repo, { edits: [file("a")], comment: "", user: "ann" });
    expect(branch).toBe("main");
    const { comment, parents, tags } = parseArtifact(scratch.repo.content.get(rid)!) as CheckIn;
    expect(comment).toBe("(no comment)");
    expect(parents).toEqual([]);
    expect(tags.map(({ action, name, value }) => [action + name, value])).toEqual([
      ["*branch", "main"],
      ["*sym-main", undefined],
    ]);
  });

  test("needs at least one file", () => {
    using scratch = new ScratchRepo();
    expect(codeOf(() => commit(scratch.repo, { edits: [], comment: "c", user: "ann" }))).toBe(
      "nothing-changed",
    );
  });
});

describe("a check-in", () => {
  test("changes, adds, renames and removes files of its parent", () => {
    using project = new Project();
    project.commit([file("a"), file("b"), file("dir/c"), { ...file("run"), permission: "x" }]);
    const { rid } = project.commit([
      file("a", "A"),
      { name: "b", remove: true },
      { name: "moved", priorName: "dir/c" },
      { name: "run", content: utf8("R") },
    ]);
    const files = listFiles(project.repo, rid).map(({ name, permission }) => [name, permission]);
    expect(files).toEqual([
      ["a", ""],
      ["moved", ""],
      ["run", "x"],
    ]);
    expect(text(readFile(project.repo, rid, "moved"))).toBe("dir/c");
    expect(project.manifest(rid).files.find(({ name }) => name === "moved")?.priorName).toBe("dir/c");
  });

  test("of a whole tree drops what it does not list", () => {
    using project = new Project();
    project.commit([file("a"), file("b"), { ...file("c"), permission: "x" }]);
    const { rid } = project.commit([file("a"), { name: "c" }], { wholeTree: true });
    expect(listFiles(project.repo, rid).map(({ name, permission }) => name + permission)).toEqual([
      "a",
      "cx",
    ]);
  });

  test("tells what it made, and is the leaf", () => {
    using project = new Project();
    const { rid, hash, date, isFork } = project.commit([file("a")]);
    expect(project.repo.content.hashOf(rid)).toBe(hash);
    expect(date).toBe(project.clock.time);
    expect(isFork).toBe(false);
    expect(isLeaf(project.repo.db, rid)).toBe(true);
    expect(isLeaf(project.repo.db, project.first)).toBe(false);
  });

  test("stores the version before as a delta of its own", () => {
    using project = new Project();
    const long = "a line of some length\n".repeat(100);
    const one = project.commit([file("a", long)]);
    const two = project.commit([file("a", `${long}more\n`)]);
    const ridOfFile = (rid: Rid) => listFiles(project.repo, rid)[0]!.rid!;
    expect(project.repo.content.sourceOf(ridOfFile(one.rid))).toBe(ridOfFile(two.rid));
    expect(project.repo.content.sourceOf(ridOfFile(two.rid))).toBeUndefined();
  });

  test("leaves the R card out when repo-cksum is off", () => {
    using project = new Project();
    const { rid } = project.commit([file("b", "B"), file("a", "AA")]);
    expect(project.manifest(rid).filesChecksum).toBe(md5Hex("a 2\nAAb 1\nB"));
    project.repo.config.set("repo-cksum", "0");
    expect(project.manifest(project.commit([file("a", "3")]).rid)).not.toHaveProperty("filesChecksum");
  });

  test("goes on from a check-in with a shunned file that is gone", () => {
    using project = new Project();
    project.commit([file("spam"), file("a", "1")]);
    const spam = hashContent(utf8("spam"), "sha3-256");
    shun(project.repo, spam);
    expect(project.manifest(project.commit([file("a", "2")]).rid)).toHaveProperty("filesChecksum");
    rebuildRepository(project.repo, { user: () => "ann", version: "test" });
    const { rid } = project.commit([file("a", "3")]);
    expect(project.manifest(rid)).not.toHaveProperty("filesChecksum");
    expect(listFiles(project.repo, rid).find(({ name }) => name === "spam")?.hash).toBe(spam);
    const { rid: without } = project.commit([{ name: "spam", remove: true }]);
    expect(project.manifest(without).filesChecksum).toBe(md5Hex("a 1\n3"));
  });

  test("that fails leaves nothing behind", () => {
    using project = new Project();
    project.commit([file("a")]);
    const before = project.blobCount();
    expect(codeOf(() => project.commit([file("new"), { name: "gone", remove: true }]))).toBe("no-such-file");
    expect(codeOf(() => project.commit([file("new2")], { comment: "a\0b" }))).toBe("artifact-text");
    expect(codeOf(() => project.commit([file("new3")], { date: Number.NaN }))).toBe("artifact-text");
    expect(project.blobCount()).toBe(before);
    project.commit([file("new")]);
    expect(project.blobCount()).toBe(before + 2);
  });
});

describe("branches", () => {
  test("begin, go on at their tip, and end the name of the one before", () => {
    using project = new Project();
    const base = project.commit([file("a")]);
    const begun = project.commit([file("b")], { branch: "side", branchColor: "#abc", color: "#fff" });
    expect(begun.branch).toBe("side");
    expect(project.manifest(begun.rid).tags.map(({ action, name }) => action + name)).toEqual([
      "*bgcolor",
      "*branch",
      "*sym-side",
      "-sym-trunk",
    ]);
    const next = project.commit([file("c")], { branch: "side" });
    expect(project.manifest(next.rid)).toMatchObject({ parents: [begun.hash], tags: [] });
    const trunk = project.commit([file("d")]);
    expect(project.manifest(trunk.rid).parents).toEqual([base.hash]);
    expect(branchOf(project.repo, trunk.rid)).toBe("trunk");
  });

  test("closed ones take no check-ins, but others may grow from them", () => {
    using project = new Project();
    const closed = project.commit([file("a")], { branch: "side", close: true });
    expect(codeOf(() => project.commit([file("b")], { parent: closed.rid }))).toBe("branch-closed");
    expect(codeOf(() => project.commit([file("b")], { parent: closed.rid, branch: "side" }))).toBe(
      "branch-closed",
    );
    expect(project.commit([file("b")], { parent: closed.rid, branch: "other" }).branch).toBe("other");
  });

  test("the name of an open one is refused elsewhere", () => {
    using project = new Project();
    const base = project.commit([file("a")]);
    project.commit([file("b")], { branch: "side" });
    const again = { parent: base.rid, branch: "side" };
    expect(codeOf(() => project.commit([file("c")], again))).toBe("branch-exists");
    expect(project.commit([file("c")], { ...again, allow: { branchReuse: true } }).branch).toBe("side");
  });

  test("forks are refused unless allowed", () => {
    using project = new Project();
    const base = project.commit([file("a")]);
    project.commit([file("b")]);
    expect(codeOf(() => project.commit([file("c")], { parent: base.rid }))).toBe("would-fork");
    expect(project.commit([file("c")], { parent: base.rid, allow: { fork: true } }).isFork).toBe(true);
  });

  test("merging an integrated leaf closes it", () => {
    using project = new Project();
    const side = project.commit([file("b")], { branch: "side" });
    const merged = project.commit([file("b")], {
      parent: project.first,
      merges: [{ rid: side.rid, close: true }],
    });
    expect(project.manifest(merged.rid)).toMatchObject({
      parents: [project.repo.content.hashOf(project.first), side.hash],
      tags: [{ action: "+", name: "closed", target: side.hash }],
    });
    expect(codeOf(() => project.commit([file("c")], { parent: side.rid }))).toBe("branch-closed");
  });

  test("a merge may change nothing", () => {
    using project = new Project();
    const side = project.commit([file("b")], { branch: "side" });
    expect(project.commit([], { parent: project.first, merges: [{ rid: side.rid }] }).branch).toBe("trunk");
  });
});

describe("what is refused", () => {
  test("nothing changed, unless allowed", () => {
    using project = new Project();
    project.commit([file("a")]);
    expect(codeOf(() => project.commit([file("a")]))).toBe("nothing-changed");
    expect(codeOf(() => project.commit([file("a")], { branch: "side" }))).toBe("nothing-changed");
    expect(project.commit([], { allow: { empty: true } }).branch).toBe("trunk");
    expect(project.commit([{ name: "a", permission: "x" }]).branch).toBe("trunk");
  });

  test("a date before the parent's, by whole seconds", () => {
    using project = new Project();
    const { date } = project.commit([file("a")]);
    project.clock.time -= 5000 + 1;
    expect(codeOf(() => project.commit([file("b")], { date: date - 1 }))).toBe("parent-younger");
    project.commit([file("b")], { date: date - 1, allow: { older: true } });
  });

  test("a parent that is no check-in, or none when there is no trunk", () => {
    using project = new Project();
    const { rid } = project.commit([file("a")]);
    const parent = listFiles(project.repo, rid)[0]!.rid!;
    expect(codeOf(() => project.commit([file("b")], { parent }))).toBe("not-a-checkin");
    const missing = asHash("0".repeat(40));
    const phantom = project.repo.content.ridOrPhantom(missing, false);
    expect(codeOf(() => project.commit([file("b")], { parent: phantom }))).toBe("content-missing");
    project.repo.config.set("main-branch", "main");
    expect(codeOf(() => project.commit([file("b")]))).toBe("no-parent");
  });

  test("content that is missing, when the R card needs it", () => {
    using project = new Project();
    const { rid } = project.commit([file("a"), file("b")]);
    project.repo.content.revertToPhantom(listFiles(project.repo, rid)[0]!.rid!);
    expect(codeOf(() => project.commit([file("b", "B")]))).toBe("content-missing");
    project.repo.config.set("repo-cksum", "off");
    expect(codeOf(() => project.commit([file("b", "B")]))).toBe("none");
  });

  test("everything, when dont-commit is set", () => {
    using project = new Project();
    project.repo.config.set("dont-commit", "1");
    expect(codeOf(() => project.commit([file("a")]))).toBe("commit-forbidden");
  });
});

describe("private check-ins", () => {
  test("stay private with all they bring, and so do their children", () => {
    using project = new Project();
    const secret = project.commit([file("s", "secret")], { isPrivate: true });
    const child = project.commit([file("s", "more")], { parent: secret.rid });
    expect([secret.branch, child.branch]).toEqual(["private", "private"]);
    expect([secret.isPrivate, child.isPrivate]).toEqual([true, true]);
    const { content, db } = project.repo;
    for (const rid of [secret.rid, child.rid, listFiles(project.repo, child.rid)[0]!.rid!]) {
      expect(content.isPrivate(rid)).toBe(true);
      expect(db.prepare("SELECT 1 FROM unclustered WHERE rid=?").value(rid)).toBeUndefined();
      expect(db.prepare("SELECT 1 FROM unsent WHERE rid=?").value(rid)).toBeUndefined();
    }
  });

  test("are not named by public ones, which make public what they hold", () => {
    using project = new Project();
    const secret = project.commit([file("s", "secret")], { isPrivate: true });
    const merged = project.commit([file("s", "secret")], {
      merges: [{ rid: secret.rid, close: true }],
      cherrypicks: [{ rid: secret.rid, backout: false }],
    });
    expect(project.manifest(merged.rid)).toMatchObject({
      parents: [project.repo.content.hashOf(project.first)],
      cherrypicks: [],
      tags: [],
    });
    expect(project.repo.content.isPrivate(listFiles(project.repo, merged.rid)[0]!.rid!)).toBe(false);
    expect(project.repo.content.isPrivate(secret.rid)).toBe(true);
  });
});

describe("delta manifests", () => {
  const hash = (name: string) => hashContent(utf8(name), "sha1");
  const entry = (name: string, content = name, permission: FileEntry["permission"] = ""): FileEntry => ({
    name,
    hash: hash(content),
    permission,
  });
  const full = (files: readonly FileEntry[]) =>
    fullManifest({
      comment: "c",
      date: 0,
      files,
      parents: [],
      cherrypicks: [],
      tags: [],
      closeSelf: false,
      closeMerged: [],
      user: "u",
    });

  test("list what differs, permissions and renames too, and what is gone", () => {
    const base = [entry("a"), entry("b"), entry("c"), entry("d"), entry("e")];
    const moved = { ...entry("e"), priorName: "b" };
    const after = [entry("a", "A"), entry("c"), entry("d", "d", "x"), moved, entry("f")];
    const delta = deltaManifest(full(after), hash("base"), base);
    expect(delta.baseline).toBe(hash("base"));
    expect(delta.files).toEqual([after[0]!, { name: "b", permission: "" }, after[2]!, moved, entry("f")]);
  });

  test("pay when few of many files differ", () => {
    const base = Array.from({ length: 100 }, (_, i) => entry(`f${i + 100}`));
    const changed = (count: number) => base.map((file, i) => (i < count ? entry(file.name, "new") : file));
    const pays = (count: number) =>
      deltaPays(full(changed(count)), deltaManifest(full(changed(count)), hash("base"), base));
    expect([1, 15, 16, 17, 18].map(pays)).toEqual([true, true, true, false, false]);
  });

  test("are made on demand and give the same tree", () => {
    using project = new Project();
    const names = Array.from({ length: 30 }, (_, i) => `f${i + 10}`);
    project.commit(names.map((name) => file(name)));
    expect(codeOf(() => project.commit([file("f10", "x")], { delta: "always" }))).toBe("delta-forbidden");
    project.repo.config.set("forbid-delta-manifests", "0");
    const edits = [file("f10", "x"), { name: "f11", remove: true as const }, file("new")];
    const one = project.commit(edits, { delta: "always" });
    const two = project.commit([file("f12", "y")]);
    expect(project.manifest(two.rid).baseline).toBe(project.manifest(one.rid).baseline!);
    const left = ["f10", ...names.slice(2), "new"];
    expect(listFiles(project.repo, two.rid).map(({ name }) => name)).toEqual(left);
    expect(text(readFile(project.repo, two.rid, "f10"))).toBe("x");
    expect(project.manifest(project.commit([file("f12", "z")], { delta: "never" }).rid).files.length).toBe(
      left.length,
    );
  });
});

describe("planTree", () => {
  const hash = hashContent(utf8(""), "sha1");
  const parent = ["a", "b", "dir/c"].map((name) => ({ name, hash, permission: "" as const }));
  const names = (edits: readonly FileEdit[]) => planTree(parent, edits, false).map(({ name }) => name);

  test.each([
    ["..", "file-name"],
    ["a/../b", "file-name"],
    ["/abs", "file-name"],
    ["", "file-name"],
    ["back\\slash", "file-name"],
    ["nul\0", "file-name"],
    ["lone\udce9", "file-name"],
    ["x/_FOSSIL_", "file-name"],
    [".fslckout-journal", "file-name"],
    ["a/b", "file-folder-clash"],
    ["dir", "file-folder-clash"],
  ])("refuses %p", (name, code) => {
    expect(codeOf(() => names([file(name)]))).toBe(code);
  });

  test("refuses edits of files that are not there, and renames onto others", () => {
    expect(codeOf(() => names([{ name: "x", remove: true }]))).toBe("no-such-file");
    expect(codeOf(() => names([{ name: "x" }]))).toBe("no-such-file");
    expect(codeOf(() => names([{ name: "y", priorName: "x" }]))).toBe("no-such-file");
    expect(codeOf(() => names([{ name: "b", priorName: "a" }]))).toBe("file-exists");
  });

  test("lets a folder take the place of a file, and names swap", () => {
    expect(names([{ name: "a", remove: true }, file("a/x")])).toEqual(["a/x", "b", "dir/c"]);
    const swapped = planTree(
      parent,
      [
        { name: "t", priorName: "a" },
        { name: "a", priorName: "b" },
        { name: "b", priorName: "t" },
      ],
      false,
    );
    expect(swapped.map(({ name, priorName }) => [name, priorName])).toEqual([
      ["a", "b"],
      ["b", "a"],
      ["dir/c", undefined],
    ]);
  });

  test("keeps odd old names it is not asked about", () => {
    const odd = [{ name: "back\\slash", hash, permission: "" as const }];
    expect(planTree(odd, [file("a")], false).map(({ name }) => name)).toEqual(["a", "back\\slash"]);
    expect(planTree(odd, [{ name: "back\\slash", permission: "x" }], false)[0]!.permission).toBe("x");
  });

  test("gives a sorted tree without clashes, or a NameError", () => {
    const name = fc.constantFrom("a", "b", "a/b", "b/c", "dir/c", "dir", "é", "..");
    const edit: fc.Arbitrary<FileEdit> = fc.oneof(
      name.map((n) => ({ name: n, remove: true as const })),
      name.map((n) => file(n)),
      fc.tuple(name, name).map(([n, priorName]) => ({ name: n, priorName })),
    );
    let planned = 0;
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 5 }), fc.boolean(), (edits, whole) => {
        try {
          const result = planTree(parent, edits, whole).map((each) => each.name);
          expect(result).toEqual([...new Set(result)].sort());
          planned++;
        } catch (error) {
          expect(error).toBeInstanceOf(NameError);
        }
      }),
      { seed: 7, numRuns: 1000 },
    );
    expect(planned).toBeGreaterThan(100);
  });
});

test("errors are RepoErrors with a hint", () => {
  using project = new Project();
  project.commit([file("a")]);
  try {
    project.commit([file("a")]);
  } catch (error) {
    expect(error).toBeInstanceOf(RepoError);
    expect((error as RepoError).hint).toBeString();
  }
});
