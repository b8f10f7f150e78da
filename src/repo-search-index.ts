/**
 * The search index, in tables of ours alone, so that `fossil rebuild` keeps them:
 *
 *     fx_search_doc    id, type, name, rid of each document (`repo-search-text.ts`)
 *     fx_search_word   FTS5 over title and text by words, without regard to case and accents
 *     fx_search_vocab  FTS5's list of those words, in which parts of words are looked for
 *     fx_search_state  what is indexed: the highest rid on the timeline, how many rows it had up to there, the check-in
 *                      whose files are in
 *
 * The FTS table holds no text, only what finds it; the text is read from the repository when a result is shown.
 *
 * Bringing it up to date costs what has changed: artifacts on the timeline past the highest rid, check-ins whose comment
 * was amended since, and the files in which the newest check-in of the main branch differs from the one indexed. When rows
 * below the highest rid have come or gone (a phantom was filled, an artifact shunned) all but the files is indexed anew.
 */
import type { Hash } from "./hash.ts";
import type { Repo } from "./repo.ts";
import { mainBranch } from "./repo-branch.ts";
import type { Rid } from "./repo-content.ts";
import { listFiles } from "./repo-files.ts";
import { findName } from "./repo-name.ts";
import { documentChange, fileDocument, type SearchDocument, type SearchType } from "./repo-search-text.ts";
import { TAG } from "./repo-tag-name.ts";
import { treeDifferences } from "./repo-tree-diff.ts";

export interface IndexReport {
  /** Documents put in or taken out. */
  readonly changedCount: number;
  /** In the index now. */
  readonly documentCount: number;
}

export interface IndexOptions {
  /** From scratch. */
  readonly anew?: boolean;
  readonly onProgress?: (doneCount: number, totalCount: number) => void;
}

const TABLES_SQL = `
CREATE TABLE IF NOT EXISTS fx_search_doc(
  id INTEGER PRIMARY KEY, type TEXT NOT NULL, name TEXT NOT NULL, rid INTEGER NOT NULL, UNIQUE(type, name));
CREATE TABLE IF NOT EXISTS fx_search_state(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE VIRTUAL TABLE IF NOT EXISTS fx_search_word USING fts5(title, body,
  content='', contentless_delete=1, detail=column, tokenize='unicode61 remove_diacritics 2');
CREATE VIRTUAL TABLE IF NOT EXISTS fx_search_vocab USING fts5vocab(fx_search_word, row);`;

const DROP_SQL = ["fx_search_vocab", "fx_search_word", "fx_search_doc", "fx_search_state"]
  .map((table) => `DROP TABLE IF EXISTS ${table};`)
  .join("");

/** Is there an index? */
export function hasSearchIndex({ db }: Repo): boolean {
  return db.prepare("SELECT 1 FROM sqlite_schema WHERE name='fx_search_vocab'").value() === 1;
}

/** Brings the index up to date, or makes it. The repository is open for writing. */
export function updateSearchIndex(repo: Repo, options: IndexOptions = {}): IndexReport {
  const { db } = repo;
  if (!options.anew && hasSearchIndex(repo) && isCurrent(repo))
    return { changedCount: 0, documentCount: count(repo) };
  return db.write(() => {
    if (options.anew) db.exec(DROP_SQL);
    db.exec(TABLES_SQL);
    const index = new SearchIndex(repo, options.onProgress);
    index.updateTimeline();
    index.updateFiles();
    return { changedCount: index.changedCount, documentCount: count(repo) };
  });
}

const count = ({ db }: Repo) => db.prepare("SELECT count(*) FROM fx_search_doc").value<number>()!;
const readState = ({ db }: Repo, key: string) =>
  db.prepare("SELECT value FROM fx_search_state WHERE key=?").value<number | string>(key);
const maxRid = ({ db }: Repo) => db.prepare("SELECT max(objid) FROM event").value<Rid | null>() ?? 0;
const countUpTo = ({ db }: Repo, rid: number) =>
  db.prepare("SELECT count(*) FROM event WHERE objid<=?").value<number>(rid)!;
const trunkTip = (repo: Repo) => findName(repo, mainBranch(repo), { type: "ci" });

function isCurrent(repo: Repo): boolean {
  const rid = Number(readState(repo, "rid") ?? -1);
  if (rid !== maxRid(repo) || countUpTo(repo, rid) !== readState(repo, "count")) return false;
  const tip = trunkTip(repo);
  return readState(repo, "tip") === (tip === undefined ? "" : repo.content.hashOf(tip));
}

class SearchIndex {
  changedCount = 0;

  constructor(
    private readonly repo: Repo,
    private readonly onProgress?: (doneCount: number, totalCount: number) => void,
  ) {}

  updateTimeline(): void {
    const { db } = this.repo;
    let from = Number(readState(this.repo, "rid") ?? 0);
    if (countUpTo(this.repo, from) !== Number(readState(this.repo, "count") ?? 0)) {
      for (const [id] of db.prepare("SELECT id FROM fx_search_doc WHERE type<>'file'").values<[number]>())
        this.drop(id);
      from = 0;
    }
    const fresh = db
      .prepare("SELECT objid, type FROM event WHERE objid>? ORDER BY objid")
      .values<[Rid, string]>(from);
    const amended = db
      .prepare("SELECT DISTINCT rid, 'ci' FROM tagxref WHERE tagid=? AND srcid>? AND rid<=?")
      .values<[Rid, string]>(TAG.comment, from, from);
    const all = [...amended, ...fresh];
    for (const [i, [rid, type]] of all.entries()) {
      const { document, gone } = documentChange(this.repo, { rid, type });
      for (const name of gone?.names ?? []) this.remove(gone!.type, name);
      if (document !== undefined) this.put(document);
      this.onProgress?.(i + 1, all.length);
    }
    const last = maxRid(this.repo);
    this.setState("rid", last);
    this.setState("count", countUpTo(this.repo, last));
  }

  updateFiles(): void {
    const tip = trunkTip(this.repo);
    const known = readState(this.repo, "tip");
    const before =
      typeof known === "string" && known !== "" ? this.repo.content.ridOf(known as Hash) : undefined;
    const hash = tip === undefined ? "" : this.repo.content.hashOf(tip);
    if (hash === known) return;
    if (tip !== undefined && before !== undefined && this.repo.content.isAvailable(before)) {
      const differences = treeDifferences(this.repo, before, tip);
      for (const [i, { name, to }] of differences.entries()) {
        if (to?.rid === undefined) this.remove("file", name);
        else this.put(fileDocument(this.repo, name, to.rid));
        this.onProgress?.(i + 1, differences.length);
      }
    } else this.indexAllFiles(tip);
    this.setState("tip", hash);
  }

  private indexAllFiles(tip: Rid | undefined): void {
    const { db } = this.repo;
    for (const [id] of db.prepare("SELECT id FROM fx_search_doc WHERE type='file'").values<[number]>())
      this.drop(id);
    const files = tip === undefined ? [] : listFiles(this.repo, tip);
    for (const [i, { name, rid }] of files.entries()) {
      if (rid !== undefined) this.put(fileDocument(this.repo, name, rid));
      this.onProgress?.(i + 1, files.length);
    }
  }

  private put({ type, name, rid, title, text }: SearchDocument): void {
    this.remove(type, name);
    const { db } = this.repo;
    const id = db
      .prepare("INSERT INTO fx_search_doc(type,name,rid) VALUES(?,?,?)")
      .run(type, name, rid).lastInsertRowid;
    db.prepare("INSERT INTO fx_search_word(rowid,title,body) VALUES(?,?,?)").run(id, title, text);
    this.changedCount++;
  }

  private remove(type: SearchType, name: string): void {
    const id = this.repo.db
      .prepare("SELECT id FROM fx_search_doc WHERE type=? AND name=?")
      .value<number>(type, name);
    if (id !== undefined) this.drop(id);
  }

  private drop(id: number): void {
    const { db } = this.repo;
    for (const sql of ["DELETE FROM fx_search_word WHERE rowid=?", "DELETE FROM fx_search_doc WHERE id=?"]) {
      db.prepare(sql).run(id);
    }
    this.changedCount++;
  }

  private setState(key: string, value: number | string): void {
    this.repo.db.prepare("REPLACE INTO fx_search_state(key,value) VALUES(?,?)").run(key, value);
  }
}
