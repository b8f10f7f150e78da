/**
 * Blocks of insertions and deletions that could as well begin some lines earlier or later are moved to where the lines
 * around them are short, for instance empty, so that a diff shows whole functions and paragraphs. Pure.
 *
 * Source of the rule: Fossil `src/diff.c`, `diff_optimize`.
 */

/** So many lines in both texts, then so many only in the first, then so many only in the second. */
export interface OpenEdit {
  copied: number;
  removed: number;
  inserted: number;
}

/** What of each line is compared, of both texts. */
interface Keys {
  readonly keys1: readonly string[];
  readonly keys2: readonly string[];
}

/** Moves insertions and deletions to where the lines around them are short. */
export function moveBlocks(
  edits: OpenEdit[],
  from: readonly string[],
  to: readonly string[],
  { keys1, keys2 }: Keys,
): void {
  edits.push({ copied: 0, removed: 0, inserted: 0 });
  let [at1, at2] = [0, 0];
  for (const [i, edit] of edits.entries()) {
    at1 += edit.copied;
    at2 += edit.copied;
    const { removed, inserted } = edit;
    const next = edits[i + 1];
    if (next !== undefined && (removed === 0) !== (inserted === 0)) {
      const isInsert = inserted > 0;
      const [lines, keys, count] = isInsert ? [to, keys2, inserted] : [from, keys1, removed];
      const at = () => (isInsert ? at2 : at1);
      const length = (text: readonly string[], line: number) => text[line]?.length ?? 0;
      while (edit.copied > 0 && keys1[at1 - 1] === keys[at() + count - 1]) {
        const gain = length(from, at1) + length(lines, at() + count - 1);
        if (gain <= length(from, at1 - 1) + length(lines, at() + count - 2)) break;
        at1--;
        at2--;
        edit.copied--;
        next.copied++;
      }
      while (next.copied > 0 && keys[at()] === keys[at() + count]) {
        const gain = length(lines, at()) + length(lines, at() + count - 1);
        // Fossil looks at the line past a deletion's first, but at the first itself of an insertion.
        const first = length(lines, isInsert ? at() + 1 : at());
        if (gain <= first + length(lines, at() + count)) break;
        at1++;
        at2++;
        edit.copied++;
        next.copied--;
      }
    }
    at1 += removed;
    at2 += inserted;
  }
}
