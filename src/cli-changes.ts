/** How changes of a checkout and its pending merges are written: a word in capitals in ten columns, then the name, as stock does. */
import type { Checkout } from "./checkout-db.ts";
import type { FileChange } from "./checkout-status.ts";
import type { PendingMerge } from "./checkout-vfile.ts";
import { shownName } from "./cli-checkout.ts";
import type { CliContext } from "./cli-context.ts";

const MERGE_WORDS = {
  merge: "MERGED_WITH",
  cherrypick: "CHERRYPICK",
  backout: "BACKOUT",
  integrate: "INTEGRATE",
} as const;

export function changeLine(
  checkout: Checkout,
  context: CliContext,
  { kind, name, originalName }: Omit<FileChange, "file">,
): string {
  const shown = shownName(checkout, context, name);
  const before = originalName === undefined ? "" : `${shownName(checkout, context, originalName)}  ->  `;
  return `${kind.padEnd(10)} ${before}${shown}\n`;
}

export const changeJson = ({ kind, name, originalName }: Omit<FileChange, "file">) => ({
  kind,
  name,
  ...(originalName !== undefined && { originalName }),
});

export const mergeLine = ({ kind, hash }: PendingMerge) => `${MERGE_WORDS[kind].padEnd(10)} ${hash}\n`;
export const mergeJson = ({ kind, hash }: PendingMerge) => ({ kind: MERGE_WORDS[kind], hash });
