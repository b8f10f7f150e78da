/**
 * The C library of this process, for calls that the runtime does not offer: glibc or musl on Linux. Whoever calls must do
 * without it everywhere else.
 */
import { dlopen, type FFIFunction } from "bun:ffi";

const LIBC_NAMES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

/** Functions of the C library by name; `undefined` where there is none, or it lacks one of them. */
export function openLibc<const S extends Record<string, FFIFunction>>(symbols: S) {
  if (process.platform !== "linux") return undefined;
  for (const name of LIBC_NAMES) {
    try {
      return dlopen(name, symbols);
    } catch {
      // Not this C library: try the next name.
    }
  }
  return undefined;
}
