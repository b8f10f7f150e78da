/**
 * Every error EdgeSync raises on purpose. Each class is one that somebody catches or that carries data;
 * `code` is stable across releases and languages, `message` is for people and may change.
 *
 * A message says what was expected, what came, and (in `hint`) what to do about it. The shell prints
 * `edgesync: <message>` and the hint on a second line; see `exitCode` for the status it ends with.
 */

/** Exit statuses of the command line (see docs/commands.md). */
export const EXIT = { done: 0, failed: 1, usage: 2, conflicts: 3, timedOut: 4 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface ErrorOptionsWithHint extends ErrorOptions {
  /** One sentence telling the user what to do. */
  readonly hint?: string;
  /** Structured facts for programs: sizes, hashes, names. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/** Base of all errors raised on purpose; anything else that escapes is a defect. */
export class EdgeSyncError extends Error {
  override name = "EdgeSyncError";
  readonly code: string;
  readonly hint: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;
  readonly exitCode: ExitCode = EXIT.failed;

  constructor(code: string, message: string, options: ErrorOptionsWithHint = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.data = options.data ?? {};
  }
}

/** Bytes that do not follow the format they claim: delta, zlib, artifact, card, message. */
export class FormatError extends EdgeSyncError {
  override name = "FormatError";
}

/** Bytes that follow the format but exceed a bound of `limits.ts`. */
export class LimitError extends EdgeSyncError {
  override name = "LimitError";
}

/** Content whose hash is not the one it was announced under. */
export class HashMismatchError extends EdgeSyncError {
  override name = "HashMismatchError";
}

/** A repository that cannot be opened, read or written. */
export class RepoError extends EdgeSyncError {
  override name = "RepoError";
}

/** A name (version, file, user, branch) that stands for nothing, or for several things. */
export class NameError extends EdgeSyncError {
  override name = "NameError";
}

/** A login that failed or a right that is missing. */
export class AuthError extends EdgeSyncError {
  override name = "AuthError";
}

/** A peer that answered with something other than the protocol, or refused. */
export class ProtocolError extends EdgeSyncError {
  override name = "ProtocolError";
}

/** The command line, the environment or a configuration file is wrong. */
export class UsageError extends EdgeSyncError {
  override name = "UsageError";
  override readonly exitCode: ExitCode = EXIT.usage;
}

/** Something took longer than it was allowed to. */
export class TimeoutError extends EdgeSyncError {
  override name = "TimeoutError";
  override readonly exitCode: ExitCode = EXIT.timedOut;
}

/**
 * An error as plain data, to cross a worker boundary (structured clone keeps no class).
 * `reviveError` is the inverse for the classes above.
 */
export interface ErrorRecord {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;
  readonly stack: string | undefined;
}

const CLASSES = {
  EdgeSyncError,
  FormatError,
  LimitError,
  HashMismatchError,
  RepoError,
  NameError,
  AuthError,
  ProtocolError,
  UsageError,
  TimeoutError,
} as const;

export function errorToRecord(error: unknown): ErrorRecord {
  if (error instanceof EdgeSyncError) {
    const { name, code, message, hint, data, stack } = error;
    return { name, code, message, hint, data, stack };
  }
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? error.stack : undefined;
  return { name: "Error", code: "internal", message, hint: undefined, data: {}, stack };
}

export function reviveError(record: ErrorRecord): Error {
  const Class = CLASSES[record.name as keyof typeof CLASSES];
  const { code, message, hint, data, stack } = record;
  const options = hint === undefined ? { data } : { data, hint };
  const error = Class === undefined ? new Error(message) : new Class(code, message, options);
  if (stack !== undefined) error.stack = stack;
  return error;
}
