/**
 * Logins, both sides. A login is `login USER NONCE SIGNATURE`: NONCE is the hash of the bytes it covers,
 * SIGNATURE is SHA1(NONCE ‖ secret), and the secret SHA1(PROJECT-CODE "/" LOGIN "/" PASSWORD), in hex.
 *
 *     as a card      the first card of the message; it covers every byte after its line
 *     as a cookie    `Cookie: x-f-l-c=login+USER+NONCE+SIGNATURE`, percent-encoded; it covers the whole
 *                    message. Only for servers that say they read it (`sync-version.ts`).
 *
 * `nobody` and `anonymous` need no signature, but their nonce must be right. `developer` and `reader` are
 * not people. Rules: fossil-facts D.
 */
import { utf8 } from "./bytes.ts";
import { sha1Hex, sha3Hex } from "./hash.ts";
import { LOGIN_COOKIE_MAX_BYTES } from "./limits.ts";
import type { Repo } from "./repo.ts";
import { loginSignature, type User } from "./repo-user.ts";
import type { LoginCard } from "./xfer-card.ts";
import { MessageWriter } from "./xfer-format.ts";
import { CardReader } from "./xfer-parse.ts";

const COOKIE_NAME = "x-f-l-c";

const OPEN_LOGINS: ReadonlySet<string> = new Set(["nobody", "anonymous"]);
const CLOSED_LOGINS: ReadonlySet<string> = new Set(["developer", "reader"]);

/** Who a login turned out to be. */
export type LoginResult =
  | { readonly kind: "user"; readonly user: User }
  /** `nobody` or `anonymous`: right, and no more rights than without a login. */
  | { readonly kind: "open" }
  | { readonly kind: "failed" };

/** Checks a login against the users of a repository. `covered` is what its nonce has to be the hash of. */
export function verifyLogin(repo: Repo, login: LoginCard, covered: Uint8Array): LoginResult {
  if (!nonceMatches(login.nonce, covered)) return { kind: "failed" };
  if (OPEN_LOGINS.has(login.user)) return { kind: "open" };
  if (CLOSED_LOGINS.has(login.user)) return { kind: "failed" };
  const isRight = repo.users.checkSignature(login.user, login.nonce, login.signature);
  const user = isRight ? repo.users.get(login.user) : undefined;
  return user === undefined ? { kind: "failed" } : { kind: "user", user };
}

/** The login in a `Cookie` header; `undefined` when there is none or it is not a login. */
export function loginFromCookie(header: string | undefined): LoginCard | undefined {
  if (header === undefined || header.length > LOGIN_COOKIE_MAX_BYTES) return undefined;
  for (const part of header.split(";")) {
    const [name, value] = splitOnce(part.trim(), "=");
    if (name !== COOKIE_NAME || value === undefined) continue;
    const line = percentDecode(value);
    const card = line === undefined ? undefined : new CardReader(utf8(line), "client").next();
    return card?.type === "login" ? card : undefined;
  }
  return undefined;
}

/** A login by someone who knows the secret (see `sharedSecret` of `repo-user.ts`). */
export function signLogin(user: string, secret: string, covered: Uint8Array): LoginCard {
  const nonce = sha1Hex(covered);
  return { type: "login", user, nonce, signature: loginSignature(nonce, secret) };
}

/** The value of the `Cookie` header that carries `login`. */
export function loginCookie(login: LoginCard): string {
  const writer = new MessageWriter();
  writer.card(login);
  const line = Buffer.from(writer.finish()).toString("utf8").trimEnd();
  const encoded = line
    .split(" ")
    .map((token) => encodeURIComponent(token).replace(/[!'()*]/g, percentEncode));
  return `${COOKIE_NAME}=${encoded.join("+")}`;
}

function nonceMatches(nonce: string, covered: Uint8Array): boolean {
  if (nonce.length === 40) return sha1Hex(covered) === nonce;
  return nonce.length === 64 && sha3Hex(covered) === nonce;
}

function splitOnce(value: string, separator: string): [string, string | undefined] {
  const at = value.indexOf(separator);
  return at < 0 ? [value, undefined] : [value.slice(0, at), value.slice(at + 1)];
}

function percentEncode(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
}

function percentDecode(value: string): string | undefined {
  try {
    return decodeURIComponent(value.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}
