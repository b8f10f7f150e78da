/**
 * The same steps twice, on copies of one repository: once served by this program, once by stock. What clients
 * say and what the tables hold afterwards is compared.
 */
import { copyFileSync } from "node:fs";
import { Db, type SqlValue } from "../../src/db.ts";
import { ServeHarness } from "../serve-harness.ts";
import type { TempDir } from "../temp-dir.ts";
import type { RunOptions, Stock } from "./stock.ts";

export class Side {
  /** What the clients said so far, without what depends on the machine and the moment. */
  readonly said: string[] = [];

  constructor(
    readonly name: "ours" | "theirs",
    readonly stock: Stock,
    readonly temp: TempDir,
    /** The repository that is served. */
    readonly path: string,
    readonly urlAs: (login: string, password: string) => string,
  ) {}

  file(name: string): string {
    return this.temp.join(`${this.name}-${name}`);
  }

  /** Runs a stock command and keeps what it says, whatever its exit status. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const { stdout, stderr } = await this.stock.run(args, options);
    const said = cleaned(stdout + stderr);
    // Servers name files in an order of their own.
    this.said.push(...said.split("\n").sort());
    return said;
  }
}

/** Progress lines, byte counts, addresses and paths left out. */
function cleaned(said: string): string {
  return said
    .replace(/[^\n]*\r(?!\n)/g, "")
    .replace(/(wire bytes|payload) sent: +\d+ +received: +\d+.*/g, "$1")
    .replace(/^(server-id:|admin-user:).*/gm, "$1")
    .replace(/http:\/\/\S+/g, "URL")
    .replace(/\S*(ours|theirs)-\S+/g, "FILE")
    .replace(/^((?:Sent|Received): +)\d+ /gm, "$1BYTES ")
    .replace(/ +/g, " ");
}

/** Runs `scenario` against each server in turn. */
export async function onBothSides<T>(
  stock: Stock,
  temp: TempDir,
  base: string,
  scenario: (side: Side) => Promise<T>,
): Promise<{ readonly ours: T; readonly theirs: T }> {
  const copy = (name: string) => {
    const path = temp.join(`${name}-served.fossil`);
    copyFileSync(base, path);
    return path;
  };
  const run = async (name: Side["name"], path: string, server: Pick<Side, "urlAs">) =>
    scenario(new Side(name, stock, temp, path, (login, password) => server.urlAs(login, password)));
  const theirPath = copy("theirs");
  await using theirServer = await stock.serve(theirPath);
  const theirs = await run("theirs", theirPath, theirServer);
  const ourPath = copy("ours");
  await stock.ok(["settings", "backoffice-disable", "1", "-R", ourPath]);
  await using ourServer = new ServeHarness(ourPath);
  const ours = await run("ours", ourPath, ourServer);
  return { ours, theirs };
}

/** Rows of a query on a repository file. */
export function rowsIn(path: string, sql: string): SqlValue[][] {
  const db = Db.open(path, { mode: "read" });
  try {
    return db.once(sql, (statement) => statement.values<SqlValue[]>());
  } finally {
    db.close();
  }
}
