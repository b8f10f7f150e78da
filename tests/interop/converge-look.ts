/** What a repository holds, as far as a person needs to know it to choose what to do next. */
import { Db } from "../../src/db.ts";
import { SPAM } from "./converge-plan.ts";

const PUBLIC = "rid NOT IN (SELECT rid FROM private)";
const NO_SPAM = `NOT GLOB '*${SPAM}*'`;

const QUERIES = {
  /** Open public leaves. */
  leaves: `SELECT uuid FROM leaf JOIN blob USING(rid) WHERE ${PUBLIC}
    AND NOT EXISTS(SELECT 1 FROM tagxref x WHERE x.rid=leaf.rid AND tagid=9 AND tagtype>0)`,
  /** Those of them that may be closed without anybody being left without a trunk. */
  sideLeaves: `SELECT uuid FROM leaf JOIN blob USING(rid) WHERE ${PUBLIC} AND NOT EXISTS(
      SELECT 1 FROM tagxref x WHERE x.rid=leaf.rid AND tagtype>0 AND (tagid=9 OR (tagid=8 AND value='trunk')))`,
  /** Branches with such leaves. */
  branches: `SELECT DISTINCT value FROM tagxref WHERE tagid=8 AND tagtype>0 AND ${PUBLIC}
    AND rid IN (SELECT rid FROM leaf) AND rid NOT IN (SELECT rid FROM tagxref WHERE tagid=9 AND tagtype>0)`,
  checkIns: `SELECT uuid FROM event JOIN blob ON rid=objid WHERE type='ci' AND ${PUBLIC}`,
  pages: `SELECT substr(tagname,6) FROM tag WHERE tagname GLOB 'wiki-*' AND tagname ${NO_SPAM}`,
  tickets: "SELECT tkt_uuid FROM ticket",
  technotes: "SELECT substr(tagname,7) FROM tag WHERE tagname GLOB 'event-*'",
  /** `HASH NAME` of tags that can be cancelled. */
  tags: `SELECT uuid || ' ' || substr(tagname,5) FROM tagxref JOIN tag USING(tagid) JOIN blob USING(rid)
    WHERE tagname GLOB 'sym-rel-*' AND tagtype>0 AND srcid>0 AND ${PUBLIC}`,
  files: "SELECT name FROM unversioned WHERE hash IS NOT NULL",
  spam: `SELECT uuid FROM tagxref JOIN tag USING(tagid) JOIN blob USING(rid)
      WHERE tagname GLOB 'wiki-*${SPAM}*' AND uuid NOT IN (SELECT uuid FROM shun)
    UNION SELECT uuid FROM mlink JOIN filename USING(fnid) JOIN blob ON rid=fid
      WHERE name GLOB '${SPAM}/*' AND size>=0 AND uuid NOT IN (SELECT uuid FROM shun)`,
  shunned: "SELECT uuid FROM shun",
  phantoms: "SELECT uuid FROM blob WHERE size<0",
  clusters: "SELECT uuid FROM tagxref JOIN blob USING(rid) WHERE tagid=7 AND tagtype>0",
  forks: `SELECT value || ' ' || count(*) FROM tagxref WHERE tagid=8 AND tagtype>0 AND rid IN (SELECT rid FROM leaf)
    GROUP BY value HAVING count(*)>1`,
  /** Name, time and hash of unversioned files, deleted ones included. */
  unversioned: "SELECT name || ' ' || mtime || ' ' || ifnull(hash,'-') || ' ' || sz FROM unversioned",
} as const;

/** Answers in sorted order, so that a choice by number means the same wherever the same is known. */
export function look(file: string, what: keyof typeof QUERIES): string[] {
  const db = Db.open(file, { mode: "read" });
  try {
    const isThere = db.prepare("SELECT 1 FROM sqlite_schema WHERE name=?");
    if (/unversioned/.test(QUERIES[what]) && isThere.value("unversioned") === undefined) return [];
    return db
      .prepare(QUERIES[what])
      .values<[string]>()
      .map(([value]) => String(value))
      .sort();
  } finally {
    db.close();
  }
}
