/**
 * How the files of a checkout differ from a check-in: by default the one that is checked out, and then only files that
 * were changed. Files are read one at a time. Source: Fossil `src/diffcmd.c`.
 */
import { existsSync } from "node:fs";
import { equal } from "./bytes.ts";
import type { Checkout } from "./checkout-db.ts";
import { readDisk } from "./checkout-disk.ts";
import { refresh, refreshChanged, type TrackedFile } from "./checkout-status.ts";
import { CHANGE } from "./checkout-vfile.ts";
import type { FilePair } from "./diff-report.ts";
import type { Rid } from "./repo-content.ts";
import { listFiles } from "./repo-files.ts";

export interface CheckoutDiffOptions {
  /** The check-in to compare with. */
  readonly from?: Rid;
  /** Whether a file is to be compared, by its name. */
  readonly isWanted: (name: string) => boolean;
  /** Whether the texts of files that were added or removed are shown: if not they are not read. */
  readonly wholeFiles: boolean;
}

/** A file to compare. */
interface Candidate {
  readonly name: string;
  readonly rid: number;
  readonly islink: boolean;
  /** Its row in the checkout; `undefined`: only the check-in has it. */
  readonly file: TrackedFile | undefined;
}

const LINKS_DIFFER = "cannot compute difference between symlink and regular file";
const LABEL_WIDTH = 8;

/** Files that differ, in order of their names. */
export function* checkoutDifferences(checkout: Checkout, options: CheckoutDiffOptions): Generator<FilePair> {
  const look = options.from === undefined ? refreshChanged : refresh;
  const files = look(checkout, { requireFiles: true });
  for (const candidate of candidates(checkout, files, options.from)) {
    if (!options.isWanted(candidate.name)) continue;
    const pair = compare(checkout, candidate, options.wholeFiles);
    if (pair !== undefined) yield pair;
  }
}

function candidates(checkout: Checkout, files: readonly TrackedFile[], from: Rid | undefined): Candidate[] {
  if (from === undefined) {
    return files
      .filter(({ deleted, chnged, rid }) => deleted !== 0 || chnged !== 0 || rid === 0)
      .map((file) => ({ name: file.pathname, rid: file.rid, islink: file.islink !== 0, file }));
  }
  const own = new Map(files.map((file) => [file.pathname, file]));
  const theirs = listFiles(checkout.repo, from).filter(({ rid }) => rid !== undefined);
  const known = new Set(theirs.map(({ name }) => name));
  const both = theirs.map(({ name, rid, permission }) => ({
    name,
    rid: rid as number,
    islink: permission === "l",
    file: own.get(name),
  }));
  const added = files
    .filter(({ pathname }) => !known.has(pathname))
    .map((file) => ({ name: file.pathname, rid: 0, islink: file.islink !== 0, file }));
  return [...both, ...added]
    .filter(({ rid, file }) => file?.deleted !== 0 || file.chnged !== 0 || file.rid !== rid || rid === 0)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function compare(
  checkout: Checkout,
  { name, rid, islink, file }: Candidate,
  wholeFiles: boolean,
): FilePair | undefined {
  const { root, repo, settings } = checkout;
  const before = () => (rid === 0 ? new Uint8Array(0) : (repo.content.get(rid as Rid) ?? new Uint8Array(0)));
  const after = () => readDisk(`${root}/${name}`, settings.allowsLinks);
  const only = (label: string, side: "from" | "to"): FilePair => {
    const content = wholeFiles ? (side === "from" ? before() : after()) : new Uint8Array(0);
    return { name, label: label.padEnd(LABEL_WIDTH), [side]: content, isBare: content.length === 0 };
  };
  if (file === undefined || file.deleted !== 0) return only("DELETED", "from");
  // As in stock, a link that leads nowhere counts as missing.
  if (!existsSync(`${root}/${name}`)) return only("MISSING", "from");
  if (file.chnged === CHANGE.addedByMerge) return only("ADDED_BY_MERGE", "to");
  if (file.chnged === CHANGE.addedByIntegrate) return only("ADDED_BY_INTEGRATE", "to");
  if (rid === 0) return only("ADDED", "to");
  const [from, to] = [before(), after()];
  const isLink = file.disk?.kind === "link";
  const pair = { name, label: "CHANGED".padEnd(LABEL_WIDTH), from, to };
  if (isLink !== islink) return { ...pair, instead: LINKS_DIFFER };
  return equal(from, to) ? undefined : pair;
}
