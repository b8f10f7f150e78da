/**
 * The lines that stand around a conflict in a merged file, as stock writes them (Fossil `src/merge3.c`; 2.21
 * has no second one). Each begins a line; a line number may follow. A file with one of the first four has a
 * conflict that is not resolved.
 */
import { utf8 } from "./bytes.ts";

export const CONFLICT_MARKS = [
  "<<<<<<< BEGIN MERGE CONFLICT: local copy shown first <<<<<<<<<<<<",
  "####### SUGGESTED CONFLICT RESOLUTION follows ###################",
  "||||||| COMMON ANCESTOR content follows |||||||||||||||||||||||||",
  "======= MERGED IN content follows ===============================",
  ">>>>>>> END MERGE CONFLICT >>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>",
] as const;

const SIGNS = CONFLICT_MARKS.slice(0, 4).map((mark) => utf8(mark));

/** Whether `content` has a conflict that is not resolved. */
export function hasConflictMark(content: Uint8Array): boolean {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.length);
  return SIGNS.some((sign) => beginsALine(bytes, sign));
}

function beginsALine(bytes: Buffer, sign: Uint8Array): boolean {
  for (let at = bytes.indexOf(sign); at >= 0; at = bytes.indexOf(sign, at + 1)) {
    if (at === 0 || bytes[at - 1] === 0x0a || bytes[at - 1] === 0x0d) return true;
  }
  return false;
}
