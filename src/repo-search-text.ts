/**
 * What is searched: each document has a type, a name that is its own among those of the type, a title and a text.
 *
 *     type      name            title           text
 *     file      path            path            content in the newest check-in of the main branch
 *     checkin   hash            ""              its comment, as amended
 *     wiki      title           title           text of the latest version
 *     ticket    id              field title     its fields, and what was said in changes
 *     technote  id              comment         text of the latest version
 *     forum     hash            thread's title  text of a post that was not edited since
 *
 * Content with a NUL, and content past a bound, has no text: it is found by name and title.
 */
import { text } from "./bytes.ts";
import type { Hash } from "./hash.ts";
import { SEARCH_TEXT_MAX_BYTES } from "./limits.ts";
import type { Repo } from "./repo.ts";
import { readArtifact } from "./repo-artifact.ts";
import type { Rid } from "./repo-content.ts";
import { readTicketSchema } from "./repo-ticket-schema.ts";

export const SEARCH_TYPES = ["file", "checkin", "wiki", "ticket", "technote", "forum"] as const;
export type SearchType = (typeof SEARCH_TYPES)[number];

export interface SearchDocument {
  readonly type: SearchType;
  readonly name: string;
  /** The artifact that it was read from. */
  readonly rid: Rid;
  readonly title: string;
  readonly text: string;
}

/** The text of content. */
export function searchText(content: Uint8Array | undefined): string {
  if (content === undefined || content.length > SEARCH_TEXT_MAX_BYTES || content.includes(0)) return "";
  return text(content);
}

export function fileDocument(repo: Repo, name: string, rid: Rid): SearchDocument {
  return { type: "file", name, rid, title: name, text: searchText(repo.content.get(rid)) };
}

/** An artifact on the timeline that changes documents. */
export interface TimelineArtifact {
  readonly rid: Rid;
  /** As in table `event`. */
  readonly type: string;
}

/** What an artifact does: the document as it is now, and those that are no more. */
export interface DocumentChange {
  readonly document?: SearchDocument;
  readonly gone?: { readonly type: SearchType; readonly names: readonly string[] };
}

export function documentChange(repo: Repo, { rid, type }: TimelineArtifact): DocumentChange {
  switch (type) {
    case "ci":
      return { document: checkInDocument(repo, rid) };
    case "w":
      return wikiChange(repo, rid);
    case "t":
      return ticketChange(repo, rid);
    case "e":
      return technoteChange(repo, rid);
    case "f":
      return forumChange(repo, rid);
    default:
      return {};
  }
}

function checkInDocument(repo: Repo, rid: Rid): SearchDocument {
  const comment = repo.db
    .prepare("SELECT coalesce(ecomment, comment, '') FROM event WHERE objid=?")
    .value<string>(rid);
  return { type: "checkin", name: repo.content.hashOf(rid), rid, title: "", text: comment ?? "" };
}

/** The name that a tag of an artifact ends with: `wiki-`TITLE, `tkt-`ID. */
function taggedName(repo: Repo, rid: Rid, prefix: string): string | undefined {
  return repo.db
    .prepare(
      `SELECT substr(tagname, length(?2)+1) FROM tagxref JOIN tag USING(tagid)
       WHERE rid=?1 AND tagname GLOB ?2||'*' LIMIT 1`,
    )
    .value<string>(rid, prefix);
}

function wikiChange(repo: Repo, rid: Rid): DocumentChange {
  const title = taggedName(repo, rid, "wiki-");
  if (title === undefined) return {};
  const latest = repo.db
    .prepare(
      "SELECT rid FROM tagxref JOIN tag USING(tagid) WHERE tagname='wiki-'||? ORDER BY mtime DESC LIMIT 1",
    )
    .value<Rid>(title);
  const page = latest === undefined ? undefined : readArtifact(repo.content, latest, "wiki");
  const body = searchText(page?.body);
  if (page === undefined || body.trim() === "") return { gone: { type: "wiki", names: [title] } };
  return { document: { type: "wiki", name: title, rid: latest!, title, text: body } };
}

function ticketChange(repo: Repo, rid: Rid): DocumentChange {
  const id = taggedName(repo, rid, "tkt-");
  const schema = readTicketSchema(repo.db);
  if (id === undefined || schema === undefined) return {};
  const values = (sql: string) =>
    repo.db
      .prepare<Record<string, unknown>>(sql)
      .all(id)
      .flatMap((row) =>
        Object.entries(row).filter(
          ([name, value]) =>
            schema.fields.has(name) && !name.startsWith("private_") && typeof value === "string",
        ),
      ) as [string, string][];
  const fields = values("SELECT * FROM ticket WHERE tkt_uuid=?");
  if (fields.length === 0) return { gone: { type: "ticket", names: [id] } };
  const changes = schema.hasChanges
    ? values(
        "SELECT c.* FROM ticketchng c JOIN ticket t USING(tkt_id) WHERE t.tkt_uuid=? ORDER BY c.tkt_mtime",
      )
    : [];
  const title = fields.find(([name]) => name === "title")?.[1] ?? "";
  const said = [...fields.filter(([name]) => name !== "title"), ...changes].map(([, value]) => value);
  return { document: { type: "ticket", name: id, rid, title, text: [...new Set(said)].join("\n") } };
}

function technoteChange(repo: Repo, rid: Rid): DocumentChange {
  const note = readArtifact(repo.content, rid, "technote");
  if (note === undefined) return {};
  const { technoteId: name, comment: title = "" } = note;
  return { document: { type: "technote", name, rid, title, text: searchText(note.body) } };
}

function forumChange(repo: Repo, rid: Rid): DocumentChange {
  const post = readArtifact(repo.content, rid, "forum");
  if (post === undefined) return {};
  const hash = repo.content.hashOf(rid);
  const wasEdited = repo.db.prepare("SELECT 1 FROM plink WHERE pid=?").value(rid) === 1;
  const gone = { type: "forum" as const, names: post.parents as readonly Hash[] };
  if (wasEdited) return { gone };
  const title = post.title ?? (post.threadRoot === undefined ? "" : threadTitle(repo, post.threadRoot));
  return { document: { type: "forum", name: hash, rid, title, text: searchText(post.body) }, gone };
}

function threadTitle(repo: Repo, root: Hash): string {
  const rid = repo.content.ridOf(root);
  return (rid === undefined ? undefined : readArtifact(repo.content, rid, "forum"))?.title ?? "";
}
