/**
 * Check-in locks: a client that is about to commit says so, and another that wants to commit on the same
 * check-in is told. A lock is advice, kept as a row of `config`:
 *
 *     name   ci-lock-HASH          the check-in that is going to be the parent
 *     value  {"login":…,"clientid":…}
 *     mtime  when it was taken, seconds since 1970
 *
 * A lock ends when its holder gives it up, after `lock-timeout` seconds (60), or when the check-in is no
 * longer a leaf. Rules: fossil-facts C; Fossil `src/xfer.c`, `ci-lock`.
 */
import type { Hash } from "./hash.ts";
import type { Repo } from "./repo.ts";

const PREFIX = "ci-lock-";
const TIMEOUT_DEFAULT_S = 60;

export interface CheckInLock {
  readonly checkIn: string;
  /** Who took it; `undefined` for a row that says nothing. */
  readonly login: string | undefined;
  readonly client: string | undefined;
  /** Seconds since 1970. */
  readonly since: number;
  readonly isExpired: boolean;
}

interface LockRow {
  readonly name: string;
  readonly value: string;
  readonly mtime: number | null;
  readonly isLeaf: 0 | 1;
}

/** Every lock on record, expired ones too. */
export function checkInLocks(repo: Repo): CheckInLock[] {
  const now = Math.floor(repo.clock.now() / 1000);
  const timeout = repo.config.integer("lock-timeout", TIMEOUT_DEFAULT_S);
  return repo.db
    .prepare<LockRow>(
      `SELECT name, value, mtime,
              EXISTS(SELECT 1 FROM blob JOIN leaf USING(rid) WHERE uuid=substr(name,9)) AS isLeaf
       FROM config WHERE name GLOB 'ci-lock-*'`,
    )
    .all()
    .map(({ name, value, mtime, isLeaf }) => {
      const since = mtime ?? 0;
      const holder = parseHolder(value);
      const isExpired = since <= now - timeout || isLeaf === 0 || holder === undefined;
      return { checkIn: name.slice(PREFIX.length), ...holder, since, isExpired } as CheckInLock;
    });
}

/** Takes a lock and forgets those that have expired. The caller has seen that nobody else holds it. */
export function takeCheckInLock(repo: Repo, checkIn: Hash, client: string, login: string): void {
  repo.config.set(`${PREFIX}${checkIn}`, JSON.stringify({ login, clientid: client }));
}

export function dropCheckInLock(repo: Repo, lock: CheckInLock): void {
  repo.config.unset(`${PREFIX}${lock.checkIn}`);
}

function parseHolder(value: string): { login: string | undefined; client: string | undefined } | undefined {
  try {
    const holder: unknown = JSON.parse(value);
    if (typeof holder !== "object" || holder === null) return undefined;
    const { login, clientid } = holder as { login?: unknown; clientid?: unknown };
    return {
      login: typeof login === "string" ? login : undefined,
      client: typeof clientid === "string" ? clientid : undefined,
    };
  } catch {
    return undefined;
  }
}
