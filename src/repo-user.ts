/**
 * The `user` table: who may log in. Rules: fossil-facts D; Fossil `www/password.wiki`, `src/user.c`.
 *
 * Passwords. `user.pw` is either cleartext or a secret of 40 lower-case hex digits, the SHA1 of
 *
 *     PROJECT-CODE "/" LOGIN "/" PASSWORD
 *
 * and stock tells them apart by the length 40. We always store the secret. An empty or NULL `pw` never
 * matches. Of a login card `login USER NONCE SIGNATURE` the signature is SHA1(NONCE ‖ secret), in hex; it
 * may be made with the stored text itself, so a row in cleartext matches either form. The password of an
 * invitation that has expired (`repo-invite-expiry.ts`) matches no longer.
 *
 * `mtime` columns are whole seconds since 1970.
 */

import { toHex } from "./bytes.ts";
import type { Clock } from "./clock.ts";
import type { Db } from "./db.ts";
import { NameError, UsageError } from "./errors.ts";
import { sha1Hex } from "./hash.ts";
import { type Random, randomBelow } from "./random.ts";
import type { Config } from "./repo-config.ts";
import { isInviteOver } from "./repo-invite-expiry.ts";

export interface User {
  readonly uid: number;
  readonly login: string;
  /** Capability letters as stored, without what is inherited: see `repo-capability.ts`. */
  readonly capabilities: string;
  /** Contact information. */
  readonly info: string;
  /** Last change, seconds since 1970; `undefined` when never changed. */
  readonly mtime: number | undefined;
}

/** The logins every repository has, besides its administrator: what `fossil new` of 2.29 makes. */
const SPECIAL_USERS = [
  { login: "anonymous", capabilities: "hz", info: "Anon" },
  { login: "nobody", capabilities: "gjorz", info: "Nobody" },
  { login: "developer", capabilities: "ei", info: "Dev" },
  { login: "reader", capabilities: "kptw", info: "Reader" },
] as const;

/** Letters and digits that are not mistaken for one another in print. */
const PASSWORD_ALPHABET = "23456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ";

/** A password to hand to a person: ten characters, 58 bits. */
export function randomPassword(random: Random, length = 10): string {
  let password = "";
  while (password.length < length) {
    password += PASSWORD_ALPHABET[randomBelow(random, PASSWORD_ALPHABET.length)];
  }
  return password;
}

/** What stands for a password where the password itself must not: in `user.pw` and in signatures. */
export function sharedSecret(projectCode: string, login: string, password: string): string {
  return sha1Hex(`${projectCode}/${login}/${password}`);
}

/** The signature of a login card. */
export function loginSignature(nonce: string, secret: string): string {
  return sha1Hex(nonce, secret);
}

export class Users {
  constructor(
    private readonly db: Db,
    private readonly config: Config,
    private readonly clock: Clock,
  ) {}

  get(login: string): User | undefined {
    const row = this.db
      .prepare<UserRow>("SELECT uid, login, cap, info, mtime FROM user WHERE login=?")
      .get(login);
    return row && toUser(row);
  }

  /** @throws NameError `no-such-user` */
  require(login: string): User {
    const user = this.get(login);
    if (user === undefined) throw new NameError("no-such-user", `there is no user ${login}`);
    return user;
  }

  /** All users, in order of login. */
  list(): User[] {
    return this.db
      .prepare<UserRow>(
        "SELECT uid, login, cap, info, mtime FROM user WHERE login IS NOT NULL ORDER BY login",
      )
      .all()
      .map(toUser);
  }

  /**
   * @param password cleartext; without one nobody can log in as this user
   * @throws NameError `user-exists`; UsageError `user-login` for an empty login
   */
  add(login: string, options: { capabilities?: string; info?: string; password?: string } = {}): User {
    if (login === "") throw new UsageError("user-login", "a login must not be empty");
    return this.db.write(() => {
      if (this.get(login) !== undefined) throw new NameError("user-exists", `user ${login} exists already`);
      const { capabilities = this.config.get("default-perms") ?? "", info = "", password } = options;
      const secret = password === undefined || password === "" ? "" : this.secretOf(login, password);
      this.db
        .prepare("INSERT INTO user(login,pw,cap,info,mtime) VALUES(?,?,?,?,?)")
        .run(login, secret, capabilities, info, this.now());
      return this.require(login);
    });
  }

  /** @throws NameError `no-such-user` */
  setCapabilities(login: string, capabilities: string): void {
    this.require(login);
    this.db.prepare("UPDATE user SET cap=?, mtime=? WHERE login=?").run(capabilities, this.now(), login);
  }

  /** @throws NameError `no-such-user` */
  setInfo(login: string, info: string): void {
    this.require(login);
    this.db.prepare("UPDATE user SET info=?, mtime=? WHERE login=?").run(info, this.now(), login);
  }

  /**
   * @param password cleartext; empty locks the user out
   * @throws NameError `no-such-user`
   */
  setPassword(login: string, password: string): void {
    this.require(login);
    const stored = password === "" ? "" : this.secretOf(login, password);
    this.db.prepare("UPDATE user SET pw=?, mtime=? WHERE login=?").run(stored, this.now(), login);
  }

  /**
   * Removes a user. Past check-ins keep the name, what was received keeps the number.
   *
   * @throws NameError `no-such-user`; UsageError `user-special` for the logins that rights are inherited
   *   from, `user-last-setup` for the last one with the capability `s`
   */
  remove(login: string): void {
    this.db.write(() => {
      const user = this.require(login);
      if (isSpecial(login)) {
        throw new UsageError("user-special", `${login} is a special user and cannot be removed`, {
          hint: "take its capabilities away instead",
        });
      }
      const setups = this.list().filter((other) => other.capabilities.includes("s"));
      if (setups.length === 1 && setups[0]!.login === login) {
        throw new UsageError("user-last-setup", `${login} is the only user with the capability s`, {
          hint: "give s to another user first",
        });
      }
      this.db.prepare("DELETE FROM user WHERE uid=?").run(user.uid);
    });
  }

  /** Whether `password` (cleartext) is the user's. */
  checkPassword(login: string, password: string): boolean {
    const stored = this.storedPassword(login);
    if (stored === undefined) return false;
    return sameText(stored, password) || sameText(stored, this.secretOf(login, password));
  }

  /**
   * Whether `signature` of a login card was made over `nonce` by someone who knows the user's password. Nobody
   * syncs as one of the special users; that anonymous and nobody need no signature is for the caller to know.
   */
  checkSignature(login: string, nonce: string, signature: string): boolean {
    // The time it takes is not to tell which logins there are: a row is found, and a hash made, for any.
    const row = this.db
      .prepare("SELECT coalesce((SELECT 'y' || pw FROM user WHERE login=? AND length(pw)>0), ?)")
      .value<string>(login, `n${NO_SECRET}`)!;
    const stored = row.slice(1);
    const isOver = isInviteOver(this.db, login, stored, this.now());
    const isRight = sameText(loginSignature(nonce, stored), signature);
    if (row[0] === "n" || isOver || isSpecial(login)) return false;
    if (isRight) return true;
    if (stored.length === 40) return false;
    return sameText(loginSignature(nonce, this.secretOf(login, stored)), signature);
  }

  /**
   * The users of a new repository.
   *
   * @internal for `Repo.create`, after the project code is set
   */
  createDefaults(admin: string, password: string, random: Random): void {
    const insert = this.db.prepare("INSERT OR IGNORE INTO user(login,pw,cap,info,mtime) VALUES(?,?,?,?,?)");
    insert.run(admin, this.secretOf(admin, password), "s", "", this.now());
    for (const { login, capabilities, info } of SPECIAL_USERS) {
      // The password of anonymous is what a captcha shows; the others have none.
      const stored = login === "anonymous" ? toHex(random.bytes(8)).toUpperCase() : "";
      insert.run(login, stored, capabilities, info, null);
    }
  }

  private storedPassword(login: string): string | undefined {
    const stored = this.db.prepare("SELECT pw FROM user WHERE login=? AND length(pw)>0").value<string>(login);
    if (stored === undefined || isInviteOver(this.db, login, stored, this.now())) return undefined;
    return stored;
  }

  private secretOf(login: string, password: string): string {
    return sharedSecret(this.config.projectCode ?? "", login, password);
  }

  private now(): number {
    return Math.floor(this.clock.now() / 1000);
  }
}

const NO_SECRET = "0".repeat(40);

function isSpecial(login: string): boolean {
  return SPECIAL_USERS.some((special) => special.login === login);
}

interface UserRow {
  readonly uid: number;
  readonly login: string;
  readonly cap: string | null;
  readonly info: string | null;
  readonly mtime: number | null;
}

function toUser({ uid, login, cap, info, mtime }: UserRow): User {
  return { uid, login, capabilities: cap ?? "", info: info ?? "", mtime: mtime ?? undefined };
}

/** Compares in a time that does not depend on where the texts differ. */
function sameText(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
