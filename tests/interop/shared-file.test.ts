/**
 * One repository file, several connections of ours, and stock coming and going. In WAL mode whoever closes
 * the file last deletes the WAL; a process that has lost its locks is not counted, and what it commits from
 * then on goes into a file that no longer has a name.
 */
import { describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { Repo } from "../../src/repo.ts";
import { ScratchRepo } from "../scratch-repo.ts";
import { stocks } from "./stock.ts";

describe.each(stocks().map((stock) => [stock.version, stock] as const))("stock %s", (_, stock) => {
  test("leaves the WAL to us while any of our connections is open", async () => {
    using scratch = new ScratchRepo();
    const writer = scratch.reopen();
    const { clock, random } = scratch;
    const readers = [1, 2].map(() => Repo.open(scratch.path, { mode: "read", clock, random }));
    const wal = statSync(`${scratch.path}-wal`).ino;
    await stock.ok(["config", "export", "project", scratch.folder.join("export.txt"), "-R", scratch.path]);
    await stock.ok(["set", "max-upload", "250000", "-R", scratch.path]);
    writer.config.set("project-name", "still here");
    for (const reader of readers) expect(reader.config.get("project-name")).toBe("still here");
    const shown = await stock.ok([
      "sql",
      "-R",
      scratch.path,
      "SELECT value FROM config WHERE name='project-name'",
    ]);
    expect(shown).toContain("still here");
    expect(statSync(`${scratch.path}-wal`).ino).toBe(wal);
    for (const reader of readers) reader.close();
    expect(writer.config.get("max-upload")).toBe("250000");
  });
});
