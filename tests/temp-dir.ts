/** Temporary folders of tests and benches. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { atEnd } from "./at-end.ts";

/** A temporary folder: removed by `using`, by `remove()`, or at the latest at the end of the run. */
export class TempDir {
  readonly path: string;

  constructor(label = "test") {
    this.path = realpathSync(mkdtempSync(join(tmpdir(), `edgesync-${label}-`)));
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
