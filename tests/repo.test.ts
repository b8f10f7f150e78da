import { describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { Db } from "../src/db.ts";
import { RepoError } from "../src/errors.ts";
import { seededRandom } from "../src/random.ts";
import { type OpenOptions, Repo } from "../src/repo.ts";
import { ScratchRepo, StandingClock } from "./scratch-repo.ts";
import { TempDir } from "./temp-dir.ts";

const deps = { clock: new StandingClock(), random: seededRandom(2n) };

function failure(body: () => unknown): RepoError {
  try {
    body();
  } catch (error) {
    if (error instanceof RepoError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

function openFailure(path: string, options: Partial<OpenOptions> = {}): string {
  return failure(() => Repo.open(path, { mode: "read", ...deps, ...options }).close()).code;
}

/** Changes a repository file behind our back. */
function alter(path: string, sql: string): void {
  const db = Db.open(path, { mode: "write" });
  db.exec(sql);
  db.close();
}

describe("create", () => {
  test("makes one whole file that is recognised while it is still open", () => {
    using scratch = new ScratchRepo({ projectName: "Apollo", projectDescription: "to the moon" });
    const { repo } = scratch;
    expect(statSync(scratch.path).size).toBeGreaterThan(16_834);
    expect(repo.config.get("project-name")).toBe("Apollo");
    expect(repo.config.get("project-description")).toBe("to the moon");
    expect(repo.config.projectCode).toMatch(/^[0-9a-f]{40}$/);
    expect(repo.config.get("server-code")).not.toBe(repo.config.projectCode);
    repo.close();
    expect(readdirSync(scratch.folder.path)).toEqual(["x.fossil"]);
  });

  test("the same seed makes the same codes, another seed others", () => {
    const codes = [1n, 1n, 2n].map((seed) => {
      using scratch = new ScratchRepo({ random: seededRandom(seed) });
      return scratch.repo.config.projectCode;
    });
    expect(codes[0]).toBe(codes[1]!);
    expect(codes[2]).not.toBe(codes[0]!);
  });

  test("a failing initialize leaves nothing behind", () => {
    using folder = new TempDir("create");
    const initialize = () => {
      throw new Error("no");
    };
    expect(() => Repo.create(folder.join("x.fossil"), { ...deps, user: "ann", initialize })).toThrow("no");
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test("never overwrites", () => {
    using folder = new TempDir("create");
    const path = folder.write("x.fossil", "precious");
    expect(failure(() => Repo.create(path, { ...deps, user: "ann" })).code).toBe("repo-exists");
    expect(readFileSync(path, "utf8")).toBe("precious");
  });

  test("a folder that does not exist", () => {
    using folder = new TempDir("create");
    const error = failure(() => Repo.create(folder.join("no", "x.fossil"), { ...deps, user: "ann" }));
    expect([error.code, error.message]).toEqual([
      "repo-unreadable",
      expect.stringContaining("does not exist"),
    ]);
  });
});

describe("open", () => {
  test("in WAL, and what one connection commits another sees", () => {
    using scratch = new ScratchRepo();
    const reader = Repo.open(scratch.path, { mode: "read", ...deps });
    scratch.repo.config.set("greeting", "hello");
    expect(reader.config.get("greeting")).toBe("hello");
    expect(reader.db.once("PRAGMA journal_mode", (s) => s.values<[string]>())).toEqual([["wal"]]);
    expect(failure(() => reader.config.set("greeting", "no")).code).toBe("repo-read-only");
    reader.close();
  });

  test("missing, a folder, empty, text, a database of something else, a checkout", () => {
    using folder = new TempDir("open");
    const { path } = folder;
    mkdirSync(folder.join("dir"));
    folder.write("empty", "");
    folder.write("text", "x".repeat(20_000));
    const other = Db.open(folder.join("other"), { mode: "create" });
    other.exec("CREATE TABLE vvar(name); CREATE TABLE vfile(x); INSERT INTO vfile VALUES(zeroblob(20000))");
    other.close();
    const code = (name: string) => openFailure(folder.join(name));
    expect(["none", "dir", "empty", "text", "other"].map(code)).toEqual([
      "repo-missing",
      "repo-is-directory",
      "repo-empty",
      "not-sqlite",
      "not-a-repository",
    ]);
    expect(failure(() => Repo.open(folder.join("other"), { mode: "read", ...deps })).hint).toContain(
      "checkout",
    );
    expect(existsSync(folder.join("none"))).toBe(false);
    expect(path).toBeTruthy();
  });

  test("too small a database is no repository even if it has nothing wrong", () => {
    using folder = new TempDir("open");
    const path = folder.join("x.fossil");
    const db = Db.open(path, { mode: "create" });
    db.exec("CREATE TABLE blob(x)");
    db.close();
    expect(openFailure(path)).toBe("not-a-repository");
  });

  test.each([1, 511, 4096, 100_000])("cut short by %d bytes", (count) => {
    using scratch = new ScratchRepo();
    scratch.repo.close();
    const whole = readFileSync(scratch.path);
    const path = scratch.folder.write("cut.fossil", whole.subarray(0, whole.length - count));
    const error = failure(() => Repo.open(path, { mode: "read", ...deps }));
    expect([error.code, error.data["size"]]).toEqual(["repo-truncated", whole.length - count]);
    scratch.reopen();
  });

  test("a main file behind its WAL is not taken for one cut short", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    repo.config.set("big", "x".repeat(200_000));
    for (const suffix of ["", "-wal"])
      copyFileSync(scratch.path + suffix, scratch.folder.join(`copy${suffix}`));
    const copy = Repo.open(scratch.folder.join("copy"), { mode: "read", ...deps });
    expect(copy.config.get("big")).toHaveLength(200_000);
    copy.close();
  });

  test.each([
    [
      "UPDATE config SET value='2099-01-01' WHERE name='aux-schema'",
      "repo-schema-newer",
      "repo-schema-newer",
    ],
    ["UPDATE config SET value='3' WHERE name='content-schema'", "repo-schema-newer", "repo-schema-newer"],
    ["UPDATE config SET value='2010-01-01' WHERE name='aux-schema'", "repo-schema-outdated", "opens"],
    ["DELETE FROM config WHERE name='aux-schema'", "repo-schema-outdated", "opens"],
    ["DROP TABLE tagxref", "repo-schema-outdated", "opens"],
    ["DROP TABLE mlink", "not-a-repository", "not-a-repository"],
    ["DROP TABLE config", "not-a-repository", "not-a-repository"],
    ["DELETE FROM config WHERE name='content-schema'", "opens", "opens"],
  ])("after %s", (sql, usually, forRebuild) => {
    using scratch = new ScratchRepo();
    scratch.repo.close();
    alter(scratch.path, sql);
    const attempt = (anyDerivedSchema: boolean) => {
      try {
        Repo.open(scratch.path, { mode: "read", ...deps, anyDerivedSchema }).close();
        return "opens";
      } catch (error) {
        return (error as RepoError).code;
      }
    };
    expect([attempt(false), attempt(true)]).toEqual([usually, forRebuild]);
  });

  test("locked by somebody who does not use a WAL", () => {
    using scratch = new ScratchRepo();
    scratch.repo.close();
    const holder = Db.open(scratch.path, { mode: "write" });
    holder.once("PRAGMA journal_mode=DELETE", (s) => s.all());
    holder.exec("BEGIN EXCLUSIVE");
    expect(openFailure(scratch.path, { busyTimeoutMs: 1 })).toBe("repo-locked");
    expect(openFailure(scratch.path, { busyTimeoutMs: 1, mode: "write" })).toBe("repo-locked");
    holder.exec("ROLLBACK");
    holder.close();
    scratch.reopen();
  });

  test.skipIf(process.platform === "win32")("without the permission to read or to write", async () => {
    using scratch = new ScratchRepo();
    scratch.repo.close();
    const code = async (mode: number, open: "read" | "write") => {
      chmodSync(scratch.folder.path, 0o755);
      chmodSync(scratch.path, mode);
      return unprivileged(scratch.path, open);
    };
    expect(await code(0o000, "read")).toBe("repo-unreadable");
    expect(await code(0o444, "write")).toBe("repo-read-only");
    chmodSync(scratch.path, 0o644);
    scratch.reopen();
  });
});

/** How opening ends for a process that is not root. */
async function unprivileged(path: string, mode: "read" | "write"): Promise<string> {
  const module = (name: string) => JSON.stringify(new URL(`../src/${name}.ts`, import.meta.url).pathname);
  const script = `
    const { Repo } = await import(${module("repo")});
    const { systemClock: clock } = await import(${module("clock")});
    const { systemRandom: random } = await import(${module("random")});
    if (process.getuid() === 0) { process.setgid(65534); process.setuid(65534); }
    try {
      Repo.open(${JSON.stringify(path)}, { mode: "${mode}", clock, random }).close();
      console.log("opens");
    } catch (error) { console.log(error.code); }`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
  return (await new Response(child.stdout).text()).trim();
}
