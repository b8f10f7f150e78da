/**
 * From words to a command and back to an exit code. Options that every command has may stand before the
 * command's name or behind it. Whatever goes wrong ends in one line on stderr, a second with what to do,
 * and the exit code of the error; a stack is shown only with `-v` or for a defect of ours.
 */
import { ArgNames, type ArgSources, parseArgs } from "./cli-args.ts";
import type { Args, CliCommand, Values } from "./cli-command.ts";
import { readConfigFile } from "./cli-config-file.ts";
import type { CliContext } from "./cli-context.ts";
import { DAEMON_ARGS, GLOBAL_ARGS, globalValues } from "./cli-global.ts";
import { Output, type Sink, StdoutClosed } from "./cli-output.ts";
import { suggest } from "./cli-suggest.ts";
import { isTerminal } from "./cli-terminal.ts";
import { rootCommand } from "./cli-tree.ts";
import { systemClock } from "./clock.ts";
import { EdgeSyncError, EXIT, type ExitCode, UsageError } from "./errors.ts";
import { systemRandom } from "./random.ts";

type Env = ArgSources["env"];

interface Found {
  readonly path: readonly string[];
  readonly command: CliCommand;
  /** The words that are not the command's name, in their order. */
  readonly words: readonly string[];
}

/** Where the program writes; by default to the process's own descriptors. */
export interface CliSinks {
  readonly stdout?: Sink;
  readonly stderr?: Sink;
}

/** Runs the command that `words` name. Never throws. */
export async function runCli(words: readonly string[], env: Env, sinks: CliSinks = {}): Promise<ExitCode> {
  let out = outputFor(
    { json: false, verbose: false, quiet: false, color: !words.includes("--no-color") },
    env,
    sinks,
  );
  try {
    const found = await findCommand(words);
    if (found.path.length === 1 && found.words.includes("--version")) {
      return await printVersion(found.words, env, sinks);
    }
    if (asksForHelp(found.words)) return await printHelp(found, out);
    const values = readValues(found, env);
    const globals = globalValues(values);
    out = outputFor(globals, env, sinks);
    if (found.command.action === undefined) return await refuseGroup(found, out);
    const context: CliContext = { globals, out, clock: systemClock, random: systemRandom, env };
    const code = await found.command.action(values as never, context);
    out.flush();
    return code ?? EXIT.done;
  } catch (error) {
    return report(error, out);
  }
}

function report(error: unknown, out: Output): ExitCode {
  if (error instanceof StdoutClosed) return EXIT.done;
  try {
    out.error(error);
  } catch (second) {
    if (!(second instanceof StdoutClosed)) throw second;
  }
  return error instanceof EdgeSyncError ? error.exitCode : EXIT.failed;
}

function outputFor(
  options: {
    readonly json: boolean;
    readonly verbose: boolean;
    readonly quiet: boolean;
    readonly color: boolean;
  },
  env: Env,
  sinks: CliSinks,
): Output {
  const color = options.color && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
  return new Output({ ...options, ...sinks, color, isTerminal: () => isTerminal(2), clock: systemClock });
}

/** Walks the tree along the words that are not options. */
export async function findCommand(words: readonly string[]): Promise<Found> {
  const names = new ArgNames(GLOBAL_ARGS);
  const path = ["edgesync"];
  const kept: string[] = [];
  let command = rootCommand;
  let i = 0;
  while (i < words.length && Object.keys(command.subCommands).length > 0) {
    const word = words[i]!;
    if (word.startsWith("-")) {
      kept.push(word);
      i++;
      if (names.options.get(word)?.[1].type === "string" && i < words.length) kept.push(words[i++]!);
      continue;
    }
    const load = Object.hasOwn(command.subCommands, word) ? command.subCommands[word] : undefined;
    if (load === undefined) throw unknownCommand(word, path, command);
    command = await load();
    path.push(word);
    i++;
  }
  return { path, command, words: [...kept, ...words.slice(i)] };
}

function unknownCommand(word: string, path: readonly string[], command: CliCommand): UsageError {
  const near = suggest(word, Object.keys(command.subCommands));
  const calls = path.join(" ");
  const hint = near === undefined ? `see ${calls} --help` : `did you mean ${calls} ${near}?`;
  return new UsageError("unknown-command", `${calls} has no command ${JSON.stringify(word)}`, { hint });
}

function asksForHelp(words: readonly string[]): boolean {
  const end = words.indexOf("--");
  const options = end < 0 ? words : words.slice(0, end);
  return options.includes("--help") || options.includes("-h");
}

/** All values of a command, read twice when the first reading names a configuration file. */
export function readValues(found: Found, env: Env): Values<typeof GLOBAL_ARGS> {
  const args: Args = {
    ...GLOBAL_ARGS,
    ...(found.command.daemon ? DAEMON_ARGS : {}),
    ...found.command.args,
  };
  const sources = { words: found.words, env, commandLine: found.path.join(" ") };
  const values = parseArgs(args, sources);
  const config = found.command.daemon ? (values["config"] as string | undefined) : undefined;
  const read = config === undefined ? values : parseArgs(args, { ...sources, file: readConfigFile(config) });
  return read as Values<typeof GLOBAL_ARGS>;
}

async function printVersion(words: readonly string[], env: Env, sinks: CliSinks): Promise<ExitCode> {
  const { irohLoads, versionFacts, versionText } = await import("./cli-version.ts");
  const globals = { path: ["edgesync"], command: rootCommand, words: words.filter((w) => w !== "--version") };
  const values = globalValues(readValues(globals, env));
  const out = outputFor(values, env, sinks);
  const loads = values.verbose ? { irohLoads: await irohLoads() } : {};
  out.result({ ...versionFacts(), ...loads }, () => {
    return `${versionText()}\n${values.verbose ? `iroh ${loads.irohLoads ? "loads" : "does not load"}\n` : ""}`;
  });
  out.flush();
  return EXIT.done;
}

async function printHelp(found: Found, out: Output): Promise<ExitCode> {
  const { helpText } = await import("./cli-help.ts");
  const help = await helpText(found);
  out.result(help, () => help);
  out.flush();
  return EXIT.done;
}

/** A group was named and no command of it: its help goes to stderr, for it is no result. */
async function refuseGroup(found: Found, out: Output): Promise<ExitCode> {
  const { helpText } = await import("./cli-help.ts");
  out.note((await helpText(found)).trimEnd());
  return EXIT.usage;
}
