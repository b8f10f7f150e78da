/** Which files differ between two check-ins: names and versions; contents are read when they are asked for. */
import { rawOf } from "./artifact-escape.ts";
import type { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";
import { type CheckInFile, differingFiles } from "./repo-files.ts";

/** One of the two is there. A file with the same content and another permission is no difference. */
export interface TreeDifference {
  readonly name: string;
  readonly from?: CheckInFile;
  readonly to?: CheckInFile;
}

/**
 * In order of the bytes of the names.
 *
 * @throws as `listFiles`
 */
export function treeDifferences(repo: Repo, from: Rid, to: Rid): TreeDifference[] {
  const found = differingFiles(repo, from, to).map(({ name, from: old, to: file }) => ({
    name,
    ...(old && { from: old }),
    ...(file && { to: file }),
  }));
  const byName = found.map((entry) => [rawOf(entry.name), entry] as const);
  return byName.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
}

/** Does `name` equal one of `paths`, or lie in a folder of them? No paths at all stand for everything. */
export function isAmong(name: string, paths: readonly string[]): boolean {
  return (
    paths.length === 0 || paths.some((path) => path === "." || name === path || name.startsWith(`${path}/`))
  );
}
