/**
 * The tables of e-mail notification, which stock makes when it first needs them (Fossil `src/alerts.c`). Here
 * nothing is ever sent by e-mail; the list of subscribers is kept for the peers that do.
 */
import type { Db } from "./db.ts";

const TABLES_SQL = `
CREATE TABLE subscriber(
  subscriberId INTEGER PRIMARY KEY,
  subscriberCode BLOB DEFAULT (randomblob(32)) UNIQUE,
  semail TEXT UNIQUE COLLATE nocase,
  suname TEXT,
  sverified BOOLEAN DEFAULT true,
  sdonotcall BOOLEAN,
  sdigest BOOLEAN,
  ssub TEXT,
  sctime INTDATE,
  mtime INTDATE,
  smip TEXT,
  lastContact INT
);
CREATE INDEX subscriberUname ON subscriber(suname) WHERE suname IS NOT NULL;
DROP TABLE IF EXISTS pending_alert;
CREATE TABLE pending_alert(
  eventid TEXT PRIMARY KEY,
  sentSep BOOLEAN DEFAULT false,
  sentDigest BOOLEAN DEFAULT false,
  sentMod BOOLEAN DEFAULT false
) WITHOUT ROWID;
`;

/** Bytes of `subscriber.subscriberCode`, the secret by which a subscriber is known in links. */
export const SUBSCRIBER_CODE_BYTES = 32;

export function hasSubscribers(db: Db): boolean {
  return (
    db.prepare("SELECT 1 FROM sqlite_schema WHERE type='table' AND name='subscriber'").value() !== undefined
  );
}

/** Makes the tables if they are not there. */
export function createSubscriberTables(db: Db): void {
  if (!hasSubscribers(db)) db.exec(TABLES_SQL);
}
