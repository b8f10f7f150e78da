/**
 * Tickets: made, changed, shown, and their history (Fossil `src/tkt.c`). Fields are the columns of the ticket tables, which
 * each project chooses; a value is set, or appended to what is there. A field whose name begins with `private_` is not told:
 * its value is kept in table `concealed`, which goes only to who may read addresses, and its SHA1 hash travels.
 */
import type { TicketField } from "./artifact-types.ts";
import { utf8 } from "./bytes.ts";
import type { SqlValue } from "./db.ts";
import { NameError, UsageError } from "./errors.ts";
import { isHash, sha1Hex } from "./hash.ts";
import { type EpochMs, fromJulian } from "./julian.ts";
import { randomHex } from "./random.ts";
import type { Repo } from "./repo.ts";
import { readArtifact } from "./repo-artifact.ts";
import type { Rid } from "./repo-content.ts";
import type { Signature } from "./repo-control.ts";
import { addArtifact, type MadeArtifact, uniqueStart } from "./repo-document.ts";
import { readTicketSchema } from "./repo-ticket-schema.ts";

/** Names of the fields, in order. */
export function ticketFields(repo: Repo): string[] {
  return [...(readTicketSchema(repo.db)?.fields.keys() ?? [])].sort();
}

/** The whole id of the ticket that `start` begins. @throws NameError `unknown-id`, `ambiguous-id` */
export function findTicket(repo: Repo, start: string): string {
  const lower = start.toLowerCase();
  const ids = /^[0-9a-f]{1,40}$/.test(lower)
    ? repo.db.prepare("SELECT tkt_uuid FROM ticket WHERE tkt_uuid GLOB ?||'*'").values<[string]>(lower).flat()
    : [];
  return uniqueStart("ticket", lower, ids);
}

export interface TicketRow {
  readonly id: string;
  readonly changed: EpochMs;
  /** By column of table `ticket` whose name does not begin with `tkt_`. */
  readonly values: Readonly<Record<string, SqlValue>>;
}

/** All tickets, or one, in order of their making. */
export function tickets(repo: Repo, id?: string): TicketRow[] {
  const columns = repo.db.prepare("SELECT name FROM pragma_table_info('ticket')").values<[string]>().flat();
  const where = id === undefined ? "?1 IS NULL" : "tkt_uuid=?1";
  const rows = repo.db.once(`SELECT * FROM ticket WHERE ${where} ORDER BY tkt_id`, (statement) =>
    statement.values<SqlValue[]>(id ?? null),
  );
  return rows.map((row) => {
    const all = Object.fromEntries(columns.map((name, i) => [name, row[i] ?? null]));
    const { tkt_uuid, tkt_mtime } = all;
    const values = Object.fromEntries(Object.entries(all).filter(([name]) => !name.startsWith("tkt_")));
    return { id: String(tkt_uuid), changed: fromJulian(Number(tkt_mtime)), values };
  });
}

export interface TicketEdit {
  readonly name: string;
  readonly value: string;
  readonly append: boolean;
}

export interface TicketRequest extends Signature {
  /** Whole id, 40 digits; a new ticket's is random unless given. */
  readonly id?: string;
  readonly edits: readonly TicketEdit[];
}

/**
 * Makes a ticket or changes one: the same artifact either way. Empty values are left out, as in stock.
 *
 * @throws UsageError `no-such-field`, `nothing-to-change`, `ticket-id`
 */
export function changeTicket(repo: Repo, request: TicketRequest): MadeArtifact & { readonly id: string } {
  const { user, date, edits } = request;
  const id = request.id ?? randomHex(repo.random, 20);
  if (!/^[0-9a-f]{40}$/.test(id)) throw new UsageError("ticket-id", `a ticket's id is 40 digits, not ${id}`);
  const known = readTicketSchema(repo.db)?.fields;
  for (const { name } of edits) {
    if (known?.has(name)) continue;
    throw new UsageError("no-such-field", `tickets here have no field ${JSON.stringify(name)}`, {
      hint: `fields are ${[...(known?.keys() ?? [])].join(", ")}`,
    });
  }
  // Of several values for a field the last one counts, as in stock an appended one before an assigned one.
  const chosen = new Map<string, TicketEdit>();
  for (const edit of edits) {
    if (edit.value !== "" && (edit.append || !chosen.get(edit.name)?.append)) chosen.set(edit.name, edit);
  }
  if (chosen.size === 0) throw new UsageError("nothing-to-change", "no field is given a value");
  return repo.db.write(() => {
    const fields: TicketField[] = [...chosen.values()].map(({ name, value, append }) => ({
      name,
      append,
      value: name.startsWith("private_") ? conceal(repo, value) : value,
    }));
    const made = addArtifact(repo, user, {
      type: "ticket",
      date: date ?? repo.clock.now(),
      fields,
      ticketId: id,
      user,
    });
    return { ...made, id };
  });
}

/** What travels in place of a private value. */
function conceal(repo: Repo, value: string): string {
  if (isHash(value)) return value;
  const hash = sha1Hex(utf8(value));
  repo.db
    .prepare("INSERT OR IGNORE INTO concealed(hash,content,mtime) VALUES(?,?,?)")
    .run(hash, value, Math.floor(repo.clock.now() / 1000));
  return hash;
}

export interface TicketEvent {
  readonly date: EpochMs;
  readonly user: string;
  /** A change of fields, or a file attached (or, without a source, taken away). */
  readonly fields?: readonly TicketField[];
  readonly file?: { readonly name: string; readonly isRemoved: boolean };
}

/** What happened to a ticket, the newest first. */
export function ticketHistory(repo: Repo, id: string): TicketEvent[] {
  const changes = repo.db
    .prepare(
      `SELECT e.objid, e.mtime FROM event e JOIN tagxref x ON x.rid=e.objid JOIN tag t USING(tagid)
       WHERE t.tagname='tkt-'||?`,
    )
    .values<[Rid, number]>(id)
    .flatMap(([rid, mtime]): TicketEvent[] => {
      const change = readArtifact(repo.content, rid, "ticket");
      if (change === undefined) return [];
      return [{ date: fromJulian(mtime), user: change.user, fields: change.fields }];
    });
  const files = repo.db
    .prepare("SELECT filename, src, mtime, user FROM attachment WHERE target=?")
    .values<[string, string | null, number, string | null]>(id)
    .map(([name, source, mtime, user]) => ({
      date: fromJulian(mtime),
      user: user ?? "",
      file: { name, isRemoved: !source },
    }));
  const all = [...changes, ...files];
  if (all.length === 0) throw new NameError("unknown-id", `there is no ticket ${id}`);
  return all.sort((a, b) => b.date - a.date);
}
