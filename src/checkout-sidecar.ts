/**
 * Names of files beside a managed one: the one wished for, or with -N and the first free N from 0 on (Fossil
 * `src/file.c`).
 */
import type { TreeChange } from "./checkout-tree.ts";

export function freeName(tree: TreeChange, plain: string): string {
  let name = plain;
  for (let number = 0; tree.stat(name) !== undefined; number++) name = `${plain}-${number}`;
  return name;
}
