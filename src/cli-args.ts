/**
 * Arguments, environment and configuration file, read from one declaration (`cli-command.ts`).
 *
 * Grammar of the command line:
 * - `--name VALUE`, `--name=VALUE`; `-x VALUE`, `-xVALUE`; flags `--name`, `--no-name`, `--name=false`, `-x`,
 *   and several short flags as `-xyz`, the last of which may take a value.
 * - An option with a bare value takes the next word only if that does not start with `-`.
 * - An option with a required value takes the next word unless that is an option of this command.
 * - `--` ends the options; `-` alone is a positional (by convention standard input).
 * - What is unknown, given twice without being repeatable, missing or left over is a `UsageError`.
 *
 * Names: the property `serveHttp` is `--serve-http`, `EDGESYNC_SERVE_HTTP` and the TOML key `serve-http`.
 * Precedence: command line, environment, file, default. An empty environment variable counts as unset.
 * Unknown keys of a file are errors; unknown environment variables are not, for they may be another command's.
 */
import type { Arg, Args, Values } from "./cli-command.ts";
import { suggest } from "./cli-suggest.ts";
import { UsageError } from "./errors.ts";

export interface ArgSources {
  /** Words after the command's name. */
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** From `--config FILE`: TOML key → texts, and the file's name for messages. */
  readonly file?: { readonly path: string; readonly values: ReadonlyMap<string, readonly string[]> };
  /** How the command is called (`edgesync repo ls`), for hints. */
  readonly commandLine: string;
}

/** One text and where it came from, in the words of the user. */
interface Given {
  readonly text: string;
  readonly where: string;
}

/** `serveHttp` → `serve-http`. */
export const kebab = (property: string): string => property.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);

/** `serveHttp` → `EDGESYNC_SERVE_HTTP`. */
export const envName = (property: string): string =>
  `EDGESYNC_${kebab(property).replaceAll("-", "_").toUpperCase()}`;

/**
 * Reads the values of `args` from all sources.
 *
 * @throws UsageError `unknown-option`, `unknown-key`, `missing-value`, `bad-value`, `repeated-option`,
 *   `missing-argument`, `extra-argument`
 */
export function parseArgs<A extends Args>(args: A, sources: ArgSources): Values<A> {
  const names = new ArgNames(args);
  const fromWords = readWords(names, sources);
  const fromFile = readFile(names, sources);
  const values: Record<string, unknown> = {};
  for (const [property, arg] of Object.entries(args)) {
    const given =
      fromWords.get(property) ?? readEnv(names, property, arg, sources.env) ?? fromFile.get(property) ?? [];
    values[property] = readValue(property, arg, given, sources);
  }
  return values as Values<A>;
}

function readValue(property: string, arg: Arg, given: readonly Given[], sources: ArgSources): unknown {
  if (given.length === 0) {
    if (arg.required) throw usage("missing-argument", `${label(property, arg)} is missing`, sources);
    if (arg.default !== undefined) return arg.repeat ? [arg.parse(arg.default)] : arg.parse(arg.default);
    if (arg.repeat) return [];
    return arg.type === "boolean" ? false : undefined;
  }
  const parsed = given.map(({ text, where }) => parseGiven(arg, text, where));
  return arg.repeat ? parsed : parsed.at(-1);
}

function parseGiven(arg: Arg, text: string, where: string): unknown {
  try {
    return arg.parse(text);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(error.code, `${where}: ${error.message}`, {
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}

/** Every name under which an option may be written. */
export class ArgNames {
  readonly options = new Map<string, readonly [property: string, arg: Arg]>();
  readonly positionals: (readonly [property: string, arg: Arg])[] = [];

  constructor(args: Args) {
    for (const [property, arg] of Object.entries(args)) {
      if (arg.type === "positional") {
        this.positionals.push([property, arg]);
        continue;
      }
      this.options.set(`--${kebab(property)}`, [property, arg]);
      for (const alias of arg.alias ?? []) {
        this.options.set(alias.length === 1 ? `-${alias}` : `--${alias}`, [property, arg]);
      }
    }
  }

  /** The option a word names, without its value: `--no-x` counts, `--x=y` and `-xy` do not. */
  isOption(word: string): boolean {
    return this.options.has(word) || this.options.has(word.replace(/^--no-/, "--"));
  }

  /** The longer aliases of a property. */
  longNames(property: string, arg: Arg): string[] {
    return [kebab(property), ...(arg.alias ?? []).filter((alias) => alias.length > 1)];
  }
}

function readWords(names: ArgNames, sources: ArgSources): Map<string, Given[]> {
  const given = new Map<string, Given[]>();
  const words = [...sources.words];
  const add = (property: string, arg: Arg, text: string, where: string) => {
    const list = given.get(property) ?? [];
    if (list.length > 0 && !arg.repeat && arg.type === "string") {
      throw usage("repeated-option", `${where} was given twice`, sources);
    }
    given.set(property, [...list, { text, where }]);
  };
  const left: string[] = [];
  while (words.length > 0) {
    const word = words.shift()!;
    if (word === "--") {
      left.push(...words);
      break;
    }
    if (word === "-" || !word.startsWith("-")) left.push(word);
    else if (word.startsWith("--")) readLong(word, words, names, sources, add);
    else readShort(word, words, names, sources, add);
  }
  for (const [property, arg] of names.positionals) {
    for (const text of left.splice(0, arg.repeat ? left.length : 1)) {
      add(property, arg, text, label(property, arg));
    }
  }
  if (left.length > 0) {
    throw usage("extra-argument", `unexpected argument ${JSON.stringify(left[0])}`, sources);
  }
  return given;
}

type Add = (property: string, arg: Arg, text: string, where: string) => void;

function readLong(word: string, words: string[], names: ArgNames, sources: ArgSources, add: Add): void {
  const equals = word.indexOf("=");
  const name = equals < 0 ? word : word.slice(0, equals);
  const inline = equals < 0 ? undefined : word.slice(equals + 1);
  const negated = names.options.get(name.replace(/^--no-/, "--"));
  const found = names.options.get(name);
  if (found === undefined && name.startsWith("--no-") && negated?.[1].type === "boolean") {
    if (inline !== undefined) throw usage("bad-value", `${name} takes no value`, sources);
    add(negated[0], negated[1], "false", name);
  } else if (found === undefined) {
    throw unknownOption(name, names, sources);
  } else {
    add(found[0], found[1], inline ?? nextValue(name, found[1], words, names, sources), name);
  }
}

function readShort(word: string, words: string[], names: ArgNames, sources: ArgSources, add: Add): void {
  for (let i = 1; i < word.length; i++) {
    const name = `-${word[i]}`;
    const found = names.options.get(name);
    if (found === undefined) throw unknownOption(name, names, sources);
    const [property, arg] = found;
    const rest = word.slice(i + 1);
    if (arg.type === "string" && rest !== "") {
      add(property, arg, rest, name);
      return;
    }
    add(property, arg, nextValue(name, arg, words, names, sources), name);
  }
}

function nextValue(name: string, arg: Arg, words: string[], names: ArgNames, sources: ArgSources): string {
  if (arg.type === "boolean") return "true";
  const next = words[0];
  if (arg.bare !== undefined && (next === undefined || next.startsWith("-"))) return arg.bare;
  if (next === undefined || next === "--" || names.isOption(next)) {
    throw usage(
      "missing-value",
      `${name} needs a value${arg.valueHint ? ` (${arg.valueHint})` : ""}`,
      sources,
    );
  }
  return words.shift()!;
}

function readEnv(
  names: ArgNames,
  property: string,
  arg: Arg,
  env: ArgSources["env"],
): readonly Given[] | undefined {
  if (arg.type === "positional") return undefined;
  for (const name of names.longNames(property, arg).map(envName)) {
    const text = env[name];
    if (text === undefined || text === "") continue;
    const texts = arg.repeat ? text.split(",").map((part) => part.trim()) : [text];
    return givenTexts(arg, texts, name);
  }
  return undefined;
}

function readFile(names: ArgNames, sources: ArgSources): Map<string, readonly Given[]> {
  const given = new Map<string, readonly Given[]>();
  if (sources.file === undefined) return given;
  const { path, values } = sources.file;
  for (const [key, texts] of values) {
    const found = names.options.get(`--${key}`);
    const where = `${path}: ${key}`;
    if (found === undefined) {
      const near = suggest(`--${key}`, longOptions(names))?.slice(2);
      const hint = near === undefined ? {} : { hint: `did you mean ${near}?` };
      throw new UsageError("unknown-key", `${path}: unknown key ${JSON.stringify(key)}`, hint);
    }
    const [property, arg] = found;
    if (texts.length !== 1 && !arg.repeat) {
      throw new UsageError("bad-value", `${where}: expected one value, got an array`);
    }
    given.set(property, givenTexts(arg, texts, where));
  }
  return given;
}

/** Where no bare word can be written, `true` stands for it, and `false` for leaving the option out. */
function givenTexts(arg: Arg, texts: readonly string[], where: string): readonly Given[] {
  if (arg.bare !== undefined && texts.length === 1) {
    if (texts[0] === "false") return [];
    if (texts[0] === "true") return [{ text: arg.bare, where }];
  }
  return texts.map((text) => ({ text, where }));
}

const longOptions = (names: ArgNames) => [...names.options.keys()].filter((name) => name.startsWith("--"));

function unknownOption(name: string, names: ArgNames, sources: ArgSources): UsageError {
  const near = name.startsWith("--") ? suggest(name, longOptions(names)) : undefined;
  const hint = near === undefined ? seeHelp(sources) : `did you mean ${near}?`;
  return new UsageError("unknown-option", `unknown option ${name}`, { hint });
}

const seeHelp = (sources: ArgSources) => `see ${sources.commandLine} --help`;

function usage(code: string, message: string, sources: ArgSources): UsageError {
  return new UsageError(code, message, { hint: seeHelp(sources) });
}

/** How help and messages write an argument: `--serve-http [ADDR]`, `FILE`, `[FILES...]`. */
export function label(property: string, arg: Arg): string {
  if (arg.type === "positional") return kebab(property).toUpperCase();
  return `--${kebab(property)}`;
}
