/**
 * The tables of a checkout's database (`.fslckout`, on Windows `_FOSSIL_`), as stock makes them since 2019.
 *
 *     vvar(name, value)      facts of this checkout: `repository` (path, relative to the top unless absolute),
 *                            `checkout` (rid of the check-in, 0 for none), `checkout-hash` (its name),
 *                            `fingerprint` (see `checkout-db.ts`), `undo_…`, `bisect`, `stash-next` …
 *     vfile(…)               one row per managed file, see `checkout-vfile.ts`
 *     vmerge(id, merge, mhash)
 *                            merges not yet committed. id above 0: that file was merged with artifact `merge`.
 *                            Else the whole checkout with check-in `merge`: 0 merge, -1 cherry-pick,
 *                            -2 backout, -4 integrate. `mhash` is the name of `merge`
 *
 * Undo, stash and bisect make tables of their own when they are first used.
 *
 * Source: Fossil `src/schema.c`, and checkouts made by 2.21 and 2.29.
 */

/** Marks a SQLite file as a checkout's database. */
export const CHECKOUT_APPLICATION_ID = 252006674;

/** Names the database may have, in the order stock looks for them. */
export const CHECKOUT_DATABASES = ["_FOSSIL_", ".fslckout", ".fos"] as const;

export const CHECKOUT_TABLES_SQL = `
CREATE TABLE vvar(
  name TEXT PRIMARY KEY NOT NULL,
  value CLOB,
  CHECK( typeof(name)='text' AND length(name)>=1 )
) WITHOUT ROWID;
CREATE TABLE vfile(
  id INTEGER PRIMARY KEY,
  vid INTEGER REFERENCES blob,
  chnged INT DEFAULT 0,
  deleted BOOLEAN DEFAULT 0,
  isexe BOOLEAN,
  islink BOOLEAN,
  rid INTEGER,
  mrid INTEGER,
  mtime INTEGER,
  pathname TEXT,
  origname TEXT,
  mhash TEXT,
  UNIQUE(pathname,vid)
);
PRAGMA application_id=${CHECKOUT_APPLICATION_ID};
CREATE TABLE vmerge(
  id INTEGER REFERENCES vfile,
  merge INTEGER,
  mhash TEXT
);
CREATE UNIQUE INDEX vmergex1 ON vmerge(id,mhash);
CREATE TRIGGER vmerge_ck1 AFTER INSERT ON vmerge
WHEN new.mhash IS NULL BEGIN
  SELECT raise(FAIL,
  'trying to update a newer check-out with an older version of Fossil');
END;
`;
