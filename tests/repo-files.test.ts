import { describe, expect, test } from "bun:test";
import { EMPTY, utf8 } from "../src/bytes.ts";
import { EdgeSyncError } from "../src/errors.ts";
import { hashContent } from "../src/hash.ts";
import { commit } from "../src/repo-checkin.ts";
import type { CheckInRequest } from "../src/repo-checkin-place.ts";
import type { Rid } from "../src/repo-content.ts";
import { fileOrigins, findFile, listFiles, readFile } from "../src/repo-files.ts";
import { ScratchRepo } from "./scratch-repo.ts";

function codeOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    if (error instanceof EdgeSyncError) return error.code;
    throw error;
  }
  return "no error";
}

function make(scratch: ScratchRepo, comment: string, request: Partial<CheckInRequest>): Rid {
  scratch.clock.time += 60_000;
  return commit(scratch.repo, { edits: [], comment, user: "ann", ...request }).rid;
}

const many = Array.from({ length: 60 }, (_, i) => ({ name: `many/${i}`, content: utf8(`${i}\n`) }));

/** A full manifest, then a delta manifest against it that changes, adds, deletes and renames. */
function setUp(scratch: ScratchRepo): { full: Rid; delta: Rid } {
  scratch.repo.config.set("forbid-delta-manifests", "0");
  const full = make(scratch, "full", {
    edits: [
      { name: "a.txt", content: utf8("one\n") },
      { name: "old.txt", content: utf8("moves\n") },
      { name: "gone.txt", content: utf8("goes\n") },
      { name: "run.sh", content: utf8("#!\n"), permission: "x" },
      { name: "link", content: utf8("a.txt"), permission: "l" },
      { name: "empty", content: EMPTY },
      { name: "ünï/😀.txt", content: utf8("name\n") },
      ...many,
    ],
    delta: "never",
  });
  const delta = make(scratch, "delta", {
    edits: [
      { name: "a.txt", content: utf8("two\n") },
      { name: "gone.txt", remove: true },
      { name: "new.txt", priorName: "old.txt" },
      { name: "zzz", content: utf8("last\n") },
    ],
    delta: "always",
  });
  return { full, delta };
}

describe("files of a check-in", () => {
  test("of a full manifest and of a delta manifest, in order of the bytes of their names", () => {
    using scratch = new ScratchRepo();
    const { full, delta } = setUp(scratch);
    const { repo } = scratch;
    expect(new TextDecoder().decode(repo.content.get(delta)!)).toMatch(/^B [0-9a-f]{64}\n/);
    const names = (rid: Rid) =>
      listFiles(repo, rid)
        .map(({ name }) => name)
        .filter((name) => !name.startsWith("many/"));
    expect(names(full)).toEqual(["a.txt", "empty", "gone.txt", "link", "old.txt", "run.sh", "ünï/😀.txt"]);
    expect(names(delta)).toEqual(["a.txt", "empty", "link", "new.txt", "run.sh", "zzz", "ünï/😀.txt"]);
    expect(listFiles(repo, delta)).toHaveLength(many.length + 7);
    expect(findFile(repo, delta, "run.sh")).toEqual({
      name: "run.sh",
      hash: hashContent(utf8("#!\n"), "sha3-256"),
      permission: "x",
      rid: repo.content.ridOf(hashContent(utf8("#!\n"), "sha3-256"))!,
      size: 3,
    });
    expect(findFile(repo, delta, "link")!.permission).toBe("l");
  });

  test("contents by version", () => {
    using scratch = new ScratchRepo();
    const { full, delta } = setUp(scratch);
    const { repo } = scratch;
    const read = (rid: Rid, name: string) => new TextDecoder().decode(readFile(repo, rid, name));
    expect([read(full, "a.txt"), read(delta, "a.txt"), read(delta, "new.txt"), read(delta, "empty")]).toEqual(
      ["one\n", "two\n", "moves\n", ""],
    );
    expect(read(delta, "ünï/😀.txt")).toBe("name\n");
    expect([codeOf(() => read(delta, "gone.txt")), codeOf(() => read(full, "zzz"))]).toEqual([
      "no-such-file",
      "no-such-file",
    ]);
    expect([findFile(repo, delta, "gone.txt"), findFile(repo, delta, "many")]).toEqual([
      undefined,
      undefined,
    ]);
  });

  test("what is no check-in, and what is not here", () => {
    using scratch = new ScratchRepo();
    const { full, delta } = setUp(scratch);
    const { repo } = scratch;
    const { content } = repo;
    const file = findFile(repo, delta, "zzz")!.rid!;
    expect(codeOf(() => listFiles(repo, file))).toBe("not-a-checkin");
    expect(codeOf(() => listFiles(repo, 9999 as Rid))).toBe("no-such-rid");
    content.revertToPhantom(file);
    expect(findFile(repo, delta, "zzz")).toMatchObject({ rid: file, size: undefined });
    expect(codeOf(() => readFile(repo, delta, "zzz"))).toBe("content-missing");
    content.undelta(delta);
    content.revertToPhantom(full);
    expect([codeOf(() => listFiles(repo, full)), codeOf(() => listFiles(repo, delta))]).toEqual([
      "content-missing",
      "content-missing",
    ]);
  });

  test("where each came from: the earliest ancestor with the same content, merges included", () => {
    using scratch = new ScratchRepo();
    const { full, delta } = setUp(scratch);
    const elsewhere = { edits: [{ name: "t", content: utf8("t\n") }], parent: full };
    make(scratch, "elsewhere", { ...elsewhere, branch: "elsewhere" });
    const side = make(scratch, "side", {
      edits: [{ name: "s", content: utf8("s\n") }],
      branch: "side",
      parent: full,
    });
    const merged = make(scratch, "merged", {
      edits: [
        { name: "s", content: utf8("s\n") },
        { name: "t", content: utf8("t\n") },
      ],
      parent: delta,
      merges: [{ rid: side }],
    });
    const { repo } = scratch;
    const files = listFiles(repo, merged);
    const origins = fileOrigins(repo, merged, files);
    const from = (name: string) => origins.get(name)?.checkIn;
    expect([from("a.txt"), from("link"), from("zzz"), from("s"), from("many/5"), from("t")]).toEqual([
      delta,
      full,
      delta,
      side,
      full,
      merged,
    ]);
    expect(origins.size).toBe(files.length);
    expect(origins.get("zzz")!.date).toBe(origins.get("a.txt")!.date);
    expect(fileOrigins(repo, full, listFiles(repo, full)).get("a.txt")!.checkIn).toBe(full);
  });
});
