/**
 * SQL of the user's own on a repository. One statement at a time.
 *
 * Reading: the statement begins with SELECT, WITH, VALUES or EXPLAIN, on a connection that refuses changes; pragmas that
 * ask are there as tables (`SELECT * FROM pragma_table_info('blob')`). Writing: any statement that a transaction may
 * hold; it counts whole or not at all.
 */
import type { SqlValue } from "./db.ts";
import { UsageError } from "./errors.ts";
import type { Repo } from "./repo.ts";
import { splitStatements } from "./repo-sql-split.ts";

export interface QueryResult {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly SqlValue[])[];
}

/**
 * @param mode that in which `repo` was opened
 * @throws UsageError `not-one-statement`, `not-a-query`; RepoError `sql`
 */
export function runQuery(repo: Repo, sql: string, mode: "read" | "write"): QueryResult {
  const [statement, ...more] = splitStatements(sql);
  if (statement === undefined || more.length > 0) {
    throw new UsageError(
      "not-one-statement",
      `expected one SQL statement, got ${more.length + (statement ? 1 : 0)}`,
    );
  }
  if (mode === "write") return repo.db.write(() => run(repo, statement));
  if (!/^(?:select|with|values|explain)\b/i.test(statement)) {
    throw new UsageError("not-a-query", "this statement may change the repository", {
      hint: "add --write if that is what you want",
    });
  }
  return run(repo, statement);
}

function run(repo: Repo, sql: string): QueryResult {
  return repo.db.once(sql, (statement) => {
    const rows = statement.values<readonly SqlValue[]>(...statement.nulls);
    return { columns: statement.columnNames, rows };
  });
}
