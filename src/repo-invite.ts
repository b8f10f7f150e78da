/**
 * Invitations: a new user, and a token that holds all it takes to clone as that user.
 *
 *     edgesync1.BASE64URL      of a JSON object: login, password, project (its code), perhaps url, perhaps expires (seconds
 *                              since 1970; the server holds to its own note, `repo-invite-expiry.ts`)
 *
 * A token is a password: who has it is the user.
 */
import { EdgeSyncError, UsageError } from "./errors.ts";
import { JsonFields } from "./json-fields.ts";
import type { EpochMs } from "./julian.ts";
import { INVITE_TOKEN_MAX_LENGTH } from "./limits.ts";
import type { Repo } from "./repo.ts";
import { INVITE_SQL } from "./repo-invite-expiry.ts";
import { randomPassword } from "./repo-user.ts";

const PREFIX = "edgesync1.";
/** 116 bits. */
const PASSWORD_LENGTH = 20;

export interface Invitation {
  readonly login: string;
  readonly password: string;
  readonly projectCode: string;
  /** Where to clone from. */
  readonly url?: string;
  readonly expires?: EpochMs;
}

export interface InviteRequest {
  readonly login: string;
  readonly capabilities?: string;
  readonly url?: string;
  /** How long the password counts; for ever unless given. */
  readonly ttlMs?: number;
}

/** Adds a user with a random password. @throws as `Users.add` */
export function invite(repo: Repo, { login, capabilities, url, ttlMs }: InviteRequest): Invitation {
  const { db, users, clock, random, config } = repo;
  const password = randomPassword(random, PASSWORD_LENGTH);
  const expires = ttlMs === undefined ? undefined : Math.ceil((clock.now() + ttlMs) / 1000);
  db.write(() => {
    users.add(login, { password, info: "invited", ...(capabilities !== undefined && { capabilities }) });
    if (expires === undefined) return;
    db.exec(INVITE_SQL);
    db.prepare("REPLACE INTO fx_invite(login,pw,expires) SELECT login, pw, ? FROM user WHERE login=?").run(
      expires,
      login,
    );
  });
  return {
    login,
    password,
    projectCode: config.projectCode ?? "",
    ...(url !== undefined && { url }),
    ...(expires !== undefined && { expires: expires * 1000 }),
  };
}

export function formatInvite({ login, password, projectCode, url, expires }: Invitation): string {
  const fields = {
    login,
    password,
    project: projectCode,
    ...(url !== undefined && { url }),
    ...(expires !== undefined && { expires: Math.floor(expires / 1000) }),
  };
  return PREFIX + Buffer.from(JSON.stringify(fields)).toString("base64url");
}

/** @throws UsageError `bad-invite` */
export function parseInvite(token: string): Invitation {
  const bad = (cause?: unknown) =>
    new UsageError("bad-invite", "this is no whole invitation", {
      hint: "copy all of what edgesync repo invite printed",
      cause,
    });
  if (!token.startsWith(PREFIX) || token.length > INVITE_TOKEN_MAX_LENGTH) throw bad();
  const encoded = token.slice(PREFIX.length);
  if (!/^[A-Za-z0-9_-]+$/.test(encoded)) throw bad();
  try {
    const bytes = new Uint8Array(Buffer.from(encoded, "base64url"));
    const fields = JsonFields.parse(bytes, "an invitation", INVITE_TOKEN_MAX_LENGTH);
    const text = (name: string) => fields.text(name, INVITE_TOKEN_MAX_LENGTH);
    const [login, password, projectCode, url] = [
      text("login"),
      text("password"),
      text("project"),
      text("url"),
    ];
    const expires = fields.count("expires");
    if (!login || !password || projectCode === undefined) throw bad();
    return {
      login,
      password,
      projectCode,
      ...(url !== undefined && { url }),
      ...(expires !== undefined && { expires: expires * 1000 }),
    };
  } catch (error) {
    throw error instanceof EdgeSyncError ? bad(error) : error;
  }
}
