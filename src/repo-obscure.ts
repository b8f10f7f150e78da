/**
 * Passwords of remotes as the `config` table holds them: not readable at a glance, and no more than that.
 *
 *     text  = hex(salt) hex(byte[0] ^ KEY[0] ^ salt) hex(byte[1] ^ KEY[1] ^ salt) …
 *
 * salt is one random byte, the bytes are the password's UTF-8, KEY repeats after 16 bytes. Digits may be of
 * either case. Text that is not of this form stands for itself: older files hold cleartext. Rule: Fossil
 * `src/encode.c`, `obscure`.
 */
import { text, toHex, utf8 } from "./bytes.ts";
import type { Random } from "./random.ts";

const KEY = Buffer.from("a72131e32a502c864ca45225ff493585", "hex");

const OBSCURED = /^(?:[0-9a-f]{2})+$/i;

export function obscure(password: string, random: Random): string {
  const salt = random.bytes(1)[0]!;
  const bytes = utf8(password).map((byte, i) => byte ^ KEY[i % KEY.length]! ^ salt);
  return toHex(Uint8Array.of(salt, ...bytes));
}

export function unobscure(stored: string): string {
  if (!OBSCURED.test(stored)) return stored;
  const [salt, ...bytes] = Buffer.from(stored, "hex");
  return text(Uint8Array.from(bytes, (byte, i) => byte ^ KEY[i % KEY.length]! ^ salt!));
}
