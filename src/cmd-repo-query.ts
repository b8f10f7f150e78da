/** `edgesync repo query`: one SQL statement on a repository. */
import { text as decode } from "./bytes.ts";
import { command, flag, positional } from "./cli-command.ts";
import { withRepository } from "./cli-repository.ts";
import type { SqlValue } from "./db.ts";
import { runQuery } from "./repo-query.ts";

export const queryCommand = command({
  description: "runs one SQL statement on the repository, by default one that only reads",
  args: {
    sql: positional({ description: "the statement", required: true }),
    write: flag({ description: "it may change the repository" }),
  },
  examples: [
    { line: 'edgesync repo query "SELECT count(*) FROM blob"', about: "a row a line, | between columns" },
    {
      line: 'edgesync repo query --write "DELETE FROM reportfmt WHERE rn=2"',
      about: "changes what stock would have to understand: have a copy",
    },
  ],
  run: async ({ sql, write }, context) => {
    const mode = write ? "write" : "read";
    const { columns, rows } = await withRepository(context, mode, ({ repo }) => runQuery(repo, sql, mode));
    context.out.result({ columns, rows: rows.map((row) => row.map(toJson)) }, () =>
      rows.map((row) => `${row.map(toText).join("|")}\n`).join(""),
    );
  },
});

/** A blob is an object, so that it cannot be taken for a text. */
function toJson(value: SqlValue) {
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString("base64") };
  return typeof value === "bigint" ? value.toString() : value;
}

function toText(value: SqlValue): string {
  if (value === null) return "";
  return value instanceof Uint8Array ? decode(value) : String(value);
}
