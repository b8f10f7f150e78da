import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { cli } from "../cli-process.ts";
import { TempDir } from "../temp-dir.ts";
import { type Stock, stocks } from "./stock.ts";

/** Commands that only look, on a repository made by stock, against what stock prints. */
const folder = new TempDir("cli-look");
afterAll(() => folder.remove());

async function ok(words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cli(words);
  if (code !== 0) throw new Error(`edgesync ${words.join(" ")}: ${stderr}`);
  return stdout;
}

function history(stock: Stock, name: string): string {
  const repository = folder.join(`${name}.fossil`);
  stock.okSync(["new", repository, "--date-override", "2025-12-01"]);
  const cwd = folder.folder(name);
  const hands = (...words: string[]) => stock.okSync(words, { cwd });
  const commit = (message: string, ...more: string[]) =>
    hands("commit", "-m", message, "--no-warnings", "--allow-fork", ...more);
  hands("open", repository);
  folder.write(`${name}/a.txt`, "one\n");
  hands("add", "a.txt");
  commit("first", "--date-override", "2026-01-01T00:00:00");
  folder.write(`${name}/a.txt`, "one\ntwo\n");
  commit(
    "second, which is long enough a comment to be cut",
    "--branch",
    "side",
    "--date-override",
    "2026-01-02",
  );
  hands("mv", "a.txt", "b.txt", "--hard");
  commit("renamed", "--date-override", "2026-01-03");
  hands("update", "trunk");
  folder.write(`${name}/a.txt`, "one\nthree\n");
  commit("third", "--tag", "t1", "--date-override", "2026-01-04");
  hands("merge", "side");
  commit("merged", "--allow-conflict", "--date-override", "2026-01-05");
  return repository;
}

describe.each(stocks().map((stock) => [stock.version, stock] as const))("stock %s", (version, stock) => {
  const at: string[] = [];
  let cwd: string;
  beforeAll(() => {
    at.push("-R", history(stock, version));
    cwd = folder.join(version);
  });
  const lines = (text: string) => text.split("\n").filter((line) => line !== "" && !line.startsWith("+++"));

  test("resolve", async () => {
    for (const name of ["tip", "trunk", "side", "t1", "root:side", "2026-01-03"]) {
      const hash = /^artifact: +(\w+)/m.exec(stock.okSync(["whatis", name, ...at]))![1]!;
      expect(await ok(["repo", "resolve", name, ...at])).toBe(`${hash}\n`);
      expect(JSON.parse(await ok(["repo", "resolve", name, "--json", ...at]))).toEqual({ name, hash });
    }
    expect(await cli(["repo", "resolve", "nonsense", ...at])).toMatchObject({ code: 1, stdout: "" });
    expect(await cli(["repo", "resolve", "t1", "--type", "wiki", ...at])).toMatchObject({ code: 1 });
  });

  test("descendants", async () => {
    for (const base of ["root:side", "side", "t1"]) {
      const printed = stock.okSync(["descendants", base, "-W", "0"], { cwd });
      const ours = await ok(["repo", "descendants", base, "-W", "0", ...at]);
      expect(lines(ours)).toEqual(lines(printed.replaceAll("*CURRENT* ", "")));
    }
    const [leaf] = (await ok(["repo", "descendants", "t1", "--json", ...at])).trimEnd().split("\n");
    expect(JSON.parse(leaf!)).toMatchObject({ comment: "merged", isLeaf: true });
  });

  test("finfo", async () => {
    const name = "b.txt";
    expect(await ok(["repo", "finfo", name, "-W", "0", ...at])).toBe(
      stock.okSync(["finfo", name, "-W", "0"], { cwd }),
    );
    const trimmed = (text: string) => lines(text).map((line) => line.trimEnd());
    expect(trimmed(await ok(["repo", "finfo", name, "-b", ...at]))).toEqual(
      trimmed(stock.okSync(["finfo", name, "-b", "-W", "0"], { cwd })),
    );
    const old = (await ok(["repo", "finfo", "a.txt", "-n", "2", "--offset", "1", "--json", ...at])).trimEnd();
    expect(old.split("\n").map((line) => JSON.parse(line).comment)).toEqual([
      "second, which is long enough a comment to be cut",
      "first",
    ]);
    expect(await cli(["repo", "finfo", "none.txt", ...at])).toMatchObject({ code: 1, stdout: "" });
  });

  test("hash", async () => {
    const file = folder.join(version, "b.txt");
    expect(await ok(["repo", "hash", file])).toBe(stock.okSync(["sha3sum", file]));
    expect(await ok(["repo", "hash", "--sha1", file, file])).toBe(stock.okSync(["sha1sum", file, file]));
    expect(await cli(["repo", "hash", folder.join("none")])).toMatchObject({ code: 1 });
  });

  test("delta", async () => {
    const base = Array.from({ length: 300 }, (_, i) => `line ${i * i}\n`).join("");
    const [source, target] = [folder.write("s", base), folder.write("t", base.replace("line 81", "other"))];
    const [ours, theirs, back] = ["ours", "theirs", "back"].map((name) => folder.join(name)) as [
      string,
      string,
      string,
    ];
    await ok(["repo", "delta", "create", source, target, "-o", ours]);
    stock.okSync(["test-delta-create", source, target, theirs]);
    expect(readFileSync(ours, "utf8")).toBe(readFileSync(theirs, "utf8"));
    stock.okSync(["test-delta-apply", source, ours, back]);
    expect(readFileSync(back, "utf8")).toBe(readFileSync(target, "utf8"));
    expect(await ok(["repo", "delta", "apply", source, theirs])).toBe(readFileSync(target, "utf8"));
    expect(await cli(["repo", "delta", "apply", source, target])).toMatchObject({ code: 1, stdout: "" });
  });

  test("query", async () => {
    const sql = "SELECT type, objid, user, NULL, comment FROM event ORDER BY mtime";
    expect(await ok(["repo", "query", sql, ...at])).toBe(
      stock.okSync(["sql", "--readonly", ...at], { input: `.mode list\n${sql};\n` }),
    );
    expect(JSON.parse(await ok(["repo", "query", "SELECT 1 AS a, 'x' AS b", "--json", ...at]))).toEqual({
      columns: ["a", "b"],
      rows: [[1, "x"]],
    });
    expect(await ok(["repo", "query", "SELECT ? IS NULL, :a IS NULL", ...at])).toBe("1|1\n");
    const remove = "DELETE FROM reportfmt";
    for (const refused of [remove, "PRAGMA journal_mode=DELETE", "SELECT 1; SELECT 2", ""]) {
      expect(await cli(["repo", "query", refused, ...at])).toMatchObject({ code: 2, stdout: "" });
    }
    const hidden = "WITH x AS (SELECT 1) DELETE FROM reportfmt";
    expect(await cli(["repo", "query", hidden, ...at])).toMatchObject({ code: 1 });
    expect(await ok(["repo", "query", "SELECT count(*) FROM reportfmt", ...at])).toBe("1\n");
    expect(await ok(["repo", "query", "--write", remove, ...at])).toBe("");
    expect(await ok(["repo", "query", "SELECT count(*) FROM reportfmt", ...at])).toBe("0\n");
  });

  test("backup", async () => {
    const [ours, theirs] = ["ours", "theirs"].map((name) => folder.join(`${name}-${version}.fossil`)) as [
      string,
      string,
    ];
    await ok(["repo", "backup", ours, ...at]);
    stock.okSync(["backup", theirs, ...at]);
    for (const sql of ["SELECT rid, uuid, content FROM blob", "SELECT name, value FROM config ORDER BY 1"]) {
      expect(await ok(["repo", "query", sql, "-R", ours])).toBe(
        await ok(["repo", "query", sql, "-R", theirs]),
      );
    }
    expect(stock.okSync(["test-integrity", "-R", ours])).toContain("0 errors");
    expect(await cli(["repo", "backup", ours, ...at])).toMatchObject({ code: 1, stdout: "" });
    await ok(["repo", "backup", ours, "--overwrite", ...at]);
    await ok(["repo", "backup", folder.folder(`into-${version}`), ...at]);
    expect(readdirSync(folder.join(`into-${version}`))).toEqual([`${version}.fossil`]);
    expect(await cli(["repo", "backup", folder.join("no/such/x"), ...at])).toMatchObject({
      code: 1,
      stdout: "",
    });
  });
});
