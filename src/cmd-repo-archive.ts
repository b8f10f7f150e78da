/**
 * `edgesync repo zip` and `tar`: the files of a check-in as an archive, written as it is made. The file appears under its
 * name when it is whole, and a signal leaves none.
 */
import { closeSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import { TAR_END, tarEntry } from "./archive-tar.ts";
import { ZipWriter } from "./archive-zip.ts";
import { type ArchiveEntry, archiveEntries, archiveName, archiveTime } from "./checkout-archive.ts";
import { GlobList } from "./checkout-glob.ts";
import { command, flag, option, positional, text } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { type OpenRepository, withRepository } from "./cli-repository.ts";
import { holdSignals } from "./cli-signals.ts";
import { isTerminal } from "./cli-terminal.ts";
import { RepoError, UsageError } from "./errors.ts";
import type { EpochMs } from "./julian.ts";
import { resolveName } from "./repo-name.ts";

/** After so many bytes, with some for each entry, a command gives way to signals: several times a second. */
const TURN_BYTES = 4_000_000;
const ENTRY_BYTES = 10_000;

/** Writes entries as an archive, piece by piece. */
type Format = (
  entries: Iterable<ArchiveEntry>,
  mtime: EpochMs,
  write: (bytes: Uint8Array) => void,
) => Promise<void>;

export const zipCommand = archiving("a ZIP archive", "zip", async (entries, mtime, write) => {
  const zip = new ZipWriter(write);
  let bytes = 0;
  for (const { name, kind, mode, read } of entries) {
    const content = read();
    bytes += content.length + ENTRY_BYTES;
    if (bytes > TURN_BYTES) {
      await new Promise(setImmediate);
      bytes = 0;
    }
    zip.add({ name: kind === "folder" ? `${name}/` : name, kind, mode, content }, mtime);
  }
  zip.end();
});

export const tarCommand = archiving("a compressed tar archive", "tar.gz", async (entries, mtime, write) => {
  const gzip = process.getBuiltinModule("node:zlib").createGzip();
  gzip.on("data", write);
  const ended = new Promise<void>((done, failed) => gzip.on("end", done).on("error", failed));
  for (const { name, kind, mode: given, read } of entries) {
    const mode = kind === "link" ? 0o644 : given; // As stock writes them here, and nobody heeds.
    if (!gzip.write(tarEntry({ name, kind, mode, content: read() }, mtime))) {
      await new Promise((drained) => gzip.once("drain", drained));
    }
  }
  gzip.end(TAR_END);
  await ended;
});

function archiving(what: string, ending: string, format: Format) {
  return command({
    description: `writes the files of a check-in as ${what}`,
    args: {
      version: positional({ description: "the check-in", required: true }),
      output: positional({
        description: `the archive; - for standard output; else named after project, date and hash, .${ending}`,
      }),
      name: option({ description: "the folder on top; empty for none", valueHint: "NAME" }, text),
      include: option({ description: "only files that match", valueHint: "GLOBS" }, text),
      exclude: option({ description: "no files that match", valueHint: "GLOBS", alias: ["X"] }, text),
      list: flag({ description: "print the names of the files", alias: ["l"] }),
    },
    examples: [
      {
        line: `edgesync repo ${ending.slice(0, 3)} v1.0 project-1.0.${ending} --name project-1.0`,
        about: "a release",
      },
      {
        line: `edgesync repo ${ending.slice(0, 3)} trunk docs.${ending} --include 'docs/*'`,
        about: "one folder",
      },
    ],
    run: async (args, context) => {
      if (args.output === "-" && (args.list || context.out.json)) {
        throw new UsageError(
          "conflicting-options",
          "the archive and a list cannot both go to standard output",
        );
      }
      if (args.output === "-" && isTerminal(1)) {
        throw new UsageError("binary", "an archive is no text, and this is a terminal", {
          hint: "name a file, or redirect the output",
        });
      }
      await withRepository(context, "read", async (open) => {
        const { repo } = open;
        const checkIn = resolveVersion(open, args.version);
        const names: string[] = [];
        const entries = archiveEntries(repo, {
          checkIn,
          top: args.name ?? archiveName(repo, checkIn),
          ...(args.include !== undefined && { include: new GlobList(args.include) }),
          ...(args.exclude !== undefined && { exclude: new GlobList(args.exclude) }),
        });
        const noted = noting(entries, names, context);
        const output = args.output ?? `${archiveName(repo, checkIn)}.${ending}`;
        const size = await writeWhole(output, context, (write) =>
          format(noted, archiveTime(repo, checkIn), write),
        );
        if (output === "-") return;
        const said = [...(args.output === undefined ? [output] : []), ...(args.list ? names : [])];
        context.out.result({ file: output, size, files: names }, () =>
          said.map((line) => `${line}\n`).join(""),
        );
      });
    },
  });
}

/** The check-in named, relative to the checkout where there is one. */
const resolveVersion = ({ repo, checkout }: OpenRepository, version: string) =>
  resolveName(repo, version, { type: "ci", ...(checkout !== undefined && { checkout }) });

function* noting(
  entries: Iterable<ArchiveEntry>,
  names: string[],
  { out }: CliContext,
): Generator<ArchiveEntry> {
  const progress = out.progress("archive");
  for (const entry of entries) {
    if (entry.kind !== "folder") names.push(entry.name);
    progress.update({ doneCount: names.length, noun: "files" });
    yield entry;
  }
  progress.end();
}

/** @returns bytes written; @throws RepoError `file-unwritable` */
async function writeWhole(
  output: string,
  { globals, out }: CliContext,
  make: (write: (bytes: Uint8Array) => void) => Promise<void>,
): Promise<number> {
  let size = 0;
  if (output === "-") {
    await make((bytes) => {
      out.bytes(bytes);
      size += bytes.length;
    });
    return size;
  }
  const path = resolve(globals.checkout, output);
  const unfinished = `${path}.part`;
  const file = unlessUnwritable(output, () => openSync(unfinished, "w"));
  // A signal ends the program at once; the file must not stay.
  const discard = () => rmSync(unfinished, { force: true });
  process.once("exit", discard);
  const release = holdSignals(out);
  let isDone = false;
  try {
    await make((bytes) => {
      unlessUnwritable(output, () => {
        for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
      });
      size += bytes.length;
    });
    isDone = true;
  } finally {
    closeSync(file);
    if (!isDone) discard();
    release();
    process.off("exit", discard);
  }
  unlessUnwritable(output, () => renameSync(unfinished, path));
  return size;
}

function unlessUnwritable<T>(output: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "an error";
    throw new RepoError("file-unwritable", `${output} cannot be written (${code})`, { cause });
  }
}
