/**
 * Until when an invited user may log in with the password of the invitation:
 *
 *     fx_invite   login, pw (as in table `user` when the invitation was made), expires (seconds since 1970)
 *
 * Past that time the password counts for nothing here, whatever the invited keep. Once the user has another password the
 * row says nothing any more. Stock does not know the table: a server of its own lets the invited in.
 */
import type { Db } from "./db.ts";

export const INVITE_SQL = `
CREATE TABLE IF NOT EXISTS fx_invite(login TEXT PRIMARY KEY, pw TEXT NOT NULL, expires INTEGER NOT NULL)`;

/** Is `pw`, the stored password of `login`, that of an invitation that has expired? */
export function isInviteOver(db: Db, login: string, pw: string, nowSeconds: number): boolean {
  if (!hasInvites(db)) return false;
  const expires = db.prepare("SELECT expires FROM fx_invite WHERE login=? AND pw=?").value<number>(login, pw);
  return expires !== undefined && expires <= nowSeconds;
}

export function hasInvites(db: Db): boolean {
  return db.prepare("SELECT 1 FROM sqlite_schema WHERE name='fx_invite'").value() === 1;
}
