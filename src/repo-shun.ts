/**
 * Shunned artifacts: hashes whose content this repository neither takes, sends nor names to anybody. The list
 * (table `shun`: uuid, mtime in seconds since 1970, scom) travels with the area `shun` of the configuration;
 * a hash on it need not be here.
 *
 * Shunning takes an artifact out of the timeline at once. Its content goes when the repository is next
 * rebuilt (`purgeShunned`), by this program or by stock. Unshunning lets the content come again, from a peer
 * that has it. Rules: Fossil `src/shun.c`.
 */
import type { Hash } from "./hash.ts";
import type { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";
import { findTagId } from "./repo-tag-name.ts";

export interface ShunnedArtifact {
  readonly hash: string;
  /** When it was shunned, seconds since 1970. */
  readonly mtime: number | undefined;
  readonly comment: string | undefined;
  /** Its content is still here. */
  readonly isHere: boolean;
}

/** Every hash on the list, sorted. */
export function shunList({ db }: Repo): ShunnedArtifact[] {
  return db
    .prepare<{ uuid: string; mtime: number | null; scom: string | null; isHere: 0 | 1 }>(
      `SELECT uuid, mtime, scom, EXISTS(SELECT 1 FROM blob b WHERE b.uuid=shun.uuid AND size>=0) AS isHere
       FROM shun ORDER BY uuid`,
    )
    .all()
    .map(({ uuid, mtime, scom, isHere }) => ({
      hash: uuid,
      mtime: mtime ?? undefined,
      comment: scom ?? undefined,
      isHere: isHere === 1,
    }));
}

/**
 * Puts a hash on the list, of an artifact or of a ticket.
 *
 * @returns whether it is new there
 */
export function shun(repo: Repo, hash: Hash, comment?: string): boolean {
  const { db, content } = repo;
  return db.write(() => {
    const mtime = Math.floor(repo.clock.now() / 1000);
    const isNew =
      db
        .prepare("INSERT OR IGNORE INTO shun(uuid,mtime,scom) VALUES(?,?,?)")
        .run(hash, mtime, comment ?? null).changes > 0;
    db.prepare("DELETE FROM attachment WHERE src=?").run(hash);
    const rid = content.ridOf(hash);
    if (rid !== undefined) db.prepare("DELETE FROM event WHERE objid=?").run(rid);
    hideTicket(repo, hash);
    return isNew;
  });
}

/** Takes a hash off the list. @returns whether it was there */
export function unshun({ db }: Repo, hash: string): boolean {
  return db.prepare("DELETE FROM shun WHERE uuid=?").run(hash).changes > 0;
}

/**
 * Removes the content of shunned artifacts; what is stored as a delta of them becomes full text first. The
 * caller holds a write transaction and computes the derived tables anew (`rebuildRepository`).
 *
 * @returns how many were removed
 */
export function purgeShunned({ db, content }: Repo): number {
  const shunned = db.prepare("SELECT rid FROM blob JOIN shun USING(uuid)").values<[Rid]>();
  const isShunned = new Set(shunned.map(([rid]) => rid));
  for (const rid of isShunned) {
    for (const dependent of content.dependentsOf(rid))
      if (!isShunned.has(dependent)) content.undelta(dependent);
  }
  for (const rid of isShunned) {
    for (const sql of [
      "DELETE FROM delta WHERE rid=?",
      "DELETE FROM blob WHERE rid=?",
      "DELETE FROM private WHERE rid=?",
    ]) {
      db.prepare(sql).run(rid);
    }
  }
  return isShunned.size;
}

function hideTicket({ db }: Repo, id: string): void {
  const tag = findTagId(db, `tkt-${id}`);
  if (tag === undefined) return;
  db.prepare("DELETE FROM ticket WHERE tkt_uuid=?").run(id);
  db.prepare("DELETE FROM tag WHERE tagid=?").run(tag);
  db.prepare("DELETE FROM tagxref WHERE tagid=?").run(tag);
}
