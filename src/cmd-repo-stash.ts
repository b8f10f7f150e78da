/** `edgesync repo stash`: changes set aside, and taken up again. */

import {
  dropStashes,
  findStash,
  listStashes,
  renameStash,
  type Stash,
  type StashFile,
  saveStash,
  stashFiles,
} from "./checkout-stash.ts";
import { applyStash, type StashStep, stashPairs } from "./checkout-stash-apply.ts";
import { UndoLog } from "./checkout-undo.ts";
import { shownName, treeNames, withCheckout } from "./cli-checkout.ts";
import { type CliCommand, command, flag, group, option, positional, text } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { DIFF_ARGS, printDiff } from "./cli-diff.ts";
import { widthOf, wrap } from "./cli-timeline.ts";
import { integer } from "./cli-values.ts";
import { EXIT } from "./errors.ts";

const COMMENT_INDENT = 7;

const number = positional({ description: "number of the stash; the last one unless given" });
const parseNumber = integer(1, Number.MAX_SAFE_INTEGER);
const numberOf = (typed: string | undefined) => (typed === undefined ? undefined : parseNumber(typed));

function saving(description: string, line: string, about: string, keep: boolean): CliCommand {
  return command({
    description,
    args: {
      files: positional({ description: "only these files, or what is in these folders", repeat: true }),
      comment: option({ description: "what is being stashed", alias: ["m"], default: "" }, text),
    },
    examples: [{ line, about }],
    run: async ({ files, comment }, context) => {
      await withCheckout(context, "read", (checkout) => {
        const names = treeNames(checkout, context, files);
        const saved = saveStash(checkout, { names, comment, keep });
        context.out.result({ id: saved.id, files: saved.files }, () =>
          [
            ...saved.reverted.map(
              ({ what, name }) => `${what.padEnd(8)} ${shownName(checkout, context, name)}\n`,
            ),
            `stash ${saved.id} saved\n`,
          ].join(""),
        );
      });
      return undefined;
    },
  });
}

function applying(name: "pop" | "apply" | "goto", description: string, about: string): CliCommand {
  return command({
    description,
    args: { id: number },
    examples: [{ line: `edgesync repo stash ${name}`, about }],
    run: async ({ id }, context) =>
      withCheckout(context, "read", (checkout) => {
        const { stash, steps, conflictCount } = applyStash(checkout, {
          id: numberOf(id),
          goTo: name === "goto",
          drop: name === "pop",
          commandLine: ["stash", name, ...(id === undefined ? [] : [id])].join(" "),
        });
        context.out.result({ stash, steps, conflicts: conflictCount }, () =>
          [
            ...steps.map((step) => describe(step, shownName(checkout, context, step.name))),
            conflictCount > 0
              ? `WARNING: ${conflictCount} merge conflicts - see messages above for details.\n`
              : "",
            ...(name === "goto"
              ? []
              : [`${name === "pop" ? "Popped" : "Applied"} stash:\n`, heading(stash, "from")]),
          ].join(""),
        );
        return conflictCount > 0 ? EXIT.conflicts : EXIT.done;
      }),
  });
}

function describe({ what, unmerged }: StashStep, name: string): string {
  if (unmerged === "link") return `***** Cannot merge symlink ${name}\nCONFLICT ${name}\n`;
  const line = `${what === "ADDED" ? "ADDED " : what} ${name}\n`;
  return unmerged === "binary"
    ? `${line}       binary file left unchanged - resolve using -baseline/-original/-merge\n`
    : line;
}

function heading({ id, hash, comment, date }: Stash, word: "on" | "from"): string {
  const line = `${String(id).padStart(5)}: [${hash.slice(0, 14)}] ${word} ${date}\n`;
  if (comment === "") return line;
  return `${line}${" ".repeat(COMMENT_INDENT)}${wrap(comment, commentWidth(), COMMENT_INDENT)}`;
}

function commentWidth(): number {
  const width = widthOf(undefined);
  return width === 0 ? 0 : Math.max(20, width - COMMENT_INDENT);
}

const ls = command({
  description: "lists what is stashed, the oldest first",
  args: { files: flag({ description: "the files of each stash too", alias: ["l"] }) },
  examples: [{ line: "edgesync repo stash ls --files", about: "what each stash would change" }],
  run: async ({ files }, context) => {
    await withCheckout(context, "read", (checkout) => {
      const stashes = listStashes(checkout);
      for (const stash of stashes) {
        const held = files ? stashFiles(checkout, stash.id) : [];
        context.out.item({ ...stash, ...(files && { files: held.map(toJson) }) }, () =>
          [heading(stash, "on"), ...held.map((file) => `          ${fileLine(file)}\n`)].join(""),
        );
      }
      if (stashes.length === 0 && !context.out.json) context.out.item(null, () => "empty stash\n");
    });
    return undefined;
  },
});

const changeOf = ({ base, isRemoved, name, originalName }: StashFile) =>
  base === undefined ? "ADD" : isRemoved ? "REMOVE" : name === originalName ? "EDIT" : "RENAME";

function fileLine(file: StashFile): string {
  const change = changeOf(file);
  if (change === "RENAME") return `RENAME ${file.originalName} -> ${file.name}`;
  return `${change} ${change === "ADD" ? file.name : file.originalName}`;
}

const toJson = (file: StashFile) => ({
  change: changeOf(file),
  name: file.name,
  originalName: file.originalName,
});

function showing(against: "base" | "tree", description: string, line: string, about: string): CliCommand {
  return command({
    description,
    args: { id: number, ...DIFF_ARGS },
    examples: [{ line, about }],
    run: async ({ id, ...args }, context: CliContext) => {
      await withCheckout(context, "read", (checkout) => {
        const stash = findStash(checkout, numberOf(id));
        printDiff(stashPairs(checkout, stash.id, against), args, context);
      });
      return undefined;
    },
  });
}

const drop = command({
  description: "forgets stashes; undo brings them back",
  args: { ids: positional({ description: "numbers of stashes; the last one unless given", repeat: true }) },
  examples: [{ line: "edgesync repo stash drop 3", about: "the others keep their numbers" }],
  run: async ({ ids }, context) => {
    await withCheckout(context, "read", (checkout) => {
      const dropped = checkout.write(() => {
        const chosen = ids.length === 0 ? [undefined] : ids.map(numberOf);
        const stashes = chosen.map((id) => findStash(checkout, id).id);
        dropStashes(checkout, stashes, UndoLog.begin(checkout, ["stash drop", ...ids].join(" ")));
        return stashes;
      });
      context.out.result({ dropped }, () => dropped.map((id) => `stash ${id} dropped\n`).join(""));
    });
    return undefined;
  },
});

const clear = command({
  description: "forgets all that is stashed, for good",
  examples: [{ line: "edgesync repo stash clear", about: "this cannot be undone" }],
  run: async (_, context) => {
    await withCheckout(context, "read", (checkout) => {
      const dropped = checkout.write(() => {
        const ids = listStashes(checkout).map(({ id }) => id);
        dropStashes(checkout, ids, undefined);
        return ids;
      });
      context.out.result({ dropped }, () => `${dropped.length} stashes dropped\n`);
    });
    return undefined;
  },
});

const rename = command({
  description: "changes the description of a stash",
  args: {
    id: positional({ description: "number of the stash", required: true }),
    comment: positional({ description: "the new description", required: true }),
  },
  examples: [{ line: 'edgesync repo stash rename 2 "parser, first try"', about: "what ls then says" }],
  run: async ({ id, comment }, context) => {
    await withCheckout(context, "read", (checkout) => {
      renameStash(checkout, parseNumber(id), comment);
      context.out.result({ id: parseNumber(id), comment }, () => "");
    });
    return undefined;
  },
});

const save = saving(
  "sets changes aside and puts the files back as they are in the check-in",
  'edgesync repo stash save -m "half of the parser"',
  "the working tree is clean then",
  false,
);
const snapshot = saving(
  "keeps a copy of the changes, which stay in the working tree",
  'edgesync repo stash snapshot -m "before the rewrite"',
  "to come back to",
  true,
);
const pop = applying("pop", "applies a stash and forgets it", "take up what was set aside last");
const apply = applying("apply", "applies a stash and keeps it", "the same changes on another branch too");
const goTo = applying("goto", "goes to a stash's check-in and applies it", "just as it was");
const show = showing("base", "shows what a stash changes", "edgesync repo stash show 2", "as a difference");
const diff = showing(
  "tree",
  "shows how a stash differs from the working tree",
  "edgesync repo stash diff",
  "what pop would do",
);

export const stashCommand = group({
  description: "sets changes aside, to take them up again",
  examples: [
    { line: 'edgesync repo stash save -m "not now"', about: "put them away" },
    { line: "edgesync repo stash pop", about: "and back" },
  ],
  subCommands: {
    save: () => save,
    snapshot: () => snapshot,
    pop: () => pop,
    apply: () => apply,
    goto: () => goTo,
    ls: () => ls,
    show: () => show,
    diff: () => diff,
    drop: () => drop,
    clear: () => clear,
    rename: () => rename,
  },
});
