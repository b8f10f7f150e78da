/**
 * Large replies in files that have no name: written by the thread that made the reply, sent by the one that serves I/O,
 * which the kernel does from the file to the socket. In memory such a reply would be twice, here and in the server,
 * until the slowest client had taken it. The files go with their last descriptor, so a crash leaves none behind.
 *
 * Linux only: elsewhere a file without a name cannot be opened again, and replies stay in memory. They do so too
 * where the folder for temporary files cannot be written or is full.
 */
import { closeSync, openSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Random, randomHex } from "./random.ts";

export interface SpilledReply {
  /** Of this process, whatever the thread. Whoever takes the reply closes it. */
  readonly fd: number;
  /** In bytes. */
  readonly length: number;
}

/** Puts `body` into a file; undefined where that cannot be done. */
export function spill(body: Uint8Array, random: Random): SpilledReply | undefined {
  if (process.platform !== "linux") return undefined;
  const path = join(tmpdir(), `edgesync-reply-${randomHex(random, 16)}`);
  let fd: number | undefined;
  try {
    fd = openSync(path, "wx+", 0o600);
    unlinkSync(path);
    for (let at = 0; at < body.length; ) at += writeSync(fd, body, at);
    return { fd, length: body.length };
  } catch {
    if (fd !== undefined) closeSync(fd);
    return undefined;
  }
}

export function dropSpilled({ fd }: SpilledReply): void {
  closeSync(fd);
}
