/** `edgesync repo ls` and `cat`: the files of a check-in. */
import { strictText } from "./bytes.ts";
import { type ChangeKind, describeAll } from "./checkout-status.ts";
import { vfileNames } from "./checkout-vfile.ts";
import { repositoryName, withCheckout, worksInCheckout } from "./cli-checkout.ts";
import { command, flag, option, positional, text } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { columns } from "./cli-output.ts";
import { type OpenRepository, withRepository } from "./cli-repository.ts";
import { isTerminal } from "./cli-terminal.ts";
import { NameError, RepoError, UsageError } from "./errors.ts";
import { formatDateTime } from "./julian.ts";
import type { Rid } from "./repo-content.ts";
import { fileOrigins, findFile, listFiles, readFile } from "./repo-files.ts";
import { findName, resolveName } from "./repo-name.ts";

const VERSION_DEFAULT = "the checkout's, else tip";

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
      const checkIn = versionOf(open, args.version);
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

export const catCommand = command({
  description: "prints a file of a check-in, or any artifact",
  args: {
    what: positional({
      description: "a file's name, or 4 digits or more of an artifact's hash",
      required: true,
    }),
    version: option(
      { description: `the check-in that has the file; ${VERSION_DEFAULT}`, valueHint: "VERSION" },
      text,
    ),
    raw: flag({ description: "even what is no text, and even to a terminal" }),
  },
  examples: [
    { line: "edgesync repo cat README.md --version trunk", about: "a file as it is on a branch" },
    { line: "edgesync repo cat 1a2b3c4d", about: "an artifact, for instance a manifest" },
  ],
  run: async (args, context) => {
    const { out } = context;
    const content = await withRepository(context, "read", (open) =>
      readContent(open, args.what, args.version, context),
    );
    const asText = strictText(content);
    if (out.json) {
      const body =
        asText === undefined ? { base64: Buffer.from(content).toString("base64") } : { text: asText };
      out.result({ what: args.what, size: content.length, ...body }, () => "");
      return undefined;
    }
    if (!args.raw && isTerminal(1) && (asText === undefined || asText.includes("\0"))) {
      throw new UsageError("binary", `${args.what} is no text, and this is a terminal`, {
        hint: "redirect the output, or add --raw",
      });
    }
    out.bytes(content);
  },
});

/** A file of that name in the version comes before an artifact of that hash. */
function readContent(
  open: OpenRepository,
  typed: string,
  version: string | undefined,
  context: CliContext,
): Uint8Array {
  const { repo } = open;
  const what = repositoryName(context, typed);
  const hasCheckIns = version !== undefined || findName(repo, "tip", { type: "ci" }) !== undefined;
  const checkIn = hasCheckIns ? versionOf(open, version) : undefined;
  const file = checkIn === undefined || version !== undefined ? undefined : findFile(repo, checkIn, what);
  if (checkIn !== undefined && (version !== undefined || file !== undefined)) {
    const content = file?.rid === undefined ? undefined : repo.content.get(file.rid);
    return content ?? readFile(repo, checkIn, what);
  }
  const rid = /^[0-9a-fA-F]{4,64}$/.test(typed) ? findName(repo, typed) : undefined;
  if (rid === undefined) {
    throw new NameError("no-such-file", `there is no file and no artifact ${JSON.stringify(typed)}`, {
      hint: "edgesync repo ls lists the files",
    });
  }
  const content = repo.content.get(rid);
  if (content !== undefined) return content;
  throw new RepoError("content-missing", `the content of artifact ${repo.content.hashOf(rid)} is not here`, {
    hint: "sync with a peer that has it",
  });
}

/** The check-in a command means: the one named, else the checkout's, else the newest. */
function versionOf({ repo, checkout }: OpenRepository, version: string | undefined): Rid {
  const options = { type: "ci", ...(checkout !== undefined && { checkout }) } as const;
  return resolveName(repo, version ?? (checkout === undefined ? "tip" : "current"), options);
}
