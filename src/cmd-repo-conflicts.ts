/** `edgesync repo conflicts` and `mark-resolved`: what merges left to be decided, and how it is. */

import type { Checkout } from "./checkout-db.ts";
import { shownName, treeNames, withCheckout } from "./cli-checkout.ts";
import { badValue, command, group, positional } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { EXIT } from "./errors.ts";
import { conflictOf, openConflicts } from "./merge-conflict.ts";
import {
  type ConflictVersion,
  extractVersions,
  markResolved,
  mergeAgain,
  pickVersion,
  VERSIONS,
  versionContent,
} from "./merge-resolve.ts";

const file = positional({ description: "the file", required: true });

function parseVersion(name: string): ConflictVersion {
  return VERSIONS.find((version) => version === name) ?? badValue(VERSIONS.join(", "), name);
}

const ls = command({
  description: "lists the files with conflicts that are not resolved",
  examples: [{ line: "edgesync repo conflicts ls", about: "exits with 3 when there are any" }],
  run: async (_, context) =>
    withCheckout(context, "read", (checkout) => {
      const conflicts = openConflicts(checkout);
      for (const { name, kind, version } of conflicts) {
        const of = version === undefined ? "" : `  (merge of ${version.slice(0, 10)})`;
        context.out.item(
          { name, kind, version: version ?? null },
          () => `${kind.toUpperCase().padEnd(8)} ${shownName(checkout, context, name)}${of}\n`,
        );
      }
      return conflicts.length > 0 ? EXIT.conflicts : EXIT.done;
    }),
});

const show = command({
  description: "says which versions of a file there are, or prints one of them",
  args: {
    file,
    version: positional({ description: "ours (before the merge), theirs or base: print its content" }),
  },
  examples: [
    { line: "edgesync repo conflicts show logo.png", about: "sizes and names of all versions" },
    { line: "edgesync repo conflicts show notes.txt theirs", about: "what was merged in" },
  ],
  run: async ({ file: typed, version }, context) => {
    await withCheckout(context, "read", (checkout) => {
      const conflict = conflictOf(checkout, nameOf(checkout, context, typed));
      if (version !== undefined) {
        context.out.bytes(versionContent(checkout, conflict, parseVersion(version)) ?? new Uint8Array(0));
        return;
      }
      const { name, kind, base, theirs, ours, version: merged } = conflict;
      const size = (hash: typeof base) =>
        hash === undefined ? null : checkout.repo.content.getByHash(hash)?.length;
      const versions = {
        ours: { size: ours?.length ?? null, hash: null },
        theirs: { size: size(theirs) ?? null, hash: theirs ?? null },
        base: { size: size(base) ?? null, hash: base ?? null },
      };
      context.out.result({ name, kind, version: merged ?? null, versions }, () =>
        [
          `${shownName(checkout, context, name)}: ${kind}${merged === undefined ? "" : `, merge of ${merged}`}\n`,
          ...VERSIONS.map((which) => {
            const { size: bytes, hash } = versions[which];
            return bytes === null
              ? `  ${which.padEnd(7)} none\n`
              : `  ${which.padEnd(7)} ${bytes} bytes${hash === null ? "" : `  ${hash}`}\n`;
          }),
        ].join(""),
      );
    });
    return undefined;
  },
});

const pick = command({
  description: "makes one of its versions the file, which ends the conflict",
  args: {
    file,
    version: positional({ description: "ours (before the merge), theirs or base", required: true }),
  },
  examples: [{ line: "edgesync repo conflicts pick logo.png theirs", about: "another may be picked later" }],
  run: async ({ file: typed, version }, context) => {
    await withCheckout(context, "write", (checkout) => {
      const name = nameOf(checkout, context, typed);
      const which = parseVersion(version);
      pickVersion(checkout, name, which);
      context.out.result(
        { name, version: which },
        () => `${shownName(checkout, context, name)} is now ${which}\n`,
      );
    });
    return undefined;
  },
});

const merge = command({
  description: "merges the text of a file's versions by lines",
  args: { file },
  examples: [{ line: "edgesync repo conflicts merge notes.txt", about: "of a file that was kept apart" }],
  run: async ({ file: typed }, context) =>
    withCheckout(context, "write", (checkout) => {
      const name = nameOf(checkout, context, typed);
      const left = mergeAgain(checkout, name);
      const shown = shownName(checkout, context, name);
      context.out.result({ name, conflicts: left }, () =>
        left === 0
          ? `MERGE ${shown}\n`
          : `MERGE ${shown}\n***** ${left} merge conflict${left > 1 ? "s" : ""} in ${shown}\n`,
      );
      return left > 0 ? EXIT.conflicts : EXIT.done;
    }),
});

const extract = command({
  description: "writes all versions of a file beside it",
  args: { file },
  examples: [
    { line: "edgesync repo conflicts extract logo.png", about: "logo.png-baseline, -original and -merge" },
  ],
  run: async ({ file: typed }, context) => {
    await withCheckout(context, "write", (checkout) => {
      const written = extractVersions(checkout, nameOf(checkout, context, typed));
      context.out.result({ written }, () =>
        written.map((name) => `${shownName(checkout, context, name)}\n`).join(""),
      );
    });
    return undefined;
  },
});

export const conflictsCommand = group({
  description: "decides what merges could not",
  examples: [
    { line: "edgesync repo conflicts ls", about: "what is left" },
    { line: "edgesync repo conflicts pick logo.png theirs", about: "choose a version" },
  ],
  subCommands: {
    ls: () => ls,
    show: () => show,
    pick: () => pick,
    merge: () => merge,
    extract: () => extract,
  },
});

export const markResolvedCommand = command({
  description: "says that files with conflicts are right as they are",
  args: { files: positional({ description: "the files", required: true, repeat: true }) },
  examples: [{ line: "edgesync repo mark-resolved notes.txt", about: "once it has been edited" }],
  run: async ({ files }, context) => {
    await withCheckout(context, "write", (checkout) => {
      const names = treeNames(checkout, context, files);
      for (const name of names) markResolved(checkout, name);
      context.out.result({ resolved: names }, () =>
        names.map((name) => `${shownName(checkout, context, name)}\n`).join(""),
      );
    });
    return undefined;
  },
});

function nameOf(checkout: Checkout, context: CliContext, typed: string): string {
  return treeNames(checkout, context, [typed])[0]!;
}
