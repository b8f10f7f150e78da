/** `edgesync repo undo` and `redo`: the last command that changed the working tree, taken back or done again. */
import type { Checkout } from "./checkout-db.ts";
import { type UndoDirection, undo, undoOffer } from "./checkout-undo.ts";
import { shownName, treeNames, withCheckout } from "./cli-checkout.ts";
import { checkInFacts, describeCheckIn } from "./cli-checkout-info.ts";
import { type CliCommand, command, flag, positional } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";

const WORDS = { restored: undefined, new: "NEW", deleted: "DELETE" } as const;

function undoCommandOf(direction: UndoDirection, description: string, about: string): CliCommand {
  return command({
    description,
    args: {
      files: positional({
        description: "only these files, leaving what else the command did",
        repeat: true,
      }),
      dryRun: flag({ description: "say what would be done", alias: ["n"] }),
    },
    examples: [
      { line: `edgesync repo ${direction}`, about },
      { line: `edgesync repo ${direction} --dry-run`, about: "which command that is, and what it changed" },
    ],
    run: async ({ files, dryRun }, context) => {
      await withCheckout(context, "write", (checkout) => {
        if (dryRun) return explain(checkout, context);
        const names = files.length === 0 ? undefined : treeNames(checkout, context, files);
        const before = checkout.checkIn;
        const undone = undo(checkout, direction, names);
        const now = checkout.checkIn;
        const isMoved = now !== before;
        const facts = now === undefined ? null : checkInFacts(checkout.repo, now);
        context.out.result({ direction, files: undone, checkIn: facts }, () =>
          [
            ...undone.map(({ name, outcome }) => {
              const word = WORDS[outcome] ?? direction.toUpperCase();
              return `${word.padEnd(6)} ${shownName(checkout, context, name)}\n`;
            }),
            ...(isMoved && facts !== null
              ? [`${"-".repeat(20)}\n`, describeCheckIn("updated-to:", facts, false)]
              : []),
          ].join(""),
        );
      });
      return undefined;
    },
  });
}

function explain(checkout: Checkout, context: CliContext): void {
  const offer = undoOffer(checkout);
  if (offer === undefined) {
    context.out.result(null, () => "No undo or redo is available\n");
    return;
  }
  const { direction, commandLine, files } = offer;
  context.out.result({ direction, commandLine, files }, () =>
    [
      `${direction === "undo" ? "An undo" : "A redo"} is available for the following command:\n\n`,
      `   ${commandLine}\n\n`,
      files.length === 0
        ? "No file changes would occur with this undo/redo.\n"
        : `The following file changes would occur if the command above is ${direction}ne:\n\n`,
      ...files.map(
        ({ name, exists }) => `${exists ? "UPDATE" : "DELETE"} ${shownName(checkout, context, name)}\n`,
      ),
    ].join(""),
  );
}

export const undoCommand = undoCommandOf(
  "undo",
  "takes back what the last merge, update, revert, clean or stash did",
  "the working tree as it was before",
);
export const redoCommand = undoCommandOf("redo", "does again what undo took back", "after one undo too many");
