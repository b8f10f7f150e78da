import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readdirSync, statSync } from "node:fs";
import { EMPTY, utf8 } from "../src/bytes.ts";
import { Db } from "../src/db.ts";
import { RepoError } from "../src/errors.ts";
import { TempDir } from "./temp-dir.ts";

let folder: TempDir;
let path: string;

beforeEach(() => {
  folder = new TempDir("db");
  path = folder.join("x.db");
});
afterEach(() => folder.remove());

function create(): Db {
  const db = Db.open(path, { mode: "create" });
  db.once("PRAGMA journal_mode=WAL", (statement) => statement.all());
  db.exec("CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
  return db;
}

function codeOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    if (error instanceof RepoError) return error.code;
    throw error;
  }
  return "no error";
}

describe("values", () => {
  test.each([
    ["null", null],
    ["empty text", ""],
    ["text with NUL", "a\0b"],
    ["text beyond the BMP", "a😀é"],
    ["empty blob", EMPTY],
    ["blob", utf8("x\0y")],
    ["integer", 2 ** 52],
    ["negative", -1],
    ["real", 2460310.91666956],
  ])("%s comes back as it went in", (_, value) => {
    const db = create();
    db.prepare("INSERT INTO t VALUES(1,?)").run(value);
    expect(db.prepare("SELECT b FROM t").value()).toEqual(value as never);
    db.close();
  });

  test("a bigint may be bound and is read as a number", () => {
    const db = create();
    const { lastInsertRowid } = db.prepare("INSERT INTO t VALUES(?,?)").run(2n ** 40n, 7n);
    expect(lastInsertRowid).toBe(2 ** 40);
    expect(db.prepare("SELECT a, b FROM t WHERE a=?").values(2 ** 40)).toEqual([[2 ** 40, 7]]);
    db.close();
  });

  test("get, all, values and value of nothing", () => {
    const db = create();
    const none = db.prepare("SELECT a FROM t");
    expect([none.get(), none.all(), none.values(), none.value()]).toEqual([undefined, [], [], undefined]);
    db.close();
  });

  test("values gives every row, in column order", () => {
    const db = create();
    for (let i = 1; i <= 1000; i++) db.prepare("INSERT INTO t VALUES(?,?)").run(i, `v${i}`);
    const rows = db.prepare("SELECT b, a FROM t ORDER BY a").values<[string, number]>();
    expect(rows).toHaveLength(1000);
    expect(rows[999]).toEqual(["v1000", 1000]);
    db.close();
  });

  test("a wrong number of parameters is a mistake of the program", () => {
    const db = create();
    const insert = db.prepare("INSERT INTO t VALUES(?,?)");
    expect(() => insert.run(1)).toThrow("2 parameters expected, 1 passed");
    expect(() => insert.run(1, 2, 3)).toThrow("2 parameters expected, 3 passed");
    expect(() => [...db.prepare("SELECT * FROM t").iterate(1)]).toThrow("0 parameters expected");
    db.close();
  });
});

describe("large parameters", () => {
  const SQL = "UPDATE t SET b=? WHERE a=? AND fx_bound()";

  test("what is spare is freed, and stored all the same", () => {
    const db = create();
    db.exec("INSERT INTO t(a) VALUES(1),(2)");
    const [spare, kept] = [new Uint8Array(100_000).fill(7), new Uint8Array(100_000).fill(8)];
    expect(db.runLarge(SQL, [spare, 1], spare).changes).toBe(1);
    expect(db.runLarge(SQL, [kept, 2]).changes).toBe(1);
    expect([spare.length, kept.length]).toEqual([0, 100_000]);
    const stored = db.prepare("SELECT b FROM t ORDER BY a").values<[Uint8Array]>();
    expect(stored.map(([b]) => [b.length, b.at(-1)])).toEqual([
      [100_000, 7],
      [100_000, 8],
    ]);
    db.close();
  });

  test("one that is refused leaves the connection usable", () => {
    const db = create();
    db.exec("INSERT INTO t VALUES(1,'x'); CREATE UNIQUE INDEX u ON t(b); INSERT INTO t VALUES(2,'y')");
    expect(codeOf(() => db.runLarge(SQL, ["x", 2]))).toBe("sql");
    expect(db.runLarge(SQL, ["z", 2]).changes).toBe(1);
    db.close();
  });
});

describe("iterate", () => {
  test("leaving the loop early holds no lock", () => {
    const db = create();
    for (let i = 1; i <= 10; i++) db.prepare("INSERT INTO t VALUES(?,1)").run(i);
    for (const _ of db.prepare("SELECT a FROM t").iterate()) break;
    const busy = db.once("PRAGMA wal_checkpoint(TRUNCATE)", (s) => s.values<[number]>()[0]![0]);
    expect(busy).toBe(0);
    db.close();
  });

  test("running the statement again inside its loop throws instead of repeating rows", () => {
    const db = create();
    for (let i = 1; i <= 10; i++) db.prepare("INSERT INTO t VALUES(?,1)").run(i);
    const all = db.prepare<{ a: number }>("SELECT a FROM t");
    expect(() => {
      for (const _ of all.iterate()) all.all();
    }).toThrow();
    expect(all.all()).toHaveLength(10);
    db.close();
  });
});

describe("transactions", () => {
  test("an error undoes all of it, nested parts too, and is counted", () => {
    const db = create();
    const insert = db.prepare("INSERT INTO t VALUES(?,1)");
    expect(() =>
      db.write(() => {
        insert.run(1);
        db.write(() => insert.run(2));
        throw new Error("no");
      }),
    ).toThrow("no");
    expect(db.prepare("SELECT count(*) FROM t").value()).toBe(0);
    expect([db.inTransaction, db.rollbackCount]).toEqual([false, 1]);
    db.write(() => insert.run(3));
    expect([db.prepare("SELECT count(*) FROM t").value(), db.rollbackCount]).toEqual([1, 1]);
    db.close();
  });

  test("an asynchronous body is refused and undone", () => {
    const db = create();
    expect(() => db.write(async () => db.prepare("INSERT INTO t VALUES(1,1)").run())).toThrow("synchronous");
    expect(db.prepare("SELECT count(*) FROM t").value()).toBe(0);
    db.close();
  });

  test("a full disk undoes the transaction and the connection stays usable", () => {
    const db = create();
    db.exec("PRAGMA max_page_count=8");
    const insert = db.prepare("INSERT INTO t(b) VALUES(?)");
    insert.run(1);
    const fill = () =>
      db.write(() => {
        insert.run(2);
        for (let i = 0; i < 100; i++) insert.run(new Uint8Array(4000));
      });
    expect(codeOf(fill)).toBe("disk-full");
    expect([db.inTransaction, db.prepare("SELECT count(*) FROM t").value()]).toEqual([false, 1]);
    expect(db.write(() => insert.run(3).changes)).toBe(1);
    db.close();
  });

  test("a lock held by another connection is an error after the time given", () => {
    const db = create();
    const other = Db.open(path, { mode: "write", busyTimeoutMs: 0 });
    db.write(() => {
      db.prepare("INSERT INTO t VALUES(1,1)").run();
      expect(codeOf(() => other.write(() => 1))).toBe("repo-locked");
      expect(other.prepare("SELECT count(*) FROM t").value()).toBe(0);
    });
    expect(other.prepare("SELECT count(*) FROM t").value()).toBe(1);
    other.close();
    db.close();
  });

  test("a snapshot sees one state while another connection commits", () => {
    const db = create();
    const reader = Db.open(path, { mode: "read" });
    const version = reader.dataVersion();
    reader.snapshot(() => {
      expect(reader.prepare("SELECT count(*) FROM t").value()).toBe(0);
      db.prepare("INSERT INTO t VALUES(1,1)").run();
      expect(reader.prepare("SELECT count(*) FROM t").value()).toBe(0);
    });
    expect(reader.prepare("SELECT count(*) FROM t").value()).toBe(1);
    expect(reader.dataVersion()).not.toBe(version);
    reader.close();
    db.close();
  });
});

describe("open and close", () => {
  test("closing leaves one file and everything in it", () => {
    const db = create();
    db.prepare("INSERT INTO t VALUES(1,1)").run();
    expect(readdirSync(folder.path).length).toBeGreaterThan(1);
    db.close();
    expect(readdirSync(folder.path)).toEqual(["x.db"]);
  });

  test("so does closing the writer while a reader stays, and then the reader", () => {
    const db = create();
    const reader = Db.open(path, { mode: "read" });
    reader.prepare("SELECT count(*) FROM t").value();
    db.prepare("INSERT INTO t VALUES(1,1)").run();
    db.close();
    expect(statSync(`${path}-wal`).size).toBe(0);
    reader.close();
    expect(readdirSync(folder.path)).toEqual(["x.db"]);
  });

  test("a reader cannot write", () => {
    create().close();
    const reader = Db.open(path, { mode: "read" });
    expect(codeOf(() => reader.prepare("INSERT INTO t VALUES(1,1)").run())).toBe("repo-read-only");
    expect(codeOf(() => reader.write(() => reader.exec("DELETE FROM t")))).toBe("repo-read-only");
    reader.close();
  });

  test("passive checkpoints move what is committed into the main file", () => {
    const db = create();
    db.prepare("INSERT INTO t VALUES(1,?)").run(new Uint8Array(100_000));
    expect(statSync(path).size).toBeLessThan(100_000);
    db.checkpoint();
    expect(statSync(path).size).toBeGreaterThan(100_000);
    db.close();
  });

  test.each([
    ["missing, to read", "read"],
    ["missing, to write", "write"],
  ] as const)("%s", (_, mode) => {
    expect(codeOf(() => Db.open(path, { mode }))).toBe("repo-unreadable");
    expect(existsSync(path)).toBe(false);
  });

  test("something else than a database", () => {
    folder.write("x.db", "x".repeat(10_000));
    expect(codeOf(() => Db.open(path, { mode: "read" }))).toBe("not-sqlite");
  });

  test.skipIf(process.platform === "win32")(
    "a folder that cannot be written is read all the same",
    async () => {
      const db = create();
      db.prepare("INSERT INTO t VALUES(1,42)").run();
      db.close();
      chmodSync(path, 0o444);
      chmodSync(folder.path, 0o555);
      const script = folder.path.startsWith("/") ? unprivilegedRead(path) : "";
      const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "pipe" });
      const [out, err] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ]);
      chmodSync(folder.path, 0o755);
      expect([out.trim(), err]).toEqual(["42 repo-read-only", ""]);
      expect(readdirSync(folder.path)).toEqual(["x.db"]);
    },
  );
});

/** Root may write anywhere, so the child gives root up first. */
function unprivilegedRead(path: string): string {
  const module = JSON.stringify(new URL("../src/db.ts", import.meta.url).pathname);
  return `
    const { Db } = await import(${module});
    if (process.getuid() === 0) { process.setgid(65534); process.setuid(65534); }
    const db = Db.open(${JSON.stringify(path)}, { mode: "read" });
    const value = db.prepare("SELECT b FROM t").value();
    let code = "no error";
    try { db.exec("DELETE FROM t"); } catch (error) { code = error.code; }
    db.close();
    console.log(value, code);
  `;
}
