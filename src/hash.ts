/**
 * Artifact names. An artifact is named by the lower-case hex of its SHA1 (40 digits) or SHA3-256
 * (64 digits); the length tells which. Rule: Fossil `www/hashpolicy.wiki`.
 */
import { FormatError } from "./errors.ts";

declare const hashBrand: unique symbol;

/** The name of an artifact: 40 (SHA1) or 64 (SHA3-256) lower-case hex digits. */
export type Hash = string & { readonly [hashBrand]: true };

export type HashAlgorithm = "sha1" | "sha3-256";

const HASH_PATTERN = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

export function isHash(value: string): value is Hash {
  return HASH_PATTERN.test(value);
}

/** @throws FormatError `hash-syntax` unless `value` is 40 or 64 lower-case hex digits */
export function asHash(value: string): Hash {
  if (isHash(value)) return value;
  throw new FormatError(
    "hash-syntax",
    `expected 40 or 64 lower-case hex digits, got ${JSON.stringify(value)}`,
  );
}

export function algorithmOf(hash: Hash): HashAlgorithm {
  return hash.length === 40 ? "sha1" : "sha3-256";
}

export function hashContent(content: Uint8Array, algorithm: HashAlgorithm): Hash {
  return new Bun.CryptoHasher(algorithm).update(content).digest("hex") as Hash;
}

/** Whether `content` is what `hash` names. */
export function hashMatches(content: Uint8Array, hash: Hash): boolean {
  return hashContent(content, algorithmOf(hash)) === hash;
}

export function sha1Hex(...parts: readonly (Uint8Array | string)[]): string {
  return digestHex("sha1", parts);
}

export function sha3Hex(...parts: readonly (Uint8Array | string)[]): string {
  return digestHex("sha3-256", parts);
}

/** MD5, only ever a checksum of Fossil's Z and R cards. */
export function md5Hex(...parts: readonly (Uint8Array | string)[]): string {
  return digestHex("md5", parts);
}

function digestHex(algorithm: "sha1" | "sha3-256" | "md5", parts: readonly (Uint8Array | string)[]): string {
  const hasher = new Bun.CryptoHasher(algorithm);
  for (const part of parts) hasher.update(part);
  return hasher.digest("hex");
}
