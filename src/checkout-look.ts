/**
 * One look at very many files of a folder: which of them are not as expected? The C library is asked directly, with names as they
 * come from the database: an object for each file and a string for each name would take twice the time of the whole.
 *
 * The system call is statx(2), whose result is laid out alike on every Linux:
 *
 *     offset 28  u16  type and permissions
 *     offset 40  u64  size
 *     offset 112 i64  seconds since 1970 of the last change, rounded down
 */
import { ptr } from "bun:ffi";
import { closeSync, constants, openSync } from "node:fs";
import { type Bytes, text } from "./bytes.ts";
import { openLibc } from "./libc.ts";

/** Ordinary files, in three lists of one length. */
export interface ExpectedFiles {
  /** Names seen from the folder, each with a NUL behind it. */
  readonly names: Bytes;
  /** In bytes. */
  readonly sizes: readonly number[];
  /** Twice the seconds since 1970 of the last change, plus 1 for a file that its owner may execute. */
  readonly stamps: readonly number[];
}

const STATX = { statx: { args: ["i32", "ptr", "i32", "u32", "ptr"], returns: "i32" } } as const;
const STATX_BYTES = 256;
/** Type, permissions, time of the last change, size. */
const WANTED = 0x0001 | 0x0002 | 0x0040 | 0x0200;
const NO_FOLLOW = 0x100;
const TYPE_MASK = 0o170000;
const ORDINARY_FILE = 0o100000;
const OWNER_EXECUTES = 0o100;

/**
 * Names of those that are missing, no ordinary files, or of another size, time or permission.
 *
 * @param followLinks whether a link is what it points to
 * @returns `undefined` where files cannot be looked at this way: on other systems, in a folder that cannot be read
 */
export function unlikeExpected(
  folder: string,
  { names, sizes, stamps }: ExpectedFiles,
  followLinks: boolean,
): string[] | undefined {
  const libc = openLibc(STATX);
  const descriptor = libc && openFolder(folder);
  if (descriptor === undefined) return undefined;
  try {
    const { statx } = libc!.symbols;
    const flags = followLinks ? 0 : NO_FOLLOW;
    const words = new Uint32Array(STATX_BYTES / 4);
    const halves = new Uint16Array(words.buffer);
    const [base, result] = [ptr(names) as number, ptr(words)];
    const unlike: string[] = [];
    let start = 0;
    for (let i = 0; i < sizes.length; i++) {
      const end = names.indexOf(0, start);
      if (
        statx(descriptor, (base + start) as typeof result, flags, WANTED, result) !== 0 ||
        words[10]! + words[11]! * 0x1_0000_0000 !== sizes[i] ||
        2 * (words[28]! + (words[29]! | 0) * 0x1_0000_0000) + (halves[14]! & OWNER_EXECUTES ? 1 : 0) !==
          stamps[i] ||
        (halves[14]! & TYPE_MASK) !== ORDINARY_FILE
      ) {
        unlike.push(text(names.subarray(start, end)));
      }
      start = end + 1;
    }
    return unlike;
  } finally {
    closeSync(descriptor);
    libc!.close();
  }
}

function openFolder(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch {
    return undefined;
  }
}
