/**
 * Changes files of a working tree so that they can be taken back.
 *
 * A file that exists is replaced by renaming a new one over it, so that a crash or a full disk leaves the old
 * or the new one, whole. What was there is remembered until `done`; `rollBack` puts it back, the last change
 * first. Names are judged by `checkout-path.ts`: nothing outside of the tree is ever written or removed.
 *
 * A link is made when links are allowed, else a file with the link's target as content, as in stock.
 */
import {
  chmodSync,
  closeSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import type { FilePermission } from "./artifact-types.ts";
import { type DiskFile, diskFile, readDisk } from "./checkout-disk.ts";
import { SafeTree } from "./checkout-path.ts";
import { notUtf8 } from "./checkout-vfile.ts";
import { RepoError } from "./errors.ts";

/** What a file was before. */
interface Before {
  readonly content: () => Uint8Array;
  readonly permission: FilePermission;
  readonly mtimeS: number;
}

/** Ends the name of a file that is not complete yet. */
const UNFINISHED = ".edgesync-new";

export class TreeChange {
  private tree: SafeTree;
  /** Folders that are known to exist, by name. */
  private readonly made = new Set<string>();
  private readonly undone: { readonly name: string; readonly before: Before | undefined }[] = [];

  constructor(
    readonly root: string,
    readonly allowLinks: boolean,
  ) {
    this.tree = new SafeTree(root);
  }

  /** Where a file is, once its name and the folders above it are found to be safe.
   *
   * @throws RepoError `unsafe-path`
   */
  path(name: string): string {
    const path = this.tree.locate(name);
    if (typeof path !== "string") throw notUtf8(name);
    return path;
  }

  /** @throws RepoError `unsafe-path` */
  stat(name: string): DiskFile | undefined {
    return diskFile(this.path(name), this.allowLinks);
  }

  /**
   * Writes a file and returns its time, in seconds since 1970.
   *
   * @param known what the file holds now, where that need not be read
   * @throws RepoError `unsafe-path`, `path-is-folder`, `file-unwritable`, `disk-full`
   */
  write(name: string, content: Uint8Array, permission: FilePermission, known?: () => Uint8Array): number {
    const path = this.path(name);
    const old = diskFile(path, true);
    if (old?.isFolder) {
      throw new RepoError("path-is-folder", `${JSON.stringify(name)} is a folder here, not a file`, {
        hint: "move it away",
        data: { name },
      });
    }
    this.undone.push({ name, before: old && this.remember(path, old, known) });
    return this.place(path, content, permission, old);
  }

  /**
   * Writes a file where none is: quicker than `write`, for it looks at nothing before.
   *
   * @returns its time, in seconds since 1970; `undefined`, and nothing is done, when something is there already
   * @throws RepoError `unsafe-path`, `file-unwritable`, `disk-full`
   */
  create(name: string, content: Uint8Array, permission: FilePermission): number | undefined {
    const path = this.path(name);
    this.makeParents(name, path);
    let isThere = false;
    let mtimeS: number | undefined;
    this.guard(name, () => {
      try {
        mtimeS = this.make(path, content, permission, this.allowLinks);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
        isThere = true;
      }
    });
    if (!isThere) this.undone.push({ name, before: undefined });
    return mtimeS;
  }

  /** The folders above a file. Those made before are remembered. */
  private makeParents(name: string, path: string): void {
    const end = name.lastIndexOf("/");
    if (end < 0 || this.made.has(name.slice(0, end))) return;
    this.guard(name, () => mkdirSync(dirname(path), { recursive: true }));
    this.made.add(name.slice(0, end));
  }

  /**
   * Removes a file or a link, if one is there.
   *
   * @returns whether one was
   * @throws RepoError `unsafe-path`, `file-unwritable`
   */
  remove(name: string, known?: () => Uint8Array): boolean {
    const path = this.path(name);
    const old = diskFile(path, true);
    if (old === undefined || old.isFolder) return false;
    this.undone.push({ name, before: this.remember(path, old, known) });
    this.guard(name, () => unlinkSync(path));
    return true;
  }

  /** Renames a file, folders made as needed. Nothing may be at the new name.
   *
   * @throws RepoError `unsafe-path`, `file-unwritable`
   */
  move(from: string, to: string): void {
    const [source, target] = [this.path(from), this.path(to)];
    const old = diskFile(source, true);
    if (old === undefined) return;
    this.undone.push({ name: to, before: undefined });
    this.undone.push({ name: from, before: this.remember(source, old) });
    this.guard(to, () => {
      mkdirSync(dirname(target), { recursive: true });
      renameSync(source, target);
    });
  }

  /** Makes a file executable or not.
   *
   * @returns whether it was otherwise before; links and what is no file stay as they are
   */
  setExecutable(name: string, isExecutable: boolean): boolean {
    const path = this.path(name);
    const old = diskFile(path, true);
    if (old?.kind !== "file" || (old.permission === "x") === isExecutable) return false;
    this.guard(name, () => setMode(path, isExecutable));
    return true;
  }

  setTime(name: string, mtimeS: number): void {
    const path = this.path(name);
    if (diskFile(path, true)?.kind === "file") utimesSync(path, mtimeS, mtimeS);
  }

  /** Makes a folder and those above it. @throws RepoError `unsafe-path`, `file-unwritable` */
  makeFolder(name: string): void {
    const path = this.path(`${name}/x`);
    this.guard(name, () => mkdirSync(dirname(path), { recursive: true }));
  }

  /** Removes folders above removed files that hold nothing any more, deepest first.
   *
   * @param kept folders that stay: their names
   */
  removeEmptyFolders(files: Iterable<string>, kept: ReadonlySet<string>): void {
    const folders = new Set<string>();
    for (const file of files) {
      for (let end = file.lastIndexOf("/"); end > 0; end = file.lastIndexOf("/", end - 1)) {
        folders.add(file.slice(0, end));
      }
    }
    const here = process.cwd();
    for (const folder of [...folders].sort().reverse()) {
      const path = `${this.root}/${folder}`;
      if (kept.has(folder) || path === here) continue;
      try {
        rmdirSync(path);
      } catch {
        // It holds something, or is no folder.
      }
    }
    this.tree = new SafeTree(this.root);
    this.made.clear();
  }

  /** Forgets what the files were: the change stands. */
  done(): void {
    this.undone.length = 0;
  }

  /** Puts everything back as it was.
   *
   * @returns names of files for which that failed
   */
  rollBack(): string[] {
    const failed: string[] = [];
    this.tree = new SafeTree(this.root);
    // Space first: what was added goes, then what was there comes back.
    const changes = this.undone.splice(0).reverse();
    for (const { name, before } of changes) {
      if (before === undefined) this.attempt(name, failed, () => rmSync(this.path(name), { force: true }));
    }
    for (const { name, before } of changes) {
      if (before !== undefined) this.attempt(name, failed, () => this.restore(name, before));
    }
    return failed;
  }

  private restore(name: string, { content, permission, mtimeS }: Before): void {
    const path = this.path(name);
    this.place(path, content(), permission, diskFile(path, true), true);
    if (permission !== "l") utimesSync(path, mtimeS, mtimeS);
  }

  private attempt(name: string, failed: string[], body: () => void): void {
    try {
      body();
    } catch {
      failed.push(name);
    }
  }

  private remember(path: string, { permission, mtimeS }: DiskFile, known?: () => Uint8Array): Before {
    if (known !== undefined) return { content: known, permission, mtimeS };
    const content = readDisk(path, true);
    return { content: () => content, permission, mtimeS };
  }

  /** Returns the time of the file. */
  private place(
    path: string,
    content: Uint8Array,
    permission: FilePermission,
    old: DiskFile | undefined,
    asLink = this.allowLinks,
  ): number {
    let mtimeS = 0;
    this.guard(path.slice(this.root.length + 1), () => {
      const target = old === undefined ? path : path + UNFINISHED;
      const parent = dirname(path);
      if (old === undefined && parent !== this.root) mkdirSync(parent, { recursive: true });
      try {
        mtimeS = this.make(target, content, permission, asLink);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST" || old === undefined) throw error;
        // Left by a program that was killed.
        rmSync(target, { force: true });
        mtimeS = this.make(target, content, permission, asLink);
      }
      if (old === undefined) return;
      try {
        renameSync(target, path);
      } catch (error) {
        rmSync(target, { force: true });
        throw error;
      }
    });
    return mtimeS;
  }

  private make(path: string, content: Uint8Array, permission: FilePermission, asLink: boolean): number {
    if (permission !== "l" || !asLink) return writeNew(path, content, permission === "x");
    symlinkSync(Buffer.from(content), path);
    return Math.floor(lstatSync(path).mtimeMs / 1000);
  }

  /** @throws RepoError `disk-full`, `file-unwritable` */
  private guard(name: string, body: () => void): void {
    try {
      body();
    } catch (cause) {
      if (cause instanceof RepoError) throw cause;
      const { code = "an error" } = cause as NodeJS.ErrnoException;
      const isFull = code === "ENOSPC" || code === "EDQUOT";
      throw new RepoError(
        isFull ? "disk-full" : "file-unwritable",
        `${JSON.stringify(name)} cannot be written (${isFull ? "the disk is full" : code})`,
        { cause, ...(isFull && { hint: "free some space; the checkout is as it was" }) },
      );
    }
  }
}

/** Makes a file that is whole or not there. Returns its time. */
function writeNew(path: string, content: Uint8Array, isExecutable: boolean): number {
  const descriptor = openSync(path, "wx", isExecutable ? 0o777 : 0o666);
  try {
    for (let done = 0; done < content.length; ) done += writeSync(descriptor, content, done);
    return Math.floor(fstatSync(descriptor).mtimeMs / 1000);
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

/** Those who may read a file may run it, or nobody may. */
function setMode(path: string, isExecutable: boolean): void {
  const { mode } = lstatSync(path);
  chmodSync(path, isExecutable ? mode | ((mode & 0o444) >> 2) : mode & ~0o111);
}
