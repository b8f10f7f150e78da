/** `edgesync repo uv`: files of which a repository keeps only the newest version. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { command, flag, group, option, positional, text } from "./cli-command.ts";
import { writeOutput } from "./cli-content.ts";
import type { CliContext } from "./cli-context.ts";
import { DATA_EXCHANGE_ARGS, exchangeData, remoteArg } from "./cli-data-exchange.ts";
import { columns } from "./cli-output.ts";
import { withRepository } from "./cli-repository.ts";
import { actingUser } from "./cli-user.ts";
import { moment } from "./cli-values.ts";
import { EXIT, NameError, RepoError } from "./errors.ts";
import { formatDateTime } from "./julian.ts";
import { ReceiveBatch } from "./repo-receive.ts";
import { Unversioned, type UnversionedEntry } from "./repo-unversioned.ts";
import { UnversionedClient } from "./sync-client-uv.ts";

export const uvCommand = group({
  description: "lists, changes and syncs unversioned files",
  examples: [
    { line: "edgesync repo uv put download/app.zip build/app.zip", about: "add or replace a file" },
    { line: "edgesync repo uv sync", about: "exchange them with the remembered remote" },
  ],
  subCommands: {
    ls: () => lsCommand,
    put: () => putCommand,
    get: () => getCommand,
    delete: () => deleteCommand,
    touch: () => touchCommand,
    sync: () => syncCommand,
  },
});

const nameArg = positional({ description: "name of the unversioned file", required: true });
const namesArg = positional({ description: "names of unversioned files", required: true, repeat: true });
const mtimeArg = option({ description: "date the change this way; now", valueHint: "TIME" }, moment("first"));

const toJson = ({ name, mtime, hash, size }: UnversionedEntry) => ({
  name,
  mtime,
  date: formatDateTime(mtime * 1000),
  hash: hash ?? null,
  size,
});

const lsCommand = command({
  description: "lists the unversioned files",
  args: { all: flag({ description: "deleted ones too" }) },
  examples: [{ line: "edgesync repo uv ls", about: "name, date, size and hash of each" }],
  run: async ({ all }, context) => {
    const entries = await withRepository(context, "read", ({ repo }) => new Unversioned(repo).entries());
    const shown = entries.filter(({ hash }) => all || hash !== undefined).map(toJson);
    context.out.result(shown, () =>
      columns(
        shown.map(({ name, date, hash, size }) => [name, date, `${size}`, hash?.slice(0, 10) ?? "deleted"]),
      ),
    );
  },
});

const putCommand = command({
  description: "adds or replaces an unversioned file",
  args: {
    name: nameArg,
    file: positional({ description: "the file on disk; the one of that name" }),
    mtime: mtimeArg,
    user: option({ description: "in whose name", valueHint: "LOGIN" }, text),
  },
  examples: [
    { line: "edgesync repo uv put index.html www/index.html", about: "it travels with the next sync" },
  ],
  run: async ({ name, file, mtime, user }, context) => {
    const content = readContent(resolve(context.globals.checkout, file ?? name));
    const entry = await withRepository(context, "write", ({ repo }) =>
      repo.db.write(() => {
        const acting = actingUser(user, context.env, repo.config);
        const batch = new ReceiveBatch(repo, { user: acting, onWrong: "throw" });
        const added = new Unversioned(repo).add(name, content, secondsOf(mtime, context), batch.rcvid);
        batch.finish();
        return added;
      }),
    );
    context.out.result(toJson(entry), () => "");
  },
});

const getCommand = command({
  description: "prints an unversioned file",
  args: {
    name: nameArg,
    output: option({ description: "write it to this file", valueHint: "FILE", alias: ["o"] }, text),
  },
  examples: [{ line: "edgesync repo uv get app.zip -o app.zip", about: "into a file" }],
  run: async ({ name, output }, context) => {
    const content = await withRepository(context, "read", ({ repo }) => {
      const files = new Unversioned(repo);
      requireFile(files, name);
      return files.content(name);
    });
    if (content === undefined) {
      throw new RepoError("no-content", `only the hash of the unversioned file ${name} is here`, {
        hint: "sync with a peer that has it: edgesync repo uv sync",
      });
    }
    writeOutput(content, output, context);
  },
});

const deleteCommand = command({
  description: "deletes unversioned files; a mark stays, so that the deletion travels",
  args: { names: namesArg, mtime: mtimeArg },
  examples: [
    { line: "edgesync repo uv delete old.zip older.zip", about: "here now, elsewhere with the next sync" },
  ],
  run: ({ names, mtime }, context) => change(names, mtime, context, "remove"),
});

const touchCommand = command({
  description: "dates unversioned files anew, so that they win over other versions",
  args: { names: namesArg, mtime: mtimeArg },
  examples: [{ line: "edgesync repo uv touch app.zip", about: "as if put again" }],
  run: ({ names, mtime }, context) => change(names, mtime, context, "touch"),
});

const syncCommand = command({
  description: "exchanges unversioned files with a peer: the newer version of each wins",
  args: { remote: remoteArg, ...DATA_EXCHANGE_ARGS },
  examples: [
    { line: "edgesync repo uv sync", about: "with the remembered remote" },
    { line: "edgesync repo uv sync https://ann@example.org/project", about: "with another" },
  ],
  run: async (args, context) => {
    const { client, totals, remote } = await exchangeData(
      args,
      context,
      (repo, options) => new UnversionedClient(repo, { pull: true, push: true }, options),
    );
    const { artifactsSent: sent, artifactsReceived: received, rounds } = totals;
    const refused = client.refused.map(({ name, error }) => ({ name, problem: error.message }));
    if (client.isRefusedByPeer) context.out.note(`${remote} takes no unversioned files from this login`);
    context.out.result({ remote, sent, received, rounds, isPullOnly: client.isRefusedByPeer, refused }, () =>
      columns([
        ["remote", remote],
        ["sent", `${sent} files`],
        ["received", `${received} files`],
        ...refused.map(({ name, problem }) => ["refused", `${name}: ${problem}`]),
      ]),
    );
    return refused.length === 0 ? EXIT.done : EXIT.failed;
  },
});

async function change(
  names: readonly string[],
  mtime: number | undefined,
  context: CliContext,
  what: "remove" | "touch",
): Promise<undefined> {
  const changed = await withRepository(context, "write", ({ repo }) =>
    repo.db.write(() => {
      const files = new Unversioned(repo);
      for (const name of names) requireFile(files, name);
      for (const name of names) files[what](name, secondsOf(mtime, context));
      return names.map((name) => files.entry(name)!);
    }),
  );
  context.out.result(changed.map(toJson), () => "");
}

/** @throws NameError `no-such-file` */
function requireFile(files: Unversioned, name: string): void {
  const entry = files.entry(name);
  if (entry?.hash !== undefined) return;
  const why = entry === undefined ? "is not here" : "was deleted";
  throw new NameError("no-such-file", `the unversioned file ${name} ${why}`);
}

function secondsOf(mtime: number | undefined, { clock }: CliContext): number {
  return Math.floor((mtime ?? clock.now()) / 1000);
}

function readContent(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === "ENOENT" ? "does not exist" : "cannot be read";
    throw new RepoError("file-unreadable", `${path} ${reason}`, { cause });
  }
}
