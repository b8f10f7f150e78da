/**
 * Check-ins by rid, and questions about their files.
 *
 * A check-in artifact is full (it lists every file) or a delta manifest (B card): then it lists only
 * what differs from its baseline, and an entry without a hash deletes the baseline's file. The baseline
 * must be a full manifest: of a baseline that is itself a delta, only its own entries count, as in stock
 * (fossil-facts F). Entries are sorted by the UTF-8 bytes of their names.
 *
 * Parsed check-ins are kept, least recently used first out, while their file entries fit a budget:
 * crosslinking looks at each one about three times (itself, its parent, its child).
 */
import { FileMemo } from "./artifact-file-memo.ts";
import { type ParseOptions, parseArtifact } from "./artifact-parse.ts";
import type { CheckIn, FileEntry } from "./artifact-types.ts";
import { compareUtf8 } from "./bytes.ts";
import { FormatError } from "./errors.ts";
import { MANIFEST_CACHE_FILES_COUNT } from "./limits.ts";
import type { Content, Rid } from "./repo-content.ts";

/** A check-in together with its baseline's own entries, when it is a delta manifest. */
export interface Manifest {
  readonly rid: Rid;
  readonly checkIn: CheckIn;
  /** Own entries, sorted. */
  readonly files: readonly FileEntry[];
  /** The baseline's entries; `undefined` for a full manifest. */
  readonly baseFiles: readonly FileEntry[] | undefined;
  /** The baseline; `undefined` for a full manifest. */
  readonly baseRid: Rid | undefined;
}

/** A delta manifest whose baseline is no available check-in. */
export interface Orphan {
  readonly rid: Rid;
  readonly baseline: Rid;
}

/** Artifacts that another thread has expanded already, their Z cards checked. */
export interface ExpandedAhead {
  take(rid: Rid): Uint8Array | undefined;
  /** These bytes, or a part of what came with `take`, are not needed any more. */
  giveBack(bytes: Uint8Array): void;
}

export class Manifests {
  private readonly parsed = new Map<Rid, CheckIn>();
  private fileCount = 0;
  /** Shared by all check-ins of this repository. */
  readonly memo = new FileMemo();

  constructor(
    private readonly content: Content,
    private readonly ahead?: ExpandedAhead,
  ) {}

  /**
   * The check-in `rid`, or `undefined` when its content is missing or is no check-in.
   *
   * @param relative a parent or child of it, which makes it quicker to read
   */
  checkIn(rid: Rid, relative?: CheckIn): CheckIn | undefined {
    const kept = this.parsed.get(rid);
    if (kept !== undefined) {
      this.parsed.delete(rid);
      this.parsed.set(rid, kept);
      return kept;
    }
    const ahead = this.ahead?.take(rid);
    const bytes = ahead ?? this.content.get(rid);
    if (bytes === undefined) return undefined;
    if (relative !== undefined) this.memo.compareWith(relative.files);
    const checkIn = parseCheckIn(bytes, { memo: this.memo, isChecked: ahead !== undefined });
    if (checkIn !== undefined) this.keep(rid, checkIn);
    return checkIn;
  }

  /** The check-in `rid` if it is in memory. */
  kept(rid: Rid): CheckIn | undefined {
    return this.parsed.get(rid);
  }

  /** Remembers a check-in that the caller has parsed. */
  keep(rid: Rid, checkIn: CheckIn): void {
    if (this.parsed.has(rid)) return;
    this.parsed.set(rid, checkIn);
    this.fileCount += checkIn.files.length;
    for (const [oldest, { files }] of this.parsed) {
      if (this.fileCount <= MANIFEST_CACHE_FILES_COUNT || oldest === rid) break;
      this.parsed.delete(oldest);
      this.fileCount -= files.length;
      const bytes = this.memo.forget(files);
      if (bytes !== undefined) this.ahead?.giveBack(bytes);
    }
  }

  /**
   * The check-in with its baseline. A delta manifest whose baseline is unknown gets a phantom for it
   * and comes back as an `Orphan`; no available check-in at all is `undefined`.
   *
   * @param relative as for `checkIn`
   */
  open(rid: Rid, relative?: CheckIn): Manifest | Orphan | undefined {
    const checkIn = this.checkIn(rid, relative);
    if (checkIn === undefined) return undefined;
    const { files, baseline } = checkIn;
    if (baseline === undefined) return { rid, checkIn, files, baseFiles: undefined, baseRid: undefined };
    const baseRid = this.content.ridOrPhantom(baseline, false);
    const base = this.checkIn(baseRid);
    if (base === undefined) return { rid, baseline: baseRid };
    return { rid, checkIn, files, baseFiles: base.files, baseRid };
  }
}

export function isOrphan(opened: Manifest | Orphan): opened is Orphan {
  return "baseline" in opened;
}

/** Finds entries by name; quick when names are asked for in ascending order. */
export class FileFinder {
  private next = 0;

  constructor(private readonly files: readonly FileEntry[]) {}

  /** Whether `entry` itself is the one expected next. If so, the one after it is from now on. */
  take(entry: FileEntry): boolean {
    if (this.files[this.next] !== entry) return false;
    this.next++;
    return true;
  }

  find(name: string): FileEntry | undefined {
    const expected = this.files[this.next];
    if (expected?.name === name) {
      this.next++;
      return expected;
    }
    let low = 0;
    let high = this.files.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const entry = this.files[middle]!;
      const order = compareUtf8(entry.name, name);
      if (order === 0) {
        this.next = middle + 1;
        return entry;
      }
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    this.next = low;
    return undefined;
  }
}

/** Finds a file of a check-in by name, baseline included. A deleted file is not found. */
export class ManifestFinder {
  private readonly own: FileFinder;
  private readonly base: FileFinder | undefined;

  constructor(manifest: Manifest) {
    this.own = new FileFinder(manifest.files);
    this.base = manifest.baseFiles === undefined ? undefined : new FileFinder(manifest.baseFiles);
  }

  /** Whether `entry` itself is the manifest's own entry that is expected next, as `FileFinder.take`. */
  take(entry: FileEntry): boolean {
    return this.own.take(entry);
  }

  find(name: string): FileEntry | undefined {
    const own = this.own.find(name);
    if (own !== undefined) return own.hash === undefined ? undefined : own;
    return this.base?.find(name);
  }
}

/** Every file of a check-in in order of name, baseline included, deleted ones left out. */
export function* filesOf(manifest: Manifest): Generator<FileEntry> {
  const { files, baseFiles } = manifest;
  if (baseFiles === undefined) {
    yield* files;
    return;
  }
  let i = 0;
  for (const base of baseFiles) {
    let order = -1;
    while (i < files.length) {
      const own = files[i]!;
      order = own.name === base.name ? 0 : compareUtf8(base.name, own.name);
      if (order < 0) break;
      if (own.hash !== undefined) yield own;
      i++;
      if (order === 0) break;
    }
    if (order !== 0 && base.hash !== undefined) yield base;
  }
  for (; i < files.length; i++) if (files[i]!.hash !== undefined) yield files[i]!;
}

function parseCheckIn(bytes: Uint8Array, options: ParseOptions): CheckIn | undefined {
  try {
    const artifact = parseArtifact(bytes, options);
    return artifact.type === "check-in" ? artifact : undefined;
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}
