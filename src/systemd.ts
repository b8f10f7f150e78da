/**
 * systemd's readiness protocol (sd_notify(3)): one datagram of `KEY=VALUE` lines to the unix socket named
 * by `NOTIFY_SOCKET`. A leading `@` names an abstract socket. Bun's `node:dgram` has no unix sockets, so the
 * three libc calls are made directly. Everywhere but under systemd this does nothing.
 */
import { FFIType, ptr } from "bun:ffi";
import { concat, utf8 } from "./bytes.ts";
import { openLibc } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
/** `sun_path` of `struct sockaddr_un`, in bytes. */
const SUN_PATH_BYTES = 108;

const LIBC_SYMBOLS = {
  socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  sendto: {
    args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32, FFIType.ptr, FFIType.u32],
    returns: FFIType.i64,
  },
  close: { args: [FFIType.i32], returns: FFIType.i32 },
} as const;

/** Sends `state`, for example `READY=1`; returns whether somebody was there to be told. */
export function notifySystemd(state: string, socketPath = process.env.NOTIFY_SOCKET): boolean {
  if (process.platform !== "linux" || socketPath === undefined || socketPath === "") return false;
  const path = utf8(socketPath);
  if (path.length > SUN_PATH_BYTES) return false;
  if (path[0] === 0x40) path[0] = 0;
  const family = new Uint8Array(Uint16Array.of(AF_UNIX).buffer);
  const address = concat([family, path]);
  const message = utf8(state);
  const libc = openLibc(LIBC_SYMBOLS);
  if (libc === undefined) return false;
  try {
    const fd = libc.symbols.socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd < 0) return false;
    const sent = libc.symbols.sendto(fd, ptr(message), message.length, 0, ptr(address), address.length);
    libc.symbols.close(fd);
    return Number(sent) === message.length;
  } finally {
    libc.close();
  }
}
