/** `edgesync leaf` and `edgesync repo serve`: repositories open to Fossil clients until told to stop. */
import { statSync } from "node:fs";
import { command, option, positional, text, type Values } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { LOG_ARGS, runDaemon } from "./cli-daemon.ts";
import { findRepository } from "./cli-repository.ts";
import { address } from "./cli-values.ts";
import { type ExitCode, UsageError } from "./errors.ts";
import type { LeafOptions } from "./leaf.ts";
import type { ListenAddress } from "./listen-address.ts";
import { release } from "./release.ts";

const HTTP_DEFAULT = "127.0.0.1:8080";
const HTTP_DEFAULT_PORT = 8080;

export const leafCommand = command({
  description: "keeps a repository open to its peers until it is told to stop",
  daemon: true,
  args: {
    serveHttp: option(
      {
        description:
          "serve Fossil clients, /healthz, /readyz and /metrics over HTTP; :8080 is all interfaces",
        valueHint: "ADDR",
        bare: HTTP_DEFAULT,
      },
      address(HTTP_DEFAULT_PORT),
    ),
    repoDir: option(
      { description: "serve every *.fossil of this folder, each at /NAME", valueHint: "DIR" },
      text,
    ),
    ...LOG_ARGS,
  },
  examples: [
    { line: "edgesync leaf --repo project.fossil --serve-http", about: `at ${HTTP_DEFAULT}` },
    { line: "edgesync leaf --repo-dir /srv/fossils --serve-http :80", about: "many, on all interfaces" },
  ],
  run: async ({ serveHttp, repoDir, ...args }, context) => {
    if (serveHttp === undefined) {
      throw new UsageError("nothing-to-serve", "a leaf needs something to do", { hint: "add --serve-http" });
    }
    const source = repoDir === undefined ? { file: findRepository(context.globals) } : { directory: repoDir };
    return serve(source, serveHttp, args, context);
  },
});

export const serveCommand = command({
  description: "serves a repository, or a folder of them, to Fossil clients over HTTP",
  daemon: true,
  args: {
    source: positional({ description: "a repository, or a folder whose *.fossil are served each at /NAME" }),
    listen: option(
      { description: "where", valueHint: "ADDR", default: HTTP_DEFAULT },
      address(HTTP_DEFAULT_PORT),
    ),
    ...LOG_ARGS,
  },
  examples: [
    { line: "edgesync repo serve project.fossil", about: `at ${HTTP_DEFAULT}` },
    { line: "edgesync repo serve /srv/fossils --listen :80", about: "many, on all interfaces" },
  ],
  run: async ({ source, listen, ...args }, context) => {
    const path = source ?? findRepository(context.globals);
    const isDirectory = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
    return serve(isDirectory ? { directory: path } : { file: path }, listen, args, context);
  },
});

/** The parts of a leaf are loaded only now: they are most of the program. */
async function serve(
  source: LeafOptions["source"],
  http: ListenAddress,
  args: Values<typeof LOG_ARGS>,
  context: CliContext,
): Promise<ExitCode> {
  return runDaemon(args, context, async (log) => {
    const { startLeaf } = await import("./leaf.ts");
    const leaf = await startLeaf(
      { source, http, version: release.version },
      { clock: context.clock, random: context.random, log },
    );
    return { addresses: { http: leaf.httpUrl }, stop: () => leaf.stop() };
  });
}
