/**
 * What a repository tells of itself to peers, so that they see whether they miss something (`presence-message`). Asked
 * for every half a minute; the counter makes the cost follow what was added since.
 */
import { type Hash, sha1Hex } from "./hash.ts";
import { PRESENCE_TIP_MAX_COUNT, PRESENCE_UNCLUSTERED_MAX_COUNT } from "./limits.ts";
import type { Repo } from "./repo.ts";
import { Unversioned } from "./repo-unversioned.ts";

export interface RepoPresence {
  /** Artifacts whose content is here. */
  readonly artifactCount: number;
  readonly tips: readonly Hash[];
  /** Undefined with more than `PRESENCE_UNCLUSTERED_MAX_COUNT` artifacts in no cluster. */
  readonly unclustered: Hash | undefined;
  /** Of the catalog of unversioned files, as peers compare it. */
  readonly unversioned: Hash;
}

/** Counts artifacts, each of them once. */
export class PresenceReader {
  private counted = 0;
  private through = 0;

  read(repo: Repo): RepoPresence {
    return repo.db.snapshot(() => ({
      artifactCount: this.count(repo),
      tips: tipsOf(repo),
      unclustered: unclusteredOf(repo),
      unversioned: new Unversioned(repo).catalogHash() as Hash,
    }));
  }

  private count({ db }: Repo): number {
    const through = db.prepare("SELECT coalesce(max(rid),0) FROM blob").value<number>()!;
    // The newest artifacts were purged: what else was, only a full count tells.
    if (through < this.through) this.counted = this.through = 0;
    this.counted += db.prepare("SELECT count(*) FROM blob WHERE rid>?").value<number>(this.through)!;
    this.through = through;
    return this.counted - db.prepare("SELECT count(*) FROM phantom").value<number>()!;
  }
}

function tipsOf({ db }: Repo): Hash[] {
  return db
    .prepare(
      `SELECT blob.uuid FROM leaf CROSS JOIN event ON event.objid=leaf.rid CROSS JOIN blob ON blob.rid=leaf.rid
        WHERE NOT EXISTS(SELECT 1 FROM private WHERE private.rid=leaf.rid)
        ORDER BY event.mtime DESC, blob.uuid LIMIT ?`,
    )
    .values<[Hash]>(PRESENCE_TIP_MAX_COUNT)
    .map(([hash]) => hash);
}

function unclusteredOf({ db }: Repo): Hash | undefined {
  const hashes = db
    .prepare(
      `SELECT blob.uuid FROM unclustered CROSS JOIN blob USING(rid)
        WHERE blob.size>=0 AND NOT EXISTS(SELECT 1 FROM private WHERE private.rid=blob.rid)
          AND NOT EXISTS(SELECT 1 FROM shun WHERE shun.uuid=blob.uuid) LIMIT ?`,
    )
    .values<[Hash]>(PRESENCE_UNCLUSTERED_MAX_COUNT + 1)
    .map(([hash]) => hash);
  if (hashes.length > PRESENCE_UNCLUSTERED_MAX_COUNT) return undefined;
  return sha1Hex(
    hashes
      .sort()
      .map((hash) => `${hash}\n`)
      .join(""),
  ) as Hash;
}
