/**
 * How files differ, as it is printed: for each file a heading and its difference, or a line with counts, or only its
 * name, in the words and columns of stock.
 *
 *     Index: src/a.c
 *     ==================================================================
 *     --- src/a.c⇥
 *     +++ src/a.c⇥
 *     @@ -1,3 +1,3 @@ …
 *
 * A file that is only in one of the two versions is `ADDED` or `DELETED` in a line of its own; its text is shown only when
 * asked for, against `/dev/null`. Text is raw (`diff-text.ts`), names keep their bytes.
 *
 * Source of the rules: Fossil `src/diffcmd.c`.
 */
import { rawOf } from "./artifact-escape.ts";
import { EMPTY } from "./bytes.ts";
import { CONTEXT_LINES, countChanges, type DiffOptions, diffText, isSame, unified } from "./diff-text.ts";

/** A file of which at least one of the two versions is there; they differ. */
export interface FilePair {
  readonly name: string;
  readonly from?: Uint8Array;
  readonly to?: Uint8Array;
  /** What happened to the file, padded to the column of its name; `ADDED`, `DELETED` or `CHANGED` unless given. */
  readonly label?: string;
  /** The label says all. */
  readonly isBare?: boolean;
  /** A line said instead of the difference, where there can be none; without its end. */
  readonly instead?: string;
}

export interface ReportOptions extends DiffOptions {
  /** Lines shown around each change. */
  readonly context?: number;
  /** Also the text of files that were added or deleted. */
  readonly verbose?: boolean;
}

/** With `--json`. */
export type FileReport = {
  readonly name: string;
  readonly status: "added" | "deleted" | "changed";
  readonly isBinary: boolean;
  /** Lines; `null` when binary. */
  readonly inserted: number | null;
  readonly removed: number | null;
  /** The unified form; `null` when binary. */
  readonly diff: string | null;
};

const BINARY = "cannot compute difference between binary files\n";
const ONLY_BLANKS = "whitespace changes only\n";
const INDEX_LINE = "=".repeat(66);

export const statusOf = ({ from, to }: FilePair): FileReport["status"] =>
  from === undefined ? "added" : to === undefined ? "deleted" : "changed";

/** `CHANGED name`: what happened to a file, without how. */
export function briefLine(pair: FilePair): string {
  return `${pair.label ?? statusOf(pair).toUpperCase().padEnd(7)} ${rawOf(pair.name)}\n`;
}

/** The heading and the difference of one file. */
export function unifiedReport(pair: FilePair, options: ReportOptions): string {
  const { from, to } = pair;
  const status = statusOf(pair);
  const line = status === "changed" ? "" : briefLine(pair);
  if (pair.isBare || (status !== "changed" && !options.verbose)) return line;
  const name = rawOf(pair.name);
  const [left, right] = [from === undefined ? "/dev/null" : name, to === undefined ? "/dev/null" : name];
  return `${line}Index: ${name}\n${INDEX_LINE}\n--- ${left}\t\n+++ ${right}\t\n${textOf(pair, options)}\n`;
}

/** The difference alone: hunks, or a line that says why there are none. */
export function textOf({ from = EMPTY, to = EMPTY, instead }: FilePair, options: ReportOptions): string {
  if (instead !== undefined) return instead;
  const diff = diffText(from, to, options);
  if (diff === undefined) return BINARY;
  if (options.ignore !== undefined && isSame(diff) && diff.edits.length > 0) return ONLY_BLANKS;
  return unified(diff, options.context ?? CONTEXT_LINES);
}

/** Columns with lines inserted and removed, file by file, and their sum. */
export class Counts {
  private inserted = 0;
  private removed = 0;
  private fileCount = 0;

  static readonly heading = `${"INSERTED".padStart(10)} ${"DELETED".padStart(10)}\n`;

  line(pair: FilePair, options: ReportOptions): string {
    const diff = diffText(pair.from ?? EMPTY, pair.to ?? EMPTY, options);
    const name = rawOf(pair.name);
    if (diff === undefined) return `${BINARY} ${name}\n`;
    const { inserted, removed } = countChanges(diff);
    this.inserted += inserted;
    this.removed += removed;
    if (inserted + removed === 0) return ` ${name}\n`;
    this.fileCount++;
    return `${columns(inserted, removed)} ${name}\n`;
  }

  total(): string {
    const noun = this.fileCount === 1 ? "file" : "files";
    return `${columns(this.inserted, this.removed)} TOTAL over ${this.fileCount} changed ${noun}\n`;
  }
}

const columns = (inserted: number, removed: number) =>
  `${String(inserted).padStart(10)} ${String(removed).padStart(10)}`;

export function fileReport(pair: FilePair, options: ReportOptions): FileReport {
  const diff = diffText(pair.from ?? EMPTY, pair.to ?? EMPTY, options);
  const counts = diff && countChanges(diff);
  const text = diff && unified(diff, options.context ?? CONTEXT_LINES);
  return {
    name: pair.name,
    status: statusOf(pair),
    isBinary: diff === undefined,
    inserted: counts?.inserted ?? null,
    removed: counts?.removed ?? null,
    diff: text === undefined ? null : Buffer.from(text, "latin1").toString("utf8"),
  };
}
