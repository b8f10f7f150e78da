/** Files that a command reads and writes whole. Names are relative to the folder worked in (`-C`). */
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import type { CliContext } from "./cli-context.ts";
import { RepoError } from "./errors.ts";

/**
 * The content of `file`; `-` is standard input.
 *
 * @throws RepoError `file-unreadable`
 */
export function readInput(file: string, { globals }: CliContext): Uint8Array {
  try {
    return readFileSync(file === "-" ? 0 : resolve(globals.checkout, file));
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === "ENOENT" ? "does not exist" : "cannot be read";
    throw new RepoError("file-unreadable", `${file} ${reason}`, { cause });
  }
}

/**
 * Writes a result of bytes: to `file`, else to standard output, else, with `--json`, as a document.
 *
 * @throws RepoError `file-unwritable`
 */
export function writeOutput(
  content: Uint8Array,
  file: string | undefined,
  { globals, out }: CliContext,
): void {
  if (file !== undefined) {
    try {
      writeFileSync(resolve(globals.checkout, file), content);
    } catch (cause) {
      throw new RepoError("file-unwritable", `${file} cannot be written`, { cause });
    }
    out.result({ file, size: content.length }, () => "");
  } else if (out.json) {
    out.result({ size: content.length, base64: Buffer.from(content).toString("base64") }, () => "");
  } else out.bytes(content);
}
