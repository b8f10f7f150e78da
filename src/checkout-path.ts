/**
 * Which names of a check-in may become files below a folder, and how they are written there so that nothing outside of
 * it is ever touched.
 *
 * A name is refused when
 *   - it is no simple relative path: empty, absolute, with an empty, `.` or `..` segment, or with NUL;
 *   - it is a checkout's own database or journal (`.fslckout`, `_FOSSIL_`, in any folder and case);
 *   - it begins with a drive (`C:/`, `C:\`), on every system, so that no check-in opens differently elsewhere;
 *   - on Windows only: a segment has one of `< > : " | ? * \` or a control character, ends in a dot or a blank, or is a
 *     device (`con`, `nul`, `com1`, … with or without an ending).
 * And a name is refused when one of its parent folders is a symbolic link or no folder: a link that an earlier file or
 * somebody else made must not lead the write elsewhere. The root itself may be reached through links.
 *
 * Parents are looked at once for each `SafeTree`; what makes or removes links below the root through other ways must use
 * a new one. A file is made anew under its name (an old one, or a link, is removed first, never written through).
 *
 * Names keep bytes that are not UTF-8 as lone surrogates (`artifact-escape.ts`); their system path is those bytes.
 */
import { chmodSync, lstatSync, mkdirSync, rmSync, type Stats, symlinkSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { encodeText } from "./artifact-escape.ts";
import { isReservedName, isSimplePath } from "./artifact-names.ts";
import type { FilePermission } from "./artifact-types.ts";
import { RepoError } from "./errors.ts";

/** What the functions of `node:fs` take: text, or bytes where a name is not UTF-8. */
export type SystemPath = string | Buffer;

const DRIVE = /^[A-Za-z]:[/\\]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const WINDOWS_BAD = /[\u0000-\u001f<>:"|?*\\]|[. ](?:\/|$)/;
const WINDOWS_DEVICE = /(?:^|\/)(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:[. ][^/]*)?(?:\/|$)/i;
const LONE_SURROGATE = /[\udc80-\udcff]/;

/** Why `name` may not be written below a folder; `undefined` when it may. Looks at the name only. */
export function pathProblem(name: string, platform: string = process.platform): string | undefined {
  if (name.includes("\0")) return "it has a NUL";
  if (name.startsWith("/")) return "it is an absolute path";
  if (!isSimplePath(name)) return "it is no plain path below the top";
  if (DRIVE.test(name)) return "it begins with a drive";
  if (isReservedName(name)) return "the name belongs to the checkout itself";
  if (platform !== "win32") return undefined;
  if (WINDOWS_BAD.test(name)) return "Windows has no such names";
  return WINDOWS_DEVICE.test(name) ? "the name is a device's" : undefined;
}

/** A folder whose files are named as in a check-in. */
export class SafeTree {
  /** Absolute. */
  readonly root: string;
  /** Parents found or made to be real folders, by name. */
  private readonly folders = new Set<string>();
  private hasRoot = false;

  constructor(
    root: string,
    private readonly platform: string = process.platform,
  ) {
    this.root = resolve(root);
  }

  /**
   * Where `name` is or would be, its parents looked at.
   *
   * @throws RepoError `unsafe-path` (data: name)
   */
  locate(name: string): SystemPath {
    this.check(name);
    this.parents(name, false);
    return this.systemPath(name);
  }

  /** What is there under `name`, links not followed; `undefined` when nothing is. @throws as `locate` */
  stat(name: string): Stats | undefined {
    return lstat(this.locate(name));
  }

  /**
   * Writes a file, or with permission `l` a link to the path that `content` is. Makes missing folders. What was there
   * under the name is removed first, if it is no folder.
   *
   * @throws RepoError `unsafe-path`, `path-is-folder` (data: name), `file-unwritable`
   */
  write(name: string, content: Uint8Array, permission: FilePermission): void {
    this.check(name);
    this.makeRoot();
    this.parents(name, true);
    const path = this.systemPath(name);
    const old = lstat(path);
    if (old?.isDirectory()) {
      throw new RepoError("path-is-folder", `${JSON.stringify(name)} is a folder here, not a file`, {
        hint: "move it away",
        data: { name },
      });
    }
    try {
      if (old !== undefined) rmSync(path);
      if (permission === "l") symlinkSync(Buffer.from(content), path);
      else {
        writeFileSync(path, content, { flag: "wx" });
        if (permission === "x") makeExecutable(path);
      }
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code ?? "an error";
      throw new RepoError("file-unwritable", `${JSON.stringify(name)} cannot be written (${code})`, {
        cause,
      });
    }
  }

  private makeRoot(): void {
    if (this.hasRoot) return;
    try {
      mkdirSync(this.root, { recursive: true });
      this.hasRoot = true;
    } catch (cause) {
      throw new RepoError("file-unwritable", `the folder ${this.root} cannot be made`, { cause });
    }
  }

  private check(name: string): void {
    const problem = pathProblem(name, this.platform);
    if (problem !== undefined) throw unsafe(name, problem);
  }

  /** Each folder above `name` is a real one, or not there yet. */
  private parents(name: string, make: boolean): void {
    for (let end = name.indexOf("/"); end >= 0; end = name.indexOf("/", end + 1)) {
      const folder = name.slice(0, end);
      if (this.folders.has(folder)) continue;
      const path = this.systemPath(folder);
      const found = lstat(path);
      if (found === undefined) {
        if (!make) return;
        this.makeFolder(path, name);
      } else if (found.isSymbolicLink()) throw unsafe(name, `${JSON.stringify(folder)} is a symbolic link`);
      else if (!found.isDirectory()) throw unsafe(name, `${JSON.stringify(folder)} is no folder`);
      this.folders.add(folder);
    }
  }

  private makeFolder(path: SystemPath, name: string): void {
    try {
      mkdirSync(path);
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code ?? "an error";
      throw new RepoError("file-unwritable", `no folder can be made for ${JSON.stringify(name)} (${code})`, {
        cause,
      });
    }
  }

  private systemPath(name: string): SystemPath {
    const path = `${this.root}/${name}`;
    return LONE_SURROGATE.test(name) ? Buffer.from(encodeText(path)) : path;
  }
}

function unsafe(name: string, problem: string): RepoError {
  return new RepoError("unsafe-path", `${JSON.stringify(name)} is not written: ${problem}`, {
    hint: "rename it in a check-in made elsewhere",
    data: { name },
  });
}

function lstat(path: SystemPath): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

/** For whoever may read it. */
function makeExecutable(path: SystemPath): void {
  const { mode } = lstatSync(path);
  chmodSync(path, mode | ((mode & 0o444) >> 2));
}
