/** `edgesync repo schema`: tables that a project shares, and their rows. */
import { badValue, command, flag, group, option, type Parser, positional, text } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { columns as inColumns } from "./cli-output.ts";
import { withRepository } from "./cli-repository.ts";
import { SIGNATURE_ARGS, signature } from "./cli-signature.ts";
import { choice } from "./cli-values.ts";
import { EXIT, UsageError } from "./errors.ts";
import { formatDateTime } from "./julian.ts";
import {
  COLUMN_TYPES,
  CONFLICT_RULES,
  type Column,
  type ColumnType,
  defineTable,
  getTable,
  listTables,
  removeTable,
  type SyncedTable,
} from "./repo-table.ts";
import { deleteRow, putRow, type RowOutcome, type TableRow, tableRows } from "./repo-table-row.ts";

export const schemaCommand = group({
  description: "defines tables that the project shares, and reads and writes their rows",
  examples: [{ line: "edgesync repo schema put peers id=a addr=10.0.0.1", about: "write a row" }],
  subCommands: {
    add: () => addCommand,
    list: () => listCommand,
    show: () => showCommand,
    remove: () => removeCommand,
    rows: () => rowsCommand,
    put: () => putCommand,
    delete: () => deleteCommand,
  },
});

const tableArg = positional({ description: "the table", required: true });

const columnList: Parser<readonly Column[]> = (value) =>
  value.split(",").map((item) => {
    const [name = "", type = "", pk, ...more] = item.trim().split(":");
    const isKnown = (COLUMN_TYPES as readonly string[]).includes(type);
    if (name === "" || !isKnown || more.length > 0 || (pk !== undefined && pk !== "pk")) {
      return badValue(`NAME:TYPE[:pk] with a type of ${COLUMN_TYPES.join(", ")}`, item);
    }
    return { name, type: type as ColumnType, pk: pk === "pk" };
  });

const addCommand = command({
  description: "defines a table, or adds columns to one",
  args: {
    name: tableArg,
    columns: option(
      {
        description: "NAME:TYPE[:pk],…; types are text, integer, real, blob, json",
        valueHint: "LIST",
        required: true,
      },
      columnList,
    ),
    conflict: option(
      { description: "which version of a row stays", valueHint: "RULE", default: "mtime-wins" },
      choice(...CONFLICT_RULES),
    ),
  },
  examples: [
    {
      line: "edgesync repo schema add peers --columns id:text:pk,addr:text,load:real",
      about: "the newest version stays",
    },
    {
      line: "edgesync repo schema add notes --columns id:integer:pk,body:json --conflict owner-write",
      about: "only who made a row changes it",
    },
  ],
  run: async ({ name, columns, conflict }, context) => {
    const isChanged = await withRepository(context, "write", ({ repo }) =>
      defineTable(repo, name, { columns, conflict }),
    );
    context.out.result({ name, columns, conflict, isChanged }, () => "");
  },
});

const listCommand = command({
  description: "lists the tables",
  examples: [{ line: "edgesync repo schema list", about: "names, rules, columns" }],
  run: async (_, context) => {
    const tables = await withRepository(context, "read", ({ repo }) => listTables(repo));
    context.out.result(tables.map(tableJson), () =>
      inColumns(
        tables.map(({ name, definition }) => [
          name,
          definition.conflict,
          definition.columns.map(describeColumn).join(","),
        ]),
      ),
    );
  },
});

const showCommand = command({
  description: "prints the definition of a table",
  args: { name: tableArg },
  examples: [{ line: "edgesync repo schema show peers", about: "its columns and its rule" }],
  run: async ({ name }, context) => {
    const { table, count } = await withRepository(context, "read", ({ repo }) => {
      const found = getTable(repo, name);
      return { table: found, count: tableRows(repo, found).length };
    });
    context.out.result({ ...tableJson(table), rowCount: count }, () =>
      inColumns([
        ["table", table.name],
        ["conflict", table.definition.conflict],
        ["defined", formatDateTime(table.mtime)],
        ["rows", String(count)],
        ...table.definition.columns.map((column) => ["column", describeColumn(column)]),
      ]),
    );
  },
});

const describeColumn = ({ name, type, pk }: Column) => `${name}:${type}${pk ? ":pk" : ""}`;
const tableJson = ({ name, definition, mtime }: SyncedTable) => ({
  name,
  conflict: definition.conflict,
  columns: definition.columns.map((column) => ({ ...column })),
  defined: formatDateTime(mtime),
});

const removeCommand = command({
  description: "takes a table away, with all its rows",
  args: { name: tableArg, force: flag({ description: "even when it has rows", alias: ["f"] }) },
  examples: [{ line: "edgesync repo schema remove peers --force", about: "there is no way back" }],
  run: async ({ name, force }, context) => {
    const count = await withRepository(context, "write", ({ repo }) => {
      const rowCount = tableRows(repo, getTable(repo, name)).length;
      if (rowCount > 0 && !force) {
        throw new UsageError("not-forced", `table ${name} has ${rowCount} rows`, {
          hint: "add --force to remove them",
        });
      }
      removeTable(repo, name);
      return rowCount;
    });
    context.out.result({ name, rowCount: count }, () => "");
  },
});

const rowsCommand = command({
  description: "prints the rows of a table",
  args: {
    name: tableArg,
    where: option({ description: "only rows with COLUMN=VALUE", valueHint: "CONDITION", repeat: true }, text),
    all: flag({ description: "deleted ones too", alias: ["a"] }),
  },
  examples: [{ line: "edgesync repo schema rows peers --where addr=10.0.0.1", about: "a row a line" }],
  run: async ({ name, where, all }, context) => {
    const { table, rows } = await withRepository(context, "read", ({ repo }) => {
      const found = getTable(repo, name);
      return {
        table: found,
        rows: tableRows(repo, found, { withDeleted: all, where: assignments(found, where) }),
      };
    });
    if (context.out.json) for (const row of rows) context.out.item(rowJson(row), () => "");
    else {
      const names = table.definition.columns.map((column) => column.name);
      const lines = rows.map((row) => [
        ...(all ? [row.isDeleted ? "deleted" : ""] : []),
        ...names.map((column) => shown(row.values[column])),
      ]);
      context.out.result(null, () => inColumns([[...(all ? [""] : []), ...names], ...lines]));
    }
  },
});

const valuesArg = (description: string) => positional({ description, required: true, repeat: true });

const putCommand = command({
  description: "writes a row; columns that are not named stay as they are",
  args: {
    name: tableArg,
    values: valuesArg("COLUMN=VALUE, the key among them; a blob in hex"),
    ...SIGNATURE_ARGS,
  },
  examples: [
    { line: "edgesync repo schema put peers id=a addr=10.0.0.1 load=0.5", about: "a new row, or a change" },
    { line: "edgesync repo schema put notes id=7 'body={\"done\":true}'", about: "JSON" },
  ],
  run: async (args, context) => {
    const outcome = await withRepository(context, "write", ({ repo }) => {
      const table = getTable(repo, args.name);
      const { user, date } = signature(args, repo, context);
      const values = assignments(table, args.values);
      return putRow(repo, table, { user, values, ...(date !== undefined && { mtime: date }) });
    });
    return told(outcome, context);
  },
});

const deleteCommand = command({
  description: "deletes a row by its key",
  args: { name: tableArg, key: valuesArg("COLUMN=VALUE for each column of the key"), ...SIGNATURE_ARGS },
  examples: [{ line: "edgesync repo schema delete peers id=a", about: "peers will learn of it" }],
  run: async (args, context) => {
    const outcome = await withRepository(context, "write", ({ repo }) => {
      const table = getTable(repo, args.name);
      const { user, date } = signature(args, repo, context);
      const values = assignments(table, args.key);
      return deleteRow(repo, table, { user, values, ...(date !== undefined && { mtime: date }) });
    });
    return told(outcome, context);
  },
});

const REASONS = {
  older: "the row has a newer version",
  "not-owner": "the row belongs to somebody else",
} as const;

function told(outcome: RowOutcome, { out }: CliContext) {
  if (outcome.applied) {
    out.result({ applied: true, row: rowJson(outcome.row) }, () => "");
    return EXIT.done;
  }
  out.note(`edgesync: not written: ${REASONS[outcome.why]}`);
  if (out.json) out.result({ applied: false, why: outcome.why }, () => "");
  return EXIT.failed;
}

function assignments(table: SyncedTable, words: readonly string[]): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const word of words) {
    const at = word.indexOf("=");
    if (at <= 0) throw new UsageError("bad-value", `expected COLUMN=VALUE, got ${JSON.stringify(word)}`);
    const [name, value] = [word.slice(0, at), word.slice(at + 1)];
    const type = table.definition.columns.find((column) => column.name === name)?.type ?? "text";
    values[name] = parseValue(name, type, value);
  }
  return values;
}

function parseValue(name: string, type: ColumnType, value: string): unknown {
  const bad = (expected: string) =>
    new UsageError("bad-value", `column ${name} takes ${expected}, got ${JSON.stringify(value)}`);
  switch (type) {
    case "text":
      return value;
    case "integer":
    case "real": {
      const number = value.trim() === "" ? Number.NaN : Number(value);
      if (!Number.isFinite(number) || (type === "integer" && !Number.isSafeInteger(number))) {
        throw bad(type === "integer" ? "a whole number" : "a number");
      }
      return number;
    }
    case "blob":
      if (!/^(?:[0-9a-f]{2})*$/i.test(value)) throw bad("bytes in hex");
      return new Uint8Array(Buffer.from(value, "hex"));
    case "json":
      try {
        return JSON.parse(value);
      } catch {
        throw bad("JSON");
      }
  }
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** A blob is an object, so that it cannot be taken for a text. */
function rowJson({ pk, mtime, owner, isDeleted, values }: TableRow) {
  const plain = Object.entries(values).map(([name, value]) => [
    name,
    value instanceof Uint8Array ? { base64: Buffer.from(value).toString("base64") } : value,
  ]);
  return { pk, changed: formatDateTime(mtime), owner, isDeleted, values: Object.fromEntries(plain) };
}
