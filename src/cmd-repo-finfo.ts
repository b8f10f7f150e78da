/** `edgesync repo finfo`: the versions of one file. */
import { command, flag, option, positional } from "./cli-command.ts";
import { repositoryName } from "./cli-place.ts";
import { withRepository } from "./cli-repository.ts";
import { knownSpelling } from "./cli-spelling.ts";
import { widthArg, widthOf, wrap } from "./cli-timeline.ts";
import { integer } from "./cli-values.ts";
import { NameError } from "./errors.ts";
import { formatDateTime } from "./julian.ts";
import { type FileVersion, fileHistory } from "./repo-file-history.ts";

/** Columns before the text of a version: `YYYY-MM-DD `. */
const INDENT = 11;
const COUNT_MAX = 1_000_000_000;

export const finfoCommand = command({
  description: "lists the versions of a file, newest first",
  args: {
    file: positional({
      description: "the file, relative to the folder worked in where that is a checkout",
      required: true,
    }),
    limit: option(
      { description: "how many; 0 for all", valueHint: "N", alias: ["n"], default: "0" },
      integer(0, COUNT_MAX),
    ),
    offset: option(
      { description: "skip so many first", valueHint: "N", default: "0" },
      integer(0, COUNT_MAX),
    ),
    brief: flag({ description: "one line each, cut to fit", alias: ["b"] }),
    width: widthArg,
  },
  examples: [
    { line: "edgesync repo finfo src/main.c", about: "who changed it, when and why" },
    { line: "edgesync repo finfo src/main.c --brief -n 10", about: "the ten newest, a line each" },
  ],
  run: async ({ file: typed, limit, offset, brief, width }, context) => {
    const { out } = context;
    const { file, versions } = await withRepository(context, "read", async ({ repo }) => {
      const isKnown = (name: string) => fileHistory(repo, name, { limit: 1 }).length > 0;
      const file = await knownSpelling(repo, context, repositoryName(context, typed), isKnown);
      const found = fileHistory(repo, file, { ...(limit > 0 && { limit }), offset });
      if (found.length === 0 && !isKnown(file)) {
        throw new NameError("no-such-file", `no check-in has a file ${JSON.stringify(file)}`, {
          hint: "edgesync repo ls lists the files",
        });
      }
      return { file, versions: found };
    });
    const columns = widthOf(width);
    let heading = brief ? "" : `History for ${file}\n`;
    for (const version of versions) {
      const date = formatDateTime(version.date);
      out.item(
        { ...version, date },
        () => heading + (brief ? briefLine(version) : longLine(version, columns)),
      );
      heading = "";
    }
  },
});

const short = (hash: string) => hash.slice(0, 10);
const dayOf = ({ date }: FileVersion) => formatDateTime(date).slice(0, 10);

function longLine(version: FileVersion, width: number): string {
  const { checkIn, comment, user, hash, branch } = version;
  const about = `(user: ${user}, artifact: [${short(hash)}], branch: ${branch})`;
  return wrap(`${dayOf(version)} [${short(checkIn)}] ${comment} ${about}`, width, INDENT);
}

/** Columns cut as stock cuts them. */
function briefLine(version: FileVersion): string {
  const { checkIn, comment, user, branch } = version;
  const cells = [short(checkIn), dayOf(version), user.slice(0, 8), branch.slice(0, 8), comment.slice(0, 39)];
  return `${cells.join(" ").replace(/\s+/g, " ").trimEnd()}\n`;
}
