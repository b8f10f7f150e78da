/**
 * Finds the rids in a checkout's tables anew after the repository was replaced by a clone of it, in which
 * the same artifacts have other rids (Fossil `src/vfile.c`, `src/stash.c`).
 *
 * What an old rid stands for is known by name: the check-in by `vvar.checkout-hash`, files by their place in
 * it, merged files and check-ins by `mhash`, stashed ones by `hash`. What bisect
 * remembers is dropped; so should be, by the caller, what undo does.
 */
import type { Db } from "./db.ts";
import { RepoError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import type { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";
import { listFiles } from "./repo-files.ts";

/**
 * @param checkIn the check-in that is checked out, by its rid now
 * @throws RepoError `checkout-stale` when something that the tables refer to is not in the repository
 */
export function renumber(db: Db, repo: Repo, checkIn: Rid): void {
  const files = new Map(listFiles(repo, checkIn).map(({ name, rid }) => [name, rid]));
  const named = (hash: string | null): Rid => {
    const rid = hash === null ? undefined : repo.content.ridOf(hash as Hash);
    if (rid !== undefined) return rid;
    throw new RepoError("checkout-stale", `${repo.path} lacks artifacts that this checkout refers to`, {
      hint: "sync that repository, or open the right one with edgesync repo open --reopen FILE",
    });
  };
  db.write(() => {
    for (const [id, rid, mrid, name, mhash] of db
      .prepare("SELECT id, rid, mrid, coalesce(origname,pathname), mhash FROM vfile")
      .values<[number, number, number, string, string | null]>()) {
      const newRid = rid === 0 ? 0 : (files.get(name) ?? named(mhash));
      const newMrid = mrid === rid ? newRid : mrid === 0 ? 0 : named(mhash);
      db.prepare("UPDATE vfile SET vid=?, rid=?, mrid=? WHERE id=?").run(checkIn, newRid, newMrid, id);
    }
    for (const [rowid, mhash] of db.prepare("SELECT rowid, mhash FROM vmerge").values<[number, string]>()) {
      db.prepare("UPDATE vmerge SET merge=? WHERE rowid=?").run(named(mhash), rowid);
    }
    if (hasTable(db, "stash")) renumberStash(db, named);
    db.exec(
      `DELETE FROM vvar WHERE name IN
       ('bisect-good','bisect-bad','bisect-log','bisect-complete','bisect-linear')`,
    );
  });
}

function renumberStash(db: Db, named: (hash: string | null) => Rid): void {
  for (const [id, hash] of db.prepare("SELECT stashid, hash FROM stash").values<[number, string | null]>()) {
    if (hash !== null) db.prepare("UPDATE stash SET vid=? WHERE stashid=?").run(named(hash), id);
  }
  const rows = db.prepare("SELECT rowid, hash FROM stashfile WHERE rid>0").values<[number, string | null]>();
  for (const [rowid, hash] of rows) {
    if (hash !== null) db.prepare("UPDATE stashfile SET rid=? WHERE rowid=?").run(named(hash), rowid);
  }
}

function hasTable(db: Db, name: string): boolean {
  return db.prepare("SELECT 1 FROM sqlite_schema WHERE type='table' AND name=?").value(name) !== undefined;
}
