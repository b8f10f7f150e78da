/**
 * The library: what a program that embeds EdgeSync may rely on. Nothing inside imports this module.
 *
 *     const repo = Repo.open("project.fossil", { mode: "read", clock: systemClock, random: systemRandom });
 *     for (const { date, comment } of timeline(repo, { limit: 10 })) …
 *     repo.close();
 */
export { type CheckoutCommit, commitCheckout } from "./checkout-commit.ts";
export { Checkout, type OpenCheckoutOptions } from "./checkout-db.ts";
export { changesOf, type FileChange, refresh } from "./checkout-status.ts";
export { type SwitchOptions, switchTo } from "./checkout-switch.ts";
export { type Clock, systemClock } from "./clock.ts";
export {
  AuthError,
  EdgeSyncError,
  FormatError,
  HashMismatchError,
  LimitError,
  NameError,
  ProtocolError,
  RepoError,
  TimeoutError,
  UsageError,
} from "./errors.ts";
export type { Hash } from "./hash.ts";
export { type Leaf, type LeafDependencies, type LeafOptions, startLeaf } from "./leaf.ts";
export { createLogger, type Logger, silentLogger } from "./log.ts";
export type { NatsLink } from "./nats-link.ts";
export { ExternalLink, type ExternalNatsOptions } from "./nats-link-external.ts";
export { type Random, seededRandom, systemRandom } from "./random.ts";
export { type CreateOptions, type OpenOptions, Repo } from "./repo.ts";
export { addInitialCheckIn, type CheckInResult, commit } from "./repo-checkin.ts";
export type { CheckInRequest } from "./repo-checkin-place.ts";
export type { FileEdit } from "./repo-checkin-tree.ts";
export type { Rid } from "./repo-content.ts";
export { type CheckInFile, findFile, listFiles, readFile } from "./repo-files.ts";
export { findName, type NameOptions, resolveName } from "./repo-name.ts";
export { type RebuildOptions, type RebuildReport, rebuildRepository } from "./repo-rebuild.ts";
export { type TimelineEntry, type TimelineQuery, timeline } from "./repo-timeline.ts";
export { type ClientOptions, SyncClient } from "./sync-client.ts";
export { runSync, type SessionOptions, type SyncProgress } from "./sync-session.ts";
export { HttpTransport, type HttpTransportOptions } from "./transport-http.ts";
export { NatsTransport, type NatsTransportOptions, syncSubject } from "./transport-nats.ts";
