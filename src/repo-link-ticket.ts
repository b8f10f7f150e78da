/**
 * Links a ticket change (Fossil `src/manifest.c`, `src/tkt.c`):
 *
 *     tag tkt-ID on the change
 *     ticket, ticketchng, backlink and the ticket's timeline entries (type t), all computed anew from every
 *     change of the ticket when the batch ends: an older change that arrives late alters what follows
 *
 * Timeline entries, TITLE and STATUS being columns of `ticket` named by the settings `ticket-title-expr` and
 * `ticket-status-column`, with their values as of that change:
 *
 *     New ticket [LINK|SHORT] <i>TITLE</i>.
 *     STATUS ticket [LINK|SHORT]: <i>TITLE</i> plus N other changes        the change sets the status
 *     Ticket [LINK|SHORT] <i>TITLE</i> status still STATUS with N other changes
 */
import { decodeRaw } from "./artifact-escape.ts";
import type { TicketChange } from "./artifact-types.ts";
import { latin1 } from "./bytes.ts";
import { readArtifact } from "./repo-artifact.ts";
import type { Rid } from "./repo-content.ts";
import { putEvent } from "./repo-event.ts";
import { toTableJulian } from "./repo-julian.ts";
import { retellAttachments } from "./repo-link-attachment.ts";
import type { LinkContext } from "./repo-link-context.ts";
import { html, reference } from "./repo-link-text.ts";
import { insertTag, TAG_TYPE } from "./repo-tag.ts";
import { type TagId, tagIdOf } from "./repo-tag-name.ts";
import { textParameter } from "./repo-text.ts";
import { TicketBuilder } from "./repo-ticket.ts";
import { quoteName, readTicketSchema } from "./repo-ticket-schema.ts";

export function linkTicket(ctx: LinkContext, rid: Rid, change: TicketChange): void {
  ctx.amended.add(rid);
  insertTag(ctx, {
    name: `tkt-${change.ticketId}`,
    type: TAG_TYPE.singleton,
    value: null,
    source: rid,
    date: change.date,
    target: rid,
  });
  ctx.deferTicket(change.ticketId);
  retellAttachments(ctx, change.ticketId, "ticket");
}

/** Computes all that is derived from the changes of ticket `id` anew. */
export function rebuildTicket(ctx: LinkContext, id: string): void {
  const { db } = ctx;
  const schema = readTicketSchema(db);
  if (schema === undefined) return;
  const tag = tagIdOf(db, `tkt-${id}`);
  const ticket = db.prepare("SELECT tkt_id FROM ticket WHERE tkt_uuid=?").value<number>(id);
  if (ticket !== undefined) {
    if (schema.hasChanges) db.prepare("DELETE FROM ticketchng WHERE tkt_id=?").run(ticket);
    db.prepare("DELETE FROM ticket WHERE tkt_id=?").run(ticket);
  }
  db.prepare("DELETE FROM backlink WHERE srctype=1 AND srcid IN (SELECT rid FROM tagxref WHERE tagid=?)").run(
    tag,
  );
  const builder = new TicketBuilder(ctx, schema);
  const changes = db.prepare("SELECT rid FROM tagxref WHERE tagid=? ORDER BY mtime, rid").values<[Rid]>(tag);
  changes.forEach(([rid], index) => {
    const change = readArtifact(ctx.content, rid, "ticket");
    if (change === undefined) return;
    builder.apply(rid, change);
    tellChange(ctx, rid, change, tag, index === 0);
  });
  builder.finish();
}

const RETELL_SQL = `
UPDATE event SET tagid=?, mtime=?, user=CAST(? AS TEXT), comment=CAST(? AS TEXT), brief=CAST(? AS TEXT)
 WHERE objid=?`;

/** An entry that is there is updated, not replaced: stock sends a notification for each new one. */
function tellChange(ctx: LinkContext, rid: Rid, change: TicketChange, tag: TagId, isNew: boolean): void {
  const { db } = ctx;
  const { comment, brief } = describeChange(ctx, change, isNew);
  const told = db.prepare("SELECT 1 FROM event WHERE type='t' AND objid=?").value(rid);
  if (told === undefined) {
    putEvent(db, { type: "t", date: change.date, rid, tag, user: change.user, comment, brief });
    return;
  }
  const texts = [change.user, comment, brief].map(textParameter);
  db.prepare(RETELL_SQL).run(tag, toTableJulian(change.date), ...texts, rid);
}

function describeChange(
  ctx: LinkContext,
  change: TicketChange,
  isNew: boolean,
): { comment: string; brief: string } {
  const { config } = ctx.repo;
  const id = reference(config, change.ticketId);
  const title = html(ticketText(ctx, change.ticketId, config.get("ticket-title-expr") ?? "title"));
  if (isNew) return { comment: `New ticket [${id}] <i>${title}</i>.`, brief: `New ticket [${id}].` };
  const statusColumn = config.get("ticket-status-column") ?? "status";
  const count = change.fields.length;
  const status = change.fields.findLast(({ name, append }) => name === statusColumn && !append)?.value;
  if (status !== undefined) {
    const others = count > 1 ? ` plus ${count - 1} other ${plural("change", count - 1)}` : "";
    return {
      comment: `${html(status)} ticket [${id}]: <i>${title}</i>${others}`,
      brief: `${html(status)} ticket [${id}].`,
    };
  }
  const still = html(ticketText(ctx, change.ticketId, statusColumn));
  const changes = `${count} other ${plural("change", count)}`;
  return {
    comment: `Ticket [${id}] <i>${title}</i> status still ${still} with ${changes}`,
    brief: `Ticket [${id}]: ${count} ${plural("change", count)}`,
  };
}

function plural(word: string, count: number): string {
  return count === 1 ? word : `${word}s`;
}

/** A column of the ticket's row as text; empty when NULL, `unknown` without such a row or column. */
function ticketText(ctx: LinkContext, id: string, column: string): string {
  const exists = ctx.db
    .prepare("SELECT 1 FROM pragma_table_xinfo('ticket') WHERE name=? COLLATE NOCASE")
    .value(column);
  if (exists === undefined) return "unknown";
  const sql = `SELECT CAST(${quoteName(column)} AS BLOB) FROM ticket WHERE tkt_uuid=?`;
  const bytes = ctx.db.once(sql, (statement) => statement.value<Uint8Array | null>(id));
  if (bytes === undefined) return "unknown";
  return bytes === null ? "" : decodeRaw(latin1(bytes));
}
