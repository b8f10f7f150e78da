/**
 * What a peer that asks is answered from: the queries behind a clone page, a catalog, a pull. All of them
 * are reads. Shunned artifacts are never named, phantoms never offered, private ones only when asked for.
 *
 * Rules: fossil-facts B, E; Fossil `src/xfer.c`.
 */
import type { Bytes } from "./bytes.ts";
import type { Db } from "./db.ts";
import type { Hash } from "./hash.ts";
import { type Rid, WAITING_SQL } from "./repo-blob.ts";
import { fixedTagId } from "./repo-schema.ts";

/** One row of a clone page, as stored. */
export interface CloneRow {
  readonly rid: Rid;
  readonly hash: Hash;
  /** Of the artifact, expanded, in bytes. */
  readonly size: number;
  readonly bytes: Bytes;
  readonly isPrivate: boolean;
  /** What `bytes` is a delta of. */
  readonly source:
    | { readonly rid: Rid; readonly hash: Hash; readonly isPrivate: boolean; readonly isShunned: boolean }
    | undefined;
}

interface CloneRecord {
  readonly rid: Rid;
  readonly uuid: Hash;
  readonly size: number;
  readonly content: Bytes | null;
  readonly private: 0 | 1;
  readonly srcid: Rid | null;
  readonly source: Hash | null;
  readonly sourcePrivate: 0 | 1;
  readonly sourceShunned: 0 | 1;
}

/** The largest rid; 0 in an empty repository. */
export function maxRid(db: Db): number {
  return db.prepare("SELECT max(rid) FROM blob").value<number | null>() ?? 0;
}

const CLONE_COLUMNS = "b.rid, b.uuid, b.size, b.content, d.srcid, s.uuid AS source";
const CLONE_TABLES = "blob b LEFT JOIN delta d ON d.rid=b.rid LEFT JOIN blob s ON s.rid=d.srcid";
/** Where nothing is private or shunned, nothing is looked up for each row. */
const CLONE_ROWS_SQL = `SELECT ${CLONE_COLUMNS}, 0 AS private, 0 AS sourcePrivate, 0 AS sourceShunned
  FROM ${CLONE_TABLES} WHERE b.rid BETWEEN ? AND ? AND b.size>=0 ORDER BY b.rid`;
const CLONE_ROWS_GUARDED_SQL = `SELECT ${CLONE_COLUMNS},
    EXISTS(SELECT 1 FROM private WHERE rid=b.rid) AS private,
    EXISTS(SELECT 1 FROM private WHERE rid=d.srcid) AS sourcePrivate,
    EXISTS(SELECT 1 FROM shun WHERE uuid=s.uuid) AS sourceShunned
  FROM ${CLONE_TABLES}
  WHERE b.rid BETWEEN ? AND ? AND b.size>=0 AND NOT EXISTS(SELECT 1 FROM shun WHERE uuid=b.uuid)
  ORDER BY b.rid`;

/**
 * Stored artifacts with `first` ≤ rid ≤ `last`, in order of rid, one at a time. To be called within a
 * transaction. The bytes of a row belong to the caller, who may free them.
 */
export function* cloneRows(
  db: Db,
  first: number,
  last: number,
  withPrivate: boolean,
): Generator<CloneRow, void> {
  const isGuarded = db
    .prepare("SELECT EXISTS(SELECT 1 FROM private) OR EXISTS(SELECT 1 FROM shun)")
    .value<0 | 1>();
  const statement = db.prepare<CloneRecord>(isGuarded === 1 ? CLONE_ROWS_GUARDED_SQL : CLONE_ROWS_SQL);
  for (const row of statement.iterate(first, last)) {
    if (row.private === 1 && !withPrivate) continue;
    yield {
      rid: row.rid,
      hash: row.uuid,
      size: row.size,
      bytes: row.content ?? new Uint8Array(0),
      isPrivate: row.private === 1,
      source:
        row.srcid === null || row.source === null
          ? undefined
          : {
              rid: row.srcid,
              hash: row.source,
              isPrivate: row.sourcePrivate === 1,
              isShunned: row.sourceShunned === 1,
            },
    };
  }
}

/** A public artifact that a peer may be told of. */
export interface Offer {
  readonly rid: Rid;
  readonly hash: Hash;
}

/** Public artifacts that are in no cluster. */
export function unclusteredOffers(db: Db): Generator<Offer> {
  return db
    .prepare<Offer>(
      `SELECT b.rid, b.uuid AS hash FROM unclustered u CROSS JOIN blob b USING(rid)
       WHERE b.size>=0
         AND NOT EXISTS(SELECT 1 FROM private WHERE rid=b.rid)
         AND NOT EXISTS(SELECT 1 FROM shun WHERE uuid=b.uuid)
         AND b.rid NOT IN (${WAITING_SQL})`,
    )
    .iterate();
}

/** Every public artifact, the newest rid first. */
export function allOffers(db: Db): Generator<Offer> {
  return db
    .prepare<Offer>(
      `SELECT b.rid, b.uuid AS hash FROM blob b
       WHERE b.size>=0
         AND NOT EXISTS(SELECT 1 FROM private WHERE rid=b.rid)
         AND NOT EXISTS(SELECT 1 FROM shun WHERE uuid=b.uuid)
         AND b.rid NOT IN (${WAITING_SQL})
       ORDER BY b.rid DESC`,
    )
    .iterate();
}

/** Public clusters that are themselves in a cluster: a peer hears of the others as unclustered. */
export function clusterOffers(db: Db): Generator<Offer> {
  return db
    .prepare<Offer>(
      `SELECT b.rid, b.uuid AS hash FROM tagxref t JOIN blob b ON b.rid=t.rid
       WHERE t.tagid=? AND b.size>=0
         AND NOT EXISTS(SELECT 1 FROM unclustered WHERE rid=b.rid)
         AND NOT EXISTS(SELECT 1 FROM private WHERE rid=b.rid)
         AND NOT EXISTS(SELECT 1 FROM shun WHERE uuid=b.uuid)
         AND b.rid NOT IN (${WAITING_SQL})`,
    )
    .iterate(fixedTagId("cluster"));
}

/** Private artifacts that are here. */
export function privateOffers(db: Db): Generator<Offer> {
  return db
    .prepare<Offer>(
      `SELECT b.rid, b.uuid AS hash FROM private p CROSS JOIN blob b USING(rid)
       WHERE b.size>=0 AND NOT EXISTS(SELECT 1 FROM shun WHERE uuid=b.uuid)
         AND b.rid NOT IN (${WAITING_SQL})`,
    )
    .iterate();
}

/** Hashes whose content is wanted. */
export function* wantedHashes(db: Db, withPrivate: boolean): Generator<Hash> {
  const rows = db
    .prepare<{ hash: Hash; private: 0 | 1 }>(
      `SELECT b.uuid AS hash, EXISTS(SELECT 1 FROM private WHERE rid=b.rid) AS private
       FROM phantom CROSS JOIN blob b USING(rid)
       WHERE NOT EXISTS(SELECT 1 FROM shun WHERE uuid=b.uuid)`,
    )
    .iterate();
  for (const row of rows) if (withPrivate || row.private === 0) yield row.hash;
}

/**
 * An earlier version of artifact `rid` that a peer which lacks `rid` is likely to have: a parent of the
 * check-in, or the file in the parent of the oldest check-in that changed it.
 */
export function earlierVersion(db: Db, rid: Rid): Rid | undefined {
  const parent = db
    .prepare("SELECT pid FROM plink WHERE cid=? AND NOT EXISTS(SELECT 1 FROM phantom WHERE rid=pid)")
    .value<Rid>(rid);
  if (parent !== undefined && parent > 0) return parent;
  const [row] = db
    .prepare(
      `SELECT pid, min(event.mtime) FROM mlink JOIN event ON mlink.mid=event.objid
       WHERE fid=? AND NOT EXISTS(SELECT 1 FROM phantom WHERE rid=pid)`,
    )
    .values<[Rid | null, number | null]>(rid);
  return row?.[0] != null && row[0] > 0 ? row[0] : undefined;
}

/** How many artifacts are here that a new cluster could have as members. */
export function unclusteredCount(db: Db): number {
  return db
    .prepare(
      `SELECT count(*) FROM unclustered CROSS JOIN blob USING(rid)
       WHERE size>=0 AND NOT EXISTS(SELECT 1 FROM shun WHERE shun.uuid=blob.uuid)`,
    )
    .value<number>()!;
}

/** Public artifacts that were made here and have not been sent to any peer yet. */
export function unsentRids(db: Db): Rid[] {
  return db
    .prepare("SELECT rid FROM unsent EXCEPT SELECT rid FROM private ORDER BY rid")
    .values<[Rid]>()
    .map(([rid]) => rid);
}
