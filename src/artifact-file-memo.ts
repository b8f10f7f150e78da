/**
 * F cards read before. Successive manifests of a project share nearly all their F cards, and reading one
 * (splitting, unescaping, checking the name and the hash) costs ten times as much as finding its line in
 * a map. What a line says depends on nothing but the line, as long as it has a hash (without one it is
 * allowed in delta manifests only); that the cards are in order is still checked for each manifest.
 *
 * A line is looked for first where it was last time: behind the line that precedes it here. That costs one
 * comparison of bytes, and the order of the two names was checked then.
 *
 * Entries are shared by the artifacts that were parsed with one memo, so that a file that did not change is
 * one object in all of them.
 */
import type { FileEntry } from "./artifact-types.ts";
import { latin1 } from "./bytes.ts";
import type { Hash } from "./hash.ts";
import { FILE_MEMO_COUNT } from "./limits.ts";

export interface KnownFile {
  /** Raw text of the card after `F `, without its line feed. */
  readonly line: string;
  /** The unescaped raw name, by which F cards are sorted. */
  readonly key: string;
  readonly entry: FileEntry;
  /** What followed it the last time, its name known to sort after this one's. */
  next: KnownFile | undefined;
}

export class FileMemo {
  private readonly known = new Map<string, KnownFile>();

  get(line: string): KnownFile | undefined {
    return this.known.get(line);
  }

  /** Remembers what a line says. What is kept is a copy, which keeps no text of the manifest alive. */
  add(line: string, key: string, entry: FileEntry & { readonly hash: Hash }): KnownFile {
    if (this.known.size >= FILE_MEMO_COUNT) this.known.clear();
    const name = copied(entry.name);
    const prior = entry.priorName === undefined ? {} : { priorName: copied(entry.priorName) };
    const known: KnownFile = {
      line: copied(line),
      key: key === entry.name ? name : copied(key),
      entry: { ...entry, ...prior, name, hash: copied(entry.hash) },
      next: undefined,
    };
    this.known.set(known.line, known);
    return known;
  }
}

/** The same string in memory of its own: a slice would keep the text it was cut from. */
function copied<S extends string>(text: S): S {
  return (/[^\0-\xff]/.test(text) ? structuredClone(text) : latin1(Buffer.from(text, "latin1"))) as S;
}
