/**
 * Links a forum post (Fossil `src/manifest.c`).
 *
 *     forumpost(fpid, froot, fprev, firt, fmtime)
 *         froot  the thread's first post (G card), the post itself if it is that
 *         fprev  the post this one edits (P card) or NULL; firt  the post it answers (I card) or NULL
 *     event of type f, comment = KIND: TITLE
 *         KIND   Post, Edit; for answers Reply, Edit reply, Delete reply (no text)
 *         TITLE  of the thread
 *
 * A thread is called what the first post, or the edit of it, says that was linked last. Stock means to take
 * the newest, but compares with NULL; linking by rid, as a rebuild does, its outcome is the one with the
 * largest rid, and so it is here in whatever order posts arrive. A thread without a first post is called
 * <i>Unknown</i>. The table is made when the first post arrives.
 */
import type { ForumPost } from "./artifact-types.ts";
import { toJulian } from "./julian.ts";
import { extractBacklinks, markupOf } from "./repo-backlink.ts";
import type { Rid } from "./repo-content.ts";
import { putEvent } from "./repo-event.ts";
import { toTableJulian } from "./repo-julian.ts";
import type { LinkContext } from "./repo-link-context.ts";
import { linkVersions } from "./repo-link-versions.ts";
import { textParameter } from "./repo-text.ts";

const SCHEMA_SQL = `
CREATE TABLE IF NOT EXISTS forumpost(
  fpid INTEGER PRIMARY KEY,
  froot INT,
  fprev INT,
  firt INT,
  fmtime REAL
);
CREATE INDEX IF NOT EXISTS forumthread ON forumpost(froot,fmtime);`;

const INSERT_SQL =
  "REPLACE INTO forumpost(fpid,froot,fprev,firt,fmtime) VALUES(?,?,nullif(?,0),nullif(?,0),?)";

export function linkForumPost(ctx: LinkContext, rid: Rid, post: ForumPost): void {
  const { db } = ctx;
  linkVersions(ctx, rid, post);
  ctx.deferAttachments(ctx.content.hashOf(rid));
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name='forumpost'").value() === undefined) {
    db.exec(SCHEMA_SQL);
  }
  const root = post.threadRoot === undefined ? rid : ctx.ridOf(post.threadRoot);
  const prior = post.parents[0] === undefined ? 0 : ctx.ridOf(post.parents[0]);
  const answered = post.inReplyTo === undefined ? 0 : ctx.ridOf(post.inReplyTo);
  db.prepare(INSERT_SQL).run(rid, root, prior, answered, toTableJulian(post.date));

  const isEmpty = post.body.length === 0 || post.body[0] === 0;
  const isEdit = prior !== 0;
  if (answered === 0) {
    const title = post.title === undefined || post.title === "" ? "(Deleted)" : post.title;
    putPost(ctx, rid, post, isEdit ? "Edit" : "Post", title);
    nameThread(ctx, root, rid, title);
  } else {
    putPost(ctx, rid, post, isEmpty ? "Delete reply" : isEdit ? "Edit reply" : "Reply", "<i>Unknown</i>");
    db.prepare(COPY_TITLE_SQL).run(root, rid);
  }
  if (!isEmpty) {
    const source = { type: "forum", id: rid, mtime: toJulian(post.date) } as const;
    extractBacklinks(ctx, source, post.body, markupOf(post.mimetype), "replace");
  }
}

function putPost(ctx: LinkContext, rid: Rid, post: ForumPost, kind: string, title: string): void {
  const { date, user } = post;
  putEvent(ctx.db, { type: "f", date, rid, user, comment: `${kind}: ${title}` });
}

const RENAME_SQL = `
UPDATE event SET comment=substr(comment,1,instr(comment,':')) || ' ' || CAST(?1 AS TEXT)
 WHERE objid IN (SELECT fpid FROM forumpost WHERE froot=?2)`;

const RENAME_LIKE_SQL = `
UPDATE event
   SET comment=substr(comment,1,instr(comment,':')) || ' ' ||
       (SELECT substr(comment,instr(comment,':')+2) FROM event WHERE objid=?1)
 WHERE objid IN (SELECT fpid FROM forumpost WHERE froot=?2)`;

const COPY_TITLE_SQL = `
UPDATE event
   SET comment=substr(comment,1,instr(comment,':')) || ' ' ||
       (SELECT substr(comment,instr(comment,':')+2) FROM event WHERE objid=?1)
 WHERE objid=?2 AND EXISTS(SELECT 1 FROM event WHERE objid=?1)`;

/** The first post or an edit of it has arrived: gives its title to the thread, unless a later one has. */
function nameThread(ctx: LinkContext, root: Rid, rid: Rid, title: string): void {
  const latest = ctx.db
    .prepare("SELECT max(fpid) FROM forumpost WHERE froot=? AND firt IS NULL")
    .value<Rid>(root);
  if (latest === rid || ctx.isRebuild) ctx.db.prepare(RENAME_SQL).run(textParameter(title), root);
  else ctx.db.prepare(RENAME_LIKE_SQL).run(latest!, root);
}
