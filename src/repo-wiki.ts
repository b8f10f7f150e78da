/**
 * Wiki pages: their list, their text, new versions (Fossil `src/wiki.c`). A page is known by the tag `wiki-TITLE` of its
 * versions; the latest one counts, and one without text stands for a page that was deleted.
 */
import { isWikiName } from "./artifact-names.ts";
import type { WikiPage } from "./artifact-types.ts";
import { NameError, RepoError } from "./errors.ts";
import { type EpochMs, fromJulian } from "./julian.ts";
import type { Repo } from "./repo.ts";
import { readArtifact } from "./repo-artifact.ts";
import type { Rid } from "./repo-content.ts";
import type { Signature } from "./repo-control.ts";
import { addArtifact, FOSSIL_WIKI, type MadeArtifact } from "./repo-document.ts";
import { textParameter } from "./repo-text.ts";

export interface WikiEntry {
  readonly title: string;
  /** Of the latest version. */
  readonly date: EpochMs;
  readonly versionCount: number;
  /** Its latest version has no text. */
  readonly isDeleted: boolean;
  /** The page is about a check-in, a branch, a tag or a ticket: its title begins with the word and a slash. */
  readonly isAssociated: boolean;
}

/** All pages, in order of their titles without regard to case. */
export function wikiPages(repo: Repo): WikiEntry[] {
  return repo.db
    .prepare(
      `SELECT substr(t.tagname,6), x.value+0, max(x.mtime), count(*) FROM tag t JOIN tagxref x USING(tagid)
       WHERE t.tagname GLOB 'wiki-*' AND typeof(x.value+0)='integer'
       GROUP BY 1 ORDER BY lower(substr(t.tagname,6))`,
    )
    .values<[string, number, number, number]>()
    .map(([title, length, mtime, versionCount]) => ({
      title,
      date: fromJulian(mtime),
      versionCount,
      isDeleted: length === 0,
      isAssociated: /^(?:checkin|branch|tag|ticket)\//.test(title),
    }));
}

export interface WikiVersion {
  readonly rid: Rid;
  readonly page: WikiPage;
}

/**
 * The latest version of a page; `undefined` when there is none.
 *
 * @throws RepoError `content-missing`
 */
export function readWiki(repo: Repo, title: string): WikiVersion | undefined {
  const rid = repo.db
    .prepare(
      `SELECT x.rid FROM tag t JOIN tagxref x USING(tagid) WHERE t.tagname='wiki-'||CAST(? AS TEXT)
       ORDER BY x.mtime DESC LIMIT 1`,
    )
    .value<Rid>(textParameter(title));
  if (rid === undefined) return undefined;
  const page = readArtifact(repo.content, rid, "wiki");
  if (page === undefined) {
    throw new RepoError("content-missing", `the text of wiki page ${JSON.stringify(title)} is not here`, {
      hint: "sync with a peer that has it",
    });
  }
  return { rid, page };
}

export interface WikiChange extends Signature {
  readonly title: string;
  readonly body: Uint8Array;
  /** The kind of text; of the version before unless given. */
  readonly mimetype?: string;
  /** `create`: there is no such page yet; `commit`: there is one; else either. */
  readonly mode?: "create" | "commit";
}

/** @throws NameError `wiki-name`, `wiki-exists`, `no-such-page` */
export function writeWiki(repo: Repo, change: WikiChange): MadeArtifact {
  const { title, body, user, date, mode } = change;
  if (!isWikiName(title)) {
    throw new NameError("wiki-name", `${JSON.stringify(title)} cannot be the name of a wiki page`, {
      hint: "1 to 100 bytes, no blanks at the ends or two in a row, no control characters",
    });
  }
  return repo.db.write(() => {
    const before = readWiki(repo, title);
    if (before !== undefined && mode === "create") {
      throw new NameError("wiki-exists", `there is a wiki page ${JSON.stringify(title)} already`, {
        hint: "edgesync repo wiki commit changes it",
      });
    }
    if (before === undefined && mode === "commit") {
      throw new NameError("no-such-page", `there is no wiki page ${JSON.stringify(title)}`, {
        hint: "edgesync repo wiki create makes one",
      });
    }
    const mimetype = change.mimetype ?? before?.page.mimetype ?? FOSSIL_WIKI;
    return addArtifact(repo, user, {
      type: "wiki",
      date: date ?? repo.clock.now(),
      title,
      ...(mimetype !== FOSSIL_WIKI && { mimetype }),
      parents: before === undefined ? [] : [repo.content.hashOf(before.rid)],
      user,
      body,
    });
  });
}
