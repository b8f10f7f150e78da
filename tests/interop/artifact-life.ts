/**
 * A project's artifacts of every type, made up from a seed, in the order in which they could have been made:
 * each refers to earlier ones. For comparing what is derived from them in whatever order they arrive.
 *
 * Texts link to other artifacts in each markup and hold what HTML and cards escape. Later versions of a page
 * are much like earlier ones, so that every implementation stores them as deltas or none does.
 *
 * With `contested`, tags of one name also propagate, are cancelled and come again all over the history, and
 * branches are moved: then stock's own tables depend on the order of arrival (a direct tag that is older
 * than one that has propagated to its artifact counts only if it was linked first).
 */
import { formatArtifact } from "../../src/artifact-format.ts";
import type { Artifact, TagAction, TagEntry, TicketField } from "../../src/artifact-types.ts";
import { utf8 } from "../../src/bytes.ts";
import { type Hash, hashContent, sha1Hex } from "../../src/hash.ts";
import type { EpochMs } from "../../src/julian.ts";
import { type Random, randomBelow, seededRandom } from "../../src/random.ts";

export interface LifeOptions {
  readonly seed: bigint;
  readonly steps: number;
  readonly contested?: boolean;
}

export interface MadeArtifact {
  readonly hash: Hash;
  readonly content: Uint8Array;
  /** `undefined` for an ordinary file. */
  readonly type: Artifact["type"] | undefined;
}

/** Artifacts, each once, in order of making. */
export function artifactLife(options: LifeOptions): MadeArtifact[] {
  const life = new Life(options);
  life.live();
  return life.made();
}

const USERS = ["ann", "bob", "sp ace", "Ünï"];
const PAGES = ["Home", "Größe", "abcd1234", "tip", "a<b>", "A page with quite a long näme"];
const MIMETYPES = [undefined, "text/x-markdown", "text/plain", "text/x-fossil-wiki"];
const FILE_NAMES = ["a.txt", "b c.bin", "größe.txt", "<x>.txt"];
const TICKET_FIELDS = ["title", "status", "comment", "icomment", "severity", "nosuch", "mimetype", "votes"];
const FILLER = "The same words as before, to be stored as a difference. ".repeat(12);

interface MadeCheckIn {
  readonly hash: Hash;
  readonly branch: string;
  readonly files: ReadonlyMap<string, Hash>;
}

class Life {
  private readonly random: Random;
  private readonly options: LifeOptions;
  private readonly artifacts = new Map<Hash, MadeArtifact>();
  private time: EpochMs = Date.UTC(2024, 0, 1);
  private tagCount = 0;
  private readonly checkIns: MadeCheckIn[] = [];
  private readonly pages = new Map<string, Hash[]>();
  private readonly notes = new Map<string, Hash[]>();
  private readonly tickets: string[] = [];
  private readonly threads: Hash[][] = [];

  constructor(options: LifeOptions) {
    this.options = options;
    this.random = seededRandom(options.seed);
  }

  made(): MadeArtifact[] {
    return [...this.artifacts.values()];
  }

  live(): void {
    const steps = [
      ...[this.checkIn, this.checkIn, this.checkIn, this.control, this.control, this.control],
      ...[this.page, this.page, this.note, this.ticket, this.ticket, this.attachment, this.attachment],
      ...[this.post, this.post],
    ];
    this.checkIn();
    for (let i = 0; i < this.options.steps; i++) this.pick(steps).call(this);
  }

  private below(count: number): number {
    return randomBelow(this.random, count);
  }

  private pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  private tick(): EpochMs {
    this.time += 1000 + this.below(5_000_000);
    return this.time;
  }

  private user(): string {
    return this.pick(USERS);
  }

  private file(content: string): Hash {
    const bytes = utf8(content);
    const hash = hashContent(bytes, "sha3-256");
    this.artifacts.set(hash, { hash, content: bytes, type: undefined });
    return hash;
  }

  private make(artifact: Artifact): Hash {
    const content = formatArtifact(artifact);
    const hash = hashContent(content, "sha3-256");
    this.artifacts.set(hash, { hash, content, type: artifact.type });
    return hash;
  }

  private text(): string {
    const linked = this.made().filter(({ type }) => type !== undefined);
    const target = linked.length === 0 ? "deadbeef" : this.pick(linked).hash.slice(0, 8 + this.below(20));
    return this.pick([
      `see [${target}]`,
      `plain <b>&'"`,
      `[${target}|label] and [Home]`,
      `<nowiki>[${target}]</nowiki>`,
      `Größe [/info/${target}]`,
      `[x](${target}) \`[y](${target})\``,
      "",
      "  \n leading\ttab",
    ]);
  }

  private body(): Uint8Array {
    return utf8(this.below(9) === 0 ? "" : `${this.text()}\n${FILLER}${this.text()} ${this.below(1000)}`);
  }

  private mimetype(): { mimetype?: string } {
    const mimetype = this.pick(MIMETYPES);
    return mimetype === undefined ? {} : { mimetype };
  }

  /** The next version mostly follows the last one; now and then an older one. */
  private parents(versions: readonly Hash[]): Hash[] {
    if (versions.length === 0) return [];
    return [this.below(5) > 0 ? versions.at(-1)! : this.pick(versions)];
  }

  private checkIn(): void {
    const isFirst = this.checkIns.length === 0;
    const parent = isFirst ? undefined : this.below(4) > 0 ? this.checkIns.at(-1)! : this.pick(this.checkIns);
    const files = new Map(parent?.files);
    for (let i = 0; i <= this.below(3); i++) {
      const name = `f${this.below(6)}.txt`;
      if (this.below(6) === 0) files.delete(name);
      else files.set(name, this.file(`${name}\n${FILLER}${this.below(1000)}\n`));
    }
    const parents = parent === undefined ? [] : [parent.hash];
    const merged = this.pick(this.checkIns.length > 0 ? this.checkIns : [undefined]);
    if (merged !== undefined && merged !== parent && this.below(5) === 0) parents.push(merged.hash);
    let branch = parent?.branch ?? "trunk";
    const tags: TagEntry[] = [];
    const tag = (action: TagAction, name: string, value?: string) =>
      tags.push({ action, name, target: undefined, ...(value !== undefined && { value }) });
    if (isFirst || this.below(5) === 0) {
      if (!isFirst) tag("-", `sym-${branch}`);
      branch = isFirst ? "trunk" : `branch-${this.checkIns.length}`;
      tag("*", "branch", branch);
      tag("*", `sym-${branch}`);
      if (this.below(2) === 0) tag("*", "bgcolor", `#${this.below(9)}0c0c0`);
    } else if (this.below(6) === 0) tag("+", "bgcolor", `#${this.below(9)}00000`);
    const hash = this.make({
      type: "check-in",
      comment: `commit ${this.text()} ${this.checkIns.length}`,
      date: this.tick(),
      files: [...files].map(([name, hash]) => ({ name, hash, permission: "" })),
      parents,
      cherrypicks: [],
      tags,
      user: this.user(),
    });
    this.checkIns.push({ hash, branch, files });
  }

  private control(): void {
    const words = [...this.pages.values(), ...this.notes.values(), ...this.threads].flat();
    const target = this.pick([...this.checkIns, ...this.checkIns, ...words]);
    const isCheckIn = typeof target !== "string";
    const hash = isCheckIn ? target.hash : target;
    const tags = new Map<string, TagEntry>();
    for (let i = 0; i <= this.below(3); i++) {
      const tag = this.pick([
        ...this.quietTags(isCheckIn),
        ...(this.options.contested ? this.contestedTags(isCheckIn ? target.branch : undefined) : []),
      ]);
      tags.set(tag.action + tag.name, { ...tag, target: hash });
    }
    this.make({ type: "control", date: this.tick(), tags: [...tags.values()], user: this.user() });
  }

  private quietTags(isCheckIn: boolean): Omit<TagEntry, "target">[] {
    const date = `2023-0${1 + this.below(9)}-1${this.below(10)}T12:00:0${this.below(10)}.250`;
    const only: Omit<TagEntry, "target">[] = [
      { action: "+", name: "date", value: date },
      { action: "+", name: "bgcolor", value: `#c${this.below(9)}c` },
    ];
    this.tagCount++;
    return [
      { action: "+", name: "comment", value: `amended ${this.text()} ${this.below(100)}` },
      { action: "+", name: "user", value: this.user() },
      { action: "+", name: "closed" },
      { action: "-", name: "closed" },
      { action: "+", name: "hidden" },
      { action: "*", name: `sym-wide-${this.tagCount}` },
      { action: "*", name: `prop-${this.tagCount}`, value: "v<a>l ue" },
      { action: "+", name: `sym-s${this.below(4)}`, value: "a note" },
      { action: "-", name: `sym-s${this.below(4)}` },
      { action: "+", name: "note", value: "Größe" },
      ...(isCheckIn ? only : []),
    ];
  }

  private contestedTags(branch: string | undefined): Omit<TagEntry, "target">[] {
    const moved = `moved-${this.tagCount}`;
    return [
      { action: "*", name: "bgcolor", value: `#d${this.below(9)}d` },
      { action: "-", name: "bgcolor" },
      { action: "*", name: "hidden" },
      { action: "-", name: "hidden" },
      { action: "-", name: "user" },
      { action: "-", name: `prop-${this.below(this.tagCount + 1)}` },
      { action: "*", name: "branch", value: moved },
      { action: "*", name: `sym-${moved}` },
      ...(branch === undefined ? [] : [{ action: "-" as const, name: `sym-${branch}` }]),
    ];
  }

  private page(): void {
    const title = this.pick(PAGES);
    const versions = this.pages.get(title) ?? [];
    const parents = this.parents(versions);
    const [date, user, body] = [this.tick(), this.user(), this.body()];
    const page = { type: "wiki", title, date, user, body, parents, ...this.mimetype() } as const;
    this.pages.set(title, [...versions, this.make(page)]);
  }

  private note(): void {
    const isNew = this.notes.size === 0 || this.below(2) === 0;
    const technoteId = isNew ? sha1Hex(`note ${this.time}`) : this.pick([...this.notes.keys()]);
    const versions = this.notes.get(technoteId) ?? [];
    const tags: TagEntry[] = [];
    if (this.below(3) === 0) tags.push({ action: "+", name: "bgcolor", target: undefined, value: "#e0e" });
    if (this.below(3) === 0) tags.push({ action: "+", name: `sym-n${this.below(3)}`, target: undefined });
    const hash = this.make({
      type: "technote",
      comment: `note ${this.text()}.`,
      date: this.tick(),
      eventDate: Date.UTC(2022, this.below(12), 3),
      technoteId,
      parents: this.parents(versions),
      tags,
      user: this.user(),
      body: this.body(),
    });
    this.notes.set(technoteId, [...versions, hash]);
  }

  private ticket(): void {
    const isNew = this.tickets.length === 0 || this.below(3) === 0;
    if (isNew) this.tickets.push(sha1Hex(`ticket ${this.time}`));
    const ticketId = isNew ? this.tickets.at(-1)! : this.pick(this.tickets);
    const fields = new Map<string, TicketField>();
    for (let i = 0; i <= this.below(4); i++) {
      const name = this.pick(TICKET_FIELDS);
      const value =
        name === "status"
          ? this.pick(["Open", "Closed", "Fi<x>ed"])
          : name === "mimetype"
            ? this.pick(MIMETYPES.slice(1))!
            : name === "votes"
              ? String(this.below(50))
              : this.text();
      const append = name === "comment" && this.below(2) === 0;
      fields.set(name + append, { name, append, value });
    }
    const [date, user] = [this.tick(), this.user()];
    this.make({ type: "ticket", date, user, ticketId, fields: [...fields.values()] });
  }

  private attachment(): void {
    const posts = this.threads.map((thread) => thread[0]!);
    const known = [...this.pages.keys(), ...this.tickets, ...this.notes.keys(), ...posts];
    const target = this.pick([...known, ...known, "Nowhere", "f".repeat(40), "Größe ".repeat(12).trim()]);
    const source = this.below(4) === 0 ? {} : { source: this.file(`attached ${this.below(20)}`) };
    const comment = this.below(2) === 0 ? {} : { comment: `about ${this.text()}` };
    const [name, date, user] = [this.pick(FILE_NAMES), this.tick(), this.user()];
    this.make({ type: "attachment", name, target, date, user, ...source, ...comment });
  }

  private post(): void {
    const thread = this.threads.length > 0 && this.below(4) > 0 ? this.pick(this.threads) : undefined;
    const common = { type: "forum", date: this.tick(), user: this.user(), body: this.body() } as const;
    const mimetype = this.mimetype();
    if (thread === undefined) {
      const title = `Title ${this.below(100)}: <x>`;
      this.threads.push([this.make({ ...common, ...mimetype, title, parents: [] })]);
      return;
    }
    const threadRoot = thread[0]!;
    const kind = this.below(3);
    if (kind === 0) {
      const title = `Retitled ${this.below(100)}`;
      thread.push(this.make({ ...common, ...mimetype, threadRoot, title, parents: [threadRoot] }));
    } else {
      const parents = kind === 1 ? [this.pick(thread)] : [];
      thread.push(this.make({ ...common, ...mimetype, threadRoot, inReplyTo: this.pick(thread), parents }));
    }
  }
}
