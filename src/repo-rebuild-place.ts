/**
 * When a stock rebuild comes to an artifact: it visits full texts in order of rid, and after each one all
 * that is stored as a delta of it, directly or not (Fossil `src/rebuild.c`). A few rows depend on which of
 * two artifacts was linked first; this tells which one it is in a rebuild of the file as it stands.
 */
import type { Content, Rid } from "./repo-content.ts";

/** Places are looked up once and kept: use one of these for one question, while storage stays as it is. */
export class RebuildPlaces {
  private readonly roots = new Map<Rid, Rid>();

  constructor(private readonly content: Content) {}

  /** The full text that `rid` hangs on, itself if it is one. */
  of(rid: Rid): Rid {
    const chain: Rid[] = [];
    let root = rid;
    for (let next: Rid | undefined = rid; next !== undefined; next = this.content.sourceOf(next)) {
      root = next;
      const known = this.roots.get(next);
      if (known !== undefined) {
        root = known;
        break;
      }
      chain.push(next);
    }
    for (const link of chain) this.roots.set(link, root);
    return root;
  }
}
