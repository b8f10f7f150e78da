/**
 * All versions of a file that conflicts, beside it: `NAME-baseline`, `NAME-original`, `NAME-merge`; where one of these
 * names is taken, `-0`, `-1` … is added to it. Source: Fossil `src/merge3.c`, `file_newname`.
 */
import { freeName } from "./checkout-sidecar.ts";
import type { TreeChange } from "./checkout-tree.ts";

export interface FileVersions {
  readonly base: Uint8Array;
  readonly ours: Uint8Array;
  readonly theirs: Uint8Array;
}

const ENDINGS = { base: "baseline", ours: "original", theirs: "merge" } as const;

/** Writes the versions and returns the names of their files. @throws those of `TreeChange.write` */
export function writeSidecars(tree: TreeChange, name: string, versions: Partial<FileVersions>): string[] {
  return (["base", "ours", "theirs"] as const).flatMap((version) => {
    const content = versions[version];
    if (content === undefined) return [];
    const free = freeName(tree, `${name}-${ENDINGS[version]}`);
    tree.write(free, content, "");
    return [free];
  });
}
