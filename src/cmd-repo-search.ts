/**
 * `edgesync repo search`: files, comments, wiki pages, tickets, technotes and forum posts that hold a text. The index is brought up to
 * date first; in a repository that cannot be written, the index that is there is used.
 */
import { command, flag, option, positional } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { withRepository } from "./cli-repository.ts";
import { choice, integer } from "./cli-values.ts";
import { EdgeSyncError, RepoError, UsageError } from "./errors.ts";
import { formatDateTime } from "./julian.ts";
import { search } from "./repo-search.ts";
import { hasSearchIndex, type IndexReport, updateSearchIndex } from "./repo-search-index.ts";
import { SEARCH_TYPES } from "./repo-search-text.ts";

const RESULT_MAX_COUNT = 100_000;

export const searchCommand = command({
  description:
    "finds files of the main branch, comments, wiki pages, tickets, technotes and forum posts by their text",
  args: {
    terms: positional({
      description: "words that are all there; BEGIN* for a word that begins so",
      repeat: true,
    }),
    substring: flag({ description: "the text as it is, also within words", alias: ["s"] }),
    type: option(
      {
        description: `only of this type: ${SEARCH_TYPES.join(", ")}`,
        valueHint: "TYPE",
        alias: ["t"],
        repeat: true,
      },
      choice(...SEARCH_TYPES),
    ),
    limit: option(
      { description: "how many results", valueHint: "N", alias: ["n"], default: "20" },
      integer(1, RESULT_MAX_COUNT),
    ),
    reindex: flag({ description: "make the index anew" }),
  },
  examples: [
    { line: "edgesync repo search delta chain", about: "both words, best matches first" },
    { line: "edgesync repo search -s 'readU32' --type file", about: "a part of a word, in files" },
    { line: "edgesync repo search --reindex", about: "only make the index anew" },
  ],
  run: async (args, context) => {
    const { substring, type, limit, reindex } = args;
    const pattern = args.terms.join(" ");
    if (pattern === "" && !reindex) throw new UsageError("missing-argument", "what is to be found?");
    const report = await update(context, reindex);
    const { out } = context;
    if (pattern === "") {
      out.result({ ...report! }, () => `${report!.documentCount} documents indexed\n`);
      return;
    }
    const results = await withRepository(context, "read", ({ repo }) => {
      if (!hasSearchIndex(repo)) {
        throw new RepoError("no-index", "there is no search index, and none can be made here", {
          hint: "run edgesync repo search --reindex where the repository can be written",
        });
      }
      return search(repo, { pattern, isPart: substring, types: type, limit });
    });
    for (const { date, ...result } of results) {
      const when = date === undefined ? null : formatDateTime(date);
      const name = result.type === "checkin" ? result.name.slice(0, 10) : result.name;
      const title = result.title === "" || result.title === result.name ? "" : ` (${result.title})`;
      out.item({ ...result, date: when }, () => {
        const line = result.line === "" ? "" : `    ${result.line}\n`;
        return `${result.type} ${name}${title}${when === null ? "" : ` ${when}`}\n${line}`;
      });
    }
  },
});

/** `undefined` when the repository cannot be written. */
async function update(context: CliContext, anew: boolean): Promise<IndexReport | undefined> {
  const progress = context.out.progress("indexing");
  try {
    return await withRepository(context, "write", ({ repo }) =>
      updateSearchIndex(repo, {
        anew,
        onProgress: (doneCount, totalCount) => progress.update({ doneCount, totalCount, noun: "documents" }),
      }),
    );
  } catch (error) {
    const isUnwritable =
      error instanceof EdgeSyncError && ["repo-read-only", "repo-locked"].includes(error.code);
    if (!isUnwritable || anew) throw error;
    context.out.note(`edgesync: the index is not brought up to date: ${error.message}`);
    return undefined;
  } finally {
    progress.end();
  }
}
