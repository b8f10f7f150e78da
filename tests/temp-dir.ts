/**
 * Temporary folders of tests and benches. Where the system keeps a large file system in memory, that is
 * the place: repositories commit often, and many test files share one disk.
 */
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { atEnd } from "./at-end.ts";

const MEMORY_FREE_BYTES_MIN = 4 * 1024 ** 3;

function memoryFolder(): string | undefined {
  const folder = "/dev/shm";
  if (!existsSync(folder)) return undefined;
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize >= MEMORY_FREE_BYTES_MIN ? folder : undefined;
}

/** A temporary folder: removed by `using`, by `remove()`, or at the latest at the end of the run. */
export class TempDir {
  readonly path: string;

  /** `disk`: never in memory, because the disk is what is measured, or the content is large. */
  constructor(label = "test", place: "fast" | "disk" = "fast") {
    const parent = (place === "fast" ? memoryFolder() : undefined) ?? tmpdir();
    this.path = realpathSync(mkdtempSync(join(parent, `edgesync-${label}-`)));
    atEnd(() => this.remove());
  }

  join(...parts: string[]): string {
    return join(this.path, ...parts);
  }

  /** Writes a file, making its folders. Returns its full path. */
  write(name: string, content: string | Uint8Array): string {
    const path = this.join(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  /** Makes a folder inside. Returns its full path. */
  folder(name: string): string {
    const path = this.join(name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  [Symbol.dispose](): void {
    this.remove();
  }
}
