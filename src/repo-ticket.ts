/**
 * Rows of the ticket tables, made from ticket changes (Fossil `src/tkt.c`). A ticket's row is the outcome of
 * its changes in order of their D cards; each also adds a row to `ticketchng`, if there is that table.
 *
 * A field of a change (J card) is assigned, or appended when its name has a "+"; a name that is no column is
 * passed over. A row of `ticketchng` holds the fields of the change, and those that both tables have and the
 * change leaves out, with the ticket's value.
 *
 * Backlinks: fields that `ticketchng` has are read for links in each change; of the others only the latest
 * value is, with what was appended since.
 */
import { encodeText } from "./artifact-escape.ts";
import type { TicketChange } from "./artifact-types.ts";
import type { Db, SqlValue } from "./db.ts";
import { toJulian } from "./julian.ts";
import { type BacklinkSource, extractBacklinks, type Markup, markupOf } from "./repo-backlink.ts";
import type { Rid } from "./repo-content.ts";
import type { LinkContext } from "./repo-link-context.ts";
import { textParameter } from "./repo-text.ts";
import { quoteName, type TicketField, type TicketSchema } from "./repo-ticket-schema.ts";

/** A value that may hold links, until it is replaced. */
interface LinkText {
  readonly source: BacklinkSource;
  readonly text: string;
  readonly markup: Markup;
}

/** Builds the rows of one ticket. `apply` each change in order, then `finish`. */
export class TicketBuilder {
  private readonly latest = new Map<string, LinkText[]>();
  private ticket: number | undefined;

  constructor(
    private readonly ctx: LinkContext,
    private readonly schema: TicketSchema,
  ) {}

  apply(rid: Rid, change: TicketChange): void {
    const { db } = this.ctx;
    this.ticket ??= db
      .prepare("INSERT INTO ticket(tkt_uuid,tkt_mtime) VALUES(?,0)")
      .run(change.ticketId).lastInsertRowid;
    const written = change.fields.findLast(({ name }) => name === "mimetype");
    const hasField = written !== undefined && this.schema.fields.has("mimetype");
    let ticketMimetype = hasField ? written.value : undefined;
    let changeMimetype = ticketMimetype;
    const generated = this.updateTicket(this.ticket, rid, change);
    const generatedChange = this.insertChange(this.ticket, rid, change);
    if (this.schema.generatesMimetype || this.schema.generatesChangeMimetype) {
      ticketMimetype = generated ?? generatedChange;
      changeMimetype = generatedChange ?? generated;
    }
    this.collectLinks(rid, change, markupOf(ticketMimetype), markupOf(changeMimetype));
  }

  /** Records the links in the latest values. */
  finish(): void {
    for (const texts of this.latest.values()) for (const text of texts) this.extract(text);
  }

  /** Returns the ticket's generated `mimetype`, if it has one. */
  private updateTicket(ticket: number, rid: Rid, change: TicketChange): string | undefined {
    const { hasCreationTime, generatesMimetype } = this.schema;
    const list = new ParameterList(toJulian(change.date));
    const sets = ["tkt_mtime=?1"];
    if (hasCreationTime) sets.push("tkt_ctime=coalesce(tkt_ctime,?1)");
    for (const { field, append, value } of this.known(change)) {
      if (!field.inTicket) continue;
      const column = quoteName(field.name);
      sets.push(
        append ? `${column}=coalesce(${column},'') || ${list.text(value)}` : `${column}=${list.text(value)}`,
      );
      if (!append && field.baseline !== undefined) sets.push(`${quoteName(field.baseline)}=${list.add(rid)}`);
    }
    const returning = generatesMimetype ? " RETURNING mimetype" : "";
    const sql = `UPDATE OR REPLACE ticket SET ${sets.join(",")} WHERE tkt_id=${list.add(ticket)}${returning}`;
    return runReturning(this.ctx.db, sql, list.values);
  }

  /** Returns the change's generated `mimetype`, if it has one. */
  private insertChange(ticket: number, rid: Rid, change: TicketChange): string | undefined {
    const { fields, hasChangeRid, hasChangeUser, generatesChangeMimetype } = this.schema;
    const list = new ParameterList(toJulian(change.date));
    const columns: string[] = [];
    const values: string[] = [];
    const put = (column: string, value: string) => {
      columns.push(column);
      values.push(value);
    };
    const used = new Set<string>();
    for (const { field, value } of this.known(change)) {
      used.add(field.name);
      if (field.inChange) put(quoteName(field.name), list.text(value));
    }
    if (columns.length === 0 && !hasChangeRid && !hasChangeUser) return undefined;
    if (hasChangeRid) put("tkt_rid", list.add(rid));
    if (hasChangeUser) put("tkt_user", list.text(change.user));
    const copied = [...fields.values()].filter((f) => f.inTicket && f.inChange && !used.has(f.name));
    for (const { name } of copied) put(quoteName(name), quoteName(name));
    const id = list.add(ticket);
    const source =
      copied.length === 0
        ? `VALUES(${[id, "?1", ...values].join(",")})`
        : `SELECT ${[id, "?1", ...values].join(",")} FROM ticket WHERE tkt_id=${id}`;
    const returning = generatesChangeMimetype ? " RETURNING mimetype" : "";
    const sql = `INSERT INTO ticketchng(${["tkt_id", "tkt_mtime", ...columns].join(",")}) ${source}${returning}`;
    return runReturning(this.ctx.db, sql, list.values);
  }

  private collectLinks(rid: Rid, change: TicketChange, ticketMarkup: Markup, changeMarkup: Markup): void {
    const source = { type: "ticket", id: rid, mtime: toJulian(change.date) } as const;
    for (const { field, append, value } of this.known(change)) {
      if (field.inChange) {
        this.extract({ source, text: value, markup: changeMarkup });
        continue;
      }
      const before = append ? (this.latest.get(field.name) ?? []) : [];
      this.latest.set(field.name, [...before, { source, text: value, markup: ticketMarkup }]);
    }
  }

  private extract({ source, text, markup }: LinkText): void {
    extractBacklinks(this.ctx, source, encodeText(text), markup, "add");
  }

  private *known(change: TicketChange): Generator<{ field: TicketField; append: boolean; value: string }> {
    for (const { name, append, value } of change.fields) {
      const field = this.schema.fields.get(name);
      if (field !== undefined) yield { field, append, value };
    }
  }
}

/** Parameters of a statement whose text depends on the columns. ?1 is the time of the change. */
class ParameterList {
  readonly values: SqlValue[];

  constructor(mtime: number) {
    this.values = [mtime];
  }

  add(value: SqlValue): string {
    return `?${this.values.push(value)}`;
  }

  text(value: string): string {
    return `CAST(${this.add(textParameter(value))} AS TEXT)`;
  }
}

function runReturning(db: Db, sql: string, values: readonly SqlValue[]): string | undefined {
  const value = db.once(sql, (statement) => statement.value<SqlValue>(...values));
  return value === undefined || value === null ? undefined : String(value);
}
