/** Help texts from the commands' own declarations: `--help`, and the page docs/commands.md. */
import { kebab } from "./cli-args.ts";
import type { Arg, Args, CliCommand } from "./cli-command.ts";
import { DAEMON_ARGS, GLOBAL_ARGS } from "./cli-global.ts";
import { columns } from "./cli-output.ts";

/** A command with the words that call it: `["edgesync", "repo", "ls"]`. */
export interface NamedCommand {
  readonly path: readonly string[];
  readonly command: CliCommand;
}

/** `edgesync repo ls [OPTIONS] [VERSION]` */
export function usageLine({ path, command }: NamedCommand): string {
  const words = [...path];
  if (Object.keys(command.subCommands).length > 0) words.push("COMMAND");
  if (optionsOf(command.args).length > 0) words.push("[OPTIONS]");
  for (const [property, arg] of Object.entries(command.args)) {
    if (arg.type !== "positional") continue;
    const name = `${kebab(property).toUpperCase()}${arg.repeat ? "..." : ""}`;
    words.push(arg.required ? name : `[${name}]`);
  }
  return words.join(" ");
}

/** The page that `--help` prints. */
export async function helpText(named: NamedCommand): Promise<string> {
  const { command } = named;
  const sections = [`${usageLine(named)}\n`, `${sentence(command.meta.description)}\n`];
  const children = await subCommands(named);
  if (children.length > 0) {
    const rows = children.map((child) => ["", child.path.at(-1)!, child.command.meta.description]);
    sections.push(`Commands:\n${columns(rows)}`);
  }
  const positionals = Object.entries(command.args).filter(([, arg]) => arg.type === "positional");
  if (positionals.length > 0) {
    const rows = positionals.map(([name, arg]) => ["", kebab(name).toUpperCase(), arg.description]);
    sections.push(`Arguments:\n${columns(rows)}`);
  }
  const own = optionsOf(ownArgs(command));
  if (own.length > 0) sections.push(`Options:\n${columns(own.map(optionRow))}`);
  sections.push(`Everywhere:\n${columns(optionsOf(GLOBAL_ARGS).map(optionRow))}`);
  const examples = command.examples.map(({ line, about }) => `  # ${about}\n  ${line}\n`);
  sections.push(`Examples:\n${examples.join("")}`);
  return sections.join("\n");
}

/** The commands below this one, in the order they were declared. */
export async function subCommands({ path, command }: NamedCommand): Promise<NamedCommand[]> {
  return Promise.all(
    Object.entries(command.subCommands).map(async ([name, load]) => ({
      path: [...path, name],
      command: await load(),
    })),
  );
}

/** The whole tree as one Markdown page. */
export async function commandsPage(root: NamedCommand): Promise<string> {
  const parts = [
    "# Commands\n",
    "Made by `npm run docs` from the commands' declarations; a test keeps it current.\n",
    "Every option has an environment variable: `--serve-http` is `EDGESYNC_SERVE_HTTP`. Long-running commands also\n" +
      "read `--config FILE` (TOML, keys as the options). Flag beats environment beats file beats default.\n",
    "What commands print with `--json` is described by a JSON Schema for each, in [schemas/](schemas/).\n",
    "Exit codes: 0 done, 1 failed, 2 bad usage, 3 done with conflicts, 4 timed out.\n",
    "## Everywhere\n",
    optionTable(GLOBAL_ARGS),
  ];
  const visit = async (named: NamedCommand): Promise<void> => {
    const children = await subCommands(named);
    if (named !== root) parts.push(commandSection(named));
    for (const child of children) await visit(child);
  };
  await visit(root);
  return parts.join("\n");
}

function commandSection(named: NamedCommand): string {
  const { command, path } = named;
  const parts = [
    `${"#".repeat(path.length)} ${path.join(" ")}\n`,
    `${sentence(command.meta.description)}\n`,
    `    ${usageLine(named)}\n`,
  ];
  const args = ownArgs(command);
  if (Object.keys(args).length > 0) parts.push(optionTable(args));
  const examples = command.examples.map(({ line, about }) => `    # ${about}\n    ${line}\n`);
  parts.push(examples.join(""));
  return parts.join("\n");
}

function optionTable(args: Args): string {
  const cell = (text: string) => text.replaceAll("|", "\\|");
  const rows = Object.entries(args).map(([property, arg]) => {
    const name = arg.type === "positional" ? kebab(property).toUpperCase() : optionNames(property, arg);
    return `| \`${cell(name)}\` | ${cell(defaultOf(arg))} | ${cell(aboutOption(arg))} |\n`;
  });
  return `| | default | |\n|---|---|---|\n${rows.join("")}`;
}

function defaultOf(arg: Arg): string {
  if (arg.bare !== undefined) return `off; \`${arg.bare}\` when given bare`;
  if (arg.type === "boolean") return "";
  return arg.default === undefined ? "" : `\`${arg.default}\``;
}

const ownArgs = (command: CliCommand): Args =>
  command.daemon ? { ...command.args, ...DAEMON_ARGS } : command.args;

const optionsOf = (args: Args) => Object.entries(args).filter(([, arg]) => arg.type !== "positional");

function optionRow([property, arg]: [string, Arg]): string[] {
  const notes = [
    arg.bare !== undefined ? `${arg.bare} when given bare` : "",
    arg.repeat ? "may be repeated" : "",
    arg.type === "string" && arg.default !== undefined ? `default ${arg.default}` : "",
  ].filter((note) => note !== "");
  return [
    "",
    optionNames(property, arg),
    aboutOption(arg) + (notes.length > 0 ? ` (${notes.join("; ")})` : ""),
  ];
}

/** A flag that is on unless said otherwise is offered as `--no-…`. */
export const isOn = (arg: Arg): boolean => arg.type === "boolean" && arg.default === "true";

/** What an option does under the name it is offered by; a flag is declared with what it does when it is on. */
export const aboutOption = (arg: Arg): string => (isOn(arg) ? `do not ${arg.description}` : arg.description);

/** `-R, --repository FILE`; `--no-color` for what is on unless said otherwise. */
function optionNames(property: string, arg: Arg): string {
  const long = isOn(arg) ? `no-${kebab(property)}` : kebab(property);
  const aliases = arg.alias ?? [];
  const names = [
    ...aliases.filter((alias) => alias.length === 1).map((alias) => `-${alias}`),
    `--${long}`,
    ...aliases.filter((alias) => alias.length > 1).map((alias) => `--${alias}`),
  ];
  if (arg.type === "boolean") return names.join(", ");
  const hint = arg.valueHint ?? "VALUE";
  return `${names.join(", ")} ${arg.bare === undefined ? hint : `[${hint}]`}`;
}

const sentence = (text: string) => `${text[0]!.toUpperCase()}${text.slice(1)}.`;
