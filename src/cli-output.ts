/**
 * Where a command's results go. Results to stdout, everything else to stderr; with `--json` a result is one
 * JSON document, and each item of a stream is one line of JSON.
 *
 * Text is gathered and written in blocks; `flush` must be called before the process ends. Writing is
 * synchronous: a reader that is slow slows the command, and a reader that has gone away (`| head`) ends it
 * through `StdoutClosed`, without a message.
 */
import { writeSync } from "node:fs";
import { utf8 } from "./bytes.ts";
import type { Clock } from "./clock.ts";
import { EdgeSyncError } from "./errors.ts";

export type Json =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly Json[]
  | { readonly [key: string]: Json };

/** The reader of stdout has closed it. Not a failure: whoever reads has seen enough. */
export class StdoutClosed extends Error {
  override name = "StdoutClosed";
}

/** A file descriptor, or what stands for one in a test. */
export type Sink = (bytes: Uint8Array) => void;

export interface OutputOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** Is stderr a terminal? Asked only when it matters: finding out costs more than most commands. */
  readonly isTerminal: () => boolean;
  /** Colours, where there is a terminal. */
  readonly color: boolean;
  readonly clock: Clock;
  readonly stdout?: Sink;
  readonly stderr?: Sink;
}

const BLOCK_CHARS = 65_536;
/** Work shorter than this shows no progress. */
const PROGRESS_AFTER_MS = 1000;
const PROGRESS_EVERY_MS = 200;

export class Output {
  private readonly stdout: Sink;
  private readonly stderr: Sink;
  private pending = "";

  constructor(private readonly options: OutputOptions) {
    this.stdout = options.stdout ?? writeStdout;
    this.stderr = options.stderr ?? writeStderr;
  }

  get json(): boolean {
    return this.options.json;
  }

  /** Whether stderr is a terminal. */
  get terminal(): boolean {
    return this.options.isTerminal();
  }

  /** Whether stderr takes colours. */
  get color(): boolean {
    return this.options.color && this.terminal;
  }

  /** The one result of a command: `value` with `--json`, else the text, which should end in a newline. */
  result(value: Json, text: () => string): void {
    this.text(this.json ? `${JSON.stringify(value, null, 2)}\n` : text());
  }

  /** One item of a stream: one line of JSON each, or its text. */
  item(value: Json, text: () => string): void {
    this.text(this.json ? `${JSON.stringify(value)}\n` : text());
  }

  /** Content that is not text: a file's bytes, as they are. */
  bytes(content: Uint8Array): void {
    this.flush();
    this.stdout(content);
  }

  /** A line for the user that is no result. Not with `-q`. */
  note(message: string): void {
    if (!this.options.quiet) this.log(message);
  }

  /** A line that only `-v` shows. */
  detail(message: string): void {
    if (this.options.verbose) this.log(message);
  }

  /** An error as two lines at most: what went wrong, and what to do. Never silenced. */
  error(error: unknown): void {
    const known = error instanceof EdgeSyncError;
    const message = error instanceof Error ? error.message : String(error);
    const head = this.color ? "\u001b[31medgesync:\u001b[0m" : "edgesync:";
    this.log(`${head} ${known ? oneLine(message) : `internal error: ${oneLine(message)}`}`);
    if (known && error.hint !== undefined) this.log(`  ${oneLine(error.hint)}`);
    if ((this.options.verbose || !known) && error instanceof Error && error.stack !== undefined) {
      this.log(error.stack);
    }
  }

  /** Shows how far work has come: nothing on a pipe, with `-q`, or before the work has lasted a second. */
  progress(label: string): Progress {
    const { quiet, clock } = this.options;
    if (quiet) return { update() {}, end() {} };
    const startMs = clock.monotonic();
    let shownMs = startMs + PROGRESS_AFTER_MS - PROGRESS_EVERY_MS;
    let shown = false;
    return {
      update: (state) => {
        const nowMs = clock.monotonic();
        if (nowMs - shownMs < PROGRESS_EVERY_MS) return;
        shownMs = nowMs;
        // Asked this late, for most work is done before.
        if (!this.terminal) return;
        shown = true;
        this.stderr(utf8(`\r\u001b[K${label}: ${describeProgress(state, nowMs - startMs)}`));
      },
      end: () => {
        if (shown) this.stderr(utf8("\r\u001b[K"));
      },
    };
  }

  /** @throws StdoutClosed */
  flush(): void {
    const text = this.pending;
    this.pending = "";
    if (text !== "") this.stdout(utf8(text));
  }

  private text(text: string): void {
    this.pending += text;
    if (this.pending.length >= BLOCK_CHARS) this.flush();
  }

  /** A line on stderr, whatever was asked for: for errors, and for a logger with a level of its own. */
  log(message: string): void {
    this.flush();
    this.stderr(utf8(`${message}\n`));
  }
}

export interface ProgressState {
  readonly doneCount: number;
  readonly totalCount?: number;
  readonly doneBytes?: number;
  /** What is counted, in the plural. */
  readonly noun?: string;
  /** Of an exchange, so far. */
  readonly rounds?: number;
}

export interface Progress {
  update(state: ProgressState): void;
  /** Takes the line away again. */
  end(): void;
}

function describeProgress(state: ProgressState, elapsedMs: number): string {
  const { doneCount, totalCount, doneBytes, noun, rounds } = state;
  const count = totalCount === undefined ? `${doneCount}` : `${doneCount} of ${totalCount}`;
  const parts = [noun === undefined ? count : `${count} ${noun}`];
  if (rounds !== undefined) parts.unshift(`round ${rounds + 1}`);
  const seconds = elapsedMs / 1000;
  if (doneBytes !== undefined) parts.push(formatBytes(doneBytes), `${formatBytes(doneBytes / seconds)}/s`);
  else parts.push(`${Math.round(doneCount / seconds)}/s`);
  if (totalCount !== undefined && doneCount > 0) {
    parts.push(`${Math.ceil(((totalCount - doneCount) / doneCount) * seconds)} s left`);
  }
  return parts.join(", ");
}

/** `999 B`, `1.2 kB`, `34.5 MB`: powers of 1000. */
export function formatBytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Text columns: each padded to its widest cell, two blanks between, nothing after the last. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, Bun.stringWidth(cell));
  }
  const pad = (cell: string, i: number) => cell + " ".repeat(widths[i]! - Bun.stringWidth(cell));
  return rows.map((row) => `${row.map(pad).join("  ").trimEnd()}\n`).join("");
}

const oneLine = (text: string) => text.replace(/\s*\n\s*/g, "; ");

const writeStdout: Sink = (bytes) => {
  try {
    writeAll(1, bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EPIPE") throw new StdoutClosed("stdout is closed");
    const code = (error as NodeJS.ErrnoException).code ?? "an error";
    throw new EdgeSyncError("stdout", `the results cannot be written to standard output (${code})`, {
      cause: error,
    });
  }
};

/** Nobody is left to be told when stderr fails. */
const writeStderr: Sink = (bytes) => {
  try {
    writeAll(2, bytes);
  } catch {}
};

/** A descriptor that another process made non-blocking answers EAGAIN: wait and go on. */
function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length; ) {
    try {
      offset += writeSync(descriptor, bytes, offset);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Bun.sleepSync(1);
    }
  }
}
