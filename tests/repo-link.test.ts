/** What linkers write on the timeline. That it is what stock writes is shown in interop/link.test.ts. */
import { describe, expect, test } from "bun:test";
import { formatArtifact } from "../src/artifact-format.ts";
import type { Artifact, Control, ForumPost, TagAction, TicketField } from "../src/artifact-types.ts";
import { utf8 } from "../src/bytes.ts";
import { type Hash, hashContent } from "../src/hash.ts";
import { receiveAll } from "../src/repo-receive.ts";
import { ScratchRepo } from "./scratch-repo.ts";

const date = Date.UTC(2026, 0, 1);
const user = "ann";
const A = "a".repeat(64) as Hash;
const B = "b".repeat(40) as Hash;
const TICKET = "c".repeat(40);

/** Receives artifacts one after the other; a minute passes between them. */
class Project implements Disposable {
  private readonly scratch = new ScratchRepo();
  readonly repo = this.scratch.repo;

  add(...artifacts: readonly Artifact[]): Hash[] {
    return artifacts.map((artifact) => {
      const content = formatArtifact(artifact);
      const hash = hashContent(content, "sha3-256");
      receiveAll(this.repo, { onWrong: "throw" }, (batch) => batch.receive({ hash, content }));
      return hash;
    });
  }

  /** `type: comment` of all entries, in order of arrival. */
  timeline(): string[] {
    const rows = this.repo.db
      .prepare("SELECT type, comment FROM event WHERE type<>'ci' ORDER BY objid")
      .values<[string, string]>();
    return rows.map(([type, comment]) => `${type}: ${comment}`);
  }

  [Symbol.dispose](): void {
    this.scratch[Symbol.dispose]();
  }
}

function control(...tags: readonly (readonly [string, Hash, string?])[]): Control {
  const entries = tags.map(([name, target, value]) => ({
    action: name[0] as TagAction,
    name: name.slice(1),
    target,
    ...(value !== undefined && { value }),
  }));
  return { type: "control", date, user, tags: entries };
}

describe("changes of tags", () => {
  const id = `${A.slice(0, 16)}|${A.slice(0, 10)}`;
  test.each([
    [
      control(["+comment", A, "new"], ["+user", A, "b<b>"]),
      `Edit check-in comment. Change user to "b&lt;b&gt;".`,
    ],
    [
      control(["*branch", A, "new one"], ["*sym-new one", A], ["-sym-trunk", A]),
      `Move to branch [/timeline?r=new+one&nd&dp=${A.slice(0, 16)}&unhide | new one].`,
    ],
    [
      control(["*sym-x", A], ["-sym-y", A, "why"]),
      `Add propagating tag "x". Cancel tag "y" with note "why".`,
    ],
    [control(["+sym-x", A], ["+closed", A]), `Mark "Closed". Add tag "x".`],
    [control(["*bgcolor", A, "#fff"]), `Change branch background color to "#fff".`],
    [control(["-bgcolor", A]), "Cancel background color."],
    [control(["+date", A, "2020-01-01"]), "Timestamp 2020-01-01."],
    [
      control(["*reviewed", A, "ok"], ["+hidden", A]),
      `Add propagating "reviewed" with value "ok". Add "hidden".`,
    ],
  ])("%#: %j", (artifact, sentences) => {
    using project = new Project();
    project.add(artifact);
    expect(project.timeline()).toEqual([`g: Edit [${id}]: ${sentences}`]);
  });

  test("of several artifacts, in order of hash", () => {
    using project = new Project();
    project.add(control(["+x", B], ["+closed", A]));
    const [other] = [`${B.slice(0, 16)}|${B.slice(0, 10)}`];
    expect(project.timeline()).toEqual([`g: Edit [${id}]: Mark "Closed". Edit [${other}]: Add "x".`]);
  });
});

describe("tickets", () => {
  function change(minute: number, ...fields: readonly TicketField[]): Artifact {
    return { type: "ticket", date: date + minute * 60_000, user, ticketId: TICKET, fields };
  }
  const set = (name: string, value: string): TicketField => ({ name, append: false, value });
  const id = `[${TICKET.slice(0, 16)}|${TICKET.slice(0, 10)}]`;

  test("each entry shows the title as of then, also when an earlier change arrives late", () => {
    using project = new Project();
    const first = change(0, set("title", "It <fails>"), set("status", "Open"));
    const second = change(1, set("status", "Fixed"), set("title", "It failed"));
    const third = change(2, { name: "comment", append: true, value: "more" });
    project.add(third, second, first);
    expect(project.timeline()).toEqual([
      `t: Ticket ${id} <i>It failed</i> status still Fixed with 1 other change`,
      `t: Fixed ticket ${id}: <i>It failed</i> plus 1 other change`,
      `t: New ticket ${id} <i>It &lt;fails&gt;</i>.`,
    ]);
    const row = project.repo.db.prepare("SELECT title, status, comment FROM ticket").values();
    expect(row).toEqual([["It failed", "Fixed", "more"]]);
  });
});

describe("attachments", () => {
  const wiki: Artifact = { type: "wiki", title: "Home", date, user, parents: [], body: utf8("hello") };
  const attached: Artifact = {
    type: "attachment",
    name: "gr\udcfcn.txt",
    target: "Home",
    source: B,
    date,
    user,
  };

  test("to a page that comes later are told as of something unknown: a rebuild finds them in that order", () => {
    using project = new Project();
    project.add(attached, wiki);
    expect(project.timeline()[0]).toStartWith("a: Add attachment [/artifact/bbbbbbbbbbbbbbbb|gr");
  });

  test("to a page are told so; a name that is no UTF-8 keeps its bytes", () => {
    using project = new Project();
    project.add(wiki, attached);
    const hex = project.repo.db
      .prepare("SELECT hex(comment) FROM event WHERE comment GLOB 'Add*'")
      .value<string>();
    expect(Buffer.from(hex!, "hex").toString("latin1")).toBe(
      "Add attachment [/artifact/bbbbbbbbbbbbbbbb|gr\u00fcn.txt] to wiki page [Home]",
    );
  });
});

test("a forum thread is called what its first post, or the latest linked edit of it, says", () => {
  using project = new Project();
  const common = { type: "forum", date, user, body: utf8("text") } as const;
  const post: ForumPost = { ...common, title: "First", parents: [] };
  const [root] = project.add(post) as [Hash];
  const reply: ForumPost = { ...common, threadRoot: root, inReplyTo: root, parents: [] };
  const edit: ForumPost = { ...common, threadRoot: root, title: "Second: <x>", parents: [root] };
  project.add(reply, edit, { ...reply, body: utf8("") });
  expect(project.timeline()).toEqual([
    "f: Post: Second: <x>",
    "f: Reply: Second: <x>",
    "f: Edit: Second: <x>",
    "f: Delete reply: Second: <x>",
  ]);
});

test("wiki and technotes: first version, later version, no text; only the latest note is on the timeline", () => {
  using project = new Project();
  const page = {
    type: "wiki",
    title: "Home",
    date,
    user,
    parents: [] as Hash[],
    body: utf8("hello"),
  } as const;
  const [first] = project.add(page) as [Hash];
  const [second] = project.add({ ...page, date: date + 1, parents: [first], body: utf8(" \nmore") }) as [
    Hash,
  ];
  project.add({ ...page, date: date + 2, parents: [second], body: utf8(" \n") });
  const note = { ...page, type: "technote", technoteId: TICKET, eventDate: date, tags: [] } as const;
  const [older] = project.add({ ...note, comment: "older" }) as [Hash];
  project.add({ ...note, comment: "newer", date: date + 1, parents: [older] });
  expect(project.timeline()).toEqual(["w: +Home", "w: :Home", "w: -Home", "e: newer"]);
  const values = project.repo.db
    .prepare("SELECT value FROM tagxref JOIN tag USING(tagid) WHERE tagname='wiki-Home' ORDER BY rid")
    .values();
  expect(values).toEqual([["5"], ["4"], ["0"]]);
});
