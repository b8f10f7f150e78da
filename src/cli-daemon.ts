/**
 * What long-running commands share: their log, the word that they are ready, and their end.
 *
 * Ready is one line on stderr that names every address, and `READY=1` for systemd. SIGTERM and SIGINT end
 * the daemon: it finishes what it has in hand, and the command is done. A signal a second later or more
 * ends it at once; one key press may arrive twice, from the terminal and from a parent that passes it on.
 */
import { type Args, option, type Values } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { LOG_FORMATS, stderrLogger } from "./cli-log.ts";
import { choice } from "./cli-values.ts";
import { EXIT, type ExitCode } from "./errors.ts";
import { LOG_LEVELS, type LogFields, type Logger } from "./log.ts";

/** Signals closer together than this count as one. */
const SIGNAL_AGAIN_MS = 1000;

export const LOG_ARGS = {
  logLevel: option(
    { description: `one of ${LOG_LEVELS.join(", ")}; default info, or as -v and -q say`, valueHint: "LEVEL" },
    choice(...LOG_LEVELS),
  ),
  logFormat: option(
    { description: `${LOG_FORMATS.join(" or ")}; default pretty on a terminal`, valueHint: "FORMAT" },
    choice(...LOG_FORMATS),
  ),
} satisfies Args;

/** A service that is up. */
export interface Running {
  /** What to tell when it is ready: `{ http: "http://127.0.0.1:8080/" }`. */
  readonly addresses: LogFields;
  stop(): Promise<void>;
}

/** Starts a service, says when it is ready, and returns when it was told to stop and has. */
export async function runDaemon(
  args: Values<typeof LOG_ARGS>,
  context: CliContext,
  start: (log: Logger) => Promise<Running>,
): Promise<ExitCode> {
  const { verbose, quiet } = context.globals;
  const level = args.logLevel ?? (verbose ? "debug" : quiet ? "error" : "info");
  const format = args.logFormat ?? (context.out.terminal ? "pretty" : "json");
  const log = await stderrLogger({ level, format }, context);
  const stopped = nextSignal();
  const running = await start(log);
  log.info("ready", running.addresses);
  await tellSystemd("READY=1");
  const signal = await stopped;
  log.info("stopping", { signal });
  await tellSystemd("STOPPING=1");
  context.clock
    .sleep(SIGNAL_AGAIN_MS)
    .then(nextSignal)
    .then(() => process.exit(EXIT.failed));
  await running.stop();
  return EXIT.done;
}

/** Also replaces the default, which would end the process: signals that nobody waits for are ignored. */
function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => resolve(signal));
  });
}

/** Loaded only where somebody listens: it binds C functions. */
async function tellSystemd(state: string): Promise<void> {
  if (!process.env["NOTIFY_SOCKET"]) return;
  const { notifySystemd } = await import("./systemd.ts");
  notifySystemd(state);
}
