/**
 * Made-up history as a `git fast-export` stream, for `fossil import --git`. Everything follows from the
 * profile: the same profile gives the same bytes.
 *
 * The history has one main branch, feature branches that start from it and are mostly merged back, tags,
 * several authors, and a second root, which keeps the large files, so that checkouts of the main branch are
 * quick. Check-ins edit, add, delete, rename and copy files, flip the
 * executable bit, and touch symbolic links; among the files are text of all sizes, binary files, names
 * with spaces and non-ASCII letters, deep folders, and one file with the same content twice.
 *
 * Stream grammar used (git-fast-import(1)): `blob`/`mark`/`data`; `commit refs/heads/NAME` with `mark`,
 * `committer`, `data`, `from`, `merge`, then `M mode :mark path`, `D path`, `R old new`, `C old new`;
 * `tag` with `from`, `tagger`, `data`.
 */
import { concat, utf8 } from "../../src/bytes.ts";
import { type Random, randomBelow, seededRandom } from "../../src/random.ts";

export interface HistoryProfile {
  readonly seed: bigint;
  /** Check-ins in all. */
  readonly checkIns: number;
  /** Text files of the first check-in. */
  readonly textFiles: number;
  /** Lines of a text file at first: between 1 and twice this; a few have ten times as many. */
  readonly linesMean: number;
  /** Files edited by a check-in: 1 to twice this less one. */
  readonly editsMean: number;
  readonly binaryFiles: number;
  readonly binaryBytes: number;
  /** Binary files that are this large, each changed three times. */
  readonly largeFiles: number;
  readonly largeBytes: number;
  /** Feature branches alive at the same time, at most. */
  readonly branchesOpen: number;
}

/** Seconds since 1970 of the first check-in: 2020-01-01. */
const START_SECONDS = 1_577_836_800;
const STEP_SECONDS_MAX = 14_400;
const AUTHORS = ["alice", "bob", "carol", "dmitri", "Éva Ö"] as const;
const WORDS =
  "alpha beta gamma delta node graph tree leaf branch merge commit sync peer clock queue frame parse index store value count limit error state block cache token range".split(
    " ",
  );

interface File {
  readonly mark: number;
  readonly mode: "100644" | "100755" | "120000";
  /** Lines of a text file; `undefined` for binary files and links. */
  readonly lines?: readonly string[];
  readonly bytes?: Uint8Array;
}

interface Head {
  readonly branch: string;
  commit: number;
  files: Map<string, File>;
  /** Paths changed since the branch left the main one. */
  changed: Set<string>;
}

interface Change {
  readonly stream: Uint8Array[];
  readonly operations: string[];
}

/** The stream, in pieces of any size. */
export function* fastExport(profile: HistoryProfile): Generator<Uint8Array> {
  yield* new History(profile).stream();
}

class History {
  private readonly random: Random;
  private readonly stock: readonly string[];
  private nextMark = 1;
  private seconds = START_SECONDS;
  private made = 0;
  private branchNumber = 0;
  private readonly main: Head = { branch: "master", commit: 0, files: new Map(), changed: new Set() };
  private readonly pages: Head = { branch: "pages", commit: 0, files: new Map(), changed: new Set() };
  private readonly features: Head[] = [];
  private largeTurn = 0;

  constructor(private readonly profile: HistoryProfile) {
    this.random = seededRandom(profile.seed);
    this.stock = Array.from({ length: 2048 }, () => this.freshLine());
  }

  *stream(): Generator<Uint8Array> {
    yield* this.firstCheckIn();
    yield* this.secondRoot();
    while (this.made < this.profile.checkIns) {
      const roll = this.below(100);
      const feature = this.features[this.below(Math.max(1, this.features.length))];
      if (roll < 8 && this.features.length < this.profile.branchesOpen) yield* this.startBranch();
      else if (roll < 14 && feature !== undefined) yield* this.mergeBack(feature);
      else if (roll < 17 && feature !== undefined) yield* this.mergeForward(feature);
      else if (roll < 50 && feature !== undefined) yield* this.edit(feature);
      else yield* this.edit(this.main);
      yield* this.changeLarge();
      if (this.made % 97 === 0) yield this.tag(`release-${this.made}`, this.main.commit);
    }
  }

  private *firstCheckIn(): Generator<Uint8Array> {
    const { textFiles, linesMean, binaryFiles, binaryBytes } = this.profile;
    const change: Change = { stream: [], operations: [] };
    for (let i = 0; i < textFiles; i++) {
      const count = 1 + this.below(2 * linesMean) * (i % 25 === 24 ? 10 : 1);
      const mode = i % 9 === 8 ? "100755" : "100644";
      const lines = Array.from({ length: count }, () => this.line());
      this.put(this.main, change, this.textName(i), this.text(change, lines, mode));
    }
    for (let i = 0; i < binaryFiles; i++) {
      this.put(
        this.main,
        change,
        `assets/image${i}.bin`,
        this.binary(change, 1 + this.below(2 * binaryBytes)),
      );
    }
    this.put(this.main, change, "assets/empty", this.text(change, [], "100644"));
    this.put(this.main, change, "assets/twin", this.text(change, [], "100644"));
    this.put(this.main, change, "link to readme", this.link(change, "src/module0/file0.ts"));
    this.put(this.main, change, "no-newline.txt", this.binary(change, 3, utf8("end")));
    yield* this.commit(this.main, change, "First check-in", []);
  }

  /** A branch without a common ancestor, as documentation branches often are. */
  private *secondRoot(): Generator<Uint8Array> {
    const change: Change = { stream: [], operations: [] };
    this.put(this.pages, change, "index.html", this.text(change, ["<h1>pages</h1>"], "100644"));
    for (let i = 0; i < this.profile.largeFiles; i++) {
      this.put(this.pages, change, largeName(i), this.binary(change, this.profile.largeBytes));
    }
    yield* this.commit(this.pages, change, "A second root", []);
  }

  /** Large files change three times each, spread evenly over the history. */
  private *changeLarge(): Generator<Uint8Array> {
    const { largeFiles, checkIns } = this.profile;
    const turnCount = 3 * largeFiles;
    if (this.largeTurn >= turnCount || this.made < (this.largeTurn * checkIns) / turnCount) return;
    const change: Change = { stream: [], operations: [] };
    this.touch(this.pages, change, largeName(this.largeTurn % largeFiles));
    this.largeTurn++;
    yield* this.commit(this.pages, change, `Large files, turn ${this.largeTurn}`, []);
  }

  private *startBranch(): Generator<Uint8Array> {
    const head: Head = {
      branch: `feature-${this.branchNumber++}`,
      commit: this.main.commit,
      files: new Map(this.main.files),
      changed: new Set(),
    };
    this.features.push(head);
    yield* this.edit(head);
  }

  private *mergeBack(feature: Head): Generator<Uint8Array> {
    yield* this.merge(feature, this.main);
    // One in four lives on after its merge, one in eight is never merged again but stays open.
    if (this.below(4) !== 0) this.features.splice(this.features.indexOf(feature), 1);
    feature.changed.clear();
  }

  private *mergeForward(feature: Head): Generator<Uint8Array> {
    yield* this.merge(this.main, feature, feature.changed);
  }

  /** Takes every file of `from` that is not in `except`, as an edit of `into` with `from` as second parent. */
  private *merge(from: Head, into: Head, except?: ReadonlySet<string>): Generator<Uint8Array> {
    const change: Change = { stream: [], operations: [] };
    const paths =
      except === undefined ? [...from.changed] : [...from.files.keys()].filter((p) => !except.has(p));
    for (const path of paths) {
      const file = from.files.get(path);
      if (file === undefined) {
        if (into.files.delete(path)) change.operations.push(`D ${quoted(path)}`);
      } else if (into.files.get(path)?.mark !== file.mark) {
        this.put(into, change, path, file);
      }
    }
    // As after a conflict: the result is neither parent's.
    const resolved = this.below(2) === 0 ? undefined : paths.find((path) => into.files.get(path)?.lines);
    if (resolved !== undefined) this.touch(into, change, resolved);
    yield* this.commit(into, change, `Merge ${from.branch} into ${into.branch}`, [from.commit]);
  }

  private *edit(head: Head): Generator<Uint8Array> {
    const change: Change = { stream: [], operations: [] };
    const structural = this.below(12);
    if (structural === 0) this.rename(head, change);
    else if (structural === 1) this.remove(head, change);
    else if (structural === 2) this.copy(head, change);
    else if (structural === 3) this.flipMode(head, change);
    else if (structural === 4) this.add(head, change);
    const edits = 1 + this.below(2 * this.profile.editsMean - 1);
    const paths = [...head.files.keys()];
    for (let i = 0; i < edits; i++) this.touch(head, change, paths[this.below(paths.length)]!);
    yield* this.commit(head, change, this.message(), []);
  }

  private touch(head: Head, change: Change, path: string): void {
    const file = head.files.get(path);
    if (file === undefined) return;
    if (file.lines !== undefined) {
      this.put(head, change, path, this.text(change, this.edited(file.lines), file.mode));
    } else if (file.mode === "120000") {
      this.put(head, change, path, this.link(change, `src/module${this.below(4)}/file0.ts`));
    } else if (file.bytes !== undefined) {
      this.put(head, change, path, this.binary(change, file.bytes.length, this.patched(file.bytes)));
    }
  }

  private rename(head: Head, change: Change): void {
    const path = this.pick(head);
    const file = path === undefined ? undefined : head.files.get(path);
    if (path === undefined || file === undefined) return;
    const to = `${path.replace(/(-moved\d+)?(\.\w+)?$/, "")}-moved${this.made}.ts`;
    head.files.delete(path);
    head.files.set(to, file);
    head.changed.add(path).add(to);
    change.operations.push(`R ${path} ${to}`);
  }

  private copy(head: Head, change: Change): void {
    const path = this.pick(head);
    const file = path === undefined ? undefined : head.files.get(path);
    if (path === undefined || file === undefined) return;
    const to = `copies/copy${this.made}.ts`;
    head.files.set(to, file);
    head.changed.add(to);
    change.operations.push(`C ${path} ${to}`);
  }

  private remove(head: Head, change: Change): void {
    const path = this.pick(head);
    if (path === undefined || head.files.size < this.profile.textFiles / 2) return;
    head.files.delete(path);
    head.changed.add(path);
    change.operations.push(`D ${path}`);
  }

  private flipMode(head: Head, change: Change): void {
    const path = this.pick(head);
    const file = path === undefined ? undefined : head.files.get(path);
    if (path === undefined || file === undefined) return;
    this.put(head, change, path, { ...file, mode: file.mode === "100755" ? "100644" : "100755" });
  }

  private add(head: Head, change: Change): void {
    const lines = Array.from({ length: 1 + this.below(2 * this.profile.linesMean) }, () => this.line());
    const name = `src/module${this.below(12)}/added${this.made}.ts`;
    this.put(head, change, name, this.text(change, lines, "100644"));
  }

  /** A text file whose name needs no quotes: the importer splits `R` and `C` lines at spaces. */
  private pick(head: Head): string | undefined {
    const plain = [...head.files].filter(
      ([path, file]) => file.lines !== undefined && /^[\w./-]+$/.test(path),
    );
    return plain[this.below(Math.max(1, plain.length))]?.[0];
  }

  private put(head: Head, change: Change, path: string, file: File): void {
    head.files.set(path, file);
    head.changed.add(path);
    change.operations.push(`M ${file.mode} :${file.mark} ${quoted(path)}`);
  }

  private text(change: Change, lines: readonly string[], mode: File["mode"]): File {
    const content = lines.length === 0 ? "" : `${lines.join("\n")}\n`;
    return { mark: this.blob(change, utf8(content)), mode, lines };
  }

  private link(change: Change, target: string): File {
    return { mark: this.blob(change, utf8(target)), mode: "120000" };
  }

  private binary(change: Change, length: number, bytes = this.noise(length)): File {
    return { mark: this.blob(change, bytes), mode: "100644", bytes };
  }

  private blob(change: Change, content: Uint8Array): number {
    const mark = this.nextMark++;
    change.stream.push(utf8(`blob\nmark :${mark}\ndata ${content.length}\n`), content, utf8("\n"));
    return mark;
  }

  private *commit(
    head: Head,
    change: Change,
    message: string,
    merged: readonly number[],
  ): Generator<Uint8Array> {
    const mark = this.nextMark++;
    const lines = [`commit refs/heads/${head.branch}`, `mark :${mark}`, `committer ${this.signature()}`];
    lines.push(`data ${utf8(message).length}`, message);
    if (head.commit !== 0) lines.push(`from :${head.commit}`);
    for (const parent of merged) lines.push(`merge :${parent}`);
    lines.push(...change.operations, "", "");
    head.commit = mark;
    this.made++;
    yield concat([...change.stream, utf8(lines.join("\n"))]);
  }

  private tag(name: string, commit: number): Uint8Array {
    return utf8(`tag ${name}\nfrom :${commit}\ntagger ${this.signature()}\ndata ${name.length}\n${name}\n`);
  }

  private signature(): string {
    this.seconds += 1 + this.below(STEP_SECONDS_MAX);
    const author = AUTHORS[this.below(AUTHORS.length)]!;
    return `${author} <${author}> ${this.seconds} +0000`;
  }

  private message(): string {
    const words = Array.from({ length: 3 + this.below(9) }, () => this.word());
    return this.below(5) === 0 ? `${words.join(" ")}: äöü 漢字\n\nsecond paragraph` : words.join(" ");
  }

  /** Some lines replaced, inserted and removed in up to four places. */
  private edited(lines: readonly string[]): readonly string[] {
    const next = [...lines];
    for (let hunk = 1 + this.below(4); hunk > 0; hunk--) {
      const fresh = Array.from({ length: 1 + this.below(6) }, () => this.freshLine());
      next.splice(this.below(next.length + 1), this.below(5), ...fresh);
    }
    return next;
  }

  /** The same length, with one stretch overwritten. */
  private patched(bytes: Uint8Array): Uint8Array {
    const next = bytes.slice();
    const length = Math.max(1, Math.floor(bytes.length / 20));
    next.set(this.noise(length), this.below(bytes.length - length + 1));
    return next;
  }

  /** Bytes that do not compress: xorshift32, since `Random.bytes` is too slow for hundreds of megabytes. */
  private noise(length: number): Uint8Array {
    const words = new Uint32Array(Math.ceil(length / 4));
    let state = 1 + this.below(0xffff_fffe);
    for (let i = 0; i < words.length; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      words[i] = state;
    }
    return new Uint8Array(words.buffer, 0, length);
  }

  private textName(i: number): string {
    if (i === 1) return "docs/read me first.txt";
    if (i === 2) return "docs/größe 漢字.txt";
    if (i === 3) return "a/b/c/d/e/f/deep.txt";
    if (i === 4) return "docs/a & (b) [c] 'd'.txt";
    return `src/module${i % 12}/file${Math.floor(i / 12)}.ts`;
  }

  /** Mostly a line that occurs elsewhere too, as in real source. */
  private line(): string {
    return this.below(3) === 0 ? this.freshLine() : this.stock[this.below(this.stock.length)]!;
  }

  private freshLine(): string {
    const indent = "  ".repeat(this.below(4));
    return `${indent}${this.word()} ${this.word()}_${this.below(100_000)} = ${this.word()}(${this.word()});`;
  }

  private word(): string {
    return WORDS[this.below(WORDS.length)]!;
  }

  private below(limit: number): number {
    return randomBelow(this.random, limit);
  }
}

function largeName(i: number): string {
  return `downloads/large${i}.bin`;
}

/** Path as the stream has it: in C-style quotes when it has a space or bytes beyond ASCII. */
function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `"${path.replaceAll('"', '\\"')}"`;
}
