/**
 * A copy of the repository as of one moment, while others go on using it. It is written beside the place it is meant
 * for, and takes that place once it is whole.
 */
import { existsSync, renameSync, rmSync } from "node:fs";
import { RepoError } from "./errors.ts";
import { randomHex } from "./random.ts";
import type { Repo } from "./repo.ts";

/**
 * @param overwrite a file that is there already is replaced
 * @throws RepoError `file-exists`, `file-unwritable`, `disk-full`
 */
export function backUp(repo: Repo, file: string, overwrite: boolean): void {
  if (!overwrite && existsSync(file)) throw taken(file);
  const temporary = `${file}.${randomHex(repo.random, 4)}.part`;
  try {
    repo.db.copyInto(temporary);
    if (!overwrite && existsSync(file)) throw taken(file);
    renameSync(temporary, file);
  } catch (cause) {
    if (cause instanceof RepoError && cause.code === "file-exists") throw cause;
    if (cause instanceof RepoError && cause.code === "disk-full") {
      throw new RepoError("disk-full", `${file} cannot be made: the disk is full`, {
        hint: "free some space; nothing was left behind",
        cause,
      });
    }
    throw new RepoError("file-unwritable", `${file} cannot be written`, { cause });
  } finally {
    rmSync(temporary, { force: true });
  }
}

function taken(file: string): RepoError {
  return new RepoError("file-exists", `${file} exists already`, {
    hint: "choose another name, or add --overwrite",
  });
}
