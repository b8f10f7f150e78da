/**
 * Large replies in files that have no name: written by the thread that made the reply, sent by the one that serves I/O,
 * which the kernel does from the file to the socket. In memory such a reply would be twice, here and in the server,
 * until the slowest client had taken it. The files go with their last descriptor, so a crash leaves none behind.
 *
 * Linux only: elsewhere a file without a name cannot be opened again, and replies stay in memory. They do so too
 * where the folder for temporary files cannot be written or is full.
 */
import { closeSync, existsSync, ftruncateSync, openSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EdgeSyncError } from "./errors.ts";
import { type Random, randomHex } from "./random.ts";
import type { MessageSink } from "./xfer-format.ts";

export interface SpilledReply {
  /** Of this process, whatever the thread. Whoever takes the reply closes it. */
  readonly fd: number;
  /** In bytes. */
  readonly length: number;
}

/** There is no place for a reply but memory. */
export class CannotSpill extends EdgeSyncError {
  override name = "CannotSpill";

  constructor(cause: unknown) {
    super("cannot-spill", "no temporary file can be written", { cause });
  }
}

/** A reply on its way into a file, which is made with the first bytes. */
export class SpillFile implements MessageSink {
  private fd: number | undefined;
  /** Bytes written. */
  length = 0;

  constructor(private readonly random: Random) {}

  /** @throws CannotSpill */
  write(bytes: Uint8Array): void {
    try {
      this.fd ??= openUnnamed(this.random);
      for (let at = 0; at < bytes.length; ) {
        at += writeSync(this.fd, bytes, at, bytes.length - at, this.length + at);
      }
      this.length += bytes.length;
    } catch (cause) {
      throw new CannotSpill(cause);
    }
  }

  /** Writes `bytes`, or nothing that counts. Returns whether it could. */
  tryWrite(bytes: Uint8Array): boolean {
    try {
      this.write(bytes);
      return true;
    } catch {
      this.drop();
      return false;
    }
  }

  clear(): void {
    if (this.fd !== undefined) ftruncateSync(this.fd);
    this.length = 0;
  }

  /** The reply. The file is the caller's from now on. */
  keep(): SpilledReply {
    return { fd: this.fd!, length: this.length };
  }

  drop(): void {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
  }
}

function openUnnamed(random: Random): number {
  if (process.platform !== "linux") throw new Error("files without a name are for Linux");
  const path = join(tmpdir(), `edgesync-reply-${randomHex(random, 16)}`);
  const fd = openSync(path, "wx+", 0o600);
  unlinkSync(path);
  if (!existsSync(`/proc/self/fd/${fd}`)) {
    closeSync(fd);
    throw new Error("/proc is not there");
  }
  return fd;
}

export function dropSpilled({ fd }: SpilledReply): void {
  closeSync(fd);
}
