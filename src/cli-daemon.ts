/**
 * What long-running commands share: their log, the word that they are ready, and their end.
 *
 * Ready is one line on stderr that names every address, and `READY=1` for systemd. SIGTERM and SIGINT end
 * the daemon, also before it is ready: it finishes what it has in hand, and the command is done, after `STOP_MAX_MS` at
 * the latest (a transaction cut off then has never been). A signal a second later or more ends it at once; one
 * key press may arrive twice, from the terminal and from a parent that passes it on.
 *
 * SIGUSR1 and SIGHUP (not on Windows) ask a service that knows how to sync now and to read its keys again.
 */
import { type Args, option, type Values } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { LOG_FORMATS, stderrLogger } from "./cli-log.ts";
import { choice } from "./cli-values.ts";
import { EdgeSyncError, EXIT, type ExitCode } from "./errors.ts";
import { STOP_MAX_MS } from "./limits.ts";
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
  /** On SIGUSR1. */
  syncNow?(): Promise<unknown>;
  /** On SIGHUP. */
  reload?(): Promise<void>;
}

/**
 * Starts a service, says when it is ready, and returns when it was told to stop and has.
 *
 * @param start is to give up when its signal says so: by throwing, whatever it likes
 */
export async function runDaemon(
  args: Values<typeof LOG_ARGS>,
  context: CliContext,
  start: (log: Logger, signal: AbortSignal) => Promise<Running>,
): Promise<ExitCode> {
  const { verbose, quiet } = context.globals;
  const level = args.logLevel ?? (verbose ? "debug" : quiet ? "error" : "info");
  const format = args.logFormat ?? (context.out.terminal ? "pretty" : "json");
  const log = await stderrLogger({ level, format }, context);
  const stopping = new AbortController();
  const stopped = nextSignal().then((signal) => {
    stopping.abort(new EdgeSyncError("stopping", "told to stop"));
    boundTheEnd(log, context);
    return signal;
  });
  let running: Running | undefined;
  const onSignal = (signal: NodeJS.Signals, act: () => Promise<unknown> | undefined) => {
    if (process.platform === "win32") return;
    process.on(signal, () => {
      log.info("signal", { signal });
      act()?.catch((error: Error) => log.error("could not do it", { signal, reason: error.message }));
    });
  };
  onSignal("SIGUSR1", () => running?.syncNow?.());
  onSignal("SIGHUP", () => running?.reload?.());
  try {
    running = await start(log, stopping.signal);
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
    log.info("stopped before it was ready", { signal: await stopped });
    return EXIT.done;
  }
  // Whoever started it waits for this line, whatever else is to be logged.
  const announcer = await stderrLogger({ level: "info", format }, context);
  announcer.info("ready", running.addresses);
  await tellSystemd("READY=1");
  const signal = await stopped;
  log.info("stopping", { signal });
  await tellSystemd("STOPPING=1");
  await running.stop();
  return EXIT.done;
}

/** From the first word that it is to end: another word later ends it at once, and so does time. */
function boundTheEnd(log: Logger, { clock }: CliContext): void {
  clock
    .sleep(SIGNAL_AGAIN_MS)
    .then(nextSignal)
    .then(() => process.exit(EXIT.failed));
  clock.after(STOP_MAX_MS, () => {
    log.warn("ended before everything under way was done");
    process.exit(EXIT.done);
  });
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
