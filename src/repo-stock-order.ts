/**
 * The order in which stock Fossil visits the deltas of one artifact when it rebuilds. Linking in the same
 * order gives the same tables to the row and the number, also where the outcome depends on order (two tags
 * of one instant, numbers of tags and file names).
 *
 * Stock puts the rids into an open-addressing hash table of integers and walks its slots (Fossil
 * `src/bag.c`):
 *   - rid r goes to slot (r × 101) mod size, or the next free one after it, wrapping around;
 *   - before an insertion that would fill the table to half (count + 1 ≥ ⌊size / 2⌋), the size becomes
 *     2 × size + 20, and the rids are inserted anew in order of slot; the size starts at 0.
 */

/** @param rids distinct, in the order they are found */
export function stockOrder<R extends number>(rids: readonly R[]): R[] {
  if (rids.length < 2) return [...rids];
  let slots: (R | 0)[] = [];
  let count = 0;
  const insert = (rid: R): void => {
    let slot = (rid * 101) % slots.length;
    while (slots[slot] !== 0) slot = (slot + 1) % slots.length;
    slots[slot] = rid;
  };
  for (const rid of rids) {
    if (count + 1 >= slots.length >> 1) {
      const before = held(slots);
      slots = new Array<R | 0>(slots.length * 2 + 20).fill(0);
      for (const moved of before) insert(moved);
    }
    insert(rid);
    count++;
  }
  return held(slots);
}

function held<R extends number>(slots: readonly (R | 0)[]): R[] {
  return slots.filter((slot): slot is R => slot !== 0);
}
