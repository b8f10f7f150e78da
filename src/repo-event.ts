/**
 * Rows of table `event`, the timeline, for everything but check-ins (`repo-link-checkin.ts` writes those):
 *
 *     type   w wiki, t ticket, e technote, f forum post, g tags; a attachment to something unknown
 *     mtime  Julian day        objid  rid of the artifact, the primary key
 *     tagid  number of a ticket's or a technote's tag
 */
import type { Db } from "./db.ts";
import type { EpochMs } from "./julian.ts";
import type { Rid } from "./repo-content.ts";
import { toTableJulian } from "./repo-julian.ts";
import type { TagId } from "./repo-tag-name.ts";
import { textParameter } from "./repo-text.ts";

export interface TimelineEvent {
  readonly type: "w" | "t" | "e" | "f" | "g" | "a";
  readonly date: EpochMs;
  readonly rid: Rid;
  readonly user: string | undefined;
  /** Fossil wiki. */
  readonly comment: string | undefined;
  readonly tag?: TagId;
  /** The comment in short, for a timeline that has just shown another change of the same ticket. */
  readonly brief?: string;
}

const PUT_SQL = `
REPLACE INTO event(type,mtime,objid,tagid,user,comment,brief)
VALUES(?,?,?,?,CAST(? AS TEXT),CAST(? AS TEXT),CAST(? AS TEXT))`;

/** Writes the row of `event.rid`, in place of what was there. */
export function putEvent(db: Db, event: TimelineEvent): void {
  const { type, date, rid, tag = null, user, comment, brief } = event;
  const [by, about, short] = [textParameter(user), textParameter(comment), textParameter(brief)];
  db.prepare(PUT_SQL).run(type, toTableJulian(date), rid, tag, by, about, short);
}
