/**
 * A random project history, artifact by artifact, from a seed: check-ins with branches, forks, merges,
 * renames, permissions, cherry-picks and delta manifests, control artifacts on anything, clusters, private
 * check-ins. Made to be linked by stock and by us and compared; what is in it need not make sense.
 *
 * Left out on purpose is where stock's own result depends on the order of arrival: tags of one name and
 * time, a tag on a check-in older than one that propagates to it, two children within two seconds of
 * one parent, tags `parent`.
 */
import { formatArtifact } from "../../src/artifact-format.ts";
import type {
  CheckIn,
  CherrypickEntry,
  FileEntry,
  FilePermission,
  TagAction,
  TagEntry,
} from "../../src/artifact-types.ts";
import { compareUtf8, utf8 } from "../../src/bytes.ts";
import { type Hash, hashContent } from "../../src/hash.ts";
import { type Random, randomBelow, seededRandom } from "../../src/random.ts";

export interface HistoryArtifact {
  readonly hash: Hash;
  readonly bytes: Uint8Array;
  readonly isPrivate: boolean;
}

interface TreeFile {
  readonly hash: Hash;
  readonly permission: FilePermission;
}

interface Commit {
  readonly hash: Hash;
  readonly date: number;
  readonly files: ReadonlyMap<string, TreeFile>;
  readonly branch: string;
  readonly isPrivate: boolean;
  /** The full manifest that a delta manifest of a child may refer to. */
  readonly baseline: Hash | undefined;
  /** A child follows within two seconds: there must be no other. */
  isClosed: boolean;
}

const START = Date.UTC(2024, 0, 1);
const MINUTE = 60_000;
const NAMES = ["a.txt", "b/c.txt", "b/d é.txt", "e f.txt", "g/h/i.bin", "j", "k.txt", "z/z"];
const TAG_NAMES = ["sym-rel", "closed", "hidden", "bgcolor", "comment", "user", "date", "note", "sym-x y"];

export interface RandomHistory {
  readonly artifacts: readonly HistoryArtifact[];
}

export function randomHistory(seed: number, commitCount = 20): RandomHistory {
  return new Maker(seededRandom(BigInt(seed))).make(commitCount);
}

class Maker {
  private readonly artifacts = new Map<Hash, HistoryArtifact>();
  private readonly commits: Commit[] = [];
  private readonly branches: string[] = [];
  private readonly fulls = new Map<Hash, ReadonlyMap<string, TreeFile>>();
  /** Names of tags given by control artifacts that propagate, each given once. */
  private readonly spreading: string[] = [];
  private isMoved = false;
  private clock = START;
  private counter = 0;

  constructor(private readonly random: Random) {}

  make(commitCount: number): RandomHistory {
    for (let i = 0; i < commitCount; i++) {
      this.commit();
      if (this.chance(0.4)) this.control();
    }
    const isPublic = ({ isPrivate }: HistoryArtifact) => !isPrivate;
    const members = [...this.artifacts.values()].filter(isPublic).map(({ hash }) => hash);
    const some = members.filter(() => this.chance(0.3));
    if (some.length > 0) {
      some.push(this.unknown());
      this.store(formatArtifact({ type: "cluster", members: [...new Set(some)].sort() }), false);
    }
    return { artifacts: [...this.artifacts.values()] };
  }

  private commit(): void {
    const parent = this.parent();
    const isPrivate = parent !== undefined && (parent.isPrivate || this.chance(0.08));
    const isClose = parent !== undefined && !parent.isClosed && this.chance(0.15);
    if (parent !== undefined && isClose) parent.isClosed = true;
    this.clock += MINUTE * (1 + randomBelow(this.random, 500));
    const date =
      parent !== undefined && isClose ? parent.date + randomBelow(this.random, 2500) - 1000 : this.clock;

    const files = new Map(parent?.files);
    const renamed = this.edit(files, isPrivate);
    const merged = parent === undefined || isClose ? undefined : this.otherCommit(parent, isPrivate);
    if (merged !== undefined) {
      for (const [name, file] of merged.files) if (this.chance(0.5)) files.set(name, file);
    }
    const { branch, tags } = this.branchTags(parent, isPrivate);
    const base = this.chance(0.35) ? this.baseline(parent) : undefined;
    const list = fileList(files, base && this.fulls.get(base), renamed);
    const checkIn: CheckIn = {
      type: "check-in",
      ...(base !== undefined && { baseline: base }),
      comment: `commit ${this.counter++} see [${this.anyHash().slice(0, 12)}]`,
      date,
      files: list,
      parents: [parent?.hash, merged?.hash].filter((hash) => hash !== undefined),
      cherrypicks: isClose ? [] : this.cherrypicks(isPrivate),
      tags,
      ...(this.chance(0.95) && { user: this.pick(["dev", "ann", "bob c"]) }),
    };
    const hash = this.store(formatArtifact(checkIn), isPrivate);
    if (base === undefined) this.fulls.set(hash, files);
    const baseline = base ?? hash;
    this.commits.push({
      hash,
      date,
      files,
      branch,
      isPrivate,
      baseline,
      isClosed: isClose && this.chance(0),
    });
  }

  private parent(): Commit | undefined {
    const open = this.commits.filter((commit) => !commit.isClosed);
    if (open.length === 0 || this.chance(0.03)) return undefined;
    return this.chance(0.7) ? open.at(-1) : this.pick(open);
  }

  /** Another check-in to merge; a public one takes nothing from private ones. */
  private otherCommit(than: Commit, isPrivate: boolean): Commit | undefined {
    const others = this.commits.filter((commit) => commit !== than && (isPrivate || !commit.isPrivate));
    return others.length > 0 && this.chance(0.25) ? this.pick(others) : undefined;
  }

  /** Changes some files. Returns old names by new ones. */
  private edit(files: Map<string, TreeFile>, isPrivate: boolean): Map<string, string> {
    const renamed = new Map<string, string>();
    for (const name of NAMES) {
      const file = files.get(name);
      const roll = this.random.float();
      if (file === undefined) {
        if (roll < 0.3) files.set(name, { hash: this.content(isPrivate), permission: "" });
      } else if (roll < 0.25) {
        files.set(name, { ...file, hash: this.content(isPrivate) });
      } else if (roll < 0.32) {
        files.set(name, { ...file, permission: this.pick<FilePermission>(["", "x", "l"]) });
      } else if (roll < 0.38) {
        files.delete(name);
      } else if (roll < 0.45) {
        files.delete(name);
        files.set(`moved/${name}`, file);
        renamed.set(`moved/${name}`, name);
      }
    }
    return renamed;
  }

  private branchTags(parent: Commit | undefined, isPrivate: boolean): { branch: string; tags: TagEntry[] } {
    const tags: TagEntry[] = [];
    let branch = parent?.branch ?? "trunk";
    const own = (action: TagAction, name: string, value?: string) =>
      tags.push({ action, name, target: undefined, ...(value !== undefined && { value }) });
    if (parent === undefined || this.chance(0.15)) {
      if (parent !== undefined) {
        branch = `br ${this.branches.length}`;
        own("-", `sym-${parent.branch}`);
      }
      this.branches.push(branch);
      own("*", "branch", branch);
      own("*", `sym-${branch}`);
    }
    if (this.chance(0.1)) own(this.pick<TagAction>(["+", "*"]), "bgcolor", "#aabbcc");
    if (isPrivate && parent?.isPrivate === false) own("*", "private");
    return { branch, tags: sortTags(tags) };
  }

  private baseline(parent: Commit | undefined): Hash | undefined {
    if (parent === undefined) return undefined;
    return this.chance(0.8) ? parent.baseline : this.pick([...this.fulls.keys()]);
  }

  private cherrypicks(isPrivate: boolean): CherrypickEntry[] {
    const known = this.commits.filter((commit) => isPrivate || !commit.isPrivate);
    if (known.length === 0 || !this.chance(0.2)) return [];
    const from = this.chance(0.15) ? this.unknown() : this.pick(known).hash;
    return [{ backout: this.chance(0.3), from }];
  }

  private control(): void {
    this.clock += MINUTE;
    const targets = this.commits.filter((commit) => !commit.isPrivate);
    if (targets.length === 0) return;
    const tags = new Map<string, TagEntry>();
    for (let i = 0; i <= randomBelow(this.random, 3); i++) {
      const target = this.chance(0.05) ? this.unknown() : this.pick(targets).hash;
      const tag = this.controlTag();
      const value = tag.name === "date" ? "2024-02-03T04:05:06" : `v${i} [x]`;
      tags.set(tag.name, { target, ...(tag.action !== "-" && { value }), ...tag });
    }
    const control = {
      type: "control",
      date: this.clock,
      tags: sortTags([...tags.values()]),
      user: "ann",
    } as const;
    this.store(formatArtifact(control), false);
  }

  private controlTag(): Pick<TagEntry, "action" | "name" | "value"> {
    if (!this.isMoved && this.chance(0.1)) {
      this.isMoved = true;
      return { action: "*", name: "branch", value: this.pick(this.branches) };
    }
    if (this.chance(0.25)) {
      this.spreading.push(`sym-spread ${this.counter++}`);
      return { action: "*", name: this.spreading.at(-1)! };
    }
    if (this.spreading.length > 0 && this.chance(0.3))
      return { action: "-", name: this.pick(this.spreading) };
    const name = this.pick(TAG_NAMES);
    // Stock makes the time of a check-in NULL when its date is cancelled; nothing sends that.
    return { action: name !== "date" && this.chance(0.25) ? "-" : "+", name };
  }

  private content(isPrivate: boolean): Hash {
    const lines = Array.from(
      { length: 3 + randomBelow(this.random, 12) },
      (_, i) => `line ${i % 7} of some text`,
    );
    return this.store(utf8([...lines, `unique ${this.counter++}`, ""].join("\n")), isPrivate);
  }

  private store(bytes: Uint8Array, isPrivate: boolean): Hash {
    const hash = hashContent(bytes, this.chance(0.5) ? "sha3-256" : "sha1");
    this.artifacts.set(hash, { hash, bytes, isPrivate });
    return hash;
  }

  private anyHash(): Hash {
    const known = [...this.artifacts.keys()];
    return known.length === 0 ? this.unknown() : this.pick(known);
  }

  /** The name of something that never arrives. */
  private unknown(): Hash {
    return hashContent(utf8(`nothing ${this.counter++}`), "sha1");
  }

  private chance(probability: number): boolean {
    return this.random.float() < probability;
  }

  private pick<T>(values: readonly T[]): T {
    return values[randomBelow(this.random, values.length)]!;
  }
}

/** F cards: all files, or what differs from the baseline. */
function fileList(
  files: ReadonlyMap<string, TreeFile>,
  base: ReadonlyMap<string, TreeFile> | undefined,
  renamed: ReadonlyMap<string, string>,
): FileEntry[] {
  const entries: FileEntry[] = [];
  for (const [name, file] of files) {
    const before = base?.get(name);
    if (before?.hash === file.hash && before.permission === file.permission) continue;
    const priorName = renamed.get(name);
    entries.push({ name, ...file, ...(priorName !== undefined && { priorName }) });
  }
  for (const name of base?.keys() ?? []) if (!files.has(name)) entries.push({ name, permission: "" });
  return entries.sort((a, b) => compareUtf8(a.name, b.name));
}

function sortTags(tags: readonly TagEntry[]): TagEntry[] {
  const key = ({ action, name, target }: TagEntry) => `${action}${name}\0${target ?? ""}`;
  return [...tags].sort((a, b) => compareUtf8(key(a), key(b)));
}
