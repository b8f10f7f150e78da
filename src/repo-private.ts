/**
 * Private artifacts: those that no sync sends or names unless it is asked for private ones. They are listed, made public,
 * or taken away for good (Fossil `src/publish.c`, `src/rebuild.c`).
 */
import type { Hash } from "./hash.ts";
import { type EpochMs, fromJulian } from "./julian.ts";
import type { Repo } from "./repo.ts";
import { branchOf } from "./repo-branch.ts";
import type { Rid } from "./repo-content.ts";
import { type RebuildOptions, rebuildRepository } from "./repo-rebuild.ts";

export interface PrivateArtifact {
  readonly hash: Hash;
  /** In bytes; -1 while the content is missing. */
  readonly size: number;
  /** Of what is on the timeline. */
  readonly type: string | undefined;
  readonly date: EpochMs | undefined;
  readonly user: string | undefined;
  readonly comment: string | undefined;
}

/** Private artifacts in order of their arrival: check-ins, or all. */
export function privateArtifacts(repo: Repo, all: boolean): PrivateArtifact[] {
  return repo.db
    .prepare(
      `SELECT b.uuid, b.size, e.type, e.mtime, coalesce(e.euser,e.user), coalesce(e.ecomment,e.comment)
       FROM private JOIN blob b USING(rid) LEFT JOIN event e ON e.objid=b.rid
       WHERE ? OR e.type='ci' ORDER BY b.rid`,
    )
    .values<[Hash, number, string | null, number | null, string | null, string | null]>(all ? 1 : 0)
    .map(([hash, size, type, mtime, user, comment]) => ({
      hash,
      size,
      type: type ?? undefined,
      date: mtime === null ? undefined : fromJulian(mtime),
      user: user ?? undefined,
      comment: comment ?? undefined,
    }));
}

/** An artifact to publish; `isBranch` when it was named by its branch, all of which is meant. */
export interface PublishTarget {
  readonly rid: Rid;
  readonly isBranch: boolean;
}

/**
 * Makes artifacts public, of a branch all that follows its first check-in, and, unless `only`, the files and tags of
 * the check-ins among them.
 *
 * @returns hashes of those that were private
 */
export function publish(repo: Repo, targets: readonly PublishTarget[], only: boolean): Hash[] {
  const { db, content } = repo;
  return db.write(() => {
    const chosen = new Set<Rid>();
    for (const { rid, isBranch } of targets) {
      if (!isBranch) chosen.add(rid);
      else for (const below of descendants(repo, startOfBranch(repo, rid))) chosen.add(below);
    }
    if (!only) {
      const files = db.prepare("SELECT fid FROM mlink WHERE mid=? AND fid>0");
      const tags = db.prepare("SELECT srcid FROM tagxref WHERE rid=? AND srcid>0");
      for (const rid of [...chosen]) {
        for (const [used] of [...files.values<[Rid]>(rid), ...tags.values<[Rid]>(rid)]) chosen.add(used);
      }
    }
    const hashes: Hash[] = [];
    for (const rid of [...chosen].sort((a, b) => a - b)) {
      if (!content.isPrivate(rid)) continue;
      content.publish(rid);
      content.markUnsent(rid);
      hashes.push(content.hashOf(rid));
    }
    return hashes;
  });
}

/** The first check-in of the branch that `rid` is on, going back along first parents. */
function startOfBranch(repo: Repo, rid: Rid): Rid {
  const branch = branchOf(repo, rid);
  const parent = repo.db.prepare("SELECT pid FROM plink WHERE cid=? AND isprim");
  let first = rid;
  for (let next = parent.value<Rid>(rid); next !== undefined; next = parent.value<Rid>(next)) {
    if (branchOf(repo, next) !== branch) break;
    first = next;
  }
  return first;
}

function descendants(repo: Repo, first: Rid): Rid[] {
  return repo.db
    .prepare(
      `WITH RECURSIVE below(rid) AS (VALUES(?) UNION SELECT p.cid FROM below b JOIN plink p ON p.pid=b.rid)
       SELECT rid FROM below`,
    )
    .values<[Rid]>(first)
    .flat();
}

/**
 * Removes all private artifacts, and every trace of them from the file. What is public and stored as a delta of one becomes
 * full text first.
 *
 * @returns how many were removed
 */
export function scrubPrivate(repo: Repo, options: RebuildOptions): number {
  const { db, content } = repo;
  const count = db.write(() => {
    const all = db.prepare("SELECT rid FROM private").values<[Rid]>().flat();
    if (all.length === 0) return 0;
    db.exec("PRAGMA secure_delete=ON");
    const isPrivate = new Set(all);
    for (const rid of all) {
      for (const dependent of content.dependentsOf(rid))
        if (!isPrivate.has(dependent)) content.undelta(dependent);
    }
    db.prepare("DELETE FROM blob WHERE rid IN private").run();
    db.prepare("DELETE FROM delta WHERE rid IN private").run();
    db.prepare("DELETE FROM private").run();
    rebuildRepository(repo, options);
    return all.length;
  });
  if (count > 0) db.exec("VACUUM");
  return count;
}

/** Takes away what is nobody else's business in a copy that is given away: passwords, and addresses of remotes and peers. */
export function scrubSecrets({ db }: Repo): void {
  db.write(() => {
    db.exec("PRAGMA secure_delete=ON");
    db.prepare("UPDATE user SET pw=''").run();
    const forget = db.prepare("DELETE FROM config WHERE name GLOB ?");
    for (const pattern of SECRET_SETTINGS) forget.run(pattern);
    for (const table of ["fx_remote", "fx_iroh_allow"]) db.exec(`DROP TABLE IF EXISTS ${table}`);
  });
  db.exec("VACUUM");
}

const SECRET_SETTINGS: readonly string[] = [
  "baseurl:*",
  "cert:*",
  "ckout:*",
  "draft[1-9]-*",
  "gitpush:*",
  "http-auth:*",
  "last-sync-*",
  "link:*",
  "login-group-*",
  "parent-project-*",
  "peer-*",
  "skin:*",
  "subrepo:*",
  "sync-*",
  "syncfrom:*",
  "syncwith:*",
  "ssl-*",
];
