/** What merges leave to be decided, the strategies that stock does not have, and that stock goes on afterwards. */
import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { newestStock } from "../stock.ts";
import { CheckoutPair } from "./two-checkouts.ts";

let pair: CheckoutPair;
afterEach(() => pair.dir.remove());

/** `text` and `data.bin` changed on both sides, `gone` on ours and removed on theirs, which is written last. */
function conflicting(extra: () => void = () => {}): string {
  pair = new CheckoutPair(newestStock());
  pair.write("text", "one\ntwo\nthree\n");
  pair.write("data.bin", "\0old");
  pair.write("gone", "old\n");
  extra();
  pair.commit("first");
  pair.write("text", "one\nOURS\nthree\n");
  pair.write("data.bin", "\0ours");
  pair.commit("ours");
  pair.base("update", "prev");
  pair.write("text", "one\nTHEIRS\nthree\n");
  pair.write("data.bin", "\0theirs");
  pair.base("rm", "--hard", "gone");
  pair.commit("theirs", "--branch", "other");
  pair.base("update", "trunk");
  return pair.fork().ours;
}

const read = (copy: string, name: string) => readFileSync(join(pair.tree(copy), name), "utf8");
const list = async (copy: string) => (await pair.edgesync(copy, "conflicts", "ls")).stdout;

async function ok(copy: string, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await pair.edgesync(copy, ...words);
  if (code !== 0) throw new Error(`${words.join(" ")}: ${code} ${stderr}`);
  return stdout;
}

describe("conflicts", () => {
  test("are listed until each is resolved, one way or another", async () => {
    const copy = conflicting();
    pair.writeIn(copy, "gone", "edited\n");
    expect((await pair.edgesync(copy, "merge", "other")).code).toBe(3);
    expect((await pair.edgesync(copy, "conflicts", "ls")).code).toBe(3);
    expect((await list(copy)).match(/^\S+ +\S+/gm)).toEqual([
      "BINARY   data.bin",
      "REMOVED  gone",
      "TEXT     text",
    ]);
    expect(await ok(copy, "conflicts", "show", "data.bin")).toMatch(
      /ours +5 bytes\n +theirs +7 bytes +\w+\n +base +4/,
    );
    expect(await ok(copy, "conflicts", "show", "text", "theirs")).toBe("one\nTHEIRS\nthree\n");

    await ok(copy, "conflicts", "pick", "data.bin", "theirs");
    expect(read(copy, "data.bin")).toBe("\0theirs");
    await ok(copy, "conflicts", "pick", "data.bin", "base");
    expect(read(copy, "data.bin")).toBe("\0old");
    await ok(copy, "conflicts", "pick", "gone", "ours");
    expect(read(copy, "gone")).toBe("edited\n");
    expect((await pair.edgesync(copy, "mark-resolved", "text")).stderr).toContain("still has marks");
    pair.writeIn(copy, "text", "one\nboth\nthree\n");
    expect(await list(copy)).toBe("");
    expect(pair.fossil(copy, "commit", "-m", "merged", "--no-warnings").stdout).toContain("New_Version");
    expect(pair.fossil(copy, "ls").stdout).toContain("gone");
  });

  test("come to an end with the merge, by undo or commit", async () => {
    const copy = conflicting();
    await pair.edgesync(copy, "merge", "other");
    expect(await list(copy)).not.toBe("");
    await ok(copy, "undo");
    expect(await list(copy)).toBe("");
    expect(read(copy, "text")).toBe("one\nOURS\nthree\n");
    await ok(copy, "redo");
    expect(await list(copy)).not.toBe("");
    pair.fossil(copy, "commit", "-m", "as it is", "--allow-conflict", "--no-warnings");
    expect(await list(copy)).toBe("");
  });

  test("extract lays all versions beside the file", async () => {
    const copy = conflicting();
    await pair.edgesync(copy, "merge", "other");
    expect(await ok(copy, "conflicts", "extract", "data.bin")).toContain("data.bin-merge");
    expect(["baseline", "original", "merge"].map((end) => read(copy, `data.bin-${end}`))).toEqual([
      "\0old",
      "\0ours",
      "\0theirs",
    ]);
  });

  const [, minor = 0] = newestStock().version.split(".").map(Number);
  test.skipIf(minor < 26)("of a merge by stock are listed, and any version can be chosen", async () => {
    const copy = conflicting();
    pair.fossil(copy, "merge", "other");
    expect(await list(copy)).toMatch(/^TEXT +text\n$/);
    for (const version of ["ours", "theirs", "base"]) {
      const picked = pair.copy(version, copy);
      await ok(picked, "conflicts", "pick", "text", version);
      const line = version === "base" ? "two" : version.toUpperCase();
      expect(read(picked, "text")).toBe(`one\n${line}\nthree\n`);
      expect(await list(picked)).toBe("");
    }
  });

  test("of a merge by an older stock are listed, and what was merged in can be chosen", async () => {
    const copy = conflicting();
    pair.fossil(copy, "merge", "other");
    pair.fossil(copy, "sql", "DROP TABLE IF EXISTS localdb.mergestat");
    expect((await pair.edgesync(copy, "conflicts", "pick", "text", "ours")).stderr).toContain("was not kept");
    await ok(copy, "conflicts", "pick", "text", "theirs");
    expect(read(copy, "text")).toBe("one\nTHEIRS\nthree\n");
  });
});

describe("strategies", () => {
  test("last-writer takes the version written last, whichever side merges", async () => {
    const copy = conflicting();
    expect((await pair.edgesync(copy, "merge", "other", "--strategy", "last-writer")).code).toBe(0);
    expect(read(copy, "text")).toBe("one\nTHEIRS\nthree\n");
    expect(read(copy, "data.bin")).toBe("\0theirs");
    const other = pair.copy("other");
    pair.fossil(other, "update", "other");
    expect((await pair.edgesync(other, "merge", "trunk", "--strategy", "last-writer")).code).toBe(0);
    expect(read(other, "text")).toBe("one\nTHEIRS\nthree\n");
    const edited = pair.copy("edited");
    pair.writeIn(edited, "text", "one\nedited\nthree\n");
    await ok(edited, "merge", "other", "--strategy", "last-writer");
    expect(read(edited, "text")).toBe("one\nedited\nthree\n");
  });

  test("fork keeps all versions, for each to be chosen or merged later", async () => {
    const copy = conflicting();
    const { code, stdout } = await pair.edgesync(copy, "merge", "other", "--strategy", "fork");
    expect([code, stdout]).toEqual([3, expect.stringContaining("All versions of text are kept")]);
    expect(read(copy, "text")).toBe("one\nOURS\nthree\n");
    expect((await list(copy)).match(/^\S+ +\S+/gm)).toEqual(["FORK     data.bin", "FORK     text"]);
    const refused = await pair.edgesync(copy, "ci", "-m", "too soon");
    expect(refused.stderr).toContain("kept several versions of data.bin");
    expect((await pair.edgesync(copy, "conflicts", "merge", "text")).code).toBe(3);
    expect(read(copy, "text")).toContain("<<<<<<< BEGIN MERGE CONFLICT");
    expect(await list(copy)).toContain("text");
    await ok(copy, "conflicts", "pick", "text", "ours");
    expect((await pair.edgesync(copy, "conflicts", "merge", "data.bin")).stderr).toContain("not all text");
    await ok(copy, "mark-resolved", "data.bin");
    expect(await list(copy)).toBe("");
    await ok(copy, "ci", "-m", "decided", "--user", "dev");
  });

  test("by patterns of .edgesync-merge, then by the setting", async () => {
    const copy = conflicting(() => pair.write(".edgesync-merge", "# comment\n*.bin  last-writer\n"));
    pair.fossil(
      copy,
      "sql",
      "-R",
      pair.repository(copy),
      "REPLACE INTO config VALUES('merge-strategy','binary',0)",
    );
    const { stdout } = await pair.edgesync(copy, "merge", "other");
    expect(stdout).toContain("Cannot merge binary file text");
    expect(read(copy, "data.bin")).toBe("\0theirs");
    expect(read(copy, "text")).toBe("one\nOURS\nthree\n");
  });

  test("that do not exist are refused before anything changes", async () => {
    const copy = conflicting(() => pair.write(".edgesync-merge", "*.bin nonsense\n"));
    const before = pair.look(copy);
    const { code, stderr } = await pair.edgesync(copy, "merge", "other");
    expect([code, stderr]).toEqual([1, expect.stringContaining('no merge strategy "nonsense"')]);
    expect((await pair.edgesync(copy, "merge", "other", "--strategy", "x")).code).toBe(2);
    expect(pair.look(copy)).toEqual(before);
  });

  test("a dry run says the same and changes nothing", async () => {
    const copy = conflicting();
    const before = pair.look(copy);
    const dry = await pair.edgesync(copy, "merge", "other", "--dry-run");
    expect(pair.look(copy)).toEqual(before);
    const { stdout, code } = await pair.edgesync(copy, "merge", "other");
    expect([dry.stdout, dry.code]).toEqual([stdout, code]);
  });
});
