/** `edgesync repo hash`: the hash under which a repository would know files. */
import { lstatSync, readlinkSync } from "node:fs";
import { resolve } from "node:path";
import { utf8 } from "./bytes.ts";
import { command, flag, positional } from "./cli-command.ts";
import { readInput } from "./cli-content.ts";
import type { CliContext } from "./cli-context.ts";
import { hashContent } from "./hash.ts";

export const hashCommand = command({
  description: "prints the hashes of files, as artifacts are named: SHA3-256",
  args: {
    files: positional({
      description: "the files; of a symbolic link the path it holds; - is standard input",
      required: true,
      repeat: true,
    }),
    sha1: flag({ description: "SHA1 instead, as in old repositories" }),
  },
  examples: [
    { line: "edgesync repo hash README.md", about: "its hash and its name" },
    { line: "edgesync repo hash --sha1 a.txt b.txt", about: "of several" },
  ],
  run: async ({ files, sha1 }, context) => {
    for (const file of files) {
      const hash = hashContent(contentOf(file, context), sha1 ? "sha1" : "sha3-256");
      context.out.item({ file, hash }, () => `${hash}  ${file}\n`);
    }
  },
});

function contentOf(file: string, context: CliContext): Uint8Array {
  const path = resolve(context.globals.checkout, file);
  const isLink = file !== "-" && lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink();
  return isLink ? utf8(readlinkSync(path)) : readInput(file, context);
}
