import { describe, expect, test } from "bun:test";
import { formatArtifact } from "../src/artifact-format.ts";
import { utf8 } from "../src/bytes.ts";
import { SEARCH_TEXT_MAX_BYTES } from "../src/limits.ts";
import type { Repo } from "../src/repo.ts";
import { amend } from "../src/repo-amend.ts";
import { commit } from "../src/repo-checkin.ts";
import { addArtifact } from "../src/repo-document.ts";
import { receiveAll } from "../src/repo-receive.ts";
import { type SearchRequest, search } from "../src/repo-search.ts";
import { updateSearchIndex } from "../src/repo-search-index.ts";
import { writeTechnote } from "../src/repo-technote.ts";
import { changeTicket } from "../src/repo-ticket-change.ts";
import { writeWiki } from "../src/repo-wiki.ts";
import { ScratchRepo } from "./scratch-repo.ts";

const user = "ann";
const found = (repo: Repo, pattern: string, more: Partial<SearchRequest> = {}) =>
  search(repo, { pattern, isPart: false, types: [], limit: 50, ...more });
const names = (repo: Repo, pattern: string, more: Partial<SearchRequest> = {}) =>
  found(repo, pattern, more)
    .map(({ type, name }) => `${type} ${type === "checkin" || type === "forum" ? "" : name}`.trim())
    .sort();

function edit(repo: Repo, files: Readonly<Record<string, string | Uint8Array>>, comment: string) {
  const edits = Object.entries(files).map(([name, content]) => ({
    name,
    content: typeof content === "string" ? utf8(content) : content,
    permission: "" as const,
  }));
  return commit(repo, { edits, comment, user });
}

describe("search", () => {
  test("finds every type of document, and follows changes", () => {
    using scratch = new ScratchRepo();
    const { repo, clock } = scratch;
    const update = () => {
      clock.time += 1000;
      return updateSearchIndex(repo);
    };
    const first = edit(
      repo,
      { "src/main.c": "int zebra(void);\n", "b.bin": utf8("zebra\0") },
      "Add the Zebra",
    );
    const page = writeWiki(repo, { user, title: "Home", body: utf8("A zebra lives\nhere.") });
    const ticket = changeTicket(repo, {
      user,
      edits: [
        { name: "title", value: "zebra crossing", append: false },
        { name: "icomment", value: "striped", append: true },
      ],
    });
    const note = writeTechnote(repo, { user, comment: "About zebras", body: utf8("a zebra\n") });
    const post = addArtifact(repo, user, {
      type: "forum",
      date: clock.time,
      title: "Thread",
      parents: [],
      user,
      body: utf8("I saw a zebra"),
    });
    expect(update().changedCount).toBeGreaterThan(5);
    const all = [
      "checkin",
      "file src/main.c",
      "forum",
      "wiki Home",
      `ticket ${ticket.id}`,
      `technote ${note.id}`,
    ].sort();
    expect(names(repo, "ZEBRA")).toEqual(all);
    expect(names(repo, "zebra", { types: ["wiki", "file"] })).toEqual(["file src/main.c", "wiki Home"]);
    expect(names(repo, "zebra", { limit: 2 })).toHaveLength(2);
    expect(names(repo, "strip*")).toEqual([`ticket ${ticket.id}`]);
    expect(names(repo, "zebra here")).toEqual(["wiki Home"]);
    expect(names(repo, "ebra lives\nhe", { isPart: true })).toEqual(["wiki Home"]);
    expect(names(repo, "ebr", { isPart: true })).toEqual(all);
    expect(names(repo, "b.bin")).toEqual(["file b.bin"]);
    expect(found(repo, "lives")[0]).toMatchObject({ hash: page.hash, title: "Home", line: "A zebra lives" });
    expect(update()).toMatchObject({ changedCount: 0 });

    edit(repo, { "src/main.c": "int horse(void);\n", "new.c": "zebra" }, "Replace");
    writeWiki(repo, { user, title: "Home", body: utf8("  ") });
    changeTicket(repo, { user, id: ticket.id, edits: [{ name: "title", value: "horse", append: false }] });
    addArtifact(repo, user, {
      type: "forum",
      date: clock.time,
      title: "Thread",
      parents: [post.hash],
      user,
      body: utf8("I saw a horse"),
    });
    amend(repo, repo.content.ridOf(first.hash)!, { comment: "Add a horse" }, { user });
    expect(update().changedCount).toBeGreaterThan(4);
    expect(names(repo, "zebra")).toEqual(["file new.c", `technote ${note.id}`].sort());
    expect(names(repo, "horse")).toEqual(
      ["checkin", "file src/main.c", "forum", `ticket ${ticket.id}`].sort(),
    );
    const incremental = names(repo, "horse", { isPart: true });
    updateSearchIndex(repo, { anew: true });
    expect(names(repo, "horse", { isPart: true })).toEqual(incremental);
    expect(names(repo, "zebra")).toEqual(["file new.c", `technote ${note.id}`].sort());
  });

  test("notices what comes below what is indexed", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    const late = formatArtifact({
      type: "wiki",
      date: 0,
      title: "Late",
      parents: [],
      user,
      body: utf8("a gnu"),
    });
    const hash = repo.content.nameOf(late);
    repo.content.ridOrPhantom(hash, false);
    edit(repo, { a: "a gnu" }, "one");
    updateSearchIndex(repo);
    expect(names(repo, "gnu")).toEqual(["file a"]);
    receiveAll(repo, { onWrong: "throw" }, (batch) => batch.receive({ hash, content: late }));
    updateSearchIndex(repo);
    expect(names(repo, "gnu")).toEqual(["file a", "wiki Late"]);
    repo.db.prepare("DELETE FROM event WHERE objid=?").run(repo.content.ridOf(hash)!);
    updateSearchIndex(repo);
    expect(names(repo, "gnu")).toEqual(["file a"]);
  });

  test("the largest text, and one byte more", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    const of = (size: number) => `${"x ".repeat(size / 2 - 4)}largest\n`;
    expect(of(SEARCH_TEXT_MAX_BYTES)).toHaveLength(SEARCH_TEXT_MAX_BYTES);
    edit(repo, { fits: of(SEARCH_TEXT_MAX_BYTES), large: `${of(SEARCH_TEXT_MAX_BYTES)}x` }, "sizes");
    updateSearchIndex(repo);
    expect(names(repo, "largest", { types: ["file"] })).toEqual(["file fits"]);
    expect(names(repo, "large", { types: ["file"] })).toEqual(["file large"]);
  });

  test.each(["über", "BER D", "e\u0301a", "한국", "k, İ", "—x—", "9 z", "!!!"])(
    "%j is found as a part",
    (part) => {
      using scratch = new ScratchRepo();
      edit(scratch.repo, { f: `Über das: cafe\u0301auf 한국어 k, İst —x— 99 zz\n!!!` }, "c");
      updateSearchIndex(scratch.repo);
      expect(names(scratch.repo, part, { isPart: true })).toEqual(["file f"]);
      expect(names(scratch.repo, `${part}#`, { isPart: true })).toEqual([]);
    },
  );

  test.each(['"', 'a" OR "b', "NEAR(a b)", "title:x", "a AND", "x^2", "-x", "(", "a'b", "ü*"])(
    "%j is text, not a query",
    (pattern) => {
      using scratch = new ScratchRepo();
      edit(scratch.repo, { f: `${pattern} and more` }, "c");
      updateSearchIndex(scratch.repo);
      if (/\p{L}/u.test(pattern)) expect(names(scratch.repo, pattern)).toContain("file f");
      else
        expect(() => found(scratch.repo, pattern)).toThrow(
          expect.objectContaining({ code: "search-pattern" }),
        );
      expect(names(scratch.repo, pattern, { isPart: true })).toContain("file f");
    },
  );
});
