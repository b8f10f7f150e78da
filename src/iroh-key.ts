/**
 * The identity of an endpoint: the secret half of an Ed25519 key, 32 bytes, in a file that only its owner can read.
 *
 *     64 lower-case hex digits and a line feed
 *
 * The file is made when first used. It is never written over, and what is in it appears in no log and no error.
 */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { EdgeSyncError } from "./errors.ts";
import { IROH_KEY_FILE_MAX_BYTES } from "./limits.ts";
import { type Random, randomHex } from "./random.ts";

const KEY_BYTES = 32;
const KEY = /^([0-9a-f]{64})\n?$/i;

/**
 * The key in a file, or a new one that is from now on.
 *
 * @returns 32 bytes
 * @throws EdgeSyncError `iroh-key` when the file cannot be made or read, holds no key, or is open to others
 */
export function readIrohKey(file: string, random: Random): Uint8Array {
  try {
    writeFileSync(file, `${randomHex(random, KEY_BYTES)}\n`, { flag: "wx", mode: 0o600 });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw failure(file, "cannot be made", cause);
  }
  const hex = KEY.exec(read(file))?.[1];
  if (hex === undefined) throw failure(file, "does not hold 64 hex digits");
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

function read(file: string): string {
  let isOpen: boolean;
  let text: string;
  try {
    const { size, mode } = statSync(file);
    isOpen = process.platform !== "win32" && (mode & 0o077) !== 0;
    text = size > IROH_KEY_FILE_MAX_BYTES ? "" : readFileSync(file, "latin1");
  } catch (cause) {
    throw failure(file, "cannot be read", cause);
  }
  if (isOpen) throw failure(file, "can be read by others", undefined, `chmod 600 ${file}`);
  return text;
}

function failure(file: string, what: string, cause?: unknown, hint?: string): EdgeSyncError {
  return new EdgeSyncError("iroh-key", `the key file ${file} ${what}`, {
    ...(hint !== undefined && { hint }),
    ...(cause !== undefined && { cause }),
  });
}
