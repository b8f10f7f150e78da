/**
 * What the engine asks of the parts of a repository that are not artifacts: unversioned files and
 * configuration areas. Rules: fossil-facts C, D; Fossil `www/unvers.wiki`.
 */
import type { Hash } from "./hash.ts";
import type { Repo } from "./repo.ts";

export interface UnversionedEntry {
  readonly name: string;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Absent: the file was deleted. */
  readonly hash: Hash | undefined;
  /** Of the content, expanded, in bytes; 0 when deleted. */
  readonly size: number;
}

/**
 * How what a peer has of a file relates to what is here:
 *
 *     unknown      there is no such name here
 *     newer        the peer's is newer, or as old with the greater hash
 *     touched      the same content, the peer's time is later
 *     same         the same content and time
 *     older        ours is to stay
 */
export type UnversionedRelation = "unknown" | "newer" | "touched" | "same" | "older";

export interface UnversionedFiles {
  /** SHA1 over the live files, by which two repositories know that they hold the same. */
  catalogHash(): string;
  /** Every name, deleted ones too. */
  entries(): Iterable<UnversionedEntry>;
  entry(name: string): UnversionedEntry | undefined;
  /** The content of a live file; `undefined` when only its hash is known. */
  content(name: string): Uint8Array | undefined;
  compare(name: string, mtime: number, hash: Hash | undefined): UnversionedRelation;
  /** @param content absent when the sender left it out */
  put(entry: UnversionedEntry, content: Uint8Array | undefined, rcvid: number): void;
  /** Leaves a mark that the file was deleted, if the name is known. */
  remove(name: string, mtime: number, rcvid: number): void;
  touch(name: string, mtime: number): void;
}

/** Whose rows of the configuration a caller may see and change. */
export interface ConfigurationRights {
  /** Users and subscribers. */
  readonly isAdmin: boolean;
  /** Concealed e-mail addresses. */
  readonly seesAddresses: boolean;
}

export interface ConfigurationRow {
  /** The table, with its slash. */
  readonly table: string;
  /** `MTIME 'key' column 'literal' …`. */
  readonly content: Uint8Array;
}

export interface ConfigurationAreas {
  /** @param area with its slash, for instance `/skin`; an unknown one has no rows */
  rows(area: string, rights: ConfigurationRights): Iterable<ConfigurationRow>;
  /** Takes one row. What is not a row, not to be exported, or older than what is here has no effect. */
  receive(row: ConfigurationRow, rights: ConfigurationRights): void;
  /** Brings up to date what depends on the rows received. */
  finish(): void;
}

/** Cards of a part that is absent have no effect. */
export interface ServerStores {
  readonly unversioned?: (repo: Repo) => UnversionedFiles;
  readonly configuration?: (repo: Repo) => ConfigurationAreas;
}
