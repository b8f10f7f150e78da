/** `edgesync leaf`: keeps one repository, or a folder of them, open to its peers. */
import { command, option, text } from "./cli-command.ts";
import { LOG_ARGS, runDaemon } from "./cli-daemon.ts";
import { findRepository } from "./cli-repository.ts";
import { address } from "./cli-values.ts";
import { UsageError } from "./errors.ts";
import { release } from "./release.ts";

export const leafCommand = command({
  description: "serves a repository to Fossil clients until it is told to stop",
  daemon: true,
  args: {
    serveHttp: option(
      {
        description:
          "serve clone, sync, push, /healthz, /readyz and /metrics over HTTP; :8080 is all interfaces",
        valueHint: "ADDR",
        bare: "127.0.0.1:8080",
      },
      address(8080),
    ),
    repoDir: option(
      { description: "serve every *.fossil of this folder, each at /NAME", valueHint: "DIR" },
      text,
    ),
    ...LOG_ARGS,
  },
  examples: [
    { line: "edgesync leaf --repo project.fossil --serve-http", about: "at 127.0.0.1:8080" },
    { line: "edgesync leaf --repo-dir /srv/fossils --serve-http :80", about: "many, on all interfaces" },
  ],
  run: async ({ serveHttp, repoDir, ...args }, context) => {
    if (serveHttp === undefined) {
      throw new UsageError("nothing-to-serve", "a leaf needs something to do", { hint: "add --serve-http" });
    }
    const source = repoDir === undefined ? { file: findRepository(context.globals) } : { directory: repoDir };
    const { startLeaf } = await import("./leaf.ts");
    return runDaemon(args, context, async (log) => {
      const leaf = await startLeaf(
        { source, http: serveHttp, version: release.version },
        { clock: context.clock, log },
      );
      return { addresses: { http: leaf.httpUrl }, stop: () => leaf.stop() };
    });
  },
});
