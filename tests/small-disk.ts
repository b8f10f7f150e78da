/** A file system of a few megabytes in memory, mounted for a test: Linux, and root, only. */
import { rmSync, statfsSync, writeFileSync } from "node:fs";
import { atEnd } from "./at-end.ts";
import { TempDir } from "./temp-dir.ts";

const run = (...words: readonly string[]) =>
  Bun.spawnSync([...words], { stdio: ["ignore", "ignore", "pipe"] });

/** Why there can be none here; undefined: there can. */
export function whyNoSmallDisk(): string | undefined {
  if (process.platform !== "linux") return "only Linux has such file systems";
  if (process.getuid?.() !== 0) return "only root may mount";
  using folder = new TempDir("mount-probe");
  const { exitCode, stderr } = run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder.path);
  if (exitCode !== 0) return stderr.toString().trim();
  run("umount", folder.path);
  return undefined;
}

export class SmallDisk implements Disposable {
  private readonly folder = new TempDir("small-disk");
  readonly path = this.folder.folder("disk");

  constructor(bytes: number) {
    const { exitCode, stderr } = run("mount", "-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", this.path);
    if (exitCode !== 0) throw new Error(`mount: ${stderr}`);
    atEnd(() => this[Symbol.dispose]());
  }

  /** Takes all the room there is, but for about so much. */
  fill(leftBytes = 0): void {
    const { bavail, bsize } = statfsSync(this.path);
    writeFileSync(this.filler, new Uint8Array(Math.max(0, bavail * bsize - leftBytes)));
  }

  free(): void {
    rmSync(this.filler);
  }

  [Symbol.dispose](): void {
    run("umount", "-l", this.path);
    this.folder.remove();
  }

  private get filler(): string {
    return this.join(".filler");
  }

  join(name: string): string {
    return `${this.path}/${name}`;
  }
}
