/** `edgesync repo cat`: a file of a check-in, or any artifact. */
import { strictText } from "./bytes.ts";
import { checkInOf } from "./cli-checkin.ts";
import { command, flag, option, positional, text } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { repositoryName } from "./cli-place.ts";
import { type OpenRepository, withRepository } from "./cli-repository.ts";
import { knownSpelling } from "./cli-spelling.ts";
import { isTerminal } from "./cli-terminal.ts";
import { NameError, RepoError, UsageError } from "./errors.ts";
import { type CheckInFile, findFile, readFile } from "./repo-files.ts";
import { findName } from "./repo-name.ts";

export const catCommand = command({
  description: "prints a file of a check-in, or any artifact",
  args: {
    what: positional({
      description: "a file's name, or 4 digits or more of an artifact's hash",
      required: true,
    }),
    version: option(
      { description: "the check-in that has the file; the checkout's, else tip", valueHint: "VERSION" },
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
async function readContent(
  open: OpenRepository,
  typed: string,
  version: string | undefined,
  context: CliContext,
): Promise<Uint8Array> {
  const { repo } = open;
  const hasCheckIns = version !== undefined || findName(repo, "tip", { type: "ci" }) !== undefined;
  const checkIn = hasCheckIns ? checkInOf(open, version) : undefined;
  let file: CheckInFile | undefined;
  const isKnown = (name: string) => {
    file = checkIn === undefined ? undefined : findFile(repo, checkIn, name);
    return file !== undefined;
  };
  const what = await knownSpelling(repo, context, repositoryName(context, typed), isKnown);
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
