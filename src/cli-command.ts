/**
 * How a command is declared. One declaration gives the command line, the environment variables, the TOML
 * keys, the help text and docs/commands.md. It is a citty definition (tree, lazy subcommands, metadata)
 * with what citty has no word for: bare optional values, repeats, typed values and examples.
 *
 * Every argument is a text until its `parse` has read it; flags, environment and file go through the same
 * `parse`, so they accept and refuse the same values.
 */
import { type CommandDef, type CommandMeta, defineCommand } from "citty";
import type { CliContext } from "./cli-context.ts";
import { type ExitCode, UsageError } from "./errors.ts";

/** One option or positional. `T` is the type of its value once parsed. */
export interface Arg<T = unknown> {
  readonly type: "string" | "boolean" | "positional";
  readonly description: string;
  /** What stands for the value in help: `FILE`, `URL`. */
  readonly valueHint?: string;
  /** Other names: one letter for `-x`, more for `--xyz`. */
  readonly alias?: string[];
  /** As it would be typed. Shown in help. */
  readonly default?: string;
  /** The value when the option is given without one (`--serve-http`). */
  readonly bare?: string;
  /** May be given several times; the value is then an array. In the environment: separated by commas. */
  readonly repeat?: boolean;
  /** Must be there. */
  readonly required?: boolean;
  /** @throws UsageError from `badValue` */
  readonly parse: (text: string) => unknown;
  /** Never set: carries the type. */
  readonly value?: T;
}

export type Args = Readonly<Record<string, Arg>>;
export type Values<A extends Args> = {
  readonly [K in keyof A]: A[K] extends Arg<infer T> ? T : never;
};

type Spec = Pick<Arg, "description" | "valueHint" | "alias" | "default" | "bare" | "repeat" | "required">;
export type Parser<T> = (text: string) => T;

export const text: Parser<string> = (value) => value;

/** An option with a value: `--name VALUE`. */
export function option<T>(spec: Spec & { readonly repeat: true }, parse: Parser<T>): Arg<readonly T[]>;
export function option<T>(spec: Spec & { readonly default: string }, parse: Parser<T>): Arg<T>;
export function option<T>(spec: Spec & { readonly required: true }, parse: Parser<T>): Arg<T>;
export function option<T>(spec: Spec, parse: Parser<T>): Arg<T | undefined>;
export function option<T>(spec: Spec, parse: Parser<T>): Arg<T> {
  return { type: "string", ...spec, parse };
}

const BOOLEANS: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  "1": true,
  false: false,
  no: false,
  off: false,
  "0": false,
};

/** `--name`, `--no-name`. Off unless `default` is "true". */
export function flag(spec: Pick<Arg, "description" | "alias" | "default">): Arg<boolean> {
  return {
    type: "boolean",
    ...spec,
    parse: (value) => BOOLEANS[value.toLowerCase()] ?? badValue("true or false", value),
  };
}

/** A value by position. With `repeat` it takes all that are left. */
export function positional(spec: {
  readonly description: string;
  readonly required: true;
  readonly repeat?: false;
}): Arg<string>;
export function positional(spec: {
  readonly description: string;
  readonly required?: boolean;
  readonly repeat: true;
}): Arg<readonly string[]>;
export function positional(spec: { readonly description: string }): Arg<string | undefined>;
export function positional(spec: Pick<Arg, "description" | "required" | "repeat">): Arg {
  return { type: "positional", ...spec, parse: text };
}

/** For parsers: the value is not what was expected. The parser of the command line adds where it came from. */
export function badValue(expected: string, got: string): never {
  throw new UsageError("bad-value", `expected ${expected}, got ${JSON.stringify(got)}`);
}

export interface Example {
  /** A whole command line, starting with `edgesync`. */
  readonly line: string;
  readonly about: string;
}

/** A command of the tree: a group with `subCommands`, or a leaf with `args` and `action`. */
export interface CliCommand extends Omit<CommandDef, "args" | "meta" | "subCommands" | "run"> {
  readonly meta: CommandMeta & { readonly description: string };
  readonly args: Args;
  readonly examples: readonly Example[];
  /** Runs until stopped: may read its options from `--config FILE`. */
  readonly daemon: boolean;
  readonly subCommands: SubCommands;
  readonly action?: (args: never, context: CliContext) => Promise<ExitCode | undefined>;
}

/** Name → how to load it. Nothing is loaded before it is asked for. */
export type SubCommands = Readonly<Record<string, () => CliCommand | Promise<CliCommand>>>;

/**
 * Declares a command that does something.
 *
 * @param spec.description one sentence without a full stop
 * @param spec.examples at least one; the first is shown first
 */
export function command<A extends Args>(spec: {
  readonly description: string;
  readonly args?: A;
  readonly examples: readonly [Example, ...Example[]];
  readonly daemon?: boolean;
  readonly run: (args: Values<A>, context: CliContext) => Promise<ExitCode | undefined>;
}): CliCommand {
  return defined({
    meta: { description: spec.description },
    args: spec.args ?? {},
    examples: spec.examples,
    daemon: spec.daemon ?? false,
    subCommands: {},
    action: spec.run as NonNullable<CliCommand["action"]>,
  });
}

/** Declares a command that only groups others. */
export function group(spec: {
  readonly description: string;
  readonly examples: readonly [Example, ...Example[]];
  readonly subCommands: SubCommands;
}): CliCommand {
  const { description, ...rest } = spec;
  return defined({ meta: { description }, args: {}, daemon: false, ...rest });
}

/** citty keeps what it is given; its types do not know our additions. */
const defined = (definition: CliCommand): CliCommand =>
  defineCommand(definition as unknown as CommandDef) as unknown as CliCommand;
