/**
 * Unversioned files: named content of which only the newest version is kept, in a table of its own (Fossil
 * `www/unvers.wiki`, `src/unversioned.c`; fossil-facts C, G23–G32).
 *
 *     unversioned(uvid, name, rcvid, mtime, hash, sz, encoding, content)
 *
 *     mtime      seconds since 1970; what decides between two versions
 *     hash       name of the content by the hash policy of who added it; NULL marks a file that was deleted
 *     sz         of the content, expanded, in bytes
 *     encoding   1: `content` is a 4-byte length and a zlib stream; 0: it is the content itself
 *     content    NULL: deleted, empty (as received), or not here though its hash is known
 *
 * The table exists once a file was added. Content is stored compressed where that saves a fifth.
 *
 * A mark of deletion has a time like any version, so it travels and wins over older ones. It stays for ever;
 * a mark for a name that is not known here leaves nothing.
 *
 * The catalog hash, by which two repositories know that they hold the same, is the SHA1 of one line per
 * live file, in order of name (bytewise):
 *
 *     NAME SP YYYY-MM-DD SP HH:MM:SS SP HASH LF
 *
 * It is kept in the setting `uv-hash`, which every change removes.
 */
import { EMPTY } from "./bytes.ts";
import { LimitError, UsageError } from "./errors.ts";
import { type Hash, hashContent, sha1Hex } from "./hash.ts";
import { ARTIFACT_MAX_BYTES, UNVERSIONED_NAME_MAX_BYTES } from "./limits.ts";
import type { Repo } from "./repo.ts";
import { isSimplePath } from "./xfer-token.ts";
import { packBlob, unpackBlob } from "./zlib.ts";

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
 *     unknown        there is no such name here
 *     newer          the peer's is newer, or as old with the greater hash
 *     touched        the same content, the peer's time is later
 *     same           the same content and time
 *     touched-here   the same content, our time is later
 *     older          ours is newer, or as old with the greater hash
 */
export type UnversionedRelation = "unknown" | "newer" | "touched" | "same" | "touched-here" | "older";

const TABLE_SQL = `
CREATE TABLE unversioned(
  uvid INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT UNIQUE,
  rcvid INTEGER,
  mtime DATETIME,
  hash TEXT,
  sz INTEGER,
  encoding INT,
  content BLOB
)`;

const ENCODING = { plain: 0, compressed: 1 } as const;
/** From this length on what is stored is not left in memory longer than it must. */
const LARGE_BYTES = 1_000_000;
/** Compressed content is kept when it is at most this part of the original. */
const COMPRESSED_MAX_RATIO = 0.8;
const CATALOG_HASH_NAME = "uv-hash";

export class Unversioned {
  constructor(private readonly repo: Repo) {}

  /** Whether `catalogHash` only has to be looked up. */
  get isCatalogHashKept(): boolean {
    return this.repo.config.get(CATALOG_HASH_NAME) !== undefined || !this.hasTable;
  }

  /** Computed where it is not kept, and kept from then on if the repository may be written. */
  catalogHash(): string {
    const kept = this.repo.config.get(CATALOG_HASH_NAME);
    if (kept !== undefined) return kept;
    if (!this.hasTable) return sha1Hex();
    const lines = this.repo.db
      .prepare(
        `SELECT printf('%s %s %s', name, datetime(mtime,'unixepoch'), hash) FROM unversioned
         WHERE hash IS NOT NULL ORDER BY name`,
      )
      .values<[string]>();
    const hash = sha1Hex(...lines.map(([line]) => `${line}\n`));
    if (this.repo.db.mode !== "read") this.repo.config.set(CATALOG_HASH_NAME, hash);
    return hash;
  }

  /** Every name, deleted ones too, in order of name (bytewise). */
  entries(): UnversionedEntry[] {
    if (!this.hasTable) return [];
    return this.repo.db
      .prepare<EntryRow>("SELECT name, mtime, hash, sz FROM unversioned ORDER BY name")
      .all()
      .map(toEntry);
  }

  entry(name: string): UnversionedEntry | undefined {
    if (!this.hasTable) return undefined;
    const row = this.repo.db
      .prepare<EntryRow>("SELECT name, mtime, hash, sz FROM unversioned WHERE name=?")
      .get(name);
    return row && toEntry(row);
  }

  /**
   * The content of a live file; `undefined` when it is unknown, deleted, or only its hash is known.
   *
   * @throws FormatError, LimitError when what is stored cannot be expanded
   */
  content(name: string): Uint8Array | undefined {
    if (!this.hasTable) return undefined;
    const row = this.repo.db
      .prepare<ContentRow>("SELECT hash, encoding, content FROM unversioned WHERE name=?")
      .get(name);
    if (row === undefined || row.hash === null) return undefined;
    if (row.content === null) return isHashOfNothing(row.hash) ? EMPTY : undefined;
    return row.encoding === ENCODING.compressed ? unpackBlob(row.content, ARTIFACT_MAX_BYTES) : row.content;
  }

  /** @param hash of the peer's version; `undefined` when it was deleted there */
  compare(name: string, mtime: number, hash: Hash | undefined): UnversionedRelation {
    const own = this.entry(name);
    if (own === undefined) return "unknown";
    if (own.hash === hash) {
      if (own.mtime === mtime) return "same";
      return own.mtime < mtime ? "touched" : "touched-here";
    }
    const isNewer = own.mtime < mtime || (own.mtime === mtime && rank(own.hash) < rank(hash));
    return isNewer ? "newer" : "older";
  }

  /**
   * Stores a file received from a peer, whatever is here under that name.
   *
   * @param content verified against the hash
   * @param rcvid row of `rcvfrom` that says where it came from
   */
  put(entry: UnversionedEntry & { readonly hash: Hash }, content: Uint8Array, rcvid: number): void {
    // Stock keeps an empty file that it receives as NULL, and one that is added as an empty blob.
    this.write(entry, content.length === 0 ? null : content, rcvid);
  }

  /**
   * Adds or replaces a file made here.
   *
   * @param mtime seconds since 1970
   * @throws UsageError `unversioned-name`; LimitError `unversioned-size`
   */
  add(name: string, content: Uint8Array, mtime: number, rcvid: number): UnversionedEntry {
    checkName(name);
    if (content.length > ARTIFACT_MAX_BYTES) {
      throw new LimitError(
        "unversioned-size",
        `${name} has ${content.length} bytes, more than ${ARTIFACT_MAX_BYTES}`,
      );
    }
    const hash = hashContent(content, this.repo.config.hashAlgorithms().primary);
    const entry = { name, mtime, hash, size: content.length };
    this.write(entry, content, rcvid);
    return entry;
  }

  /**
   * Leaves a mark that the file was deleted, if the name is known.
   *
   * @param rcvid absent when it is deleted here: the row then keeps the number it has
   * @returns whether there was such a name
   */
  remove(name: string, mtime: number, rcvid?: number): boolean {
    return this.change(
      "UPDATE unversioned SET hash=NULL, content=NULL, sz=0, encoding=0, mtime=?, rcvid=coalesce(?,rcvid) WHERE name=?",
      mtime,
      rcvid ?? null,
      name,
    );
  }

  /** Changes the time of a file, or of the mark that it was deleted. @returns whether there is that name */
  touch(name: string, mtime: number): boolean {
    return this.change("UPDATE unversioned SET mtime=? WHERE name=?", mtime, name);
  }

  /** Forgets a name without a mark: as if it had never been. @returns whether there was that name */
  forget(name: string): boolean {
    return this.change("DELETE FROM unversioned WHERE name=?", name);
  }

  private get hasTable(): boolean {
    const sql = "SELECT 1 FROM sqlite_schema WHERE type='table' AND name='unversioned'";
    return this.repo.db.prepare(sql).value() !== undefined;
  }

  private write(entry: UnversionedEntry, content: Uint8Array | null, rcvid: number): void {
    const { db, config } = this.repo;
    const packed = content === null || content.length === 0 ? undefined : packBlob(content);
    const isSmaller = packed !== undefined && packed.length <= COMPRESSED_MAX_RATIO * content!.length;
    const { name, mtime, hash, size } = entry;
    const stored = isSmaller ? packed : content;
    const isLarge = stored !== null && stored.length >= LARGE_BYTES;
    db.write(() => {
      if (!this.hasTable) db.exec(TABLE_SQL);
      db.prepare(
        "REPLACE INTO unversioned(name,rcvid,mtime,hash,sz,encoding,content) VALUES(?,?,?,?,?,?,?)",
      ).run(
        name,
        rcvid,
        mtime,
        hash ?? null,
        size,
        isSmaller ? ENCODING.compressed : ENCODING.plain,
        isLarge ? null : stored,
      );
      if (isLarge) {
        const spare = isSmaller ? packed : undefined;
        db.runLarge("UPDATE unversioned SET content=? WHERE name=? AND fx_bound()", [stored, name], spare);
      }
      config.unset(CATALOG_HASH_NAME);
    });
  }

  private change(sql: string, ...params: readonly (string | number | null)[]): boolean {
    if (!this.hasTable) return false;
    return this.repo.db.write(() => {
      const { changes } = this.repo.db.prepare(sql).run(...params);
      this.repo.config.unset(CATALOG_HASH_NAME);
      return changes > 0;
    });
  }
}

/**
 * @throws UsageError `unversioned-name` unless peers, stock ones included, can hold a file of that name
 */
function checkName(name: string): void {
  const refuse = (why: string): never => {
    throw new UsageError(
      "unversioned-name",
      `${JSON.stringify(name)} cannot name an unversioned file: ${why}`,
    );
  };
  if (!isSimplePath(name)) refuse("it is no simple relative path");
  if (/\s/.test(name)) refuse("it contains white space");
  if (Buffer.byteLength(name) > UNVERSIONED_NAME_MAX_BYTES) {
    refuse(`it is longer than ${UNVERSIONED_NAME_MAX_BYTES} bytes`);
  }
}

/** What stock compares where the times are equal: a deleted file is below every other. */
function rank(hash: Hash | undefined): string {
  return hash ?? "-";
}

function isHashOfNothing(hash: Hash): boolean {
  return hash === hashContent(EMPTY, "sha1") || hash === hashContent(EMPTY, "sha3-256");
}

interface EntryRow {
  readonly name: string;
  readonly mtime: number;
  readonly hash: Hash | null;
  readonly sz: number | null;
}

interface ContentRow {
  readonly hash: Hash | null;
  readonly encoding: number;
  readonly content: Uint8Array | null;
}

function toEntry({ name, mtime, hash, sz }: EntryRow): UnversionedEntry {
  return { name, mtime, hash: hash ?? undefined, size: hash === null ? 0 : (sz ?? 0) };
}
