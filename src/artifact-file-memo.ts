/**
 * F cards read before. Successive manifests of a project share nearly all their F cards. What a card says depends
 * on nothing but its line, as long as it has a hash (without one it is allowed in delta manifests only), so
 * what was read once need not be read again:
 *   - lines that follow each other here as in another artifact (a child or parent, if the caller names one,
 *     else the one read last) are found by comparing the bytes of the two, as many lines at a time as agree.
 *     Their order was checked then;
 *   - any other line is looked for in a map of all lines known.
 * Either way the order against the card before is still checked.
 *
 * Entries are shared by the artifacts that were parsed with one memo, so that a file that did not change is
 * one object in all of them. The bytes of an artifact are held on to as long as its entries, and of the last one
 * longer; they must not change.
 */
import type { FileEntry } from "./artifact-types.ts";
import { latin1 } from "./bytes.ts";
import { asBuffer } from "./delta.ts";
import { commonPrefix } from "./delta-encode.ts";
import type { Hash } from "./hash.ts";
import { FILE_MEMO_COUNT } from "./limits.ts";

export interface KnownFile {
  /** Raw text of the card after `F `, without its line feed. */
  readonly line: string;
  /** The unescaped raw name, by which F cards are sorted. */
  readonly key: string;
  readonly entry: FileEntry;
}

export class FileMemo {
  private readonly known = new Map<string, KnownFile>();
  private readonly lines = new WeakMap<readonly FileEntry[], FileLines>();
  private before: FileLines | undefined;

  get(line: string): KnownFile | undefined {
    return this.known.get(line);
  }

  /** Remembers what a line says. What is kept is a copy, which keeps no text of the manifest alive. */
  add(line: string, key: string, entry: FileEntry & { readonly hash: Hash }): KnownFile {
    if (this.known.size >= FILE_MEMO_COUNT) this.known.clear();
    const name = copied(entry.name);
    const prior = entry.priorName === undefined ? {} : { priorName: copied(entry.priorName) };
    const known: KnownFile = {
      line: copied(line),
      key: key === entry.name ? name : copied(key),
      entry: { ...entry, ...prior, name, hash: copied(entry.hash) },
    };
    this.known.set(known.line, known);
    return known;
  }

  /** Lets go of an artifact, by its entries. @returns its bytes, which nothing here needs any more */
  forget(files: readonly FileEntry[]): Uint8Array | undefined {
    const lines = this.lines.get(files);
    if (lines === undefined) return undefined;
    this.lines.delete(files);
    if (this.before === lines) this.before = undefined;
    return lines.bytes;
  }

  /** Has the next artifact compared with the one that holds `files`, rather than with the last one. */
  compareWith(files: readonly FileEntry[]): void {
    this.before = this.lines.get(files) ?? this.before;
  }

  /** To be asked once for each artifact, at its first F card. */
  begin(cards: Uint8Array): FileLines {
    return new FileLines(cards, this.before);
  }

  /** Once all F cards are read and right: others may be compared with this one, and the next one is. */
  keep(files: readonly FileEntry[], lines: FileLines): void {
    if (!lines.isWhole) return;
    this.before = lines;
    this.lines.set(files, lines);
  }
}

/** The F cards of one artifact while they are read, beside those of another one. */
export class FileLines {
  /** Whether every line is a known one. */
  isWhole = true;
  readonly known: KnownFile[] = [];
  /** Where each line ends, its line feed included. The first starts at `start`, the others where one ends. */
  private readonly ends: number[] = [];
  private start = 0;
  readonly bytes: Buffer;
  /** The line of `before` that is expected next. */
  private next = 0;

  constructor(
    cards: Uint8Array,
    private before: FileLines | undefined,
  ) {
    this.bytes = asBuffer(cards);
  }

  /** Takes the lines from offset `at` on that come next in `before` too. Returns the offset after them. */
  takeSame(at: number): number {
    if (this.known.length === 0) this.start = at;
    const { before, known, ends } = this;
    if (before === undefined || this.next >= before.known.length) return at;
    const from = this.next === 0 ? before.start : before.ends[this.next - 1]!;
    const agreed = from + commonPrefix(before.bytes, from, this.bytes, at);
    const shift = at - from;
    while (this.next < before.known.length && before.ends[this.next]! <= agreed) {
      known.push(before.known[this.next]!);
      ends.push(before.ends[this.next]! + shift);
      this.next++;
    }
    return ends.at(-1) ?? at;
  }

  /** One line that ends before offset `end`; `undefined` for one whose meaning depends on others. */
  add(known: KnownFile | undefined, end: number): void {
    if (known === undefined) {
      this.isWhole = false;
      return;
    }
    this.known.push(known);
    this.ends.push(end);
    const { before } = this;
    if (before === undefined) return;
    while (this.next < before.known.length && before.known[this.next]!.key <= known.key) this.next++;
  }

  /** Lets go of the other artifact. */
  end(): void {
    this.before = undefined;
  }
}

/** The same string in memory of its own: a slice would keep the text it was cut from. */
function copied<S extends string>(text: S): S {
  return (/[^\0-\xff]/.test(text) ? structuredClone(text) : latin1(Buffer.from(text, "latin1"))) as S;
}
