/**
 * The rows of `blob` and the tables that classify them, by rid. What the bytes in them mean (full text,
 * delta) is `repo-content.ts`.
 *
 *     blob(rid, rcvid, size, uuid, content)   one row per known artifact
 *     delta(rid, srcid)                       `content` of rid is a delta against srcid
 *     phantom(rid)                            the hash is known, the content is not: size -1, content NULL
 *     private(rid)                            never announced, never sent without the right to
 *     unclustered(rid)                        public and not a member of a cluster: announced by `igot`;
 *                                             public phantoms are in it too
 *     unsent(rid)                             made here and not yet pushed: an optimisation of push
 *     shun(uuid)                              never stored, never a phantom
 *
 * A rid is a whole number above 0, local to one file. 0 stands for "no artifact" in derived tables.
 *
 * Rules: fossil-facts E; Fossil `src/schema.c`, `src/content.c`.
 */
import type { Db } from "./db.ts";
import { RepoError } from "./errors.ts";
import type { Hash } from "./hash.ts";

declare const ridBrand: unique symbol;

/** Row id of an artifact in one repository file. */
export type Rid = number & { readonly [ridBrand]: true };

/** What derived tables hold where there is no artifact, for instance for a shunned one. */
export const NO_RID = 0 as Rid;

/** What a blob row says about its artifact without reading the content. */
export interface BlobHead {
  readonly hash: Hash;
  /** Expanded size in bytes, -1 for a phantom. */
  readonly size: number;
  /** The artifact this one is stored as a delta of. */
  readonly source: Rid | undefined;
}

export interface BlobStanding {
  readonly rid: Rid;
  /** Whether only the hash is known. */
  readonly isPhantom: boolean;
  readonly isPrivate: boolean;
}

/**
 * Artifacts that are here and cannot be expanded: what they are deltas of, directly or not, is a phantom. They
 * are told to nobody, for they could not be sent; a peer that makes up deltas would else keep others asking.
 */
export const WAITING_SQL = `WITH RECURSIVE waiting(rid) AS (
  SELECT d.rid FROM phantom p JOIN delta d ON d.srcid=p.rid
  UNION SELECT d.rid FROM waiting w JOIN delta d ON d.srcid=w.rid) SELECT rid FROM waiting`;

export class BlobTable {
  constructor(readonly db: Db) {}

  /** The rid of `hash`, phantoms included. */
  ridOf(hash: Hash): Rid | undefined {
    return this.db.prepare("SELECT rid FROM blob WHERE uuid=?").value<Rid>(hash);
  }

  /** What is known of `hash`, in one look; undefined when it was never seen. */
  standingOf(hash: Hash): BlobStanding | undefined {
    const [row] = this.db
      .prepare(
        "SELECT rid, size<0, EXISTS(SELECT 1 FROM private WHERE private.rid=blob.rid) FROM blob WHERE uuid=?",
      )
      .values<[Rid, number, number]>(hash);
    return row && { rid: row[0], isPhantom: row[1] === 1, isPrivate: row[2] === 1 };
  }

  /** @throws RepoError `no-such-rid` */
  hashOf(rid: Rid): Hash {
    const hash = this.db.prepare("SELECT uuid FROM blob WHERE rid=?").value<Hash>(rid);
    if (hash === undefined) throw new RepoError("no-such-rid", `${this.db.path} has no artifact ${rid}`);
    return hash;
  }

  head(rid: Rid): BlobHead | undefined {
    const [row] = this.db
      .prepare("SELECT uuid, size, (SELECT srcid FROM delta d WHERE d.rid=blob.rid) FROM blob WHERE rid=?")
      .values<[Hash, number, Rid | null]>(rid);
    return row && { hash: row[0], size: row[1], source: row[2] ?? undefined };
  }

  /** Expanded size in bytes; -1 for a phantom and for a rid that does not exist. */
  size(rid: Rid): number {
    return this.db.prepare("SELECT size FROM blob WHERE rid=?").value<number>(rid) ?? -1;
  }

  /** Whether only the hash of `rid` is known. */
  isPhantom(rid: Rid): boolean {
    return this.size(rid) < 0;
  }

  isPrivate(rid: Rid): boolean {
    return this.db.prepare("SELECT 1 FROM private WHERE rid=?").value(rid) !== undefined;
  }

  isShunned(hash: Hash): boolean {
    return this.db.prepare("SELECT 1 FROM shun WHERE uuid=?").value(hash) !== undefined;
  }

  /** The artifact `rid` is stored as a delta of, if it is. */
  sourceOf(rid: Rid): Rid | undefined {
    return this.db.prepare("SELECT srcid FROM delta WHERE rid=?").value<Rid>(rid);
  }

  /** Artifacts stored as deltas of `rid`, in order of rid. */
  dependentsOf(rid: Rid): Rid[] {
    const rows = this.db.prepare("SELECT rid FROM delta WHERE srcid=? ORDER BY rid").values<[Rid]>(rid);
    return rows.map(([dependent]) => dependent);
  }

  /** Whether `rid` can be expanded: neither it nor anything its delta chain needs is a phantom. */
  isAvailable(rid: Rid): boolean {
    const missing = this.db
      .prepare(
        `WITH RECURSIVE chain(rid) AS (VALUES(?) UNION SELECT d.srcid FROM chain JOIN delta d USING(rid))
         SELECT 1 FROM chain LEFT JOIN blob USING(rid) WHERE coalesce(size,-1)<0 LIMIT 1`,
      )
      .value(rid);
    return missing === undefined;
  }

  /** Whether the delta chain of `rid` passes through `ancestor` (or starts there). */
  dependsOn(rid: Rid, ancestor: Rid): boolean {
    const found = this.db
      .prepare(
        `WITH RECURSIVE chain(rid) AS (VALUES(?1) UNION SELECT d.srcid FROM chain JOIN delta d USING(rid))
         SELECT 1 FROM chain WHERE rid=?2`,
      )
      .value(rid, ancestor);
    return found !== undefined;
  }

  /**
   * The rid of `hash`; makes a phantom for a hash never seen. A shunned hash gets no row: `NO_RID`.
   *
   * @param isPrivate whether a phantom that is made is private; an existing row stays as it is
   */
  ridOrPhantom(hash: Hash, isPrivate: boolean): Rid {
    const known = this.ridOf(hash);
    if (known !== undefined) return known;
    if (this.isShunned(hash)) return NO_RID;
    return this.db.write(() => {
      const inserted = this.db
        .prepare("INSERT INTO blob(rcvid,size,uuid,content) VALUES(0,-1,?,NULL)")
        .run(hash);
      const rid = inserted.lastInsertRowid as Rid;
      this.db.prepare("INSERT INTO phantom(rid) VALUES(?)").run(rid);
      if (isPrivate) this.markPrivate(rid);
      else this.markUnclustered(rid);
      return rid;
    });
  }

  /** Notes that `rid` was made here and should be pushed without being asked for. */
  markUnsent(rid: Rid): void {
    this.db.prepare("INSERT OR IGNORE INTO unsent(rid) VALUES(?)").run(rid);
  }

  protected markUnclustered(rid: Rid): void {
    this.db.prepare("INSERT OR IGNORE INTO unclustered(rid) VALUES(?)").run(rid);
  }

  protected markPrivate(rid: Rid): void {
    this.db.prepare("INSERT OR IGNORE INTO private(rid) VALUES(?)").run(rid);
  }
}
