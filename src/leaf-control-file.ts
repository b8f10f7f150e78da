/**
 * `<repository>.leaf.json`: how to talk to the leaf that keeps a repository, if one runs.
 *
 *     {"pid": 4711, "url": "http://127.0.0.1:40123/", "token": "64 hex digits"}
 *
 * Readable by its owner alone, for whoever has the token may tell the leaf what to do. Made when the leaf has
 * started, removed when it stops. A leaf that was killed leaves it behind: then no process has that
 * number, or another one, which does not answer at that address to that token.
 */
import { closeSync, openSync, readFileSync, realpathSync, rmSync, writeSync } from "node:fs";
import { RepoError } from "./errors.ts";
import { CONTROL_FILE_MAX_BYTES } from "./limits.ts";

export interface ControlFile {
  readonly pid: number;
  /** Ends in `/`. */
  readonly url: string;
  readonly token: string;
}

/** Beside the file itself, whatever link leads to it. */
export function controlFilePath(repository: string): string {
  return `${realpathSync(repository)}.leaf.json`;
}

/** What is written there; undefined when there is nothing, or nothing of use. */
export function readControlFile(repository: string): ControlFile | undefined {
  let written: string;
  try {
    written = readFileSync(controlFilePath(repository), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw unreadable(repository, error);
  }
  if (written.length > CONTROL_FILE_MAX_BYTES) return undefined;
  return parse(written);
}

/**
 * Makes the file, unless there is one.
 *
 * @returns whether it was made
 * @throws RepoError `control-file`
 */
export function makeControlFile(repository: string, content: ControlFile): boolean {
  let descriptor: number;
  try {
    descriptor = openSync(controlFilePath(repository), "wx", 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw new RepoError("control-file", `${controlFilePath(repository)} cannot be made`, { cause: error });
  }
  try {
    writeSync(descriptor, `${JSON.stringify(content)}\n`);
  } catch (cause) {
    rmSync(controlFilePath(repository), { force: true });
    const { message } = cause as Error;
    throw new RepoError("control-file", `${controlFilePath(repository)} cannot be written: ${message}`, {
      cause,
    });
  } finally {
    closeSync(descriptor);
  }
  return true;
}

/** Removes the file if it is still the one that `token` stands in; whatever it is, without a token. */
export function removeControlFile(repository: string, token?: string): void {
  if (token !== undefined && readControlFile(repository)?.token !== token) return;
  rmSync(controlFilePath(repository), { force: true });
}

/** Whether there is a process of that number. */
export function isProcess(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function parse(written: string): ControlFile | undefined {
  try {
    const { pid, url, token } = JSON.parse(written) as Partial<Record<string, unknown>>;
    const isUrl = typeof url === "string" && /^http:\/\/127\.0\.0\.1:\d{1,5}\/$/.test(url);
    const isToken = typeof token === "string" && /^[0-9a-f]{64}$/.test(token);
    if (!isUrl || !isToken || !Number.isSafeInteger(pid) || (pid as number) < 1) return undefined;
    return { pid: pid as number, url, token };
  } catch {
    return undefined;
  }
}

function unreadable(repository: string, cause: unknown): RepoError {
  return new RepoError("control-file", `${controlFilePath(repository)} cannot be read`, {
    hint: "only the user who started the leaf may talk to it",
    cause,
  });
}
