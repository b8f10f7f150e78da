/** A repository made by our code alone, with every kind of artifact: what stock must be able to live with. */
import { formatArtifact } from "../../src/artifact-format.ts";
import type { Artifact, TagEntry } from "../../src/artifact-types.ts";
import { utf8 } from "../../src/bytes.ts";
import { type Hash, sha1Hex } from "../../src/hash.ts";
import { type EpochMs, parseDate } from "../../src/julian.ts";
import { seededRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import { addInitialCheckIn, commit } from "../../src/repo-checkin.ts";
import type { CheckInRequest } from "../../src/repo-checkin-place.ts";
import type { Rid } from "../../src/repo-content.ts";
import { receiveAll } from "../../src/repo-receive.ts";
import { StandingClock } from "../scratch-repo.ts";

/** Password of `ann` (administrator) and `bob` (developer). */
export const OUR_PASSWORD = "pass word";

const TICKET = sha1Hex("a ticket");
const TECHNOTE = sha1Hex("a technote");

/** Makes the repository at `path`, checkpointed and closed. */
export function makeOurs(path: string): void {
  const life = new OurLife(path);
  try {
    life.checkIns();
    life.control();
    life.wiki();
    life.tickets();
    life.technotesAndAttachments();
    life.forum();
    life.privateWork();
  } finally {
    life.repo.close();
  }
}

class OurLife {
  readonly repo: Repo;
  private readonly clock = new StandingClock();

  constructor(path: string) {
    this.repo = Repo.create(path, {
      clock: this.clock,
      random: seededRandom(11n),
      user: "ann",
      password: OUR_PASSWORD,
      projectName: "Made by EdgeSync",
      initialize: (repo) => addInitialCheckIn(repo, "ann"),
    });
    this.repo.config.set("forbid-delta-manifests", "0");
    this.repo.users.add("bob", { capabilities: "v", info: "bob@example.org", password: OUR_PASSWORD });
  }

  checkIns(): void {
    const text = Array.from({ length: 300 }, (_, i) => `line ${i} of a file that grows\n`);
    const first = this.commit("See [trunk]", [
      { name: "src/a.txt", content: utf8(text.join("")) },
      { name: "run me.sh", content: utf8("#!/bin/sh\n"), permission: "x" },
      { name: "link", content: utf8("src/a.txt"), permission: "l" },
      { name: "größe 漢字.bin", content: Uint8Array.of(0, 255, 10, 13) },
      { name: "empty", content: utf8("") },
      ...Array.from({ length: 40 }, (_, i) => ({ name: `many/${i}`, content: utf8(`${i}\n`) })),
    ]);
    for (let i = 0; i < 5; i++) {
      text[i * 50] = `changed in ${i}\n`;
      const delta = i % 2 === 0 ? ("always" as const) : ("never" as const);
      this.commit(
        `After [${this.hash(first).slice(0, 10)}]`,
        [{ name: "src/a.txt", content: utf8(text.join("")) }],
        { delta },
      );
    }
    const side = this.commit("A branch", [{ name: "side.txt", content: utf8("side\n") }], {
      branch: "side",
      branchColor: "#c0d0ff",
      parent: first,
    });
    const picked = this.commit("Pick me", [{ name: "picked.txt", content: utf8("picked\n") }], {
      parent: side,
    });
    this.commit("Renamed, removed", [
      { name: "src/b.txt", priorName: "src/a.txt" },
      { name: "link", remove: true },
    ]);
    this.commit("Picked", [{ name: "picked.txt", content: utf8("picked\n") }], {
      cherrypicks: [{ rid: picked, backout: false }],
    });
    this.commit("Merged", [{ name: "side.txt", content: utf8("both\n") }], {
      merges: [{ rid: picked, close: true }],
      tags: ["merged-here"],
      color: "#ffe0e0",
    });
    this.commit("Backed out", [{ name: "picked.txt", remove: true }], {
      cherrypicks: [{ rid: picked, backout: true }],
    });
  }

  control(): void {
    const { repo } = this;
    const [first] = repo.db
      .prepare<{ uuid: Hash }>(
        "SELECT uuid FROM blob JOIN event ON objid = rid WHERE type = 'ci' ORDER BY mtime LIMIT 1",
      )
      .all();
    const target = first!.uuid;
    const tag = (action: TagEntry["action"], name: string, value?: string): TagEntry =>
      value === undefined ? { action, name, target } : { action, name, target, value };
    this.add({ type: "control", date: this.tick(), user: "ann", tags: [tag("*", "since", "the start")] });
    this.add({
      type: "control",
      date: this.tick(),
      user: "bob",
      tags: [
        tag("*", "bgcolor", "#eeeeee"),
        tag("+", "comment", "Amended, see [trunk]"),
        tag("+", "user", "bob"),
      ],
    });
    this.add({ type: "control", date: this.tick(), user: "ann", tags: [tag("-", "since")] });
  }

  wiki(): void {
    const page = (title: string, body: string, mimetype: string, parents: readonly Hash[]) =>
      this.add({ type: "wiki", date: this.tick(), title, mimetype, parents, user: "bob", body: utf8(body) });
    const first = page("Start page", "see [trunk] and [Größe]\n", "text/x-fossil-wiki", []);
    page("Start page", "<b>again</b> [Größe]\n", "text/x-fossil-wiki", [this.hash(first)]);
    page("Größe", `[here](wiki?name=Start+page), [${TICKET}]\n`, "text/x-markdown", []);
  }

  tickets(): void {
    const change = (...fields: readonly (readonly [string, string])[]) =>
      this.add({
        type: "ticket",
        date: this.tick(),
        ticketId: TICKET,
        user: "bob",
        fields: fields
          .map(([name, value]) => ({ name: name.replace("+", ""), append: name.startsWith("+"), value }))
          .sort((a, b) => (a.name < b.name ? -1 : 1)),
      });
    change(["title", "It fails"], ["status", "Open"], ["type", "Code_Defect"]);
    change(["+comment", "first [trunk]\n"], ["login", "bob"]);
    change(["+comment", "second\n"], ["status", "Closed"]);
    change(["icomment", "*markdown* [Start page]"], ["mimetype", "text/x-markdown"]);
  }

  technotesAndAttachments(): void {
    const note = {
      type: "technote",
      eventDate: parseDate("2026-01-30T00:00:00"),
      technoteId: TECHNOTE,
      user: "ann",
    } as const;
    const tags: readonly TagEntry[] = [
      { action: "+", name: "bgcolor", target: undefined, value: "#abcdef" },
      { action: "+", name: "sym-news", target: undefined },
    ];
    const first = this.add({
      ...note,
      date: this.tick(),
      comment: "News",
      parents: [],
      tags,
      body: utf8("one\n"),
    });
    this.add({
      ...note,
      date: this.tick(),
      comment: "Newer",
      parents: [this.hash(first)],
      tags,
      body: utf8("two\n"),
    });
    const content = this.hash(this.store(utf8("attached\n")));
    const better = this.hash(this.store(utf8("attached again\n")));
    const attach = (target: string, source?: Hash) =>
      this.add({
        type: "attachment",
        name: "notes.txt",
        target,
        date: this.tick(),
        user: "bob",
        ...(source === undefined ? {} : { source, comment: "some notes" }),
      });
    for (const target of ["Start page", TICKET, TECHNOTE]) attach(target, content);
    attach("Start page", better);
    attach(TICKET);
  }

  forum(): void {
    const post = { type: "forum", user: "bob", mimetype: "text/x-markdown" } as const;
    const root = this.hash(
      this.add({ ...post, date: this.tick(), title: "Hello", parents: [], body: utf8("[trunk]\n") }),
    );
    const reply = this.hash(
      this.add({
        ...post,
        date: this.tick(),
        threadRoot: root,
        inReplyTo: root,
        parents: [],
        body: utf8("yes\n"),
      }),
    );
    this.add({
      ...post,
      date: this.tick(),
      threadRoot: root,
      inReplyTo: root,
      parents: [reply],
      body: utf8("yes, edited\n"),
    });
  }

  privateWork(): void {
    const begun = this.commit("Private", [{ name: "plan.txt", content: utf8("plan\n") }], {
      branch: "hidden",
      isPrivate: true,
    });
    this.commit("Private again", [{ name: "plan.txt", content: utf8("plan B\n") }], { parent: begun });
  }

  private commit(comment: string, edits: CheckInRequest["edits"], more: Partial<CheckInRequest> = {}): Rid {
    return commit(this.repo, { comment, edits, user: "ann", date: this.tick(), ...more }).rid;
  }

  private add(artifact: Artifact): Rid {
    return this.store(formatArtifact(artifact));
  }

  private store(bytes: Uint8Array): Rid {
    let rid: Rid | undefined;
    receiveAll(this.repo, { user: "ann", onWrong: "throw" }, (batch) => {
      rid = batch.add(bytes, { isUnsent: true });
    });
    return rid!;
  }

  private hash(rid: Rid): Hash {
    return this.repo.content.hashOf(rid);
  }

  private tick(): EpochMs {
    this.clock.time += 61_007;
    return this.clock.time;
  }
}
