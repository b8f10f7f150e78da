/**
 * Check-in locks over the wire: `ci-lock` before a commit, `ci-unlock` after it. Everyone who asks is told
 * of another's lock; only who may push takes one. Rules: fossil-facts B, C.
 */
import { type CheckInLock, checkInLocks, dropCheckInLock, takeCheckInLock } from "./repo-ci-lock.ts";
import type { ServerExchange } from "./sync-server-exchange.ts";
import type { CiLockPragma, CiUnlockPragma } from "./xfer-card.ts";

export function handleCiLock(x: ServerExchange, { checkIn, client }: CiLockPragma): void {
  const mayLock = x.allows("pragma ci-lock");
  if (mayLock) x.forWriting();
  const locks = checkInLocks(x.repo);
  if (mayLock) for (const lock of locks) if (lock.isExpired) dropCheckInLock(x.repo, lock);
  const held = locks.find((lock) => lock.checkIn === checkIn && !lock.isExpired);
  if (held !== undefined && held.client !== client) {
    x.out.card({ type: "pragma ci-lock-fail", user: held.login ?? "", since: held.since });
  }
  if (held === undefined && mayLock) takeCheckInLock(x.repo, checkIn, client, x.user ?? "anonymous");
  if (x.repo.config.isOn("forbid-delta-manifests", true)) {
    x.out.card({ type: "pragma avoid-delta-manifests" });
  }
}

export function handleCiUnlock(x: ServerExchange, { client }: CiUnlockPragma): void {
  const isToGo = (lock: CheckInLock) => lock.client === client || lock.client === undefined;
  const ended = checkInLocks(x.repo).filter(isToGo);
  if (ended.length === 0) return;
  const repo = x.forWriting();
  for (const lock of ended) dropCheckInLock(repo, lock);
}
