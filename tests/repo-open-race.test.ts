/**
 * Opening a repository while another process writes it: with an empty WAL at first, which grows and is emptied
 * again, so that sizes change between one look and the next.
 */
import { expect, test } from "bun:test";
import { systemClock } from "../src/clock.ts";
import { systemRandom } from "../src/random.ts";
import { Repo } from "../src/repo.ts";
import { ScratchRepo } from "./scratch-repo.ts";

const deps = { clock: systemClock, random: systemRandom };

const WRITER = `
  import { Database } from "bun:sqlite";
  const db = new Database(process.argv[1]);
  db.run("PRAGMA busy_timeout=60000");
  console.log("begun");
  for (let i = 0; i < 400; i++) {
    db.run("INSERT INTO config(name,value,mtime) VALUES('x-" + i + "', zeroblob(20000), 0)");
    db.run("PRAGMA wal_checkpoint(TRUNCATE)");
  }
`;

test("is never mistaken for a file that was cut short", async () => {
  using scratch = new ScratchRepo();
  const { path } = scratch.repo;
  scratch.repo.close();
  const writer = Bun.spawn([process.execPath, "-e", WRITER, path], { stdout: "pipe", stderr: "inherit" });
  await writer.stdout.getReader().read();
  let opened = 0;
  while (writer.exitCode === null) {
    for (let i = 0; i < 20; i++, opened++) Repo.open(path, { mode: "read", ...deps }).close();
    await Bun.sleep(0);
  }
  expect(await writer.exited).toBe(0);
  expect(opened).toBeGreaterThan(20);
}, 60_000);
