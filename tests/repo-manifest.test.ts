import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatArtifact } from "../src/artifact-format.ts";
import type { CheckIn, FileEntry, FilePermission } from "../src/artifact-types.ts";
import { compareUtf8, utf8 } from "../src/bytes.ts";
import { type Hash, hashContent } from "../src/hash.ts";
import type { Repo } from "../src/repo.ts";
import type { Rid } from "../src/repo-content.ts";
import {
  FileFinder,
  filesOf,
  isOrphan,
  type Manifest,
  ManifestFinder,
  Manifests,
} from "../src/repo-manifest.ts";
import { ScratchRepo } from "./scratch-repo.ts";

const hashOf = (text: string): Hash => hashContent(utf8(text), "sha1");

function checkIn(files: readonly FileEntry[], baseline?: Hash): Uint8Array {
  const base = { comment: "c", date: 0, parents: [], cherrypicks: [], tags: [], user: "u" };
  return formatArtifact({ type: "check-in", ...base, files, ...(baseline !== undefined && { baseline }) });
}

function file(name: string, text = "x", permission: FilePermission = ""): FileEntry {
  return { name, hash: hashOf(text), permission };
}

function put(repo: Repo, bytes: Uint8Array): Rid {
  return repo.content.put(bytes, { rcvid: 0, isPrivate: false });
}

describe("opening", () => {
  test("a full manifest, a delta manifest, and what is neither", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    const manifests = new Manifests(repo.content);
    const full = put(repo, checkIn([file("a"), file("b")]));
    const delta = put(repo, checkIn([file("a", "y")], repo.content.hashOf(full)));
    expect(manifests.open(full)).toMatchObject({ rid: full, baseFiles: undefined, baseRid: undefined });
    expect(manifests.open(delta)).toMatchObject({
      rid: delta,
      baseRid: full,
      baseFiles: [file("a"), file("b")],
    });
    expect(manifests.open(put(repo, utf8("a file")))).toBeUndefined();
    expect(manifests.open(repo.content.ridOrPhantom(hashOf("phantom"), false))).toBeUndefined();
  });

  test("a delta manifest without its baseline makes a phantom and is an orphan, until that arrives", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    const manifests = new Manifests(repo.content);
    const full = checkIn([file("a")]);
    const delta = put(repo, checkIn([file("a", "y")], hashContent(full, "sha3-256")));
    const orphan = manifests.open(delta)!;
    expect(isOrphan(orphan) && repo.content.isPhantom(orphan.baseline)).toBe(true);
    put(repo, full);
    expect(isOrphan(manifests.open(delta)!)).toBe(false);
  });

  test("a check-in is read once and then kept", () => {
    using scratch = new ScratchRepo();
    const manifests = new Manifests(scratch.repo.content);
    const rid = put(scratch.repo, checkIn([file("a")]));
    expect(manifests.kept(rid)).toBeUndefined();
    const first = manifests.checkIn(rid);
    expect(manifests.checkIn(rid)).toBe(first!);
    expect(manifests.kept(rid)).toBe(first!);
  });

  test("what is kept is bounded in files, the oldest go first, the newest stays whatever its size", () => {
    using scratch = new ScratchRepo();
    const manifests = new Manifests(scratch.repo.content);
    const many = new Array<FileEntry>(18_000).fill(file("a"));
    const large = {
      type: "check-in",
      date: 0,
      files: many,
      parents: [],
      cherrypicks: [],
      tags: [],
    } as CheckIn;
    for (const rid of [1, 2, 3] as Rid[]) manifests.keep(rid, large);
    expect(([1, 2, 3] as Rid[]).map((rid) => manifests.kept(rid) !== undefined)).toEqual([false, true, true]);
    manifests.keep(4 as Rid, { ...large, files: [...many, ...many, ...many] });
    expect(manifests.kept(4 as Rid)?.files.length).toBe(54_000);
    expect(manifests.kept(3 as Rid)).toBeUndefined();
  });
});

const names = fc.uniqueArray(fc.constantFrom("a", "b", "b/c", "b0", "é", "z", "\u{1f600}", "\uffee"));
const lists = names.map((list) => list.sort(compareUtf8));

describe("finding files", () => {
  test("any sequence of names is found like in a list", () => {
    fc.assert(
      fc.property(
        lists,
        fc.array(fc.constantFrom("a", "b", "b/c", "é", "y", "\u{1f600}", "\uffee")),
        (list, asked) => {
          const files = list.map((name) => file(name));
          const finder = new FileFinder(files);
          for (const name of asked)
            expect(finder.find(name)).toBe(files.find((entry) => entry.name === name)!);
        },
      ),
      { seed: 1, numRuns: 60 },
    );
  });

  test("a delta manifest shows its baseline with its own entries on top", () => {
    const deltas = fc.array(fc.tuple(fc.constantFrom("a", "b", "b/c", "q", "z"), fc.boolean()));
    fc.assert(
      fc.property(lists, deltas, (list, changes) => {
        const own = new Map(changes);
        const files = [...own]
          .sort(([a], [b]) => compareUtf8(a, b))
          .map(([name, isDeleted]): FileEntry => (isDeleted ? { name, permission: "" } : file(name, "new")));
        const baseFiles = list.map((name) => file(name, "old"));
        const manifest = { rid: 1, files, baseFiles, baseRid: 2 } as unknown as Manifest;
        const expected = new Map(baseFiles.map((entry) => [entry.name, entry]));
        for (const entry of files) {
          if (entry.hash === undefined) expected.delete(entry.name);
          else expected.set(entry.name, entry);
        }
        const sorted = [...expected.values()].sort((a, b) => compareUtf8(a.name, b.name));
        expect([...filesOf(manifest)]).toEqual(sorted);
        const finder = new ManifestFinder(manifest);
        for (const name of ["a", "b", "b/c", "q", "z", "é"])
          expect(finder.find(name)).toEqual(expected.get(name));
      }),
      { seed: 2, numRuns: 60 },
    );
  });
});
