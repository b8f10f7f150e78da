/**
 * What people do at one machine: check-ins, forks, merges, wiki pages, tickets, technotes, forum posts,
 * attachments, tags, unversioned files, rows of tables, private branches, shunning. Each deed is one local command, on what
 * that machine has; its chance comes from a seed of its own, so that a deed stays the same when others are
 * taken out of the plan.
 */
import { formatArtifact } from "../../src/artifact-format.ts";
import type { Artifact } from "../../src/artifact-types.ts";
import { utf8 } from "../../src/bytes.ts";
import { NameError, RepoError } from "../../src/errors.ts";
import { type Hash, hashContent, sha1Hex } from "../../src/hash.ts";
import { toJulian } from "../../src/julian.ts";
import type { Repo } from "../../src/repo.ts";
import { commit } from "../../src/repo-checkin.ts";
import type { CheckInRequest } from "../../src/repo-checkin-place.ts";
import type { Rid } from "../../src/repo-content.ts";
import { rebuildRepository } from "../../src/repo-rebuild.ts";
import { receiveAll } from "../../src/repo-receive.ts";
import { shun } from "../../src/repo-shun.ts";
import { type ColumnType, defineTable, findTable, getTable } from "../../src/repo-table.ts";
import { deleteRow, putRow, type RowOutcome, type TableRow } from "../../src/repo-table-row.ts";
import { Unversioned } from "../../src/repo-unversioned.ts";
import { Dice } from "./dice.ts";

const DEEDS = {
  commit: 30,
  branch: 6,
  fork: 4,
  merge: 5,
  privateCommit: 6,
  wiki: 8,
  ticket: 8,
  technote: 4,
  forum: 5,
  attachment: 4,
  tag: 6,
  uvPut: 10,
  uvDelete: 3,
  row: 6,
  shun: 6,
} as const;
export type Deed = keyof typeof DEEDS;

export const chooseDeed = (dice: Dice): Deed => dice.weighted(DEEDS);

export interface Done {
  /** What was made, private or not. */
  readonly privately: boolean;
  readonly shunned?: Hash;
  readonly row?: TableRow;
}

/** Of rows. */
export const TABLE = "notes";

const FILLER = "Words that stay the same from one version to the next, and so make deltas worth it. ".repeat(
  4,
);

/**
 * Does one deed.
 *
 * @returns undefined when there was nothing to do it to
 * @throws NameError, RepoError as the commands do: forks, older parents, a full disk
 */
export function live(repo: Repo, deed: Deed, seed: bigint): Done | undefined {
  return new Hands(repo, new Dice(seed), seed).do(deed);
}

/** Refusals that any user may meet; everything else that is thrown is a defect. */
export function isOrdinaryRefusal(error: unknown): boolean {
  return error instanceof NameError || error instanceof RepoError;
}

class Hands {
  constructor(
    private readonly repo: Repo,
    private readonly dice: Dice,
    private readonly seed: bigint,
  ) {}

  do(deed: Deed): Done | undefined {
    switch (deed) {
      case "commit":
        return this.commit({}, this.leaf());
      case "branch":
        return this.commit({ branch: `branch-${this.word()}` }, this.leaf());
      case "fork":
        return this.commit({ allow: { fork: true } }, this.anyCheckIn());
      case "merge":
        return this.merge();
      case "privateCommit":
        return this.commit({ isPrivate: true, branch: `private-${this.word()}` }, this.leaf());
      case "wiki":
        return this.wiki();
      case "ticket":
        return this.ticket();
      case "technote":
        return this.technote();
      case "forum":
        return this.forum();
      case "attachment":
        return this.attachment();
      case "tag":
        return this.tag();
      case "uvPut":
        return this.uvPut();
      case "uvDelete":
        return this.uvDelete();
      case "row":
        return this.row();
      case "shun":
        return this.shun();
    }
  }

  private word(): string {
    return this.seed.toString(36);
  }

  private text(): string {
    return `${this.word()}\n${FILLER}\n${this.dice.below(1000)}\n`;
  }

  private commit(more: Partial<CheckInRequest>, parent: Rid | undefined): Done | undefined {
    if (parent === undefined) return undefined;
    const { dice } = this;
    const edits = [{ name: `f${dice.below(5)}.txt`, content: utf8(this.text()) }];
    if (dice.chance(0.3)) edits.push({ name: `new-${this.word()}.txt`, content: utf8(this.text()) });
    const request = {
      edits,
      comment: `change ${this.word()}`,
      user: "ann",
      parent,
      allow: { fork: true },
      ...more,
    };
    return { privately: commit(this.repo, request).isPrivate };
  }

  private merge(): Done | undefined {
    const [parent, other] = [this.leaf(), this.leaf()];
    if (parent === undefined || other === undefined || parent === other) return undefined;
    return this.commit({ merges: [{ rid: other }] }, parent);
  }

  private leaf(): Rid | undefined {
    return this.one("SELECT rid FROM leaf JOIN blob USING(rid) WHERE size>=0 ORDER BY uuid") as
      | Rid
      | undefined;
  }

  private anyCheckIn(): Rid | undefined {
    return this.one(
      "SELECT objid FROM event JOIN blob ON rid=objid WHERE type='ci' AND size>=0 ORDER BY uuid",
    ) as Rid | undefined;
  }

  private has(table: string): boolean {
    return this.repo.db.prepare("SELECT 1 FROM sqlite_schema WHERE name=?").value(table) !== undefined;
  }

  private one(sql: string): string | number | undefined {
    const rows = this.repo.db.prepare(sql).values<[string | number]>();
    return rows.length === 0 ? undefined : this.dice.pick(rows)[0];
  }

  /** The newest artifact that carries a tag, as parent of the next version. */
  private versions(tag: string): Hash[] {
    return this.repo.db
      .prepare(
        `SELECT uuid FROM tagxref JOIN tag USING(tagid) JOIN blob USING(rid) WHERE tagname=? AND size>=0
         ORDER BY tagxref.mtime DESC, uuid LIMIT 1`,
      )
      .values<[Hash]>(tag)
      .flat();
  }

  private add(artifact: Artifact, ...files: readonly Uint8Array[]): Done {
    receiveAll(this.repo, { user: "ann", onWrong: "throw" }, (batch) => {
      for (const file of files) batch.add(file, { isUnsent: true });
      batch.add(formatArtifact(artifact), { isUnsent: true });
    });
    return { privately: false };
  }

  private get date(): number {
    return this.repo.clock.now();
  }

  private wiki(): Done {
    const title = `Page ${this.dice.below(3)}`;
    const parents = this.versions(`wiki-${title}`);
    return this.add({
      type: "wiki",
      date: this.date,
      title,
      mimetype: "text/x-markdown",
      parents,
      user: "ann",
      body: utf8(this.text()),
    });
  }

  private ticket(): Done {
    const ticketId = sha1Hex(`ticket ${this.dice.below(4)}`);
    const value = `${this.word()} says so\n`;
    const fields = [
      { name: "icomment", append: true, value },
      { name: "status", append: false, value: this.dice.pick(["Open", "Closed"]) },
    ];
    return this.add({ type: "ticket", date: this.date, user: "ann", ticketId, fields });
  }

  /**
   * A new note, or a version that is later than all there are: which of two first versions, or of one that is
   * older than its parent, is on the timeline depends on the order of arrival, in stock too.
   */
  private technote(): Done | undefined {
    const known = this.one("SELECT substr(tagname,7) FROM tag WHERE tagname GLOB 'event-*' ORDER BY 1");
    const technoteId = known !== undefined && this.dice.chance(0.6) ? String(known) : sha1Hex(this.word());
    const latest = this.repo.db
      .prepare("SELECT max(mtime) FROM tagxref JOIN tag USING(tagid) WHERE tagname=?")
      .value<number | null>(`event-${technoteId}`);
    if (typeof latest === "number" && latest >= toJulian(this.date)) return undefined;
    return this.add({
      type: "technote",
      comment: `note ${this.word()}`,
      date: this.date,
      eventDate: Date.UTC(2025, 1, 3),
      technoteId,
      parents: this.versions(`event-${technoteId}`),
      tags: [],
      user: "ann",
      body: utf8(this.text()),
    });
  }

  private forum(): Done {
    const root =
      this.dice.chance(0.5) && this.has("forumpost")
        ? (this.one(
            "SELECT uuid FROM forumpost JOIN blob ON rid=fpid WHERE firt IS NULL AND fprev IS NULL AND size>=0 ORDER BY uuid",
          ) as Hash | undefined)
        : undefined;
    const body = utf8(this.text());
    const common = {
      type: "forum",
      date: this.date,
      user: "ann",
      mimetype: "text/x-markdown",
      parents: [],
    } as const;
    if (root === undefined) return this.add({ ...common, title: `Thread ${this.word()}`, body });
    return this.add({ ...common, threadRoot: root, inReplyTo: root, body });
  }

  private attachment(): Done {
    const content = utf8(this.text());
    const algorithm = this.repo.config.hashAlgorithms().primary;
    const source = hashContent(content, algorithm);
    return this.add(
      {
        type: "attachment",
        name: `a-${this.word()}.txt`,
        target: `Page ${this.dice.below(3)}`,
        date: this.date,
        user: "ann",
        source,
      },
      content,
    );
  }

  /** Tags of their own names: contested ones depend on the order of arrival, in stock too. */
  private tag(): Done | undefined {
    const rid = this.one(
      `SELECT objid FROM event JOIN blob ON rid=objid WHERE type='ci' AND size>=0
       AND rid NOT IN (SELECT rid FROM private) ORDER BY uuid`,
    ) as Rid | undefined;
    if (rid === undefined) return undefined;
    const target = this.repo.content.hashOf(rid);
    const action = this.dice.pick(["+", "*"] as const);
    const tags = [{ action, name: `t-${this.word()}`, target, value: this.word() }];
    return this.add({ type: "control", date: this.date, user: "ann", tags });
  }

  private uvPut(): Done {
    const seconds = Math.floor(this.date / 1000);
    new Unversioned(this.repo).add(`u${this.dice.below(5)}.bin`, utf8(this.text()), seconds, 0);
    return { privately: false };
  }

  private uvDelete(): Done | undefined {
    const files = new Unversioned(this.repo);
    const live = files.entries().filter(({ hash }) => hash !== undefined);
    if (live.length === 0) return undefined;
    files.remove(this.dice.pick(live).name, Math.floor(this.date / 1000));
    return { privately: false };
  }

  /** Of a table that is made when first needed, and later gets a column more. */
  private row(): Done | undefined {
    const { dice, repo } = this;
    const column = (name: string, type: ColumnType, pk = false) => ({ name, type, pk });
    const known = findTable(repo, TABLE)?.definition.columns ?? [];
    const columns = [column("id", "text", true), column("body", "text"), column("facts", "json")];
    const isWide = known.length > columns.length || dice.chance(0.2);
    if (isWide) columns.push(column("count", "integer"));
    defineTable(repo, TABLE, { columns, conflict: "mtime-wins" });
    const table = getTable(repo, TABLE);
    const id = `row ${dice.below(5)}`;
    if (dice.chance(0.2)) return this.wrote(deleteRow(repo, table, { user: "ann", values: { id } }));
    const values = { id, body: this.text(), facts: { said: [this.word(), dice.below(10)] } };
    const more = isWide ? { count: dice.below(1000) } : {};
    return this.wrote(putRow(repo, table, { user: "ann", values: { ...values, ...more } }));
  }

  private wrote(outcome: RowOutcome): Done | undefined {
    return outcome.applied ? { privately: false, row: outcome.row } : undefined;
  }

  /** Only files: to shun a check-in takes its history's shape from everybody. */
  private shun(): Done | undefined {
    // Often one that the next version is a change of.
    const newest = this.dice.chance(0.5)
      ? this.one(
          `SELECT uuid FROM blob WHERE size>=0 AND rid IN (SELECT fid FROM mlink WHERE mid IN (SELECT rid FROM leaf))
           AND rid NOT IN (SELECT rid FROM private) ORDER BY uuid`,
        )
      : undefined;
    const hash = (newest ??
      this.one(
        `SELECT uuid FROM blob WHERE size>=0 AND rid IN (SELECT fid FROM mlink)
         AND rid NOT IN (SELECT rid FROM private) ORDER BY uuid`,
      )) as Hash | undefined;
    if (hash === undefined) return undefined;
    shun(this.repo, hash);
    rebuildRepository(this.repo, { user: () => "ann", version: "simulation" });
    return { privately: false, shunned: hash };
  }
}
