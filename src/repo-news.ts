/**
 * What is new in a repository since somebody looked: check-ins, wiki pages, tickets, tags …, whoever put them there.
 * Read on a connection of its own, so that a commit of any process counts; the cost follows what is new.
 *
 * New is what has an event and a rid past the watermark, and what was a phantom at the last look and has its content
 * now. Ordinary files and clusters are no news by themselves: the former belong to a check-in, the latter only name
 * what is there. Private artifacts are no news to others.
 *
 * The watermark is kept in a table of ours, so that what was committed while nobody looked is found:
 *
 *     fx_leaf(name TEXT PRIMARY KEY, value)    name `announced`: rid up to which all is announced
 *                                              name `peer-id`: by which other peers know this repository
 */
import type { Hash } from "./hash.ts";
import { ANNOUNCED_ARTIFACT_MAX_COUNT, ANNOUNCED_TIP_MAX_COUNT, NEWS_PHANTOM_MAX_COUNT } from "./limits.ts";
import { asPeerId, newPeerId, type PeerId } from "./peer-id.ts";
import type { Random } from "./random.ts";
import type { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";

export interface NewsItem {
  readonly rid: Rid;
  readonly hash: Hash;
  /** Whether it is a check-in without a successor on its branch. */
  readonly isTip: boolean;
  /** From where it was received, as `rcvfrom.ipaddr` has it; "" when it was made here. */
  readonly source: string;
}

export interface News {
  /** The newest ones, newest first, `ITEM_MAX_COUNT` at most; at least one. */
  readonly items: readonly NewsItem[];
  /** How many there are in all. */
  readonly count: number;
  /** Everything new, files too; empty when it is more than an announcement names. */
  readonly artifacts: readonly Hash[];
}

/** Items that are told one by one: of the rest only the number counts. */
const ITEM_MAX_COUNT = 4 * ANNOUNCED_TIP_MAX_COUNT;

const ITEM_SQL = `SELECT b.rid, b.uuid AS hash, EXISTS(SELECT 1 FROM leaf WHERE leaf.rid=b.rid) AS isTip,
    coalesce((SELECT ipaddr FROM rcvfrom WHERE rcvfrom.rcvid=b.rcvid),'') AS source
  FROM blob b`;
const IS_PUBLIC = "NOT EXISTS(SELECT 1 FROM private WHERE private.rid=b.rid)";

interface ItemRow {
  readonly rid: Rid;
  readonly hash: Hash;
  readonly isTip: number;
  readonly source: string;
}

export class NewsReader {
  private phantoms: ReadonlySet<Rid> | undefined;

  /** @param after the watermark; undefined: nothing that is there now is news */
  constructor(private after: Rid | undefined) {}

  /** All up to here is known to the reader. */
  get watermark(): Rid {
    return this.after ?? (0 as Rid);
  }

  /** What is new since the last call; undefined when nothing is. */
  read(repo: Repo): News | undefined {
    return repo.db.snapshot(() => this.look(repo));
  }

  private look(repo: Repo): News | undefined {
    const { db } = repo;
    const through = db.prepare("SELECT coalesce(max(rid),0) FROM blob").value<Rid>()!;
    const before = this.phantoms;
    const phantoms = phantomsOf(repo);
    // What was shunned may have been the newest.
    const after = Math.min(this.after ?? through, through) as Rid;
    this.after = through;
    this.phantoms = phantoms;
    const filled = before === undefined ? [] : this.filled(repo, before, phantoms);
    if (after === through && filled.length === 0) return undefined;
    const items = [...this.items(repo, after), ...filled];
    if (items.length === 0) return undefined;
    const count = items.length < ITEM_MAX_COUNT ? items.length : this.count(repo, after) + filled.length;
    const added = db
      .prepare(`SELECT b.uuid FROM blob b WHERE b.rid>? AND b.size>=0 AND ${IS_PUBLIC} LIMIT ?`)
      .values<[Hash]>(after, ANNOUNCED_ARTIFACT_MAX_COUNT + 1)
      .map(([hash]) => hash);
    const artifacts = [...new Set([...added, ...filled.map(({ hash }) => hash)])];
    return { items, count, artifacts: artifacts.length > ANNOUNCED_ARTIFACT_MAX_COUNT ? [] : artifacts };
  }

  private items(repo: Repo, after: Rid): NewsItem[] {
    return repo.db
      .prepare<ItemRow>(
        `${ITEM_SQL} JOIN event ON event.objid=b.rid WHERE event.objid>? AND ${IS_PUBLIC} ORDER BY event.objid DESC LIMIT ?`,
      )
      .all(after, ITEM_MAX_COUNT)
      .map(itemOf);
  }

  private count(repo: Repo, after: Rid): number {
    return repo.db.prepare("SELECT count(*) FROM event WHERE objid>?").value<number>(after)!;
  }

  private filled(repo: Repo, before: ReadonlySet<Rid>, now: ReadonlySet<Rid>): NewsItem[] {
    const item = repo.db.prepare<ItemRow>(`${ITEM_SQL} WHERE b.rid=? AND b.size>=0 AND ${IS_PUBLIC}`);
    const gone = [...before].filter((rid) => !now.has(rid));
    return gone.flatMap((rid) => item.all(rid)).map(itemOf);
  }
}

function itemOf(row: ItemRow): NewsItem {
  return { ...row, isTip: row.isTip === 1 };
}

/** The newest ones: with very many, news about the others is left to the next sync. */
function phantomsOf({ db }: Repo): ReadonlySet<Rid> {
  const rows = db
    .prepare("SELECT rid FROM phantom ORDER BY rid DESC LIMIT ?")
    .values<[Rid]>(NEWS_PHANTOM_MAX_COUNT);
  return new Set(rows.map(([rid]) => rid));
}

/** The watermark that was kept; undefined when there is none yet. */
export function loadWatermark(repo: Repo): Rid | undefined {
  const value = readLeaf(repo, "announced");
  return typeof value === "number" && Number.isSafeInteger(value) ? (value as Rid) : undefined;
}

export function saveWatermark(repo: Repo, rid: Rid): void {
  writeLeaf(repo, "announced", rid);
}

/**
 * The id that peers know this repository by, made on first use. It is the file's: a copy of the file that is to be
 * a peer beside it needs another one.
 *
 * @param chosen takes the place of the one before
 */
export function ownPeerId(repo: Repo, random: Random, chosen?: PeerId): PeerId {
  const known = readLeaf(repo, "peer-id");
  if (typeof known === "string" && (chosen === undefined || chosen === known)) return asPeerId(known);
  const id = chosen ?? newPeerId(random);
  writeLeaf(repo, "peer-id", id);
  return id;
}

function readLeaf({ db }: Repo, name: string): unknown {
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name='fx_leaf'").value() === undefined) return undefined;
  return db.prepare("SELECT value FROM fx_leaf WHERE name=?").value(name);
}

function writeLeaf({ db }: Repo, name: string, value: string | number): void {
  db.write(() => {
    db.exec("CREATE TABLE IF NOT EXISTS fx_leaf(name TEXT PRIMARY KEY, value)");
    db.prepare("REPLACE INTO fx_leaf(name,value) VALUES(?,?)").run(name, value);
  });
}
