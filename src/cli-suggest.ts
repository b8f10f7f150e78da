/** "Did you mean": the known name nearest to a mistyped one. */

/** Largest number of edits at which a suggestion still helps. */
const EDITS_MAX_COUNT = 2;

/** The candidate fewest edits away, or one that starts with what was typed; undefined when none is near. */
export function suggest(typed: string, candidates: Iterable<string>): string | undefined {
  let best: { name: string; edits: number } | undefined;
  for (const name of candidates) {
    const edits = editDistance(typed, name);
    if (edits < Math.min(typed.length, best?.edits ?? EDITS_MAX_COUNT + 1)) best = { name, edits };
  }
  if (best !== undefined) return best.name;
  return typed.length < 2 ? undefined : [...candidates].find((name) => name.startsWith(typed));
}

/** Inserted, deleted, replaced and swapped characters between two words (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(last[j]! + 1, row[j - 1]! + 1, replaced);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j]!, beforeLast[j - 2]! + 1);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
