/** `edgesync repo ls`: the files of a check-in, or of a checkout. */
import { type ChangeKind, describeAll } from "./checkout-status.ts";
import { vfileNames } from "./checkout-vfile.ts";
import { checkInOf } from "./cli-checkin.ts";
import { withCheckout } from "./cli-checkout.ts";
import { command, flag, positional } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { columns } from "./cli-output.ts";
import { worksInCheckout } from "./cli-place.ts";
import { withRepository } from "./cli-repository.ts";
import { formatDateTime } from "./julian.ts";
import { fileOrigins, listFiles } from "./repo-files.ts";

export const lsCommand = command({
  description: "lists the files of a check-in, or those that a checkout manages",
  args: {
    version: positional({ description: "the check-in; in a checkout its files as they are now, else tip" }),
    long: flag({
      description: "also mode, size, date and hash; in a checkout: what has changed",
      alias: ["l"],
    }),
  },
  examples: [
    { line: "edgesync repo ls", about: "of the newest check-in" },
    { line: "edgesync repo ls -l trunk", about: "of a branch, with details" },
  ],
  run: async (args, context) => {
    const { out } = context;
    if (args.version === undefined && worksInCheckout(context)) {
      return listCheckout(args.long, context);
    }
    return withRepository(context, "read", (open) => {
      const { repo } = open;
      const checkIn = checkInOf(open, args.version);
      const files = listFiles(repo, checkIn);
      const origins = args.long ? fileOrigins(repo, checkIn, files) : undefined;
      const rows = files.map(({ name, hash, permission, size }) => {
        const origin = origins?.get(name);
        return {
          name,
          hash,
          mode: MODES[permission],
          size: size ?? null,
          ...(origin && { date: formatDateTime(origin.date) }),
        };
      });
      out.result(rows, () =>
        origins === undefined
          ? rows.map(({ name }) => `${name}\n`).join("")
          : columns(
              rows.map((row) => [
                row.mode,
                String(row.size ?? "?"),
                row.date ?? "?",
                row.hash.slice(0, 10),
                row.name,
              ]),
            ),
      );
      return undefined;
    });
  },
});

/** The managed files of the checkout, added and removed ones too. */
async function listCheckout(long: boolean, context: CliContext): Promise<undefined> {
  await withCheckout(context, "read", (checkout) => {
    const rows: { readonly name: string; readonly kind?: ChangeKind }[] = long
      ? describeAll(checkout).map(({ kind, name }) => ({ name, kind }))
      : vfileNames(checkout, checkout.vid).map((name) => ({ name }));
    context.out.result(rows, () =>
      rows.map(({ name, kind }) => `${kind === undefined ? "" : `${kind.padEnd(10)} `}${name}\n`).join(""),
    );
  });
}

const MODES = { "": "file", x: "exec", l: "link" } as const;
