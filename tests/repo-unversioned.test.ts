import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { text, utf8 } from "../src/bytes.ts";
import { type Hash, hashContent, sha1Hex } from "../src/hash.ts";
import { UNVERSIONED_NAME_MAX_BYTES } from "../src/limits.ts";
import { Unversioned } from "../src/repo-unversioned.ts";
import { ScratchRepo } from "./scratch-repo.ts";

let scratch: ScratchRepo;
let files: Unversioned;

beforeEach(() => {
  scratch?.[Symbol.dispose]();
  scratch = new ScratchRepo();
  files = new Unversioned(scratch.repo);
});
afterAll(() => scratch[Symbol.dispose]());

const sha3 = (content: string) => hashContent(utf8(content), "sha3-256");
const NOTHING = "da39a3ee5e6b4b0d3255bfef95601890afd80709";

function row(name: string): unknown[] | undefined {
  return scratch.repo.db
    .prepare("SELECT rcvid, mtime, hash, sz, encoding, typeof(content) FROM unversioned WHERE name=?")
    .values<[number, number, string | null, number, number, string]>(name)[0];
}

describe("files", () => {
  test("before there are any", () => {
    expect(files.catalogHash()).toBe(NOTHING);
    expect([files.entries(), files.entry("a"), files.content("a")]).toEqual([[], undefined, undefined]);
    expect([files.remove("a", 1), files.touch("a", 1), files.forget("a")]).toEqual([false, false, false]);
    expect(files.isCatalogHashKept).toBe(true);
    const tables = scratch.repo.db.prepare("SELECT 1 FROM sqlite_schema WHERE name='unversioned'").all();
    expect(tables).toEqual([]);
  });

  test("are kept compressed where that saves a fifth", () => {
    const long = "hello ".repeat(40);
    expect(files.add("long.txt", utf8(long), 100, 7)).toEqual({
      name: "long.txt",
      mtime: 100,
      hash: sha3(long),
      size: 240,
    });
    files.add("a/short", utf8("x"), 101, 8);
    files.add("empty", utf8(""), 102, 9);
    expect(row("long.txt")).toEqual([7, 100, sha3(long), 240, 1, "blob"]);
    expect(row("a/short")).toEqual([8, 101, sha3("x"), 1, 0, "blob"]);
    expect(row("empty")).toEqual([9, 102, sha3(""), 0, 0, "blob"]);
    expect(["long.txt", "a/short", "empty"].map((name) => text(files.content(name)!))).toEqual([
      long,
      "x",
      "",
    ]);
    expect(files.entries().map(({ name }) => name)).toEqual(["a/short", "empty", "long.txt"]);
  });

  test("as received: an empty one has no content, and is empty all the same", () => {
    files.put({ name: "e", mtime: 1, hash: sha3(""), size: 0 }, utf8(""), 2);
    expect(row("e")).toEqual([2, 1, sha3(""), 0, 0, "null"]);
    expect(files.content("e")).toHaveLength(0);
  });

  test("whose content is not here", () => {
    files.add("a", utf8("x"), 1, 0);
    scratch.repo.db.exec("UPDATE unversioned SET content=NULL");
    expect(files.entry("a")?.size).toBe(1);
    expect(files.content("a")).toBeUndefined();
  });

  test("deleted ones leave a mark, which wins over older versions", () => {
    files.add("a", utf8("x"), 100, 3);
    expect(files.remove("a", 200)).toBe(true);
    expect(row("a")).toEqual([3, 200, null, 0, 0, "null"]);
    expect(files.entry("a")).toEqual({ name: "a", mtime: 200, hash: undefined, size: 0 });
    expect(files.content("a")).toBeUndefined();
    expect(files.remove("a", 201, 4)).toBe(true);
    expect(row("a")?.[0]).toBe(4);
    expect(files.remove("never", 1, 4)).toBe(false);
    expect(files.entries()).toHaveLength(1);
    expect(files.forget("a")).toBe(true);
    expect(files.entries()).toEqual([]);
  });

  test.each([
    ["", "simple"],
    ["/a", "simple"],
    ["a/../b", "simple"],
    ["a b", "white space"],
    ["a".repeat(UNVERSIONED_NAME_MAX_BYTES + 1), "longer than 500 bytes"],
    ["ä".repeat(UNVERSIONED_NAME_MAX_BYTES / 2 + 1), "longer than 500 bytes"],
  ])("named %j are refused", (name, why) => {
    expect(() => files.add(name, utf8("x"), 1, 0)).toThrow(why);
    expect(files.entries()).toEqual([]);
  });

  test("may have the longest name", () => {
    const name = "a".repeat(UNVERSIONED_NAME_MAX_BYTES);
    expect(files.add(name, utf8("x"), 1, 0).name).toBe(name);
  });

  test("are named by the hash policy", () => {
    scratch.repo.config.set("hash-policy", "0");
    expect(files.add("a", utf8("x"), 1, 0).hash).toBe(hashContent(utf8("x"), "sha1"));
  });
});

describe("the catalog hash", () => {
  const line = (name: string, time: string, content: string) => `${name} ${time} ${sha3(content)}\n`;

  test("is over the live files in order of name", () => {
    files.add("b", utf8("2"), 1_700_000_000, 0);
    files.add("B", utf8("1"), 0, 0);
    files.add("ä", utf8("3"), 86_400, 0);
    files.add("gone", utf8("4"), 1, 0);
    files.remove("gone", 2);
    const lines = [
      line("B", "1970-01-01 00:00:00", "1"),
      line("b", "2023-11-14 22:13:20", "2"),
      line("ä", "1970-01-02 00:00:00", "3"),
    ];
    expect(files.catalogHash()).toBe(sha1Hex(...lines));
  });

  test("is kept until something changes", () => {
    const { config } = scratch.repo;
    files.add("a", utf8("x"), 1, 0);
    const changes = [
      () => files.add("a", utf8("y"), 2, 0),
      () => files.touch("a", 3),
      () => files.remove("a", 4),
      () => files.put({ name: "a", mtime: 5, hash: sha3("z"), size: 1 }, utf8("z"), 0),
      () => files.forget("a"),
    ];
    for (const change of changes) {
      const before = files.catalogHash();
      expect(config.get("uv-hash")).toBe(before);
      change();
      expect(config.get("uv-hash")).toBeUndefined();
      expect(files.isCatalogHashKept).toBe(false);
      expect(files.catalogHash()).not.toBe(before);
    }
    config.set("uv-hash", NOTHING);
    expect(files.catalogHash()).toBe(NOTHING);
  });

  test("is computed but not kept by a reader", () => {
    files.add("a", utf8("x"), 1, 0);
    const reader = new Unversioned(scratch.reopen({ mode: "read" }));
    expect(reader.isCatalogHashKept).toBe(false);
    expect(reader.catalogHash()).toBe(sha1Hex(line("a", "1970-01-01 00:00:01", "x")));
    expect(reader.isCatalogHashKept).toBe(false);
  });
});

describe("two versions", () => {
  const [low, high] = [sha3("x"), sha3("y")].sort() as [Hash, Hash];

  test("the newer wins; of two as old, the one with the greater hash", () => {
    const contents = new Map([sha3("x"), sha3("y")].map((hash, i) => [hash, utf8("xy"[i]!)]));
    files.put({ name: "a", mtime: 100, hash: low, size: 1 }, contents.get(low)!, 0);
    expect(files.compare("other", 1, low)).toBe("unknown");
    expect(files.compare("a", 100, low)).toBe("same");
    expect(files.compare("a", 101, low)).toBe("touched");
    expect(files.compare("a", 99, low)).toBe("touched-here");
    expect(files.compare("a", 101, high)).toBe("newer");
    expect(files.compare("a", 99, high)).toBe("older");
    expect(files.compare("a", 100, high)).toBe("newer");
    expect(files.compare("a", 101, undefined)).toBe("newer");
    expect(files.compare("a", 100, undefined)).toBe("older");
    files.put({ name: "a", mtime: 100, hash: high, size: 1 }, contents.get(high)!, 0);
    expect(files.compare("a", 100, low)).toBe("older");
    files.remove("a", 100);
    expect(files.compare("a", 100, undefined)).toBe("same");
    expect(files.compare("a", 101, undefined)).toBe("touched");
    expect(files.compare("a", 99, undefined)).toBe("touched-here");
    expect(files.compare("a", 100, low)).toBe("newer");
  });
});
