/** `edgesync repo attach`: files attached to wiki pages, tickets and technotes. */
import { basename } from "node:path";
import { command, option, positional, text } from "./cli-command.ts";
import { readInput } from "./cli-content.ts";
import { columns } from "./cli-output.ts";
import { withRepository } from "./cli-repository.ts";
import { SIGNATURE_ARGS, signature } from "./cli-signature.ts";
import { NameError, UsageError } from "./errors.ts";
import { formatDateTime } from "./julian.ts";
import type { Repo } from "./repo.ts";
import { attach, attachmentsOf, detach } from "./repo-attachment.ts";
import { findTechnote } from "./repo-technote.ts";
import { findTicket } from "./repo-ticket-change.ts";
import { readWiki } from "./repo-wiki.ts";

export const attachCommand = command({
  description: "attaches a file to a wiki page, ticket or technote, or lists what is attached",
  args: {
    file: positional({ description: "the file; without one the attached files are listed" }),
    wiki: option({ description: "to this page", valueHint: "PAGE" }, text),
    ticket: option({ description: "to this ticket", valueHint: "ID" }, text),
    technote: option({ description: "to this technote", valueHint: "NOTE", alias: ["t"] }, text),
    comment: option({ description: "about the file", valueHint: "TEXT", alias: ["m"] }, text),
    name: option({ description: "another name for it", valueHint: "NAME" }, text),
    remove: option({ description: "take this attached file away", valueHint: "NAME" }, text),
    ...SIGNATURE_ARGS,
  },
  examples: [
    { line: "edgesync repo attach plan.pdf --wiki Home", about: "in place of a plan.pdf that was there" },
    {
      line: "edgesync repo attach --ticket 1a2b3c4d",
      about: "what is attached; repo cat HASH prints a file",
    },
    { line: "edgesync repo attach --wiki Home --remove plan.pdf", about: "no longer attached" },
  ],
  run: async (args, context) => {
    const { file, comment, remove } = args;
    const { out } = context;
    const targets = [args.wiki, args.ticket, args.technote].filter((target) => target !== undefined);
    if (targets.length !== 1) {
      throw new UsageError("missing-argument", "give one of --wiki, --ticket and --technote");
    }
    if (file !== undefined && remove !== undefined) {
      throw new UsageError("conflicting-options", "a file is either attached or removed");
    }
    if (file === undefined && remove === undefined) {
      const files = await withRepository(context, "read", ({ repo }) =>
        attachmentsOf(repo, targetOf(repo, args)),
      );
      const shown = files.map(({ date, user, ...rest }) => ({
        ...rest,
        user: user ?? null,
        date: formatDateTime(date),
      }));
      out.result(shown, () =>
        columns(shown.map(({ hash, date, user, name }) => [hash.slice(0, 10), date, user ?? "", name])),
      );
      return;
    }
    const content = file === undefined ? undefined : readInput(file, context);
    await withRepository(context, "write", ({ repo }) => {
      const target = targetOf(repo, args);
      const by = signature(args, repo, context);
      if (content === undefined) {
        const { hash } = detach(repo, { ...by, target, name: remove! });
        out.result(
          { target, name: remove!, hash, source: null },
          () => `Removed ${remove} from ${target}.\n`,
        );
        return;
      }
      const made = attach(repo, {
        ...by,
        target,
        name: basename(args.name ?? file!),
        content,
        ...(comment !== undefined && { comment }),
      });
      const { name, hash, source } = made;
      out.result({ target, name, hash, source }, () => `Attached ${name} to ${describe(args, target)}.\n`);
    });
  },
});

interface Target {
  readonly wiki: string | undefined;
  readonly ticket: string | undefined;
  readonly technote: string | undefined;
}

function targetOf(repo: Repo, { wiki, ticket, technote }: Target): string {
  if (ticket !== undefined) return findTicket(repo, ticket);
  if (technote !== undefined) return findTechnote(repo, technote).id;
  if (readWiki(repo, wiki!) !== undefined) return wiki!;
  throw new NameError("no-such-page", `there is no wiki page ${JSON.stringify(wiki)}`, {
    hint: "edgesync repo wiki ls lists the pages",
  });
}

function describe({ wiki, ticket, technote }: Target, target: string): string {
  if (wiki !== undefined) return `wiki page ${wiki}`;
  return ticket !== undefined ? `ticket ${target}` : `tech note ${technote}`;
}
