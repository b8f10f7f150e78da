/**
 * The filename table: each file name of any check-in and its id (`fnid`), which mlink refers to. Ids are
 * given in order of first use.
 */
import { text, utf8 } from "./bytes.ts";
import type { Db } from "./db.ts";
import { FILENAME_CACHE_COUNT } from "./limits.ts";
import { textParameter } from "./repo-text.ts";

export class Filenames {
  private readonly ids = new Map<string, number>();

  constructor(private readonly db: Db) {}

  /** The id of `name`, a new one if it has none. */
  idOf(name: string): number {
    const kept = this.ids.get(name);
    if (kept !== undefined) return kept;
    const parameter = textParameter(name);
    const id =
      this.db.prepare("SELECT fnid FROM filename WHERE name=CAST(? AS TEXT)").value<number>(parameter) ??
      this.db.prepare("INSERT INTO filename(name) VALUES(CAST(? AS TEXT))").run(parameter).lastInsertRowid;
    if (this.ids.size >= FILENAME_CACHE_COUNT) this.ids.clear();
    // A copy: `name` may be a slice that keeps the text of a whole manifest alive.
    if (typeof parameter === "string") this.ids.set(text(utf8(name)), id);
    return id;
  }
}
