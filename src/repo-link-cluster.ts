/**
 * Links a cluster: its members need no announcement of their own any more, since announcing the cluster
 * announces them. Members never seen become phantoms, and so are asked for. The cluster itself stays in
 * `unclustered` until another cluster names it. Facts: Fossil `src/manifest.c`; fossil-facts E.
 *
 * A cluster has no D card: its tag `cluster` is dated with the time it is linked.
 */
import type { Cluster } from "./artifact-types.ts";
import { NO_RID, type Rid } from "./repo-content.ts";
import type { LinkContext } from "./repo-link-context.ts";
import { insertTag, TAG_TYPE } from "./repo-tag.ts";

export function linkCluster(ctx: LinkContext, rid: Rid, cluster: Cluster): void {
  const date = ctx.repo.clock.now();
  insertTag(ctx, { name: "cluster", type: TAG_TYPE.singleton, value: null, source: rid, date, target: rid });
  const remove = ctx.db.prepare("DELETE FROM unclustered WHERE rid=?");
  for (const hash of cluster.members) {
    const member = ctx.ridOf(hash);
    if (member === NO_RID) continue;
    // The peer that made the cluster does not hold it for private; what a phantom is to us is a guess.
    if (!ctx.isRebuild && ctx.content.isPhantom(member)) ctx.content.publish(member);
    remove.run(member);
  }
}
