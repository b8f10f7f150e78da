/**
 * Which strings may be a file's name in a check-in, a wiki page's name, a tag's name. The rules are about
 * ASCII and so hold for text and for raw strings (`artifact-escape.ts`) alike, except for the length of a
 * wiki name, which counts bytes.
 *
 * Source: fossil-facts F; `file_is_simple_pathname`, `file_is_reserved_name`, `wiki_name_is_wellformed` in
 * Fossil's source.
 */
import { rawOf } from "./artifact-escape.ts";

const WIKI_NAME_MAX_BYTES = 100;

/** An empty, `.` or `..` segment. */
const BAD_SEGMENT = /(?:^|\/)\.{0,2}(?:\/|$)/;

const SLASH_OR_DOT: ReadonlySet<string> = new Set("/.");

const CHECKOUT_DATABASE = /(?:^|\/)(?:_FOSSIL_|\.fslckout)$/i;
const CHECKOUT_JOURNAL = /(?:_FOSSIL_|\.fslckout)-(?:wal|shm|journal)$/i;

const RESERVED_ENDS: ReadonlySet<string> = new Set("_tTlLmM");

const HEX = /^[0-9a-f]*$/i;

/** A relative path of `/`-separated segments, none of them empty, `.` or `..`. */
export function isSimplePath(name: string): boolean {
  const suspicious =
    name === "" ||
    SLASH_OR_DOT.has(name[0]!) ||
    name.endsWith("/") ||
    name.includes("//") ||
    name.includes("/.");
  return !suspicious || !BAD_SEGMENT.test(name);
}

/**
 * A checkout's own database (`_FOSSIL_`, `.fslckout`, in any folder and case) or its journals. Such an
 * F card is skipped when an old check-in has one, and never written.
 */
export function isReservedName(name: string): boolean {
  if (name.length < 8 || !RESERVED_ENDS.has(name.at(-1)!)) return false;
  return CHECKOUT_DATABASE.test(name) || CHECKOUT_JOURNAL.test(name);
}

/** 1 to 100 bytes, no control characters, no leading, trailing or doubled spaces. */
export function isWikiName(name: string): boolean {
  const raw = rawOf(name);
  if (raw.length === 0 || raw.length > WIKI_NAME_MAX_BYTES) return false;
  if (raw.startsWith(" ") || raw.endsWith(" ") || raw.includes("  ")) return false;
  for (let i = 0; i < raw.length; i++) if (raw.charCodeAt(i) < 0x20) return false;
  return true;
}

/** Not empty, and not all hex digits: those would be taken for a version's hash. `name` has no prefix. */
export function isTagName(name: string): boolean {
  return !HEX.test(name);
}
