/**
 * The tables of a repository, as `fossil new` of 2.29 makes them and 2.21 reads them (Fossil
 * `src/schema.c`; columns and indexes are compared with stock's in the tests).
 *
 * Three groups:
 *   - content tables hold what cannot be computed: artifacts, users, settings. A rebuild keeps them;
 *   - derived tables hold what crosslinking computes from artifacts. A rebuild drops and fills them;
 *   - ticket tables are derived too, but their columns are the project's choice (config `ticket-table`);
 *     here are the default ones.
 *
 * Tables that stock makes when it first needs them (`forumpost`, `unversioned`, `subscriber` …) are made by
 * the modules that fill them.
 */

/** Marks a SQLite file as a Fossil repository (`file` shows it). */
export const REPOSITORY_APPLICATION_ID = 252006673;

/** Version of the content tables. */
export const CONTENT_SCHEMA = "2";

/** Versions of the derived tables that we and stock can work with, inclusive; compared as text. */
export const AUX_SCHEMA_MIN = "2011-04-25 19:50";
export const AUX_SCHEMA_MAX = "2015-01-24";

/** Without these seven stock does not take a file for a repository. */
export const RECOGNITION_TABLES = ["blob", "delta", "rcvfrom", "user", "config", "mlink", "plink"] as const;

export const CONTENT_TABLES_SQL = `
CREATE TABLE blob(
  rid INTEGER PRIMARY KEY,
  rcvid INTEGER,
  size INTEGER,
  uuid TEXT UNIQUE NOT NULL,
  content BLOB,
  CHECK( length(uuid)>=40 AND rid>0 )
);
CREATE TABLE delta(
  rid INTEGER PRIMARY KEY,
  srcid INTEGER NOT NULL REFERENCES blob
);
CREATE INDEX delta_i1 ON delta(srcid);
CREATE TABLE rcvfrom(
  rcvid INTEGER PRIMARY KEY,
  uid INTEGER REFERENCES user,
  mtime DATETIME,
  nonce TEXT UNIQUE,
  ipaddr TEXT
);
CREATE TABLE user(
  uid INTEGER PRIMARY KEY,
  login TEXT UNIQUE,
  pw TEXT,
  cap TEXT,
  cookie TEXT,
  ipaddr TEXT,
  cexpire DATETIME,
  info TEXT,
  mtime DATE,
  photo BLOB,
  jx TEXT DEFAULT '{}'
);
CREATE TABLE config(
  name TEXT PRIMARY KEY NOT NULL,
  value CLOB,
  mtime DATE,
  CHECK( typeof(name)='text' AND length(name)>=1 )
) WITHOUT ROWID;
CREATE TABLE shun(
  uuid TEXT PRIMARY KEY,
  mtime DATE,
  scom TEXT
) WITHOUT ROWID;
CREATE TABLE private(rid INTEGER PRIMARY KEY);
CREATE TABLE reportfmt(
  rn INTEGER PRIMARY KEY,
  owner TEXT,
  title TEXT UNIQUE,
  mtime DATE,
  cols TEXT,
  sqlcode TEXT,
  jx TEXT DEFAULT '{}'
);
CREATE TABLE concealed(
  hash TEXT PRIMARY KEY,
  mtime DATE,
  content TEXT
) WITHOUT ROWID;
`;

/** Names of the derived tables, in the order they are made; the ticket tables are not among them. */
export const DERIVED_TABLES = [
  "filename",
  "mlink",
  "plink",
  "leaf",
  "event",
  "phantom",
  "orphan",
  "unclustered",
  "unsent",
  "tag",
  "tagxref",
  "backlink",
  "attachment",
  "cherrypick",
] as const;

/** Tags with a fixed `tagid`, starting at 1. */
export const FIXED_TAGS = [
  "bgcolor",
  "comment",
  "user",
  "date",
  "hidden",
  "private",
  "cluster",
  "branch",
  "closed",
  "parent",
  "note",
] as const;

/** The `tagid` of a fixed tag. */
export function fixedTagId(name: (typeof FIXED_TAGS)[number]): number {
  return FIXED_TAGS.indexOf(name) + 1;
}

export const DERIVED_TABLES_SQL = `
CREATE TABLE filename(
  fnid INTEGER PRIMARY KEY,
  name TEXT UNIQUE
);
CREATE TABLE mlink(
  mid INTEGER,
  fid INTEGER,
  pmid INTEGER,
  pid INTEGER,
  fnid INTEGER REFERENCES filename,
  pfnid INTEGER,
  mperm INTEGER,
  isaux BOOLEAN DEFAULT 0
);
CREATE INDEX mlink_i1 ON mlink(mid);
CREATE INDEX mlink_i2 ON mlink(fnid);
CREATE INDEX mlink_i3 ON mlink(fid);
CREATE INDEX mlink_i4 ON mlink(pid);
CREATE TABLE plink(
  pid INTEGER REFERENCES blob,
  cid INTEGER REFERENCES blob,
  isprim BOOLEAN,
  mtime DATETIME,
  baseid INTEGER REFERENCES blob,
  UNIQUE(pid, cid)
);
CREATE INDEX plink_i2 ON plink(cid,pid);
CREATE TABLE leaf(rid INTEGER PRIMARY KEY);
CREATE TABLE event(
  type TEXT,
  mtime DATETIME,
  objid INTEGER PRIMARY KEY,
  tagid INTEGER,
  uid INTEGER REFERENCES user,
  bgcolor TEXT,
  euser TEXT,
  user TEXT,
  ecomment TEXT,
  comment TEXT,
  brief TEXT,
  omtime DATETIME
);
CREATE INDEX event_i1 ON event(mtime);
CREATE TABLE phantom(
  rid INTEGER PRIMARY KEY
);
CREATE TABLE orphan(
  rid INTEGER PRIMARY KEY,
  baseline INTEGER
);
CREATE INDEX orphan_baseline ON orphan(baseline);
CREATE TABLE unclustered(
  rid INTEGER PRIMARY KEY
);
CREATE TABLE unsent(
  rid INTEGER PRIMARY KEY
);
CREATE TABLE tag(
  tagid INTEGER PRIMARY KEY,
  tagname TEXT UNIQUE
);
INSERT INTO tag(tagid,tagname) VALUES ${FIXED_TAGS.map((name, i) => `(${i + 1},'${name}')`).join(",")};
CREATE TABLE tagxref(
  tagid INTEGER REFERENCES tag,
  tagtype INTEGER,
  srcid INTEGER REFERENCES blob,
  origid INTEGER REFERENCES blob,
  value TEXT,
  mtime TIMESTAMP,
  rid INTEGER REFERENCE blob,
  UNIQUE(rid, tagid)
);
CREATE INDEX tagxref_i1 ON tagxref(tagid, mtime);
CREATE TABLE backlink(
  target TEXT,
  srctype INT,
  srcid INT,
  mtime TIMESTAMP,
  UNIQUE(target, srctype, srcid)
);
CREATE INDEX backlink_src ON backlink(srcid, srctype);
CREATE TABLE attachment(
  attachid INTEGER PRIMARY KEY,
  isLatest BOOLEAN DEFAULT 0,
  mtime TIMESTAMP,
  src TEXT,
  target TEXT,
  filename TEXT,
  comment TEXT,
  user TEXT
);
CREATE INDEX attachment_idx1 ON attachment(target, filename, mtime);
CREATE INDEX attachment_idx2 ON attachment(src);
CREATE TABLE cherrypick(
  parentid INT,
  childid INT,
  isExclude BOOLEAN DEFAULT false,
  PRIMARY KEY(parentid, childid)
) WITHOUT ROWID;
CREATE INDEX cherrypick_cid ON cherrypick(childid);
`;

/** The default ticket tables, for a project that has no `ticket-table` setting. */
export const DEFAULT_TICKET_TABLES_SQL = `
CREATE TABLE ticket(
  tkt_id INTEGER PRIMARY KEY,
  tkt_uuid TEXT UNIQUE,
  tkt_mtime DATE,
  tkt_ctime DATE,
  type TEXT,
  status TEXT,
  subsystem TEXT,
  priority TEXT,
  severity TEXT,
  foundin TEXT,
  private_contact TEXT,
  resolution TEXT,
  title TEXT,
  comment TEXT
);
CREATE TABLE ticketchng(
  tkt_id INTEGER REFERENCES ticket,
  tkt_rid INTEGER REFERENCES blob,
  tkt_mtime DATE,
  tkt_user TEXT,
  login TEXT,
  username TEXT,
  mimetype TEXT,
  icomment TEXT
);
CREATE INDEX ticketchng_idx1 ON ticketchng(tkt_id, tkt_mtime);
`;

/** The one ticket report of a new repository: every ticket, coloured by status. */
export const DEFAULT_REPORT = {
  title: "All Tickets",
  /** The colour key shown above the report: one colour and label per line. */
  cols: [
    "#ffffff Key:",
    "#f2dcdc Active",
    "#e8e8e8 Review",
    "#cfe8bd Fixed",
    "#bde5d6 Tested",
    "#cacae5 Deferred",
    "#c8c8c8 Closed",
  ].join("\n"),
  sqlcode: [
    "SELECT",
    "  CASE WHEN status IN ('Open','Verified') THEN '#f2dcdc'",
    "       WHEN status='Review' THEN '#e8e8e8'",
    "       WHEN status='Fixed' THEN '#cfe8bd'",
    "       WHEN status='Tested' THEN '#bde5d6'",
    "       WHEN status='Deferred' THEN '#cacae5'",
    "       ELSE '#c8c8c8' END AS 'bgcolor',",
    "  substr(tkt_uuid,1,10) AS '#',",
    "  datetime(tkt_mtime) AS 'mtime',",
    "  type,",
    "  status,",
    "  subsystem,",
    "  title",
    "FROM ticket",
  ].join("\n"),
} as const;
