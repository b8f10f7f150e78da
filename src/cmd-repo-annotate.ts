/** `edgesync repo annotate` and `blame`: which check-in each line of a file comes from, and who made it. */
import { command, type Example, flag, option, positional, text } from "./cli-command.ts";
import { repositoryName } from "./cli-place.ts";
import { withRepository } from "./cli-repository.ts";
import { knownSpelling } from "./cli-spelling.ts";
import { integer } from "./cli-values.ts";
import { type AnnotatedVersion, annotate } from "./diff-annotate.ts";
import { formatDateTime } from "./julian.ts";
import { findFile } from "./repo-files.ts";
import { resolveName } from "./repo-name.ts";

const VERSION_MAX_COUNT = 1_000_000_000;
/** Columns of a login. */
const USER_WIDTH = 13;

export const annotateCommand = annotating(
  "prints a file with the check-in that each line comes from",
  false,
  {
    line: "edgesync repo annotate src/main.c",
    about: "hash, date and line number",
  },
);

export const blameCommand = annotating("prints a file with who wrote each line", true, {
  line: "edgesync repo blame src/main.c --version v1.0 -w",
  about: "as of a version, changes of blanks aside",
});

function annotating(description: string, isBlame: boolean, example: Example) {
  return command({
    description,
    args: {
      file: positional({
        description: "the file, relative to the folder worked in where that is a checkout",
        required: true,
      }),
      version: option(
        {
          description: "the check-in; the checkout's, else tip",
          valueHint: "VERSION",
          alias: ["r", "revision"],
        },
        text,
      ),
      limit: option(
        { description: "look at so many versions; 0 for all", valueHint: "N", alias: ["n"], default: "0" },
        integer(0, VERSION_MAX_COUNT),
      ),
      origin: option(
        {
          description: "look along the way to this check-in instead of back to the root",
          valueHint: "VERSION",
          alias: ["o"],
        },
        text,
      ),
      log: flag({ description: "list the versions looked at first", alias: ["l"] }),
      filevers: flag({ description: "hashes of the file instead of the check-in" }),
      ignoreAllSpace: flag({ description: "blanks do not count", alias: ["w"] }),
      ignoreTrailingSpace: flag({ description: "blanks at the ends of lines do not count", alias: ["Z"] }),
    },
    examples: [example],
    run: async (args, context) => {
      const { limit, filevers, log } = args;
      const { versions, lines } = await withRepository(context, "read", async ({ repo, checkout }) => {
        const version = args.version ?? (checkout === undefined ? "tip" : "current");
        const named = (one: string) =>
          resolveName(repo, one, { type: "ci", ...(checkout !== undefined && { checkout }) });
        const checkIn = named(version);
        const typed = repositoryName(context, args.file);
        const isKnown = (name: string) => findFile(repo, checkIn, name) !== undefined;
        return annotate(repo, checkIn, await knownSpelling(repo, context, typed, isKnown), {
          ...(args.origin !== undefined && { origin: named(args.origin) }),
          ...(limit > 0 && { limit }),
          ...(args.ignoreTrailingSpace && { ignore: "trailing-space" }),
          ...(args.ignoreAllSpace && { ignore: "all-space" }),
        });
      });
      const { out } = context;
      if (out.json) {
        for (const [i, line] of lines.entries())
          out.item(lineJson(i, line.text, versionOf(line.version)), () => "");
        return;
      }
      const parts: string[] = [];
      if (log) {
        for (const [i, version] of versions.entries()) {
          parts.push(
            `version ${String(i + 1).padStart(3)}: ${day(version)} ${short(version.checkIn)} file ${short(version.hash ?? "")}\n`,
          );
        }
        parts.push(`${"-".repeat(51)}\n`);
      }
      for (const [i, line] of lines.entries()) {
        const version = versionOf(line.version);
        const number = String(i + 1).padStart(5);
        const origin =
          version && `${short((filevers ? version.hash : version.checkIn) ?? "")} ${day(version)}`;
        const before = origin ?? " ".repeat(HASH_WIDTH + DAY_WIDTH + 1);
        if (!isBlame) parts.push(`${before} ${number}: ${line.text}\n`);
        else if (version === undefined) parts.push(`${before}${" ".repeat(USER_WIDTH + 2)} ${line.text}\n`);
        else parts.push(`${before} ${userColumn(version.user)}: ${line.text}\n`);
      }
      out.bytes(Buffer.from(parts.join(""), "latin1"));

      function versionOf(index: number | undefined): AnnotatedVersion | undefined {
        return index === undefined ? undefined : versions[index];
      }
    },
  });
}

const HASH_WIDTH = 10;
const DAY_WIDTH = 10;
const short = (hash: string) => hash.slice(0, HASH_WIDTH);
const day = ({ date }: AnnotatedVersion) => formatDateTime(date).slice(0, DAY_WIDTH);
/** Cut and filled by bytes, as stock does. */
const userColumn = (user: string) =>
  Buffer.from(user).toString("latin1").slice(0, USER_WIDTH).padStart(USER_WIDTH);

function lineJson(i: number, raw: string, version: AnnotatedVersion | undefined) {
  return {
    line: i + 1,
    checkIn: version?.checkIn ?? null,
    hash: version?.hash ?? null,
    date: version === undefined ? null : formatDateTime(version.date),
    user: version?.user ?? null,
    text: Buffer.from(raw, "latin1").toString("utf8"),
  };
}
