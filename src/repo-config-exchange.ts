/**
 * Rows of the configuration on their way out of a repository and into it.
 *
 * A row travels with the time of its last change (`xfer-config-row.ts`); one without a time never does.
 * A row received is inserted, or updated when it is newer than what is here; columns it does not name stay.
 * So a newer row of a user wins whoever that is, and the special users of a new repository, which have no
 * time, are left alone until someone changes them.
 *
 * What depends on rows received is brought up to date once, at the end: after a change of the ticket area the
 * ticket tables are made anew and filled.
 *
 * Rules: fossil-facts C, D; Fossil `src/configure.c`.
 */
import type { Repo } from "./repo.ts";
import {
  ALL_PARTS,
  allowed,
  type ConfigPart,
  type ConfigParts,
  type ConfigurationRights,
} from "./repo-config-areas.ts";
import { partsOfSetting, SETTING_PREFIXES, SETTINGS_OF } from "./repo-config-settings.ts";
import { CONFIG_TABLES, type ConfigTable } from "./repo-config-tables.ts";
import { beginLinkBatch, endLinkBatch } from "./repo-crosslink.ts";
import { createTicketTables } from "./repo-ticket-schema.ts";
import { parseConfigRow } from "./xfer-config-row.ts";

export interface ConfigurationRow {
  /** The table, with its slash. */
  readonly table: string;
  /** See `xfer-config-row.ts`. */
  readonly content: Uint8Array;
}

/** What may be taken, and from whom. */
export interface ReceiveRules {
  /** Rows of other parts have no effect. */
  readonly parts?: ConfigParts;
  /** Those of the sender; unlimited unless given. */
  readonly rights?: ConfigurationRights;
}

export class ConfigExchange {
  private hasTicketsChanged = false;

  constructor(private readonly repo: Repo) {}

  /** Every row of the given parts. */
  *rows(parts: ConfigParts): Generator<ConfigurationRow> {
    const { db } = this.repo;
    const { config, ...tables } = CONFIG_TABLES;
    for (const table of Object.values(tables)) {
      if (parts.has(table.part!)) yield* table.rows(db).map(rowOf(table));
    }
    for (const [part, prefix] of SETTING_PREFIXES) {
      if (parts.has(part)) yield* config.rowsOf(db, prefix, "prefix").map(rowOf(config));
    }
    const names = [...SETTINGS_OF].flatMap(([part, names]) => (parts.has(part) ? names : []));
    for (const name of new Set(names)) yield* config.rowsOf(db, name, "exactly").map(rowOf(config));
  }

  /**
   * Takes one row. What is not a row, does not travel, is none of the sender's affair, or is not newer than
   * what is here has no effect. The caller holds a write transaction until after `finish`.
   *
   * @returns whether anything changed
   */
  receive(
    { table: name, content }: ConfigurationRow,
    { parts = ALL_PARTS, rights }: ReceiveRules = {},
  ): boolean {
    const table = Object.values(CONFIG_TABLES).find((candidate) => name === `/${candidate.name}`);
    const row = table && parseConfigRow(content, table.columns);
    if (row === undefined || table === undefined) return false;
    const own: ReadonlySet<ConfigPart> = new Set(
      table.part === undefined ? partsOfSetting(row.key) : [table.part],
    );
    if (own.intersection(allowed(parts, rights)).size === 0) return false;
    const isTaken = table.receive(this.repo.db, this.repo.random, row);
    if (isTaken && own.has("ticket")) this.hasTicketsChanged = true;
    return isTaken;
  }

  /**
   * Brings up to date what depends on the rows received.
   *
   * @throws RepoError `ticket-schema` when the ticket tables cannot be made as a row received says
   */
  finish(): void {
    if (this.hasTicketsChanged) rebuildTickets(this.repo);
    this.hasTicketsChanged = false;
  }
}

/** Makes the ticket tables anew, as the settings say, and fills them from the tickets' changes. */
function rebuildTickets(repo: Repo): void {
  createTicketTables(repo);
  const batch = beginLinkBatch(repo);
  const tags = repo.db
    .prepare("SELECT substr(tagname,5) FROM tag WHERE tagname GLOB 'tkt-*'")
    .values<[string]>();
  for (const [id] of tags) if (/^[0-9a-f]{20,}$/i.test(id)) batch.tickets.add(id);
  endLinkBatch(batch);
}

function rowOf({ name }: ConfigTable): (content: Uint8Array) => ConfigurationRow {
  return (content) => ({ table: `/${name}`, content });
}
