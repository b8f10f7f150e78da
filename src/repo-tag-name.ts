/**
 * Tag names and their numbers. Table `tag` gives each name a number, private to the file. Eleven names
 * have fixed numbers, written by the schema (Fossil `src/schema.c`, table `tag`), because the tables that
 * crosslinking fills treat them specially.
 *
 * Names that artifacts other than check-ins give rise to:
 *   - `wiki-TITLE`  every version of a wiki page; value = length of its text in bytes
 *   - `tkt-ID`      every change of a ticket
 *   - `event-ID`    every version of a technote; value = length of its text in bytes
 *   - `sym-NAME`    symbolic name of a check-in, propagating for branches
 */
import type { Db } from "./db.ts";
import { textParameter } from "./repo-text.ts";

/** Numbers fixed by the schema. */
export const TAG = {
  bgcolor: 1,
  comment: 2,
  user: 3,
  date: 4,
  hidden: 5,
  private: 6,
  cluster: 7,
  branch: 8,
  closed: 9,
  parent: 10,
  note: 11,
} as const;

export type TagId = number;

/** The number of tag `name`, or `undefined` when no artifact has used it. */
export function findTagId(db: Db, name: string): TagId | undefined {
  return db.prepare("SELECT tagid FROM tag WHERE tagname=CAST(? AS TEXT)").value<number>(textParameter(name));
}

/** The number of tag `name`, given to it now if it has none. */
export function tagIdOf(db: Db, name: string): TagId {
  return (
    findTagId(db, name) ??
    db.prepare("INSERT INTO tag(tagname) VALUES(CAST(? AS TEXT))").run(textParameter(name)).lastInsertRowid
  );
}
