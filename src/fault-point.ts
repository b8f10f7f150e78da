/**
 * Named places at which a simulator may make something go wrong: it installs a handler that throws, or
 * squeezes the database it is given. Without a handler, as in every production run, a fault point is one
 * comparison. The handler is per thread.
 */
export type FaultSite =
  /** A write transaction has begun; the subject is its `Db`. */
  | "db-begun"
  /** A write transaction is about to commit. */
  | "db-commit"
  /** A write transaction has committed; whoever asked for it does not know yet. */
  | "db-committed"
  /** The reply to an exchange exists, and has not been sent. */
  | "serve-reply"
  /** The next request of a sync is about to be made. */
  | "sync-request";

export type FaultHandler = (site: FaultSite, subject?: unknown) => void;

let handler: FaultHandler | undefined;

export function faultPoint(site: FaultSite, subject?: unknown): void {
  if (handler !== undefined) handler(site, subject);
}

/** For simulators. `undefined` takes the handler away. */
export function setFaultHandler(next: FaultHandler | undefined): void {
  handler = next;
}
