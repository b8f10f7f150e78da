/**
 * The answer to who asks for news, made before anybody asks, so that it can travel with the announcement: what anybody
 * gets who asks for these artifacts without a login, rights and all, for it comes from the server's own hand.
 *
 * Only where it is small, and quickly made: new artifacts of `ANNOUNCED_CONTENT_MAX_BYTES` in all, and none that
 * would be told as a delta of something larger than that.
 */
import type { Hash } from "./hash.ts";
import {
  ANNOUNCED_CONTENT_MAX_BYTES,
  ANNOUNCED_REPLY_INFLATED_MAX_BYTES,
  ANNOUNCED_REPLY_MAX_BYTES,
} from "./limits.ts";
import { randomHex } from "./random.ts";
import type { Repo } from "./repo.ts";
import type { News } from "./repo-news.ts";
import { serveCards } from "./sync-server.ts";
import { PROTOCOL_VERSION } from "./sync-version.ts";
import { packBlob } from "./zlib.ts";

/** The reply, packed; undefined when it is not to be had so, or more than its artifacts were asked for. */
export function answerToAll(repo: Repo, { artifacts, items }: News): Uint8Array | undefined {
  const projectCode = repo.config.projectCode;
  if (artifacts.length === 0 || projectCode === undefined || !isSmall(repo, artifacts)) return undefined;
  if (items.some(({ rid }) => hasLargeParents(repo, rid))) return undefined;
  const { message, facts } = serveCards(repo, [
    { type: "pragma client-version", ...PROTOCOL_VERSION },
    { type: "pragma edgesync-gimme-only" },
    { type: "pull", serverCode: randomHex(repo.random, 20), projectCode },
    ...artifacts.map((hash) => ({ type: "gimme", hash }) as const),
  ]);
  if (facts.artifactsSent !== artifacts.length || message.length > ANNOUNCED_REPLY_INFLATED_MAX_BYTES)
    return undefined;
  const packed = packBlob(message, 1);
  return packed.length > ANNOUNCED_REPLY_MAX_BYTES ? undefined : packed;
}

function isSmall({ db }: Repo, artifacts: readonly Hash[]): boolean {
  const size = db.prepare("SELECT size FROM blob WHERE uuid=?");
  let total = 0;
  for (const hash of artifacts) total += size.value<number>(hash) ?? 0;
  return total <= ANNOUNCED_CONTENT_MAX_BYTES;
}

/** Whether the check-in's parent, or a file before it was changed, is large. */
function hasLargeParents({ db }: Repo, rid: number): boolean {
  const large = db.prepare(
    `SELECT 1 FROM plink JOIN blob ON blob.rid=plink.pid WHERE plink.cid=?1 AND blob.size>?2
      UNION ALL SELECT 1 FROM mlink JOIN blob ON blob.rid=mlink.pid WHERE mlink.mid=?1 AND blob.size>?2 LIMIT 1`,
  );
  return large.value(rid, ANNOUNCED_CONTENT_MAX_BYTES) !== undefined;
}
