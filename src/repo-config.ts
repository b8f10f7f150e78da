/**
 * The `config` table: settings and facts of one repository as name and text, with the time of the last
 * change in whole seconds since 1970 (Fossil `src/schema.c`, table `config`). A row whose value is NULL
 * counts as unset.
 *
 * Also kept here: the hash policy (setting `hash-policy`, Fossil `www/hashpolicy.wiki`), because storing an
 * artifact depends on it and may change it.
 *
 *     0 sha1        new artifacts are named by SHA1
 *     1 auto        like 0 until the first artifact named by SHA3 arrives, then becomes 2
 *     2 sha3        new artifacts are named by SHA3, those named by SHA1 are accepted
 *     3 sha3-only   like 2; stock never makes nor pushes a SHA1 name
 *     4 shun-sha1   like 3; SHA1 names are refused
 */
import type { Clock } from "./clock.ts";
import type { Db } from "./db.ts";
import { algorithmOf, type Hash, type HashAlgorithm } from "./hash.ts";

export interface ConfigEntry {
  readonly name: string;
  readonly value: string;
  /** Last change, seconds since 1970; `undefined` for rows that never carried one. */
  readonly mtime: number | undefined;
}

export const HASH_POLICIES = ["sha1", "auto", "sha3", "sha3-only", "shun-sha1"] as const;
export type HashPolicy = (typeof HASH_POLICIES)[number];

export class Config {
  constructor(
    private readonly db: Db,
    private readonly clock: Clock,
  ) {}

  get(name: string): string | undefined {
    return this.db.prepare("SELECT value FROM config WHERE name=?").value<string | null>(name) ?? undefined;
  }

  entry(name: string): ConfigEntry | undefined {
    const row = this.db
      .prepare<ConfigRow>("SELECT name,value,mtime FROM config WHERE name=? AND value IS NOT NULL")
      .get(name);
    return row && toEntry(row);
  }

  /** All entries, in order of name (bytewise). */
  list(): ConfigEntry[] {
    const rows = this.db
      .prepare<ConfigRow>("SELECT name,value,mtime FROM config WHERE value IS NOT NULL ORDER BY name")
      .all();
    return rows.map(toEntry);
  }

  /** Sets `name`; the change is dated `mtime` (seconds since 1970), now unless given. */
  set(name: string, value: string, mtime = Math.floor(this.clock.now() / 1000)): void {
    this.db.prepare("REPLACE INTO config(name,value,mtime) VALUES(?,?,?)").run(name, value, mtime);
  }

  unset(name: string): void {
    this.db.prepare("DELETE FROM config WHERE name=?").run(name);
  }

  /**
   * A setting read as stock reads booleans: `on`, `yes`, `true` (any case) and numbers other than 0 are
   * true, `off`, `no`, `false` and `0` are false, and anything else is the fallback.
   */
  isOn(name: string, fallback: boolean): boolean {
    const value = this.get(name);
    if (value === undefined) return fallback;
    if (/^(?:on|yes|true)$/i.test(value) || leadingInteger(value) !== 0) return true;
    return /^(?:off|no|false|0)$/i.test(value) ? false : fallback;
  }

  /** A setting read as a number: its leading integer, 0 when there is none, as C's `atoi`. */
  integer(name: string, fallback: number): number {
    const value = this.get(name);
    return value === undefined ? fallback : leadingInteger(value);
  }

  get projectCode(): string | undefined {
    return this.get("project-code");
  }

  /**
   * The policy in force. A repository without the setting has `sha3`, or `auto` when it holds artifacts
   * named by SHA1 and none named by SHA3.
   */
  hashPolicy(): HashPolicy {
    const named = HASH_POLICIES[this.integer("hash-policy", -1)];
    if (named !== undefined) return named;
    const holds = (comparison: ">40" | "=40") =>
      this.db
        .prepare(
          comparison === ">40"
            ? "SELECT 1 FROM blob WHERE length(uuid)>40 LIMIT 1"
            : "SELECT 1 FROM blob WHERE length(uuid)=40 LIMIT 1",
        )
        .value() !== undefined;
    return !holds(">40") && holds("=40") ? "auto" : "sha3";
  }

  /** Algorithms for a new artifact: the one to name it by, and the other, whose name it may bear already. */
  hashAlgorithms(): { readonly primary: HashAlgorithm; readonly other: HashAlgorithm | undefined } {
    switch (this.hashPolicy()) {
      case "sha1":
      case "auto":
        return { primary: "sha1", other: "sha3-256" };
      case "sha3":
        return { primary: "sha3-256", other: "sha1" };
      default:
        return { primary: "sha3-256", other: undefined };
    }
  }

  /** Tells the policy that an artifact named `hash` is being stored. */
  noteHash(hash: Hash): void {
    if (algorithmOf(hash) === "sha3-256" && this.hashPolicy() === "auto") {
      this.set("hash-policy", String(HASH_POLICIES.indexOf("sha3")));
    }
  }
}

interface ConfigRow {
  readonly name: string;
  readonly value: string;
  readonly mtime: number | null;
}

function toEntry(row: ConfigRow): ConfigEntry {
  return { name: row.name, value: String(row.value), mtime: row.mtime ?? undefined };
}

function leadingInteger(value: string): number {
  return Number(/^\s*[+-]?\d+/.exec(value)?.[0] ?? 0);
}
