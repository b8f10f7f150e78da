/**
 * Splits SQL text into statements, without comments before the first word of each, so that what a statement
 * begins with can be looked at. Knows SQLite's quotes ('…', "…", `…`, […]) and comments (-- to the end of
 * the line, slash-star). The body of a trigger is not kept together: there is none where this is used.
 */

const PIECE =
  /'(?:[^']|'')*'?|"(?:[^"]|"")*"?|`(?:[^`]|``)*`?|\[[^\]]*\]?|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|;/g;

/** The statements of `sql` that are more than white space and comments. */
export function splitStatements(sql: string): string[] {
  const statements: string[] = [];
  let statement = "";
  let from = 0;
  const take = (until: number) => {
    statement += sql.slice(from, until);
    from = until;
  };
  const finish = () => {
    const trimmed = statement.trim();
    if (trimmed !== "") statements.push(trimmed);
    statement = "";
  };
  for (const { 0: piece, index } of sql.matchAll(PIECE)) {
    take(index);
    if (piece === ";") {
      finish();
      from = index + 1;
    } else if (piece.startsWith("--") || piece.startsWith("/*")) {
      statement += " ";
      from = index + piece.length;
    } else take(index + piece.length);
  }
  take(sql.length);
  finish();
  return statements;
}
