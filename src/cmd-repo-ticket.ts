/** `edgesync repo ticket`: tickets, listed, shown, made and changed; which fields they have is the project's choice. */
import { command, group, option, positional, text } from "./cli-command.ts";
import { columns } from "./cli-output.ts";
import { withRepository } from "./cli-repository.ts";
import { SIGNATURE_ARGS, signature } from "./cli-signature.ts";
import type { SqlValue } from "./db.ts";
import { UsageError } from "./errors.ts";
import { formatDateTime } from "./julian.ts";
import {
  changeTicket,
  findTicket,
  type TicketEdit,
  type TicketRow,
  ticketFields,
  ticketHistory,
  tickets,
} from "./repo-ticket-change.ts";

export const ticketCommand = group({
  description: "lists, shows and changes tickets",
  examples: [{ line: "edgesync repo ticket set 1a2b3c4d status Closed", about: "change a field" }],
  subCommands: {
    ls: () => lsCommand,
    show: () => showCommand,
    new: () => newCommand,
    set: () => setCommand,
    history: () => historyCommand,
    fields: () => fieldsCommand,
  },
});

const idArg = positional({ description: "its id or the beginning of it", required: true });
const editsArg = positional({
  description: "FIELD VALUE FIELD VALUE …; +FIELD appends to what is there",
  required: true,
  repeat: true,
});

const lsCommand = command({
  description: "lists tickets in the order they were made",
  args: {
    where: option(
      { description: "only those with FIELD=VALUE, or FIELD!=VALUE", valueHint: "CONDITION", repeat: true },
      text,
    ),
    field: option({ description: "the fields shown", valueHint: "NAME", alias: ["f"], repeat: true }, text),
  },
  examples: [
    { line: "edgesync repo ticket ls --where status=Open", about: "open ones" },
    { line: "edgesync repo ticket ls -f priority -f title", about: "with fields of choice" },
  ],
  run: async ({ where, field }, context) => {
    const { rows, known } = await withRepository(context, "read", ({ repo }) => ({
      rows: tickets(repo),
      known: ticketFields(repo),
    }));
    const shown =
      field.length > 0 ? field : ["status", "type", "title"].filter((name) => known.includes(name));
    const conditions = where.map(parseCondition);
    for (const name of [...shown, ...conditions.map((condition) => condition.name)]) {
      if (!known.includes(name)) {
        throw new UsageError("no-such-field", `tickets here have no field ${JSON.stringify(name)}`, {
          hint: "edgesync repo ticket fields lists them",
        });
      }
    }
    const chosen = rows.filter(({ values }) =>
      conditions.every(({ name, value, isEqual }) => (asText(values[name]) === value) === isEqual),
    );
    context.out.result(chosen.map(toJson), () =>
      columns(
        chosen.map(({ id, values }) => [id.slice(0, 10), ...shown.map((name) => oneLine(values[name]))]),
      ),
    );
  },
});

function parseCondition(condition: string): { name: string; value: string; isEqual: boolean } {
  const match = /^([^=!]+)(!?)=(.*)$/s.exec(condition);
  if (match === null)
    throw new UsageError("bad-value", `expected FIELD=VALUE, got ${JSON.stringify(condition)}`);
  return { name: match[1]!, value: match[3]!, isEqual: match[2] === "" };
}

const asText = (value: SqlValue | undefined) => (value === null || value === undefined ? "" : String(value));
const oneLine = (value: SqlValue | undefined) => asText(value).replace(/\s+/g, " ");

function toJson({ id, changed, values }: TicketRow) {
  const plain = Object.entries(values).map(([name, value]) => [name, value === null ? null : asText(value)]);
  return { id, changed: formatDateTime(changed), fields: Object.fromEntries(plain) };
}

const showCommand = command({
  description: "prints the fields of a ticket",
  args: { id: idArg },
  examples: [{ line: "edgesync repo ticket show 1a2b3c4d", about: "what is set" }],
  run: async ({ id }, context) => {
    const ticket = await withRepository(
      context,
      "read",
      ({ repo }) => tickets(repo, findTicket(repo, id))[0]!,
    );
    context.out.result(toJson(ticket), () => {
      const set = Object.entries(ticket.values).filter(([, value]) => asText(value) !== "");
      return columns([
        ["id", ticket.id],
        ["changed", formatDateTime(ticket.changed)],
        ...set.map(([name, value]) => [name, asText(value).replace(/\n(?=.)/g, "\n  ")]),
      ]);
    });
  },
});

const newCommand = command({
  description: "makes a ticket",
  args: {
    fields: editsArg,
    id: option({ description: "its id, 40 digits; random unless given", valueHint: "ID" }, text),
    ...SIGNATURE_ARGS,
  },
  examples: [
    {
      line: 'edgesync repo ticket new title "It crashes" type Code_Defect status Open',
      about: "prints the id",
    },
  ],
  run: async (args, context) => {
    const made = await withRepository(context, "write", ({ repo }) =>
      changeTicket(repo, {
        ...signature(args, repo, context),
        edits: parseEdits(args.fields),
        ...(args.id !== undefined && { id: args.id }),
      }),
    );
    context.out.result({ id: made.id, hash: made.hash }, () => `ticket add succeeded for ${made.id}\n`);
  },
});

const setCommand = command({
  description: "changes fields of a ticket",
  args: { id: idArg, fields: editsArg, ...SIGNATURE_ARGS },
  examples: [
    { line: "edgesync repo ticket set 1a2b3c4d status Fixed resolution Fixed", about: "two fields" },
    { line: 'edgesync repo ticket set 1a2b3c4d +comment "Seen again today."', about: "append to a field" },
  ],
  run: async (args, context) => {
    const made = await withRepository(context, "write", ({ repo }) =>
      changeTicket(repo, {
        ...signature(args, repo, context),
        id: findTicket(repo, args.id),
        edits: parseEdits(args.fields),
      }),
    );
    context.out.result({ id: made.id, hash: made.hash }, () => `ticket set succeeded for ${made.id}\n`);
  },
});

function parseEdits(words: readonly string[]): TicketEdit[] {
  if (words.length % 2 !== 0) {
    throw new UsageError("missing-argument", `field ${JSON.stringify(words.at(-1))} has no value`);
  }
  return words
    .filter((_, i) => i % 2 === 0)
    .map((name, i) => ({
      name: name.replace(/^\+/, ""),
      append: name.startsWith("+"),
      value: words[2 * i + 1]!,
    }));
}

const historyCommand = command({
  description: "prints what was changed of a ticket, the newest first",
  args: { id: idArg },
  examples: [{ line: "edgesync repo ticket history 1a2b3c4d", about: "who, when, what" }],
  run: async ({ id }, context) => {
    const events = await withRepository(context, "read", ({ repo }) =>
      ticketHistory(repo, findTicket(repo, id)),
    );
    for (const { date, user, fields, file } of events) {
      const when = formatDateTime(date);
      const changes = (fields ?? []).map(({ name, append, value }) => ({ name, append, value }));
      context.out.item({ date: when, user, fields: changes, file: file ?? null }, () => {
        if (file !== undefined) {
          return `${file.isRemoved ? "Delete" : "Add"} attachment ${file.name}\n by ${user} on ${when}\n`;
        }
        const lines = changes.map(({ name, append, value }) => {
          const isLong = value.length > 50 || value.includes("\n");
          return `  ${append ? "Append to" : "Change"} ${name}: ${isLong ? `\n    ${value.replaceAll("\n", "\n    ")}` : value}\n`;
        });
        return `Ticket Change by ${user} on ${when}:\n${lines.join("")}`;
      });
    }
  },
});

const fieldsCommand = command({
  description: "lists the fields that tickets of this project have",
  examples: [{ line: "edgesync repo ticket fields", about: "a name a line" }],
  run: async (_, context) => {
    const fields = await withRepository(context, "read", ({ repo }) => ticketFields(repo));
    context.out.result(fields, () => fields.map((name) => `${name}\n`).join(""));
  },
});
