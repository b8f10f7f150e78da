import { describe, expect, test } from "bun:test";
import { Db } from "../../src/db.ts";
import { TempDir } from "../temp-dir.ts";
import { type Stock, stocks } from "./stock.ts";
import { artifactSet, copyRepository, diffDumps, dumpTables, rebuildParity } from "./tables.ts";

function smallRepository(stock: Stock, temp: TempDir): string {
  const repo = temp.join("a.fossil");
  stock.okSync(["init", repo]);
  const cwd = temp.folder("checkout");
  stock.okSync(["open", repo], { cwd });
  temp.write("checkout/hello world.txt", "hello\n");
  stock.okSync(["add", "hello world.txt"], { cwd });
  stock.okSync(["commit", "-m", "see [trunk]", "--no-warnings"], { cwd });
  stock.okSync(["wiki", "create", "Page", "-R", repo], { input: "to [Other]\n" });
  return repo;
}

for (const stock of stocks()) {
  describe(`dumps of a repository of stock ${stock.version}`, () => {
    test("equal themselves and their rebuild, and name what they refer to", async () => {
      using temp = new TempDir();
      const repo = smallRepository(stock, temp);
      expect(diffDumps(dumpTables(repo), dumpTables(repo))).toEqual([]);
      expect(await rebuildParity(repo, stock)).toEqual([]);
      const dump = dumpTables(repo);
      expect(dump.get("tagxref")!.join("\n")).toContain("tagid=<wiki-Page>");
      expect(dump.get("mlink")!.join("\n")).toContain("fnid=<hello world.txt>");
      expect(artifactSet(repo).length).toBe(dump.get("blob")!.length);
    });

    test("show every change of a row: value, missing row, duplicate, storage", () => {
      using temp = new TempDir();
      const repo = smallRepository(stock, temp);
      const before = dumpTables(repo);
      const changes: readonly (readonly [sql: string, table: string, lines: number])[] = [
        ["UPDATE event SET mtime = mtime + 1e-9 WHERE type = 'w'", "event", 2],
        ["DELETE FROM leaf", "leaf", 1],
        ["INSERT INTO mlink SELECT * FROM mlink", "mlink", 1],
        ["UPDATE blob SET content = zeroblob(length(content)) WHERE rid = 1", "blob", 2],
      ];
      for (const [sql, table, lines] of changes) {
        const copy = temp.join("changed.fossil");
        copyRepository(repo, copy);
        const db = Db.open(copy, { mode: "write" });
        db.exec(sql);
        db.close();
        const report = diffDumps(before, dumpTables(copy));
        expect(report[0]).toStartWith(`${table}: `);
        expect(report.length).toBe(1 + lines);
      }
    });
  });
}
