/**
 * Who may connect: user and password, a token, or an nkey.
 *
 * An nkey is an Ed25519 key pair. Its public form is base32 (RFC 4648, no padding) of one byte that says what it
 * names ("U" for users), 32 bytes of key, and a CRC-16/XMODEM of these, little-endian. The server sends a nonce in
 * INFO; the client signs that text and sends `nkey` and `sig` (base64url) in CONNECT. A seed is base32 of two
 * bytes (seed, and whose), 32 bytes of secret, and the CRC.
 *
 * Secrets are compared by their SHA-256 in constant time. Signatures are the runtime's Ed25519.
 */
import { createHash, createPrivateKey, createPublicKey, sign, timingSafeEqual, verify } from "node:crypto";
import { utf8 } from "./bytes.ts";
import { UsageError } from "./errors.ts";

export interface BrokerUser {
  readonly user: string;
  readonly password: string;
}

/** Any one of these lets a client in. None at all: everybody may connect. */
export interface BrokerAuth {
  readonly users?: readonly BrokerUser[];
  readonly tokens?: readonly string[];
  /** Public keys, "U…". */
  readonly nkeys?: readonly string[];
}

/** The fields of CONNECT that say who connects. */
export interface Credentials {
  readonly user?: string;
  readonly pass?: string;
  readonly auth_token?: string;
  readonly nkey?: string;
  readonly sig?: string;
}

/** What a leafnode shows the server that it joins. A seed is "SU…". */
export interface LeafCredentials {
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  readonly nkeySeed?: string;
}

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const USER_PREFIX = 20 << 3;
const SEED_PREFIX = 18 << 3;
/** What stands before the 32 secret bytes in a PKCS #8 Ed25519 key (RFC 8410). */
const PKCS8_ED25519 = Buffer.from("302e020100300506032b657004220420", "hex");

/** Checks credentials; made once from the configuration. */
export class Authenticator {
  readonly required: boolean;
  readonly needsNonce: boolean;
  private readonly keys: ReadonlyMap<string, Uint8Array>;

  /** @throws UsageError `nkey-syntax` for a key that is not a user's public nkey */
  constructor(private readonly auth: BrokerAuth = {}) {
    this.keys = new Map((auth.nkeys ?? []).map((key) => [key, decodeUserKey(key)]));
    this.needsNonce = this.keys.size > 0;
    this.required = this.needsNonce || (auth.users ?? []).length > 0 || (auth.tokens ?? []).length > 0;
  }

  accepts(credentials: Credentials, nonce: string): boolean {
    if (!this.required) return true;
    const { user, pass, auth_token, nkey, sig } = credentials;
    if (nkey !== undefined && this.keys.has(nkey)) return isSignedBy(this.keys.get(nkey)!, nonce, sig ?? "");
    if (user !== undefined) {
      const known = (this.auth.users ?? []).find((entry) => sameSecret(entry.user, user));
      if (known !== undefined) return sameSecret(known.password, pass ?? "");
    }
    if (auth_token === undefined) return false;
    return (this.auth.tokens ?? []).some((entry) => sameSecret(entry, auth_token));
  }
}

function sameSecret(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function isSignedBy(key: Uint8Array, nonce: string, signature: string): boolean {
  const x = Buffer.from(key).toString("base64url");
  const publicKey = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  const bytes = Buffer.from(signature, "base64url");
  return bytes.length === 64 && verify(null, utf8(nonce), publicKey, bytes);
}

function decodeUserKey(key: string): Uint8Array {
  const bytes = decodeBase32(key);
  if (bytes === undefined || bytes.length !== 35 || bytes[0] !== USER_PREFIX) {
    throw new UsageError(
      "nkey-syntax",
      `expected a user's public nkey (U…, 56 characters), got ${JSON.stringify(key)}`,
    );
  }
  return bytes.subarray(1, 33);
}

/** Signs `nonce` with the nkey of `seed` ("SU…"). @throws UsageError `nkey-syntax` */
export function signNonce(seed: string, nonce: string): { nkey: string; sig: string } {
  const bytes = decodeBase32(seed);
  if (bytes === undefined || bytes.length !== 36 || (bytes[0]! & 0xf8) !== SEED_PREFIX) {
    throw new UsageError("nkey-syntax", "expected a user's nkey seed (SU…, 58 characters)");
  }
  const der = Buffer.concat([PKCS8_ED25519, bytes.subarray(2, 34)]);
  const secret = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const { x = "" } = createPublicKey(secret).export({ format: "jwk" });
  return {
    nkey: encodeBase32(Uint8Array.of(USER_PREFIX, ...Buffer.from(x, "base64url"))),
    sig: sign(null, utf8(nonce), secret).toString("base64url"),
  };
}

/** `credentials` as fields of CONNECT. @throws UsageError `nkey-syntax` */
export function credentialFields(credentials: LeafCredentials, nonce: string): Credentials {
  const { user, password = "", token, nkeySeed } = credentials;
  if (nkeySeed !== undefined) return signNonce(nkeySeed, nonce);
  if (token !== undefined) return { user: token, auth_token: token };
  return user === undefined ? {} : { user, pass: password };
}

/** The bytes of base32 text whose last two are the CRC of the others; undefined when they are not. */
function decodeBase32(text: string): Uint8Array | undefined {
  const bytes: number[] = [];
  let bits = 0;
  let value = 0;
  for (const char of text) {
    const digit = BASE32.indexOf(char);
    if (digit < 0) return undefined;
    value = ((value << 5) | digit) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((value >> bits) & 255);
  }
  const body = Uint8Array.from(bytes.slice(0, -2));
  const [low = 0, high = 0] = bytes.slice(-2);
  return bytes.length > 2 && crc16(body) === (low | (high << 8)) ? Uint8Array.from(bytes) : undefined;
}

function encodeBase32(body: Uint8Array): string {
  const crc = crc16(body);
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of [...body, crc & 255, crc >> 8]) {
    value = ((value << 8) | byte) & 0x1fff;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += BASE32[(value >> (bits - 5)) & 31];
  }
  return bits === 0 ? text : text + BASE32[(value << (5 - bits)) & 31];
}

/** CRC-16/XMODEM: polynomial 0x1021, start 0. */
function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let i = 0; i < 8; i++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc;
}
