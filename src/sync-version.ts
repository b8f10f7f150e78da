/**
 * Versions as peers tell them (`pragma client-version V DATE TIME`, `pragma server-version …`), and what
 * follows from them. V is major × 10000 + minor × 100 + patch; DATE is YYYYMMDD and TIME HHMMSS of the
 * build. Rules: fossil-facts B, D, G22, G33.
 */
export interface PeerVersion {
  readonly version: number;
  readonly date: number;
  readonly time: number;
}

/** The version of Fossil whose behaviour we follow, which is what we announce. */
export const PROTOCOL_VERSION: PeerVersion = { version: 22900, date: 20260821, time: 165942 };

/** A peer that has said nothing of itself. */
export const UNKNOWN_VERSION: PeerVersion = { version: 0, date: 0, time: 0 };

const COOKIE_LOGIN_SINCE: PeerVersion = { version: 22700, date: 20250727, time: 110500 };

/** Whether a server of this version reads a login from the `x-f-l-c` cookie. */
export function understandsCookieLogin({ version, date, time }: PeerVersion): boolean {
  const since = COOKIE_LOGIN_SINCE;
  if (version < since.version) return false;
  return date > since.date || (date === since.date && time >= since.time);
}

/** Whether artifacts named by SHA3 may be sent to this peer: Fossil 2.0 and later know them. */
export function understandsSha3({ version }: PeerVersion): boolean {
  return version >= 20000;
}

/** Whether this peer, not taking part in a private sync, may be told that an artifact is private. */
export function understandsPrivateIgot({ date }: PeerVersion): boolean {
  return date >= 20200413;
}
