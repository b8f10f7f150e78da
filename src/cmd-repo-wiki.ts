/** `edgesync repo wiki`: the project's wiki pages, listed, read and written. */
import { text as decode } from "./bytes.ts";
import {
  badValue,
  command,
  type Example,
  flag,
  group,
  option,
  type Parser,
  positional,
} from "./cli-command.ts";
import { readInput, writeOutput } from "./cli-content.ts";
import { columns } from "./cli-output.ts";
import { withRepository } from "./cli-repository.ts";
import { SIGNATURE_ARGS, signature } from "./cli-signature.ts";
import { NameError } from "./errors.ts";
import { formatDateTime } from "./julian.ts";
import { mimetypeOf, trimmedBody } from "./repo-document.ts";
import { readWiki, wikiPages, writeWiki } from "./repo-wiki.ts";

export const wikiCommand = group({
  description: "lists, reads and writes wiki pages",
  examples: [{ line: "edgesync repo wiki export Home", about: "the text of a page" }],
  subCommands: {
    ls: () => lsCommand,
    export: () => exportCommand,
    commit: () => commitCommand,
    create: () => createCommand,
  },
});

const mimetype: Parser<string> = (value) => mimetypeOf(value) ?? badValue("fossil, markdown or plain", value);

/** The kind of text, of pages and technotes alike. */
export const mimetypeArg = option(
  { description: "fossil, markdown or plain; as before, else fossil", valueHint: "TYPE", alias: ["M"] },
  mimetype,
);

const lsCommand = command({
  description: "lists the pages in order of their names",
  args: {
    all: flag({ description: "deleted ones too" }),
    showAssociated: flag({ description: "also those about check-ins, branches and tags", alias: ["a"] }),
    long: flag({ description: "also when they changed, and how often", alias: ["l"] }),
  },
  examples: [
    { line: "edgesync repo wiki ls", about: "a name a line" },
    { line: "edgesync repo wiki ls --all -l", about: "with deleted ones and dates" },
  ],
  run: async ({ all, showAssociated, long }, context) => {
    const pages = await withRepository(context, "read", ({ repo }) => wikiPages(repo));
    const shown = pages
      .filter((page) => (all || !page.isDeleted) && (showAssociated || !page.isAssociated))
      .map(({ date, ...page }) => ({ ...page, date: formatDateTime(date) }));
    context.out.result(shown, () =>
      long
        ? columns(shown.map(({ date, versionCount, title }) => [date, String(versionCount), title]))
        : shown.map(({ title }) => `${title}\n`).join(""),
    );
  },
});

const exportCommand = command({
  description: "writes the text of a page to standard output or a file",
  args: {
    page: positional({ description: "its name", required: true }),
    file: positional({ description: "the file; standard output" }),
  },
  examples: [{ line: "edgesync repo wiki export Home home.wiki", about: "a page as a file" }],
  run: async ({ page: title, file }, context) => {
    const found = await withRepository(context, "read", ({ repo }) => {
      const version = readWiki(repo, title);
      return version && { ...version.page, hash: repo.content.hashOf(version.rid) };
    });
    if (found === undefined) {
      throw new NameError("no-such-page", `there is no wiki page ${JSON.stringify(title)}`, {
        hint: "edgesync repo wiki ls lists the pages",
      });
    }
    const body = trimmedBody(found.body);
    if (file !== undefined && file !== "-") return void writeOutput(body, file, context);
    const { hash, user, mimetype: type = "text/x-fossil-wiki" } = found;
    const date = formatDateTime(found.date);
    context.out.result({ title, hash, user, date, mimetype: type, text: decode(body) }, () => decode(body));
  },
});

const commitCommand = writing("commit", "makes a new version of a page", "Updated wiki page", {
  line: "edgesync repo wiki commit Home home.wiki",
  about: "from a file; without one, from standard input",
});

const createCommand = writing("create", "makes a page that is not there yet", "Created new wiki page", {
  line: "edgesync repo wiki create Ideas ideas.md -M markdown",
  about: "written in Markdown",
});

function writing(mode: "commit" | "create", description: string, done: string, example: Example) {
  return command({
    description,
    args: {
      page: positional({ description: "its name", required: true }),
      file: positional({ description: "the text; standard input" }),
      mimetype: mimetypeArg,
      ...SIGNATURE_ARGS,
    },
    examples: [example],
    run: async (args, context) => {
      const title = args.page;
      const body = readInput(args.file ?? "-", context);
      const { hash } = await withRepository(context, "write", ({ repo }) =>
        writeWiki(repo, {
          ...signature(args, repo, context),
          title,
          body,
          mode,
          ...(args.mimetype !== undefined && { mimetype: args.mimetype }),
        }),
      );
      context.out.result({ title, hash }, () => `${done} ${title}.\n`);
    },
  });
}
