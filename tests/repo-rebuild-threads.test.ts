import { afterAll, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";

import { RepoError } from "../src/errors.ts";
import { workerExecutor } from "../src/executor.ts";
import { systemRandom } from "../src/random.ts";
import { Repo } from "../src/repo.ts";
import { type RebuildReport, rebuildRepository } from "../src/repo-rebuild.ts";
import { type ReadAheadJobs, rebuildReadingAhead } from "../src/repo-rebuild-threads.ts";
import { shun } from "../src/repo-shun.ts";
import { fixture } from "./interop/fixture.ts";
import { diffDumps, dumpTables } from "./interop/tables.ts";
import { StandingClock } from "./scratch-repo.ts";
import { TempDir } from "./temp-dir.ts";

const deps = { clock: new StandingClock(Date.UTC(2026, 0, 1)), random: systemRandom };
const options = { user: () => "ann", version: "test" };
const reader = workerExecutor<ReadAheadJobs>(new URL("../src/repo-rebuild-worker.ts", import.meta.url), 1);
afterAll(() => reader.close());

/** Rebuilds two copies of the fixture, changed alike: with a second thread and without. */
async function rebuiltTwice(change: (repo: Repo) => void) {
  using temp = new TempDir("rebuild");
  const results: { report: RebuildReport; path: string }[] = [];
  for (const isAhead of [true, false]) {
    const path = temp.join(`${isAhead}.fossil`);
    copyFileSync(await fixture(), path);
    const repo = Repo.open(path, { mode: "write", ...deps });
    change(repo);
    const report = isAhead
      ? await rebuildReadingAhead(reader, path, repo, options)
      : rebuildRepository(repo, options);
    repo.close();
    results.push({ report, path });
  }
  const [ahead, alone] = results as [(typeof results)[0], (typeof results)[0]];
  expect(diffDumps(dumpTables(ahead.path), dumpTables(alone.path), ["ahead", "alone"])).toEqual([]);
  expect(told(ahead.report)).toEqual(told(alone.report));
  return ahead.report;
}

function told({ damaged, ...counts }: RebuildReport) {
  const errors = damaged.map(({ hash, error: { code, message, data } }) => ({ hash, code, message, data }));
  return { ...counts, errors };
}

/** Some file stored in full, of which others are deltas, and some check-in stored so. */
const FULL_TEXTS = `SELECT b.rid FROM blob b WHERE b.rid IN (SELECT srcid FROM delta)
  AND b.rid NOT IN (SELECT rid FROM delta)`;

test("leaves the same tables as one thread alone", async () => {
  const report = await rebuiltTwice(() => {});
  expect(report.linkedCount).toBeGreaterThan(100);
  expect(report.damaged).toEqual([]);
});

test("names the same damage, and mends the same sizes", async () => {
  const report = await rebuiltTwice(({ db }) => {
    db.exec(`UPDATE blob SET content=x'00000005616263' WHERE rid=(${FULL_TEXTS} ORDER BY b.size LIMIT 1);
      UPDATE blob SET size=size+1 WHERE rid IN (SELECT objid FROM event)`);
  });
  expect(report.damaged.length).toBeGreaterThan(1);
  expect(report.damaged[0]!.error).toBeInstanceOf(RepoError);
});

test("what was shunned does not come back, though the other thread would still see it", async () => {
  const wholeCount = (await rebuiltTwice(() => {})).artifactCount;
  const report = await rebuiltTwice((repo) => {
    const { db } = repo;
    const sql = "SELECT uuid FROM blob JOIN event ON objid=rid WHERE type='w' ORDER BY rid LIMIT 3";
    for (const [hash] of db.prepare(sql).values<[string]>()) shun(repo, hash as never);
  });
  expect(report.artifactCount).toBe(wholeCount - 3);
});

test("says why the other thread failed, and changes nothing", async () => {
  using temp = new TempDir("rebuild");
  const path = temp.join("a.fossil");
  copyFileSync(await fixture(), path);
  const repo = Repo.open(path, { mode: "write", ...deps });
  const before = repo.db.prepare("SELECT count(*) FROM event").value<number>();
  const failed = rebuildReadingAhead(reader, temp.join("gone.fossil"), repo, options);
  expect(await failed.catch((error) => error.code)).toBe("repo-missing");
  expect(repo.db.prepare("SELECT count(*) FROM event").value<number>()).toBe(before);
  repo.close();
});
