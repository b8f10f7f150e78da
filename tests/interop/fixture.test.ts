import { describe, expect, test } from "bun:test";
import { Db } from "../../src/db.ts";
import { fastExport } from "./fast-export.ts";
import { fixture } from "./fixture.ts";
import { stocks } from "./stock.ts";
import { rebuildParity } from "./tables.ts";

/** Each query counts one thing the fixture is there to have. */
const CONTENTS: Readonly<Record<string, string>> = {
  "SHA1 names": "SELECT count(*) FROM blob WHERE length(uuid) = 40",
  "SHA3 names": "SELECT count(*) FROM blob WHERE length(uuid) = 64",
  deltas: "SELECT count(*) FROM delta",
  "two clusters":
    "SELECT count(*) - 1 FROM tagxref JOIN tag USING (tagid) WHERE tagname = 'cluster' AND tagtype = 1",
  merges: "SELECT count(*) FROM plink WHERE NOT isprim",
  "changes against a merge parent": "SELECT count(*) FROM mlink WHERE isaux",
  renames: "SELECT count(*) FROM mlink WHERE pfnid > 0",
  deletions: "SELECT count(*) FROM mlink WHERE fid = 0",
  executables: "SELECT count(*) FROM mlink WHERE mperm = 1",
  links: "SELECT count(*) FROM mlink WHERE mperm = 2",
  "delta manifests": "SELECT count(*) FROM plink WHERE baseid IS NOT NULL",
  cherrypicks: "SELECT count(*) FROM cherrypick WHERE NOT isExclude",
  backouts: "SELECT count(*) FROM cherrypick WHERE isExclude",
  "private artifacts": "SELECT count(*) FROM private",
  "propagated tags": "SELECT count(*) FROM tagxref WHERE srcid = 0",
  "cancelled tags": "SELECT count(*) FROM tagxref WHERE tagtype = 0",
  "amended comments": "SELECT count(*) FROM event WHERE ecomment IS NOT NULL",
  "amended dates": "SELECT count(*) FROM event WHERE type = 'ci' AND mtime <> omtime",
  wiki: "SELECT count(*) FROM event WHERE type = 'w'",
  tickets: "SELECT count(*) FROM event WHERE type = 't'",
  technotes: "SELECT count(*) FROM event WHERE type = 'e'",
  "forum edits": "SELECT count(*) FROM forumpost WHERE fprev IS NOT NULL",
  "forum replies": "SELECT count(*) FROM forumpost WHERE firt IS NOT NULL",
  "tag events": "SELECT count(*) FROM event WHERE type = 'g'",
  "removed attachments": "SELECT count(*) FROM attachment WHERE src IS NULL OR src = ''",
  "older attachments": "SELECT count(*) FROM attachment WHERE NOT isLatest",
  backlinks: "SELECT count(*) FROM backlink",
  shunned: "SELECT count(*) FROM shun",
  "unversioned files": "SELECT count(*) FROM unversioned WHERE hash IS NOT NULL",
  "removed unversioned files": "SELECT count(*) FROM unversioned WHERE hash IS NULL",
  "own ticket columns": "SELECT count(*) FROM ticket WHERE votes = 7 OR due_date IS NOT NULL",
  "names beyond ASCII": "SELECT count(*) FROM filename WHERE name GLOB '*[^ -~]*'",
};

for (const stock of stocks()) {
  describe(`the fixture made by stock ${stock.version}`, () => {
    test("has what it is there for", async () => {
      const db = Db.open(await fixture(stock), { mode: "read" });
      const missing = Object.entries(CONTENTS).filter(([, sql]) => Number(db.prepare(sql).value()) <= 0);
      db.close();
      expect(missing.map(([name]) => name)).toEqual([]);
    });

    test("is sound, and equals its rebuild", async () => {
      const file = await fixture(stock);
      expect(await stock.ok(["test-integrity", "-R", file])).toContain(" 0 errors");
      expect(await rebuildParity(file, stock)).toEqual([]);
    });
  });
}

test("the history follows from its seed", () => {
  const profile = {
    seed: 7n,
    checkIns: 20,
    textFiles: 10,
    linesMean: 5,
    editsMean: 2,
    binaryFiles: 1,
    binaryBytes: 100,
    largeFiles: 0,
    largeBytes: 0,
    branchesOpen: 2,
  };
  const digest = (seed: bigint) => {
    const hasher = new Bun.CryptoHasher("sha1");
    for (const piece of fastExport({ ...profile, seed })) hasher.update(piece);
    return hasher.digest("hex");
  };
  expect(digest(7n)).toBe(digest(7n));
  expect(digest(8n)).not.toBe(digest(7n));
});
