/** `edgesync repo technote`: notes with a place on the timeline, listed, shown and written. */
import { text as decode } from "./bytes.ts";
import { command, flag, group, option, positional, text } from "./cli-command.ts";
import { readInput } from "./cli-content.ts";
import { withRepository } from "./cli-repository.ts";
import { SIGNATURE_ARGS, signature } from "./cli-signature.ts";
import { moment } from "./cli-values.ts";
import { mimetypeArg } from "./cmd-repo-wiki.ts";
import { UsageError } from "./errors.ts";
import { formatDateTime } from "./julian.ts";
import { trimmedBody } from "./repo-document.ts";
import { findTechnote, readTechnote, technotes, writeTechnote } from "./repo-technote.ts";

export const technoteCommand = group({
  description: "lists, shows and writes technotes",
  examples: [{ line: "edgesync repo technote ls -s", about: "those there are, with their ids" }],
  subCommands: {
    ls: () => lsCommand,
    show: () => showCommand,
    new: () => newCommand,
    edit: () => editCommand,
  },
});

const noteArg = positional({ description: "its id or the beginning, its time, or a tag", required: true });

const lsCommand = command({
  description: "lists technotes, the latest on the timeline first",
  args: {
    ids: flag({ description: "their ids too", alias: ["s"] }),
    long: flag({ description: "their comments too", alias: ["l"] }),
  },
  examples: [{ line: "edgesync repo technote ls -l", about: "time and comment" }],
  run: async ({ ids, long }, { out, ...context }) => {
    const notes = await withRepository({ out, ...context }, "read", ({ repo }) => technotes(repo));
    const shown = notes.map(({ rid: _, date, user, ...note }) => ({
      ...note,
      user: user ?? null,
      date: formatDateTime(date),
    }));
    out.result(shown, () =>
      shown
        .map(
          ({ id, date, comment }) =>
            `${[...(ids ? [id] : []), date, ...(long ? [comment] : [])].join(" ")}\n`,
        )
        .join(""),
    );
  },
});

const showCommand = command({
  description: "prints the text of a technote",
  args: { note: noteArg },
  examples: [{ line: "edgesync repo technote show 1a2b3c4d", about: "by its id" }],
  run: async ({ note }, context) => {
    const shown = await withRepository(context, "read", ({ repo }) => {
      const entry = findTechnote(repo, note);
      const { body, mimetype, tags, user } = readTechnote(repo, entry);
      return {
        id: entry.id,
        hash: entry.hash,
        date: formatDateTime(entry.date),
        comment: entry.comment,
        user: user ?? null,
        mimetype: mimetype ?? "text/x-fossil-wiki",
        tags: tags.map(({ name }) => name.replace(/^sym-/, "")).filter((name) => name !== "bgcolor"),
        text: decode(trimmedBody(body)),
      };
    });
    context.out.result(shown, () => shown.text);
  },
});

const WRITE_ARGS = {
  time: option(
    { description: "where it stands on the timeline (UTC)", valueHint: "DATE", alias: ["t"] },
    moment("first"),
  ),
  mimetype: mimetypeArg,
  tag: option({ description: "a tag; in place of all there were", valueHint: "NAME", repeat: true }, text),
  bgcolor: option({ description: "background in timelines; empty for none", valueHint: "COLOR" }, text),
  ...SIGNATURE_ARGS,
};

const newCommand = command({
  description: "makes a technote; its comment is what the timeline shows",
  args: {
    comment: positional({ description: "the comment", required: true }),
    file: positional({ description: "the text; standard input" }),
    ...WRITE_ARGS,
  },
  examples: [
    { line: 'edgesync repo technote new "Release 1.0" notes.md -M markdown', about: "as of now" },
    {
      line: 'edgesync repo technote new "Meeting" minutes.txt -t 2026-01-31T14:00 --tag meeting',
      about: "as of then",
    },
  ],
  run: async (args, context) => {
    const { comment, time, bgcolor, tag } = args;
    if (comment.trim() === "") throw new UsageError("missing-argument", "a technote needs a comment");
    const body = readInput(args.file ?? "-", context);
    const { id, hash } = await withRepository(context, "write", ({ repo }) =>
      writeTechnote(repo, {
        ...signature(args, repo, context),
        comment,
        body,
        tags: tag,
        ...(time !== undefined && { eventDate: time }),
        ...(args.mimetype !== undefined && { mimetype: args.mimetype }),
        ...(bgcolor !== undefined && { color: bgcolor }),
      }),
    );
    context.out.result({ id, hash }, () => `${id}\n`);
  },
});

const editCommand = command({
  description: "makes a new version of a technote",
  args: {
    note: noteArg,
    file: positional({ description: "the text; standard input" }),
    comment: option({ description: "another comment", valueHint: "TEXT", alias: ["m"] }, text),
    ...WRITE_ARGS,
  },
  examples: [
    { line: "edgesync repo technote edit 1a2b3c4d notes.md", about: "another text, all else as it was" },
  ],
  run: async (args, context) => {
    const { time, bgcolor, tag, comment } = args;
    const body = readInput(args.file ?? "-", context);
    const { id, hash } = await withRepository(context, "write", ({ repo }) => {
      const prior = findTechnote(repo, args.note);
      return writeTechnote(repo, {
        ...signature(args, repo, context),
        prior,
        comment: comment ?? prior.comment,
        body,
        ...(tag.length > 0 && { tags: tag }),
        ...(time !== undefined && { eventDate: time }),
        ...(args.mimetype !== undefined && { mimetype: args.mimetype }),
        ...(bgcolor !== undefined && { color: bgcolor }),
      });
    });
    context.out.result({ id, hash }, () => `${id}\n`);
  },
});
