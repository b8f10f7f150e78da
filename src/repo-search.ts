/**
 * Finding documents by words or by parts of words (`repo-search-index.ts` keeps the index).
 *
 * By words: a document has all of them, in any form of case and accents; `begin*` is a word that begins so. The best matches come
 * first; a match in the title counts five times one in the text.
 *
 * By parts: the pattern stands in the document as it is, case aside. The words that it consists of, the outer ones
 * perhaps only parts, lead from the list of all words to documents that may hold it; those are read and looked
 * through, files first, then the newest.
 *
 * With each result comes the first line of its text that holds what was looked for.
 */
import { UsageError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import { type EpochMs, fromJulian } from "./julian.ts";
import type { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";
import {
  documentChange,
  fileDocument,
  SEARCH_TYPES,
  type SearchDocument,
  type SearchType,
} from "./repo-search-text.ts";

export interface SearchRequest {
  readonly pattern: string;
  /** Look for the pattern as it is, also within words. */
  readonly isPart: boolean;
  /** Only documents of these types; all when empty. */
  readonly types: readonly SearchType[];
  readonly limit: number;
}

export interface SearchResult {
  readonly type: SearchType;
  readonly name: string;
  readonly hash: Hash;
  readonly title: string;
  /** Of the artifact on the timeline; a file has none. */
  readonly date: EpochMs | undefined;
  /** A line of the text, cut to fit; empty when the title alone matched. */
  readonly line: string;
}

const LINE_MAX_LENGTH = 160;
const TITLE_WEIGHT = 5;
const TIMELINE_TYPES: Readonly<Record<Exclude<SearchType, "file">, string>> = {
  checkin: "ci",
  wiki: "w",
  ticket: "t",
  technote: "e",
  forum: "f",
};

/** @throws UsageError `search-pattern` */
export function search(repo: Repo, request: SearchRequest): SearchResult[] {
  const wanted = JSON.stringify(request.types.length === 0 ? SEARCH_TYPES : request.types);
  return request.isPart ? searchPart(repo, request, wanted) : searchWords(repo, request, wanted);
}

type Row = readonly [type: SearchType, name: string, rid: Rid, mtime: number | null];

function searchWords(repo: Repo, { pattern, limit }: SearchRequest, wanted: string): SearchResult[] {
  const terms = wordTerms(pattern);
  const rows = repo.db
    .prepare(
      `SELECT d.type, d.name, d.rid, e.mtime FROM fx_search_word f JOIN fx_search_doc d ON d.id=f.rowid
       LEFT JOIN event e ON e.objid=d.rid AND d.type<>'file'
       WHERE fx_search_word MATCH ?1 AND d.type IN (SELECT value FROM json_each(?2))
       ORDER BY bm25(fx_search_word, ${TITLE_WEIGHT}, 1), e.mtime DESC, d.name LIMIT ?3`,
    )
    .values<Row>(terms.map(({ query }) => query).join(" AND "), wanted, limit);
  const words = terms.map(({ plain }) => plain);
  return rows.flatMap((row) => {
    const document = readDocument(repo, row);
    return document === undefined ? [] : [toResult(repo, row, document, words)];
  });
}

function searchPart(repo: Repo, { pattern, limit }: SearchRequest, wanted: string): SearchResult[] {
  if (pattern.trim() === "") throw new UsageError("search-pattern", "blanks alone are not looked for");
  const plain = pattern.toLowerCase();
  const candidates = documentsWithPart(repo, plain);
  const among = candidates === undefined ? null : JSON.stringify([...candidates]);
  const rows = repo.db
    .prepare(
      `SELECT d.type, d.name, d.rid, e.mtime FROM fx_search_doc d
       LEFT JOIN event e ON e.objid=d.rid AND d.type<>'file'
       WHERE (?1 IS NULL OR d.id IN (SELECT value FROM json_each(?1)))
         AND d.type IN (SELECT value FROM json_each(?2))
       ORDER BY e.mtime DESC NULLS FIRST, d.name`,
    )
    .values<Row>(among, wanted);
  const results: SearchResult[] = [];
  for (const row of rows) {
    if (results.length >= limit) break;
    const document = readDocument(repo, row);
    const isThere = document && `${document.title}\n${document.text}`.toLowerCase().includes(plain);
    if (isThere) results.push(toResult(repo, row, document, [plain]));
  }
  return results;
}

/**
 * Ids of documents that have the words of a pattern in small letters; `undefined` when it has none, so that any may hold
 * it. Words of ASCII only: how the index folds others is its own.
 */
function documentsWithPart(repo: Repo, pattern: string): ReadonlySet<number> | undefined {
  let found: ReadonlySet<number> | undefined;
  for (const { 0: word, index } of pattern.matchAll(WORD)) {
    if (!/^[a-z0-9]+$/.test(word)) continue;
    const isOpen = index + word.length === pattern.length;
    const ids = documentsWithWords(repo, wordsLike(repo, word, index === 0, isOpen));
    found = found === undefined ? ids : found.intersection(ids);
  }
  return found;
}

/** What is part of a word, accents that stand alone too. */
const WORD = /[\p{L}\p{N}\p{Co}\p{M}]+/gu;

/** Words of the list that hold `part`: anywhere, at the end, at the beginning, or are it. */
function wordsLike({ db }: Repo, part: string, isBegun: boolean, isOpen: boolean): string[] {
  if (!isBegun && !isOpen) return [part];
  const sql =
    isBegun && isOpen
      ? "SELECT term FROM fx_search_vocab WHERE instr(term, ?)"
      : isBegun
        ? "SELECT term FROM fx_search_vocab WHERE substr(term, -length(?1))=?1"
        : "SELECT term FROM fx_search_vocab WHERE term>=?1 AND substr(term, 1, length(?1))=?1";
  return db.prepare(sql).values<[string]>(part).flat();
}

/** Words in one question to the index. */
const WORD_BATCH_COUNT = 100;

function documentsWithWords({ db }: Repo, words: readonly string[]): Set<number> {
  const ask = db.prepare("SELECT rowid FROM fx_search_word WHERE fx_search_word MATCH ?");
  const found = new Set<number>();
  for (let i = 0; i < words.length; i += WORD_BATCH_COUNT) {
    const query = words
      .slice(i, i + WORD_BATCH_COUNT)
      .map(quoted)
      .join(" OR ");
    for (const [id] of ask.values<[number]>(query)) found.add(id);
  }
  return found;
}

function toResult(
  repo: Repo,
  [type, name, rid, mtime]: Row,
  { title, text }: SearchDocument,
  words: readonly string[],
): SearchResult {
  const date = mtime === null ? undefined : fromJulian(mtime);
  return { type, name, hash: repo.content.hashOf(rid), title, date, line: matchingLine(text, words) };
}

interface Term {
  /** In the language of FTS5: quoted, so that nothing in it is an operator. */
  readonly query: string;
  /** In small letters. */
  readonly plain: string;
}

function wordTerms(pattern: string): Term[] {
  const terms = pattern.split(/\s+/).flatMap((typed) => {
    const words = typed.match(WORD) ?? [];
    const isBeginning = /[\p{L}\p{N}\p{Co}]\*$/u.test(typed);
    return words.map((word, i) => ({
      query: isBeginning && i === words.length - 1 ? `${quoted(word)}*` : quoted(word),
      plain: word.toLowerCase(),
    }));
  });
  if (terms.length > 0) return terms;
  throw new UsageError("search-pattern", `${JSON.stringify(pattern)} has no word to look for`, {
    hint: "--substring looks for any characters",
  });
}

const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;

/** The document as it is now; `undefined` when its artifact is no longer here. */
function readDocument(repo: Repo, [type, name, rid]: Row): SearchDocument | undefined {
  if (!repo.content.isAvailable(rid)) return undefined;
  if (type === "file") return fileDocument(repo, name, rid);
  return documentChange(repo, { rid, type: TIMELINE_TYPES[type] }).document;
}

function matchingLine(text: string, terms: readonly string[]): string {
  const small = text.toLowerCase();
  const places = terms.map((term) => small.indexOf(term)).filter((place) => place >= 0);
  // Where a character and its small letter differ in length, places in the two texts do too.
  if (places.length === 0 || small.length !== text.length) return "";
  const place = Math.min(...places);
  const start = text.lastIndexOf("\n", place - 1) + 1;
  const end = text.indexOf("\n", place);
  const line = text.slice(start, end < 0 ? text.length : end);
  if (line.length <= LINE_MAX_LENGTH) return line.trim();
  const from = Math.max(0, place - start - LINE_MAX_LENGTH / 2);
  return `${from > 0 ? "…" : ""}${line.slice(from, from + LINE_MAX_LENGTH).trim()}…`;
}
