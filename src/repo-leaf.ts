/**
 * The leaf table: check-ins without a child on the same branch. The branch of a check-in is the value of
 * its tag `branch`, `trunk` without one; any child counts, a merge child too. Facts: Fossil `src/leaf.c`.
 *
 * A rebuild of stock looks only at check-ins that the tag `branch` was set on and at the parents of such.
 * So does this: a check-in that neither has the tag nor a child with it is in the table never.
 */
import type { Db } from "./db.ts";
import type { Rid } from "./repo-content.ts";

const HAS_NO_CHILD = `
  NOT EXISTS(
    SELECT 1 FROM plink
     WHERE pid=checked.rid
       AND coalesce((SELECT value FROM tagxref WHERE tagid=8 AND rid=checked.rid),'trunk')
         = coalesce((SELECT value FROM tagxref WHERE tagid=8 AND rid=plink.cid),'trunk'))`;

const IS_LEAF = `
  SELECT ${HAS_NO_CHILD} AND (
      EXISTS(SELECT 1 FROM tagxref WHERE tagid=8 AND rid=checked.rid)
      OR EXISTS(SELECT 1 FROM plink JOIN tagxref ON tagid=8 AND rid=plink.cid WHERE pid=checked.rid))
    FROM (SELECT ? AS rid) AS checked`;

/** Whether check-in `rid` belongs into the leaf table, computed from plink and tagxref. */
export function isLeaf(db: Db, rid: Rid): boolean {
  return db.prepare(IS_LEAF).value<number>(rid) === 1;
}

/** Brings the leaf table up to date for the given check-ins. */
export function checkLeaves(db: Db, rids: Iterable<Rid>): void {
  const add = db.prepare("INSERT OR IGNORE INTO leaf(rid) VALUES(?)");
  const remove = db.prepare("DELETE FROM leaf WHERE rid=?");
  for (const rid of rids) (isLeaf(db, rid) ? add : remove).run(rid);
}

/** Fills the empty leaf table. */
export function rebuildLeaves(db: Db): void {
  db.exec(`
    INSERT INTO leaf(rid)
      SELECT rid FROM (
        SELECT rid FROM tagxref WHERE tagid=8
        UNION SELECT pid FROM tagxref JOIN plink ON cid=rid WHERE tagid=8 AND pid>0) AS checked
       WHERE ${HAS_NO_CHILD}`);
}
