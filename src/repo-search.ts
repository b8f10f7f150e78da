/**
 * Finding documents by words or by parts of words, the best matches first (`repo-search-index.ts` keeps the index).
 *
 * By words: a document has all of them, in any form of case and accents; `begin*` is a word that begins so. By parts: the
 * pattern stands in the document as it is, case aside; at least three characters. A match in the title counts five
 * times one in the text. With each result comes the first line of its text that holds one of the words.
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

const PART_MIN_LENGTH = 3;
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
export function search(repo: Repo, { pattern, isPart, types, limit }: SearchRequest): SearchResult[] {
  const terms = isPart ? [partTerm(pattern)] : wordTerms(pattern);
  const query = terms.map(({ query: part }) => part).join(" AND ");
  const table = isPart ? "fx_search_part" : "fx_search_word";
  const wanted = JSON.stringify(types.length === 0 ? SEARCH_TYPES : types);
  const rows = repo.db
    .prepare(
      `SELECT d.type, d.name, d.rid, e.mtime FROM ${table} f JOIN fx_search_doc d ON d.id=f.rowid
       LEFT JOIN event e ON e.objid=d.rid AND d.type<>'file'
       WHERE ${table} MATCH ?1 AND d.type IN (SELECT value FROM json_each(?2))
       ORDER BY bm25(${table}, ${TITLE_WEIGHT}, 1), e.mtime DESC, d.name LIMIT ?3`,
    )
    .values<[SearchType, string, Rid, number | null]>(query, wanted, limit);
  return rows.flatMap(([type, name, rid, mtime]) => {
    const document = readDocument(repo, type, name, rid);
    if (document === undefined) return [];
    const hash = repo.content.hashOf(rid);
    const date = mtime === null ? undefined : fromJulian(mtime);
    const line = matchingLine(
      document.text,
      terms.map(({ plain }) => plain),
    );
    return [{ type, name, hash, title: document.title, date, line }];
  });
}

interface Term {
  /** In the language of FTS5: quoted, so that nothing in it is an operator. */
  readonly query: string;
  /** In small letters. */
  readonly plain: string;
}

function partTerm(pattern: string): Term {
  if ([...pattern].length < PART_MIN_LENGTH) {
    throw new UsageError("search-pattern", `a part of a word has at least ${PART_MIN_LENGTH} characters`);
  }
  return { query: quoted(pattern), plain: pattern.toLowerCase() };
}

function wordTerms(pattern: string): Term[] {
  const words = pattern.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word));
  if (words.length === 0) {
    throw new UsageError("search-pattern", `${JSON.stringify(pattern)} has no word to look for`, {
      hint: "--substring looks for any characters",
    });
  }
  return words.map((word) => {
    const isBeginning = word.endsWith("*");
    const bare = word.replace(/\*+$/, "");
    return { query: isBeginning ? `${quoted(bare)}*` : quoted(bare), plain: bare.toLowerCase() };
  });
}

const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;

/** The document as it is now; `undefined` when its artifact is no longer here. */
function readDocument(repo: Repo, type: SearchType, name: string, rid: Rid): SearchDocument | undefined {
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
