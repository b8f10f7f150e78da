/**
 * The tables whose rows travel as configuration, row by row (`repo-config-exchange.ts`).
 *
 *     name          key      columns                                          part
 *     /config       name     value                                            by the setting's name
 *     /user         login    pw cap info photo jx                             user
 *     /shun         uuid     scom                                             shun
 *     /reportfmt    title    owner cols sqlcode jx                            ticket
 *     /concealed    hash     content                                          email
 *     /subscriber   semail   suname sdigest sdonotcall ssub sctime smip       subscriber
 *
 * A row on its way out is `MTIME KEY COLUMN VALUE …`, written by SQL's own `quote`, so that text, blobs and
 * numbers keep their kind. Rows of `user` and `reportfmt` leave out what is NULL, and of subscribers only
 * those with a verified address are sent.
 *
 * The column `jx` came with Fossil 2.2x: it is added where it is missing when a row comes in. The table of
 * subscribers is made by the first row.
 */
import type { Db, SqlValue } from "./db.ts";
import type { Random } from "./random.ts";
import type { ConfigPart } from "./repo-config-areas.ts";
import { createSubscriberTables, hasSubscribers, SUBSCRIBER_CODE_BYTES } from "./repo-subscriber.ts";
import { textParameter } from "./repo-text.ts";
import type { ConfigRow, ConfigValue } from "./xfer-config-row.ts";

interface Shape {
  readonly key: string;
  readonly columns: readonly string[];
  /** Of the part, unless it depends on the key. */
  readonly part?: ConfigPart;
  readonly omitsNull?: true;
  readonly where?: string;
}

const SHAPES = {
  config: { key: "name", columns: ["value"] },
  user: { part: "user", key: "login", columns: ["pw", "cap", "info", "photo", "jx"], omitsNull: true },
  shun: { part: "shun", key: "uuid", columns: ["scom"] },
  reportfmt: {
    part: "ticket",
    key: "title",
    columns: ["owner", "cols", "sqlcode", "jx"],
    omitsNull: true,
  },
  concealed: { part: "email", key: "hash", columns: ["content"] },
  subscriber: {
    part: "subscriber",
    key: "semail",
    columns: ["suname", "sdigest", "sdonotcall", "ssub", "sctime", "smip"],
    where: "sverified",
  },
} as const satisfies Readonly<Record<string, Shape>>;

export type ConfigTableName = keyof typeof SHAPES;

export class ConfigTable {
  readonly columns: readonly string[];
  readonly part: ConfigPart | undefined;
  private readonly insertSql: string;
  private readonly renewSql: string;

  constructor(
    readonly name: ConfigTableName,
    private readonly shape: Shape,
  ) {
    const { key, columns, part } = shape;
    this.columns = columns;
    this.part = part;
    const code = name === "subscriber" ? ["subscriberCode"] : [];
    const marks = [key, "mtime", ...code].map(() => "?").join(",");
    this.insertSql = `INSERT OR IGNORE INTO ${name}(${[key, "mtime", ...code].join(",")}) VALUES(${marks})`;
    this.renewSql = `UPDATE ${name} SET mtime=?2 WHERE ${key}=?1 AND mtime<?2`;
  }

  /** The rows that have a time, as they travel. */
  rows(db: Db): Uint8Array[] {
    if (this.name === "subscriber" && !hasSubscribers(db)) return [];
    return db
      .prepare(this.rowsSql(db, this.shape.where ?? "1"))
      .values<[Uint8Array]>()
      .map(first);
  }

  /** Rows whose key is `key`, or begins with it. */
  rowsOf(db: Db, key: string, match: "exactly" | "prefix"): Uint8Array[] {
    const where = match === "exactly" ? `${this.shape.key}=?1` : `substr(${this.shape.key},1,length(?1))=?1`;
    return db.prepare(this.rowsSql(db, where)).values<[Uint8Array]>(key).map(first);
  }

  /** Inserts a row, or updates an older one. @returns whether it did */
  receive(db: Db, random: Random, { key, mtime, values }: ConfigRow): boolean {
    if (this.name === "subscriber") createSubscriberTables(db);
    if (this.hasJsonColumn) this.addJsonColumn(db);
    const code = this.name === "subscriber" ? [random.bytes(SUBSCRIBER_CODE_BYTES)] : [];
    const isNew = db.prepare(this.insertSql).run(key, mtime, ...code).changes > 0;
    if (!isNew && db.prepare(this.renewSql).run(key, mtime).changes === 0) return false;
    for (const [column, value] of values) {
      const sql = `UPDATE ${this.name} SET ${column}=iif(?3,CAST(?2 AS TEXT),?2) WHERE ${this.shape.key}=?1`;
      db.prepare(sql).run(key, parameter(value), typeof value === "string");
    }
    return true;
  }

  private get hasJsonColumn(): boolean {
    return this.columns.includes("jx");
  }

  /** One of a few texts: with and without `jx`. */
  private rowsSql(db: Db, where: string): string {
    const { key, omitsNull } = this.shape;
    const isPresent = (column: string) => column !== "jx" || this.isJsonColumnThere(db);
    const words = this.columns.filter(isPresent).map((column) => {
      const word = `' ${column} '||quote(${column})`;
      return omitsNull ? `iif(${column} IS NULL,'',${word})` : word;
    });
    const row = [`mtime||' '||quote(${key})`, ...words].join("||");
    return `SELECT CAST(${row} AS BLOB) FROM ${this.name} WHERE ${where} AND mtime>=0`;
  }

  private isJsonColumnThere(db: Db): boolean {
    const sql = "SELECT 1 FROM pragma_table_info(?) WHERE name='jx'";
    return db.prepare(sql).value(this.name) !== undefined;
  }

  private addJsonColumn(db: Db): void {
    if (!this.isJsonColumnThere(db)) db.exec(`ALTER TABLE ${this.name} ADD COLUMN jx TEXT DEFAULT '{}'`);
  }
}

/** In the order in which stock sends them. */
export const CONFIG_TABLES: Readonly<Record<ConfigTableName, ConfigTable>> = {
  shun: new ConfigTable("shun", SHAPES.shun),
  user: new ConfigTable("user", SHAPES.user),
  reportfmt: new ConfigTable("reportfmt", SHAPES.reportfmt),
  concealed: new ConfigTable("concealed", SHAPES.concealed),
  subscriber: new ConfigTable("subscriber", SHAPES.subscriber),
  config: new ConfigTable("config", SHAPES.config),
};

function first([row]: readonly [Uint8Array]): Uint8Array {
  return row;
}

function parameter(value: ConfigValue): SqlValue {
  return typeof value === "string" ? textParameter(value) : value;
}
