/**
 * Making clusters. A cluster is an artifact that lists others, so that one `igot` announces many. Facts:
 * Fossil `src/xfer.c` (cluster creation); fossil-facts F, last item.
 *
 * When a hundred or more artifacts are in no cluster (phantoms, what waits for one, and shunned ones not counted), all of them
 * go into clusters in order of hash: 800 to each, but a rest of up to 100 joins the cluster before it.
 * Stock does this while it serves a pull. Which artifacts are where does not matter: any number of peers
 * may cluster the same ones in different ways.
 */
import { formatArtifact } from "./artifact-format.ts";
import type { Hash } from "./hash.ts";
import type { Repo } from "./repo.ts";
import { WAITING_SQL } from "./repo-blob.ts";
import type { Rid } from "./repo-content.ts";
import { ReceiveBatch, type ReceiveOptions } from "./repo-receive.ts";

const UNCLUSTERED_MIN_COUNT = 100;
const MEMBERS_COUNT = 800;
const REST_MAX_COUNT = 100;

/** Clusters what is unclustered, if there is enough of it. Returns the new clusters. */
export function createClusters(repo: Repo, origin: Omit<ReceiveOptions, "onWrong"> = {}): readonly Rid[] {
  return repo.db.write(() => {
    const hashes = unclustered(repo);
    if (hashes.length < UNCLUSTERED_MIN_COUNT) return [];
    const batch = new ReceiveBatch(repo, { ...origin, onWrong: "throw" });
    const clusters = split(hashes).map((members) => batch.add(formatArtifact({ type: "cluster", members })));
    batch.finish();
    return clusters;
  });
}

function unclustered(repo: Repo): Hash[] {
  const rows = repo.db
    .prepare(
      `SELECT blob.uuid FROM unclustered CROSS JOIN blob USING(rid)
        WHERE NOT EXISTS(SELECT 1 FROM phantom WHERE phantom.rid=blob.rid)
          AND NOT EXISTS(SELECT 1 FROM shun WHERE shun.uuid=blob.uuid)
          AND blob.rid NOT IN (${WAITING_SQL})
        ORDER BY blob.uuid`,
    )
    .values<[Hash]>();
  return rows.map(([hash]) => hash);
}

/** Members of each cluster. Exported for its test. */
export function split<T>(members: readonly T[]): readonly (readonly T[])[] {
  const clusters: (readonly T[])[] = [];
  let start = 0;
  while (members.length - start > MEMBERS_COUNT + REST_MAX_COUNT) {
    clusters.push(members.slice(start, start + MEMBERS_COUNT));
    start += MEMBERS_COUNT;
  }
  clusters.push(members.slice(start));
  return clusters;
}
